"""
The sessions that are up on this proxy, and the room that is left for more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs
from zope.interface import implementer

from vncproxy.errors import AtCapacity, Draining
from vncproxy.interfaces import ISessions
from vncproxy.model import Console, EndReason, Grant, Session, ViewerFacts
from vncproxy.relay import Relay

NO_LIMIT: Final = 0


@attrs.frozen
class _Entry:
    """
    A session that is up: what does not change of it, and its relay, which counts.
    """

    session: Session
    relay: Relay

    def picture(self) -> Session:
        return attrs.evolve(self.session, bytesIn=self.relay.bytesIn, bytesOut=self.relay.bytesOut)


@implementer(ISessions)
class Sessions:
    """
    See L{ISessions}.
    """

    def __init__(self, proxyID: str, capacity: int) -> None:
        """
        @param capacity: how many viewers may be served at a time, those that are still opening included; 0 is any
            number.
        """
        self._proxyID = proxyID
        self._capacity = capacity
        self._entries: dict[str, _Entry] = {}
        self._places = 0
        self._draining = False

    @contextmanager
    def place(self) -> Iterator[None]:
        """
        Hold one viewer's place while it is served.

        @raise Draining: no new viewer is taken.
        @raise AtCapacity: every place is held.
        """
        if self._draining:
            raise Draining("the proxy is draining")
        if self._capacity != NO_LIMIT and self._places >= self._capacity:
            raise AtCapacity(f"all {self._capacity} places are held")
        self._places += 1
        try:
            yield
        finally:
            self._places -= 1

    @contextmanager
    def up(
        self, sessionID: str, relay: Relay, grant: Grant, console: Console, facts: ViewerFacts, started: float
    ) -> Iterator[Session]:
        """
        List a session while its relay runs.
        """
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
        )
        self._entries[sessionID] = _Entry(session, relay)
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

    def drain(self) -> None:
        """
        Take no new viewer, and end every session with the reason C{draining}.
        """
        self._draining = True
        for sessionID in tuple(self._entries):
            self.end(sessionID, EndReason.DRAINING)
