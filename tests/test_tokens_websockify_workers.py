"""
Threads for what waits in ways of its own.
"""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from vncproxy.errors import TokensUnreachable
from vncproxy.tokens.websockify.workers import MOST_WAITING, THREADS, Workers


class WorkersTests(TestCase):
    """
    Tests for L{Workers}, with real threads.
    """

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: TID251 - threads answer to the real one

        self.workers = Workers(reactor)  # type: ignore[arg-type]
        self.addCleanup(self.workers.stop)
        # Nothing of these tests outlives them.
        self.release = threading.Event()
        self.addCleanup(self.release.set)

    def run_(self, work: Any) -> Deferred[Any]:
        """
        Have something done.
        """
        return Deferred.fromCoroutine(self.workers.run(work)).addTimeout(10, self.workers._reactor)  # type: ignore[arg-type]

    async def test_results(self) -> None:
        """
        What a call returns or raises comes back; it was done in another thread.
        """
        self.assertNotEqual(await self.run_(threading.get_ident), threading.get_ident())
        with self.assertRaises(ZeroDivisionError):
            await self.run_(lambda: 1 // 0)

    async def test_endsNothing(self) -> None:
        """
        A call that means to end the program, or its thread, has failed like any other.
        """
        for fault in (SystemExit(3), KeyboardInterrupt(), GeneratorExit()):

            def work(fault: BaseException = fault) -> None:
                raise fault

            with self.assertRaises(RuntimeError) as caught:
                await self.run_(work)
            self.assertEqual(str(caught.exception), f"it raised {type(fault).__name__}")

    async def test_abandoned(self) -> None:
        """
        A call that nobody waits for any more is not begun.
        """
        done: list[str] = []
        busy = [self.run_(self.release.wait) for _ in range(THREADS)]
        late = self.run_(lambda: done.append("late"))
        late.addErrback(lambda failure: done.append("cancelled"))
        late.cancel()
        self.release.set()
        await gatherResults(busy)
        await self.run_(lambda: done.append("last"))
        self.assertEqual(done, ["cancelled", "last"])

    async def test_bounded(self) -> None:
        """
        Not everybody can wait: one too many is turned away at once, and comes in again later.
        """
        waiting = [self.run_(self.release.wait) for _ in range(MOST_WAITING)]
        with self.assertRaises(TokensUnreachable):
            await self.run_(lambda: None)
        self.release.set()
        await gatherResults(waiting)
        await self.run_(lambda: None)

    async def test_stopsBusy(self) -> None:
        """
        To stop takes no time, whatever the threads are doing; none of them keeps the program from ending.
        """
        busy = self.run_(lambda: (self.release.wait(), threading.current_thread().daemon))
        self.workers.stop()
        self.assertFalse(busy.called)
        self.release.set()
        self.assertEqual((await busy)[1], True)

    def test_unused(self) -> None:
        """
        Where nothing was done there is nothing to stop.
        """
        Workers(self.workers._reactor).stop()
