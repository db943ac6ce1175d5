"""
The client's side of the token-check protocol: one connection, on which any number of requests are under way.

::

    connected ──authenticate (or ping, where a certificate or a socket's mode decides)──► up ──► lost
        ╰ refused, or no answer in time ──► lost
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from vncproxy.consoleauth import params as shapes
from vncproxy.consoleauth.messages import Answer, ErrorObject, Fault, Lines, decodeAnswer, encodeRequest
from vncproxy.errors import TokensUnreachable
from vncproxy.stream import tuneSocket

_log = Logger()

PING_SECONDS: Final = 30.0
"""
How often a link that is up is tried; the server hangs up on one that is silent for four times as long.
"""

MOST_PENDING: Final = 10_000
"""
How many requests may be under way.
"""


class Refusal(Exception):
    """
    The server answered a request with an error.

    @ivar error: what it said.
    """

    def __init__(self, error: ErrorObject) -> None:
        super().__init__(f"{error.message} ({error.reason or error.code})")
        self.error = error


class Link(Protocol):
    """
    A connection to a token service.

    @ivar reads: how often something was heard of the server.
    @ivar lost: fires when the connection is gone, with the reason in words; cancel it to hang up.
    """

    # Any: ITransport does not name abortConnection, which ours have.
    transport: Any

    def __init__(
        self,
        clock: IReactorTime,
        key: str | None,
        timeout: float,
        up: Callable[[Link], None],
    ) -> None:
        """
        @param key: an API key; L{None} where the server knows us without.
        @param timeout: how many seconds the server may take to let us in, and for a ping.
        @param up: called once it has let us in.
        """
        self._clock = clock
        self._key = key
        self._timeout = timeout
        self._up = up
        self._lines = Lines()
        self._pending: dict[int, Deferred[Raw]] = {}
        self._count = 0
        self.reads = 0
        self._why = ""
        self.lost: Deferred[str] = Deferred(lambda deferred: self.drop("we hang up"))
        self._timer: IDelayedCall | None = None

    # From the transport.

    def connectionMade(self) -> None:
        """
        The server is there: tell it who we are.
        """
        tuneSocket(self.transport)
        if self._key is None:
            opening = self.ask("ping")
        else:
            opening = self.ask("authenticate", shapes.Authenticate(key=self._key))
        self._timer = self._clock.callLater(self._timeout, self._silent)
        opening.addCallbacks(self._admitted, self._refused)

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes of the server.
        """
        self.reads += 1
        for line in self._lines.feed(data):
            self._settle(line)
        if self._lines.tooLong:
            self.drop("it sends a line that is too long")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone, and with it every request that is under way.
        """
        self._stopTimer()
        why = self._why or reason.getErrorMessage()
        pending, self._pending = self._pending, {}
        for each in pending.values():
            each.errback(TokensUnreachable(f"the token service was lost: {why}"))
        if not self.lost.called:
            self.lost.callback(why)

    # To the server.

    def ask(self, method: str, params: msgspec.Struct | None = None) -> Deferred[Raw]:
        """
        Call a method; what this returns fires with its result, and cannot be cancelled: the server would do it all the
        same.

        It fails with L{Refusal} when the server answers with an error, with
        L{TokensUnreachable<vncproxy.errors.TokensUnreachable>} when the connection is lost first.
        """
        answer: Deferred[Raw] = Deferred(lambda deferred: None)
        if len(self._pending) >= MOST_PENDING:
            answer.errback(TokensUnreachable(f"{MOST_PENDING} requests wait for an answer"))
            return answer
        self._count += 1
        self._pending[self._count] = answer
        self.transport.write(encodeRequest(self._count, method, params))
        return answer

    def suspect(self, reads: int) -> None:
        """
        Somebody has waited in vain since C{reads} was so much. If nothing at all was heard from then on, the server is
        gone.
        """
        if self.reads == reads:
            self.drop("it does not answer")

    def drop(self, why: str) -> None:
        """
        Hang up at once.

        @param why: in words, for the log.
        """
        self._why = self._why or why
        self.transport.abortConnection()

    def _settle(self, line: bytes) -> None:
        """
        Bring an answer to who waits for it.
        """
        try:
            answer: Answer = decodeAnswer(line)
        except Fault as fault:
            self.drop(f"it does not speak our protocol: {fault.message}")
            return
        if answer.error is not UNSET and answer.id is None:
            # It is about the connection.
            self._why = self._why or answer.error.message
            return
        pending = self._pending.pop(answer.id, None) if isinstance(answer.id, int) else None
        if pending is None:
            self.drop("it answers what was not asked")
        elif answer.error is not UNSET:
            pending.errback(Refusal(answer.error))
        elif answer.result is not UNSET:
            pending.callback(answer.result)

    def _admitted(self, result: Raw) -> None:
        self._stopTimer()
        self._timer = self._clock.callLater(PING_SECONDS, self._ping)
        self._up(self)

    def _refused(self, failure: Failure) -> None:
        # If the connection was lost, that is told in another place.
        if failure.check(Refusal):
            self.drop(failure.getErrorMessage())

    def _ping(self) -> None:
        self._timer = self._clock.callLater(self._timeout, self._silent)
        self.ask("ping").addCallbacks(self._alive, self._refused)

    def _alive(self, result: Raw) -> None:
        self._stopTimer()
        self._timer = self._clock.callLater(PING_SECONDS, self._ping)

    def _silent(self) -> None:
        self._timer = None
        self.drop("it does not answer")

    def _stopTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
