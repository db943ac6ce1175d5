"""
L{vncproxy.demo.desktop}: one desktop for all its viewers.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.demo.canvas import Rect
from vncproxy.demo.desktop import DemoDesktop
from vncproxy.demo.keys import Key
from vncproxy.demo.scene import LEAST, MOST


class RecordingWatcher:
    """
    A watcher that writes down what it is told.
    """

    def __init__(self, waiting: bool = True) -> None:
        self.waiting = waiting
        self.frames: list[Sequence[Rect]] = []
        self.sizes = 0
        self.bells = 0
        self.texts: list[str] = []

    def changed(self, rects: Sequence[Rect]) -> None:
        self.frames.append(rects)

    def resized(self) -> None:
        self.sizes += 1

    def ring(self) -> None:
        self.bells += 1

    def offer(self, text: str) -> None:
        self.texts.append(text)


class DesktopTests(SynchronousTestCase):
    """
    Tests for L{DemoDesktop}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.desktop = DemoDesktop(self.clock, 400, 300)

    def watch(self, waiting: bool = True) -> RecordingWatcher:
        """
        A new watcher.
        """
        watcher = RecordingWatcher(waiting)
        self.desktop.attach(watcher)
        return watcher

    def test_restsUnwatched(self) -> None:
        """
        With nobody there, and with nobody who waits, nothing is painted and no timer runs.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        watcher = self.watch(waiting=False)
        self.desktop.key(True, 0x41)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(watcher.frames, [])

    def test_pace(self) -> None:
        """
        A watcher that waits gets about a dozen frames a second.
        """
        watcher = self.watch()
        self.clock.pump([0.001] * 2000)
        self.assertTrue(22 <= len(watcher.frames) <= 25, len(watcher.frames))
        self.assertTrue(all(watcher.frames[1:]))

    def test_stopsWhenNobodyWaits(self) -> None:
        """
        When the last one stops waiting, one more frame is due at most.
        """
        watcher = self.watch()
        self.clock.pump([0.1] * 5)
        watcher.waiting = False
        self.clock.pump([0.1] * 20)
        count = len(watcher.frames)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        watcher.waiting = True
        self.desktop.wake()
        self.clock.advance(0)
        self.assertEqual(len(watcher.frames), count + 1)

    def test_inputIsPrompt(self) -> None:
        """
        What somebody does is shown sooner than the next calm frame.
        """
        watcher = self.watch()
        self.clock.advance(0)
        self.clock.advance(0.04)
        count = len(watcher.frames)
        self.desktop.point(1, 50, 60)
        self.clock.advance(0)
        self.assertEqual(len(watcher.frames), count + 1)

    def test_inputIsNotEndless(self) -> None:
        """
        However fast somebody moves, there are at most thirty frames a second.
        """
        watcher = self.watch()
        for step in range(2000):
            self.desktop.point(0, step % 400, 7)
            self.clock.advance(0.001)
        self.assertTrue(50 <= len(watcher.frames) <= 61, len(watcher.frames))

    def test_shared(self) -> None:
        """
        What one types all see, and the bell and the clipboard are for all.
        """
        watchers = [self.watch(), self.watch()]
        for keysym in (0x48, 0x69):
            self.desktop.key(True, keysym)
            self.desktop.key(False, keysym)
        self.desktop.key(True, Key.CONTROL_LEFT)
        self.desktop.key(True, 0x67)
        self.desktop.key(True, 0x63)
        self.assertEqual(self.desktop.typedText, "Hi")
        self.assertEqual([watcher.bells for watcher in watchers], [1, 1])
        self.assertEqual([watcher.texts for watcher in watchers], [["Hi"], ["Hi"]])
        self.clock.advance(0)
        self.assertEqual([len(watcher.frames) for watcher in watchers], [1, 1])

    def test_facts(self) -> None:
        """
        A test can ask what has reached the desktop.
        """
        self.assertEqual((self.desktop.pointer, self.desktop.viewers), (None, 0))
        watcher = self.watch()
        self.desktop.point(5, 3000, 3000)
        self.desktop.receiveClipboard("text")
        self.assertEqual(self.desktop.pointer, (399, 299))
        self.assertEqual(self.desktop.buttons, 5)
        self.assertEqual(self.desktop.clipboard, "text")
        self.assertEqual(self.desktop.viewers, 1)
        self.desktop.detach(watcher)
        self.assertEqual((self.desktop.viewers, self.desktop.buttons), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_resize(self) -> None:
        """
        Another size is another screen, painted at once; only the others are told of it.
        """
        by, other = self.watch(), self.watch()
        self.assertTrue(self.desktop.resize(500, 350, by))
        self.assertEqual(self.desktop.screen.bounds, Rect(0, 0, 500, 350))
        self.assertEqual((by.sizes, other.sizes), (0, 1))

    def test_sameSize(self) -> None:
        """
        The size that it has already changes nothing.
        """
        by, other = self.watch(), self.watch()
        screen = self.desktop.screen
        self.assertTrue(self.desktop.resize(400, 300, by))
        self.assertIs(self.desktop.screen, screen)
        self.assertEqual((by.sizes, other.sizes), (0, 0))

    def test_sizesThatItCannotHave(self) -> None:
        """
        Too small and too large sizes are refused, and nothing changes.
        """
        by, other = self.watch(), self.watch()
        for width, height in ((LEAST[0] - 1, 300), (400, LEAST[1] - 1), (MOST[0] + 1, 300), (400, MOST[1] + 1)):
            self.assertFalse(self.desktop.resize(width, height, by))
        self.assertEqual(self.desktop.screen.bounds, Rect(0, 0, 400, 300))
        self.assertEqual(other.sizes, 0)

    def test_leavingWhileFramesGo(self) -> None:
        """
        A watcher that leaves because of a frame does not keep the others from theirs.
        """

        class Leaving(RecordingWatcher):
            def changed(watcher, rects: Sequence[Rect]) -> None:
                super().changed(rects)
                self.desktop.detach(watcher)

        leaving = Leaving()
        self.desktop.attach(leaving)
        staying = self.watch()
        self.clock.pump([0.1] * 3)
        self.assertEqual(len(leaving.frames), 1)
        self.assertTrue(len(staying.frames) > 1)
