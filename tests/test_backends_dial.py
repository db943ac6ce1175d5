"""
Dialling consoles.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any, Final

from twisted.internet import reactor as realReactor  # noqa: TID251 - some tests here run over real sockets
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from vncproxy.backends.dial import Dialler, _Scope, mayDial
from vncproxy.errors import ConsoleForbidden, ConsoleUnreachable
from vncproxy.model import Target, TargetKind
from vncproxy.stream import ByteStream

_TIMEOUT: Final = 10.0


def _networks(*texts: str) -> list[Any]:
    return [ip_network(text) for text in texts]


def _tcp(host: str, port: int = 5901) -> Target:
    return Target(TargetKind.VNC, host=host, port=port, password="hush")


@implementer(IHostnameResolver)
class Names:
    """
    A resolver that answers when it is told to.

    @ivar asked: the names that it was asked for, with their ports.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self._receiver: IResolutionReceiver | None = None

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        self.asked.append((hostName, portNumber))
        self._receiver = resolutionReceiver
        resolution: Any = self
        resolutionReceiver.resolutionBegan(resolution)
        return resolution  # type: ignore[no-any-return]

    def answer(self, *addresses: str) -> None:
        """
        The name has these addresses.
        """
        assert self._receiver is not None
        for address in addresses:
            kind = IPv6Address if ":" in address else IPv4Address
            self._receiver.addressResolved(kind("TCP", address, self.asked[-1][1]))
        self._receiver.resolutionComplete()


class MayDialTests(SynchronousTestCase):
    """
    Tests for L{mayDial}.
    """

    def test_table(self) -> None:
        """
        An address may be dialled if it lies in one of the networks, in whichever way it is written, or if there are
        none.
        """
        allowed = _networks("10.0.0.0/8", "2001:db8::/32", "fe80::/10")
        for address, expected in (
            ("10.1.2.3", True),
            ("11.1.2.3", False),
            ("127.0.0.1", False),
            ("2001:db8::5", True),
            ("2001:db9::5", False),
            ("::1", False),
            ("fe80::1%eth0", True),
            ("::ffff:10.1.2.3", True),
            ("::ffff:11.1.2.3", False),
        ):
            self.assertIs(mayDial(address, allowed), expected, address)
            self.assertTrue(mayDial(address, []), address)

    def test_mappedNetwork(self) -> None:
        """
        A network of IPv6 does not let in an IPv4 address that is written as an IPv6 one.
        """
        self.assertFalse(mayDial("::ffff:10.1.2.3", _networks("::/0")))


