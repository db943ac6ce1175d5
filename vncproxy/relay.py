"""
Relay: two streams joined until one ending::

    viewer ──received──► lane (count, filter) ──write──► console
    viewer ◄──write── lane (count) ◄──received── console

Each transport is the other's streaming producer, so a peer that does not read stops the other from being read, and what
is held in between stays bounded. The relay knows nothing of RFB; the one thing that may look at the viewer's bytes is a
filter, and only where a policy needs it.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from vncproxy.errors import UnparseableInput
from vncproxy.interfaces import IByteStream, IFilter
from vncproxy.model import EndReason
from vncproxy.pump import readMuch

_log = Logger()

_PARTINGS: Final = frozenset(
    {EndReason.VIEWER_CLOSED, EndReason.VIEWER_LOST, EndReason.CONSOLE_CLOSED, EndReason.CONSOLE_LOST}
)
"""
The reasons for which one of the two leaves.
"""


class _Lane:
    """
    One direction.

    @ivar count: bytes that came in at its source.
    @ivar finished: its source sends no more.
    """

    def __init__(
        self, relay: Relay, source: IByteStream, target: IByteStream, closed: EndReason, lost: EndReason
    ) -> None:
        self.count = 0
        self.finished = False
        self._relay = relay
        self._source = source
        self._target = target
        self._write = target.write
        self._closed = closed
        self._lost = lost

    def received(self, data: bytes) -> None:
        self.count += len(data)
        self._write(data)

    def readEnded(self) -> None:
        self.finished = True
        if not self._target.halfCloseable:
            self._relay.end(self._closed)
            return
        # The target's producer has nothing more to produce, and a transport with a producer never closes its half.
        self._target.transport.unregisterProducer()
        self._target.endWriting()
        self._relay.halfClosed(self._closed)

    def lost(self, clean: bool) -> None:
        # Who has said that it sends no more has closed, however its connection ends then.
        self._relay.end(self._closed if clean or self.finished else self._lost)


class _FilteredLane(_Lane):
    """
    A direction under a rule that may drop bytes, or forbid to go on.
    """

    def __init__(
        self,
        relay: Relay,
        source: IByteStream,
        target: IByteStream,
        closed: EndReason,
        lost: EndReason,
        rule: IFilter,
        unparseable: EndReason,
    ) -> None:
        super().__init__(relay, source, target, closed, lost)
        self._rule = rule
        self._unparseable = unparseable

    def received(self, data: bytes) -> None:
        self.count += len(data)
        try:
            passed = self._rule.feed(data)
        except UnparseableInput as error:
            _log.info("a viewer under a rule sent what cannot be parsed: {cause}", cause=str(error))
            self._relay.end(self._unparseable)
            return
        if passed:
            self._write(passed)


class Relay:
    """
    A viewer and a console, joined.

    @ivar ended: fires once, with the reason, at the moment at which the relay ends. Cancelling it ends the relay.
    """

    def __init__(
        self,
        clock: IReactorTime,
        viewer: IByteStream,
        console: IByteStream,
        halfClosedSeconds: float,
        rule: IFilter | None = None,
        outwardRule: IFilter | None = None,
    ) -> None:
        """
        @param halfClosedSeconds: how long one side may go on alone after the other has sent its last.
        @param rule: what the viewer sends goes through it, where given.
        @param outwardRule: what the console sends goes through it, where given.
        """
        self.ended: Deferred[EndReason] = Deferred(lambda ended: self.end(EndReason.VIEWER_LOST))
        self._clock = clock
        self._viewer = viewer
        self._console = console
        self._halfClosedSeconds = halfClosedSeconds
        self._reason: EndReason | None = None
        self._firstClosed: EndReason | None = None
        self._timer: IDelayedCall | None = None
        closed, lost = EndReason.VIEWER_CLOSED, EndReason.VIEWER_LOST
        self._inwards = (
            _Lane(self, viewer, console, closed, lost)
            if rule is None
            else _FilteredLane(self, viewer, console, closed, lost, rule, EndReason.UNPARSEABLE)
        )
        closed, lost = EndReason.CONSOLE_CLOSED, EndReason.CONSOLE_LOST
        self._outwards = (
            _Lane(self, console, viewer, closed, lost)
            if outwardRule is None
            else _FilteredLane(self, console, viewer, closed, lost, outwardRule, EndReason.CONSOLE_UNPARSEABLE)
        )

    @property
    def bytesIn(self) -> int:
        """
        What the viewer has sent so far.
        """
        return self._inwards.count

    @property
    def bytesOut(self) -> int:
        """
        What the console has sent so far.
        """
        return self._outwards.count

    def start(self) -> None:
        """
        Join the two: from here on every byte passes, and whatever has happened meanwhile is heard now.
        """
        # What the console sends is most of what passes.
        readMuch(self._console.transport)
        self._viewer.transport.registerProducer(self._console.transport, True)
        self._console.transport.registerProducer(self._viewer.transport, True)
        self._console.handOver(self._outwards)
        if self._reason is None:
            self._viewer.handOver(self._inwards)

    def halfClosed(self, closed: EndReason) -> None:
        """
        One side has sent its last; the other may go on for a while.
        """
        self._firstClosed = self._firstClosed or closed
        if self._inwards.finished and self._outwards.finished:
            self.end(self._firstClosed)
        else:
            self._timer = self._clock.callLater(self._halfClosedSeconds, self._halfClosedTooLong)

    def _halfClosedTooLong(self) -> None:
        self._timer = None
        self.end(EndReason.HALF_CLOSED)

    def end(self, reason: EndReason) -> None:
        """
        Part the two, tell the viewer why, and hang up on both. Only the first reason counts.
        """
        if self._reason is not None:
            return
        if self._firstClosed is not None and reason in _PARTINGS:
            # Who goes second only follows the first.
            reason = self._firstClosed
        self._reason = reason
        if self._timer is not None:
            self._timer.cancel()
        # Before anybody hangs up: that may tell our owner of the loss at once, who would cancel this.
        self.ended.callback(reason)
        for stream in (self._viewer, self._console):
            # A transport with a producer never closes, as it waits for more.
            stream.transport.unregisterProducer()
            stream.close(reason.closeCode, reason.value)
