"""
A picture of a screen, to be looked at pixel by pixel.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.peers.bench import Bench

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Picture:
    """
    @ivar rgb: three bytes a pixel, row by row from the top.
    """

    width: int
    height: int
    rgb: bytes = field(repr=False)

    def pixel(self, x: int, y: int) -> Colour:
        """
        The colour C{x} to the right of, and C{y} below, the upper left corner.
        """
        start = 3 * (y * self.width + x)
        red, green, blue = self.rgb[start : start + 3]
        return red, green, blue

    def share(self, colour: Colour) -> float:
        """
        The part of all pixels, from 0 to 1, that has exactly this colour.
        """
        return self.colours()[colour] / (self.width * self.height)

    def colours(self) -> Counter[Colour]:
        """
        How many pixels each colour has.
        """
        rgb = self.rgb
        return Counter(zip(rgb[0::3], rgb[1::3], rgb[2::3], strict=True))

    def save(self, path: Path) -> Path:
        """
        Write it as PNG (RFC 2083), for people to look at.
        """
        stride = 3 * self.width
        rows = b"".join(b"\0" + self.rgb[start : start + stride] for start in range(0, len(self.rgb), stride))
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks))
        return path


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


async def pictureWhere(
    bench: Bench,
    take: Callable[[], Coroutine[Any, Any, Picture]],
    looksRight: Callable[[Picture], bool],
    what: str,
    timeout: float,
) -> Picture:
    """
    Take pictures until one C{looksRight}, and return that one.

    @param what: completes the sentence C{"waited N s for …"}.
    @raise AssertionError: none did in time; the last is kept beside the logs as C{last-picture.png}.
    """
    last: list[Picture] = []

    async def look() -> Picture | None:
        last[:] = [await take()]
        return last[0] if looksRight(last[0]) else None

    try:
        return await bench.untilAsync(look, what, timeout)
    except AssertionError:
        for picture in last:
            picture.save(bench.logs / "last-picture.png")
        raise
