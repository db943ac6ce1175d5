"""
Ports that speak TLS, and send others away: L{vncproxy.frontends.tlsport}.
"""

from __future__ import annotations

import socket
import ssl
import warnings
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor  # noqa: TID251 - one test here runs over real sockets
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.webworld import Answer, TLSClient, Wire, certificate, clientContext
from vncproxy.frontends.tlsport import TLSPortFactory
from vncproxy.httphead import HEAD_LIMIT
from vncproxy.stream import CLOSING_SECONDS

SECONDS = 15.0


class Echo(Protocol):
    """
    Sends back what it gets.
    """

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.lost.append(reason.type)  # type: ignore[union-attr]


class EchoFactory(Factory):
    """
    @ivar lost: why connections ended.
    """

    protocol = Echo
    noisy = False

    def __init__(self) -> None:
        self.lost: list[type] = []


class PortTestCase(SynchronousTestCase):
    """
    An echo behind a port that speaks TLS.
    """

    minimumVersion = "1.2"

    def setUp(self) -> None:
        self.clock = Clock()
        directory = Path(self.mktemp())
        directory.mkdir()
        self.echo = EchoFactory()
        creator = certificate(directory, self.clock, self.minimumVersion)
        self.factory = TLSPortFactory(self.clock, creator, self.echo, SECONDS)

    def client(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> TLSClient:
        """
        A client that has the handshake behind it.
        """
        self.wire = Wire(self.factory)
        client = TLSClient(self.wire, self.clock, context, session)
        client.handshake()
        return client


class BothTests(PortTestCase):
    def test_both(self) -> None:
        """
        Where those without TLS are served as well, the first byte decides.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        self.factory = TLSPortFactory(
            self.clock, certificate(directory, self.clock), self.echo, SECONDS, alsoPlain=True
        )
        client = self.client(clientContext())
        client.send(b"hello")
        self.assertEqual(client.taken(), b"hello")
        wire = Wire(self.factory)
        wire.deliver(b"GET / HTTP/1.0")
        self.assertEqual(wire.taken(), b"GET / HTTP/1.0")
        self.clock.advance(2 * SECONDS)
        self.assertFalse(wire.aborted)


class TLSTests(PortTestCase):
    def test_versions(self) -> None:
        """
        TLS 1.2 and 1.3 work, with forward secrecy and authenticated encryption.
        """
        for version, told in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            client = self.client(clientContext(version, version))
            client.send(b"hello")
            self.assertEqual(client.taken(), b"hello")
            self.assertEqual(client.tls.version(), told)
            cipher, *_ = client.tls.cipher() or ("",)
            self.assertRegex(cipher, r"\A(ECDHE-ECDSA|TLS)[-_].*(GCM|POLY1305)")

    def test_oldVersion(self) -> None:
        """
        TLS 1.1 is refused, in the alert that says so.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context = clientContext(ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1)
        context.set_ciphers("ALL:@SECLEVEL=0")
        error = self.assertRaises(ssl.SSLError, self.client, context)
        self.assertEqual(error.reason, "TLSV1_ALERT_PROTOCOL_VERSION")

    def test_weakCiphers(self) -> None:
        """
        A client that knows only ciphers without forward secrecy, or without authentication of what they carry, is
        refused.
        """
        for ciphers in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"):
            context = clientContext(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(ciphers)
            error = self.assertRaises(ssl.SSLError, self.client, context)
            self.assertIn("HANDSHAKE_FAILURE", error.reason)

    def test_resumption(self) -> None:
        """
        A second connection of the same client resumes the session of the first: by ticket in TLS 1.3 and 1.2, and by
        session id for clients of 1.2 that take no tickets.
        """
        for version, options in (
            (ssl.TLSVersion.TLSv1_3, 0),
            (ssl.TLSVersion.TLSv1_2, 0),
            (ssl.TLSVersion.TLSv1_2, ssl.OP_NO_TICKET),
        ):
            context = clientContext(version, version)
            context.options |= options
            first = self.client(context)
            first.send(b"x")
            self.assertEqual(first.taken(), b"x")
            self.assertFalse(first.tls.session_reused)
            second = self.client(context, first.tls.session)
            self.assertTrue(second.tls.session_reused, (version, options))
            second.send(b"y")
            self.assertEqual(second.taken(), b"y")

    def test_byteByByte(self) -> None:
        """
        A handshake may come in single bytes.
        """
        wire = Wire(self.factory)
        deliver = wire.deliver
        wire.deliver = lambda data: [deliver(bytes((byte,))) for byte in data]  # type: ignore[assignment]
        client = TLSClient(wire, self.clock, clientContext())
        client.handshake()
        client.send(b"hello")
        self.assertEqual(client.taken(), b"hello")

    def test_end(self) -> None:
        """
        The frontend hears when its connection is gone, and no timer stays.
        """
        self.client(clientContext())
        self.wire.hangUp()
        self.assertEqual(len(self.echo.lost), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_handshakeInTime(self) -> None:
        """
        A client that has the handshake behind it may be silent.
        """
        client = self.client(clientContext())
        self.clock.advance(SECONDS)
        self.assertFalse(self.wire.aborted)
        self.clock.advance(86400)
        client.send(b"hello")
        self.assertEqual(client.taken(), b"hello")

    def test_slowHandshake(self) -> None:
        """
        A client that does not come to the end of the handshake is cut off.
        """
        wire = Wire(self.factory)
        wire.deliver(b"\x16\x03\x01")
        self.clock.advance(SECONDS - 0.1)
        self.assertFalse(wire.aborted)
        self.clock.advance(0.1)
        self.assertTrue(wire.aborted)
        wire.hangUp()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_brokenHandshake(self) -> None:
        """
        A handshake of nonsense closes the connection.
        """
        wire = Wire(self.factory)
        wire.deliver(b"\x16" + b"nonsense" * 10)
        self.assertTrue(wire.disconnecting)


class NewestOnlyTests(PortTestCase):
    minimumVersion = "1.3"

    def test_version(self) -> None:
        """
        With minimum_version 1.3 there is no 1.2.
        """
        context = clientContext(highest=ssl.TLSVersion.TLSv1_2)
        self.assertRaises(ssl.SSLError, self.client, context)
        self.assertEqual(self.client(clientContext()).tls.version(), "TLSv1.3")


class InClearTests(PortTestCase):
    def ask(self, data: bytes) -> Answer:
        """
        The whole answer to these bytes, behind which the connection is closed.
        """
        wire = Wire(self.factory)
        wire.deliver(data)
        answer = Answer(wire.taken())
        self.assertEqual(answer.rest, b"")
        self.assertTrue(wire.disconnecting)
        wire.hangUp()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.echo.lost, [])
        return answer

    def test_redirect(self) -> None:
        """
        A request in the clear is sent to https, at the same host, port, path and query.
        """
        for host in ("proxy", "proxy:6080", "10.0.0.1:6080", "[::1]:6080", "[::1]", "a-b.example"):
            answer = self.ask(f"GET /vnc_auto.html?token=T&a=b HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            self.assertEqual(answer.line, "HTTP/1.1 308 Permanent Redirect")
            self.assertEqual(answer.headers["location"], f"https://{host}/vnc_auto.html?token=T&a=b")
            self.assertEqual(answer.headers["connection"], "close")

    def test_badHost(self) -> None:
        """
        Where there is no telling where to go, the words have to do.
        """
        for host in ("", "a b", "evil/", "evil@proxy", "proxy:", "proxy:port", "proxy:123456", "[proxy]", "::1", "ä"):
            answer = self.ask(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))
            self.assertEqual(answer.status, 400, host)
            self.assertEqual(answer.body, b"This port speaks TLS: use https.\n")
            self.assertNotIn("location", answer.headers)

    def test_badTarget(self) -> None:
        """
        Only a plain path leads on.
        """
        for target in ("//evil", "http://proxy/", "T:6081", "*"):
            self.assertEqual(self.ask(f"CONNECT {target} HTTP/1.0\r\nHost: proxy\r\n\r\n".encode()).status, 400)
        self.assertEqual(self.ask(b"CONNECT /console?token=T HTTP/1.0\r\n\r\n").status, 400)

    @settings(max_examples=50)
    @given(st.binary(max_size=50), st.binary(max_size=50))
    def test_noSplitting(self, target: bytes, host: bytes) -> None:
        """
        Nothing that a client sends gets a line of its own in the answer.
        """
        wire = Wire(self.factory)
        wire.deliver(b"GET /" + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        head = wire.taken().partition(b"\r\n\r\n")[0]
        names = {line.partition(b":")[0] for line in head.split(b"\r\n")[1:]}
        known = {b"Content-Type", b"Content-Length", b"Cache-Control", b"X-Content-Type-Options", b"Connection"}
        self.assertLessEqual(names, known | {b"Location"})
        self.assertNotIn(b"\n", head.replace(b"\r\n", b""))

    def test_garbage(self) -> None:
        """
        What is neither TLS nor HTTP gets no answer.
        """
        for data in (b"RFB 003.008\n\r\n\r\n", b"\x80\x2e\x01\r\n\r\n", b"x" * HEAD_LIMIT):
            wire = Wire(self.factory)
            wire.deliver(data)
            self.assertEqual(wire.taken(), b"")
            self.assertTrue(wire.disconnecting)

    def test_silent(self) -> None:
        """
        A client that says nothing is cut off.
        """
        wire = Wire(self.factory)
        self.clock.advance(SECONDS - 0.1)
        self.assertFalse(wire.aborted)
        self.clock.advance(0.1)
        self.assertTrue(wire.aborted)

    def test_slow(self) -> None:
        """
        So is one that does not come to the end of its request.
        """
        wire = Wire(self.factory)
        self.clock.advance(SECONDS - 1)
        wire.deliver(b"GET / HT")
        self.clock.advance(SECONDS)
        self.assertEqual(wire.taken(), b"")
        self.assertTrue(wire.disconnecting)
        self.clock.advance(CLOSING_SECONDS)
        self.assertTrue(wire.aborted)

    def test_leaves(self) -> None:
        """
        A client that leaves early leaves nothing behind.
        """
        for data in (b"", b"GET / HT"):
            wire = Wire(self.factory)
            if data:
                wire.deliver(data)
            wire.hangUp()
            self.assertEqual(self.clock.getDelayedCalls(), [])


class FactoryTests(PortTestCase):
    def test_startAndStop(self) -> None:
        """
        The frontend's factory starts and stops with the port.
        """
        told: list[str] = []
        self.echo.startFactory = lambda: told.append("start")  # type: ignore[method-assign]
        self.echo.stopFactory = lambda: told.append("stop")  # type: ignore[method-assign]
        self.factory.doStart()
        self.assertEqual(told, ["start"])
        self.factory.doStop()
        self.assertEqual(told, ["start", "stop"])


class SocketTests(TestCase):
    """
    With sockets, and a client that is not ours.
    """

    timeout = 20

    async def test_socket(self) -> None:
        """
        A client of Python's own gets its bytes back over both versions, and resumes its session.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        creator = certificate(directory, reactor)  # type: ignore[arg-type]
        factory: IProtocolFactory = TLSPortFactory(reactor, creator, EchoFactory(), SECONDS)  # type: ignore[arg-type]
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        address = ("127.0.0.1", port.getHost().port)

        def talk(context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[bool | None, ssl.SSLSession | None]:
            with socket.create_connection(address, 10) as plain:
                with context.wrap_socket(plain, session=session) as tls:
                    tls.sendall(b"x" * 50000)
                    received = b""
                    while len(received) < 50000:
                        received += tls.recv(65536)
                    return tls.session_reused, tls.session

        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = clientContext(version, version)
            reused, session = await deferToThread(talk, context, None)
            self.assertFalse(reused)
            reused, _ = await deferToThread(talk, context, session)
            self.assertTrue(reused)
