"""
When a session must end though both sides would go on::

    started ────────── lifetime ──────────► session_too_long
    started ──────────── token expires ───► session_expired
    last input ──── idle ──► session_idle

Whichever comes first ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from vncproxy.interfaces import IFilter
from vncproxy.model import EndReason, SessionRules


class Curfew:
    """
    The limits in time of one session.
    """

    def __init__(self, clock: IReactorTime, rules: SessionRules, expires: float) -> None:
        """
        @param clock: its seconds are those since the epoch.
        @param expires: when the token of the session expires, in seconds since the epoch.
        """
        self._clock = clock
        self._rules = rules
        self._expires = expires
        self._heardAt = 0.0
        self._silence: IDelayedCall | None = None

    @contextmanager
    def kept(self, end: Callable[[EndReason], None]) -> Iterator[None]:
        """
        The session is up meanwhile: the time runs.

        @param end: called when a limit is reached.
        """
        now, rules = self._clock.seconds(), self._rules
        calls = []
        if rules.lifetime:
            calls.append(self._clock.callLater(rules.lifetime, end, EndReason.TOO_LONG))
        if rules.enforceExpiry:
            calls.append(self._clock.callLater(max(0.0, self._expires - now), end, EndReason.EXPIRED))
        if rules.idle:
            self._heardAt = now
            self._silence = self._clock.callLater(rules.idle, self._judge, end)
        try:
            yield
        finally:
            for call in (*calls, self._silence):
                if call is not None and call.active():
                    call.cancel()

    def heard(self) -> None:
        """
        The person at the viewer has done something.
        """
        # Called for each key and each motion: the timer looks at this only when it is due.
        self._heardAt = self._clock.seconds()

    def _judge(self, end: Callable[[EndReason], None]) -> None:
        left = self._heardAt + self._rules.idle - self._clock.seconds()
        if left > 0:
            self._silence = self._clock.callLater(left, self._judge, end)
        else:
            end(EndReason.IDLE)


@implementer(IFilter)
class AnyBytes:
    """
    Where nothing is known of what the viewer speaks, whatever it sends counts as done by a person. All of it passes.
    """

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard

    def feed(self, data: bytes) -> bytes:
        """
        See L{IFilter.feed}.
        """
        self._heard()
        return data
