"""
L{vncproxy.rfb.encodings}: the numbers of encodings.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.rfb.encodings import (
    COMPRESSION,
    JPEG_FINE_QUALITY,
    JPEG_QUALITY,
    JPEG_SUBSAMPLING,
    PIXEL_ENCODINGS,
    Encoding,
)


class EncodingTests(SynchronousTestCase):
    """
    Tests for L{Encoding} and the ranges beside it.
    """

    def test_signed(self) -> None:
        """
        Every number is a signed one of 32 bits; the extended clipboard's is the best known unsigned one.
        """
        for encoding in Encoding:
            self.assertTrue(-(1 << 31) <= encoding < 1 << 31, encoding)
        self.assertEqual(Encoding.EXTENDED_CLIPBOARD & 0xFFFFFFFF, 0xC0A1E5CE)

    def test_rangesDoNotMeet(self) -> None:
        """
        No number has two meanings: the ranges share nothing, and of the named ones only pixel encodings lie in one.
        """
        ranges = (PIXEL_ENCODINGS, JPEG_QUALITY, JPEG_FINE_QUALITY, JPEG_SUBSAMPLING, COMPRESSION)
        numbers = [number for one in ranges for number in one]
        self.assertEqual(len(numbers), len(set(numbers)))
        inRange = {encoding for encoding in Encoding if encoding in numbers}
        self.assertEqual(inRange, {Encoding.RAW, Encoding.COPY_RECT, Encoding.ZLIB, Encoding.TIGHT, Encoding.ZRLE})

    def test_levels(self) -> None:
        """
        The levels have as many steps as rfbproto gives them, between the numbers that it gives.
        """
        self.assertEqual((JPEG_QUALITY[0], JPEG_QUALITY[-1], len(JPEG_QUALITY)), (-32, -23, 10))
        self.assertEqual((COMPRESSION[0], COMPRESSION[-1], len(COMPRESSION)), (-256, -247, 10))
        self.assertEqual((JPEG_FINE_QUALITY[0], JPEG_FINE_QUALITY[-1], len(JPEG_FINE_QUALITY)), (-512, -412, 101))
        self.assertEqual((JPEG_SUBSAMPLING[0], JPEG_SUBSAMPLING[-1], len(JPEG_SUBSAMPLING)), (-768, -763, 6))
