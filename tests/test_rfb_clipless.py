"""
A console's stream without its clipboard: L{vncproxy.rfb.clipless}.
"""

from __future__ import annotations

import struct

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.test_rfb_parser import chunks, onWire
from vncproxy.errors import UnparseableInput
from vncproxy.interfaces import IFilter
from vncproxy.rfb import extensions as e
from vncproxy.rfb import messages as m
from vncproxy.rfb.clipless import READABLE_OFFERS, Clipless, CliplessViewer
from vncproxy.rfb.encodings import Encoding
from vncproxy.rfb.permitted import ALL_CONCERNS, KNOWN_OFFERS
from vncproxy.rfb.pixelformat import BGRX

RGB565 = attrs.evolve(BGRX, bitsPerPixel=16, depth=16, redMax=31, greenMax=63, blueMax=31)
MAP = attrs.evolve(BGRX, bitsPerPixel=8, depth=8, trueColour=False)
DEEP = attrs.evolve(BGRX, depth=30, redMax=1023, greenMax=1023, blueMax=1023)
ODD = attrs.evolve(BGRX, depth=32)

BELL = b"\2"
COPY = struct.pack("!HHHHiHH", 0, 0, 4, 4, Encoding.COPY_RECT, 7, 9)


def cutText(text: bytes, extended: bool = False) -> bytes:
    """
    A server's clipboard.
    """
    return struct.pack("!B3xi", 3, -len(text) if extended else len(text)) + text


def rectangle(encoding: int, width: int, height: int, data: bytes) -> bytes:
    """
    A rectangle of an update.
    """
    return struct.pack("!HHHHi", 1, 2, width, height, encoding) + data


def update(*rectangles: bytes, count: int | None = None) -> bytes:
    """
    An update of these rectangles.
    """
    return struct.pack("!BxH", 0, len(rectangles) if count is None else count) + b"".join(rectangles)


def counted(data: bytes) -> bytes:
    """
    Data behind its length.
    """
    return struct.pack("!I", len(data)) + data


#: A rectangle of each form, for 32 bits a pixel with a depth of 24.
RECTANGLES = (
    COPY,
    rectangle(Encoding.RAW, 3, 2, b"\3" * 24),
    rectangle(Encoding.RAW, 0, 2, b""),
    rectangle(Encoding.ZLIB, 3, 2, counted(b"\3" * 9)),
    rectangle(Encoding.ZRLE, 3, 2, counted(b"")),
    rectangle(Encoding.TIGHT, 30, 20, b"\x80rgb"),
    rectangle(Encoding.TIGHT, 30, 20, b"\x90\x05jpegs"),
    rectangle(Encoding.TIGHT, 30, 20, b"\x90\x80\x01" + b"\3" * 128),
    rectangle(Encoding.TIGHT, 30, 20, b"\x90\x80\x80\x01" + b"\3" * 16384),
    rectangle(Encoding.TIGHT, 30, 20, b"\x9f\xff\xff\xff" + b"\3" * (127 + (127 << 7) + (255 << 14))),
    # Basic compression without a filter: compressed from 12 bytes on.
    rectangle(Encoding.TIGHT, 4, 1, b"\x00\x07deflate"),
    rectangle(Encoding.TIGHT, 3, 1, b"\x31\3\3\3\3\3\3\3\3\3"),
    # With one: copy, palette of two and of more colours, gradient.
    rectangle(Encoding.TIGHT, 4, 1, b"\x40\x00\x07deflate"),
    rectangle(Encoding.TIGHT, 9, 3, b"\x70\x01\x01" + b"\3" * 6 + b"\3" * 6),
    rectangle(Encoding.TIGHT, 40, 3, b"\x50\x01\x01" + b"\3" * 6 + b"\x07deflate"),
    rectangle(Encoding.TIGHT, 3, 3, b"\x60\x01\x02" + b"\3" * 9 + b"\3" * 9),
    rectangle(Encoding.TIGHT, 3, 4, b"\x60\x01\xff" + b"\3" * 768 + b"\x07deflate"),
    rectangle(Encoding.TIGHT, 4, 1, b"\x40\x02\x07deflate"),
    rectangle(Encoding.DESKTOP_SIZE, 800, 600, b""),
    rectangle(Encoding.POINTER_POSITION, 0, 0, b""),
    rectangle(Encoding.QEMU_KEY, 0, 0, b""),
    rectangle(Encoding.QEMU_POINTER_MOTION, 1, 0, b""),
    rectangle(Encoding.QEMU_LED_STATE, 1, 1, b"\3"),
    rectangle(Encoding.CURSOR, 9, 2, b"\3" * 72 + b"\3" * 4),
    rectangle(Encoding.X_CURSOR, 9, 2, b"rgbRGB" + b"\3" * 8),
    rectangle(Encoding.X_CURSOR, 0, 0, b""),
    rectangle(Encoding.DESKTOP_NAME, 0, 0, counted(b"name")),
    rectangle(Encoding.EXTENDED_DESKTOP_SIZE, 800, 600, b"\2\0\0\0" + b"\3" * 32),
)

