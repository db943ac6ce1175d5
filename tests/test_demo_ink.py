"""
L{vncproxy.demo.ink}: shapes as coverage.
"""

from __future__ import annotations

from math import pi

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.demo.ink import Mask, cellSize, disc, glow, letter, ring


def covered(mask: Mask) -> float:
    """
    How many pixels a mask covers in all.
    """
    return sum(map(sum, mask.rows)) / 255


class InkTests(SynchronousTestCase):
    """
    Tests for the shapes.
    """

    def test_shape(self) -> None:
        """
        Every mask has as many rows and columns as it says.
        """
        for mask in (letter("g", 11), letter("M", 30, bold=True), disc(3.5), ring(10, 2), glow(12, 2)):
            self.assertEqual(len(mask.rows), mask.height)
            self.assertEqual({len(row) for row in mask.rows}, {mask.width})

    def test_areas(self) -> None:
        """
        A disc covers a circle's area, a ring that of its line, to within a few in a hundred.
        """
        for radius in (2.5, 7.0, 20.0):
            self.assertApproximates(covered(disc(radius)) / (pi * radius**2), 1, 0.06)
        self.assertApproximates(covered(ring(20, 3)) / (2 * pi * 20 * 3), 1, 0.06)

    def test_symmetry(self) -> None:
        """
        What is round looks the same from the left and from below.
        """
        for mask in (disc(6), ring(9, 2), glow(10, 2)):
            self.assertEqual([row[::-1] for row in mask.rows], list(mask.rows))
            self.assertEqual(mask.rows[::-1], mask.rows)

    def test_glowFades(self) -> None:
        """
        A glow is whole in the middle and less and less outwards.
        """
        mask = glow(12, 2)
        outwards = mask.rows[mask.height // 2][mask.width // 2 :]
        self.assertEqual(outwards[0], 255)
        self.assertEqual(list(outwards), sorted(outwards, reverse=True))

    def test_letterIsSmooth(self) -> None:
        """
        A letter has whole pixels, empty ones, and edges in between; bold covers more; the space nothing.
        """
        shades = {shade for row in letter("S", 20).rows for shade in row}
        self.assertIn(0, shades)
        self.assertIn(255, shades)
        self.assertTrue(len(shades) > 20)
        self.assertTrue(covered(letter("S", 20, bold=True)) > 1.2 * covered(letter("S", 20)))
        self.assertEqual(covered(letter(" ", 20)), 0)

    def test_lettersFillTheirCell(self) -> None:
        """
        Every letter of one size has a cell of the same size, and the widest hardly touch its left edge.
        """
        for character in "Wg@|":
            mask = letter(character, 14)
            self.assertEqual((mask.width, mask.height), cellSize(14))
        for character in "WgM@":
            self.assertTrue(max(row[0] for row in letter(character, 14).rows) < 16, character)
