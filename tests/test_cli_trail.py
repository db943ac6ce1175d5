"""
C{vncproxy audit}, against the real API.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import attrs

from tests.cliharness import CLITestCase
from vncproxy.cli import trail
from vncproxy.model import AuditEntry, AuditEvent

OPENED = AuditEntry(AuditEvent.OPENED, key="portal", client="203.0.113.9", console="vm-1", session="s1")


class AuditTests(CLITestCase):
    """
    The trail from the command line.
    """

    def setUp(self) -> None:
        super().setUp()
        self.world.trail.note(OPENED)
        ended = attrs.evolve(OPENED, event=AuditEvent.ENDED, reason="viewer_lost", bytesIn=999, bytesOut=1_500_000)
        self.world.trail.note(attrs.evolve(ended, seconds=61.7))
        self.world.trail.note(AuditEntry(AuditEvent.KEY_ADDED, key="api.key", client="127.0.0.1", subject="portal"))

    def rows(self, *arguments: str) -> list[list[str]]:
        """
        The words of each line below the headings, without the time.
        """
        lines = self.run_("audit", *arguments).stdout.splitlines()[2:]
        return [line.split()[2:] for line in lines]

    def test_table(self) -> None:
        """
        The newest come first, each on a line, with sizes that people read.
        """
        self.assertEqual(
            self.rows(),
            [
                ["key_added", "127.0.0.1", "api.key", "portal"],
                "ended vm-1 203.0.113.9 portal viewer_lost: 62 s, 999 B in, 1.5 MB out".split(),
                ["opened", "vm-1", "203.0.113.9", "portal"],
            ],
        )

    def test_time(self) -> None:
        """
        Times are those of this machine.
        """
        line = self.run_("audit").stdout.splitlines()[2]
        at = datetime.fromisoformat("2026-11-20T15:14:29+00:00").astimezone()
        self.assertTrue(line.startswith(at.strftime("%Y-%m-%d %H:%M:%S ")), line)

    def test_chosen(self) -> None:
        """
        What is wanted can be chosen by console and by time, in words or by the clock.
        """
        self.assertEqual([row[0] for row in self.rows("--console", "vm-1")], ["ended", "opened"])
        self.assertEqual(len(self.rows("--since", "2026-11-20T15:00:00Z")), 3)
        self.assertEqual(len(self.rows("--since", "36500d")), 3)
        result = self.run_("audit", "--until", "2026-11-20T15:00:00+00:00")
        self.assertEqual((result.stdout, result.stderr), ("", "Nothing is noted of that.\n"))

    def test_asJSON(self) -> None:
        """
        As JSON the entries are the API's.
        """
        told = json.loads(self.run_("audit", "--json").stdout)
        self.assertEqual(told["entries"], self.world.ask("GET", "/v1/audit").json["entries"])

    def test_pages(self) -> None:
        """
        However many are wanted, they are asked for page by page.
        """
        self.patch(trail, "_MOST_AT_ONCE", 2)
        self.assertEqual([row[0] for row in self.rows()], ["key_added", "ended", "opened"])
        self.assertEqual([row[0] for row in self.rows("--limit", "2")], ["key_added", "ended"])
        self.assertEqual([row[0] for row in self.rows("--limit", "3")], ["key_added", "ended", "opened"])

    def test_ago(self) -> None:
        """
        How long ago is counted from now.
        """
        told = trail._moment(None, None, "90m")  # type: ignore[arg-type]
        assert told is not None
        ago = (datetime.now(UTC) - datetime.fromisoformat(told)).total_seconds()
        self.assertTrue(5400 <= ago < 5460, ago)

    def test_noTime(self) -> None:
        """
        What is no time is a wrong call.
        """
        for text in ("yesterday", "5", "999999999d", ""):
            self.assertIn("is no time", self.fails("audit", "--since", text, code=2))
