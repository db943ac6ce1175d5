"""
The token authority over a store: it mints tokens, and knows what each is worth.

A token is 256 random bits, and of it the store sees the SHA-256 only. Whoever reads the store can open nothing with it.
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Callable, Coroutine
from hashlib import sha256
from ipaddress import ip_address
from typing import Any, Final, TypeVar

import attrs
from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from vncproxy.config import ConsoleAuthSection
from vncproxy.config.shapes import LONGEST_SECONDS, MOST_USES
from vncproxy.errors import RequestError, TokenMissing, TokensUnreachable, TokenUnknown, VNCProxyError
from vncproxy.interfaces import IAuditTrail, IControllingAuthority, IStore
from vncproxy.model import AuditEntry, AuditEvent, ConsoleType, Grant, IssuedToken, TokenRecord, ViewerFacts
from vncproxy.patience import answerWithin
from vncproxy.tokens import rules

_log = Logger()

_T = TypeVar("_T")

_TIDY_SECONDS: Final = 300.0

_KEPT_SECONDS: Final = 3600.0
"""
For how long a token that is over is remembered: until then its viewer hears that it expired, afterwards that nobody
knows it.
"""

_MOST_UNTOLD: Final = 10_000

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32,128}")
"""
Ours have 43 characters; those that a cloud makes itself may be UUIDs.
"""
_LONGEST_RESUME_SECRET: Final = 256


def mintToken() -> str:
    """
    A fresh token: 256 random bits in 43 characters that a URL can carry.
    """
    return secrets.token_urlsafe(32)


@attrs.frozen
class _Ending:
    """
    The end of a session that a store has to be told.

    @ivar at: seconds since the epoch.
    """

    tokenHash: str
    resumeHash: str
    at: float
    window: float
    proxy: str

    def __call__(self, record: TokenRecord) -> TokenRecord:
        """
        The record after it.
        """
        return rules.ended(record, self.resumeHash, self.at, self.window, self.proxy)


@implementer(IControllingAuthority)
class StoreAuthority:
    """
    Tokens in a store.
    """

    def __init__(
        self,
        store: IStore,
        clock: IReactorTime,
        settings: ConsoleAuthSection,
        makeToken: Callable[[], str] = mintToken,
        proxy: str = "",
        trail: IAuditTrail | None = None,
    ) -> None:
        """
        @param store: open.
        @param clock: its seconds are those since the epoch.
        @param proxy: with what it signs its sessions in a store that other proxies use, too; no two share it.
        @param trail: hears of every token that is minted.
        """
        self._store = store
        self._clock = clock
        self._settings = settings
        self._makeToken = makeToken
        self._proxy = proxy
        self._trail = trail
        # Ends of sessions that the store could not be told.
        self._untold: deque[_Ending] = deque(maxlen=_MOST_UNTOLD)
        self._tidying = TimerService(_TIDY_SECONDS, self._tidyQuietly)
        self._tidying.clock = clock

    async def start(self) -> None:
        """
        Take over from an earlier run, whose sessions are gone: their browsers may resume from now on. Then tidy up, now
        and every few minutes.
        """
        until = self._clock.seconds() + self._settings.resume_window
        abandoned = await self._answer(self._store.abandonSessions(until, self._proxy))
        if abandoned:
            _log.info("{count} tokens had sessions when the last run ended; they may be resumed", count=abandoned)
        self._tidying.startService()

    async def stop(self) -> None:
        """
        End the tidying; one that runs is waited for.
        """
        if self._tidying.running:
            await self._tidying.stopService()

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
        token: str | None = None,
    ) -> IssuedToken:
        """
        See L{IControllingAuthority.authorizeConsole}.

        @raise RequestError: C{ttl}, C{uses} or C{clientAddress} makes no sense, or C{token} is there already.
        """
        ttl = self._settings.token_ttl if ttl is None else ttl
        uses = self._settings.uses if uses is None else uses
        _checkRequest(ttl, uses, clientAddress)
        if token is None:
            token = self._makeToken()
        elif await self._answer(self._store.token(_hash(token))) is not None:
            raise RequestError("token: there is such a token already.")
        record = TokenRecord(
            hash=_hash(token),
            consoleID=consoleID,
            consoleType=consoleType,
            expires=self._clock.seconds() + ttl,
            usesLeft=uses or None,
            viewOnly=viewOnly,
            clientAddress=clientAddress,
            owner=owner,
        )
        await self._answer(self._store.addToken(record))
        if self._trail is not None:
            self._trail.note(_minted(record, askedFrom))
        return IssuedToken(token, record.expires)

    async def checkToken(self, token: str, consoleType: ConsoleType | None = None) -> Grant | None:
        """
        See L{ITokenAuthority.checkToken}.
        """
        if not _TOKEN.fullmatch(token):
            return None
        record = await self._answer(self._store.token(_hash(token)))
        if record is None or not rules.redeemable(record, consoleType, self._clock.seconds()):
            return None
        return rules.granted(record, None)

    async def redeemToken(self, facts: ViewerFacts) -> Grant:
        """
        See L{ITokenAuthority.redeemToken}.
        """
        if not facts.token:
            raise TokenMissing("the viewer shows none")
        if not _TOKEN.fullmatch(facts.token):
            raise TokenUnknown("it does not look like one of ours")
        resumeHash = _resumeHash(facts.resume)
        now, proxy = self._clock.seconds(), facts.proxy or self._proxy
        spending = self._store.amendToken(
            _hash(facts.token), lambda record: rules.spend(record, facts, now, resumeHash, proxy)
        )
        redeeming = self._grant(spending, resumeHash, facts.proxy)
        return await self._answer(redeeming, late=self._undo)

    async def endSession(self, grant: Grant, resumable: bool) -> None:
        """
        See L{ITokenAuthority.endSession}. What cannot be told to the store now is told to it later.
        """
        if grant.resumeHash is None:
            return
        window = self._settings.resume_window if resumable else 0.0
        ending = _Ending(grant.tokenHash, grant.resumeHash, self._clock.seconds(), window, grant.proxy or self._proxy)
        await self._answer(self._tell(ending))

    async def undoRedeem(self, grant: Grant) -> None:
        """
        See L{IControllingAuthority.undoRedeem}.
        """
        try:
            await self._answer(self._undo(grant))
        except TokenUnknown:
            # Revoked or forgotten meanwhile.
            return

    async def abandonSessions(self, proxy: str) -> int:
        """
        See L{IControllingAuthority.abandonSessions}.
        """
        until = self._clock.seconds() + self._settings.resume_window
        return await self._answer(self._store.abandonSessions(until, proxy))

    async def deleteTokensForInstance(self, consoleID: str) -> int:
        """
        See L{ITokenAuthority.deleteTokensForInstance}.
        """
        return await self._answer(self._store.deleteTokens(consoleID))

    async def tidy(self) -> None:
        """
        Tell the store what it has not been told, and let it forget what nobody needs.
        """
        for _ in range(len(self._untold)):
            await self._tell(self._untold.popleft())
        forgotten = await self._store.purge(self._clock.seconds() - _KEPT_SECONDS)
        if forgotten:
            _log.debug("{count} tokens are over and forgotten", count=forgotten)

    def _tidyQuietly(self) -> Deferred[None]:
        def log(failure: Failure) -> None:
            if failure.check(VNCProxyError):
                _log.warn("could not tidy up the tokens: {error}", error=failure.getErrorMessage())
            else:
                _log.failure("could not tidy up the tokens", failure)

        return Deferred.fromCoroutine(self._answer(self.tidy())).addErrback(log)

    async def _tell(self, ending: _Ending) -> None:
        try:
            await self._store.amendToken(ending.tokenHash, ending)
        except TokenUnknown:
            # Revoked or forgotten meanwhile: there is nothing left to come back with.
            return
        except TokensUnreachable:
            self._untold.append(ending)
            raise

    async def _grant(self, spending: Coroutine[Any, Any, TokenRecord], resumeHash: str | None, proxy: str) -> Grant:
        return attrs.evolve(rules.granted(await spending, resumeHash), proxy=proxy)

    async def _undo(self, grant: Grant) -> None:
        """
        Take back a redemption that came too late for its viewer, or whose viewer had gone.
        """
        now, window = self._clock.seconds(), self._settings.resume_window
        proxy = grant.proxy or self._proxy
        await self._store.amendToken(grant.tokenHash, lambda record: rules.undone(record, grant, now, window, proxy))

    async def _answer(
        self, work: Coroutine[Any, Any, _T], late: Callable[[_T], Coroutine[Any, Any, None]] | None = None
    ) -> _T:
        return await answerWithin(self._settings.timeout, self._clock, work, late)


def _minted(record: TokenRecord, askedFrom: str) -> AuditEntry:
    return AuditEntry(
        AuditEvent.TOKEN_MINTED,
        key=record.owner,
        client=askedFrom,
        console=record.consoleID,
        consoleType=record.consoleType,
        token=record.hash[:8],
    )


def _checkRequest(ttl: float, uses: int, clientAddress: str | None) -> None:
    if not 0 < ttl <= LONGEST_SECONDS:
        raise RequestError(f"ttl: it must be a number of seconds above 0 and up to {LONGEST_SECONDS}.")
    if not 0 <= uses <= MOST_USES:
        raise RequestError(f"uses: it must be a whole number up to {MOST_USES}; 0 is any number of uses.")
    if clientAddress is not None:
        try:
            ip_address(clientAddress)
        except ValueError as error:
            raise RequestError("client_address: it must be an IP address, such as 203.0.113.9.") from error


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _resumeHash(secret: str | None) -> str | None:
    # What a browser sends is anything at all: without a decent secret it has no right to resume.
    return _hash(secret) if secret and len(secret) <= _LONGEST_RESUME_SECRET else None
