"""
The pointer's picture, for viewers that draw it themselves.
"""

from __future__ import annotations

from typing import Final

from vncproxy.demo.canvas import Colour, pixel
from vncproxy.demo.pixels import Translator
from vncproxy.rfb.updates import Rectangle, cursor

_ARROW: Final = (
    "X           ",
    "XX          ",
    "X.X         ",
    "X..X        ",
    "X...X       ",
    "X....X      ",
    "X.....X     ",
    "X......X    ",
    "X.......X   ",
    "X........X  ",
    "X.........X ",
    "X......XXXXX",
    "X...X..X    ",
    "X..X X..X   ",
    "X.X  X..X   ",
    "XX    X..X  ",
    "X     X..X  ",
    "       XX   ",
)
_INK: Final[dict[str, Colour]] = {"X": (18, 20, 44), ".": (255, 255, 255), " ": (0, 0, 0)}


def arrow(translator: Translator) -> Rectangle:
    """
    An arrow that points with its left upper corner, in a viewer's pixels.
    """
    pixels = b"".join(pixel(_INK[dot]) for row in _ARROW for dot in row)
    shape = [[dot != " " for dot in row] for row in _ARROW]
    return cursor(0, 0, len(_ARROW[0]), len(_ARROW), translator.translate(pixels), shape)
