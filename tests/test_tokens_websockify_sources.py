"""
What a source says, as grants; and what it does not say.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.test_tokens_websockify_formats import tcp
from vncproxy.config.shapes import LONGEST_SECONDS
from vncproxy.errors import StreamEnded, TokenExpired, TokensUnreachable, TokenUnknown
from vncproxy.interfaces import ITokenSource
from vncproxy.model import Console, ConsoleType, Target, TargetKind, ViewerFacts
from vncproxy.tokens.websockify.formats import BadEntry
from vncproxy.tokens.websockify.signed import SignedTarget
from vncproxy.tokens.websockify.sources import WebsockifySource

_T = TypeVar("_T")

_FACTS = ViewerFacts("java", ConsoleType.XVPVNC, "203.0.113.9", "hunter2")


class SourceTests(SynchronousTestCase):
    """
    Tests for L{WebsockifySource}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.answer: Any = None

    async def find(self, token: str) -> Any:
        """
        What the source says.
        """
        if isinstance(self.answer, Deferred):
            await self.answer
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def source(self, mediate: bool = False) -> WebsockifySource:
        """
        The source.
        """
        return WebsockifySource("TokenX", self.find, self.clock, mediate)

    def start(self, work: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        """
        Begin something.
        """
        return Deferred.fromCoroutine(work)

    def test_interface(self) -> None:
        """
        It is a source.
        """
        verifyObject(ITokenSource, self.source())

    def test_grant(self) -> None:
        """
        A grant is for the viewer that asks, names its console by its URL, and does not end.
        """
        self.answer = tcp("h", 1)
        grant = self.successResultOf(self.start(self.source().redeemToken(_FACTS)))
        self.assertEqual(grant.console, Console("tcp://h:1", "tcp://h:1", tcp("h", 1)))
        self.assertEqual((grant.consoleID, grant.consoleType), ("tcp://h:1", ConsoleType.XVPVNC))
        self.assertEqual((grant.expires, grant.resumeHash), (1000 + LONGEST_SECONDS, None))
        self.assertEqual(grant.tokenID, "f52fbd32")
        looked = self.successResultOf(self.start(self.source().checkToken("hunter2", ConsoleType.XVPVNC)))
        self.assertEqual(looked, grant)

    def test_mediated(self) -> None:
        """
        On demand the proxy is to speak RFB with it.
        """
        for raw, url in ((tcp("h", 1), "vnc://h:1"), (Target(TargetKind.UNIX, path="/run/a"), "vnc+unix:///run/a")):
            self.answer = raw
            grant = self.successResultOf(self.start(self.source(mediate=True).redeemToken(_FACTS)))
            self.assertEqual(grant.consoleID, url)

    def test_tokenInPath(self) -> None:
        """
        A console whose path would tell the token is called something else.
        """
        self.answer = Target(TargetKind.UNIX, path="/run/hunter2.sock")
        grant = self.successResultOf(self.start(self.source().redeemToken(_FACTS)))
        assert grant.console is not None
        self.assertEqual((grant.consoleID, grant.console.name), ("TokenX:f52fbd32", "TokenX:f52fbd32"))
        self.assertEqual(grant.console.target, self.answer)

    def test_lineEnd(self) -> None:
        """
        A line end behind a token does not count.
        """
        self.answer = tcp("h", 1)
        one, other = (self.successResultOf(self.start(self.source().checkToken(token))) for token in ("a", "a\n"))
        self.assertEqual(one, other)

    def test_expiry(self) -> None:
        """
        A token that says when it ends, ends then.
        """
        for expires, expected in ((1500.0, 1500.0), (None, 1000 + LONGEST_SECONDS)):
            self.answer = SignedTarget(tcp("h", 1), expires)
            grant = self.successResultOf(self.start(self.source().redeemToken(_FACTS)))
            self.assertEqual((grant.expires, grant.consoleID), (expected, "tcp://h:1"))

    def test_unknown(self) -> None:
        """
        What it does not know is unknown, and so is what it cannot say in order; the latter is logged.
        """
        for answer in (None, BadEntry("its port is no number")):
            self.answer = answer
            with capturedLogs() as events:
                self.failureResultOf(self.start(self.source().redeemToken(_FACTS)), TokenUnknown)
                self.assertIsNone(self.successResultOf(self.start(self.source().checkToken("hunter2"))))
            lines = [formatEvent(event) for event in events]
            words = "what TokenX says of a token makes no sense: its port is no number"
            self.assertEqual(lines, [words] * 2 if answer else [])

    def test_refused(self) -> None:
        """
        A refusal is passed on; looked at, such a token is worth nothing.
        """
        self.answer = TokenExpired("over")
        self.failureResultOf(self.start(self.source().redeemToken(_FACTS)), TokenExpired)
        self.assertIsNone(self.successResultOf(self.start(self.source().checkToken("hunter2"))))

    def test_fails(self) -> None:
        """
        A source that fails cannot say; what is told of it does not hold the words of the error.
        """
        missing = FileNotFoundError(2, "No such file or directory", "/etc/hunter2")
        for answer, cause in (
            (missing, "No such file or directory"),
            (RuntimeError("hunter2"), "RuntimeError"),
            (StreamEnded("hunter2"), "StreamEnded"),
        ):
            self.answer = answer
            with capturedLogs() as events:
                failure = self.failureResultOf(self.start(self.source().redeemToken(_FACTS)), TokensUnreachable)
            (line,) = [formatEvent(event) for event in events]
            self.assertEqual(str(failure.value), f"TokenX fails: {cause}")
            self.assertTrue(line.startswith(f"TokenX fails: {cause} (File "), line)
            self.assertNotIn("hunter2", line)

    def test_cancelled(self) -> None:
        """
        Whoever does not wait any more is not told that it failed.
        """
        self.answer = Deferred()
        asking = self.start(self.source().redeemToken(_FACTS))
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