MESSAGES = (
    *(update(each) for each in RECTANGLES if len(each) < 1000),
    update(),
    update(COPY, COPY),
    update(COPY, rectangle(Encoding.LAST_RECT, 0, 0, b""), count=0xFFFF),
    update(COPY, rectangle(Encoding.LAST_RECT, 0, 0, b""), count=9),
    struct.pack("!BxHH", 1, 0, 2) + b"\3" * 12,
    BELL,
    b"\x96",
    b"\xf8\0\0\0\x80\0\0\1\2\3\3",
    b"\xfa\0\1\1",
)

clipboards = st.builds(cutText, st.binary(max_size=40), st.booleans())


class CliplessTests(SynchronousTestCase):
    """
    Tests for L{Clipless}.
    """

    def test_interface(self) -> None:
        """
        It is a filter.
        """
        self.assertTrue(verifyObject(IFilter, Clipless(BGRX)))

    def test_everyForm(self) -> None:
        """
        The end of each form of rectangle is found: a clipboard behind it is left out, and nothing else is.
        """
        for each in RECTANGLES:
            server = Clipless(BGRX)
            stream = update(each, COPY) + cutText(b"secret") + BELL
            self.assertEqual(server.feed(stream), update(each, COPY) + BELL, each[:20])
            self.assertEqual(server.dropped, 1)

    def test_everyMessage(self) -> None:
        """
        So is the end of each other message.
        """
        for each in MESSAGES:
            server = Clipless(BGRX)
            self.assertEqual(server.feed(each + cutText(b"secret") + BELL), each + BELL, each[:20])
            self.assertEqual(server.dropped, 1)

    def test_pixelFormats(self) -> None:
        """
        How long pixels are hangs on their format, and in Tight on more than their size.
        """
        for pixelFormat, raw, tight in ((BGRX, 4, 3), (RGB565, 2, 2), (MAP, 1, 1), (DEEP, 4, 4), (ODD, 4, None)):
            server = Clipless(BGRX)
            server.setPixelFormat(pixelFormat)
            self.assertEqual(server.pixelFormat, pixelFormat)
            stream = update(rectangle(Encoding.RAW, 5, 1, b"\3" * 5 * raw)) + BELL
            self.assertEqual(server.feed(stream + cutText(b"secret")), stream)
            filled = update(rectangle(Encoding.TIGHT, 5, 1, b"\x80" + b"\3" * (tight or 0)))
            if tight is None:
                self.assertRaises(UnparseableInput, server.feed, filled)
            else:
                self.assertEqual(server.feed(filled + cutText(b"secret") + BELL), filled + BELL)

    @given(
        st.lists(
            st.tuples(st.just(True), st.sampled_from(MESSAGES)) | st.tuples(st.just(False), clipboards), max_size=8
        ),
        st.lists(st.integers(0, 4000), max_size=12),
    )
    def test_anyChunks(self, messages: list[tuple[bool, bytes]], cuts: list[int]) -> None:
        """
        However the stream is cut, all of it passes but the clipboards.
        """
        server = Clipless(BGRX)
        passed = b"".join(map(server.feed, chunks(b"".join(wire for _, wire in messages), cuts)))
        self.assertEqual(passed, b"".join(wire for passes, wire in messages if passes))
        self.assertEqual(server.dropped, sum(not passes for passes, _ in messages))

    def test_atOnce(self) -> None:
        """
        What passes does so as it comes: a picture is not gathered.
        """
        server = Clipless(BGRX)
        start = update(rectangle(Encoding.RAW, 1000, 1000, b""), count=1)
        self.assertEqual(server.feed(start), start)
        for _ in range(4):
            self.assertEqual(server.feed(b"\3" * 1_000_000), b"\3" * 1_000_000)
        self.assertEqual(server.feed(cutText(b"secret") + BELL), BELL)

    def test_longClipboard(self) -> None:
        """
        A clipboard of any length is left out without being gathered.
        """
        server = Clipless(BGRX)
        self.assertEqual(server.feed(struct.pack("!B3xi", 3, 1_000_000)), b"")
        for _ in range(10):
            self.assertEqual(server.feed(b"s" * 100_000), b"")
            self.assertEqual(len(server._buffer), 0)
        self.assertEqual(server.feed(BELL), BELL)

    def test_unknown(self) -> None:
        """
        Messages, encodings and forms that are not known end it, and nothing passes any more.
        """
        for data in (
            b"\4",
            b"\xff\1",
            update(rectangle(5, 1, 1, b"")),
            update(rectangle(Encoding.TIGHT_PNG, 1, 1, b"")),
            update(rectangle(Encoding.EXTENDED_MOUSE_BUTTONS, 1, 1, b"")),
            update(rectangle(Encoding.TIGHT, 1, 1, b"\xa0")),
            update(rectangle(Encoding.TIGHT, 1, 1, b"\x40\x03")),
        ):
            server = Clipless(BGRX)
            self.assertRaises(UnparseableInput, server.feed, data)
            self.assertRaises(UnparseableInput, server.feed, BELL)

    @given(st.lists(st.binary(max_size=60), max_size=6))
    def test_anyBytes(self, pieces: list[bytes]) -> None:
        """
        Whatever comes, it passes in its order or it ends; nothing is made up.
        """
        server, passed, said = Clipless(BGRX), b"", b""
        for piece in pieces:
            said += piece
            try:
                passed += server.feed(piece)
            except UnparseableInput:
                return
            rest = iter(said)
            self.assertTrue(all(byte in rest for byte in passed))


