"""
C{vncproxy session …}, against the real API.
"""

from __future__ import annotations

import json

from tests.apiworld import makeSession
from tests.cliharness import CLITestCase
from vncproxy.model import EndReason


class SessionTests(CLITestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.sessions.up += [makeSession("s1"), makeSession("s2", viewOnly=True)]

    def test_list(self) -> None:
        """
        The sessions are listed with sizes that people read.
        """
        *_, first, second = self.run_("session", "list").stdout.splitlines()
        self.assertEqual(first.split()[:6], ["s1", "Name", "of", "vm-1", "203.0.113.9", "web"])
        self.assertEqual(first.split()[-4:], ["999", "B", "1.5", "MB"])
        self.assertTrue(second.rstrip().endswith("view only"))

    def test_narrow(self) -> None:
        """
        With real ids and names every session has one line that a terminal of 80 columns takes.
        """
        self.world.sessions.up[:] = [
            makeSession("8c9a90f0-6e5c-4050-b14c-94dde139b44a", consoleName="web-server-17", client="203.0.113.199"),
            makeSession("7b0f3c11-7e5c-4050-b14c-94dde139b44a", consoleName="db", viewOnly=True, bytesOut=999_900_000),
        ]
        lines = [line.rstrip() for line in self.run_("session", "list").stdout.splitlines()]
        self.assertEqual([line.split()[0] for line in lines[-2:]], ["8c9a90f0", "7b0f3c11"])
        self.assertLessEqual(max(map(len, lines)), 80)
        self.run_("session", "kill", "7b0f3c11")

    def test_none(self) -> None:
        """
        Without sessions standard output is empty.
        """
        self.world.sessions.up.clear()
        result = self.run_("session", "list")
        self.assertEqual((result.stdout, result.stderr), ("", "No session is up.\n"))

    def test_asJSON(self) -> None:
        """
        As JSON the list is the API's.
        """
        answer = json.loads(self.run_("session", "list", "--json").stdout)
        self.assertEqual(answer, self.world.ask("GET", "/v1/sessions").json)

    def test_kill(self) -> None:
        """
        A session is ended once, by the operator.
        """
        self.assertIn("s1 is ended", self.run_("session", "kill", "s1").stderr)
        self.assertEqual(self.world.sessions.ended, [("s1", EndReason.OPERATOR)])
        self.assertIn("No such session", self.fails("session", "kill", "s1"))

    def test_killByPrefix(self) -> None:
        """
        The beginning of an id will do where it is the beginning of one alone.
        """
        self.world.sessions.up.append(makeSession("t1-long"))
        self.assertIn("t1-long is ended", self.run_("session", "kill", "t1").stderr)
        self.assertIn("2 sessions begin with s", self.fails("session", "kill", "s"))
        self.assertEqual(self.world.sessions.ended, [("t1-long", EndReason.OPERATOR)])
