"""
A token source of websockify's kind, as a source of grants.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from vncproxy.config.shapes import LONGEST_SECONDS
from vncproxy.errors import TokenError, TokensUnreachable, TokenUnknown
from vncproxy.interfaces import ITokenSource
from vncproxy.model import Console, ConsoleType, Grant, Target, TargetKind, ViewerFacts
from vncproxy.targets import formatTarget
from vncproxy.tokens.websockify.formats import BadEntry
from vncproxy.tokens.websockify.signed import SignedTarget

_log = Logger()

_MEDIATED: Final = {TargetKind.TCP: TargetKind.VNC, TargetKind.UNIX: TargetKind.VNC_UNIX}

Finding = Callable[[str], Awaitable[Target | SignedTarget | None]]


@implementer(ITokenSource)
class WebsockifySource:
    """
    Turns what such a source says into grants: any number of uses, for every kind of viewer.
    """

    def __init__(self, name: str, find: Finding, clock: IReactorTime, mediate: bool) -> None:
        """
        @param name: what logs call it.
        @param clock: its seconds are those since the epoch.
        @param mediate: the proxy speaks RFB with what is found; else it passes on the bytes as they are.
        """
        self._name = name
        self._find = find
        self._clock = clock
        self._mediate = mediate

    async def redeemToken(self, facts: ViewerFacts) -> Grant:
        """
        See L{ITokenSource.redeemToken}.
        """
        return await self._grant(facts.token, facts.consoleType)

    async def checkToken(self, token: str, consoleType: ConsoleType | None = None) -> Grant | None:
        """
        See L{ITokenSource.checkToken}.
        """
        try:
            return await self._grant(token, consoleType or ConsoleType.NOVNC)
        except TokenError:
            return None

    async def _grant(self, token: str, consoleType: ConsoleType) -> Grant:
        # So does websockify.
        token = token.rstrip("\n")
        found = await self._ask(token)
        if found is None:
            raise TokenUnknown("no source knows it")
        expires = self._clock.seconds() + LONGEST_SECONDS
        target = found
        if isinstance(found, SignedTarget):
            target, expires = found.target, expires if found.expires is None else found.expires
        assert isinstance(target, Target)
        if self._mediate:
            target = attrs.evolve(target, kind=_MEDIATED.get(target.kind, target.kind))
        tokenHash = sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        grant = Grant(tokenHash, formatTarget(target), consoleType, expires)
        if token and token in target.path:
            # Ids of consoles stand in logs and lists, where the token must not.
            grant = attrs.evolve(grant, consoleID=f"{self._name}:{grant.tokenID}")
        return attrs.evolve(grant, console=Console(grant.consoleID, grant.consoleID, target))

    async def _ask(self, token: str) -> Target | SignedTarget | None:
        """
        What the source says; what goes wrong there is told without the words of the error, which may hold the token.
        """
        try:
            return await self._find(token)
        except BadEntry as error:
            _log.warn("what {source} says of a token makes no sense: {cause}", source=self._name, cause=str(error))
            return None
        except (TokenError, TokensUnreachable, CancelledError):
            raise
        except Exception as error:
            cause = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            place = "".join(traceback.format_tb(error.__traceback__)[-1:]).strip()
            _log.error("{source} fails: {cause} ({place})", source=self._name, cause=cause, place=place)
            raise TokensUnreachable(f"{self._name} fails: {cause}") from error
