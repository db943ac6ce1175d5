"""
From the canvas's pixels to those that a viewer has asked for.

Every step works on one byte of all pixels at once (slices, C{bytes.translate}, and whole rectangles as one big number),
so that a picture of a million pixels takes a few hundredths of a second without any library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vncproxy.demo.canvas import PIXEL
from vncproxy.errors import ProtocolError
from vncproxy.rfb.pixelformat import BGRX, PixelFormat

#: Where a colour stands in a pixel of the canvas.
_BLUE, _GREEN, _RED = 0, 1, 2
_SAME: Final = bytes(range(256))
_NONE: Final = bytes(256)


class Translator:
    """
    Writes pixels in one true-colour format.

    @ivar pixelFormat: that format.
    """

    def __init__(self, pixelFormat: PixelFormat) -> None:
        """
        @raise ProtocolError: it is not a format that pixels can be written in; a colour map, for example.
        """
        if not pixelFormat.isTrueColour:
            raise ProtocolError(f"the viewer wants pixels in a format that the demo does not know: {pixelFormat}")
        self.pixelFormat = pixelFormat
        self._size = pixelFormat.bitsPerPixel // 8
        self._tables = list(self._tablesByByte())

    def _tablesByByte(self) -> Iterator[list[tuple[int, bytes]]]:
        """
        For each byte of a pixel in the order on the wire: which colours go into it, and what each value becomes there.
        """
        wanted = self.pixelFormat
        channels = (
            (_RED, wanted.redMax, wanted.redShift),
            (_GREEN, wanted.greenMax, wanted.greenShift),
            (_BLUE, wanted.blueMax, wanted.blueShift),
        )
        for place in range(self._size):
            down = 8 * (self._size - 1 - place if wanted.bigEndian else place)
            tables = (
                (colour, bytes(((value * most + 127) // 255 << up) >> down & 0xFF for value in range(256)))
                for colour, most, up in channels
            )
            yield [(colour, table) for colour, table in tables if table != _NONE]

    def translate(self, pixels: bytes) -> bytes:
        """
        Pixels of the canvas in the viewer's format.
        """
        if self.pixelFormat == BGRX:
            return pixels
        count = len(pixels) // PIXEL
        wire = bytearray(count * self._size)
        for place, tables in enumerate(self._tables):
            planes = [_channel(pixels, colour, table) for colour, table in tables]
            if len(planes) == 1:
                wire[place :: self._size] = planes[0]
            elif planes:
                together = 0
                for plane in planes:
                    together |= int.from_bytes(plane, "little")
                wire[place :: self._size] = together.to_bytes(count, "little")
        return bytes(wire)

    @property
    def compact(self) -> bool:
        """
        Whether Tight writes pixels in three bytes: red, green, blue (rfbproto, TPIXEL).
        """
        wanted = self.pixelFormat
        return (wanted.bitsPerPixel, wanted.depth) == (32, 24) and (
            wanted.redMax,
            wanted.greenMax,
            wanted.blueMax,
        ) == (255, 255, 255)

    def translateCompact(self, pixels: bytes) -> bytes:
        """
        Pixels of the canvas as Tight wants them.
        """
        if not self.compact:
            return self.translate(pixels)
        wire = bytearray(len(pixels) // PIXEL * 3)
        for place, colour in enumerate((_RED, _GREEN, _BLUE)):
            wire[place::3] = pixels[colour::PIXEL]
        return bytes(wire)


def _channel(pixels: bytes, colour: int, table: bytes) -> bytes:
    """
    One colour of all pixels, through a table.
    """
    plane = pixels[colour::PIXEL]
    return plane if table == _SAME else plane.translate(table)
