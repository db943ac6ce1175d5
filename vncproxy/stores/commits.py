"""
Group commit: whatever has come in while one transaction ran goes into the next one, in a thread of its own.

::

    reactor   submit submit submit ──┐        submit ──┐             answers of the first batch
    thread         BEGIN a COMMIT    BEGIN b c COMMIT  BEGIN d COMMIT

One hop to the thread and back, and one commit, serve as many jobs as are waiting; a job that comes alone waits for
nobody. The reactor never waits for the disk.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, Final, Generic, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from vncproxy.errors import ConfigError, TokensUnreachable

_log = Logger()

_T = TypeVar("_T")

MOST_WAITING: Final = 4096
"""
How many jobs may wait. One more is refused at once: it would only time out in the queue.
"""

_MOST_AT_ONCE: Final = 256
"""
How many jobs one transaction takes, so that no answer waits for a long one.
"""


@attrs.frozen(eq=False)
class _Job(Generic[_T]):
    """
    @ivar work: what to do inside a transaction. It changes nothing before it raises.
    @ivar writes: whether it changes anything.
    """

    work: Callable[[sqlite3.Connection], _T]
    writes: bool
    answer: Deferred[_T]


class _DaemonPool(ThreadPool):
    """
    A pool whose thread does not keep the process from ending. All that it may cut off is a transaction that was not
    committed.
    """

    threadFactory = staticmethod(partial(Thread, daemon=True))  # type: ignore[assignment]


class CommitQueue:
    """
    Jobs on one SQLite connection that lives in one thread.

    @ivar _connection: used in the thread alone; L{None} before the first job and after a failure, so that the next job
        tries anew.
    """

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection], reactor: IReactorFromThreads) -> None:
        """
        @param name: what logs call it.
        @param connect: opens the database; runs in the thread.
        """
        self._name = name
        self._connect = connect
        self._reactor = reactor
        self._pool = _DaemonPool(minthreads=1, maxthreads=1, name="vncproxy-store")
        self._connection: sqlite3.Connection | None = None
        self._waiting: deque[_Job[Any]] = deque()
        self._running = False
        self._failing = False
        self._closed: Deferred[None] | None = None

    def open(self) -> Deferred[None]:
        """
        Open the database now rather than with the first job.

        @raise ConfigError: it can never be opened as it is.
        @raise TokensUnreachable: it cannot be opened now.
        """
        if self._closed is not None:
            return fail(TokensUnreachable("the store is closed"))
        opened = deferToThreadPool(self._reactor, self._startedPool(), self._connected)
        return opened.addCallbacks(lambda connection: None, self._refuseOpening)

    def submit(self, work: Callable[[sqlite3.Connection], _T], writes: bool = True) -> Deferred[_T]:
        """
        Do C{work} in the next transaction; fires with what it returns once that is committed, and fails with what it
        raises.

        @raise TokensUnreachable: the database failed (nothing of the transaction remains), too many jobs are waiting,
            or the queue is closed.
        """
        if self._closed is not None:
            return fail(TokensUnreachable("the store is closed"))
        if len(self._waiting) >= MOST_WAITING:
            return fail(TokensUnreachable(f"{MOST_WAITING} jobs are waiting for the store"))
        job = _Job(work, writes, Deferred())
        self._waiting.append(job)
        self._next()
        return job.answer

    def close(self) -> Deferred[None]:
        """
        Take no more jobs, finish those that wait, let go of the file and the thread.
        """
        if self._closed is None:
            self._closed = Deferred()
            self._next()
        closed: Deferred[None] = Deferred()
        self._closed.addCallback(lambda result: closed.callback(None))
        return closed

    def _next(self) -> None:
        if self._running:
            return
        if self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
            self._hop(partial(self._transact, batch)).addBoth(self._settle, batch)
        elif self._closed is not None:
            self._hop(self._disconnect).addErrback(self._tellFailure).addBoth(self._stop)

    def _hop(self, work: Callable[[], _T]) -> Deferred[_T]:
        self._running = True
        return deferToThreadPool(self._reactor, self._startedPool(), work)

    def _startedPool(self) -> ThreadPool:
        if not self._pool.started:
            self._pool.start()
        return self._pool

    def _settle(self, outcomes: list[tuple[bool, Any]] | Failure, batch: list[_Job[Any]]) -> None:
        self._running = False
        # The thread goes on with what has come in meanwhile, while the answers are given here.
        self._next()
        if isinstance(outcomes, Failure):
            self._tellFailure(outcomes)
            for job in batch:
                job.answer.errback(TokensUnreachable("the store failed"))
            return
        if any(job.writes for job in batch):
            # Reading may go well all the while that writing does not.
            self._tellRecovery()
        for job, (done, outcome) in zip(batch, outcomes, strict=True):
            if done:
                job.answer.callback(outcome)
            else:
                job.answer.errback(outcome)

    def _stop(self, result: object) -> None:
        self._pool.stop()
        assert self._closed is not None
        self._closed.callback(None)

    def _refuseOpening(self, failure: Failure) -> None:
        if failure.check(ConfigError, CancelledError):
            failure.raiseException()
        self._tellFailure(failure)
        raise TokensUnreachable("the store cannot be opened now") from failure.value

    def _tellFailure(self, failure: Failure) -> None:
        # Once, not once a job: a full disk is not helped by logs.
        if not self._failing:
            _log.error("The store {store} fails: {error}", store=self._name, error=failure.getErrorMessage())
        self._failing = True

    def _tellRecovery(self) -> None:
        if self._failing:
            _log.info("The store {store} serves again.", store=self._name)
        self._failing = False

    # What follows runs in the thread.

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _transact(self, batch: list[_Job[Any]]) -> list[tuple[bool, Any]]:
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE" if any(job.writes for job in batch) else "BEGIN")
            outcomes = [_attempt(job, connection) for job in batch]
            connection.execute("COMMIT")
        except BaseException:
            # Closing rolls back. The next batch opens the file anew: it may have been moved, repaired or unlocked.
            self._disconnect()
            raise
        return outcomes


def _attempt(job: _Job[Any], connection: sqlite3.Connection) -> tuple[bool, Any]:
    try:
        return True, job.work(connection)
    except sqlite3.Error:
        raise
    except Exception as error:
        # The edge between two jobs: what one raises is for whoever submitted it, the others go on.
        return False, error
