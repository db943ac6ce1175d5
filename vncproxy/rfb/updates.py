"""
What a server sends after the handshake: enough of it for a server of our own.

::

    type   message              bytes on the wire
    0      FramebufferUpdate    4, then for each rectangle 12 and what its encoding says
    2      Bell                 1
    3      ServerCutText        8 + n

Sources: RFC 6143 sections 7.6 to 7.8; rfbproto for Tight, ExtendedDesktopSize and extended mouse buttons.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import Final

import attrs

from vncproxy.rfb.encodings import Encoding
from vncproxy.rfb.extensions import Screen


class ServerType(IntEnum):
    """
    The first byte of each message.
    """

    FRAMEBUFFER_UPDATE = 0  # RFC 6143 section 7.6.1
    BELL = 2  # RFC 6143 section 7.6.3
    SERVER_CUT_TEXT = 3  # RFC 6143 section 7.6.4


class ResizeReason(IntEnum):
    """
    Why an ExtendedDesktopSize comes: its x position (rfbproto).
    """

    SERVER = 0
    THIS_VIEWER = 1
    ANOTHER_VIEWER = 2


class ResizeStatus(IntEnum):
    """
    What became of a viewer's SetDesktopSize: the y position of the ExtendedDesktopSize that answers it (rfbproto).
    """

    DONE = 0
    PROHIBITED = 1
    OUT_OF_RESOURCES = 2
    INVALID_LAYOUT = 3


_UPDATE: Final = Struct("!BxH")
_RECTANGLE: Final = Struct("!HHHHi")
_CUT_TEXT: Final = Struct("!B3xI")
_SCREENS: Final = Struct("!B3x")

#: Tight, compression control (rfbproto): zlib stream 0 and no filter; or one colour for the whole rectangle.
_TIGHT_BASIC: Final = 0x00
_TIGHT_FILL: Final = 0x80
#: Shorter data is sent as it is (rfbproto, Tight, BasicCompression).
_TIGHT_LEAST: Final = 12


@attrs.frozen
class Rectangle:
    """
    One rectangle of an update.

    @ivar encoding: how C{data} stands for its pixels, or what it means instead.
    """

    x: int
    y: int
    width: int
    height: int
    encoding: int
    data: bytes = b""

    def encode(self) -> bytes:
        """
        The rectangle on the wire.
        """
        return _RECTANGLE.pack(self.x, self.y, self.width, self.height, self.encoding) + self.data


def encodeUpdate(rectangles: Sequence[Rectangle]) -> bytes:
    """
    A FramebufferUpdate of these rectangles.
    """
    head = _UPDATE.pack(ServerType.FRAMEBUFFER_UPDATE, len(rectangles))
    return head + b"".join(rectangle.encode() for rectangle in rectangles)


def encodeBell() -> bytes:
    """
    Ring the viewer's bell.
    """
    return bytes([ServerType.BELL])


def encodeCutText(text: str) -> bytes:
    """
    The server's clipboard. What Latin-1 has not becomes a question mark, and every end of line a newline.
    """
    latin = text.replace("\r\n", "\n").replace("\r", "\n").encode("latin-1", "replace")
    return _CUT_TEXT.pack(ServerType.SERVER_CUT_TEXT, len(latin)) + latin


def desktopSize(width: int, height: int) -> Rectangle:
    """
    The desktop has another size (RFC 6143 section 7.8.2).
    """
    return Rectangle(0, 0, width, height, Encoding.DESKTOP_SIZE)


def extendedDesktopSize(
    width: int, height: int, screens: Sequence[Screen], reason: ResizeReason, status: ResizeStatus
) -> Rectangle:
    """
    The desktop's size and screens, told for a reason (rfbproto, ExtendedDesktopSize).
    """
    layout = b"".join(Screen.FORM.pack(*attrs.astuple(screen)) for screen in screens)
    data = _SCREENS.pack(len(screens)) + layout
    return Rectangle(reason, status, width, height, Encoding.EXTENDED_DESKTOP_SIZE, data)


def extendedMouseButtons() -> Rectangle:
    """
    From now on pointer events may have the extended form (rfbproto, Extended Mouse Buttons).
    """
    return Rectangle(0, 0, 0, 0, Encoding.EXTENDED_MOUSE_BUTTONS)


def cursor(hotX: int, hotY: int, width: int, height: int, pixels: bytes, shape: Sequence[Sequence[bool]]) -> Rectangle:
    """
    What the viewer's pointer is to look like (RFC 6143 section 7.8.1).

    @param hotX: where in the picture it points, from its left; C{hotY} from its top.
    @param pixels: in the viewer's format.
    @param shape: which pixels belong to it, row by row.
    """
    bits = b"".join(_bitmap(row) for row in shape)
    return Rectangle(hotX, hotY, width, height, Encoding.CURSOR, pixels + bits)


def _bitmap(row: Sequence[bool]) -> bytes:
    """
    One bit a pixel, the leftmost in the highest, filled up to whole bytes.
    """
    size = (len(row) + 7) // 8
    bits = sum(1 << (8 * size - 1 - i) for i, isSet in enumerate(row) if isSet)
    return bits.to_bytes(size, "big")


class TightStream:
    """
    Writes Tight rectangles for one viewer: with one zlib stream, that goes on from each to the next.
    """

    def __init__(self, level: int) -> None:
        """
        @param level: zlib's effort, 0 to 9.
        """
        self._zlib = zlib.compressobj(level)

    def encode(self, pixels: bytes, pixelSize: int) -> bytes:
        """
        The data of a rectangle with these pixels.

        @param pixels: as TPIXELs, C{pixelSize} bytes each.
        """
        first = pixels[:pixelSize]
        if first * (len(pixels) // pixelSize) == pixels:
            return bytes([_TIGHT_FILL]) + first
        if len(pixels) < _TIGHT_LEAST:
            return bytes([_TIGHT_BASIC]) + pixels
        packed = self._zlib.compress(pixels) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        return bytes([_TIGHT_BASIC]) + _compactLength(len(packed)) + packed


def _compactLength(length: int) -> bytes:
    """
    A length below 4 MiB, seven bits a byte, the lowest first (rfbproto, Tight).
    """
    if length < 1 << 7:
        return bytes([length])
    if length < 1 << 14:
        return bytes([length & 0x7F | 0x80, length >> 7])
    return bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14])
