"""
Our own tokens, and beside them those that others have minted.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from vncproxy.errors import TokenMissing, TokensUnreachable, TokenUnknown
from vncproxy.interfaces import ITokenAuthority, ITokenSource
from vncproxy.model import ConsoleType, Grant, IssuedToken, ViewerFacts

_T = TypeVar("_T")

LONGEST_TOKEN: Final = 8192
"""
A longer one is nobody's: no source is asked.
"""


@implementer(ITokenAuthority)
class ChainedAuthority:
    """
    An authority whose tokens go first, and sources that are asked in turn for those that it does not know.

    That nobody knows a token is only said when all have answered: if one could not, the token service is unreachable.
    """

    def __init__(
        self, own: ITokenAuthority, sources: Sequence[ITokenSource], clock: IReactorTime, timeout: float
    ) -> None:
        """
        @param own: mints tokens; it has its own timeout.
        @param timeout: seconds for each source.
        """
        self._own = own
        self._sources = tuple(sources)
        self._clock = clock
        self._timeout = timeout

    async def authorizeConsole(self, *arguments: Any, **named: Any) -> IssuedToken:
        """
        See L{ITokenAuthority.authorizeConsole}.
        """
        return await self._own.authorizeConsole(*arguments, **named)

    async def checkToken(self, token: str, consoleType: ConsoleType | None = None) -> Grant | None:
        """
        See L{ITokenAuthority.checkToken}.
        """
        silent: TokensUnreachable | None = None
        looks: list[Callable[[], Coroutine[Any, Any, Grant | None]]] = [
            partial(self._own.checkToken, token, consoleType),
            *(partial(self._ask, partial(each.checkToken, token, consoleType)) for each in self._asked(token)),
        ]
        for look in looks:
            try:
                grant = await look()
            except TokensUnreachable as error:
                silent = silent or error
            else:
                if grant is not None:
                    return grant
        if silent is not None:
            raise silent
        return None

    async def redeemToken(self, facts: ViewerFacts) -> Grant:
        """
        See L{ITokenAuthority.redeemToken}.
        """
        silent: TokensUnreachable | None = None
        unknown: TokenUnknown | TokenMissing = TokenUnknown("no source knows it")
        redemptions: list[Callable[[], Coroutine[Any, Any, Grant]]] = [
            partial(self._own.redeemToken, facts),
            *(partial(self._ask, partial(each.redeemToken, facts)) for each in self._asked(facts.token)),
        ]
        for redeem in redemptions:
            try:
                return await redeem()
            except (TokenUnknown, TokenMissing) as error:
                unknown = error
            except TokensUnreachable as error:
                silent = silent or error
        raise silent or unknown

    async def endSession(self, grant: Grant, resumable: bool) -> None:
        """
        See L{ITokenAuthority.endSession}. Sources give no right to resume: their tokens can be used again as they are.
        """
        if grant.resumeHash is not None:
            await self._own.endSession(grant, resumable)

    async def deleteTokensForInstance(self, consoleID: str) -> int:
        """
        See L{ITokenAuthority.deleteTokensForInstance}. What sources know is not ours to revoke.
        """
        return await self._own.deleteTokensForInstance(consoleID)

    def _asked(self, token: str) -> Sequence[ITokenSource]:
        return self._sources if len(token) <= LONGEST_TOKEN else ()

    async def _ask(self, question: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """
        What a source answers, within its time.
        """
        asking = Deferred.fromCoroutine(question())
        asking.addTimeout(self._timeout, self._clock, _tooLate)
        return await asking


def _tooLate(result: object, timeout: float) -> NoReturn:
    raise TokensUnreachable(f"a token source did not answer within {timeout:g} s")
