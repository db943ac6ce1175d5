"""
A port whose clients come through a load balancer: L{vncproxy.frontends.proxied}.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.webworld import CLIENT, NOBODY, TLSClient, WebWorld, Wire, certificate, clientContext, openingRequest
from vncproxy.addresses import TrustedPeers
from vncproxy.frontends.proxied import ProxiedPortFactory
from vncproxy.frontends.tlsport import TLSPortFactory

SECONDS = 15.0
V1 = b"PROXY TCP4 198.51.100.1 192.0.2.1 50000 6080\r\n"
V1_IPV6 = b"PROXY TCP6 2001:db8::9 2001:db8::1 50000 6080\r\n"
V2 = bytes.fromhex("0d0a0d0a000d0a515549540a 2111") + struct.pack(
    "!H4s4sHH", 12, b"\xc6\x33\x64\x01", b"    ", 50000, 1
)
LOCAL = bytes.fromhex("0d0a0d0a000d0a515549540a 2000 0000")
TRUSTED = TrustedPeers.parse([CLIENT.host, "unix"])


class Echo(Protocol):
    """
    Says back what it hears.
    """

    factory: Any
    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.factory.peers.append(self.transport.getPeer())
        self.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.lost += 1


class EchoFactory(Factory):
    """
    @ivar addresses: for which connections were made.
    @ivar peers: whom transports named, at each piece of data.
    @ivar lost: how many connections ended.
    @ivar full: takes no connection.
    """

    protocol = Echo
    noisy = False

    def __init__(self) -> None:
        self.addresses: list[IAddress | None] = []
        self.peers: list[IAddress] = []
        self.lost = 0
        self.full = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        self.addresses.append(addr)
        return None if self.full else super().buildProtocol(addr)


class PortTests(SynchronousTestCase):
    """
    Tests for L{ProxiedPortFactory}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.echo = EchoFactory()
        self.factory = ProxiedPortFactory(self.clock, TRUSTED, self.echo, SECONDS)

    def test_client(self) -> None:
        """
        Whoever serves the port takes the client for its peer, from the first moment on.
        """
        for header, client in (
            (V1, IPv4Address("TCP", "198.51.100.1", 50000)),
            (V2, IPv4Address("TCP", "198.51.100.1", 50000)),
            (V1_IPV6, IPv6Address("TCP", "2001:db8::9", 50000)),
            (LOCAL, CLIENT),
            (b"PROXY UNKNOWN\r\n", CLIENT),
        ):
            self.echo.addresses.clear()
            self.echo.peers.clear()
            wire = Wire(self.factory)
            wire.deliver(header + b"hello")
            self.assertEqual(wire.taken(), b"hello")
            wire.deliver(b"again")
            self.assertEqual(wire.taken(), b"again")
            self.assertEqual((self.echo.addresses, self.echo.peers), ([client], [client, client]))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_byteByByte(self) -> None:
        """
        It does not matter how the header is cut on the way; where nothing comes behind it, nothing is served.
        """
        for header in (V1, V2):
            wire = Wire(self.factory)
            for byte in header:
                self.assertEqual(self.echo.addresses, [])
                wire.deliver(bytes([byte]))
            self.assertEqual((len(self.echo.addresses), self.echo.peers), (1, []))
            wire.deliver(b"hello")
            self.assertEqual(wire.taken(), b"hello")
            self.setUp()

    def test_unixSocket(self) -> None:
        """
        A load balancer on a UNIX socket tells its clients as well, if it is trusted.
        """
        wire = Wire(self.factory, UNIXAddress(None))
        wire.deliver(V2 + b"hello")
        self.assertEqual(self.echo.addresses, [IPv4Address("TCP", "198.51.100.1", 50000)])

    def test_stranger(self) -> None:
        """
        Who is not trusted is served as ever, and what it claims to be is data like any other.
        """
        stranger = IPv4Address("TCP", "192.0.2.66", 50000)
        wire = Wire(self.factory, stranger)
        wire.deliver(V1)
        self.assertEqual((wire.taken(), self.echo.addresses, self.echo.peers), (V1, [stranger], [stranger]))

    def test_noHeader(self) -> None:
        """
        One that is trusted and begins with something else is cut off, and the log says who.
        """
        with capturedLogs() as events:
            wire = Wire(self.factory)
            wire.deliver(b"GET / HTTP/1.1\r\n")
        self.assertTrue(wire.aborted)
        wire.hangUp()
        (line,) = [formatEvent(event) for event in events]
        self.assertTrue(line.startswith("203.0.113.9 is trusted, and yet a connection"), line)
        self.assertEqual((self.echo.addresses, self.clock.getDelayedCalls()), ([], []))

    def test_late(self) -> None:
        """
        A header that does not come in time ends the connection.
        """
        wire = Wire(self.factory)
        wire.deliver(V1[:-1])
        self.clock.advance(SECONDS - 0.1)
        self.assertFalse(wire.aborted)
        self.clock.advance(0.1)
        self.assertTrue(wire.aborted)
        wire.hangUp()
        self.assertEqual((self.echo.addresses, self.echo.lost), ([], 0))

    def test_lost(self) -> None:
        """
        Who serves the connection hears of its end.
        """
        wire = Wire(self.factory)
        wire.deliver(V1)
        wire.hangUp()
        self.assertEqual(self.echo.lost, 1)

    def test_notTaken(self) -> None:
        """
        A connection that nobody wants to serve is cut off.
        """
        self.echo.full = True
        wire = Wire(self.factory)
        wire.deliver(V1 + b"hello")
        self.assertTrue(wire.aborted)

    def test_startAndStop(self) -> None:
        """
        What serves the port starts and stops with it.
        """
        told: list[str] = []
        self.echo.startFactory = lambda: told.append("start")  # type: ignore[method-assign]
        self.echo.stopFactory = lambda: told.append("stop")  # type: ignore[method-assign]
        self.factory.doStart()
        self.assertEqual(told, ["start"])
        self.factory.doStop()
        self.assertEqual(told, ["start", "stop"])


class FrontendTests(SynchronousTestCase):
    """
    The C{web} frontend behind such a port.
    """

    def setUp(self) -> None:
        self.world = WebWorld(trusted=NOBODY)

    def port(self, served: IProtocolFactory) -> Wire:
        """
        A connection to a port that is served so, on which the header has come.
        """
        wire = Wire(ProxiedPortFactory(self.world.clock, TRUSTED, served, SECONDS))
        wire.deliver(V2)
        return wire

    def test_webSocket(self) -> None:
        """
        A viewer has the client's address, not the load balancer's.
        """
        wire = self.port(self.world.site)
        wire.deliver(openingRequest())
        self.assertEqual(self.world.broker.viewer.facts.address, "198.51.100.1")

    def test_tls(self) -> None:
        """
        So it has when the client's TLS begins behind the header.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        creator = certificate(directory, self.world.clock)
        wire = self.port(TLSPortFactory(self.world.clock, creator, self.world.site, SECONDS))
        client = TLSClient(wire, self.world.clock, clientContext())
        client.handshake()
        client.send(openingRequest(Origin="https://proxy"))
        self.assertEqual(self.world.broker.viewer.facts.address, "198.51.100.1")
