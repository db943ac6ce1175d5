"""
The URLs of stores.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.config.stores import BadStore, RedisPlace, SQLitePlace, parseStore


class ParseTests(SynchronousTestCase):
    """
    Tests for L{parseStore}.
    """

    def test_good(self) -> None:
        """
        Each form is read, with its defaults.
        """
        for url, place in (
            ("sqlite:/var/lib/x y", SQLitePlace("/var/lib/x y")),
            ("redis://h", RedisPlace((("h", 6379),))),
            ("redis://h/", RedisPlace((("h", 6379),))),
            ("redis://10.0.0.5:7000/3", RedisPlace((("10.0.0.5", 7000),), database=3)),
            ("redis://[2001:db8::5]:7000", RedisPlace((("2001:db8::5", 7000),))),
            ("redis://[::1]", RedisPlace((("::1", 6379),))),
            ("rediss://h:7000", RedisPlace((("h", 7000),), tls=True)),
            ("redis://u:p%40%2f:x@h", RedisPlace((("h", 6379),), user="u", password="p@/:x")),
            ("redis://:p@h", RedisPlace((("h", 6379),), password="p")),
            ("redis://u@h", RedisPlace((("h", 6379),), user="u")),
            ("redis+unix:///run/r%20s.sock", RedisPlace(path="/run/r s.sock")),
            ("redis+unix://u:p@/r?db=2", RedisPlace(path="/r", database=2, user="u", password="p")),
            ("redis+sentinel://a/main", RedisPlace((("a", 26379),), master="main")),
            (
                "redis+sentinel://:p@a:1,[::1]:2,c/main/4",
                RedisPlace((("a", 1), ("::1", 2), ("c", 26379)), master="main", database=4, password="p"),
            ),
        ):
            self.assertEqual(parseStore(url), place, url)

    def test_bad(self) -> None:
        """
        Anything else is refused, with what to write instead, and without a word of it.
        """
        for url in (
            "hunter2",
            "mysql://hunter2",
            "sqlite:/",
            "sqlite:hunter2",
            "sqlite:/a\0",
            "redis:hunter2",
            "redis://",
            "redis://:hunter2@",
            "redis://:hunter2/x@h",
            "redis://:hunter2#@h",
            "redis://:hunter2@x@h",
            "redis://%ff:hunter2@h",
            "redis://hunter2@h:0",
            "redis://hunter2@h:x",
            "redis://hunter2@h:",
            "redis://hunter2@h:99999",
            "redis://hunter2@h,i",
            "redis://hunter2@h/x",
            "redis://hunter2@h/1/2",
            "redis://hunter2@h?x",
            "redis://hunter2@[::1",
            "redis://hunter2@[h]",
            "redis://hunter2@[::1]x",
            "redis+unix://hunter2",
            "redis+unix:///hunter2?x",
            "redis+unix:///hunter2?db=x",
            "redis+unix:///hunter2%ff",
            "redis+unix:///hunter2" + "x" * 100,
            "redis+unix:///hunter2%00",
            "redis+sentinel://hunter2",
            "redis+sentinel://hunter2/",
            "redis+sentinel://hunter2/m/1/2",
            "redis+sentinel://hunter2,/m",
        ):
            error = self.assertRaises(BadStore, parseStore, url)
            self.assertNotIn("hunter2", str(error))
            self.assertTrue(error.fault.cure.endswith("."), error.fault.cure)

    def test_name(self) -> None:
        """
        A place is called by where it is; neither that nor its picture gives the password away.
        """
        for url, name in (
            ("redis://u:hunter2@h/1", "Redis at h:6379"),
            ("redis://[::1]", "Redis at [::1]:6379"),
            ("redis+unix://:hunter2@/r.sock", "Redis at /r.sock"),
            ("redis+sentinel://:hunter2@a,b:2/m", "Redis 'm' of the Sentinels at a:26379, b:2"),
        ):
            place = parseStore(url)
            assert isinstance(place, RedisPlace)
            self.assertEqual(place.name, name)
            self.assertNotIn("hunter2", repr(place))

    @given(st.text() | st.text(":/@,?#[]%0r").map("redis://{}".format))
    def test_anyText(self, text: str) -> None:
        """
        Whatever is written, it is a place or a fault.
        """
        try:
            parseStore(text)
        except BadStore as error:
            self.assertTrue(error.fault.message)
