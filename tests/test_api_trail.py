"""
The audit trail of API v1, through real HTTP in memory.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.apiworld import NOW
from tests.test_api_v1 import V1TestCase
from vncproxy.api import trail
from vncproxy.errors import RequestError
from vncproxy.model import AuditEntry, AuditEvent, Role


class TrailTests(V1TestCase):
    """
    Reading the trail.
    """

    def setUp(self) -> None:
        super().setUp()
        for number in range(5):
            console = f"{'vm' if number % 2 else 'pc'}-{number}"
            self.world.trail.note(AuditEntry(AuditEvent.OPENED, console=console, session=f"s{number}"))
            self.world.clock.advance(10)  # type: ignore[attr-defined]

    def page(self, query: str = "", **more: Any) -> tuple[str, str | None]:
        """
        The numbers of the sessions on a page, and its cursor.
        """
        reply = self.world.ask("GET", f"/v1/audit{query}", **more)
        self.assertEqual(reply.status, 200, reply.body)
        return "".join(each["session"][1:] for each in reply.json["entries"]), reply.json["next"]

    def test_entry(self) -> None:
        """
        An entry is told in the words of the log, without what does not apply, and is there at once.
        """
        entries = self.ask("GET", "/v1/audit")["entries"]
        del entries[0]["id"]
        self.assertEqual(
            entries[0],
            {
                "time": "2026-11-20T15:15:09.500000Z",
                "event": "opened",
                "proxy": "proxy-1",
                "console": "pc-4",
                "session": "s4",
            },
        )

    def test_range(self) -> None:
        """
        The newest come first; time and console choose among them.
        """
        for query, sessions in (
            ("", "43210"),
            ("?since=2026-11-20T15:14:49Z", "432"),
            ("?since=2026-11-20T15:14:49.5Z&until=2026-11-20T16:15:09.5%2B01:00", "32"),
            ("?until=1970-01-01T00:00:00Z", ""),
            ("?console=vm-3", "3"),
            ("?console=vm-9", ""),
        ):
            self.assertEqual(self.page(query), (sessions, None), query)

    def test_pages(self) -> None:
        """
        Page by page every entry comes once, whatever comes in meanwhile.
        """
        sessions, cursor = self.page("?limit=2")
        self.assertEqual(sessions, "43")
        self.world.trail.note(AuditEntry(AuditEvent.OPENED, session="s5"))
        sessions, cursor = self.page(f"?limit=2&cursor={cursor}")
        self.assertEqual(sessions, "21")
        self.assertEqual(self.page(f"?limit=2&cursor={cursor}"), ("0", None))
        self.assertEqual(self.page("?limit=6"), ("543210", None))

    def test_bound(self) -> None:
        """
        A key that is bound to some consoles reads of these only.
        """
        key = self.world.addKey(Role.OPERATOR, "vm-*")
        self.assertEqual(self.page(key=key), ("31", None))
        self.assertEqual(self.page("?limit=1", key=key)[0], "3")
        self.assertEqual(self.page("?console=pc-2", key=key), ("", None))

    def test_refused(self) -> None:
        """
        A query that makes no sense is refused with its key.
        """
        for query, words in (
            ("since=yesterday", "since: must be a time such as"),
            ("until=2026-13-20T15:14:29Z", "until: must be a time such as"),
            ("until=2026-11-20T15:14:29", "until: must be a time such as"),
            ("since=2026-11-20T15:14:29%2B01:60", "since: must be a time such as"),
            ("since=2026-11-20T15:14:29%2B24:00", "since: must be a time such as"),
            ("limit=0", "limit: must be a whole number at least 1"),
            ("limit=1001", "limit: must be a whole number at most 1000"),
            ("limit=many", "limit: must be a whole number"),
            ("console=a%20b", "console: "),
            ("cursor=5", "cursor: "),
            ("page=5", "page: there is no such key"),
        ):
            message = self.refused("GET", f"/v1/audit?{query}", status=400, reason="bad_request")
            self.assertIn(words, message, query)


class MomentTests(V1TestCase):
    """
    Times as RFC 3339 writes them.
    """

    @given(st.datetimes(timezones=st.integers(-1439, 1439).map(lambda each: timezone(timedelta(minutes=each)))))
    def test_likeTheCalendar(self, moment: datetime) -> None:
        """
        A time of any zone is the moment that the calendar says.
        """
        since = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
        offset = moment.utcoffset()
        assert offset is not None
        self.assertAlmostEqual(trail._secondsOf("since", moment.isoformat()), since - offset.total_seconds(), 3)

    def test_edges(self) -> None:
        """
        The year 0, a second 60 and lower case are times, too.
        """
        self.assertEqual(trail._secondsOf("since", "2026-11-20t15:14:29.5z"), NOW)
        self.assertEqual(trail._secondsOf("since", "1969-12-31T23:59:60Z"), 0)
        year = trail._secondsOf("since", "0001-01-01T00:00:00Z") - trail._secondsOf("since", "0000-01-01T00:00:00Z")
        self.assertEqual(year, 366 * 86400)
        self.assertRaises(RequestError, trail._secondsOf, "since", "0000-02-30T00:00:00Z")
