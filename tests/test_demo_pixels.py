"""
L{vncproxy.demo.pixels}: pixels as viewers want them.
"""

from __future__ import annotations

import attrs
from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.demo.pixels import Translator
from vncproxy.errors import ProtocolError
from vncproxy.rfb.pixelformat import BGRX, PixelFormat

#: What noVNC asks for: red first.
RGBX = PixelFormat(32, 24, False, True, 255, 255, 255, 0, 8, 16)
RGB565 = PixelFormat(16, 16, False, True, 31, 63, 31, 11, 5, 0)
BGR233 = PixelFormat(8, 8, False, True, 7, 7, 3, 0, 3, 6)

_maximum = st.sampled_from([1, 3, 7, 15, 31, 63, 127, 255])
_trueColour = st.builds(
    PixelFormat,
    st.sampled_from([8, 16, 32]),
    st.just(24),
    st.booleans(),
    st.just(True),
    _maximum,
    _maximum,
    _maximum,
    st.integers(0, 24),
    st.integers(0, 24),
    st.integers(0, 24),
)


def onePixel(pixelFormat: PixelFormat, red: int, green: int, blue: int) -> bytes:
    """
    A pixel written the plain way, by RFC 6143 section 7.4.
    """
    value = 0
    for colour, most, shift in (
        (red, pixelFormat.redMax, pixelFormat.redShift),
        (green, pixelFormat.greenMax, pixelFormat.greenShift),
        (blue, pixelFormat.blueMax, pixelFormat.blueShift),
    ):
        value |= (colour * most + 127) // 255 << shift
    return value.to_bytes(pixelFormat.bitsPerPixel // 8, "big" if pixelFormat.bigEndian else "little")


class TranslatorTests(SynchronousTestCase):
    """
    Tests for L{Translator}.
    """

    @given(_trueColour, st.binary(min_size=4, max_size=64))
    def test_everyFormat(self, pixelFormat: PixelFormat, some: bytes) -> None:
        """
        In every true-colour format, each pixel is what the plain way makes of it.
        """
        assume(pixelFormat.isTrueColour)
        pixels = some[: len(some) // 4 * 4]
        plain = b"".join(
            onePixel(pixelFormat, pixels[i + 2], pixels[i + 1], pixels[i]) for i in range(0, len(pixels), 4)
        )
        translated = Translator(pixelFormat).translate(pixels)
        if pixelFormat != BGRX:
            self.assertEqual(translated, plain)

    def test_known(self) -> None:
        """
        A pure colour stands where the format says.
        """
        orange = bytes([0, 128, 255, 0])
        self.assertEqual(Translator(BGRX).translate(orange), orange)
        self.assertEqual(Translator(RGBX).translate(orange), bytes([255, 128, 0, 0]))
        self.assertEqual(Translator(attrs.evolve(RGBX, bigEndian=True)).translate(orange), bytes([0, 0, 128, 255]))
        self.assertEqual(Translator(RGB565).translate(orange), (31 << 11 | 32 << 5).to_bytes(2, "little"))
        self.assertEqual(Translator(BGR233).translate(orange), bytes([7 | 4 << 3]))

    def test_refused(self) -> None:
        """
        A colour map, and a format that reaches over its own end, are refused.
        """
        self.assertRaises(ProtocolError, Translator, attrs.evolve(BGRX, trueColour=False))
        self.assertRaises(ProtocolError, Translator, attrs.evolve(BGRX, redShift=30))

    def test_compact(self) -> None:
        """
        Tight has three bytes, red first, for a pixel of full colour in either order, and the viewer's own for others.
        """
        pixels = bytes([1, 2, 3, 0, 4, 5, 6, 0])
        for pixelFormat in (BGRX, RGBX):
            self.assertEqual(Translator(pixelFormat).translateCompact(pixels), bytes([3, 2, 1, 6, 5, 4]))
        for pixelFormat in (RGB565, BGR233, attrs.evolve(BGRX, depth=32)):
            translator = Translator(pixelFormat)
            self.assertFalse(translator.compact)
            self.assertEqual(translator.translateCompact(pixels), translator.translate(pixels))
