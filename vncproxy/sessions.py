"""
The sessions that are up on this proxy, and the room that is left for more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs
from zope.interface import implementer

from vncproxy.addresses import countedAs
from vncproxy.errors import AddressBusy, AtCapacity, ConsoleBusy, Draining, OwnerBusy, TokenUnknown, VNCProxyError
from vncproxy.interfaces import ISessions
from vncproxy.model import Console, EndReason, Grant, Session, SessionLimits, Sharing, ViewerFacts
from vncproxy.relay import Relay

NO_LIMIT: Final = 0

_TURNED_AWAY: Final[dict[EndReason, type[VNCProxyError]]] = {
    EndReason.TAKEN_OVER: ConsoleBusy,
    EndReason.REVOKED: TokenUnknown,
}
"""
What a viewer is told whose session is to end before it has come up.
"""


@attrs.define(eq=False)
class Place:
    """
    One viewer's place, from its coming to its leaving.

    @ivar counted: what stands for its address where sessions are counted, or L{None}.
    @ivar grant: once its token is redeemed.
    @ivar relay: once its session is up.
    """

    counted: str | None
    grant: Grant | None = None
    relay: Relay | None = None
    _ordered: EndReason | None = None

    @property
    def leaving(self) -> bool:
        """
        Whether it was told to end, and so counts no more.
        """
        return self._ordered is not None

    def end(self, reason: EndReason) -> None:
        """
        End its session, or do not let it come up: the first reason counts.
        """
        self._ordered = self._ordered or reason
        if self.relay is not None:
            self.relay.end(reason)

    def check(self) -> None:
        """
        Whether its session may come up.

        @raise VNCProxyError: it was told to end meanwhile.
        """
        if self._ordered is not None:
            raise _TURNED_AWAY[self._ordered](f"{self._ordered.value} while it was being let in")

    def isOf(self, grant: Grant) -> bool:
        """
        Whether it is held by the very browser that comes with C{grant}.
        """
        held = self.grant
        return (
            held is not None
            and grant.resumeHash is not None
            and (held.tokenHash, held.resumeHash) == (grant.tokenHash, grant.resumeHash)
        )


@attrs.frozen
class _Entry:
    """
    A session that is up: what does not change of it, and its relay, which counts.
    """

    session: Session
    relay: Relay

    def picture(self) -> Session:
        return attrs.evolve(self.session, bytesIn=self.relay.bytesIn, bytesOut=self.relay.bytesOut)


_UNLIMITED: Final = SessionLimits()


@implementer(ISessions)
class Sessions:
    """
    See L{ISessions}.
    """

    def __init__(self, proxyID: str, capacity: int, limits: SessionLimits = _UNLIMITED) -> None:
        """
        @param capacity: how many viewers may be served at a time, those that are still opening included; 0 is any
            number.
        @param limits: of one address, one console and one owner.
        """
        self._proxyID = proxyID
        self._capacity = capacity
        self._limits = limits
        self._entries: dict[str, _Entry] = {}
        # In the order of their coming. A dictionary, as a set has none.
        self._places: dict[Place, None] = {}
        self._draining = False

    @contextmanager
    def place(self, address: str = "") -> Iterator[Place]:
        """
        Hold one viewer's place while it is served.

        @param address: the client's, in words.
        @raise Draining: no new viewer is taken.
        @raise AtCapacity: every place is held.
        @raise AddressBusy: as many are held from this address as may be.
        """
        if self._draining:
            raise Draining("the proxy is draining")
        if self._capacity != NO_LIMIT and len(self._places) >= self._capacity:
            raise AtCapacity(f"all {self._capacity} places are held")
        place = Place(countedAs(address))
        most = self._limits.perAddress
        if most != NO_LIMIT and place.counted is not None:
            held = sum(each.counted == place.counted and not each.leaving for each in self._places)
            if held >= most:
                raise AddressBusy(f"{held} sessions are held from {place.counted}")
        self._places[place] = None
        try:
            yield place
        finally:
            del self._places[place]

    def take(self, place: Place, grant: Grant) -> None:
        """
        The viewer's token was good: seat it at its console, by the rule on sharing.

        A browser that comes back is not in its own way: what it may have left behind, on a connection that is dead and
        not known to be, makes room.

        @raise ConsoleBusy: the console has viewers, and may have no more.
        @raise OwnerBusy: its token's owner has as many sessions as it may have.
        """
        limits = self._limits
        others = self._seated(lambda held: held.consoleID == grant.consoleID)
        most = 1 if limits.sharing is Sharing.REFUSE else limits.perConsole
        if limits.sharing is Sharing.TAKEOVER:
            for each in others:
                each.end(EndReason.TAKEN_OVER)
        elif most != NO_LIMIT and len(self._withoutOwn(others, grant, most)) >= most:
            raise ConsoleBusy(f"it has {most} of {most} viewers")
        if grant.owner and limits.perOwner != NO_LIMIT:
            owned = self._seated(lambda held: held.owner == grant.owner)
            if len(self._withoutOwn(owned, grant, limits.perOwner)) >= limits.perOwner:
                raise OwnerBusy(f"{limits.perOwner} sessions are held by tokens of {grant.owner}")
        place.grant = grant

    def _seated(self, counts: Callable[[Grant], bool]) -> list[Place]:
        """
        The places that are held by certain grants, oldest first.
        """
        return [each for each in self._places if each.grant is not None and not each.leaving and counts(each.grant)]

    def _withoutOwn(self, places: list[Place], grant: Grant, most: int) -> list[Place]:
        """
        Of these, those that remain when a browser that comes back has its earlier ones ended, should it need the room.
        """
        if len(places) < most:
            return places
        for each in places:
            if each.isOf(grant):
                each.end(EndReason.TAKEN_OVER)
        return [each for each in places if not each.leaving]

    @contextmanager
    def up(
        self,
        place: Place,
        sessionID: str,
        relay: Relay,
        grant: Grant,
        console: Console,
        facts: ViewerFacts,
        started: float,
    ) -> Iterator[Session]:
        """
        List a session while its relay runs.

        @raise VNCProxyError: it was told to end before it came up.
        """
        place.check()
        session = Session(
            id=sessionID,
            consoleID=console.id,
            consoleName=console.name,
            frontend=facts.frontend,
            client=facts.address,
            proxy=self._proxyID,
            tokenID=grant.tokenID,
            viewOnly=grant.viewOnly,
            resumed=grant.resumed,
            started=started,
            bytesIn=0,
            bytesOut=0,
            owner=grant.owner,
        )
        self._entries[sessionID] = _Entry(session, relay)
        place.relay = relay
        try:
            yield session
        finally:
            del self._entries[sessionID]

    def list(self) -> Sequence[Session]:
        """
        See L{ISessions.list}.
        """
        return [entry.picture() for entry in self._entries.values()]

    def end(self, sessionID: str, reason: EndReason) -> bool:
        """
        See L{ISessions.end}.
        """
        entry = self._entries.get(sessionID)
        if entry is None:
            return False
        entry.relay.end(reason)
        return True

    def revoke(self, consoleID: str) -> int:
        """
        See L{ISessions.revoke}.
        """
        places = self._seated(lambda held: held.consoleID == consoleID)
        for each in places:
            each.end(EndReason.REVOKED)
        return len(places)

    def drain(self) -> None:
        """
        Take no new viewer, and end every session with the reason C{draining}.
        """
        self._draining = True
        for sessionID in tuple(self._entries):
            self.end(sessionID, EndReason.DRAINING)
