"""
The one connection of a store to its Redis, kept up: dialled, logged in, tried every second, made anew when it is lost.

::

    dial ──► AUTH ──► SELECT ──► ROLE, TIME ──► up ── TIME every second ──► lost ──┐
      ▲                                                                            │
      ╰──────────────────────────── a short wait, longer each time ◄───────────────╯

Whatever is asked of it is over after the configured time: what was not sent by then is never sent, and what was sent
changes nothing any more, as scripts look at the clock of Redis first (C{by}).

Twisted's C{ClientService} is not used: to it a connection is made before anybody has logged in.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from random import uniform
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.defer import TimeoutError as WaitedTooLong
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from vncproxy.config import StoreSection
from vncproxy.config.stores import RedisPlace
from vncproxy.errors import ConfigError, TokensUnreachable
from vncproxy.stores.redisdial import RedisDialler, WireLost, WireRefusal, readPassword

if TYPE_CHECKING:
    from vncproxy.stores.rediswire import RedisWire

_log = Logger()

_T = TypeVar("_T")

MOST_WAITING: Final = 4096
"""
How much may be under way. More would only run out of time.
"""

_BEAT_SECONDS: Final = 1.0
_SILENT_SECONDS: Final = 2.0
"""
How often the connection is tried, and how long it may take for its answer until it counts as dead.
"""

_CONNECT_SECONDS: Final = 2.0

_SHORTEST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 0.5
"""
How long is waited between attempts. A Redis that is back is found within this.
"""

_PASSING: Final = frozenset({"LOADING", "READONLY", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "LATE"})
"""
Errors that a new connection may not meet: it may lead to another master, and it looks at the clock anew.
"""


class RedisLink:
    """
    A Redis, as long as the store is open.
    """

    def __init__(self, reactor: Any, place: RedisPlace, settings: StoreSection) -> None:
        self._clock: IReactorTime = reactor
        self._place = place
        self._settings = settings
        self._dialler = RedisDialler(reactor, place, settings)
        self._wire: RedisWire | None = None
        self._waiting: list[Deferred[RedisWire]] = []
        self._running: set[Deferred[Any]] = set()
        self._keeping: Deferred[None] | None = None
        self._closed = False
        self._ended = False
        # What stands in the way now, in words, and whether somebody has to change something about it.
        self._trouble = "it was not dialled yet"
        self._refused = False
        self._lostAt: float | None = None
        # How far the clock of Redis is ahead of ours, in seconds.
        self._ahead = 0.0

    async def open(self) -> None:
        """
        Begin to keep the connection up, and wait until it is for the first time.

        @raise ConfigError: Redis does not let us in.
        @raise TokensUnreachable: it is not there.
        """
        if self._keeping is None and not self._closed:
            self._keeping = Deferred.fromCoroutine(self._keep())
            self._keeping.addErrback(_logUnlessCancelled)
        try:
            await self.within(_nothing)
        except TokensUnreachable as error:
            if self._refused:
                raise ConfigError(f"store.url: {self._place.name} {self._trouble}.") from error
            raise

    async def close(self) -> None:
        """
        Take nothing new, let what is under way come to its end, and hang up.
        """
        self._closed = True
        await DeferredList(tuple(self._running))
        self._ended = True
        if self._keeping is not None:
            self._keeping.cancel()
            await self._keeping
        wire, self._wire = self._wire, None
        if wire is not None:
            gone = wire.whenDisconnected()
            wire.close()
            try:
                await gone.addTimeout(_SILENT_SECONDS, self._clock)
            except WaitedTooLong:
                wire.abort()

    async def within(self, work: Callable[[RedisWire, float], Coroutine[Any, Any, _T]]) -> _T:
        """
        What C{work} comes to. It is given a connection, and the moment by the clock of Redis at which its time is over;
        it is begun anew on the next connection if it loses this one, so it has to bear being done twice.

        @raise TokensUnreachable: it did not come to an end in time, or Redis refused it, or has been away for so long
            that nobody is made to wait for it.
        """
        if self._closed:
            raise TokensUnreachable("the store is closed")
        if len(self._running) >= MOST_WAITING:
            raise TokensUnreachable(f"{self._place.name} is behind with {MOST_WAITING} requests")
        if self._lostAt is not None and self._clock.seconds() - self._lostAt > self._settings.timeout:
            raise TokensUnreachable(f"{self._place.name} {self._trouble}")
        by = self._clock.seconds() + self._settings.timeout
        running = Deferred.fromCoroutine(self._attempts(work, by))
        running.addTimeout(self._settings.timeout, self._clock, self._tooLate)
        self._running.add(running)
        try:
            return await running
        finally:
            self._running.discard(running)

    async def _attempts(self, work: Callable[[RedisWire, float], Coroutine[Any, Any, _T]], by: float) -> _T:
        while True:
            wire = await self._up()
            try:
                return await work(wire, by + self._ahead)
            except WireLost:
                self._drop(wire)
            except WireRefusal as error:
                if error.code not in _PASSING:
                    hint = ": see docs/redis.rst for the rights that we need" if error.code == "NOPERM" else ""
                    raise TokensUnreachable(f"{self._place.name} refuses ({error.code}){hint}") from error
                self._trouble = f"cannot serve now ({error.code})"
                self._drop(wire)

    def _up(self) -> Deferred[RedisWire]:
        """
        The connection, once there is one. Cancel it to wait no longer.
        """
        if self._wire is not None:
            return succeed(self._wire)
        waiting: Deferred[RedisWire] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def _drop(self, wire: RedisWire) -> None:
        """
        Nobody is to use this connection any more.
        """
        if self._wire is wire:
            self._wire = None
        wire.abort()

    def _tooLate(self, result: object, seconds: float) -> NoReturn:
        trouble = "does not answer" if self._wire is not None else self._trouble
        raise TokensUnreachable(f"{self._place.name} {trouble} (waited {seconds:g} s)")

    # Keeping it up.

    async def _keep(self) -> None:
        failures = 0
        while not self._ended:
            try:
                wire = await self._connect()
            except (WireLost, WireRefusal, WaitedTooLong, ConfigError) as error:
                self._failed(error)
                failures += 1
            else:
                failures = 0
                self._admit(wire)
                await self._watch(wire)
            if not self._ended:
                await deferLater(self._clock, _delay(failures))

    async def _connect(self) -> RedisWire:
        """
        A connection that is logged in.
        """
        wire = await Deferred.fromCoroutine(self._dialler.dial()).addTimeout(_CONNECT_SECONDS, self._clock)
        try:
            await Deferred.fromCoroutine(self._logIn(wire)).addTimeout(_CONNECT_SECONDS, self._clock)
        except BaseException:
            wire.abort()
            raise
        return wire

    async def _logIn(self, wire: RedisWire) -> None:
        password = readPassword(self._place, self._settings)
        if password is not None:
            await wire.ask("AUTH", *filter(None, (self._place.user,)), password.encode("utf-8", "surrogateescape"))
        if self._place.database:
            await wire.ask("SELECT", self._place.database)
        role = await wire.ask("ROLE")
        if role[0] != "master":
            # After a failover it may be the master once more, or its Sentinels may name another.
            raise WireRefusal("READONLY")
        await self._readClock(wire)

    async def _readClock(self, wire: RedisWire) -> None:
        asked = self._clock.seconds()
        seconds, micros = await wire.ask("TIME")
        self._ahead = int(seconds) + int(micros) / 1e6 - (asked + self._clock.seconds()) / 2

    def _admit(self, wire: RedisWire) -> None:
        self._wire = wire
        self._refused = False
        if self._lostAt is not None:
            seconds = self._clock.seconds() - self._lostAt
            _log.info("{name} is back after {seconds:.1f} s", name=self._place.name, seconds=seconds)
            self._lostAt = None
        while self._waiting:
            self._waiting.pop(0).callback(wire)

    async def _watch(self, wire: RedisWire) -> None:
        """
        Wait until the connection is lost, and see to it that a dead one is.
        """
        gone = wire.whenDisconnected()
        beating = Deferred.fromCoroutine(self._beat(wire))
        beating.addErrback(_logUnlessCancelled)
        try:
            await gone
        finally:
            beating.cancel()
        if self._wire is wire:
            self._wire = None
        self._trouble = "hung up"
        self._lost()

    async def _beat(self, wire: RedisWire) -> None:
        while True:
            await deferLater(self._clock, _BEAT_SECONDS)
            try:
                await Deferred.fromCoroutine(self._readClock(wire)).addTimeout(_SILENT_SECONDS, self._clock)
            except (WireLost, WireRefusal, WaitedTooLong):
                self._drop(wire)
                return

    def _failed(self, error: Exception) -> None:
        """
        An attempt to connect has failed. If waiting will not help, whoever waits hears so at once.
        """
        self._trouble, self._refused = _words(error)
        self._lost()
        while self._refused and self._waiting:
            self._waiting.pop(0).errback(TokensUnreachable(f"{self._place.name} {self._trouble}"))

    def _lost(self) -> None:
        """
        Tell the operator, once.
        """
        if self._lostAt is None and not self._closed:
            self._lostAt = self._clock.seconds()
            _log.warn("{name} is out of reach: it {trouble}", name=self._place.name, trouble=self._trouble)


def _words(error: Exception) -> tuple[str, bool]:
    """
    Why there is no connection, and whether somebody has to change something about it.
    """
    if isinstance(error, ConfigError):
        return f"cannot be dialled: {error}", True
    if isinstance(error, WireRefusal):
        if error.code == "READONLY":
            return "is a replica, which cannot be written to", False
        return f"does not let us in ({error.code})", error.code not in _PASSING
    if isinstance(error, WireLost):
        if error.untrusted:
            return "does not agree with us on TLS: its certificate, or ours, is not trusted", True
        return f"cannot be connected to ({error})", False
    return "does not answer", False


def _delay(failures: int) -> float:
    """
    How long to wait before the next attempt. Proxies that have lost the same Redis do not come back in step.
    """
    delay: float = min(_SHORTEST_WAIT * 1.7 ** min(failures, 20), _LONGEST_WAIT)
    return delay * uniform(0.8, 1.2)


async def _nothing(wire: RedisWire, by: float) -> None:
    """
    The least that can be asked of a connection.
    """


def _logUnlessCancelled(failure: Failure) -> None:
    if not failure.check(CancelledError):
        _log.failure("the connection to Redis is not kept up any more", failure)
