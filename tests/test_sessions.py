"""
The sessions that are up, and the room that is left.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.streams import Loop, MemoryTransport
from vncproxy.errors import AddressBusy, AtCapacity, ConsoleBusy, Draining, OwnerBusy, TokenUnknown, VNCProxyError
from vncproxy.interfaces import ISessions
from vncproxy.model import (
    Console,
    ConsoleType,
    EndReason,
    Grant,
    Session,
    SessionLimits,
    Sharing,
    Target,
    TargetKind,
    ViewerFacts,
)
from vncproxy.relay import Relay
from vncproxy.sessions import NO_LIMIT, Place, Sessions
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


class LimitTests(SynchronousTestCase):
    """
    Tests for the limits of one address, one console and one owner.
    """

    def setUp(self) -> None:
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.tokens = count()

    def sessionsWith(self, **limits: Any) -> None:
        """
        Begin with these limits.
        """
        self.sessions = Sessions("proxy1", NO_LIMIT, SessionLimits(**limits))

    def come(self, address: str = "203.0.113.9", grant: Grant | None = None) -> Place:
        """
        A viewer comes, with a token of its own or with C{grant}, and stays until the test ends.
        """
        place = self.stack.enter_context(self.sessions.place(address))
        self.sessions.take(place, grant or self.grant())
        return place

    def grant(self, **more: Any) -> Grant:
        """
        What a new token redeems to.
        """
        return attrs.evolve(Grant(f"{next(self.tokens):064}", "vm7", ConsoleType.NOVNC, 1000.0), **more)

    def test_address(self) -> None:
        """
        One address has as many places as the limit says, whatever their consoles; an IPv6 client has one address in its
        network, and who has none that could be told from others is not counted.
        """
        for one, same, other in (
            ("203.0.113.9", "::ffff:203.0.113.9", "203.0.113.10"),
            ("2001:db8::1", "2001:db8::2:3:4:5", "2001:db8:0:1::1"),
        ):
            self.sessionsWith(perAddress=2)
            self.come(one)
            self.come(same, self.grant(consoleID="vm8"))
            self.assertRaises(AddressBusy, self.come, one)
            self.come(other)
        for _ in range(3):
            self.come("unix")

    def test_addressFree(self) -> None:
        """
        A place that is left makes room, and so does one whose session is told to end.
        """
        self.sessionsWith(perAddress=1)
        with self.sessions.place("203.0.113.9"):
            self.assertRaises(AddressBusy, self.come)
        place = self.come()
        self.assertRaises(AddressBusy, self.come)
        place.end(EndReason.REVOKED)
        self.come()

    def test_console(self) -> None:
        """
        A console has as many viewers as the limit says; other consoles do not matter.
        """
        self.sessionsWith(perConsole=2)
        self.come()
        self.come()
        self.assertRaises(ConsoleBusy, self.come)
        self.come(grant=self.grant(consoleID="vm8"))

    def test_unlimited(self) -> None:
        """
        Without limits any number may come.
        """
        self.sessionsWith()
        places = [self.come() for _ in range(20)]
        self.assertFalse(any(place.leaving for place in places))

    def test_refuse(self) -> None:
        """
        Where nothing is shared, the second viewer is turned away until the first has gone.
        """
        self.sessionsWith(sharing=Sharing.REFUSE)
        with self.sessions.place("") as first:
            self.sessions.take(first, self.grant())
            self.assertRaises(ConsoleBusy, self.come)
        self.come()

    def test_takeover(self) -> None:
        """
        Where consoles are taken over, each viewer that comes ends the one before, up or not, and nobody else.
        """
        self.sessionsWith(sharing=Sharing.TAKEOVER, perConsole=1)
        elsewhere = self.come(grant=self.grant(consoleID="vm8"))
        first = self.come()
        second = self.come()
        self.assertRaises(ConsoleBusy, first.check)
        third = self.come()
        self.assertEqual([each.leaving for each in (first, second, third, elsewhere)], [True, True, False, False])
        third.check()

    def test_owner(self) -> None:
        """
        The tokens of one owner have as many sessions as the limit says, at whatever consoles; tokens without an owner
        are not counted.
        """
        self.sessionsWith(perOwner=1)
        self.come(grant=self.grant(owner="shop"))
        self.assertRaises(OwnerBusy, self.come, grant=self.grant(owner="shop", consoleID="vm8"))
        self.come(grant=self.grant(owner="other"))
        for _ in range(3):
            self.come()

    def test_ownBrowser(self) -> None:
        """
        A browser that comes back is not kept out by what it has left behind, but by others; and nothing of it is ended
        where there is room for both.
        """
        mine = self.grant(resumeHash="m" * 64, owner="shop")
        for limits in ({"sharing": Sharing.REFUSE}, {"perConsole": 1}, {"perOwner": 1}):
            self.sessionsWith(**limits)
            left = self.come(grant=mine)
            self.assertFalse(self.come(grant=attrs.evolve(mine, resumed=True)).leaving)
            self.assertTrue(left.leaving)
            stranger = attrs.evolve(mine, resumeHash="s" * 64)
            self.assertRaises((ConsoleBusy, OwnerBusy), self.come, grant=stranger)
            self.assertRaises((ConsoleBusy, OwnerBusy), self.come, grant=attrs.evolve(mine, resumeHash=None))
        self.sessionsWith(perConsole=3)
        left = self.come(grant=mine)
        self.come(grant=mine)
        self.assertFalse(left.leaving)

    def test_noCookie(self) -> None:
        """
        Two viewers without a resume secret are two, though they show the same token.
        """
        self.sessionsWith(sharing=Sharing.REFUSE)
        grant = self.grant()
        self.come(grant=grant)
        self.assertRaises(ConsoleBusy, self.come, grant=grant)

    def test_revoke(self) -> None:
        """
        A revocation ends what is at that console, also what is still opening; who has no token yet is left alone.
        """
        self.sessionsWith()
        gone = [self.come(), self.come()]
        stays = self.come(grant=self.grant(consoleID="vm8"))
        stranger = self.stack.enter_context(self.sessions.place(""))
        self.assertEqual(self.sessions.revoke("vm7"), 2)
        self.assertEqual(self.sessions.revoke("vm7"), 0)
        self.assertEqual([each.leaving for each in (*gone, stays, stranger)], [True, True, False, False])
        for each in gone:
            self.assertRaises(TokenUnknown, each.check)

    def test_firstReason(self) -> None:
        """
        Whoever is told twice to end hears the first reason.
        """
        place = Place(None)
        place.end(EndReason.TAKEN_OVER)
        place.end(EndReason.REVOKED)
        self.assertRaises(ConsoleBusy, place.check)

    def test_notUp(self) -> None:
        """
        A session that was told to end before it came up does not come up.
        """
        self.sessionsWith()
        place = self.come()
        self.sessions.revoke("vm7")
        loop = Loop()
        relay = Relay(loop, ByteStream(loop), ByteStream(loop), 60)
        opening = self.sessions.up(place, "s1", relay, _GRANT, _CONSOLE, _FACTS, 1)
        self.assertRaises(VNCProxyError, opening.__enter__)
        self.assertEqual(self.sessions.list(), [])


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
        with self.sessions.up(Place(None), "s1", self.relay(), _GRANT, _CONSOLE, _FACTS, 12.5):
            self.viewer.say(b"key")
            self.console.say(b"picture")
            self.loop.settle()
            self.assertEqual(self.sessions.list(), [expected])

    def test_order(self) -> None:
        """
        The oldest comes first, and what is over is not listed.
        """
        with self.sessions.up(Place(None), "s2", self.relay(), _GRANT, _CONSOLE, _FACTS, 1):
            with self.sessions.up(Place(None), "s1", self.relay(), _GRANT, _CONSOLE, _FACTS, 2):
                self.assertEqual([each.id for each in self.sessions.list()], ["s2", "s1"])
            self.assertEqual([each.id for each in self.sessions.list()], ["s2"])
        self.assertEqual(self.sessions.list(), [])

    def test_overAnyhow(self) -> None:
        """
        A session is not listed any more however it ended.
        """

        def fail() -> None:
            with self.sessions.up(Place(None), "s1", self.relay(), _GRANT, _CONSOLE, _FACTS, 1):
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        self.assertEqual(self.sessions.list(), [])

    def test_end(self) -> None:
        """
        One of them can be ended by its id, for a reason; the others go on.
        """
        first, second = self.relay(), self.relay()
        with (
            self.sessions.up(Place(None), "s1", first, _GRANT, _CONSOLE, _FACTS, 1),
            self.sessions.up(Place(None), "s2", second, _GRANT, _CONSOLE, _FACTS, 1),
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
            self.sessions.up(Place(None), "s1", first, _GRANT, _CONSOLE, _FACTS, 1),
            self.sessions.up(Place(None), "s2", second, _GRANT, _CONSOLE, _FACTS, 1),
        ):
            self.sessions.drain()
        self.assertIs(self.successResultOf(first.ended), EndReason.DRAINING)
        self.assertIs(self.successResultOf(second.ended), EndReason.DRAINING)

    def test_drainNeighbours(self) -> None:
        """
        A session that leaves because another one ends does no harm to the draining.
        """
        first, second = self.relay(), self.relay()
        with self.sessions.up(Place(None), "s1", first, _GRANT, _CONSOLE, _FACTS, 1):
            neighbour = self.sessions.up(Place(None), "s2", second, _GRANT, _CONSOLE, _FACTS, 1)
            neighbour.__enter__()
            first.ended.addCallback(lambda ignored: neighbour.__exit__(None, None, None))
            self.sessions.drain()
        self.assertEqual(self.sessions.list(), [])
        self.assertNoResult(second.ended)
