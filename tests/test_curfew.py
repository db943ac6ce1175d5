"""
When sessions must end: L{vncproxy.curfew}.
"""

from __future__ import annotations

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from vncproxy.curfew import REMEMBERED, AnyBytes, Beginnings, Curfew
from vncproxy.interfaces import IFilter
from vncproxy.model import ConsoleType, EndReason, Grant, SessionRules

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
        with Curfew(self.clock, SessionRules(), STARTED + 5, STARTED).kept(self.end):
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
            with Curfew(self.clock, rules, STARTED + 9, STARTED).kept(self.end):
                self.pass_(20)
            self.assertEqual(self.ended[0], expected)

    def test_alreadyExpired(self) -> None:
        """
        A session whose token has expired ends at once.
        """
        with Curfew(self.clock, SessionRules(enforceExpiry=True), STARTED - 1, STARTED).kept(self.end):
            self.clock.advance(0)
        self.assertEqual(self.ended, [(0.0, EndReason.EXPIRED)])

    def test_beganBefore(self) -> None:
        """
        A lifetime counts from when it began, and may be over already; the idle time counts from now.
        """
        for began, lifetime, expected in (
            (STARTED - 4, 7, (3.0, EndReason.TOO_LONG)),
            (STARTED - 8, 7, (0.0, EndReason.TOO_LONG)),
            (STARTED - 4, 70, (5.0, EndReason.IDLE)),
        ):
            self.setUp()
            with Curfew(self.clock, SessionRules(lifetime=lifetime, idle=5), 0, began).kept(self.end):
                self.clock.advance(0)
                self.pass_(10)
            self.assertEqual(self.ended[0], expected)

    def test_heard(self) -> None:
        """
        Each deed begins the idle time anew, and it is the last one that counts.
        """
        curfew = Curfew(self.clock, SessionRules(idle=5), 0, STARTED)
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
        curfew = Curfew(self.clock, SessionRules(True, 7, 5), STARTED + 9, STARTED)
        with curfew.kept(self.end):
            self.pass_(3)
            curfew.heard()
            self.pass_(3)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.ended, [])


class BeginningsTests(SynchronousTestCase):
    """
    Tests for L{Beginnings}.
    """

    def setUp(self) -> None:
        self.beginnings = Beginnings()
        self.first = Grant("t" * 64, "vm7", ConsoleType.NOVNC, 1000.0, resumeHash="r" * 64)
        self.again = attrs.evolve(self.first, resumed=True)

    def test_resumed(self) -> None:
        """
        A browser that comes back goes on with what it began, however often; one that spends a use begins anew.
        """
        moments = [self.beginnings.of(grant, now) for now, grant in enumerate([self.first, self.again, self.again])]
        self.assertEqual(moments, [0, 0, 0])
        self.assertEqual([self.beginnings.of(grant, 9) for grant in (self.first, self.again)], [9, 9])

    def test_others(self) -> None:
        """
        Another browser, another token and a viewer that cannot come back have nothing to do with it; nor has what
        nobody remembers.
        """
        self.beginnings.of(self.first, 1)
        for other in (
            attrs.evolve(self.again, resumeHash="s" * 64),
            attrs.evolve(self.again, tokenHash="u" * 64),
            attrs.evolve(self.again, resumeHash=None),
        ):
            self.assertEqual(self.beginnings.of(other, 5), 5)

    def test_bounded(self) -> None:
        """
        Only so many are remembered; who came longest ago is forgotten first.
        """
        old = attrs.evolve(self.first, tokenHash="old")
        self.beginnings.of(old, 1)
        self.beginnings.of(self.first, 2)
        for number in range(REMEMBERED - 1):
            self.beginnings.of(attrs.evolve(self.first, tokenHash=str(number)), 3)
        self.assertEqual(len(self.beginnings._at), REMEMBERED)
        self.assertEqual(self.beginnings.of(self.again, 9), 2)
        self.assertEqual(self.beginnings.of(attrs.evolve(old, resumed=True), 9), 9)


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
