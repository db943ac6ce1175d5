"""
The token authority over a store.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any, TypeVar

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.brokerworld import HeardTrail
from vncproxy.config import ConsoleAuthSection
from vncproxy.errors import (
    RequestError,
    TokenExpired,
    TokenMissing,
    TokensUnreachable,
    TokenUnknown,
    TokenUsed,
    TokenWrongAddress,
    TokenWrongType,
)
from vncproxy.interfaces import IControllingAuthority, IStore
from vncproxy.model import AuditEntry, AuditEvent, ConsoleType, Resume, TokenRecord, ViewerFacts
from vncproxy.stores.memory import MemoryStore
from vncproxy.tokens.authority import StoreAuthority, mintToken

_T = TypeVar("_T")

_TOKEN = "T" * 43
_SETTINGS = ConsoleAuthSection(token_ttl=600, uses=1, timeout=5, resume_window=60)


@implementer(IStore)
class SlowStore(MemoryStore):
    """
    A store that can be slow, in that it does what it is asked only when let, and out of order, in that it refuses.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate: Deferred[None] | None = None
        self.broken = False
        self.asked = 0

    async def _through(self) -> None:
        self.asked += 1
        if self.gate is not None:
            # Nobody's impatience stops a store that is at work.
            passed: Deferred[None] = Deferred(lambda deferred: None)
            self.gate.addCallback(passed.callback)
            await passed
        if self.broken:
            raise TokensUnreachable("out of order")

    async def addToken(self, record: TokenRecord) -> None:
        """
        See L{IStore.addToken}.
        """
        await self._through()
        await super().addToken(record)

    async def token(self, tokenHash: str) -> TokenRecord | None:
        """
        See L{IStore.token}.
        """
        await self._through()
        return await super().token(tokenHash)

    async def amendToken(self, tokenHash: str, rule: Callable[[TokenRecord], TokenRecord]) -> TokenRecord:
        """
        See L{IStore.amendToken}.
        """
        await self._through()
        return await super().amendToken(tokenHash, rule)

    async def deleteTokens(self, consoleID: str) -> int:
        """
        See L{IStore.deleteTokens}.
        """
        await self._through()
        return await super().deleteTokens(consoleID)

    async def abandonSessions(self, until: float, proxy: str = "") -> int:
        """
        See L{IStore.abandonSessions}.
        """
        await self._through()
        return await super().abandonSessions(until, proxy)

    async def purge(self, now: float) -> int:
        """
        See L{IStore.purge}.
        """
        await self._through()
        return await super().purge(now)