class CliplessViewerTests(SynchronousTestCase):
    """
    Tests for L{CliplessViewer}.
    """

    def setUp(self) -> None:
        self.server = Clipless(BGRX)
        self.viewer = CliplessViewer(self.server, ALL_CONCERNS)

    def test_interface(self) -> None:
        """
        It is a filter.
        """
        self.assertTrue(verifyObject(IFilter, self.viewer))

    def test_offers(self) -> None:
        """
        Only offers whose answers can be understood reach the server, and all of these.
        """
        self.assertLess(READABLE_OFFERS, KNOWN_OFFERS)
        for unreadable in (5, 21, 50, Encoding.TIGHT_PNG, Encoding.EXTENDED_CLIPBOARD, Encoding.QEMU_AUDIO):
            self.assertNotIn(unreadable, READABLE_OFFERS)
        offered = m.SetEncodings((7, 5, 16, Encoding.EXTENDED_CLIPBOARD, Encoding.FENCE, -26, -250))
        self.assertEqual(
            self.viewer.feed(offered.encode()), m.SetEncodings((7, 16, Encoding.FENCE, -26, -250)).encode()
        )

    def test_pixelFormat(self) -> None:
        """
        The viewer's choice before its first request holds for what the server sends, and passes.
        """
        choice = m.SetPixelFormat(RGB565).encode()
        self.assertEqual(self.viewer.feed(choice), choice)
        self.assertEqual(self.server.pixelFormat, RGB565)

    def test_otherFormat(self) -> None:
        """
        Once it has asked for pictures it may name the same format again, and no other.
        """
        for asking in (m.FramebufferUpdateRequest(True, 0, 0, 8, 8), e.EnableContinuousUpdates(True, 0, 0, 8, 8)):
            self.setUp()
            self.viewer.feed(asking.encode())
            self.viewer.feed(m.SetPixelFormat(BGRX).encode())
            self.assertRaises(UnparseableInput, self.viewer.feed, m.SetPixelFormat(RGB565).encode())
            self.assertEqual(self.server.pixelFormat, BGRX)

    def test_concerns(self) -> None:
        """
        The viewer's own clipboard passes where it may, and not where it may not.
        """
        text = onWire(m.ClientCutText(5))
        self.assertEqual(self.viewer.feed(text), text)
        closed = CliplessViewer(self.server, ALL_CONCERNS - {m.Concern.CLIPBOARD})
        self.assertEqual(closed.feed(text + m.KeyEvent(True, 1).encode()), m.KeyEvent(True, 1).encode())
