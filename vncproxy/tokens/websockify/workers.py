"""
Threads for what waits in ways of its own: files, and classes of other people.

They are few and apart from the reactor's own threads, which look up names: a plugin that hangs takes nothing from
anybody else, and does not keep the program from ending.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from vncproxy.errors import TokensUnreachable

_T = TypeVar("_T")

THREADS: Final = 8

MOST_WAITING: Final = 256
"""
How many calls may be under way or wait. One more is refused at once: it would only time out in the queue.
"""


class _DaemonPool(ThreadPool):
    """
    Its threads end with the program, whatever they are doing.
    """

    threadFactory = staticmethod(partial(Thread, daemon=True))  # type: ignore[assignment]

    def stop(self) -> None:
        # The one of Twisted waits for every thread.
        self.joined = True
        self.started = False
        self._team.quit()


def _done(work: Callable[[], _T]) -> _T:
    """
    What C{work} returns. An attempt of its to end the program, which in a thread ends nothing, is a fault of it.
    """
    try:
        return work()
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f"it raised {type(error).__name__}") from error


class Workers:
    """
    Runs calls in threads of its own: each plugin has one of these, so that one that hangs hinders no other.
    """

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._pool = _DaemonPool(minthreads=0, maxthreads=THREADS, name="vncproxy-tokens")
        self._count = 0

    async def run(self, work: Callable[[], _T]) -> _T:
        """
        What C{work} returns, or raises. If nobody waits for it any more by the time that a thread is free, it is not
        done.

        @raise TokensUnreachable: too many are waiting already.
        """
        if self._count >= MOST_WAITING:
            raise TokensUnreachable(f"{MOST_WAITING} look-ups are waiting")
        if not self._pool.started:
            self._pool.start()
        answer: Deferred[_T] = Deferred()
        self._count += 1
        doing = deferToThreadPool(self._reactor, self._pool, lambda: None if answer.called else _done(work))

        def settle(outcome: object) -> None:
            self._count -= 1
            if not answer.called:
                answer.callback(outcome)  # type: ignore[arg-type]  # or a Failure

        doing.addBoth(settle)
        return await answer

    def stop(self) -> None:
        """
        Let the threads end. One that is busy is not waited for.
        """
        if self._pool.started:
            self._pool.stop()
