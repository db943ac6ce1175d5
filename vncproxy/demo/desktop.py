"""
DemoDesktop: one desktop for all its viewers, and the pace at which it is painted.

A frame is painted only while a viewer waits for one: it has asked for an update, there was nothing to send, and its
connection takes bytes. With no such viewer the desktop rests and costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from typing import Protocol as Shape

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from vncproxy.demo.canvas import Canvas, Rect
from vncproxy.demo.scene import LEAST, MOST, Scene
from vncproxy.demo.state import Effect, State

#: The desktop's name, as viewers show it.
NAME: Final = "vncproxy demo"

#: Seconds from one frame to the next, while nothing but time goes on.
_CALM: Final = 1 / 12
#: The same, after somebody has pressed a key or moved the pointer.
_BRISK: Final = 1 / 30


class Watcher(Shape):
    """
    A viewer, as the desktop sees it.
    """

    @property
    def waiting(self) -> bool:
        """
        Whether it would send an update at once, if there were anything to tell.
        """

    def changed(self, rects: Sequence[Rect]) -> None:
        """
        These parts of the screen are others than before; none may be, and then it sends what it has kept.
        """

    def resized(self) -> None:
        """
        The screen is another one, of another size. Another watcher wanted it.
        """

    def ring(self) -> None:
        """
        Ring the viewer's bell.
        """

    def offer(self, text: str) -> None:
        """
        Give the viewer a text for its clipboard.
        """


class DemoDesktop:
    """
    The desktop that all viewers share.
    """

    def __init__(self, clock: IReactorTime, width: int = 1024, height: int = 640) -> None:
        """
        @param clock: tells the time that the desktop shows, and when the next frame is due.
        @param width: pixels.
        @param height: pixels.
        """
        self._clock = clock
        self._started = clock.seconds()
        self._state = State()
        self._scene = Scene(width, height, self._started)
        self._watchers: list[Watcher] = []
        self._call: IDelayedCall | None = None
        self._last = 0.0
        self._brisk = False

    @property
    def screen(self) -> Canvas:
        """
        What viewers see, as of the last frame.
        """
        return self._scene.screen

    @property
    def typedText(self) -> str:
        """
        What has been typed, as far as it was not deleted.
        """
        return self._state.typedText

    @property
    def clipboard(self) -> str:
        """
        The last text that a viewer has sent.
        """
        return self._state.clipboard

    @property
    def pointer(self) -> tuple[int, int] | None:
        """
        Where the pointer is, L{None} if it has never been moved.
        """
        return self._state.pointer

    @property
    def buttons(self) -> int:
        """
        Which pointer buttons are down: bit n for button n + 1.
        """
        return self._state.buttons

    @property
    def viewers(self) -> int:
        """
        How many watch.
        """
        return len(self._watchers)

    def attach(self, watcher: Watcher) -> None:
        """
        One more watches.
        """
        self._watchers.append(watcher)
        self._state.viewers = len(self._watchers)
        self.wake()

    def detach(self, watcher: Watcher) -> None:
        """
        One less watches; the keys and buttons that are down are let go.
        """
        self._watchers.remove(watcher)
        self._state.viewers = len(self._watchers)
        self._state.releaseAll()
        self.wake()

    def key(self, down: bool, keysym: int) -> None:
        """
        A viewer's key goes down or up.
        """
        effect = self._state.key(down, keysym, self._clock.seconds())
        for watcher in self._watchers:
            if effect is Effect.BELL:
                watcher.ring()
            elif effect is Effect.COPY:
                watcher.offer(self.typedText)
        self._stir()

    def point(self, buttons: int, x: int, y: int) -> None:
        """
        A viewer's pointer is somewhere, with some buttons down.
        """
        bounds = self.screen.bounds
        x, y = min(x, bounds.width - 1), min(y, bounds.height - 1)
        self._state.point(buttons, x, y, self._clock.seconds())
        self._stir()

    def receiveClipboard(self, text: str) -> None:
        """
        A viewer has sent its clipboard.
        """
        self._state.receiveClipboard(text, self._clock.seconds())
        self._stir()

    def resize(self, width: int, height: int, by: Watcher) -> bool:
        """
        Give the desktop another size, as one viewer wants it, and tell the others. False if it cannot have that size.
        """
        if not (LEAST[0] <= width <= MOST[0] and LEAST[1] <= height <= MOST[1]):
            return False
        if (width, height) != (self.screen.bounds.width, self.screen.bounds.height):
            self._scene = Scene(width, height, self._started)
            self._scene.frame(self._state, self._clock.seconds())
            for watcher in self._watchers:
                if watcher is not by:
                    watcher.resized()
        self._stir()
        return True

    def wake(self) -> None:
        """
        See to it that a frame comes, if anybody waits for one.
        """
        if not any(watcher.waiting for watcher in self._watchers):
            self._rest()
            return
        now = self._clock.seconds()
        delay = max(0.0, self._last + (_BRISK if self._brisk else _CALM) - now)
        if self._call is None:
            self._call = self._clock.callLater(delay, self._frame)
        elif self._call.getTime() > now + delay:
            self._call.reset(delay)

    def _stir(self) -> None:
        """
        Somebody has done something: the next frame shall show it soon.
        """
        self._brisk = True
        self.wake()

    def _rest(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _frame(self) -> None:
        """
        Paint a frame and let everybody have it.
        """
        self._call = None
        self._brisk = False
        now = self._last = self._clock.seconds()
        self._state.fade(now)
        rects = self._scene.frame(self._state, now)
        for watcher in tuple(self._watchers):
            watcher.changed(rects)
        self.wake()
