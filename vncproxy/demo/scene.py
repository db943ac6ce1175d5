"""
The demo's picture: an evening landscape, panels that stand on it, and what moves over both.

Two canvases hold it. On the backdrop there is what stands still; the screen has the same with everything that moves. To
paint a frame, what moved is wiped off the screen with pieces of the backdrop and painted anew in its new place. So a
frame costs as much as what moves is large, however large the desktop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vncproxy.demo import landscape
from vncproxy.demo.canvas import Canvas, Colour, Damage, Rect
from vncproxy.demo.ink import disc, ring
from vncproxy.demo.landscape import Sprite
from vncproxy.demo.panels import BUTTON_COLOURS, Caps, Clock, Facts, Mouse, Notes, Panel
from vncproxy.demo.state import RIPPLE_SECONDS, TRAIL_SECONDS, State

#: The smallest and the greatest desktop, width and height.
LEAST: Final = (320, 240)
MOST: Final = (2560, 1600)

_TRAIL: Final[Colour] = (170, 196, 255)
_HALO: Final[Colour] = (255, 255, 255)
_RIPPLE_RADIUS: Final = 44
_MOUSE_WIDTH: Final = 196
_LOW_WINDOWS: Final = 132


def layOut(width: int, height: int, started: float) -> list[Panel]:
    """
    The panels for a desktop of this size: the clock beside the notes where there is room, above them where not.
    """
    facts = Facts(Rect(0, height - Facts.HEIGHT, width, Facts.HEIGHT), started)
    wide = width >= 760
    margin = 40 if wide else 14
    clock = Clock(margin, margin - 8 if wide else 4, width * 2 // 5 - margin if wide else min(width - 2 * margin, 260))
    x = width * 2 // 5 + margin // 2 if wide else margin
    y = margin if wide else 112
    room = Rect(x, y, width - x - margin, height - y - Facts.HEIGHT - margin)
    if room.height < _LOW_WINDOWS + 140 or room.width < 380:
        return [clock, Notes(room), facts]
    notes = Rect(room.x, room.y, room.width, min(room.height - _LOW_WINDOWS - 14, height * 11 // 20))
    low = Rect(room.x, notes.bottom + 14, _MOUSE_WIDTH, _LOW_WINDOWS)
    rest = Rect(low.right + 14, low.y, room.right - low.right - 14, low.height)
    return [clock, Notes(notes), Mouse(low), Caps(rest), facts]


class Scene:
    """
    The picture at one size.

    @ivar screen: what viewers see, as of the last frame.
    """

    def __init__(self, width: int, height: int, started: float) -> None:
        """
        @param started: when the desktop began, in seconds since the epoch.
        """
        self._backdrop = Canvas(width, height)
        self._panels = layOut(width, height, started)
        self._moving: list[Rect] = []
        landscape.paint(self._backdrop)
        for panel in self._panels:
            panel.paint(self._backdrop)
        self.screen = Canvas(width, height)
        self.screen.copy(self._backdrop, self.screen.bounds)

    def frame(self, state: State, now: float) -> list[Rect]:
        """
        Paint what has changed until C{now}, and say where.
        """
        stale = Damage(self._moving)
        for panel in self._panels:
            for rect in panel.refresh(self._backdrop, state, now):
                stale.add(rect)
        changed = stale.take(self.screen.bounds)
        for rect in changed:
            self.screen.copy(self._backdrop, rect)
        self._moving = [self._hover(sprite) for sprite in landscape.fireflies(self.screen.bounds, now)]
        for panel in self._panels:
            for touched in self._moving:
                self.screen.copy(self._backdrop, touched.within(panel.covers))
        self._moving += [self._hover(sprite) for sprite in _traces(state, now)]
        return Damage([*changed, *self._moving]).take(self.screen.bounds)

    def _hover(self, sprite: Sprite) -> Rect:
        """
        Paint something that moves, and say where.
        """
        return self.screen.blend(sprite.mask, sprite.x, sprite.y, sprite.colour, sprite.opacity)


def _traces(state: State, now: float) -> Iterator[Sprite]:
    """
    What the pointer leaves behind, from the lowest to the highest.
    """
    for dot in state.trail:
        age = min(1.0, (now - dot.time) / TRAIL_SECONDS)
        yield Sprite.centred(disc(round(9 - 6 * age) / 2), dot.x, dot.y, _TRAIL, 0.7 * (1 - age))
    if state.pointer is not None:
        yield Sprite.centred(ring(13, 1.6), *state.pointer, _HALO, 0.55 if state.buttons == 0 else 1.0)
    for ripple in state.ripples:
        age = min(1.0, (now - ripple.time) / RIPPLE_SECONDS)
        colour = BUTTON_COLOURS[ripple.button - 1]
        yield Sprite.centred(ring(round(6 + _RIPPLE_RADIUS * age), 3), ripple.x, ripple.y, colour, 1 - age)
