"""
Request and response heads of L{vncproxy.httphead}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.errors import ProtocolError
from vncproxy.httphead import HEAD_END, RequestHead, encodeResponse, parseRequestHead, queryTokens

_TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=1)


def head(*lines: str) -> bytes:
    """
    These lines as they go on the wire.
    """
    return "\r\n".join(lines).encode("latin-1") + HEAD_END


class ParseRequestHeadTests(SynchronousTestCase):
    def test_lineAndHeaders(self) -> None:
        """
        The request line and the headers are told apart; header names are lower-case, their values stripped.
        """
        found = parseRequestHead(head("CONNECT /console?token=T HTTP/1.0", "Host: a:6081", "X-Empty:", "X-Tab:\tb "))
        self.assertEqual(
            found,
            RequestHead("CONNECT", "/console?token=T", "HTTP/1.0", {"host": "a:6081", "x-empty": "", "x-tab": "b"}),
        )

    def test_noHeaders(self) -> None:
        """
        A request line alone is a head: it is all that nova's Java viewer sends.
        """
        self.assertEqual(parseRequestHead(head("GET / HTTP/1.1")), RequestHead("GET", "/", "HTTP/1.1", {}))

    def test_repeatedHeader(self) -> None:
        """
        Of a header that repeats the last value counts.
        """
        self.assertEqual(parseRequestHead(head("GET / HTTP/1.1", "Host: a", "HOST: b")).headers, {"host": "b"})

    def test_valueWithColon(self) -> None:
        """
        Only the first colon ends the name.
        """
        found = parseRequestHead(head("GET / HTTP/1.1", "Host: [::1]:80"))
        self.assertEqual(found.headers["host"], "[::1]:80")

    def test_refused(self) -> None:
        """
        What is no head of an HTTP/1 request is refused, without a word of what stood in it.
        """
        for wrong in (
            b"",
            HEAD_END,
            b"GET /?token=SECRET HTTP/1.1\r\n",
            head("GET"),
            head("GET /?token=SECRET"),
            head("GET /?token=SECRET HTTP/2.0"),
            head("GET /?token=SECRET http/1.1"),
            head("GET /?token=SECRET HTTP/1.1 "),
            head("GET  HTTP/1.1"),
            head(" /?token=SECRET HTTP/1.1"),
            head("G3T /?token=SECRET HTTP/1.1"),
            head("GET /?token=SECRET HTTP/1.1", "no colon"),
            head("GET /?token=SECRET HTTP/1.1", ": no name"),
            head("GET /?token=SECRET HTTP/1.1", "Host : a"),
            head("GET /?token=SECRET HTTP/1.1", " folded: a"),
            head("GET /?token=SECRET\nX:y HTTP/1.1"),
            head("GET /?token=SECRET HTTP/1.1", "Host: a\rb"),
            head("GET /?token=SECRET HTTP/1.1", "Host: a\nb"),
            head("GET /?token=SECRET HTTP/1.1", "Host: a\0"),
            b"RFB 003.008\n",
            b"\x16\x03\x01\x02\x00",
        ):
            error = self.assertRaises(ProtocolError, parseRequestHead, wrong)
            self.assertNotIn("SECRET", str(error))

    @given(st.binary(max_size=200))
    def test_anyBytes(self, data: bytes) -> None:
        """
        Whatever the bytes, they are a head or refused as one; its token can be asked for.
        """
        for text in (data, data + HEAD_END, b"GET " + data + b" HTTP/1.1" + HEAD_END):
            try:
                found = parseRequestHead(text)
            except ProtocolError:
                continue
            self.assertIsInstance(found.token, str)

    @given(
        st.from_regex(r"[A-Z]{1,8}", fullmatch=True),
        st.from_regex(r"[!-~]{1,40}", fullmatch=True),
        st.sampled_from(["HTTP/1.0", "HTTP/1.1"]),
        st.dictionaries(
            st.from_regex(r"[a-z][a-z-]{0,10}", fullmatch=True), st.from_regex(r"[!-~]{0,20}", fullmatch=True)
        ),
    )
    def test_roundTrip(self, method: str, target: str, version: str, headers: dict[str, str]) -> None:
        """
        A head is read as what it was made of.
        """
        lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in headers.items())]
        self.assertEqual(parseRequestHead(head(*lines)), RequestHead(method, target, version, headers))

    def test_repr(self) -> None:
        """
        Neither the token nor the headers show in a representation.
        """
        found = parseRequestHead(head("GET /?token=SECRET HTTP/1.1", "Cookie: token=SECRET"))
        self.assertNotIn("SECRET", repr(found))


class TokenTests(SynchronousTestCase):
    def assertToken(self, target: str, token: str) -> None:
        """
        A request to C{target} shows this token.
        """
        self.assertEqual(RequestHead("CONNECT", target, "HTTP/1.0").token, token, target)

    def test_originForm(self) -> None:
        """
        In origin form the token is the query parameter of that name, on any path.
        """
        self.assertToken("/console?token=T", "T")
        self.assertToken("/?a=b&token=T&c=d", "T")
        self.assertToken("//host/x?token=T", "T")
        self.assertToken("/?token=a%2Fb", "a/b")
        self.assertToken("/?token=T#token=U", "T")

    def test_absoluteForm(self) -> None:
        """
        A proxy in between may have made the target absolute; a broken authority changes nothing.
        """
        self.assertToken("http://proxy:6081/console?token=T", "T")
        self.assertToken("http://[broken/console?token=T", "T")

    def test_lastValue(self) -> None:
        """
        Of several tokens the last counts, as with nova; an empty one is none.
        """
        self.assertToken("/console?token=A&token=B", "B")
        self.assertToken("/console?token=A&token=", "A")

    def test_none(self) -> None:
        """
        A target without a token shows an empty one.
        """
        for target in (
            "/",
            "/console",
            "/console?",
            "/console?token",
            "/console?token=",
            "/console?Token=T",
            "/#?token=T",
        ):
            self.assertToken(target, "")

    def test_authorityForm(self) -> None:
        """
        In authority form the host is the token, with a port or without.
        """
        self.assertToken("T:6081", "T")
        self.assertToken("T:", "T")
        self.assertToken("T", "T")

    def test_noAuthority(self) -> None:
        """
        What merely looks like an authority is left whole: no token is like that.
        """
        self.assertToken("[::1]:6081", "[::1]:6081")
        self.assertToken("a:b", "a:b")

    def test_form(self) -> None:
        """
        The form of the target tells the two dialects of Java viewers apart.
        """
        self.assertTrue(RequestHead("GET", "/console?token=T", "HTTP/1.0").originForm)
        self.assertTrue(RequestHead("GET", "http://a/?token=T", "HTTP/1.0").originForm)
        self.assertFalse(RequestHead("CONNECT", "T:6081", "HTTP/1.0").originForm)

    @given(_TOKENS, st.integers(0, 65535))
    def test_eachForm(self, token: str, port: int) -> None:
        """
        Each form brings any token of ours through.
        """
        self.assertToken(f"/console?token={token}", token)
        self.assertToken(f"{token}:{port}", token)

    @given(st.text())
    def test_anyTarget(self, target: str) -> None:
        """
        Whatever the target, looking for its tokens does not fail.
        """
        self.assertNotIn("", queryTokens(target))


class EncodeResponseTests(SynchronousTestCase):
    def test_bytes(self) -> None:
        """
        A response is complete: status line, length, no caching, no sniffing, and the end of the connection.
        """
        self.assertEqual(
            encodeResponse(401, "Not Authorized: go away", "Grüße\n"),
            b"HTTP/1.1 401 Not Authorized: go away\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 8\r\n"
            b"Cache-Control: no-store\r\n"
            b"X-Content-Type-Options: nosniff\r\n"
            b"Connection: close\r\n"
            b"\r\n"
            b"Gr\xc3\xbc\xc3\x9fe\n",
        )

    def test_versionAndHeaders(self) -> None:
        """
        The version is the client's, and a redirect says where to.
        """
        lines = encodeResponse(308, "Moved", "", "HTTP/1.0", {"Location": "https://a/b", "X": "y"}).split(b"\r\n")
        self.assertEqual(lines[0], b"HTTP/1.0 308 Moved")
        self.assertIn(b"X: y", lines)
        self.assertIn(b"Location: https://a/b", lines)

    def test_foreignCharacters(self) -> None:
        """
        What a status line cannot hold becomes a question mark.
        """
        self.assertTrue(encodeResponse(400, "„no“", "").startswith(b"HTTP/1.1 400 ?no?\r\n"))
