"""
L{vncproxy.demo.service}: the demo desktop as a service.
"""

from __future__ import annotations

from twisted.application.service import IService
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from vncproxy.demo import DemoDesktop, DemoFactory, DemoService, makeDemoService
from vncproxy.demo.service import HANDSHAKE_SECONDS
from vncproxy.rfb.vncauth import response
from vncproxy.stream import ByteStream

V38 = b"RFB 003.008\n"


@implementer(IStreamServerEndpoint)
class GivenEndpoint:
    """
    An endpoint that answers what it is given.
    """

    def __init__(self, answer: Deferred[IListeningPort]) -> None:
        self._answer = answer

    def listen(self, protocolFactory: Factory) -> Deferred[IListeningPort]:
        return self._answer


class FactoryTests(SynchronousTestCase):
    """
    Tests for L{DemoFactory}.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.events: list[str] = []
        observer = lambda event: self.events.append(event["log_format"] or "")  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def connect(self, factory: DemoFactory) -> tuple[ByteStream, StringTransport]:
        """
        A new connection.
        """
        stream, transport = factory.buildProtocol(None), StringTransport()
        stream.makeConnection(transport)
        return stream, transport

    def test_letIn(self) -> None:
        """
        A viewer that goes through the opening is attached to the desktop and sees its name.
        """
        factory = DemoFactory(self.reactor)
        stream, transport = self.connect(factory)
        stream.dataReceived(V38 + b"\1" + b"\1")
        self.assertEqual(factory.desktop.viewers, 1)
        self.assertTrue(transport.value().endswith(b"vncproxy demo"))

    def test_password(self) -> None:
        """
        With a password every viewer has a challenge of its own, and only the right answer lets it in.
        """
        challenges = [bytes([number]) * 16 for number in (1, 2)]
        factory = DemoFactory(self.reactor, "geheim", random=lambda count: challenges.pop(0))
        for given, viewers in (("geheim", 1), ("falsch", 1)):
            challenge = challenges[0]
            stream, transport = self.connect(factory)
            stream.dataReceived(V38 + b"\2")
            self.assertTrue(transport.value().endswith(challenge))
            stream.dataReceived(response(challenge, given) + b"\1")
            self.assertEqual(factory.desktop.viewers, viewers)
        self.assertTrue(transport.disconnecting)
        self.assertTrue(any("not let in" in event for event in self.events))

    def test_secretsAreNotLogged(self) -> None:
        """
        The password stands in no text about the factory.
        """
        self.assertNotIn("geheim", repr(DemoFactory(self.reactor, "geheim")))

    def test_silence(self) -> None:
        """
        A viewer that does not get through the opening in time is hung up on.
        """
        stream, transport = self.connect(DemoFactory(self.reactor))
        self.reactor.advance(HANDSHAKE_SECONDS)
        self.assertTrue(transport.disconnecting)
        stream.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_noTimeLimitAfterwards(self) -> None:
        """
        A viewer that is in may be silent for as long as it likes.
        """
        factory = DemoFactory(self.reactor)
        stream, transport = self.connect(factory)
        stream.dataReceived(V38 + b"\1" + b"\1")
        self.reactor.advance(10 * HANDSHAKE_SECONDS)
        self.assertFalse(transport.disconnecting)
        self.assertEqual(factory.desktop.viewers, 1)

    def test_brokenOpening(self) -> None:
        """
        A fault of our own in the opening is logged with its trace, and the viewer is hung up on.
        """

        def noRandom(count: int) -> bytes:
            raise OSError("no randomness")

        _, transport = self.connect(DemoFactory(self.reactor, random=noRandom))
        self.assertTrue(transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_disconnectAll(self) -> None:
        """
        All viewers are hung up on, in the middle of their opening or not, and the end of the last is waited for.
        """
        factory = DemoFactory(self.reactor)
        inside, outside = self.connect(factory), self.connect(factory)
        inside[0].dataReceived(V38 + b"\1" + b"\1")
        gone = factory.disconnectAll()
        for stream, transport in (inside, outside):
            self.assertTrue(transport.disconnecting)
            self.assertNoResult(gone)
            stream.connectionLost(Failure(ConnectionDone()))
        self.assertIsNone(self.successResultOf(gone))
        self.assertEqual(factory.desktop.viewers, 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_givenDesktop(self) -> None:
        """
        A desktop that is given is the one that viewers see.
        """
        desktop = DemoDesktop(self.reactor, 400, 300)
        stream, transport = self.connect(DemoFactory(self.reactor, desktop=desktop))
        stream.dataReceived(V38 + b"\1" + b"\1")
        self.assertEqual(desktop.viewers, 1)
        self.assertIn(bytes.fromhex("0190012c"), transport.value())


class ServiceTests(SynchronousTestCase):
    """
    Tests for L{DemoService}.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def test_listens(self) -> None:
        """
        It listens where it is told from its start until its stop, and says at which address.
        """
        service = makeDemoService(self.reactor, "tcp:5901:interface=127.0.0.1")
        self.assertTrue(verifyObject(IService, service))
        early = service.whenListening()
        self.assertEqual(self.reactor.tcpServers, [])
        service.startService()
        ((port, factory, _, interface),) = self.reactor.tcpServers
        self.assertEqual((port, interface), (5901, "127.0.0.1"))
        self.assertIs(factory, service.factory)
        for waiting in (early, service.whenListening()):
            self.assertIsInstance(self.successResultOf(waiting), IPv4Address)
        self.assertIsNone(self.successResultOf(service.stopService()))

    def test_stopWaitsForViewers(self) -> None:
        """
        It has stopped when its last viewer is gone.
        """
        service = makeDemoService(self.reactor, "tcp:0:interface=127.0.0.1", "geheim")
        service.startService()
        stream, transport = service.factory.buildProtocol(None), StringTransport()
        stream.makeConnection(transport)
        stopped = service.stopService()
        self.assertTrue(transport.disconnecting)
        self.assertNoResult(stopped)
        stream.connectionLost(Failure(ConnectionDone()))
        self.assertIsNone(self.successResultOf(stopped))

    def test_cannotListen(self) -> None:
        """
        Whoever waits for it is told when it cannot listen, and it can still be stopped.
        """
        cause = CannotListenError("127.0.0.1", 5901, OSError("in use"))
        service = DemoService(GivenEndpoint(fail(cause)), DemoFactory(self.reactor))
        waiting = service.whenListening()
        service.startService()
        self.assertIs(self.failureResultOf(waiting, CannotListenError).value, cause)
        self.assertIsNone(self.successResultOf(service.stopService()))

    def test_stopsBeforeItListens(self) -> None:
        """
        A stop while it is not listening yet keeps it from ever doing so.
        """
        answer: Deferred[IListeningPort] = Deferred()
        service = DemoService(GivenEndpoint(answer), DemoFactory(self.reactor))
        service.startService()
        self.assertIsNone(self.successResultOf(service.stopService()))
        self.assertTrue(answer.called)

    def test_neverStarted(self) -> None:
        """
        A service that was never started can be stopped.
        """
        service = makeDemoService(self.reactor, "tcp:0:interface=127.0.0.1")
        self.assertIsNone(self.successResultOf(service.stopService()))

    def test_nonsense(self) -> None:
        """
        A text that is no endpoint is refused at once.
        """
        self.assertRaises(ValueError, makeDemoService, self.reactor, "nonsense:1")
