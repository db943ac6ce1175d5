"""
What websockify's token sources hold.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from websockify.token_plugins import parse_source_args

from vncproxy.model import Target, TargetKind
from vncproxy.tokens.websockify.formats import (
    BadEntry,
    RedisPlace,
    makeTarget,
    parseAddress,
    parseRedisSource,
    parseRedisValue,
    parseTargetObject,
    parseTokenLines,
    splitFields,
)


def tcp(host: str, port: int) -> Target:
    """
    A raw TCP target.
    """
    return Target(TargetKind.TCP, host=host, port=port)


SOCKET = Target(TargetKind.UNIX, path="/run/vm:7.sock")


class TargetTests(SynchronousTestCase):
    """
    Tests for L{makeTarget} and L{parseAddress}.
    """

    def test_pairs(self) -> None:
        """
        Hosts are texts, ports numbers or their texts; a magic host makes a UNIX socket.
        """
        pairs: list[tuple[object, object, Target]] = [
            ("h", 5901, tcp("h", 5901)),
            ("h", "5901", tcp("h", 5901)),
            (b"h", b"5901", tcp("h", 5901)),
            ("h", " 5901\n", tcp("h", 5901)),
            ("::1", 1, tcp("::1", 1)),
            ("[::1]", 65535, tcp("::1", 65535)),
            ("unix_socket", "/run/vm:7.sock", SOCKET),
        ]
        for host, port, target in pairs:
            self.assertEqual(makeTarget(host, port), target)

    def test_badPairs(self) -> None:
        """
        What is no host, no port and no path is refused, without being quoted.
        """
        pairs: list[tuple[Any, Any]] = [
            ("h", 0),
            ("h", 65536),
            ("h", -1),
            ("h", 1.5),
            ("h", True),
            ("h", None),
            ("h", "hunter2"),
            ("h", "٣"),
            ("", 1),
            (None, 1),
            (7, 1),
            ("[h]", 1),
            ("a b", 1),
            ("127.1", 1),
            ("unix_socket", "run/a"),
            ("unix_socket", "/run/\0"),
            ("unix_socket", "/" + "a" * 107),
            ("unix_socket", None),
        ]
        for host, port in pairs:
            error = self.assertRaises(BadEntry, makeTarget, host, port)
            self.assertNotIn("hunter2", str(error))

    def test_addresses(self) -> None:
        """
        The port stands behind the last colon; IPv6 addresses stand in brackets or not.
        """
        for text, target in {
            "h:1": tcp("h", 1),
            " 10.0.0.5:5901\n": tcp("10.0.0.5", 5901),
            "::1:5902": tcp("::1", 5902),
            "[::1]:5902": tcp("::1", 5902),
            "unix_socket:/run/vm:7.sock": SOCKET,
        }.items():
            self.assertEqual(parseAddress(text), target)
        for text in ("", "h", "h:", ":1", "h:x", "a:b:1", "[::1]", "unix_socket:"):
            self.assertRaises(BadEntry, parseAddress, text)


class LineTests(SynchronousTestCase):
    """
    Tests for L{parseTokenLines}.
    """

    def test_lines(self) -> None:
        """
        Blanks around a line, empty lines and comments do not count; a token may hold colons; a later line wins.
        """
        text = "# a: h:1\n\n  b: h:2  \r\nc:d:\th:3\re: h:4\ne: [::1]:5\nf: unix_socket:/run/vm:7.sock\n"
        lines = parseTokenLines(text)
        expected = {"b": tcp("h", 2), "c:d": tcp("h", 3), "e": tcp("::1", 5), "f": SOCKET}
        self.assertEqual((lines.targets, lines.faults), (expected, ()))

    def test_faults(self) -> None:
        """
        Each line that makes no sense is told by its number and passed over.
        """
        lines = parseTokenLines("a:h:1\nb: h:2\nc\nd: h: 3\ne: h:x\n#f\n g h:1")
        self.assertEqual(lines.targets, {"b": tcp("h", 2)})
        self.assertEqual([number for number, _ in lines.faults], [1, 3, 4, 5, 7])

    def test_secret(self) -> None:
        """
        Tokens do not stand in its repr.
        """
        self.assertNotIn("hunter2", repr(parseTokenLines("hunter2: h:1")))

    @given(st.text())
    def test_anyText(self, text: str) -> None:
        """
        Any text at all is read.
        """
        parseTokenLines(text)

    @given(st.dictionaries(st.from_regex(r"[a-z0-9:_-]{1,20}", fullmatch=True), st.integers(1, 65535)))
    def test_written(self, ports: dict[str, int]) -> None:
        """
        What is written in the form that it has is found again.
        """
        text = "".join(f"{token}: h:{port}\n" for token, port in ports.items())
        self.assertEqual(parseTokenLines(text).targets, {token: tcp("h", port) for token, port in ports.items()})


class AnswerTests(SynchronousTestCase):
    """
    Tests for what comes over HTTP and from Redis.
    """

    def test_objects(self) -> None:
        """
        An object names host and port; further keys do not matter.
        """
        for fields in ({"host": "h", "port": 1}, {"host": "h", "port": "1", "x": [1]}):
            self.assertEqual(parseTargetObject(json.dumps(fields).encode()), tcp("h", 1))
        for text in (b"", b"h:1", b"[]", b'"h:1"', b"{}", b'{"host": "h"}', b"\xff", b"[" * 100_000):
            self.assertRaises(BadEntry, parseTargetObject, text)

    def test_redis(self) -> None:
        """
        A value is an address, an object that holds one, or an object with host and port.
        """
        for text in (" h:1\n", '{"host": "h:1"}', '{"host": "h:1", "x": 2}', '{"host": "h", "port": 1}'):
            self.assertEqual(parseRedisValue(text.encode()), tcp("h", 1))
        for text in ("", "h", "{", '{"host": 1}', "{}", '{"host": "h"}', '{"port": 1}'):
            self.assertRaises(BadEntry, parseRedisValue, text.encode())

    @given(st.binary())
    def test_anyBytes(self, data: bytes) -> None:
        """
        Any bytes at all are read, or refused as what they are.
        """
        for parse in (parseTargetObject, parseRedisValue):
            try:
                parse(data)
            except BadEntry:
                continue


class RedisSourceTests(SynchronousTestCase):
    """
    Tests for L{parseRedisSource}.
    """

    def test_fields(self) -> None:
        """
        What is left out, or empty, is as it is by default.
        """
        for text, place in {
            "h": RedisPlace("h"),
            "h:": RedisPlace("h"),
            "h:6380": RedisPlace("h", 6380),
            "h::3": RedisPlace("h", 6379, 3),
            "h:::secret": RedisPlace("h", password="secret"),
            'h:::"se:cret"': RedisPlace("h", password="se:cret"),
            "h::::ns": RedisPlace("h", prefix="ns:"),
            'h:6380:1:secret:"a:b"': RedisPlace("h", 6380, 1, "secret", "a:b:"),
            '"::1":6380': RedisPlace("::1", 6380),
        }.items():
            self.assertEqual(parseRedisSource(text), place)

    def test_urls(self) -> None:
        """
        URLs are understood, too, and with them users and TLS.
        """
        for text, place in {
            "redis://h": RedisPlace("h"),
            "redis://[::1]:6380/3": RedisPlace("::1", 6380, 3),
            "rediss://u:p%40q@h/?namespace=a:b": RedisPlace("h", 6379, 0, "p@q", "a:b:", "u", True),
            "redis://:p@h": RedisPlace("h", password="p"),
        }.items():
            self.assertEqual(parseRedisSource(text), place)
        for text in (
            "redis://",
            "redis://h:x",
            "redis://h/hunter2",
            "redis://h/1/2",
            "redis://h?hunter2=1",
            "redis://h?namespace",
            "redis://h?namespace=a&namespace=b",
            "redis://h#hunter2",
            "redis://hunter2 @a b",
            "redis://[::1",
        ):
            self.assertNotIn("hunter2", str(self.assertRaises(ValueError, parseRedisSource, text)))
        self.assertNotIn("hunter2", repr(parseRedisSource("redis://:hunter2@h")))

    def test_wrong(self) -> None:
        """
        What is wrong is refused without being quoted; the password is in no repr.
        """
        for text in ("", ":1", "h:x", "h:0", "h:70000", "h:1:x", "h:1:2:hunter2:b:c", "hunter 2"):
            error = self.assertRaises(ValueError, parseRedisSource, text)
            self.assertNotIn("hunter", str(error))
        self.assertNotIn("hunter2", repr(parseRedisSource("h:::hunter2")))

    @given(st.lists(st.one_of(st.from_regex(r"[a-z0-9]{0,5}", fullmatch=True), st.just('"a:b"')), min_size=1))
    def test_asWebsockify(self, fields: list[str]) -> None:
        """
        Fields are split as websockify splits them.
        """
        text = ":".join(fields)
        self.assertEqual(splitFields(text), parse_source_args(text))

    @given(st.text(st.sampled_from('a":')))
    def test_anyQuotes(self, text: str) -> None:
        """
        Any text has fields, and nothing but quotes and colons is lost of it.
        """
        self.assertEqual("".join(splitFields(text)).count("a"), text.count("a"))
