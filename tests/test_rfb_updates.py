"""
L{vncproxy.rfb.updates}: what a server sends.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.pictures import Picture
from vncproxy.rfb.encodings import Encoding
from vncproxy.rfb.extensions import Screen
from vncproxy.rfb.updates import (
    Rectangle,
    ResizeReason,
    ResizeStatus,
    TightStream,
    cursor,
    desktopSize,
    encodeBell,
    encodeCutText,
    encodeUpdate,
    extendedDesktopSize,
    extendedMouseButtons,
)


class WireTests(SynchronousTestCase):
    """
    Tests for the messages' bytes.
    """

    def test_update(self) -> None:
        """
        An update counts its rectangles, and each says where it is and how it is encoded.
        """
        update = encodeUpdate([Rectangle(1, 2, 3, 1, Encoding.RAW, b"abc"), Rectangle(0, 0, 8, 9, -223)])
        self.assertEqual(
            update.hex(" "),
            bytes.fromhex("00 00 0002  0001 0002 0003 0001 00000000 616263  0000 0000 0008 0009 ffffff21").hex(" "),
        )

    def test_bell(self) -> None:
        """
        The bell is one byte.
        """
        self.assertEqual(encodeBell(), b"\x02")

    def test_cutText(self) -> None:
        """
        The clipboard is Latin-1 with newlines alone; what Latin-1 has not becomes a question mark.
        """
        self.assertEqual(encodeCutText("ä\r\nb\rж"), bytes.fromhex("03 000000 00000005 e4 0a 62 0a 3f"))

    def test_desktopSize(self) -> None:
        """
        A new size is a rectangle without pixels.
        """
        self.assertEqual(desktopSize(800, 600), Rectangle(0, 0, 800, 600, -223))

    def test_extendedDesktopSize(self) -> None:
        """
        Reason and status stand where the position would; the screens follow.
        """
        rectangle = extendedDesktopSize(
            800, 600, [Screen(5, 0, 0, 800, 600, 1)], ResizeReason.ANOTHER_VIEWER, ResizeStatus.DONE
        )
        self.assertEqual(
            rectangle.encode(),
            bytes.fromhex("0002 0000 0320 0258 fffffecc 01 000000 00000005 0000 0000 0320 0258 00000001"),
        )

    def test_extendedMouseButtons(self) -> None:
        """
        The confirmation is an empty rectangle.
        """
        self.assertEqual(extendedMouseButtons().encode(), bytes.fromhex("0000 0000 0000 0000 fffffec4"))

    def test_cursor(self) -> None:
        """
        A cursor has its pixels, and then a bit for each, every row filled up to whole bytes.
        """
        shape = [[True] + [False] * 8, [False] * 8 + [True]]
        rectangle = cursor(3, 4, 9, 2, b"p" * 18, shape)
        self.assertEqual(rectangle, Rectangle(3, 4, 9, 2, -239, b"p" * 18 + bytes.fromhex("8000 0080")))


class TightTests(SynchronousTestCase):
    """
    Tests for L{TightStream}.
    """

    def roundTrip(self, *rectangles: bytes) -> list[bytes]:
        """
        What a viewer sees of rows of red-green-blue pixels, all through one stream.
        """
        stream, seen = TightStream(1), []
        picture = Picture(22000, 1)
        for pixels in rectangles:
            count = len(pixels) // 3
            picture.feed(encodeUpdate([Rectangle(0, 0, count, 1, Encoding.TIGHT, stream.encode(pixels, 3))]))
            row = picture.rows[0][: count * 4]
            rgb = bytearray(len(pixels))
            rgb[0::3], rgb[1::3], rgb[2::3] = row[2::4], row[1::4], row[0::4]
            seen.append(bytes(rgb))
        return seen

    def test_oneColour(self) -> None:
        """
        A rectangle of one colour is that colour once.
        """
        self.assertEqual(TightStream(1).encode(b"abc" * 5000, 3), b"\x80abc")

    def test_short(self) -> None:
        """
        Less than 12 bytes are sent as they are.
        """
        self.assertEqual(TightStream(1).encode(b"abcdef", 3), b"\x00abcdef")

    def test_lengths(self) -> None:
        """
        Pixels come through whatever the length of their packed form is: one, two or three bytes long.
        """
        random = Random(1)
        rectangles = [random.randbytes(3 * count) for count in (4, 30, 42, 43, 5000, 5461, 5462, 22000)]
        self.assertEqual(self.roundTrip(*rectangles), rectangles)

    def test_oneStream(self) -> None:
        """
        A rectangle that was sent before costs little, because the stream goes on.
        """
        stream = TightStream(6)
        pixels = Random(2).randbytes(3000)
        first, second = stream.encode(pixels, 3), stream.encode(pixels, 3)
        self.assertTrue(len(second) * 20 < len(first), (len(first), len(second)))
