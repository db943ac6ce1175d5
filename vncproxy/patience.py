"""
Waiting for work that cannot be cut off: whoever waits may go, the work goes on, and what it comes to is not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NoReturn, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from vncproxy.errors import TokensUnreachable

_log = Logger()

_T = TypeVar("_T")


async def answerWithin(
    seconds: float,
    clock: IReactorTime,
    work: Coroutine[Any, Any, _T],
    late: Callable[[_T], Coroutine[Any, Any, None]] | None = None,
) -> _T:
    """
    What C{work} comes to, if it does so within C{seconds} and while its caller waits. It is never cut off: it would be
    done all the same, and nobody would know. A result that comes too late is given to C{late}.

    @raise TokensUnreachable: it took too long.
    """
    running = Deferred.fromCoroutine(work)
    answer: Deferred[_T] = Deferred()

    def settle(outcome: _T | Failure) -> None:
        if not answer.called:
            answer.callback(outcome)
        elif not isinstance(outcome, Failure) and late is not None:
            Deferred.fromCoroutine(late(outcome)).addErrback(_logLate)
        elif isinstance(outcome, Failure):
            _logLate(outcome)

    running.addBoth(settle)
    if not answer.called:
        answer.addTimeout(seconds, clock, partial(_tooLate, seconds))
    return await answer


def _tooLate(seconds: float, result: object, timeout: float) -> NoReturn:
    raise TokensUnreachable(f"no answer within {seconds:g} s")


def _logLate(failure: Failure) -> None:
    _log.warn("a token could not be settled after its caller had gone: {error}", error=failure.getErrorMessage())
