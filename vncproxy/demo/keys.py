"""
What a keysym is called and which character it types (X11's C{keysymdef.h}; RFC 6143 section 7.5.4).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Key(IntEnum):
    """
    The keysyms that the demo acts upon.
    """

    BACK_SPACE = 0xFF08
    TAB = 0xFF09
    RETURN = 0xFF0D
    ESCAPE = 0xFF1B
    DELETE = 0xFFFF
    KEYPAD_ENTER = 0xFF8D
    SHIFT_LEFT = 0xFFE1
    SHIFT_RIGHT = 0xFFE2
    CONTROL_LEFT = 0xFFE3
    CONTROL_RIGHT = 0xFFE4
    META_LEFT = 0xFFE7
    META_RIGHT = 0xFFE8
    ALT_LEFT = 0xFFE9
    ALT_RIGHT = 0xFFEA
    SUPER_LEFT = 0xFFEB
    SUPER_RIGHT = 0xFFEC
    ALT_GRAPH = 0xFE03


CONTROL: Final = frozenset({Key.CONTROL_LEFT, Key.CONTROL_RIGHT})
ALT: Final = frozenset({Key.ALT_LEFT, Key.ALT_RIGHT, Key.META_LEFT, Key.META_RIGHT})

_NAMES: Final[dict[int, str]] = {
    Key.BACK_SPACE: "Backspace",
    Key.TAB: "Tab",
    Key.RETURN: "Return",
    Key.ESCAPE: "Esc",
    Key.DELETE: "Delete",
    0xFF13: "Pause",
    0xFF14: "Scroll Lock",
    0xFF50: "Home",
    0xFF51: "←",
    0xFF52: "↑",
    0xFF53: "→",
    0xFF54: "↓",
    0xFF55: "Page Up",
    0xFF56: "Page Down",
    0xFF57: "End",
    0xFF61: "Print",
    0xFF63: "Insert",
    0xFF67: "Menu",
    0xFF7F: "Num Lock",
    Key.KEYPAD_ENTER: "Enter",
    0xFFE5: "Caps Lock",
    Key.SHIFT_LEFT: "Shift",
    Key.SHIFT_RIGHT: "Shift",
    Key.CONTROL_LEFT: "Ctrl",
    Key.CONTROL_RIGHT: "Ctrl",
    Key.META_LEFT: "Meta",
    Key.META_RIGHT: "Meta",
    Key.ALT_LEFT: "Alt",
    Key.ALT_RIGHT: "Alt",
    Key.SUPER_LEFT: "Super",
    Key.SUPER_RIGHT: "Super",
    Key.ALT_GRAPH: "AltGr",
    0x20: "Space",
    **{0xFFBE + i: f"F{i + 1}" for i in range(24)},
}

#: Keysyms beside Latin-1 and Unicode that type a character: the keypad, and the Euro that came before Unicode's.
_CHARACTERS: Final[dict[int, str]] = {
    0x20AC: "€",
    0xFF80: " ",
    0xFFBD: "=",
    **{0xFFAA + i: character for i, character in enumerate("*+,-./0123456789")},
}
#: Keysyms from here on are a Unicode code point each.
_UNICODE: Final = 0x01000000


def character(keysym: int) -> str | None:
    """
    The character that a key types, L{None} for one that types none.
    """
    if 0x20 <= keysym <= 0x7E or 0xA0 <= keysym <= 0xFF:
        return chr(keysym)
    if _UNICODE + 0x100 <= keysym <= _UNICODE + 0x10FFFF:
        typed = chr(keysym - _UNICODE)
        return typed if typed.isprintable() else None
    return _CHARACTERS.get(keysym)


def name(keysym: int) -> str:
    """
    What a key is called: a few letters for its cap.
    """
    return _NAMES.get(keysym) or character(keysym) or f"0x{keysym:x}"
