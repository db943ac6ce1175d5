"""
PIXEL_FORMAT: how one pixel becomes bytes (RFC 6143 section 7.4).
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar, Final

import attrs


@attrs.frozen
class PixelFormat:
    """
    How one pixel becomes bytes. Any sixteen bytes decode: whether a format makes sense is L{isTrueColour}'s to say, for
    only who draws has to care.

    @ivar bitsPerPixel: 8, 16 or 32.
    @ivar depth: how many of these bits carry colour.
    @ivar redMax: the value of full red; so for C{greenMax} and C{blueMax}.
    @ivar redShift: by how many bits red is moved to the left; so for C{greenShift} and C{blueShift}.
    """

    _FORM: ClassVar = Struct("!BB??HHHBBB3x")

    bitsPerPixel: int
    depth: int
    bigEndian: bool
    trueColour: bool
    redMax: int
    greenMax: int
    blueMax: int
    redShift: int
    greenShift: int
    blueShift: int

    @classmethod
    def decode(cls, wire: bytes) -> PixelFormat:
        """
        The format that these 16 bytes stand for.
        """
        return cls(*cls._FORM.unpack(wire))

    def encode(self) -> bytes:
        """
        The 16 bytes on the wire, padding zero.
        """
        return self._FORM.pack(*attrs.astuple(self))

    @property
    def isTrueColour(self) -> bool:
        """
        Whether it is a true-colour format that pixels can be written in: a known size, every channel with at least one
        colour beside black, and none of them reaching over the end of the pixel.
        """
        return (
            self.trueColour
            and self.bitsPerPixel in (8, 16, 32)
            and all(
                maximum > 0 and shift + maximum.bit_length() <= self.bitsPerPixel
                for maximum, shift in (
                    (self.redMax, self.redShift),
                    (self.greenMax, self.greenShift),
                    (self.blueMax, self.blueShift),
                )
            )
        )


#: 32 bits, little-endian, bytes in memory blue green red unused: what most servers announce.
BGRX: Final = PixelFormat(32, 24, False, True, 255, 255, 255, 16, 8, 0)
