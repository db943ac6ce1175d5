"""
The demo's backdrop, an evening: a sky with stars, a low sun, three rows of hills, and fireflies over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import pi, sin
from random import Random
from typing import Final

import attrs

from vncproxy.demo.canvas import PIXEL, Canvas, Colour, Rect, mix, pixel
from vncproxy.demo.ink import Mask, disc, glow

#: The sky's colours from above, each at its part of the height.
_SKY: Final[tuple[tuple[float, Colour], ...]] = (
    (0.0, (9, 13, 38)),
    (0.45, (36, 42, 98)),
    (0.72, (112, 72, 124)),
    (0.88, (224, 132, 108)),
    (1.0, (246, 184, 122)),
)
_SUN: Final[Colour] = (255, 214, 150)
_STAR: Final[Colour] = (214, 222, 255)
#: Hills from the back to the front.
_HILLS: Final[tuple[Colour, ...]] = ((84, 56, 102), (48, 36, 78), (20, 20, 46))
_FIREFLY: Final[Colour] = (255, 226, 130)
_FIREFLIES: Final = 12
#: How far down each row of hills begins, as a part of their zone; and the waves that they are made of: how often each
#: comes in so many pixels, and how high it is.
_LEVELS: Final = (0.34, 0.52, 0.74)
_WAVES: Final = ((1.3, 0.15), (2.9, 0.09), (6.1, 0.035))
_WAVELENGTH: Final = 1100
#: The hills' zone is at most this high, so that a height is one byte.
_HILLS_HIGHEST: Final = 250


@attrs.frozen
class Sprite:
    """
    Something that moves over the picture.

    @ivar x: of the mask's left edge; C{y} of its upper one.
    """

    mask: Mask
    x: int
    y: int
    colour: Colour
    opacity: float = 1.0

    @classmethod
    def centred(cls, mask: Mask, x: float, y: float, colour: Colour, opacity: float = 1.0) -> Sprite:
        """
        With the middle of its mask at C{x}, C{y}.
        """
        return cls(mask, round(x - mask.width / 2), round(y - mask.height / 2), colour, opacity)


def paint(canvas: Canvas) -> None:
    """
    Paint the whole of C{canvas}.
    """
    width, height = canvas.bounds.width, canvas.bounds.height
    for y in range(height):
        canvas.fill(Rect(0, y, width, 1), _skyAt(y / height))
    # The stars of one size of desktop are always the same.
    random = Random(width * height)
    for _ in range(width * height // 6000):
        x, y = random.randrange(width), random.randrange(height * 6 // 10)
        canvas.blend(disc(0.5 + random.random() * 0.6), x, y, _STAR, 0.9 * random.random() * (1 - y / height))
    sun = glow(height * 0.2, height * 0.045)
    canvas.blend(sun, round(width * 0.23) - sun.width // 2, round(height * 0.76) - sun.height // 2, _SUN)
    _paintHills(canvas)


def _skyAt(part: float) -> Colour:
    """
    The sky's colour at a part of its height.
    """
    (above, upper), (below, lower) = next(pair for pair in pairwise(_SKY) if part <= pair[1][0])
    return mix(upper, lower, (part - above) / (below - above))


def _paintHills(canvas: Canvas) -> None:
    """
    Paint the hills, from the back to the front and row by row.
    """
    width, height = canvas.bounds.width, canvas.bounds.height
    zone = min(_HILLS_HIGHEST, height * 3 // 10)
    for layer, colour in enumerate(_HILLS):
        tops = _hillTops(width, zone, layer)
        for below in range(zone):
            reaches = tops.translate(bytes(0xFF if top <= below else 0 for top in range(256)))
            _paintRow(canvas, height - zone + below, reaches, colour)


def _paintRow(canvas: Canvas, y: int, chosen: bytes, colour: Colour) -> None:
    """
    Paint the pixels of a row for which C{chosen} has 255, and leave those with 0.
    """
    mask = int.from_bytes(chosen, "little")
    for part, value in enumerate(pixel(colour)):
        place = slice(y * canvas.stride + part, (y + 1) * canvas.stride, PIXEL)
        there = int.from_bytes(canvas.data[place], "little")
        painted = int.from_bytes(bytes([value]) * len(chosen), "little")
        canvas.data[place] = (there & ~mask | painted & mask).to_bytes(len(chosen), "little")


def _hillTops(width: int, zone: int, layer: int) -> bytes:
    """
    How far below the zone's upper edge a row of hills begins, column by column.
    """
    level = _LEVELS[layer]

    def top(x: int) -> int:
        angle = 2 * pi * x / _WAVELENGTH + layer
        waves = (size * sin(often * (angle + 0.7 * layer)) for often, size in _WAVES)
        return max(0, round(zone * (level + sum(waves))))

    return bytes(map(top, range(width)))


def fireflies(bounds: Rect, now: float) -> Iterator[Sprite]:
    """
    Where the fireflies are: over the hills, each on its way.
    """
    low, high = bounds.height * 0.94, bounds.height * 0.72
    for i in range(_FIREFLIES):
        pace = 0.11 + 0.023 * i
        x = bounds.width * (0.5 + 0.47 * sin(pace * now + 2.4 * i))
        y = (low + high) / 2 + (low - high) / 2 * sin(pace * 2.3 * now + 1.1 * i * i)
        brightness = 0.55 + 0.4 * sin(now * (1.3 + 0.21 * i) + i)
        yield Sprite.centred(glow(12, 1.8), x, y, _FIREFLY, brightness)
