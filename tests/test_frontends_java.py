"""
The C{java} frontend: L{vncproxy.frontends.java}.
"""

from __future__ import annotations

from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.webworld import CLIENT, Answer, FakeBroker, RecordingSink, Wire, admitted
from vncproxy import errors
from vncproxy.attempts import Attempts
from vncproxy.broker import Broker
from vncproxy.errors import ConsoleUnreachable, Draining, TokensUnreachable, TokenUnknown, VNCProxyError
from vncproxy.frontends.java import JavaFactory
from vncproxy.httphead import HEAD_LIMIT
from vncproxy.model import ConsoleType
from vncproxy.stream import CLOSING_SECONDS

SECONDS = 15.0

NOVA = b"CONNECT /console?token=T HTTP/1.0\r\n\r\n"
"""
All that nova's viewer sends.
"""

TIGHT = b"CONNECT T:6081 HTTP/1.0\r\n\r\n"
"""
All that TightVNC's sends.
"""


class JavaTestCase(SynchronousTestCase):
    """
    A frontend whose broker only takes notes.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = FakeBroker()
        self.factory = JavaFactory(self.clock, cast(Broker, self.broker), SECONDS, halfCloseable=True)

    def connect(self, data: bytes = b"") -> Wire:
        """
        A client that sends these bytes.
        """
        wire = Wire(self.factory)
        if data:
            wire.deliver(data)
        return wire

    def assertRefused(self, data: bytes, line: str) -> Answer:
        """
        These bytes are refused with this status line, whole, and the connection closed; the broker hears nothing.
        """
        wire = self.connect(data)
        answer = Answer(wire.taken())
        self.assertEqual(answer.line, line)
        self.assertEqual(answer.rest, b"")
        self.assertTrue(wire.disconnecting)
        self.assertFalse(wire.aborted)
        self.assertEqual(self.broker.viewers, [])
        wire.hangUp()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return answer


class AttemptsTests(JavaTestCase):
    def test_tooMany(self) -> None:
        """
        An address that showed too many wrong tokens is answered 429 with the time to wait, in its own dialect; others
        are served.
        """
        attempts = Attempts(1, lambda: 0.0)
        self.factory = JavaFactory(self.clock, cast(Broker, self.broker), SECONDS, True, attempts)
        self.connect(TIGHT)
        self.broker.viewers.clear()
        attempts.failed(CLIENT.host)
        for data, version in ((NOVA, "HTTP/1.1"), (TIGHT, "HTTP/1.0"), (b"GET /?token= HTTP/1.1\r\n\r\n", "HTTP/1.1")):
            words = "Too Many Requests: Too many wrong links or keys came from your address. Try again in a moment."
            answer = self.assertRefused(data, f"{version} 429 {words}")
            self.assertEqual(answer.headers["retry-after"], "60")


class RequestTests(JavaTestCase):
    def test_nova(self) -> None:
        """
        A request in origin form is answered as nova's viewer demands, byte for byte, once the console is reached.
        """
        wire = self.connect(NOVA)
        stream = admitted(self.broker.viewer)
        self.assertEqual(wire.taken(), b"")
        self.broker.viewer.reached()
        stream.write(b"RFB 003.008\n")
        self.assertEqual(wire.taken(), b"HTTP/1.1 200 OK\r\n\r\nRFB 003.008\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_tight(self) -> None:
        """
        A request in authority form is answered as TightVNC's viewer demands, byte for byte.
        """
        wire = self.connect(TIGHT)
        stream = admitted(self.broker.viewer)
        self.broker.viewer.reached()
        stream.write(b"RFB 003.008\n")
        self.assertEqual(wire.taken(), b"HTTP/1.0 200 OK\r\n\r\nRFB 003.008\n")

    def test_facts(self) -> None:
        """
        The broker hears of frontend, kind, address and token, in either form; a browser's secret is not to be had.
        """
        for data in (NOVA, TIGHT, b"CONNECT T HTTP/1.0\r\n\r\n", b"GET /?token=A&token=T HTTP/1.1\r\nHost: a\r\n\r\n"):
            self.broker.viewers.clear()
            self.connect(data)
            facts = self.broker.viewer.facts
            self.assertEqual((facts.frontend, facts.consoleType), ("java", ConsoleType.XVPVNC))
            self.assertEqual((facts.address, facts.token, facts.resume), (CLIENT.host, "T", None))

    def test_addresses(self) -> None:
        """
        An address of IPv6 is told as one, a UNIX socket has none.
        """
        for address, told in ((IPv6Address("TCP", "2001:db8::9", 5), "2001:db8::9"), (UNIXAddress(b"/s"), "unix")):
            self.broker.viewers.clear()
            Wire(self.factory, address).deliver(NOVA)
            self.assertEqual(self.broker.viewer.facts.address, told)

    def test_methods(self) -> None:
        """
        Any method and any path will do, as with nova.
        """
        for method in ("CONNECT", "GET", "POST", "OPTIONS", "WHATEVER"):
            self.broker.viewers.clear()
            self.connect(f"{method} /any/path?token=T HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            self.assertEqual(self.broker.viewer.facts.token, "T")

    def test_byteByByte(self) -> None:
        """
        A request may come one byte at a time.
        """
        wire = self.connect()
        for byte in NOVA:
            wire.deliver(bytes((byte,)))
        self.assertEqual(self.broker.viewer.facts.token, "T")

    def test_behindTheHead(self) -> None:
        """
        What a client sends behind its request without waiting is RFB, and is kept.
        """
        wire = self.connect(NOVA + b"RFB 003")
        stream = admitted(self.broker.viewer)
        wire.deliver(b".008\n")
        sink = RecordingSink()
        stream.handOver(sink)
        self.assertEqual(sink.data, b"RFB 003.008\n")

    def test_halfClosed(self) -> None:
        """
        A client that sends no more after its request is served all the same.
        """
        wire = self.connect(NOVA)
        stream = admitted(self.broker.viewer)
        wire.protocol.readConnectionLost()
        self.assertTrue(stream.halfCloseable)
        self.broker.viewer.reached()
        self.assertEqual(wire.taken(), b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertEqual(self.broker.gone, [])

    def test_underTLS(self) -> None:
        """
        A connection that cannot be closed in one direction says so.
        """
        self.factory = JavaFactory(self.clock, cast(Broker, self.broker), SECONDS, halfCloseable=False)
        self.connect(NOVA)
        self.assertFalse(admitted(self.broker.viewer).halfCloseable)


class RefusedRequestTests(JavaTestCase):
    def test_noToken(self) -> None:
        """
        Without a token: 400, in nova's words and ours.
        """
        for target in ("/console", "/console?token=", "/"):
            answer = self.assertRefused(
                f"CONNECT {target} HTTP/1.0\r\n\r\n".encode(),
                "HTTP/1.1 400 Invalid Request: This address needs a token. "
                "Open the console from the link that you were given.",
            )
            self.assertEqual(answer.headers["connection"], "close")
            self.assertTrue(answer.body.startswith(b"This address needs a token."))

    def test_logged(self) -> None:
        """
        The broker is told who was refused and why, in words that hold nothing of the request.
        """
        for request, told in (
            (b"CONNECT /console?tokn=s3cret HTTP/1.0\r\n\r\n", "token_missing: the request holds no token"),
            (b"s3cret\r\n\r\n", "protocol: the request line is not one of HTTP/1"),
        ):
            self.connect(request).hangUp()
            self.assertEqual(self.broker.turnedAway.pop(), f"java viewer at {CLIENT.host}: {told}")

    def test_browser(self) -> None:
        """
        A browser is told where to go before it spends the token, over TLS as in the clear.
        """
        for header in (b"Sec-Fetch-Mode: navigate", b"Upgrade-Insecure-Requests: 1"):
            answer = self.assertRefused(
                b"GET /console?token=T HTTP/1.1\r\nHost: a\r\n" + header + b"\r\n\r\n",
                "HTTP/1.1 400 Invalid Request: This port is for Java and raw TCP viewers. "
                "Open the console's link for browsers instead.",
            )
            self.assertNotIn(b"token", answer.body)

    def test_garbage(self) -> None:
        """
        What is no request is told so, and nothing of it comes back.
        """
        line = "HTTP/1.1 400 Invalid Request: The connection broke the rules of its protocol."
        for data in (
            b"SECRET\r\n\r\n",
            b"\r\n\r\n",
            b"CONNECT /?token=SECRET HTTP/3\r\n\r\n",
            b"CONNECT /?token=SECRET\nX: y HTTP/1.0\r\n\r\n",
            b"\x16\x03\x01\x00\xff\r\n\r\n",
            b"CONNECT /?token=SECRET HTTP/1.0\r\nSECRET\r\n\r\n",
        ):
            self.assertNotIn(b"SECRET", self.assertRefused(data, line).body)

    def test_overLong(self) -> None:
        """
        A head of the limit is read, a longer one is refused as soon as it is too long.
        """
        head = b"CONNECT /console?token=T HTTP/1.0\r\nX: "
        self.connect(head.ljust(HEAD_LIMIT - 4, b"x") + b"\r\n\r\n")
        self.assertEqual(self.broker.viewer.facts.token, "T")
        self.broker.viewers.clear()
        self.assertRefused(
            head.ljust(HEAD_LIMIT, b"x"),
            "HTTP/1.1 400 Invalid Request: The connection broke the rules of its protocol.",
        )

    def test_slow(self) -> None:
        """
        The whole request must be there in time, however steadily its bytes come: else 408.
        """
        wire = self.connect()
        for byte in NOVA[:14]:
            wire.deliver(bytes((byte,)))
            self.clock.advance(1)
        self.assertEqual(wire.taken(), b"")
        self.clock.advance(1)
        self.assertEqual(Answer(wire.taken()).line, "HTTP/1.1 408 Request Timeout: Nothing was heard for too long.")
        self.assertTrue(wire.disconnecting)
        self.clock.advance(CLOSING_SECONDS)
        self.assertTrue(wire.aborted)

    def test_hangsUp(self) -> None:
        """
        A client that leaves before its request is through leaves nothing behind.
        """
        for reason in (None, ConnectionLost()):
            wire = self.connect(NOVA[:10])
            wire.hangUp(reason)
            self.assertEqual(wire.taken(), b"")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_halfClosed(self) -> None:
        """
        So does one that only says that it sends no more; its connection is closed.
        """
        wire = self.connect(NOVA[:10])
        wire.protocol.readConnectionLost()
        self.assertEqual(wire.taken(), b"")
        self.assertTrue(wire.disconnecting)

    @settings(max_examples=50)
    @given(st.binary(max_size=100))
    def test_anyBytes(self, data: bytes) -> None:
        """
        Whatever a client sends, it is served or gets an answer, and the connection closes.
        """
        self.broker.viewers.clear()
        wire = self.connect(data + b"\r\n\r\n")
        if not self.broker.viewers:
            self.assertEqual(Answer(wire.taken()).status, 400)
            self.assertTrue(wire.disconnecting)


class RefusedViewerTests(JavaTestCase):
    def test_words(self) -> None:
        """
        The status line tells the error, in the dialect of the client, before the console is reached.
        """
        for error, told in (
            (TokenUnknown("x"), "401 Not Authorized: This console link is not valid. Ask for a new one."),
            (ConsoleUnreachable("x"), "502 Bad Gateway: The console cannot be reached. The machine may be off."),
            (
                TokensUnreachable("x"),
                "503 Service Unavailable: The token service is unreachable. Try again in a moment.",
            ),
            (VNCProxyError("x"), "500 Internal Server Error: Something went wrong on the console proxy."),
        ):
            for request, version in ((NOVA, "HTTP/1.1"), (TIGHT, "HTTP/1.0")):
                self.broker.viewers.clear()
                wire = self.connect(request)
                self.broker.viewer.refuse(error)
                answer = Answer(wire.taken())
                self.assertEqual(answer.line, f"{version} {told}")
                self.assertEqual(answer.body.decode().strip(), type(error).told)
                self.assertTrue(wire.disconnecting)

    def test_everyError(self) -> None:
        """
        There is no error without a status line.
        """
        for kind in vars(errors).values():
            if isinstance(kind, type) and issubclass(kind, VNCProxyError) and kind.httpStatus != 403:
                self.broker.viewers.clear()
                wire = self.connect(NOVA)
                self.broker.viewer.refuse(kind("x"))
                self.assertEqual(Answer(wire.taken()).status, kind.httpStatus)

    def test_afterAdmission(self) -> None:
        """
        A viewer that was let in before its console failed gets the status line too.
        """
        wire = self.connect(NOVA)
        admitted(self.broker.viewer)
        self.broker.viewer.refuse(ConsoleUnreachable("x"))
        self.assertEqual(Answer(wire.taken()).status, 502)

    def test_reached(self) -> None:
        """
        Once the console is reached the viewer hears RFB: there is no way to tell it any more.
        """
        wire = self.connect(NOVA)
        admitted(self.broker.viewer)
        self.broker.viewer.reached()
        wire.clear()
        self.broker.viewer.refuse(ConsoleUnreachable("x"))
        self.assertEqual(wire.taken(), b"")
        self.assertTrue(wire.disconnecting)

    def test_gone(self) -> None:
        """
        The broker hears when a viewer leaves; to refuse it then does nothing.
        """
        wire = self.connect(NOVA)
        viewer = self.broker.viewer
        wire.hangUp()
        self.assertEqual(self.broker.gone, [viewer])
        wire.clear()
        viewer.refuse(Draining("x"))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BrokenBrokerTests(JavaTestCase):
    def test_bug(self) -> None:
        """
        What should not happen is logged, and the client not left waiting.
        """

        def fail(viewer: object) -> Deferred[None]:
            raise ZeroDivisionError

        self.broker.serve = fail  # type: ignore[assignment]
        wire = self.connect(NOVA)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(wire.aborted)
