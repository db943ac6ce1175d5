"""
A connection that is served by a coroutine, from its first byte to its last.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from vncproxy.stream import ByteStream

_log = Logger()


def converse(
    clock: IReactorTime, speak: Callable[[ByteStream], Coroutine[Any, Any, None]], halfCloseable: bool = False
) -> ByteStream:
    """
    The protocol of one connection. C{speak} begins when the transport is there, and is cancelled when the peer is gone;
    should it fail, that is logged and the connection cut off.

    @param halfCloseable: see L{ByteStream}.
    """
    work: list[Deferred[None]] = []

    def connected() -> None:
        work.append(Deferred.fromCoroutine(speak(stream)).addErrback(failed))

    def failed(failure: Failure) -> None:
        if not failure.check(CancelledError):
            _log.failure("serving a connection failed", failure)
            stream.abort()

    def lost() -> None:
        for each in work:
            each.cancel()

    stream = ByteStream(clock, halfCloseable, connected, lost)
    return stream