class DialTests(SynchronousTestCase):
    """
    Tests for L{Dialler} over a reactor in memory.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.names = Names()
        self.reactor.nameResolver = self.names  # type: ignore[assignment]
        verifyObject(IHostnameResolver, self.names)

    def tearDown(self) -> None:
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def dial(self, target: Target, *allowed: str) -> Deferred[ByteStream]:
        """
        Begin to dial.
        """
        return Deferred.fromCoroutine(Dialler(self.reactor, _TIMEOUT, _networks(*allowed)).dial(target))

    @property
    def dialled(self) -> list[tuple[str, int]]:
        """
        The addresses that connections were begun to.
        """
        return [client[:2] for client in self.reactor.tcpClients]

    def connected(self, number: int = 0) -> StringTransport:
        """
        A connection comes about.
        """
        transport = StringTransport()
        self.reactor.tcpClients[number][2].buildProtocol(None).makeConnection(transport)
        return transport

    def refused(self, number: int = 0) -> None:
        """
        Nobody listens.
        """
        connector = self.reactor.connectors[number]
        self.reactor.tcpClients[number][2].clientConnectionFailed(connector, Failure(ConnectionRefusedError()))

    def test_addresses(self) -> None:
        """
        Addresses of either kind are dialled as they are, without asking for a name.
        """
        for number, host in enumerate(("10.0.0.5", "2001:db8::5", "fe80::5%eth0")):
            dialling = self.dial(_tcp(host))
            self.assertEqual(self.dialled[number], (host, 5901))
            self.connected(number)
            self.successResultOf(dialling)
        self.assertEqual(self.names.asked, [])

    def test_stream(self) -> None:
        """
        What comes of it is a stream that is connected and can be closed by halves.
        """
        dialling = self.dial(_tcp("10.0.0.5"))
        transport = self.connected()
        stream = self.successResultOf(dialling)
        self.assertTrue(stream.halfCloseable)
        stream.write(b"RFB 003.008\n")
        self.assertEqual(transport.value(), b"RFB 003.008\n")
        stream.connectionLost(Failure(ConnectionDone()))

    def test_UNIX(self) -> None:
        """
        A UNIX socket is dialled by its path, whatever networks are allowed.
        """
        for kind in (TargetKind.VNC_UNIX, TargetKind.UNIX):
            dialling = self.dial(Target(kind, path="/run/vm7.sock"), "10.0.0.0/8")
            path, factory, *_ = self.reactor.unixClients.pop()
            self.assertEqual(path, "/run/vm7.sock")
            factory.buildProtocol(UNIXAddress(path)).makeConnection(StringTransport())
            self.assertTrue(self.successResultOf(dialling).halfCloseable)

    def test_name(self) -> None:
        """
        A name is looked up, and its address dialled.
        """
        dialling = self.dial(_tcp("vm7.example"), "10.0.0.0/8")
        self.assertEqual(self.names.asked, [("vm7.example", 5901)])
        self.names.answer("10.0.0.5")
        self.assertEqual(self.dialled, [("10.0.0.5", 5901)])
        self.connected()
        self.successResultOf(dialling)

    def test_oddNames(self) -> None:
        """
        Names that no domain may be registered under exist all the same.
        """
        for host in ("my_vm", "vm--7", "xn--vm"):
            dialling = self.dial(_tcp(host))
            self.assertEqual(self.names.asked[-1], (host, 5901))
            self.names.answer("10.0.0.5")
            self.connected(-1)
            self.successResultOf(dialling)

    def test_nextAddress(self) -> None:
        """
        When one address of a name refuses, the next one is tried.
        """
        dialling = self.dial(_tcp("vm7"))
        self.names.answer("2001:db8::5", "10.0.0.5")
        self.refused()
        self.reactor.advance(1)
        self.assertEqual(self.dialled, [("2001:db8::5", 5901), ("10.0.0.5", 5901)])
        self.connected(1)
        self.successResultOf(dialling)

    def test_unknownName(self) -> None:
        """
        A name without an address is unreachable, and the error says which name.
        """
        dialling = self.dial(_tcp("vm7"))
        self.names.answer()
        self.assertIn("'vm7'", str(self.failureResultOf(dialling, ConsoleUnreachable).value))

    def test_refused(self) -> None:
        """
        Where nobody listens the console is unreachable.
        """
        for host in ("10.0.0.5", "2001:db8::5"):
            dialling = self.dial(_tcp(host))
            self.refused(-1)
            error = self.failureResultOf(dialling, ConsoleUnreachable).value
            self.assertIn("refused", str(error))
            self.assertNotIn("hush", str(error))

    def test_forbiddenAddress(self) -> None:
        """
        An address outside the allowed networks is not dialled.
        """
        for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
            self.failureResultOf(self.dial(_tcp(host), "10.0.0.0/8"), ConsoleForbidden)
        self.assertEqual(self.dialled, [])

    def test_forbiddenName(self) -> None:
        """
        A name that leads outside the allowed networks is not dialled.
        """
        dialling = self.dial(_tcp("evil.example"), "10.0.0.0/8")
        self.names.answer("127.0.0.1", "::1")
        self.failureResultOf(dialling, ConsoleForbidden)
        self.assertEqual(self.dialled, [])

    def test_partlyForbiddenName(self) -> None:
        """
        Of a name's addresses only the allowed ones are dialled; if they refuse the console is unreachable, not
        forbidden.
        """
        dialling = self.dial(_tcp("vm7"), "10.0.0.0/8")
        self.names.answer("127.0.0.1", "10.0.0.5", "::1")
        self.refused()
        self.reactor.advance(1)
        self.failureResultOf(dialling, ConsoleUnreachable)
        self.assertEqual(self.dialled, [("10.0.0.5", 5901)])

    def test_noAnswer(self) -> None:
        """
        A connection that does not come about in time is given up, to an address or to a name.
        """
        for host in ("10.0.0.5", "vm7"):
            dialling = self.dial(_tcp(host))
            if self.names.asked:
                self.names.answer("10.0.0.5")
            self.reactor.advance(_TIMEOUT - 0.1)
            self.assertNoResult(dialling)
            self.reactor.advance(0.1)
            error = self.failureResultOf(dialling, ConsoleUnreachable).value
            self.assertIn("no answer within 10 s", str(error))
            self.assertTrue(self.reactor.connectors[-1].stoppedConnecting)

    def test_noAnswerToTheName(self) -> None:
        """
        The time is for the whole of it, so a lookup that takes as long is given up too; its answer changes nothing.
        """
        dialling = self.dial(_tcp("vm7"))
        self.reactor.advance(_TIMEOUT)
        self.failureResultOf(dialling, ConsoleUnreachable)
        self.names.answer("10.0.0.5")
        self.assertEqual(self.dialled, [])

    def test_timeInPieces(self) -> None:
        """
        A lookup and a connection share the time.
        """
        dialling = self.dial(_tcp("vm7"))
        self.reactor.advance(_TIMEOUT - 1)
        self.names.answer("10.0.0.5")
        self.reactor.advance(1)
        self.failureResultOf(dialling, ConsoleUnreachable)
        self.assertTrue(self.reactor.connectors[-1].stoppedConnecting)

    def test_cancelled(self) -> None:
        """
        Whoever gives up dialling is told no more than that, and nothing goes on.
        """
        for target in (_tcp("10.0.0.5"), _tcp("vm7"), Target(TargetKind.VNC_UNIX, path="/run/vm7.sock")):
            dialling = self.dial(target)
            if target.host == "vm7":
                self.names.answer("2001:db8::5", "10.0.0.5")
            dialling.cancel()
            self.failureResultOf(dialling, CancelledError)
            self.assertTrue(self.reactor.connectors[-1].stoppedConnecting)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_cancelledLookup(self) -> None:
        """
        The same holds while the name is looked up; its answer changes nothing.
        """
        dialling = self.dial(_tcp("vm7"))
        dialling.cancel()
        self.failureResultOf(dialling, CancelledError)
        self.names.answer("10.0.0.5")
        self.assertEqual(self.dialled, [])

    def test_scope(self) -> None:
        """
        To the endpoint the scope is a reactor with a resolver of its own, on top of the one that is there.
        """
        scope = _Scope(self.reactor, "vm7", [])
        verifyObject(IReactorPluggableNameResolver, scope)
        verifyObject(IHostnameResolver, scope)
        other = Names()
        self.assertIs(scope.installNameResolver(other), self.names)
        self.assertIs(self.reactor.nameResolver, other)


class Greeter(Protocol):
    """
    A console that says one line.
    """

    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(b"RFB 003.008\n")


class LoopbackTests(TestCase):
    """
    Tests for L{Dialler} over real sockets.
    """

    timeout = 20

    async def assertReaches(self, target: Target, *allowed: str) -> None:
        """
        The console at C{target} is heard.
        """
        dialler = Dialler(realReactor, 5, _networks(*allowed))
        stream = await dialler.dial(target)
        stream.expectWithin(5)
        self.assertEqual(await stream.read(12), b"RFB 003.008\n")
        ended: Deferred[None] = Deferred()
        stream._lost = lambda: ended.callback(None)
        stream.close()
        await ended

    def listen(self, interface: str) -> int:
        """
        Run a console on a free port.
        """
        reactor: Any = realReactor
        port = reactor.listenTCP(0, Factory.forProtocol(Greeter), interface=interface)
        self.addCleanup(port.stopListening)
        return port.getHost().port  # type: ignore[no-any-return]

    async def test_IPv4(self) -> None:
        """
        A console is reached over IPv4.
        """
        await self.assertReaches(_tcp("127.0.0.1", self.listen("127.0.0.1")), "127.0.0.0/8")

    async def test_IPv6(self) -> None:
        """
        A console is reached over IPv6.
        """
        await self.assertReaches(_tcp("::1", self.listen("::1")), "::1/128")

    async def test_name(self) -> None:
        """
        A console is reached by name, at the one of its addresses that is allowed.
        """
        await self.assertReaches(_tcp("localhost", self.listen("127.0.0.1")), "127.0.0.0/8")

    async def test_UNIX(self) -> None:
        """
        A console is reached over a UNIX socket.
        """
        reactor: Any = realReactor
        path = self.mktemp()
        port = reactor.listenUNIX(path, Factory.forProtocol(Greeter))
        self.addCleanup(port.stopListening)
        await self.assertReaches(Target(TargetKind.VNC_UNIX, path=path))

    async def test_refused(self) -> None:
        """
        Where nobody listens the console is unreachable, at once.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        for target in (_tcp("127.0.0.1", port), Target(TargetKind.VNC_UNIX, path=self.mktemp())):
            with self.assertRaises(ConsoleUnreachable):
                await Dialler(realReactor, 5, ()).dial(target)

    async def test_forbiddenName(self) -> None:
        """
        A name that leads outside the allowed networks is not dialled.
        """
        target = _tcp("localhost", self.listen("127.0.0.1"))
        with self.assertRaises(ConsoleForbidden):
            await Dialler(realReactor, 5, _networks("10.0.0.0/8")).dial(target)
