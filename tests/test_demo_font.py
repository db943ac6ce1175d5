"""
L{vncproxy.demo.font}: the demo's typeface.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.demo import font


class FontTests(SynchronousTestCase):
    """
    Tests for the typeface.
    """

    def test_ascii(self) -> None:
        """
        Every printable character of ASCII has strokes of its own; only the space has none.
        """
        drawn = {chr(code): font.strokes(chr(code)) for code in range(0x20, 0x7F)}
        self.assertTrue(all(map(font.knows, drawn)))
        self.assertEqual(drawn.pop(" "), ())
        self.assertNotIn((), drawn.values())
        self.assertEqual(len(set(drawn.values())), len(drawn))

    def test_latin(self) -> None:
        """
        The letters of Latin-1, and some beyond, are there with their accents.
        """
        for character in "äöüÄÖÜßéèêëàáâãåçñõøØæÆíìîïýÿÅÉ£€¿¡°«»×÷·ĄąęśżŠčřůő":
            self.assertTrue(font.knows(character), character)

    def test_unknown(self) -> None:
        """
        Anything else is a box.
        """
        for character in ("ж", "漢", "", "ab"):
            self.assertFalse(font.knows(character), character)
            self.assertEqual(len(font.strokes(character)), 1)

    def test_onTheGrid(self) -> None:
        """
        No stroke leaves the letter's cell by more than a curve's swing.
        """
        for character in font._STROKES:
            for x, y in (point for stroke in font.strokes(character) for point in stroke):
                self.assertTrue(-1 <= x <= 17 and -1 <= y <= 36, (character, x, y))

    def test_curvesPassTheirPoints(self) -> None:
        """
        A curve goes through the points that it is given, and a ring closes.
        """
        (ring,) = font.strokes("o")
        self.assertEqual(ring[0], ring[-1])
        for point in ((8, 8), (15, 18), (8, 28), (1, 18)):
            self.assertIn(point, ring)

    def test_accents(self) -> None:
        """
        An accent takes the place of the dot of an i, and a capital makes room for it.
        """
        self.assertEqual(font.strokes("í")[:2], font.strokes("i")[:2])
        self.assertEqual(len(font.strokes("í")), len(font.strokes("i")))
        self.assertEqual(min(y for _, y in font.strokes("E")[0]), 0)
        self.assertEqual(min(y for _, y in font.strokes("É")[0]), 8)
        self.assertEqual(font.strokes("Ç")[0], font.strokes("C")[0])
