"""
The sessions that are up, and the room that is left.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.streams import Loop, MemoryTransport
from vncproxy.errors import AtCapacity, Draining
from vncproxy.interfaces import ISessions
from vncproxy.model import Console, ConsoleType, EndReason, Grant, Session, Target, TargetKind, ViewerFacts
from vncproxy.relay import Relay
from vncproxy.sessions import NO_LIMIT, Sessions
from vncproxy.stream import ByteStream

_GRANT = Grant("0123456789abcdef" * 4, "vm7", ConsoleType.NOVNC, 1000.0, viewOnly=True, resumed=True)
_CONSOLE = Console("vm7", "database", Target(TargetKind.VNC, "10.0.0.5", 5901))
_FACTS = ViewerFacts("web", ConsoleType.NOVNC, "203.0.113.9", "T")


class PlaceTests(SynchronousTestCase):
    """
    Tests for L{Sessions.place}.
    """

    def test_capacity(self) -> None:
        """
        As many viewers are served at a time as there are places, and one that leaves makes room.
        """
        sessions = Sessions("proxy1", 2)
        with sessions.place():
            with sessions.place():
                self.assertRaises(AtCapacity, sessions.place().__enter__)
            with sessions.place():
                self.assertRaises(AtCapacity, sessions.place().__enter__)

    def test_failure(self) -> None:
        """
        A place is free again however its viewer was served.
        """
        sessions = Sessions("proxy1", 1)

        def fail() -> None:
            with sessions.place():
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        with sessions.place():
            pass

    def test_noLimit(self) -> None:
        """
        Without a limit there is always a place.
        """
        sessions = Sessions("proxy1", NO_LIMIT)
        for _ in range(100):
            sessions.place().__enter__()

    def test_draining(self) -> None:
        """
        A proxy that drains takes nobody, even if there is room.
        """
        sessions = Sessions("proxy1", 2)
        sessions.drain()
        self.assertRaises(Draining, sessions.place().__enter__)


class ListTests(SynchronousTestCase):
    """
    Tests for the list.
    """

    def setUp(self) -> None:
        self.loop = Loop()
        self.sessions = Sessions("proxy1", NO_LIMIT)

    def relay(self) -> Relay:
        """
        A relay that runs, C{self.viewer} and C{self.console} being what its peers see.
        """
        streams = ByteStream(self.loop), ByteStream(self.loop)
        self.viewer, self.console = (MemoryTransport(self.loop, stream) for stream in streams)
        relay = Relay(self.loop, *streams, 60)
        relay.start()
        return relay

    def test_interface(self) -> None:
        """
        It is what the API lists and ends sessions by.
        """
        verifyObject(ISessions, self.sessions)

    def test_picture(self) -> None:
        """
        A session is listed with all that is known of it, and its bytes of this moment.
        """
        expected = Session(
            id="s1",
            consoleID="vm7",
            consoleName="database",
            frontend="web",
            client="203.0.113.9",
            proxy="proxy1",
            tokenID="01234567",
            viewOnly=True,
            resumed=True,
            started=12.5,
            bytesIn=3,
            bytesOut=7,
        )
        with self.sessions.up("s1", self.relay(), _GRANT, _CONSOLE, _FACTS, 12.5):
            self.viewer.say(b"key")
            self.console.say(b"picture")
            self.loop.settle()
            self.assertEqual(self.sessions.list(), [expected])

    def test_order(self) -> None:
        """
        The oldest comes first, and what is over is not listed.
        """
        with self.sessions.up("s2", self.relay(), _GRANT, _CONSOLE, _FACTS, 1):
            with self.sessions.up("s1", self.relay(), _GRANT, _CONSOLE, _FACTS, 2):
                self.assertEqual([each.id for each in self.sessions.list()], ["s2", "s1"])
            self.assertEqual([each.id for each in self.sessions.list()], ["s2"])
        self.assertEqual(self.sessions.list(), [])

    def test_overAnyhow(self) -> None:
        """
        A session is not listed any more however it ended.
        """

        def fail() -> None:
            with self.sessions.up("s1", self.relay(), _GRANT, _CONSOLE, _FACTS, 1):
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        self.assertEqual(self.sessions.list(), [])

    def test_end(self) -> None:
        """
        One of them can be ended by its id, for a reason; the others go on.
        """
        first, second = self.relay(), self.relay()
        with (
            self.sessions.up("s1", first, _GRANT, _CONSOLE, _FACTS, 1),
            self.sessions.up("s2", second, _GRANT, _CONSOLE, _FACTS, 1),
        ):
            self.assertTrue(self.sessions.end("s1", EndReason.OPERATOR))
            self.assertIs(self.successResultOf(first.ended), EndReason.OPERATOR)
            self.assertNoResult(second.ended)

    def test_endUnknown(self) -> None:
        """
        An id that is not up cannot be ended.
        """
        self.assertFalse(self.sessions.end("s1", EndReason.OPERATOR))

    def test_drain(self) -> None:
        """
        Draining ends every session and says why.
        """
        first, second = self.relay(), self.relay()
        with (
            self.sessions.up("s1", first, _GRANT, _CONSOLE, _FACTS, 1),
            self.sessions.up("s2", second, _GRANT, _CONSOLE, _FACTS, 1),
        ):
            self.sessions.drain()
        self.assertIs(self.successResultOf(first.ended), EndReason.DRAINING)
        self.assertIs(self.successResultOf(second.ended), EndReason.DRAINING)

    def test_drainNeighbours(self) -> None:
        """
        A session that leaves because another one ends does no harm to the draining.
        """
        first, second = self.relay(), self.relay()
        with self.sessions.up("s1", first, _GRANT, _CONSOLE, _FACTS, 1):
            neighbour = self.sessions.up("s2", second, _GRANT, _CONSOLE, _FACTS, 1)
            neighbour.__enter__()
            first.ended.addCallback(lambda ignored: neighbour.__exit__(None, None, None))
            self.sessions.drain()
        self.assertEqual(self.sessions.list(), [])
        self.assertNoResult(second.ended)
