"""
Waiting for work that cannot be cut off.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.errors import TokensUnreachable
from vncproxy.patience import answerWithin


class AnswerTests(SynchronousTestCase):
    """
    Tests for L{answerWithin}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        # It pays no heed to being cancelled, as work elsewhere.
        self.work: Deferred[str] = Deferred(lambda deferred: None)
        self.late: list[str] = []

    async def _work(self) -> str:
        return await self.work

    async def _late(self, result: str) -> None:
        self.late.append(result)

    def begin(self, late: Any = None) -> Deferred[str]:
        """
        Wait for five seconds.
        """
        return Deferred.fromCoroutine(answerWithin(5, self.clock, self._work(), late))

    def test_inTime(self) -> None:
        """
        What the work comes to in time is the answer, be it a result or an error.
        """
        answer = self.begin(self._late)
        self.clock.advance(4)
        self.work.callback("done")
        self.assertEqual(self.successResultOf(answer), "done")
        self.work = Deferred()
        answer = self.begin()
        self.work.errback(ValueError())
        self.failureResultOf(answer, ValueError)
        self.assertEqual((self.late, self.clock.getDelayedCalls()), ([], []))

    def test_tooLate(self) -> None:
        """
        After its time the caller is told that there is no answer, and the result is settled when it comes.
        """
        answer = self.begin(self._late)
        self.clock.advance(5)
        error = self.failureResultOf(answer, TokensUnreachable).value
        self.assertEqual(str(error), "no answer within 5 s")
        self.work.callback("done")
        self.assertEqual(self.late, ["done"])

    def test_gone(self) -> None:
        """
        A caller that goes stops nothing, and the result is settled, too.
        """
        answer = self.begin(self._late)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.work.callback("done")
        self.assertEqual(self.late, ["done"])

    def test_nobodyWants(self) -> None:
        """
        A late result that needs no settling is let go; a late error is worth a line.
        """
        for outcome, lines in (("done", 0), (ValueError("broken"), 1)):
            self.work = Deferred(lambda deferred: None)
            self.begin().addErrback(lambda failure: None).cancel()
            with capturedLogs() as events:
                self.work.callback(outcome) if isinstance(outcome, str) else self.work.errback(outcome)
            self.assertEqual([event["error"] for event in events], ["broken"] * lines)

    def test_settlingFails(self) -> None:
        """
        So is a result that could not be settled.
        """

        async def fail(result: str) -> None:
            raise ValueError(result)

        self.begin(fail).addErrback(lambda failure: None).cancel()
        with capturedLogs() as events:
            self.work.callback("lost")
        self.assertEqual([event["error"] for event in events], ["lost"])
