"""
How many wrong tokens a client may show: L{vncproxy.attempts}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.attempts import ANY_NUMBER, TABLE_LIMIT, Attempts
from vncproxy.errors import TooManyAttempts

GUESSER = "203.0.113.9"


class AttemptsTests(SynchronousTestCase):
    """
    Tests for L{Attempts}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_795_187_669.5)
        self.attempts = Attempts(3, self.clock.seconds)

    def assertHeard(self, *addresses: str) -> None:
        """
        Clients at these addresses are heard.
        """
        for address in addresses:
            self.attempts.check(address)

    def assertNotHeard(self, address: str, seconds: int) -> None:
        """
        A client at this address is not heard, for so long.
        """
        error = self.assertRaises(TooManyAttempts, self.attempts.check, address)
        self.assertEqual(error.retryAfter, seconds)

    def test_burst(self) -> None:
        """
        As many wrong ones as the limit says are heard at once, the next one is not; then there is one to each part of
        the minute.
        """
        for _ in range(3):
            self.assertHeard(GUESSER)
            self.attempts.failed(GUESSER)
        self.assertNotHeard(GUESSER, 20)
        self.clock.advance(19)
        self.assertNotHeard(GUESSER, 1)
        self.clock.advance(1)
        self.assertHeard(GUESSER)
        self.attempts.failed(GUESSER)
        self.assertNotHeard(GUESSER, 20)

    def test_others(self) -> None:
        """
        Nobody suffers for another's attempts, but for those in one IPv6 network; who has no address is not limited.
        """
        for _ in range(3):
            for address in (GUESSER, "2001:db8::1", "unix"):
                self.attempts.failed(address)
        self.assertNotHeard(GUESSER, 20)
        self.assertNotHeard("::ffff:203.0.113.9", 20)
        self.assertNotHeard("2001:db8::ffff", 20)
        self.assertHeard("203.0.113.10", "2001:db8:0:1::1", "unix")

    def test_steady(self) -> None:
        """
        One that is wrong now and then is always heard.
        """
        for _ in range(100):
            self.assertHeard(GUESSER)
            self.attempts.failed(GUESSER)
            self.clock.advance(20)

    def test_forgiven(self) -> None:
        """
        After a while it is as if nothing had been.
        """
        for _ in range(3):
            self.attempts.failed(GUESSER)
        self.clock.advance(60)
        self.assertHeard(GUESSER)
        self.assertEqual(self.attempts._buckets, {})

    def test_inAdvance(self) -> None:
        """
        What counts in advance and proves good has never counted; what nobody counted is no credit.
        """
        for _ in range(3):
            self.attempts.failed(GUESSER)
        self.assertNotHeard(GUESSER, 20)
        self.attempts.passed(GUESSER)
        self.assertHeard(GUESSER)
        self.attempts.passed(GUESSER)
        self.attempts.passed(GUESSER)
        self.assertEqual(self.attempts._buckets, {})
        self.attempts.passed(GUESSER)
        ANY_NUMBER.passed(GUESSER)
        for _ in range(3):
            self.attempts.failed(GUESSER)
        self.assertNotHeard(GUESSER, 20)

    def test_manyAtOnce(self) -> None:
        """
        Whoever brought in a thousand before the first was found to be wrong is not kept out for longer than ten
        minutes.
        """
        for _ in range(1000):
            self.attempts.failed(GUESSER)
        self.assertNotHeard(GUESSER, 560)

    def test_bounded(self) -> None:
        """
        The table does not grow beyond its bound: who was wrong longest ago is forgotten first.
        """
        for _ in range(3):
            self.attempts.failed("10.255.0.1")
        for _ in range(3):
            self.attempts.failed("10.255.0.2")
        self.attempts.failed("10.255.0.1")
        for number in range(TABLE_LIMIT - 1):
            self.attempts.failed(f"10.0.{number // 256}.{number % 256}")
        self.assertEqual(len(self.attempts._buckets), TABLE_LIMIT)
        self.assertHeard("10.255.0.2")
        self.assertNotHeard("10.255.0.1", 40)

    def test_unlimited(self) -> None:
        """
        Without a limit nothing is remembered.
        """
        for _ in range(100):
            ANY_NUMBER.failed(GUESSER)
            ANY_NUMBER.check(GUESSER)
        self.assertEqual(ANY_NUMBER._buckets, {})

    @given(st.integers(1, 100), st.lists(st.floats(0, 120), max_size=60))
    def test_anyRhythm(self, perMinute: int, pauses: list[float]) -> None:
        """
        In whatever rhythm they come, no minute hears twice as many as the limit says; and who waits for as long as it
        was told is heard.
        """
        clock = Clock()
        attempts = Attempts(perMinute, clock.seconds)
        heard = []
        for pause in pauses:
            clock.advance(pause)
            try:
                attempts.check(GUESSER)
            except TooManyAttempts as error:
                clock.advance(error.retryAfter)
                attempts.check(GUESSER)
            attempts.failed(GUESSER)
            heard.append(clock.seconds())
        for moment in heard:
            self.assertLessEqual(sum(moment <= each < moment + 60 for each in heard), 2 * perMinute)
