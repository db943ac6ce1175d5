"""
The site of L{vncproxy.api.site}: bounded bodies and an access log without secrets.
"""

from __future__ import annotations

from io import StringIO

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyChannel

from tests.memoryhttp import Connection
from tests.test_api_http import KEY, Table, knowing
from vncproxy.addresses import TrustedPeers
from vncproxy.api.http import BODY_LIMIT, APIResource, Dialect
from vncproxy.api.site import BoundedRequest, makeSite
from vncproxy.api.v1 import tell


class MakeSiteTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock = Clock()
        dialect = Dialect("", Table().operations(), knowing(b"sesame"), tell)
        self.site = makeSite(APIResource([dialect], 10, clock), clock)
        self.site.startFactory()
        self.addCleanup(self.site.stopFactory)
        self.log = StringIO()
        self.site._logFile = self.log
        self.connection = Connection(self.site)

    def test_serves(self) -> None:
        """
        Bodies come through whole, in one piece or in many.
        """
        self.connection.request("PUT", "/things/a", b'{"word": "red"}', KEY)
        self.assertEqual(self.connection.reply().json, {"word": "red"})
        chunked = Connection(self.site)
        chunked.send(
            b"PUT /things/a HTTP/1.1\r\nHost: x\r\nX-Auth-Token: sesame\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'8\r\n{"word":\r\n7\r\n "red"}\r\n0\r\n\r\n'
        )
        self.assertEqual(chunked.reply().json, {"word": "red"})

    def test_exactLimit(self) -> None:
        """
        A body of exactly the limit is read, one byte more is refused.
        """
        self.connection.request("PUT", "/things/a", b"{}".ljust(BODY_LIMIT), KEY)
        self.assertEqual(self.connection.reply().status, 201)
        another = Connection(self.site)
        another.request("PUT", "/things/a", b"{}".ljust(BODY_LIMIT + 1), KEY)
        self.assertEqual(another.reply().status, 413)

    def test_dropped(self) -> None:
        """
        Of a body that is too long no more is kept than shows it.
        """
        channel = DummyChannel()
        channel.site = self.site
        request = BoundedRequest(channel)
        request.gotLength(500_000)
        for _ in range(50):
            request.handleContentChunk(b"x" * 10_000)
        self.assertEqual(request.content.getvalue(), b"x" * (BODY_LIMIT + 1))

    def test_endless(self) -> None:
        """
        A client that goes on sending without end is cut off.
        """
        self.connection.send(
            b"PUT /things/a HTTP/1.1\r\nHost: x\r\nX-Auth-Token: sesame\r\nContent-Length: 99999999\r\n\r\n"
        )
        for _ in range(16):
            self.connection.send(b"x" * BODY_LIMIT)
        self.assertFalse(self.connection.transport.disconnecting)
        self.connection.send(b"x")
        self.assertTrue(self.connection.transport.disconnecting)

    def test_slow(self) -> None:
        """
        A whole request must be there in time, however steadily its bytes come; each request has that time anew.
        """
        self.connection.request("GET", "/things/a", headers=KEY)
        self.clock.advance(59)
        for byte in b"GET /things/a HTTP/1.1\r\nHost: x\r\nX-Auth-Token: sesame\r\n\r\n":
            self.connection.send(bytes((byte,)))
        self.connection.transport.clear()
        for _ in range(59):
            self.clock.advance(1)
            self.connection.send(b"G")
        self.assertFalse(self.connection.transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(self.connection.transport.disconnecting)

    def test_formsAreNotParsed(self) -> None:
        """
        A broken form is refused by the API in its own words, not by the server before it.
        """
        headers = KEY | {"Content-Type": "multipart/form-data"}
        self.connection.request("POST", "/things/a", b"--nonsense", headers)
        self.assertEqual(self.connection.reply().status, 405)

    def test_accessLog(self) -> None:
        """
        The access log tells who asked for which path, and with what outcome.
        """
        self.connection.request("GET", "/things/apple", headers=KEY | {"User-Agent": "curl/8"})
        line = self.log.getvalue()
        self.assertTrue(line.startswith("203.0.113.9 - - ["), line)
        self.assertTrue(line.endswith(' "GET /things/apple HTTP/1.1" 200 17 "-" "curl/8"\n'), line)

    def test_accessLogBehindOthers(self) -> None:
        """
        The access log has the address of the client that somebody who is trusted tells of, and nobody else's word.
        """
        for trusted, address in (("203.0.113.9", "198.51.100.1"), ("203.0.113.8", "203.0.113.9")):
            self.site._logFormatter = makeSite(
                self.site.resource, self.clock, TrustedPeers.parse([trusted])
            )._logFormatter
            Connection(self.site).request("GET", "/", headers=KEY | {"X-Forwarded-For": "198.51.100.1"})
            self.assertTrue(self.log.getvalue().splitlines()[-1].startswith(f"{address} - - ["), trusted)

    def test_accessLogHasNoSecrets(self) -> None:
        """
        No query comes into the access log, be it escaped, and no page that led here.
        """
        for path in ("/things/a?token=hunter2", "/things/a%3Ftoken=hunter2", "/x%3ftoken%3dhunter2"):
            Connection(self.site).request("GET", path, headers=KEY | {"Referer": "http://x/?token=hunter2"})
        self.assertEqual(self.log.getvalue().count("\n"), 3)
        self.assertNotIn("hunter2", self.log.getvalue())
        self.assertNotIn("sesame", self.log.getvalue())

    def test_accessLogCannotBeForged(self) -> None:
        """
        What a client sends neither ends a quotation nor obeys a terminal.
        """
        self.connection.request("GET", '/things/"a', headers={"User-Agent": 'x" 200 \x1b[31m'})
        self.assertIn('"GET /things/\\"a HTTP/1.1"', self.log.getvalue())
        self.assertIn('"x\\" 200 \\x1b[31m"', self.log.getvalue())
