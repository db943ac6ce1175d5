"""
Our own tokens and those of others, together.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from vncproxy.errors import TokenExpired, TokenMissing, TokensUnreachable, TokenUnknown, VNCProxyError
from vncproxy.interfaces import ITokenAuthority, ITokenSource
from vncproxy.model import ConsoleType, Grant, IssuedToken, ViewerFacts
from vncproxy.tokens.chained import LONGEST_TOKEN, ChainedAuthority

_T = TypeVar("_T")

_TIMEOUT = 5.0


def grant(name: str, resumeHash: str | None = None) -> Grant:
    """
    What a token of somebody is worth.
    """
    return Grant("0" * 64, name, ConsoleType.NOVNC, 0.0, resumeHash=resumeHash)


@implementer(ITokenSource)
class Source:
    """
    Knows one token, its own name, if it does not fail.

    @ivar asked: how often.
    @ivar silence: what it waits for before it answers.
    """

    def __init__(self, name: str, fault: VNCProxyError | None = None) -> None:
        self.name = name
        self.fault = fault
        self.asked = 0
        self.silence: Deferred[None] | None = None

    async def redeemToken(self, facts: ViewerFacts) -> Grant:
        self.asked += 1
        if self.silence is not None:
            await self.silence
        if self.fault is not None:
            raise self.fault
        if facts.token != self.name:
            raise TokenUnknown("not mine")
        return grant(self.name)

    async def checkToken(self, token: str, consoleType: ConsoleType | None = None) -> Grant | None:
        try:
            return await self.redeemToken(facts(token))
        except TokenUnknown:
            return None


@implementer(ITokenAuthority)
class Own(Source):
    """
    An authority of that kind.

    @ivar told: what else it was asked to do.
    """

    def __init__(self, fault: VNCProxyError | None = None) -> None:
        super().__init__("own", fault)
        self.told: list[Any] = []

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
        self.told.append((consoleID, consoleType, ttl, uses))
        return IssuedToken("own", 0.0)

    async def endSession(self, grant: Grant, resumable: bool) -> None:
        self.told.append((grant.consoleID, resumable))

    async def deleteTokensForInstance(self, consoleID: str) -> int:
        self.told.append(consoleID)
        return 3


def facts(token: str) -> ViewerFacts:
    """
    Somebody who shows a token.
    """
    return ViewerFacts("web", ConsoleType.NOVNC, "203.0.113.9", token)


class ChainTests(SynchronousTestCase):
    """
    Tests for L{ChainedAuthority}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.own = Own()
        self.sources = [Source("first"), Source("second")]
        self.chain = ChainedAuthority(self.own, self.sources, self.clock, _TIMEOUT)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def start(self, work: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        """
        Begin something.
        """
        return Deferred.fromCoroutine(work)

    def redeem(self, token: str) -> Grant:
        """
        What a token is worth.
        """
        return self.successResultOf(self.start(self.chain.redeemToken(facts(token))))

    def assertRefused(self, token: str, error: type[VNCProxyError]) -> None:
        """
        A token is not honoured, and looking at it without spending says the same.
        """
        self.failureResultOf(self.start(self.chain.redeemToken(facts(token))), error)

    def test_interface(self) -> None:
        """
        It is an authority, made of an authority and sources.
        """
        verifyObject(ITokenAuthority, self.chain)
        verifyObject(ITokenAuthority, self.own)
        verifyObject(ITokenSource, self.sources[0])

    def test_order(self) -> None:
        """
        Each is asked only for what those before it do not know.
        """
        for count, name in enumerate(("own", "first", "second"), 1):
            self.assertEqual(self.redeem(name).consoleID, name)
            found = self.successResultOf(self.start(self.chain.checkToken(name)))
            assert found is not None
            self.assertEqual(found.consoleID, name)
            self.assertEqual([each.asked for each in (self.own, *self.sources)][3 - (3 - count) :], [0] * (3 - count))
        self.assertRefused("nobody's", TokenUnknown)
        self.assertIsNone(self.successResultOf(self.start(self.chain.checkToken("nobody's"))))

    def test_missing(self) -> None:
        """
        Sources are asked although no token was shown, as one may not need any; that it is missing is said last.
        """
        self.own.fault = TokenMissing("none")
        self.sources[1].fault = TokenMissing("none")
        self.assertRefused("", TokenMissing)
        self.assertEqual(self.redeem("first").consoleID, "first")

    def test_refusal(self) -> None:
        """
        Who knows a token and does not honour it has the last word.
        """
        self.sources[0].fault = TokenExpired("over")
        self.assertRefused("second", TokenExpired)
        self.assertEqual(self.sources[1].asked, 0)

    def test_unreachable(self) -> None:
        """
        One that cannot be reached does not hinder the others; but that nobody knows a token is not said then.
        """
        for silent in (self.own, self.sources[0]):
            silent.fault = TokensUnreachable("down")
            self.assertEqual(self.redeem("second").consoleID, "second")
            self.assertRefused("nobody's", TokensUnreachable)
            self.failureResultOf(self.start(self.chain.checkToken("nobody's")), TokensUnreachable)
            silent.fault = None

    def test_silent(self) -> None:
        """
        Each source has its time; who is silent is let go.
        """
        self.sources[0].silence = Deferred()
        redeeming = self.start(self.chain.redeemToken(facts("second")))
        self.clock.advance(_TIMEOUT - 0.1)
        self.assertNoResult(redeeming)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(redeeming).consoleID, "second")

    def test_long(self) -> None:
        """
        No source is bothered with what cannot be a token.
        """
        self.assertRefused("x" * (LONGEST_TOKEN + 1), TokenUnknown)
        self.assertEqual([each.asked for each in (self.own, *self.sources)], [1, 0, 0])

    def test_own(self) -> None:
        """
        Minting, revoking, and the ends of sessions with a right to resume are the authority's own.
        """
        self.successResultOf(self.start(self.chain.authorizeConsole("vm", ConsoleType.NOVNC, ttl=5, uses=2)))
        self.assertEqual(self.successResultOf(self.start(self.chain.deleteTokensForInstance("vm"))), 3)
        self.successResultOf(self.start(self.chain.endSession(grant("vm", "r" * 64), True)))
        self.successResultOf(self.start(self.chain.endSession(grant("elsewhere"), True)))
        self.assertEqual(self.own.told, [("vm", ConsoleType.NOVNC, 5, 2), "vm", ("vm", True)])
