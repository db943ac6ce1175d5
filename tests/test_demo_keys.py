"""
L{vncproxy.demo.keys}: what keysyms are called and type.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.demo import font, keys


class KeyTests(SynchronousTestCase):
    """
    Tests for keysyms.
    """

    def test_characters(self) -> None:
        """
        Latin-1, Unicode, the keypad and the old Euro type what they should.
        """
        for keysym, typed in (
            (0x41, "A"),
            (0xE4, "ä"),
            (0x01000159, "ř"),
            (0x010020AC, "€"),
            (0x20AC, "€"),
            (0xFFB0, "0"),
            (0xFFB9, "9"),
            (0xFFAB, "+"),
            (0xFFAF, "/"),
            (0xFF80, " "),
        ):
            self.assertEqual(keys.character(keysym), typed, hex(keysym))

    def test_typesNothing(self) -> None:
        """
        Keys that only do something, and code points that are no characters, type nothing.
        """
        for keysym in (0xFF08, 0xFFE1, 0xFF0D, 0x1F, 0x7F, 0x0100D800, 0x01000200 - 0x181, 0x01110000, 0):
            self.assertIsNone(keys.character(keysym), hex(keysym))

    def test_names(self) -> None:
        """
        A cap shows the key's name, the character that it types, or at least its number.
        """
        for keysym, name in (
            (0xFF0D, "Return"),
            (0xFFBE, "F1"),
            (0xFFC9, "F12"),
            (0xFF53, "→"),
            (0x20, "Space"),
            (0x71, "q"),
            (0xFE50, "0xfe50"),
        ):
            self.assertEqual(keys.name(keysym), name)

    def test_namesCanBeDrawn(self) -> None:
        """
        The typeface has every letter of every name.
        """
        for name in keys._NAMES.values():
            self.assertTrue(all(map(font.knows, name)), name)
