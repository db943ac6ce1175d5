"""
L{vncproxy.demo.landscape}: the demo's backdrop.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.test_demo_canvas import at
from vncproxy.demo.canvas import Canvas, Rect
from vncproxy.demo.landscape import fireflies, paint


class LandscapeTests(SynchronousTestCase):
    """
    Tests for the evening.
    """

    def test_evening(self) -> None:
        """
        It is dark above and light at the horizon, and dark hills stand before that.
        """
        canvas = Canvas(400, 300)
        paint(canvas)
        above, low, hills = (sum(at(canvas, 399, y)) for y in (2, 200, 298))
        self.assertTrue(above < low / 2)
        self.assertTrue(hills < low / 2)

    def test_sameEveryTime(self) -> None:
        """
        Two desktops of one size look alike, with all their stars.
        """
        one, other = Canvas(320, 240), Canvas(320, 240)
        paint(one)
        paint(other)
        self.assertEqual(one.data, other.data)

    def test_anySize(self) -> None:
        """
        Every size is painted to its last pixel.
        """
        for width, height in ((320, 240), (321, 1600), (2560, 240)):
            canvas = Canvas(width, height)
            paint(canvas)
            for x, y in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)):
                self.assertNotEqual(at(canvas, x, y), (0, 0, 0), (width, height, x, y))

    def test_firefliesMove(self) -> None:
        """
        The fireflies go a little further each moment, and stay over the lower part of the picture.
        """
        bounds = Rect(0, 0, 1000, 600)
        before = list(fireflies(bounds, 100.0))
        after = list(fireflies(bounds, 100.2))
        self.assertEqual(len(before), len(after))
        self.assertNotEqual([(s.x, s.y) for s in before], [(s.x, s.y) for s in after])
        for one, other in zip(before, after, strict=True):
            self.assertTrue(abs(one.x - other.x) < 40 and abs(one.y - other.y) < 20)
            self.assertTrue(-20 < one.x < 1000 and 400 < one.y < 600)
            self.assertTrue(0 < one.opacity <= 1)
