"""
The other end of a server's picture: a viewer that understands what the demo sends, for tests.
"""

from __future__ import annotations

import struct
import zlib

from vncproxy.rfb.encodings import Encoding
from vncproxy.rfb.extensions import Screen
from vncproxy.rfb.pixelformat import BGRX, PixelFormat
from vncproxy.rfb.updates import ServerType


class Picture:
    """
    A viewer's copy of the server's screen, in the viewer's own pixels.

    @ivar rows: the picture, one L{bytearray} a row.
    @ivar updates: for each update so far, the encodings of its rectangles.
    @ivar touched: every rectangle of pixels so far: x, y, width, height.
    @ivar bells: how often the bell rang.
    @ivar clipboards: the texts that the server sent.
    @ivar resizes: reason, status, width, height of each ExtendedDesktopSize; reason -1 for a DesktopSize.
    @ivar cursor: width, height, pixels and bits of the last cursor.
    """

    def __init__(self, width: int, height: int, pixelFormat: PixelFormat = BGRX) -> None:
        self.pixelFormat = pixelFormat
        self.updates: list[list[int]] = []
        self.touched: list[tuple[int, int, int, int]] = []
        self.bells = 0
        self.clipboards: list[str] = []
        self.resizes: list[tuple[int, int, int, int]] = []
        self.screens: list[Screen] = []
        self.cursor: tuple[int, int, bytes, bytes] | None = None
        self._zlib = zlib.decompressobj()
        self._wire = memoryview(b"")
        self._resize(width, height)

    @property
    def pixels(self) -> bytes:
        """
        The whole picture.
        """
        return b"".join(self.rows)

    def feed(self, wire: bytes) -> None:
        """
        Take whole messages of the server.
        """
        self._wire = memoryview(wire)
        while self._wire:
            (kind,) = self._take("!B")
            if kind == ServerType.FRAMEBUFFER_UPDATE:
                (count,) = self._take("!xH")
                self.updates.append([self._rectangle() for _ in range(count)])
            elif kind == ServerType.BELL:
                self.bells += 1
            elif kind == ServerType.SERVER_CUT_TEXT:
                (length,) = self._take("!3xI")
                self.clipboards.append(self._bytes(length).decode("latin-1"))
            else:
                raise AssertionError(f"a message of type {kind}")

    def _take(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self._bytes(struct.calcsize(form)))

    def _bytes(self, count: int) -> bytes:
        if len(self._wire) < count:
            raise AssertionError("the message is cut short")
        data, self._wire = bytes(self._wire[:count]), self._wire[count:]
        return data

    def _rectangle(self) -> int:
        x, y, width, height, encoding = self._take("!HHHHi")
        size = self.pixelFormat.bitsPerPixel // 8
        if encoding == Encoding.RAW:
            self._paint(x, y, width, height, self._bytes(width * height * size), size)
        elif encoding == Encoding.TIGHT:
            self._paint(x, y, width, height, self._tight(width * height), 3 if self._compact else size)
        elif encoding == Encoding.CURSOR:
            pixels = self._bytes(width * height * size)
            self.cursor = (width, height, pixels, self._bytes((width + 7) // 8 * height))
        elif encoding == Encoding.DESKTOP_SIZE:
            self.resizes.append((-1, 0, width, height))
            self._resize(width, height)
        elif encoding == Encoding.EXTENDED_DESKTOP_SIZE:
            (count,) = self._take("!B3x")
            self.screens = [Screen(*self._take("!IHHHHI")) for _ in range(count)]
            self.resizes.append((x, y, width, height))
            if y == 0:
                self._resize(width, height)
        elif encoding != Encoding.EXTENDED_MOUSE_BUTTONS:
            raise AssertionError(f"a rectangle in encoding {encoding}")
        return encoding

    @property
    def _compact(self) -> bool:
        wanted = self.pixelFormat
        return wanted.depth == 24 and wanted.bitsPerPixel == 32 and wanted.redMax == 255

    def _tight(self, count: int) -> bytes:
        size = 3 if self._compact else self.pixelFormat.bitsPerPixel // 8
        (control,) = self._take("!B")
        if control == 0x80:
            return self._bytes(size) * count
        if control != 0:
            raise AssertionError(f"a Tight rectangle with control {control:#x}")
        if count * size < 12:
            return self._bytes(count * size)
        length = shift = 0
        while True:
            (byte,) = self._take("!B")
            length |= (byte & 0x7F if shift < 14 else byte) << shift
            shift += 7
            if shift == 21 or not byte & 0x80:
                break
        pixels = self._zlib.decompress(self._bytes(length))
        if len(pixels) != count * size:
            raise AssertionError(f"{len(pixels)} bytes of pixels instead of {count * size}")
        return pixels

    def _paint(self, x: int, y: int, width: int, height: int, pixels: bytes, size: int) -> None:
        self.touched.append((x, y, width, height))
        if size == 3:  # Tight's red, green, blue
            wide = bytearray(width * height * 4)
            wanted = self.pixelFormat
            for place, shift in enumerate((wanted.redShift, wanted.greenShift, wanted.blueShift)):
                wide[shift // 8 :: 4] = pixels[place::3]
            pixels, size = bytes(wide), 4
        if x + width > self.width or y + height > len(self.rows):
            raise AssertionError(f"{width} x {height} at {x}, {y} lies outside of the picture")
        for i in range(height):
            self.rows[y + i][x * size : (x + width) * size] = pixels[i * width * size : (i + 1) * width * size]

    def _resize(self, width: int, height: int) -> None:
        self.width = width
        self.rows = [bytearray(width * self.pixelFormat.bitsPerPixel // 8) for _ in range(height)]
