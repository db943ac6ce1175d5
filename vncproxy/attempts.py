"""
How many wrong tokens and API keys a client may show.

Each address has a bucket that every wrong one fills by a drop and that empties by the configured number of drops a
minute. Whoever has filled it is not heard until there is room for one more::

    3 a minute     wrong  wrong  wrong │ 429 · · · · 20 s · · · · │ wrong │ 429 · · · · 20 s · · · · │
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Final

import attrs

from vncproxy.addresses import countedAs
from vncproxy.errors import TooManyAttempts

TABLE_LIMIT: Final = 10_000
"""
How many addresses are remembered. Beyond that the one that was wrong longest ago is forgotten.
"""

_DEEPEST: Final = 10
"""
How many times the bucket's size may be in it, of requests that came in before the first was found to be wrong: it takes
so many minutes to empty.
"""


@attrs.frozen
class _Bucket:
    """
    @ivar drops: in it at that moment.
    @ivar at: seconds since the epoch.
    """

    drops: float
    at: float


class Attempts:
    """
    The wrong tokens and keys of the last minutes, by client address.
    """

    def __init__(self, perMinute: int, now: Callable[[], float]) -> None:
        """
        @param perMinute: how many one address may show; 0 is any number.
        @param now: the time, in seconds.
        """
        self._size = perMinute
        self._now = now
        self._buckets: dict[str, _Bucket] = {}

    def check(self, address: str) -> None:
        """
        Whether a client at this address is heard.

        @raise TooManyAttempts: not now.
        """
        counted = self._countedAs(address)
        if counted is None or counted not in self._buckets:
            return
        drops = self._dropsOf(counted)
        if not drops:
            del self._buckets[counted]
        # Within what floating point loses while it empties.
        excess = drops - (self._size - 1)
        if excess > 1e-6:
            raise TooManyAttempts(ceil(excess * 60 / self._size))

    def failed(self, address: str) -> None:
        """
        A client at this address has shown a wrong one.
        """
        counted = self._countedAs(address)
        if counted is None:
            return
        drops = min(self._dropsOf(counted) + 1, self._size * _DEEPEST)
        # To the end, where the youngest are.
        self._buckets.pop(counted, None)
        self._buckets[counted] = _Bucket(drops, self._now())
        if len(self._buckets) > TABLE_LIMIT:
            del self._buckets[next(iter(self._buckets))]

    def passed(self, address: str) -> None:
        """
        What was counted as wrong in advance was not: a token or key counts from the moment at which it is shown, so
        that nobody is heard more often by showing many at once.
        """
        counted = self._countedAs(address)
        if counted is None or counted not in self._buckets:
            return
        drops = self._dropsOf(counted) - 1
        if drops > 0:
            self._buckets[counted] = _Bucket(drops, self._now())
        else:
            del self._buckets[counted]

    def _countedAs(self, address: str) -> str | None:
        return countedAs(address) if self._size else None

    def _dropsOf(self, counted: str) -> float:
        bucket = self._buckets.get(counted)
        if bucket is None:
            return 0.0
        return max(0.0, bucket.drops - (self._now() - bucket.at) * self._size / 60)


ANY_NUMBER: Final = Attempts(0, lambda: 0.0)
"""
Without a limit.
"""
