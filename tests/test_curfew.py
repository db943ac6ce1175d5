"""
When sessions must end: L{vncproxy.curfew}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from vncproxy.curfew import AnyBytes, Curfew
from vncproxy.interfaces import IFilter
from vncproxy.model import EndReason, SessionRules

STARTED = 1000.0


class CurfewTests(SynchronousTestCase):
    """
    Tests for L{Curfew}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(STARTED)
        self.ended: list[tuple[float, EndReason]] = []

    def end(self, reason: EndReason) -> None:
        """
        Note when the session is ended, and why.
        """
        self.ended.append((self.clock.seconds() - STARTED, reason))

    def pass_(self, seconds: int) -> None:
        """
        Let time pass, second by second.
        """
        self.clock.pump([1.0] * seconds)

    def test_none(self) -> None:
        """
        Without a rule no timer runs.
        """
        with Curfew(self.clock, SessionRules(), STARTED + 5).kept(self.end):
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_limits(self) -> None:
        """
        Each limit ends the session at its moment and by its word; of several the first one.
        """
        for rules, expected in (
            (SessionRules(lifetime=7), (7.0, EndReason.TOO_LONG)),
            (SessionRules(enforceExpiry=True), (9.0, EndReason.EXPIRED)),
            (SessionRules(idle=5), (5.0, EndReason.IDLE)),
            (SessionRules(lifetime=7, enforceExpiry=True), (7.0, EndReason.TOO_LONG)),
            (SessionRules(lifetime=11, enforceExpiry=True), (9.0, EndReason.EXPIRED)),
            (SessionRules(lifetime=7, enforceExpiry=True, idle=5), (5.0, EndReason.IDLE)),
        ):
            self.setUp()
            with Curfew(self.clock, rules, STARTED + 9).kept(self.end):
                self.pass_(20)
            self.assertEqual(self.ended[0], expected)

    def test_alreadyExpired(self) -> None:
        """
        A session whose token has expired ends at once.
        """
        with Curfew(self.clock, SessionRules(enforceExpiry=True), STARTED - 1).kept(self.end):
            self.clock.advance(0)
        self.assertEqual(self.ended, [(0.0, EndReason.EXPIRED)])

    def test_heard(self) -> None:
        """
        Each deed begins the idle time anew, and it is the last one that counts.
        """
        curfew = Curfew(self.clock, SessionRules(idle=5), 0)
        with curfew.kept(self.end):
            for _ in range(10):
                self.pass_(4)
                curfew.heard()
            self.assertEqual(self.ended, [])
            self.pass_(20)
        self.assertEqual(self.ended, [(45.0, EndReason.IDLE)])

    def test_over(self) -> None:
        """
        When the session is over nothing is left to come.
        """
        curfew = Curfew(self.clock, SessionRules(True, 7, 5), STARTED + 9)
        with curfew.kept(self.end):
            self.pass_(3)
            curfew.heard()
            self.pass_(3)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.ended, [])


class AnyBytesTests(SynchronousTestCase):
    """
    Tests for L{AnyBytes}.
    """

    def test_passes(self) -> None:
        """
        Everything passes, and each time somebody was heard.
        """
        heard: list[None] = []
        rule = AnyBytes(lambda: heard.append(None))
        self.assertTrue(verifyObject(IFilter, rule))
        self.assertEqual((rule.feed(b"login\r"), rule.feed(b"ls")), (b"login\r", b"ls"))
        self.assertEqual(len(heard), 2)
