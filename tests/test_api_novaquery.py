"""
L{vncproxy.api.novaquery}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.api.messages import ConsoleView
from vncproxy.api.novaquery import ServerQuery, readServerQuery
from vncproxy.errors import RequestError

NAMES = {"a": "Web server", "b": "Mail server", "c": "web"}
VIEWS = [ConsoleView(id=key, name=name, url="", has_password=False, source="api") for key, name in NAMES.items()]


class ServerQueryTests(SynchronousTestCase):
    def picked(self, **query: object) -> str:
        """
        The ids of what is wanted.
        """
        return "".join(each.id for each in ServerQuery(**query).pick(VIEWS))  # type: ignore[arg-type]

    def test_name(self) -> None:
        """
        A name is a part of one, in either case, unless it is bound to an end.
        """
        for name, ids in {
            "": "abc",
            "SERVER": "ab",
            "^web": "ac",
            "server$": "ab",
            "^web$": "c",
            "^$": "",
            "^": "abc",
            "w.b": "",
        }.items():
            self.assertEqual(self.picked(name=name), ids, name)

    def test_pages(self) -> None:
        """
        A page begins behind its marker, and has so many at most; what is not wanted does not count.
        """
        self.assertEqual(self.picked(limit=2), "ab")
        self.assertEqual(self.picked(limit=2, marker="b"), "c")
        self.assertEqual(self.picked(limit=2, marker="c"), "")
        self.assertEqual(self.picked(limit=1, marker="a", name="web"), "c")
        self.assertEqual(self.picked(limit=0), "")


class ReadServerQueryTests(SynchronousTestCase):
    def test_read(self) -> None:
        """
        The last value of each name counts, and other names do not.
        """
        query = readServerQuery({b"name": [b"x", "ä".encode()], b"limit": [b"10"], b"marker": [b"vm"], b"all": [b"1"]})
        self.assertEqual(query, ServerQuery("ä", "vm", 10))
        self.assertEqual(readServerQuery({}), ServerQuery())

    def test_limit(self) -> None:
        """
        A limit that is no number is refused.
        """
        for limit in (b"", b"-1", b"x", b"1" * 10, b"1.5"):
            self.assertRaises(RequestError, readServerQuery, {b"limit": [limit]})

    @given(st.dictionaries(st.sampled_from([b"name", b"marker", b"limit", b"x"]), st.lists(st.binary(), min_size=1)))
    def test_anything(self, arguments: dict[bytes, list[bytes]]) -> None:
        """
        Whatever is asked for, it is some of what there is, in its order, or refused.
        """
        try:
            query = readServerQuery(arguments)
        except RequestError:
            return
        picked = query.pick(VIEWS)
        self.assertEqual([each for each in VIEWS if each in picked], picked)
