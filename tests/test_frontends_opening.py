"""
The opening handshake as L{vncproxy.frontends.opening} reads it.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.webworld import KEY
from vncproxy.errors import RequestError
from vncproxy.frontends.opening import Opening, isOpening, readOpening

_GOOD = {
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": KEY,
}


def read(method: str = "GET", version: str = "HTTP/1.1", **changed: str | None) -> Opening:
    """
    A good opening but for these headers, by name with underscores.
    """
    headers: dict[str, str | None] = {**_GOOD, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return readOpening(method, version, headers.get)


class ReadOpeningTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """
        An opening without a subprotocol gets none.
        """
        self.assertEqual(read(), Opening(KEY, None))

    def test_lists(self) -> None:
        """
        Upgrade and Connection are lists in any case of letters, as Firefox and proxies send them.
        """
        self.assertEqual(read(upgrade="h2c, WebSocket", connection="keep-alive, upgrade"), Opening(KEY, None))

    def test_versions(self) -> None:
        """
        Versions 7, 8 and 13 are one on the wire; others, several and none are refused, with the list of ours.
        """
        for version in ("13", "8", "7"):
            self.assertEqual(read(sec_websocket_version=version), Opening(KEY, None))
        for wrong in ("0", "6", "14", "", "13, 8", "x", None):
            error = self.assertRaises(RequestError, read, sec_websocket_version=wrong)
            self.assertIn("13, 8, 7", str(error))

    def test_subprotocols(self) -> None:
        """
        C{binary} where it is offered, spaces or not, else the first of the others; C{base64} alone is refused, as is
        what is no name.
        """
        for offered, chosen in (
            ("binary", "binary"),
            ("binary, base64", "binary"),
            ("base64,binary", "binary"),
            ("chat, binary", "binary"),
            ("chat,binary", "binary"),
            ("chat, talk", "chat"),
            ("base64, chat", "chat"),
            ("binary, binary", "binary"),
            (" , binary,", "binary"),
            ("b\u00efnary, chat", "chat"),
        ):
            self.assertEqual(read(sec_websocket_protocol=offered).subprotocol, chosen, offered)
        for wrong in ("base64", "", " , ", "a b", "a/b", "\u00ef"):
            self.assertRaises(RequestError, read, sec_websocket_protocol=wrong)

    def test_lostHeaders(self) -> None:
        """
        Where a proxy in between has dropped Upgrade or Connection, the words say so.
        """
        for changed in (
            {"upgrade": None},
            {"connection": None},
            {"connection": "close"},
            {"connection": "keep-alive"},
            {"upgrade": "websocket2"},
            {"connection": "upgraded"},
        ):
            error = self.assertRaises(RequestError, read, **changed)
            self.assertIn("reverse proxy", str(error))

    def test_keys(self) -> None:
        """
        The key is 16 bytes in base 64, once.
        """
        for wrong in (None, "", KEY[:-1], KEY + "=", f"{KEY}, {KEY}", KEY.replace("d", "*"), "\u0661" + KEY[1:]):
            self.assertRaises(RequestError, read, sec_websocket_key=wrong)

    def test_requestLine(self) -> None:
        """
        Only GET in HTTP/1.1 opens a WebSocket.
        """
        self.assertRaises(RequestError, read, method="POST")
        self.assertRaises(RequestError, read, method="HEAD")
        self.assertRaises(RequestError, read, version="HTTP/1.0")

    def test_body(self) -> None:
        """
        A body would be taken for frames: there may be none.
        """
        self.assertEqual(read(content_length="0"), Opening(KEY, None))
        self.assertRaises(RequestError, read, content_length="5")
        self.assertRaises(RequestError, read, transfer_encoding="chunked")

    @given(st.dictionaries(st.sampled_from([*_GOOD, "sec-websocket-protocol"]), st.text()))
    def test_anyHeaders(self, changed: dict[str, str]) -> None:
        """
        Whatever the headers hold, they are an opening, whose answer is plain ASCII, or refused.
        """
        try:
            opening = readOpening("GET", "HTTP/1.1", {**_GOOD, **changed}.get)
        except RequestError:
            return
        self.assertEqual(opening.head.count(b"\r\n\r\n"), 1)


class IsOpeningTests(SynchronousTestCase):
    def test_table(self) -> None:
        """
        A request means a WebSocket if it says so, or if it still has the key; h2c and nothing do not.
        """
        for headers, expected in (
            ({}, False),
            ({"upgrade": "h2c"}, False),
            ({"upgrade": "websocket"}, True),
            ({"upgrade": "h2c, WebSocket"}, True),
            ({"sec-websocket-key": KEY}, True),
        ):
            self.assertIs(isOpening(headers.get), expected, headers)


class OpeningTests(SynchronousTestCase):
    def test_head(self) -> None:
        """
        The request made of an opening holds the key and the subprotocol, and nothing that a client has sent beside.
        """
        self.assertEqual(
            Opening(KEY, "binary").head,
            b"GET / HTTP/1.1\r\n"
            b"Host: proxy\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Protocol: binary\r\n"
            b"\r\n",
        )
        self.assertNotIn(b"Protocol", Opening(KEY, None).head)
