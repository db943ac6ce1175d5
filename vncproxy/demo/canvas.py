"""
A picture in memory, and the rectangles of it that have changed.

Pixels are L{BGRX<vncproxy.rfb.pixelformat.BGRX>}: four bytes, blue first. Everything is clipped at the edges.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import ceil, sqrt
from typing import Final

import attrs

from vncproxy.demo.ink import Mask, cellSize, letter

#: Red, green and blue, each from 0 to 255.
Colour = tuple[int, int, int]

#: Bytes of one pixel.
PIXEL: Final = 4


@attrs.frozen
class Rect:
    """
    A rectangle of pixels.
    """

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """
        The first column beyond it.
        """
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """
        The first row beyond it.
        """
        return self.y + self.height

    @property
    def area(self) -> int:
        """
        How many pixels it has; 0 when it is empty.
        """
        return max(0, self.width) * max(0, self.height)

    def within(self, other: Rect) -> Rect:
        """
        What it has in common with C{other}; of area 0 when that is nothing.
        """
        x, y = max(self.x, other.x), max(self.y, other.y)
        return Rect(x, y, min(self.right, other.right) - x, min(self.bottom, other.bottom) - y)

    def around(self, other: Rect) -> Rect:
        """
        The smallest rectangle that holds it and C{other}.
        """
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Rect(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)

    def inset(self, margin: int) -> Rect:
        """
        It without a margin on all sides.
        """
        return Rect(self.x + margin, self.y + margin, self.width - 2 * margin, self.height - 2 * margin)


class Damage:
    """
    What has changed, as a few rectangles that may overlap. It never holds more than L{Damage.LIMIT}.
    """

    LIMIT: Final = 32

    def __init__(self, rects: Iterable[Rect] = ()) -> None:
        self._rects: list[Rect] = []
        for rect in rects:
            self.add(rect)

    def __bool__(self) -> bool:
        return bool(self._rects)

    def add(self, rect: Rect) -> None:
        """
        This has changed too.
        """
        if not rect.area:
            return
        for i, known in enumerate(self._rects):
            joined = known.around(rect)
            if joined.area <= known.area + rect.area:  # apart, they would cost as much
                del self._rects[i]
                return self.add(joined)
        self._rects.append(rect)
        if len(self._rects) > self.LIMIT:
            first, second, *others = self._rects
            self._rects = others
            self.add(first.around(second))

    def take(self, bounds: Rect) -> list[Rect]:
        """
        What has changed within C{bounds}; all of it is forgotten.
        """
        rects, self._rects = self._rects, []
        return [clipped for rect in rects if (clipped := rect.within(bounds)).area]


class Canvas:
    """
    The picture.

    @ivar data: its pixels, row by row.
    @ivar stride: bytes of one row.
    """

    def __init__(self, width: int, height: int) -> None:
        self.bounds = Rect(0, 0, width, height)
        self.stride = width * PIXEL
        self.data = bytearray(self.stride * height)

    def rows(self, rect: Rect) -> Iterable[slice]:
        """
        Where in L{data} the rows of C{rect} are, which lies within the picture.
        """
        start = rect.y * self.stride + rect.x * PIXEL
        for at in range(start, start + rect.height * self.stride, self.stride):
            yield slice(at, at + rect.width * PIXEL)

    def cut(self, rect: Rect) -> bytes:
        """
        The pixels of C{rect}, which lies within the picture.
        """
        return b"".join(self.data[row] for row in self.rows(rect))

    def fill(self, rect: Rect, colour: Colour) -> None:
        """
        Paint a rectangle in one colour.
        """
        clipped = rect.within(self.bounds)
        if clipped.area:
            row = pixel(colour) * clipped.width
            for at in self.rows(clipped):
                self.data[at] = row

    def copy(self, other: Canvas, rect: Rect) -> None:
        """
        Take over a rectangle from a picture of the same size.
        """
        clipped = rect.within(self.bounds)
        if clipped.area:
            for at in self.rows(clipped):
                self.data[at] = other.data[at]

    def part(self, rect: Rect) -> Canvas:
        """
        A picture of its own of what is at C{rect}; black where that lies outside.
        """
        part = Canvas(rect.width, rect.height)
        part.put(self, -rect.x, -rect.y)
        return part

    def put(self, other: Canvas, x: int, y: int) -> None:
        """
        Put another picture here, its left upper corner at C{x}, C{y}.
        """
        clipped = Rect(x, y, other.bounds.width, other.bounds.height).within(self.bounds)
        if clipped.area:
            theirs = Rect(clipped.x - x, clipped.y - y, clipped.width, clipped.height)
            for to, at in zip(self.rows(clipped), other.rows(theirs), strict=True):
                self.data[to] = other.data[at]

    def panel(self, rect: Rect, colour: Colour, radius: int) -> None:
        """
        Paint a rectangle with round corners.
        """
        self.fill(Rect(rect.x, rect.y + radius, rect.width, rect.height - 2 * radius), colour)
        for i in range(radius):
            inset = radius - sqrt(radius**2 - (radius - i - 0.5) ** 2)
            whole = ceil(inset)
            edge = Mask(1, 1, (bytes([int(255 * (whole - inset))]),))
            for y in (rect.y + i, rect.bottom - 1 - i):
                self.fill(Rect(rect.x + whole, y, rect.width - 2 * whole, 1), colour)
                self.blend(edge, rect.x + whole - 1, y, colour)
                self.blend(edge, rect.right - whole, y, colour)

    def blend(self, mask: Mask, x: int, y: int, colour: Colour, opacity: float = 1.0) -> Rect:
        """
        Paint through a mask whose left upper corner is put at C{x}, C{y}. Returns what it has touched.
        """
        touched = Rect(x, y, mask.width, mask.height).within(self.bounds)
        if not touched.area:
            return touched
        red, green, blue = colour
        strength = int(256 * opacity)
        data, left = self.data, touched.x - x
        for i, at in enumerate(self.rows(touched), touched.y - y):
            place = at.start
            for covered in mask.rows[i][left : left + touched.width]:
                if covered:
                    share = covered * strength // 255
                    data[place] += (blue - data[place]) * share >> 8
                    data[place + 1] += (green - data[place + 1]) * share >> 8
                    data[place + 2] += (red - data[place + 2]) * share >> 8
                place += PIXEL
        return touched

    def draw(self, x: int, y: int, text: str, capital: int, colour: Colour, bold: bool = False) -> Rect:
        """
        Write over whatever is there. Returns the line's rectangle.
        """
        width, height = cellSize(capital)
        for i, character in enumerate(text):
            self.blend(letter(character, capital, bold), x + i * width, y, colour)
        return Rect(x, y, width * len(text), height)

    def write(self, x: int, y: int, text: str, capital: int, colour: Colour, paper: Colour, bold: bool = False) -> Rect:
        """
        Write on ground of one colour, which is painted as well: quicker than L{draw}. Returns the line's rectangle.
        """
        width, height = cellSize(capital)
        for i, character in enumerate(text):
            cell = Rect(x + i * width, y, width, height)
            clipped = cell.within(self.bounds)
            if clipped.area:
                left = (clipped.x - cell.x) * PIXEL
                stamp = _stamp(character, capital, bold, colour, paper)[clipped.y - cell.y :]
                for at, row in zip(self.rows(clipped), stamp, strict=False):
                    self.data[at] = row[left : left + clipped.width * PIXEL]
        return Rect(x, y, width * len(text), height)


def pixel(colour: Colour) -> bytes:
    """
    A colour as the bytes of a pixel.
    """
    red, green, blue = colour
    return bytes((blue, green, red, 0))


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """
    A colour between two: C{one} at 0, C{other} at 1.
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@lru_cache(maxsize=4096)
def _stamp(character: str, capital: int, bold: bool, colour: Colour, paper: Colour) -> tuple[bytes, ...]:
    """
    A letter's cell as rows of pixels.
    """
    shades = _shades(colour, paper)
    return tuple(b"".join(shades[covered] for covered in row) for row in letter(character, capital, bold).rows)


@lru_cache(maxsize=64)
def _shades(colour: Colour, paper: Colour) -> tuple[bytes, ...]:
    """
    The pixel for each coverage from 0 to 255.
    """
    return tuple(pixel(mix(paper, colour, covered / 255)) for covered in range(256))
