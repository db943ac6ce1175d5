"""
The audit trail: who did what, from where and why, one line each, in the log and in the store.

::

    something happens ──► the log, at once
                     ╰──► a queue in memory ──every quarter of a second──► the store
                          bounded

Nobody waits for the store. While it is down the queue is kept and tried again; when the queue is full, what comes then
is in the log only, and it is counted how much that is. So a store that is down ends no session and hinders none: it
hinders new ones anyway, as no token can be minted or redeemed without it.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import attrs
import msgspec
from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from vncproxy.errors import TokensUnreachable
from vncproxy.interfaces import IAuditTrail, IStore
from vncproxy.model import AuditEntry, AuditEvent, formatMoment

_log = Logger()

#: The lines themselves, told from all else by their namespace.
_lines = Logger(namespace="audit")

MOST_WAITING: Final = 10_000
"""
How many entries may wait for the store: some 10 MB.
"""

MOST_STRANGERS: Final = 60
"""
How many refusals of viewers whose token was not good the store is given in a minute. The rest is in the log only:
whoever has no token shall not be able to fill the store.
"""

_MOST_AT_ONCE: Final = 500

_GATHERING_SECONDS: Final = 0.25
"""
For how long entries are gathered, so that a store that is busy is asked once and not once for each.
"""

_RETRY_SECONDS: Final = 5.0

_STOPPING_SECONDS: Final = 5.0

_PRUNING_SECONDS: Final = 3600.0

_DAY: Final = 86400.0

_NAMES: Final = {
    "id": "id",
    "at": "time",
    "event": "event",
    "key": "key",
    "client": "client",
    "console": "console",
    "consoleType": "type",
    "frontend": "frontend",
    "session": "session",
    "token": "token",
    "subject": "subject",
    "reason": "reason",
    "bytesIn": "bytes_in",
    "bytesOut": "bytes_out",
    "seconds": "seconds",
    "proxy": "proxy",
}
"""
What programs call each part of an entry.
"""


def describe(entry: AuditEntry) -> dict[str, Any]:
    """
    An entry as programs read it: what does not apply is left out.
    """
    parts = {name: getattr(entry, part) for part, name in _NAMES.items()}
    parts["time"] = datetime.fromtimestamp(entry.at, UTC)
    if entry.seconds is not None:
        parts["seconds"] = round(entry.seconds, 3)
    return {name: value for name, value in parts.items() if value is not None and value != ""}


def mintTag() -> str:
    """
    What tells the entries of this process from those of others at the same moment.
    """
    return secrets.token_hex(4)


@implementer(IAuditTrail)
class AuditTrail:
    """
    See the head of this module.
    """

    def __init__(
        self,
        store: IStore,
        clock: IReactorTime,
        proxy: str,
        retentionDays: float,
        makeTag: Callable[[], str] = mintTag,
    ) -> None:
        """
        @param clock: its seconds are those since the epoch.
        @param proxy: what this proxy is called.
        @param retentionDays: for how many days entries are kept in the store; 0 is for ever.
        """
        self._store = store
        self._clock = clock
        self._proxy = proxy
        self._retention = retentionDays * _DAY
        self._tag = makeTag()
        self._serial = 0
        self._waiting: deque[AuditEntry] = deque()
        self._dropped = 0
        # The minute, and how many strangers were refused in it.
        self._strangers = (0, 0)
        self._failing = False
        self._stopped = False
        self._writing: Deferred[None] | None = None
        self._next: IDelayedCall | None = None
        self._pruning = TimerService(_PRUNING_SECONDS, self._pruneQuietly)
        self._pruning.clock = clock

    def start(self) -> None:
        """
        Forget what is too old, now and every hour.
        """
        if self._retention:
            self._pruning.startService()

    async def stop(self) -> None:
        """
        Write what waits. If the store does not take it, the log says how much that was.
        """
        if self._pruning.running:
            await self._pruning.stopService()
        self._stopped = True
        flushing = Deferred.fromCoroutine(self.flush())
        try:
            await flushing.addTimeout(_STOPPING_SECONDS, self._clock)
        except DeferredTimeout:
            self._failing = True
        if self._waiting or self._dropped:
            _log.warn(
                "{count} entries of the audit trail stand in the log only", count=len(self._waiting) + self._dropped
            )

    def note(self, entry: AuditEntry) -> None:
        """
        See L{IAuditTrail.note}.
        """
        now = self._clock.seconds()
        self._serial = (self._serial + 1) % 0x1000000
        entry = attrs.evolve(entry, id=f"{formatMoment(now)}-{self._serial:06x}{self._tag}", at=now, proxy=self._proxy)
        _lines.info("{line}", line=msgspec.json.encode(describe(entry)).decode())
        if entry.event is AuditEvent.REFUSED and not entry.console and self._spared(int(now // 60)):
            return
        if len(self._waiting) >= MOST_WAITING:
            if not self._dropped:
                _log.warn("the audit trail's queue for the store is full: what comes now stands in the log only")
            self._dropped += 1
            return
        self._waiting.append(entry)
        if not self._failing:
            self._writeIn(_GATHERING_SECONDS)

    async def flush(self) -> None:
        """
        Write what waits, now. Whether that went well shows in the log, and in what the store knows.
        """
        if self._writing is None:
            self._begin()
        if self._writing is not None:
            written: Deferred[None] = Deferred()
            self._writing.addCallback(lambda ignored: written.callback(None))
            await written

    def _spared(self, minute: int) -> bool:
        """
        Whether the store has heard of enough strangers in this minute.
        """
        last, count = self._strangers
        count = count + 1 if minute == last else 1
        self._strangers = minute, count
        if count == MOST_STRANGERS + 1:
            _log.warn(
                "many viewers without a good token are refused: for the rest of this minute they stand in the log only"
            )
        return count > MOST_STRANGERS

    def _writeIn(self, seconds: float) -> None:
        if self._writing is None and self._next is None and not self._stopped:
            self._next = self._clock.callLater(seconds, self._begin)

    def _begin(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None
        if not self._waiting:
            return
        self._writing = writing = Deferred.fromCoroutine(self._write())
        writing.addErrback(self._failed)
        writing.addCallback(self._written)

    async def _write(self) -> None:
        while self._waiting:
            batch = list(islice(self._waiting, _MOST_AT_ONCE))
            await self._store.addAudit(batch)
            for _ in batch:
                self._waiting.popleft()
            self._recovered()

    def _written(self, result: object) -> None:
        self._writing = None
        if self._waiting:
            self._writeIn(_RETRY_SECONDS if self._failing else _GATHERING_SECONDS)

    def _failed(self, failure: Failure) -> None:
        if not self._failing:
            if failure.check(TokensUnreachable):
                _log.warn("the audit trail waits for the store: {error}", error=failure.getErrorMessage())
            else:
                _log.failure("the audit trail waits for the store", failure)
        self._failing = True

    def _recovered(self) -> None:
        if self._failing:
            _log.info("the audit trail is written again; {count} entries stand in the log only", count=self._dropped)
        self._failing, self._dropped = False, 0

    def _pruneQuietly(self) -> Deferred[None]:
        before = self._clock.seconds() - self._retention
        pruning = Deferred.fromCoroutine(self._store.purgeAudit(before))
        return pruning.addCallbacks(_tellPruned, _tellUnpruned)


def _tellPruned(count: int) -> None:
    if count:
        _log.debug("{count} entries of the audit trail were too old", count=count)


def _tellUnpruned(failure: Failure) -> None:
    if failure.check(TokensUnreachable):
        _log.warn("the audit trail was not pruned: {error}", error=failure.getErrorMessage())
    else:
        _log.failure("the audit trail was not pruned", failure)
