"""
Shapes as coverage: which part of each pixel a pen stroke, a disc or a glow covers, so that edges come out smooth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from math import ceil, floor, hypot
from typing import Final

import attrs

from vncproxy.demo import font

#: A pen is this wide, in parts of a capital's height.
_PEN: Final = 0.115


@attrs.frozen
class Mask:
    """
    Coverage of a rectangle of pixels.

    @ivar rows: one L{bytes} a row, 0 for an untouched pixel up to 255 for a wholly covered one.
    """

    width: int
    height: int
    rows: tuple[bytes, ...]


@lru_cache(maxsize=2048)
def letter(character: str, capital: int, bold: bool = False) -> Mask:
    """
    A letter in its cell, the whole line high.

    @param capital: the height of a capital, in pixels.
    @param bold: with a broader pen.
    """
    scale = capital / font.CAPITAL
    width, height = cellSize(capital)
    pen = max(1.1, capital * _PEN * (1.5 if bold else 1.0))
    left, top = (font.ADVANCE - 16) / 2 * scale, font.ASCENT * scale
    lines = ([(left + x * scale, top + y * scale) for x, y in line] for line in font.strokes(character))
    return _draw(width, height, lines, pen)


def cellSize(capital: int) -> tuple[int, int]:
    """
    Width and height of a letter's cell, in pixels, when a capital is C{capital} pixels high.
    """
    scale = capital / font.CAPITAL
    return max(1, round(font.ADVANCE * scale)), max(1, round(font.LINE * scale))


def _draw(width: int, height: int, lines: Iterable[list[font.Point]], pen: float) -> Mask:
    """
    Lines drawn with a round pen.
    """
    rows = [bytearray(width) for _ in range(height)]
    for line in lines:
        for start, end in zip(line, line[1:] or line, strict=False):
            _segment(rows, width, height, start, end, pen / 2)
    return Mask(width, height, tuple(map(bytes, rows)))


def _segment(rows: list[bytearray], width: int, height: int, start: font.Point, end: font.Point, radius: float) -> None:
    """
    Cover what lies within C{radius} of the line from C{start} to C{end}.
    """
    (ax, ay), (bx, by) = start, end
    dx, dy = bx - ax, by - ay
    square = dx * dx + dy * dy or 1.0
    reach = radius + 1
    columns = range(max(0, floor(min(ax, bx) - reach)), min(width, ceil(max(ax, bx) + reach)))
    for y in range(max(0, floor(min(ay, by) - reach)), min(height, ceil(max(ay, by) + reach))):
        row, py = rows[y], y + 0.5 - ay
        for x in columns:
            px = x + 0.5 - ax
            along = min(1.0, max(0.0, (px * dx + py * dy) / square))
            covered = radius + 0.5 - hypot(px - along * dx, py - along * dy)
            if covered > 0:
                row[x] = max(row[x], 255 if covered >= 1 else int(covered * 255))


@lru_cache(maxsize=256)
def disc(radius: float) -> Mask:
    """
    A filled circle in the smallest square that holds it.
    """
    return _round(radius, lambda distance: radius + 0.5 - distance)


@lru_cache(maxsize=256)
def ring(radius: float, pen: float) -> Mask:
    """
    A circle drawn with a pen C{pen} pixels wide.
    """
    return _round(radius + pen / 2, lambda distance: pen / 2 + 0.5 - abs(distance - radius))


@lru_cache(maxsize=64)
def glow(radius: float, core: float) -> Mask:
    """
    A bright core that fades out towards C{radius}.
    """

    def strength(distance: float) -> float:
        fading = max(0.0, 1 - distance / radius)
        return max(core + 0.5 - distance, fading * fading * 0.55)

    return _round(radius, strength)


def _round(radius: float, strength: Callable[[float], float]) -> Mask:
    """
    A shape that looks the same from all sides.

    @param strength: coverage by distance from the middle; below 0 counts as 0, above 1 as 1.
    """
    size = 2 * ceil(radius + 0.5)
    middle = size / 2
    return Mask(
        size,
        size,
        tuple(
            bytes(
                int(255 * min(1.0, max(0.0, strength(hypot(x + 0.5 - middle, y + 0.5 - middle))))) for x in range(size)
            )
            for y in range(size)
        ),
    )
