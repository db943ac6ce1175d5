"""
A token authority that asks a controller, over one connection that is made anew as often as it is lost.

What was asked once is never asked twice by itself: a redemption whose answer is lost may have been made, and another
one could spend another use. So a use may be lost with a connection, and is never spent twice. Of what is harmless to
say again, the end of a session is kept until the controller has heard it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from msgspec import Raw
from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from vncproxy import errors
from vncproxy.consoleauth import params as shapes
from vncproxy.consoleauth.link import Link, Refusal
from vncproxy.errors import ConfigError, RequestError, TokenMissing, TokensUnreachable, VNCProxyError
from vncproxy.interfaces import ITokenAuthority
from vncproxy.model import ConsoleType, Grant, IssuedToken, ViewerFacts
from vncproxy.patience import answerWithin

_log = Logger()

_T = TypeVar("_T")

FIRST_RETRY_SECONDS: Final = 0.1
LONGEST_RETRY_SECONDS: Final = 0.9
CHANCE_SECONDS: Final = 0.3
"""
Between two attempts to connect; the last is the most that comes on top by chance, so that many proxies do not come at
one moment.
"""

_GROWTH: Final = 1.7
_MOST_UNTOLD: Final = 10_000

_KINDS: Final[dict[str, type[VNCProxyError]]] = {
    kind.reason: kind
    for kind in (
        errors.TokenMissing,
        errors.TokenUnknown,
        errors.TokenExpired,
        errors.TokenUsed,
        errors.TokenWrongType,
        errors.TokenWrongAddress,
        errors.RequestError,
        errors.TokensUnreachable,
        errors.ConsoleUnknown,
        errors.ConsoleForbidden,
        errors.ConsoleUnreachable,
    )
}
"""
What a controller may refuse with. Whatever else it says means that no answer is to be had of it.
"""


@implementer(ITokenAuthority)
class ConsoleAuthAuthority:
    """
    Tokens at a controller.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        readKey: Callable[[], str | None],
        timeout: float,
        chance: Callable[[], float],
        proxy: str,
    ) -> None:
        """
        @param endpoint: the controller.
        @param readKey: the API key, asked for anew at each connection; L{None} where the controller knows us without.
            It may raise L{ConfigError}.
        @param timeout: how many seconds each call may take.
        @param chance: a number from 0 to 1, another one at each call.
        @param proxy: our id. The controller counts sessions by it, so no two proxies share one.
        """
        self._endpoint = endpoint
        self._clock = clock
        self._readKey = readKey
        self._timeout = timeout
        self._proxy = proxy
        self._takenOver = False
        self._delay = backoffPolicy(
            FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, _GROWTH, lambda: chance() * CHANCE_SECONDS
        )
        self._link: Link | None = None
        self._downSince = clock.seconds()
        self._failures = 0
        self._complaint = ""
        self._keeping: Deferred[None] | None = None
        self._stopping = False
        self._waiting: set[Deferred[Link]] = set()
        self._untold: deque[shapes.EndSession] = deque(maxlen=_MOST_UNTOLD)

    @property
    def connected(self) -> bool:
        """
        Whether the controller can be asked now.
        """
        return self._link is not None

    def problems(self) -> Sequence[str]:
        """
        What stands in the way of viewers, in words.
        """
        return () if self.connected else ("The token service is out of reach.",)

    # The connection.

    async def start(self) -> None:
        """
        Connect, and keep connected from now on. The connection is not waited for.
        """
        self._downSince = self._clock.seconds()
        self._keeping = Deferred.fromCoroutine(self._keepConnected()).addErrback(_logUnforeseen)

    async def stop(self) -> None:
        """
        Hang up. Calls that are under way fail.
        """
        self._stopping = True
        for waiting in tuple(self._waiting):
            waiting.errback(TokensUnreachable("the proxy is going"))
        if self._keeping is not None:
            self._keeping.cancel()
            await self._keeping

    async def _keepConnected(self) -> None:
        while not self._stopping:
            why = await self._connectOnce()
            if self._stopping:
                return
            self._failures += 1
            if why != self._complaint:
                self._complaint = why
                _log.warn("the token service is out of reach: {why}", why=why)
            await deferLater(self._clock, self._delay(self._failures))

    async def _connectOnce(self) -> str:
        """
        Connect, and stay until the connection is gone; why that is so.
        """
        try:
            key = self._readKey()
            factory = Factory.forProtocol(lambda: Link(self._clock, key, self._timeout, self._up))
            factory.noisy = False
            # Any: a Deferred of some protocol, which is ours.
            connecting: Any = self._endpoint.connect(factory)
            link: Link = await connecting
        except (ConfigError, ConnectError, ConnectingCancelledError, CancelledError, OSError, ValueError) as error:
            return str(error)
        try:
            return await link.lost
        finally:
            if self._link is link:
                self._link = None
                self._downSince = self._clock.seconds()

    def _up(self, link: Link) -> None:
        """
        The controller has let us in. When that is so for the first time, it has to know that the sessions of an earlier
        run are gone before anybody comes.
        """
        if self._takenOver:
            self._serve(link)
            return
        taking = Deferred.fromCoroutine(
            answerWithin(
                self._timeout,
                self._clock,
                _ask(link, "abandon_sessions", shapes.AbandonSessions(proxy=self._proxy), shapes.Abandoned),
            )
        )
        taking.addCallbacks(lambda told: self._takeOver(link), lambda failure: link.drop(failure.getErrorMessage()))

    def _takeOver(self, link: Link) -> None:
        self._takenOver = True
        self._serve(link)

    def _serve(self, link: Link) -> None:
        """
        From now on the controller can be asked.
        """
        _log.info("the token service is in reach")
        self._link = link
        self._failures = 0
        self._complaint = ""
        for waiting in tuple(self._waiting):
            waiting.callback(link)
        untold, self._untold = self._untold, deque(maxlen=_MOST_UNTOLD)
        for ending in untold:
            Deferred.fromCoroutine(self._tell(ending)).addErrback(_logUntold)

    async def _linkWithin(self, seconds: float) -> Link:
        """
        The link, or the next one if it comes in time. When the controller has been away for longer than a call may
        take, nobody is made to wait for it.
        """
        if self._link is not None:
            return self._link
        left = min(seconds, self._downSince + self._timeout - self._clock.seconds())
        if left <= 0 or self._stopping:
            raise TokensUnreachable(f"the token service is out of reach: {self._complaint}")
        waiting: Deferred[Link] = Deferred()
        self._waiting.add(waiting)
        try:
            return await waiting.addTimeout(left, self._clock, self._noLink)
        finally:
            self._waiting.discard(waiting)

    def _noLink(self, result: object, seconds: float) -> NoReturn:
        raise TokensUnreachable(f"the token service is out of reach: {self._complaint}")

    # The calls.

    async def _call(
        self,
        method: str,
        params: msgspec.Struct,
        kind: type[_T],
        late: Callable[[_T], Any] | None = None,
    ) -> _T:
        """
        Call a method, once; its result.

        @param late: given a result that comes too late, or after its caller has gone.
        """
        since = self._clock.seconds()
        link = await self._linkWithin(self._timeout)
        left = since + self._timeout - self._clock.seconds()
        reads = link.reads
        try:
            return await answerWithin(left, self._clock, _ask(link, method, params, kind), late)
        except TokensUnreachable:
            link.suspect(reads)
            raise

    async def authorizeConsole(
        self,
        consoleID: str,
        consoleType: ConsoleType,
        ttl: float | None = None,
        uses: int | None = None,
        viewOnly: bool = False,
        clientAddress: str | None = None,
        owner: str = "",
        askedFrom: str = "",
    ) -> IssuedToken:
        """
        See L{ITokenAuthority.authorizeConsole}.

        @raise RequestError: the controller finds that it makes no sense.
        @raise ConsoleUnknown: the controller knows no such console.
        """
        wish = shapes.AuthorizeConsole(
            console_type=consoleType,
            instance_uuid=consoleID,
            ttl=ttl,
            uses=uses,
            view_only=viewOnly,
            client_address=clientAddress,
            owner=owner or None,
        )
        told = await self._call("authorize_console", wish, shapes.Authorized)
        return IssuedToken(told.token, told.expires)

    async def checkToken(self, token: str, consoleType: ConsoleType | None = None) -> Grant | None:
        """
        See L{ITokenAuthority.checkToken}.
        """
        wish = shapes.CheckToken(token=token, console_type=consoleType)
        told = await self._call("check_token", wish, _MAYBE_CHECKED)
        return None if told is None else shapes.checkedGrant(told, _hash(token))

    async def redeemToken(self, facts: ViewerFacts) -> Grant:
        """
        See L{ITokenAuthority.redeemToken}. The grant holds its console.
        """
        if not facts.token:
            raise TokenMissing("the viewer shows none")
        wish = shapes.RedeemToken(
            token=facts.token,
            console_type=facts.consoleType,
            client_address=facts.address,
            resume=facts.resume,
            credentials=True,
            proxy=self._proxy,
        )
        told = await self._call("redeem_token", wish, shapes.Redeemed, self._undo)
        try:
            return shapes.grantOf(told)
        except TokensUnreachable:
            await self._undo(told)
            raise

    async def endSession(self, grant: Grant, resumable: bool) -> None:
        """
        See L{ITokenAuthority.endSession}. What cannot be told to the controller now is told to it later.
        """
        if grant.resumeHash is not None:
            await self._tell(
                shapes.EndSession(
                    token_hash=grant.tokenHash,
                    resume_hash=grant.resumeHash,
                    resumable=resumable,
                    proxy=self._proxy,
                )
            )

    async def deleteTokensForInstance(self, consoleID: str) -> int:
        """
        See L{ITokenAuthority.deleteTokensForInstance}.
        """
        wish = shapes.DeleteTokens(instance_uuid=consoleID)
        return (await self._call("delete_tokens_for_instance", wish, shapes.Deleted)).deleted

    async def _tell(self, ending: shapes.EndSession) -> None:
        try:
            await self._call("end_session", ending, shapes.Done)
        except TokensUnreachable:
            self._untold.append(ending)
            raise

    async def _undo(self, told: shapes.Redeemed) -> None:
        """
        Give back a redemption that came too late for its viewer.
        """
        wish = shapes.UndoRedeem(token_hash=told.token_hash, resume_hash=told.resume_hash, proxy=self._proxy)
        await self._call("undo_redeem", wish, shapes.Done)


# Any: what a type expression is to msgspec has no name in typing.
_MAYBE_CHECKED: Final[Any] = shapes.Checked | None


async def _ask(link: Link, method: str, params: msgspec.Struct, kind: type[_T]) -> _T:
    try:
        return _result(await link.ask(method, params), kind)
    except Refusal as refusal:
        raise _errorOf(refusal) from refusal


def _result(raw: Raw, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TokensUnreachable(f"the token service's answer makes no sense: {error}") from error


def _errorOf(refusal: Refusal) -> VNCProxyError:
    """
    What the controller has said, as if it had happened here.
    """
    kind = _KINDS.get(refusal.error.reason, TokensUnreachable)
    if kind is RequestError:
        return RequestError(refusal.error.message)
    return kind(f"says the token service: {refusal.error.message}")


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _logUnforeseen(failure: Failure) -> None:
    if not failure.check(CancelledError):
        _log.failure("the connection to the token service is not kept any more", failure)


def _logUntold(failure: Failure) -> None:
    _log.warn("the end of a session is not told yet: {error}", error=failure.getErrorMessage())
