"""
L{vncproxy.demo.pointer}: the pointer's picture.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.pictures import Picture
from tests.test_demo_pixels import BGR233
from vncproxy.demo.pixels import Translator
from vncproxy.demo.pointer import arrow
from vncproxy.rfb.pixelformat import BGRX
from vncproxy.rfb.updates import encodeUpdate


class PointerTests(SynchronousTestCase):
    """
    Tests for L{arrow}.
    """

    def test_shape(self) -> None:
        """
        A viewer can read it in its own pixels, and it points with its left upper corner.
        """
        for pixelFormat in (BGRX, BGR233):
            picture = Picture(100, 100, pixelFormat)
            rectangle = arrow(Translator(pixelFormat))
            picture.feed(encodeUpdate([rectangle]))
            assert picture.cursor is not None
            width, height, pixels, bits = picture.cursor
            self.assertEqual((rectangle.x, rectangle.y), (0, 0))
            self.assertTrue(bits[0] & 0x80)
            self.assertEqual(len(pixels), width * height * pixelFormat.bitsPerPixel // 8)

    def test_onlyTheArrow(self) -> None:
        """
        What is not arrow is transparent: the right end of its first row, for one.
        """
        bits = arrow(Translator(BGRX)).data[-2 * 18 :]
        self.assertEqual(bits[:2], bytes([0x80, 0]))
