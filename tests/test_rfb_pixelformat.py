"""
L{vncproxy.rfb.pixelformat}: how one pixel becomes bytes.
"""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.rfb.pixelformat import BGRX, PixelFormat

_BYTE = st.integers(0, 0xFF)
_MAXIMUM = st.integers(0, 0xFFFF)

#: Any pixel format that can stand on the wire.
pixelFormats = st.builds(
    PixelFormat, _BYTE, _BYTE, st.booleans(), st.booleans(), _MAXIMUM, _MAXIMUM, _MAXIMUM, _BYTE, _BYTE, _BYTE
)


class PixelFormatTests(SynchronousTestCase):
    """
    Tests for L{PixelFormat}.
    """

    def test_wire(self) -> None:
        """
        The fields stand in the order of RFC 6143 section 7.4, and three bytes of padding follow.
        """
        self.assertEqual(BGRX.encode().hex(), "20180001" + "00ff00ff00ff" + "100800" + "000000")

    @given(pixelFormats)
    def test_roundTrip(self, pixelFormat: PixelFormat) -> None:
        """
        Every format comes back from its bytes.
        """
        self.assertEqual(PixelFormat.decode(pixelFormat.encode()), pixelFormat)

    def test_flagsAreTrueWhenNotZero(self) -> None:
        """
        Any number but zero sets a flag.
        """
        wire = bytearray(BGRX.encode())
        wire[2] = wire[3] = 7
        decoded = PixelFormat.decode(bytes(wire))
        self.assertEqual((decoded.bigEndian, decoded.trueColour), (True, True))

    def test_trueColour(self) -> None:
        """
        The formats that viewers ask for are true-colour ones.
        """
        for usable in (
            BGRX,
            PixelFormat(32, 24, True, True, 255, 255, 255, 0, 8, 16),
            PixelFormat(16, 16, False, True, 31, 63, 31, 11, 5, 0),
            PixelFormat(8, 8, False, True, 7, 7, 3, 0, 3, 6),
            PixelFormat(8, 3, False, True, 1, 1, 1, 2, 1, 0),
        ):
            self.assertTrue(usable.isTrueColour, usable)

    def test_notTrueColour(self) -> None:
        """
        A colour map, an unknown pixel size, an empty channel and a channel that reaches over the end are told apart.
        """
        for unusable in (
            attrs.evolve(BGRX, trueColour=False),
            attrs.evolve(BGRX, bitsPerPixel=24),
            attrs.evolve(BGRX, greenMax=0),
            attrs.evolve(BGRX, redShift=25),
            attrs.evolve(BGRX, bitsPerPixel=8),
        ):
            self.assertFalse(unusable.isTrueColour, unusable)
