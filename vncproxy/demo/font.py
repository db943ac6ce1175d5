"""
The demo's own typeface: every letter as the strokes of a pen, on a grid 16 wide.

A stroke is a run of points, two base-36 digits each, x before y; C{~} before it makes it a curve through its points::

    y  0 ─ top of capitals and ascenders          C{"808s 00g0"} is T:    0 ──────── g
       8 ─ top of small letters                                               │
       s ─ baseline                                                           │
       z ─ bottom of descenders                                               s

Letters with accents are put together from the letter and the accent, as Unicode takes them apart.
"""

from __future__ import annotations

from functools import cache
from typing import Final
from unicodedata import normalize

#: From one letter to the next, in units of the grid.
ADVANCE: Final = 23
#: From one line to the next.
LINE: Final = 52
#: From the top of a line to the top of its capitals.
ASCENT: Final = 10
#: The height of a capital.
CAPITAL: Final = 28

_BOWL: Final = "~88dbfidp8s3p1i3b88"
_RING: Final = "~80e4geeo8s2o0e2480"

_STROKES: Final[dict[str, str]] = {
    " ": "",
    "\u00a0": "",
    "!": "808j 8r8s",
    '"': "5058 b0b8",
    "#": "623q d2aq 19g9 0jfj",
    "$": "~e7c48335294d8edgekdo8p3o1k 808s",
    "%": "f11r ~4185490541 ~cjgncr8ncj",
    "&": "~gs5b4580b4993f1m6sbqfi",
    "'": "8088",
    "(": "~b0685f6mbv",
    ")": "~50a8bfam5v",
    "*": "828g 35dd 3dd5",
    "+": "878n 0fgf",
    ",": "9r6x",
    "-": "2fef",
    ".": "8r8s",
    "/": "e02u",
    "0": "~80d4fedo8s3o1e3480 b95j",
    "1": "36808s 2ses",
    "2": "~173280d2f7dd1s 1sfs",
    "3": "~144180d2e7cc7d ~7ddffldq8s3q0m",
    "4": "csc00jgj",
    "5": "e0301c ~1c8addfjdp8s3q0n",
    "6": "~d1732b1j3q8sdqfkde8c3e1j",
    "7": "10f05s",
    "8": "~80c2e7cc8e4c274280 ~8edgfldq8s3q1l3g8e",
    "9": "~3r9pehf9d28032183e8gdef9",
    ":": "8b8c 8q8r",
    ";": "8b8c 9q6w",
    "<": "e62feo",
    "=": "1bfb 1jfj",
    ">": "26ef2o",
    "?": "~153280d2e7bc8h 8h8j 8r8s",
    "@": "~eq8s2o0e2480e4gdfjdkchc9 ~ca885b4f6j9jcg",
    "A": "0s80gs 3idi",
    "B": "9s1s1090 1e9e ~90d2f7dc9e ~9eeggleq9s",
    "C": "~g6d280240e2o8sdqgm",
    "D": "7s1s1070 ~70e4geeo7s",
    "E": "f0101sfs 1ede",
    "F": "f0101s 1ede",
    "G": "~g6d280240e2o8sdqgm gmgf9f",
    "H": "101s f0fs 1efe",
    "I": "808s 30d0 3sds",
    "J": "60c0cl ~clbq7s3q2m",
    "K": "101s f01i 6bfs",
    "L": "101sfs",
    "M": "0s008ig0gs",
    "N": "1s10fsf0",
    "O": _RING,
    "P": "1s1090 9g1g ~90e2g8ee9g",
    "Q": _RING + " algu",
    "R": "1s1090 9g1g 9ggs ~90e2g8ee9g",
    "S": "~f5c18032174c8edgfldq8s3r0n",
    "T": "00g0 808s",
    "U": "101i fif0 ~1i3p8sdpfi",
    "V": "008sg0",
    "W": "003s8adsg0",
    "X": "10fs f01s",
    "Y": "008eg0 8e8s",
    "Z": "10f01sfs",
    "[": "b0505vbv",
    "\\": "20eu",
    "]": "50b0bv5v",
    "^": "3a80da",
    "_": "0vgv",
    "`": "50a6",
    "a": _BOWL + " f8fs",
    "b": _BOWL + " 101s",
    "c": "~fcc9883b1i3p8scrfo",
    "d": _BOWL + " f0fs",
    "e": "1hfh ~fhdb883b1i3p8scrfo",
    "f": "~e1a186 868s 29d9",
    "g": _BOWL + " f8fs ~fsdx8z3x",
    "h": "101s fgfs ~1f4a98dafg",
    "i": "48888s 3sds 8081",
    "j": "58a8ar ~ar9x5z1x a0a1",
    "k": "101s e81k 6ffs",
    "l": "30808s 3sds",
    "m": "080s 8d8s gdgs ~0d2948798d ~8da9c8f9gd",
    "n": "181s fgfs ~1f4a98dafg",
    "o": _BOWL,
    "p": _BOWL + " 181z",
    "q": _BOWL + " f8fz",
    "r": "383s ~3g6ab8fa",
    "s": "~ebb988392d5g8idkeocr8s4r1p",
    "t": "717m ~7m9rdsfq 28e8",
    "u": "181k f8fs ~1k3q7scqfl",
    "v": "188sf8",
    "w": "084s8fcsg8",
    "x": "28es e82s",
    "y": "187r f85z",
    "z": "28e82ses",
    "{": "~c0838a4f8k8scv",
    "|": "808v",
    "}": "~40838acf8k8s4v",
    "~": "~1h5dbhfd",
    "¡": "888r 8080",
    "£": "~f4c08157 575m1sfs 1ede",
    "«": "792f7l f9affl",
    "°": "~80c5894580",
    "·": "8f8g",
    "»": "197f1l 99ef9l",
    "¿": "888a 8h8f ~8hbl3n1q4u8vdsfq",
    "×": "39dj d93j",
    "÷": "0fgf 8788 8m8n",
    "Æ": "0s8080g0 808sgs 8efe 3i8i",
    "Ø": _RING + " f01s",
    "ß": "1s16 ~164180c3c88d ~8dehfncr7s",
    "æ": "~1c29488c8i8o ~8h4h0m1r4s8o 8hgh ~ghfbc89b8i9pcsgp",
    "ø": _BOWL + " e92r",
    "–": "0fgf",
    "—": "0fgf",
    "€": "~g5d190533e5p9sdrgn 0bcb 0hbh",
    "↑": "8s80 2680e6",
    "↓": "808s 2m8sem",
    "←": "0ege 660e6m",
    "→": "0ege a6geam",
}

