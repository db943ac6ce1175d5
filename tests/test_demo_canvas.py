"""
L{vncproxy.demo.canvas}: a picture in memory.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.demo.canvas import Canvas, Damage, Rect, mix, pixel
from vncproxy.demo.ink import Mask, cellSize, letter

RED, WHITE = (255, 0, 0), (255, 255, 255)

_rects = st.builds(Rect, st.integers(-20, 60), st.integers(-20, 60), st.integers(0, 30), st.integers(0, 30))


def places(rect: Rect) -> set[tuple[int, int]]:
    """
    The pixels of a rectangle.
    """
    return {(x, y) for x in range(rect.x, rect.right) for y in range(rect.y, rect.bottom)}


def at(canvas: Canvas, x: int, y: int) -> tuple[int, int, int]:
    """
    The colour of a pixel.
    """
    blue, green, red, _ = canvas.cut(Rect(x, y, 1, 1))
    return red, green, blue


def painted(canvas: Canvas) -> set[tuple[int, int]]:
    """
    The pixels that are not black.
    """
    return {place for place in places(canvas.bounds) if at(canvas, *place) != (0, 0, 0)}


class RectTests(SynchronousTestCase):
    """
    Tests for L{Rect}.
    """

    @given(_rects, _rects)
    def test_within(self, one: Rect, other: Rect) -> None:
        """
        What two rectangles have in common has exactly the pixels of both.
        """
        common = one.within(other)
        self.assertEqual(common.area, len(places(one) & places(other)))
        if common.area:
            self.assertEqual(places(common), places(one) & places(other))

    @given(_rects, _rects)
    def test_around(self, one: Rect, other: Rect) -> None:
        """
        The rectangle around two holds both.
        """
        self.assertEqual(places(one) | places(other), (places(one) | places(other)) & places(one.around(other)))

    def test_inset(self) -> None:
        """
        A margin is taken off on all sides.
        """
        self.assertEqual(Rect(10, 20, 30, 40).inset(2), Rect(12, 22, 26, 36))


class DamageTests(SynchronousTestCase):
    """
    Tests for L{Damage}.
    """

    @given(st.lists(_rects, max_size=80))
    def test_nothingIsLost(self, rects: list[Rect]) -> None:
        """
        Every pixel within the bounds that has changed is told, in few rectangles, all of them within the bounds.
        """
        bounds = Rect(0, 0, 50, 50)
        told = Damage(rects).take(bounds)
        self.assertTrue(len(told) <= Damage.LIMIT)
        changed = set().union(*map(places, rects)) & places(bounds)
        self.assertEqual(changed - set().union(*map(places, told)), set())
        self.assertTrue(all(rect.area and rect.within(bounds) == rect for rect in told))

    def test_manyBecomeFew(self) -> None:
        """
        More separate places than the limit are told in rectangles that hold them all.
        """
        scattered = [Rect(20 * (i % 10), 20 * (i // 10), 2, 2) for i in range(100)]
        told = Damage(scattered).take(Rect(0, 0, 200, 200))
        self.assertTrue(len(told) <= Damage.LIMIT)
        self.assertEqual(set().union(*map(places, scattered)) - set().union(*map(places, told)), set())

    def test_takenOnce(self) -> None:
        """
        What was told is forgotten.
        """
        damage = Damage([Rect(1, 1, 5, 5)])
        self.assertTrue(damage)
        self.assertEqual(damage.take(Rect(0, 0, 9, 9)), [Rect(1, 1, 5, 5)])
        self.assertFalse(damage)
        self.assertEqual(damage.take(Rect(0, 0, 9, 9)), [])

    def test_neighboursJoin(self) -> None:
        """
        Two rectangles become one when that costs no more pixels, and stay two when it does.
        """
        bounds = Rect(0, 0, 100, 100)
        self.assertEqual(Damage([Rect(0, 0, 5, 5), Rect(5, 0, 5, 5)]).take(bounds), [Rect(0, 0, 10, 5)])
        self.assertEqual(len(Damage([Rect(0, 0, 5, 5), Rect(50, 50, 5, 5)]).take(bounds)), 2)


class CanvasTests(SynchronousTestCase):
    """
    Tests for L{Canvas}.
    """

    @given(_rects)
    def test_fill(self, rect: Rect) -> None:
        """
        Exactly the rectangle is painted, as far as it lies in the picture.
        """
        canvas = Canvas(40, 30)
        canvas.fill(rect, RED)
        self.assertEqual(painted(canvas), places(rect) & places(canvas.bounds))

    @given(_rects)
    def test_copy(self, rect: Rect) -> None:
        """
        Exactly the rectangle is taken over from another picture.
        """
        source, canvas = Canvas(40, 30), Canvas(40, 30)
        source.fill(source.bounds, RED)
        canvas.copy(source, rect)
        self.assertEqual(painted(canvas), places(rect) & places(canvas.bounds))

    @given(st.integers(-20, 50), st.integers(-20, 40))
    def test_put(self, x: int, y: int) -> None:
        """
        A smaller picture is put exactly where it is wanted, as far as it fits.
        """
        stamp, canvas = Canvas(10, 5), Canvas(40, 30)
        stamp.fill(stamp.bounds, RED)
        canvas.put(stamp, x, y)
        self.assertEqual(painted(canvas), places(Rect(x, y, 10, 5)) & places(canvas.bounds))

    def test_part(self) -> None:
        """
        A part is a picture of its own: it stays when the whole changes, and can be put back.
        """
        canvas = Canvas(20, 20)
        canvas.fill(Rect(5, 5, 3, 3), RED)
        before = bytes(canvas.data)
        part = canvas.part(Rect(4, 4, 8, 8))
        canvas.fill(Rect(4, 4, 8, 8), WHITE)
        self.assertEqual(at(part, 1, 1), RED)
        canvas.put(part, 4, 4)
        self.assertEqual(bytes(canvas.data), before)

    def test_cut(self) -> None:
        """
        Pixels come out row by row, blue first.
        """
        canvas = Canvas(4, 4)
        canvas.fill(Rect(1, 2, 1, 1), (1, 2, 3))
        self.assertEqual(canvas.cut(Rect(1, 1, 2, 2)), bytes(8) + bytes([3, 2, 1, 0]) + bytes(4))

    def test_blend(self) -> None:
        """
        A mask mixes the colour in by its coverage, and opacity weakens it.
        """
        mask = Mask(3, 1, (bytes([0, 128, 255]),))
        canvas = Canvas(5, 3)
        self.assertEqual(canvas.blend(mask, 1, 1, WHITE), Rect(1, 1, 3, 1))
        self.assertEqual([at(canvas, x, 1)[0] for x in range(5)], [0, 0, 127, 255, 0])
        weak = Canvas(5, 3)
        weak.blend(mask, 1, 1, WHITE, 0.5)
        self.assertEqual([at(weak, x, 1)[0] for x in range(5)], [0, 0, 63, 127, 0])

    @given(st.integers(-8, 14), st.integers(-8, 14))
    def test_blendIsClipped(self, x: int, y: int) -> None:
        """
        A mask over the edge paints what is inside, and tells just that.
        """
        mask = Mask(6, 6, (b"\xff" * 6,) * 6)
        canvas = Canvas(12, 10)
        touched = canvas.blend(mask, x, y, RED)
        self.assertEqual(painted(canvas), places(Rect(x, y, 6, 6)) & places(canvas.bounds))
        self.assertEqual(touched.area, len(painted(canvas)))

    def test_panel(self) -> None:
        """
        A panel fills its rectangle except for its corners, and its four corners are alike.
        """
        canvas = Canvas(40, 30)
        rect = Rect(5, 4, 30, 20)
        canvas.panel(rect, RED, 6)
        self.assertEqual(painted(canvas) - places(rect), set())
        self.assertEqual(at(canvas, 5, 4), (0, 0, 0))
        for x, y in ((5, 14), (34, 14), (20, 4), (20, 23)):
            self.assertEqual(at(canvas, x, y), RED)
        for x in range(6):
            for y in range(6):
                corners = {at(canvas, cx, cy) for cx in (5 + x, 34 - x) for cy in (4 + y, 23 - y)}
                self.assertEqual(len(corners), 1)

    def test_writeIsDraw(self) -> None:
        """
        Writing on plain ground looks like drawing over it, to within rounding.
        """
        drawn, written = Canvas(60, 30), Canvas(60, 30)
        for canvas in (drawn, written):
            canvas.fill(canvas.bounds, (20, 30, 60))
        line = drawn.draw(2, 3, "Ag!", 12, WHITE)
        self.assertEqual(written.write(2, 3, "Ag!", 12, WHITE, (20, 30, 60)), line)
        self.assertEqual(line, Rect(2, 3, 3 * cellSize(12)[0], cellSize(12)[1]))
        self.assertTrue(all(abs(a - b) <= 2 for a, b in zip(drawn.data, written.data, strict=True)))
        self.assertNotEqual(set(map(max, letter("A", 12).rows)), {0})

    @given(st.integers(-30, 40), st.integers(-30, 30))
    def test_writeIsClipped(self, x: int, y: int) -> None:
        """
        A line over the edge paints its ground inside and nothing else.
        """
        canvas = Canvas(30, 20)
        line = canvas.write(x, y, "ab", 9, WHITE, RED)
        self.assertEqual(painted(canvas), places(line) & places(canvas.bounds))


class ColourTests(SynchronousTestCase):
    """
    Tests for colours.
    """

    def test_mix(self) -> None:
        """
        A mixture lies between its two colours.
        """
        self.assertEqual(mix((0, 100, 255), (100, 0, 255), 0.25), (25, 75, 255))

    def test_pixel(self) -> None:
        """
        A pixel is blue, green, red and a byte of nothing.
        """
        self.assertEqual(pixel((1, 2, 3)), bytes([3, 2, 1, 0]))
