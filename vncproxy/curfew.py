"""
When a session must end though both sides would go on::

    began ──────────── lifetime ──────────► session_too_long
    began ────────────── token expires ───► session_expired
    last input ──── idle ──► session_idle

Whichever comes first ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from vncproxy.interfaces import IFilter
from vncproxy.model import EndReason, Grant, SessionRules

REMEMBERED: Final = 10_000
"""
Of how many browsers it is remembered when they began. Beyond that the one that came longest ago is forgotten.
"""


class Beginnings:
    """
    When browsers began the sessions that they may resume, so that a lifetime does not begin anew with each of them.
    """

    def __init__(self) -> None:
        self._at: dict[tuple[str, str], float] = {}

    def of(self, grant: Grant, now: float) -> float:
        """
        When the first of the sessions began that C{grant} goes on with: C{now}, if it is itself the first, or if nobody
        remembers.
        """
        if grant.resumeHash is None:
            return now
        browser = grant.tokenHash, grant.resumeHash
        began = self._at.pop(browser, now) if grant.resumed else now
        # To the end, where the youngest are.
        self._at[browser] = began
        if len(self._at) > REMEMBERED:
            del self._at[next(iter(self._at))]
        return began


class Curfew:
    """
    The limits in time of one session.
    """

    def __init__(self, clock: IReactorTime, rules: SessionRules, expires: float, began: float) -> None:
        """
        @param clock: its seconds are those since the epoch.
        @param expires: when the token of the session expires, in seconds since the epoch.
        @param began: see L{Beginnings.of}.
        """
        self._clock = clock
        self._rules = rules
        self._expires = expires
        self._began = began
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
            left = max(0.0, self._began + rules.lifetime - now)
            calls.append(self._clock.callLater(left, end, EndReason.TOO_LONG))
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