#: What a letter without strokes of its own looks like.
_UNKNOWN: Final = "101sfsf010"

#: Accents as they stand over a small letter, or under any. Over a capital they stay and the capital is lowered.
_ACCENTS: Final[dict[str, str]] = {
    "\u0300": "4095",  # grave
    "\u0301": "c075",  # acute
    "\u0302": "4580c5",  # circumflex
    "\u0303": "~2451b4e1",  # tilde
    "\u0304": "33d3",  # macron
    "\u0306": "~3084d0",  # breve
    "\u0307": "8182",  # dot
    "\u0308": "4142 c1c2",  # diaeresis
    "\u030a": "~80b3865380",  # ring
    "\u030b": "7055 e0c5",  # double acute
    "\u030c": "4085c0",  # caron
    "\u0327": "~8sav9y6z",  # cedilla
    "\u0328": "~csawdy",  # ogonek
}
_BELOW: Final = frozenset("\u0327\u0328")
#: How far a capital is lowered to make room for an accent, of its 28 units.
_LOWERED: Final = 8
#: Pieces that a curve is drawn in between two of its points.
_PIECES: Final = 6

Point = tuple[float, float]
Stroke = tuple[Point, ...]


def knows(character: str) -> bool:
    """
    Whether the typeface has this character.
    """
    return _takeApart(character) is not None


@cache
def strokes(character: str) -> tuple[Stroke, ...]:
    """
    The lines of a pen that writes C{character}, in units of the grid; a box for one that the typeface has not.
    """
    parts = _takeApart(character)
    if parts is None:
        return _parse(_UNKNOWN)
    letter, accents = parts
    lines = _parse(_STROKES[letter])
    over = [accent for accent in accents if accent not in _BELOW]
    if over and letter in "ij":
        lines = lines[:-1]  # the accent takes the place of the dot
    elif over and letter.isupper():
        scale = (CAPITAL - _LOWERED) / CAPITAL
        lines = tuple(tuple((x, _LOWERED + y * scale) for x, y in line) for line in lines)
    return lines + tuple(line for accent in accents for line in _parse(_ACCENTS[accent]))


def _takeApart(character: str) -> tuple[str, str] | None:
    """
    A letter of ours and its accents, or L{None}.
    """
    if character in _STROKES:
        return character, ""
    apart = normalize("NFD", character)
    letter, accents = apart[:1], apart[1:]
    if letter in _STROKES and all(accent in _ACCENTS for accent in accents):
        return letter, accents
    return None


def _parse(text: str) -> tuple[Stroke, ...]:
    """
    The strokes that a line of the table describes.
    """
    return tuple(map(_parseStroke, text.split()))


def _parseStroke(text: str) -> Stroke:
    digits = text.removeprefix("~")
    points = tuple((float(int(digits[i], 36)), float(int(digits[i + 1], 36))) for i in range(0, len(digits), 2))
    return _curve(points) if text.startswith("~") else points


def _curve(points: Stroke) -> Stroke:
    """
    A smooth line through C{points} (a Catmull-Rom spline); a ring, when it ends where it began.
    """
    if points[0] == points[-1]:
        before, after = points[-2], points[1]
    else:
        before, after = _mirror(points[1], points[0]), _mirror(points[-2], points[-1])
    around = (before, *points, after)
    smooth = [
        _between(around[i], around[i + 1], around[i + 2], around[i + 3], step / _PIECES)
        for i in range(len(points) - 1)
        for step in range(_PIECES)
    ]
    return (*smooth, points[-1])


def _mirror(point: Point, at: Point) -> Point:
    return 2 * at[0] - point[0], 2 * at[1] - point[1]


def _between(p0: Point, p1: Point, p2: Point, p3: Point, t: float) -> Point:
    """
    The point of the spline at C{t}, 0 at C{p1} and 1 at C{p2}.
    """
    x, y = (
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p0, p1, p2, p3, strict=True)
    )
    return x, y