class AuthorityCase(SynchronousTestCase):
    """
    An authority at the beginning of time.
    """

    def setUp(self) -> None:
        """
        Make it, over a store that can be slow.
        """
        self.clock = Clock()
        self.store = SlowStore()
        self.authority = self.makeAuthority()
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def makeAuthority(self, **settings: Any) -> StoreAuthority:
        """
        An authority over the same store.
        """
        plain = {"token_ttl": 600.0, "uses": 1, "timeout": 5.0, "resume_window": 60.0}
        return StoreAuthority(self.store, self.clock, ConsoleAuthSection(**{**plain, **settings}))

    def begin(self, work: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        """
        Begin something that may take its time.
        """
        return Deferred.fromCoroutine(work)

    def result(self, work: Coroutine[Any, Any, _T]) -> _T:
        """
        What C{work} returns at once.
        """
        return self.successResultOf(self.begin(work))

    def refused(self, work: Coroutine[Any, Any, Any], *errors: type[Exception]) -> Exception:
        """
        What C{work} raises at once.
        """
        return self.failureResultOf(self.begin(work), *errors).value

    def mint(self, **wishes: Any) -> str:
        """
        A token for the console vm7.
        """
        return self.result(self.authority.authorizeConsole("vm7", ConsoleType.NOVNC, **wishes)).token

    def viewer(self, token: str, resume: str | None = None, **facts: Any) -> ViewerFacts:
        """
        A browser that shows a token.
        """
        plain = ViewerFacts("web", ConsoleType.NOVNC, "203.0.113.9", token, resume)
        return attrs.evolve(plain, **facts)

    def only(self) -> TokenRecord:
        """
        The one token that is stored.
        """
        [record] = self.store._tokens.values()
        return record

    def logged(self, level: LogLevel) -> int:
        """
        How many events of one level the authority has logged.
        """
        spaces = ("vncproxy.tokens.authority", "vncproxy.patience")
        return sum(each["log_level"] is level and each["log_namespace"] in spaces for each in self.events)


class MintTests(AuthorityCase):
    """
    Tests for L{StoreAuthority.authorizeConsole}.
    """

    def test_minted(self) -> None:
        """
        Whoever has a token minted is noted, with the console and from where; the token remembers whose it is.
        """
        trail = HeardTrail()
        authority = StoreAuthority(self.store, self.clock, _SETTINGS, lambda: _TOKEN, trail=trail)
        minting = authority.authorizeConsole("vm7", ConsoleType.XVPVNC, owner="portal", askedFrom="198.51.100.1")
        self.successResultOf(Deferred.fromCoroutine(minting))
        tokenID = sha256(_TOKEN.encode()).hexdigest()[:8]
        expected = AuditEntry(
            AuditEvent.TOKEN_MINTED,
            key="portal",
            client="198.51.100.1",
            console="vm7",
            consoleType=ConsoleType.XVPVNC,
            token=tokenID,
        )
        self.assertEqual(trail.entries, [expected])
        grant = self.successResultOf(Deferred.fromCoroutine(authority.checkToken(_TOKEN)))
        assert grant is not None
        self.assertEqual((grant.owner, grant.tokenID), ("portal", tokenID))

    def test_interface(self) -> None:
        """
        It provides what it says.
        """
        self.assertTrue(verifyObject(IControllingAuthority, self.authority))

    def test_defaults(self) -> None:
        """
        What is not asked for is as configured, and only the hash of the token is stored.
        """
        self.clock.advance(1000)
        issued = self.result(self.authority.authorizeConsole("vm7", ConsoleType.NOVNC))
        self.assertEqual(issued.expires, 1600.0)
        record = self.only()
        self.assertEqual(record, TokenRecord(record.hash, "vm7", ConsoleType.NOVNC, 1600.0, 1))
        self.assertEqual(len(record.hash), 64)
        self.assertNotIn(issued.token, repr(record) + repr(issued))

    def test_wishes(self) -> None:
        """
        What is asked for is what the record says; no number of uses is any number.
        """
        self.mint(ttl=5.0, uses=0, viewOnly=True, clientAddress="2001:db8::1")
        record = self.only()
        self.assertEqual((record.expires, record.usesLeft), (5.0, None))
        self.assertEqual((record.viewOnly, record.clientAddress), (True, "2001:db8::1"))

    def test_nonsense(self) -> None:
        """
        Wishes that make no sense are refused by the name of the key, and nothing is stored.
        """
        for wishes in (
            {"ttl": 0},
            {"ttl": -1.0},
            {"ttl": float("nan")},
            {"ttl": float("inf")},
            {"ttl": 10**400},
            {"uses": -1},
            {"uses": 10**10},
            {"clientAddress": "vm7.example"},
        ):
            error = self.refused(self.authority.authorizeConsole("vm7", ConsoleType.NOVNC, **wishes), RequestError)
            key = {"clientAddress": "client_address"}.get(*wishes, *wishes)
            self.assertTrue(str(error).startswith(f"{key}: "), error)
        self.assertEqual(self.store.asked, 0)

    def test_broughtAlong(self) -> None:
        """
        A token that a cloud has made itself is honoured like ours, and taken once only.
        """
        token = "4ad5f9cc-7c38-4d3f-8a43-8f2a3b0a6a3c"
        issued = self.result(self.authority.authorizeConsole("vm7", ConsoleType.NOVNC, token=token))
        self.assertEqual(issued.token, token)
        self.refused(self.authority.authorizeConsole("vm8", ConsoleType.NOVNC, token=token), RequestError)
        self.assertEqual(self.result(self.authority.redeemToken(self.viewer(token))).consoleID, "vm7")

    def test_tokens(self) -> None:
        """
        Tokens are 43 characters of which no two are alike.
        """
        tokens = {mintToken() for _ in range(100)}
        self.assertEqual((len(tokens), {len(each) for each in tokens}), (100, {43}))


class RedeemTests(AuthorityCase):
    """
    Tests for L{StoreAuthority.redeemToken}, L{StoreAuthority.checkToken} and their counterparts.
    """

    def test_once(self) -> None:
        """
        A token of one use is honoured once.
        """
        token = self.mint(viewOnly=True)
        grant = self.result(self.authority.redeemToken(self.viewer(token)))
        self.assertEqual((grant.consoleID, grant.viewOnly, grant.resumeHash), ("vm7", True, None))
        self.assertEqual(grant.tokenHash, self.only().hash)
        self.refused(self.authority.redeemToken(self.viewer(token)), TokenUsed)

    def test_otherProxy(self) -> None:
        """
        Sessions of another proxy are counted as its own, from their beginning to their end.
        """
        grant = self.result(self.authority.redeemToken(self.viewer(self.mint(), "secret", proxy="p2")))
        self.assertEqual((grant.proxy, self.only().resumes[0].proxy), ("p2", "p2"))
        self.result(self.authority.start())
        self.assertEqual(self.only().resumes[0].live, 1)
        self.assertEqual(self.result(self.authority.abandonSessions("p2")), 1)
        self.assertEqual(self.only().resumes, (Resume(str(grant.resumeHash), 0, 60.0, "p2"),))
        self.clock.advance(30)
        self.result(self.authority.endSession(grant, resumable=True))
        self.assertEqual(self.only().resumes[0].until, 90.0)
        self.result(self.authority.stop())

    def test_undone(self) -> None:
        """
        A redemption that reached nobody is taken back; of a token that is gone there is nothing to take back.
        """
        token = self.mint()
        grant = self.result(self.authority.redeemToken(self.viewer(token)))
        self.result(self.authority.undoRedeem(grant))
        self.result(self.authority.redeemToken(self.viewer(token)))
        self.result(self.authority.deleteTokensForInstance("vm7"))
        self.assertIsNone(self.result(self.authority.undoRedeem(grant)))

    def test_refused(self) -> None:
        """
        Each reason to refuse is told apart.
        """
        token = self.mint(clientAddress="203.0.113.9")
        for viewer, error in (
            (self.viewer(""), TokenMissing),
            (self.viewer(_TOKEN), TokenUnknown),
            (self.viewer(token, consoleType=ConsoleType.XVPVNC), TokenWrongType),
            (self.viewer(token, address="unix"), TokenWrongAddress),
        ):
            self.refused(self.authority.redeemToken(viewer), error)
        self.clock.advance(600)
        self.refused(self.authority.redeemToken(self.viewer(token)), TokenExpired)

    @settings(deadline=None)
    @given(st.text())
    def test_malformed(self, text: str) -> None:
        """
        What cannot be a token is refused without a question to the store.
        """
        store = SlowStore()
        authority = StoreAuthority(store, Clock(), _SETTINGS)
        for token in (text, text + "T" * 43, "T" * 31 + text[:1], "T" * 129, "T" * 31):
            plain = token.isascii() and token.replace("-", "").replace("_", "0").isalnum()
            if plain and 32 <= len(token) <= 128:
                continue
            self.refused(authority.redeemToken(self.viewer(token)), TokenUnknown, TokenMissing)
            self.assertIsNone(self.result(authority.checkToken(token)))
        self.assertEqual(store.asked, 0)

    def test_resume(self) -> None:
        """
        The browser that holds the resume secret comes back while its session is up and until the window ends; of the
        secret the store has the hash only.
        """
        token = self.mint()
        first = self.result(self.authority.redeemToken(self.viewer(token, "secret")))
        self.assertEqual((first.resumed, first.resumeHash is None), (False, False))
        self.assertNotIn("secret", repr(self.only()))
        second = self.result(self.authority.redeemToken(self.viewer(token, "secret")))
        self.assertEqual(second, attrs.evolve(first, resumed=True))
        self.refused(self.authority.redeemToken(self.viewer(token, "another")), TokenUsed)
        for grant in (first, second):
            self.result(self.authority.endSession(grant, resumable=True))
        self.clock.advance(60)
        third = self.result(self.authority.redeemToken(self.viewer(token, "secret")))
        self.result(self.authority.endSession(third, resumable=True))
        self.clock.advance(61)
        self.refused(self.authority.redeemToken(self.viewer(token, "secret")), TokenUsed)

    def test_oddSecrets(self) -> None:
        """
        A browser whose secret is empty or endless is served, but may not resume; one with odd characters may.
        """
        for secret, bound in (("", False), ("x" * 257, False), ("ü\ud800", True)):
            grant = self.result(self.authority.redeemToken(self.viewer(self.mint(), secret)))
            self.assertEqual(grant.resumeHash is not None, bound)

    def test_endForGood(self) -> None:
        """
        After an end that is not resumable the browser does not come back.
        """
        token = self.mint()
        grant = self.result(self.authority.redeemToken(self.viewer(token, "secret")))
        self.result(self.authority.endSession(grant, resumable=False))
        self.refused(self.authority.redeemToken(self.viewer(token, "secret")), TokenUsed)

    def test_endWithoutRight(self) -> None:
        """
        The end of a session whose viewer has no right to resume is no business of the store; nor does that of a token
        that was revoked fail.
        """
        grant = self.result(self.authority.redeemToken(self.viewer(self.mint())))
        asked = self.store.asked
        self.result(self.authority.endSession(grant, resumable=True))
        self.assertEqual(self.store.asked, asked)
        bound = self.result(self.authority.redeemToken(self.viewer(self.mint(), "secret")))
        self.assertEqual(self.result(self.authority.deleteTokensForInstance("vm7")), 2)
        self.result(self.authority.endSession(bound, resumable=True))

    def test_check(self) -> None:
        """
        Looking says what the token would redeem to, and spends nothing.
        """
        token = self.mint()
        grant = self.result(self.authority.checkToken(token, ConsoleType.NOVNC))
        assert grant is not None
        self.assertEqual((grant.consoleID, grant.expires, grant.resumeHash), ("vm7", 600.0, None))
        self.assertEqual(self.result(self.authority.checkToken(token)), grant)
        self.assertIsNone(self.result(self.authority.checkToken(token, ConsoleType.XVPVNC)))
        self.assertIsNone(self.result(self.authority.checkToken(_TOKEN)))
        self.result(self.authority.redeemToken(self.viewer(token)))
        self.assertIsNone(self.result(self.authority.checkToken(token)))


class SlowTests(AuthorityCase):
    """
    A store that does not answer, or too late.
    """

    def close(self) -> Deferred[None]:
        """
        Let the store do nothing until the returned Deferred is fired.
        """
        self.store.gate = Deferred()
        return self.store.gate

    def test_timeout(self) -> None:
        """
        Whatever the store is asked, the tokens are out of reach when the configured time is over, and not before.
        """
        token = self.mint()
        grant = self.result(self.authority.redeemToken(self.viewer(token, "secret")))
        self.close()
        for work in (
            self.authority.authorizeConsole("vm7", ConsoleType.NOVNC),
            self.authority.checkToken(_TOKEN),
            self.authority.redeemToken(self.viewer(_TOKEN)),
            self.authority.endSession(grant, resumable=True),
            self.authority.deleteTokensForInstance("vm7"),
            self.authority.start(),
        ):
            waiting = self.begin(work)
            self.clock.advance(4.9)
            self.assertNoResult(waiting)
            self.clock.advance(0.1)
            self.failureResultOf(waiting, TokensUnreachable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lateRedemption(self) -> None:
        """
        A redemption that the store finishes after its viewer was told to try again costs no use.
        """
        token = self.mint()
        gate = self.close()
        waiting = self.begin(self.authority.redeemToken(self.viewer(token)))
        self.clock.advance(5)
        self.failureResultOf(waiting, TokensUnreachable)
        self.store.gate = None
        gate.callback(None)
        self.result(self.authority.redeemToken(self.viewer(token)))

    def test_vanishedViewer(self) -> None:
        """
        A browser that vanished while its token was redeemed may come back, and counts no session.
        """
        token = self.mint()
        gate = self.close()
        waiting = self.begin(self.authority.redeemToken(self.viewer(token, "secret")))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.store.gate = None
        gate.callback(None)
        [resume] = self.only().resumes
        self.assertEqual((resume.live, resume.until), (0, 60.0))
        self.assertTrue(self.result(self.authority.redeemToken(self.viewer(token, "secret"))).resumed)

    def test_vanishedEnd(self) -> None:
        """
        The end of a session is written down though nobody waits for it any more.
        """
        grant = self.result(self.authority.redeemToken(self.viewer(self.mint(), "secret")))
        gate = self.close()
        waiting = self.begin(self.authority.endSession(grant, resumable=True))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        gate.callback(None)
        self.assertEqual(self.only().resumes[0].live, 0)

    def test_lateFailure(self) -> None:
        """
        What fails after its caller has gone is logged without the token.
        """
        token = self.mint()
        gate = self.close()
        waiting = self.begin(self.authority.redeemToken(self.viewer(token)))
        self.clock.advance(5)
        self.failureResultOf(waiting, TokensUnreachable)
        self.store.broken = True
        gate.callback(None)
        self.assertEqual(self.logged(LogLevel.warn), 1)
        self.assertNotIn(token, repr(self.events))

    def test_failedUndo(self) -> None:
        """
        A redemption that cannot be taken back is logged.
        """
        token = self.mint()
        gate = self.close()
        waiting = self.begin(self.authority.redeemToken(self.viewer(token)))
        self.clock.advance(5)
        self.failureResultOf(waiting, TokensUnreachable)
        second: Deferred[None] = Deferred()
        self.store.gate = second
        gate.callback(None)
        self.store.broken = True
        second.callback(None)
        self.assertEqual(self.only().usesLeft, 0)
        self.assertEqual(self.logged(LogLevel.warn), 1)


class SharedTests(AuthorityCase):
    """
    Several proxies over one store.
    """

    def setUp(self) -> None:
        super().setUp()
        settings = ConsoleAuthSection(resume_window=60.0)
        self.one, self.two = [StoreAuthority(self.store, self.clock, settings, proxy=proxy) for proxy in ("p1", "p2")]

    def test_signed(self) -> None:
        """
        Each signs the sessions that it lets in, ends those that it has signed, and takes up no others at its start.
        """
        token = self.mint()
        first = self.result(self.one.redeemToken(self.viewer(token, "secret")))
        second = self.result(self.two.redeemToken(self.viewer(token, "secret")))
        self.assertEqual((first.resumed, second.resumed), (False, True))
        self.assertEqual({(each.proxy, each.live) for each in self.only().resumes}, {("p1", 1), ("p2", 1)})
        self.result(self.one.start())
        self.result(self.one.stop())
        self.assertEqual({(each.proxy, each.live) for each in self.only().resumes}, {("p1", 0), ("p2", 1)})
        self.result(self.two.endSession(second, True))
        self.assertEqual({(each.proxy, each.until) for each in self.only().resumes}, {("p1", 60.0), ("p2", 60.0)})

    def test_vanished(self) -> None:
        """
        A redemption whose viewer had gone is taken back where it was made.
        """
        token = self.mint()
        grant = self.result(self.two.redeemToken(self.viewer(token, "secret")))
        self.result(self.two.undoRedeem(grant))
        [resume] = self.only().resumes
        self.assertEqual((resume.proxy, resume.live, resume.until), ("p2", 0, 60.0))


class TidyTests(AuthorityCase):
    """
    Tests for L{StoreAuthority.start}, L{StoreAuthority.stop} and what runs between them.
    """

    def test_start(self) -> None:
        """
        Sessions of an earlier run are gone: their browsers may come back from the start on, until the window ends.
        """
        token = self.mint()
        self.result(self.authority.redeemToken(self.viewer(token, "secret")))
        self.clock.advance(1000)
        self.result(self.makeAuthority().start())
        [resume] = self.only().resumes
        self.assertEqual((resume.live, resume.until), (0, 1060.0))
        self.assertEqual(self.logged(LogLevel.info), 1)

    def test_forgets(self) -> None:
        """
        Tokens are forgotten an hour after their end, and not before.
        """
        token = self.mint(ttl=100)
        self.result(self.authority.start())
        self.clock.pump([300] * 12)
        self.refused(self.authority.redeemToken(self.viewer(token)), TokenExpired)
        self.clock.advance(300)
        self.refused(self.authority.redeemToken(self.viewer(token)), TokenUnknown)
        self.result(self.authority.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_notStarted(self) -> None:
        """
        Stopping what has not started is nothing.
        """
        self.result(self.authority.stop())

    def test_tellsLater(self) -> None:
        """
        The end of a session that the store would not take is told to it, once, when it serves again, as of the time at
        which it happened.
        """
        grant = self.result(self.authority.redeemToken(self.viewer(self.mint(), "secret")))
        record = attrs.evolve(self.only(), resumes=(Resume(str(grant.resumeHash), 2),))
        self.result(self.store.addToken(record))
        self.store.broken = True
        for _ in range(2):
            self.refused(self.authority.endSession(grant, resumable=True), TokensUnreachable)
        self.refused(self.authority.tidy(), TokensUnreachable)
        self.store.broken = False
        self.clock.advance(30)
        self.result(self.authority.tidy())
        self.result(self.authority.tidy())
        self.assertEqual(self.only().resumes, (Resume(str(grant.resumeHash), 0, 60.0),))

    def test_keepsGoing(self) -> None:
        """
        Tidying goes on after it failed, in whatever way; a broken store is worth a line, the rest a traceback.
        """
        self.store.broken = True
        self.authority._tidying.startService()
        self.assertEqual(self.logged(LogLevel.warn), 1)
        self.store.broken = False
        self.patch(self.store, "purge", lambda now: succeed(1 // 0))
        self.clock.advance(300)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(300)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.result(self.authority.stop())

    def test_slowTidying(self) -> None:
        """
        A store that hangs holds neither the tidying nor its end.
        """
        self.result(self.authority.start())
        self.store.gate = Deferred()
        self.clock.advance(300)
        stopping = self.begin(self.authority.stop())
        self.assertNoResult(stopping)
        self.clock.advance(5)
        self.successResultOf(stopping)
