"""
L{vncproxy.rfb.viewonly}: a viewer sees its console and cannot touch it.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.test_rfb_parser import chunks, onWire, otherMessages, pictureMessages
from vncproxy.errors import UnparseableInput
from vncproxy.interfaces import IFilter
from vncproxy.rfb import extensions as e
from vncproxy.rfb import messages as m
from vncproxy.rfb.encodings import Encoding
from vncproxy.rfb.pixelformat import BGRX
from vncproxy.rfb.viewonly import OFFERS, ViewOnly


def passes(message: m.ClientMessage) -> bytes:
    """
    What a view-only session is to make of a message about the picture.
    """
    if isinstance(message, m.SetEncodings):
        return m.SetEncodings(tuple(number for number in message.encodings if number in OFFERS)).encode()
    return message.encode()


class ViewOnlyTests(SynchronousTestCase):
    """
    Tests for L{ViewOnly}.
    """

    def test_interface(self) -> None:
        """
        It is a filter.
        """
        self.assertTrue(verifyObject(IFilter, ViewOnly()))

    def test_pictureThenInput(self) -> None:
        """
        A viewer's opening reaches the server as it was sent; its keys, pointer and clipboard do not.
        """
        opening = (
            m.SetPixelFormat(BGRX).encode()
            + m.SetEncodings((7, 0, -239)).encode()
            + m.FramebufferUpdateRequest(False, 0, 0, 800, 600).encode()
        )
        touch = (
            m.KeyEvent(True, 0x41).encode()
            + m.PointerEvent(1, 5, 5).encode()
            + onWire(m.ClientCutText(12))
            + e.XVP(1, 2).encode()
        )
        viewOnly = ViewOnly()
        self.assertEqual(viewOnly.feed(opening + touch + opening), opening + opening)
        self.assertEqual(viewOnly.dropped, 4)

    @given(
        st.lists(st.tuples(st.just(True), pictureMessages) | st.tuples(st.just(False), otherMessages), max_size=10),
        st.lists(st.integers(0, 4000), max_size=12),
    )
    def test_anyChunks(self, messages: list[tuple[bool, m.ClientMessage]], cuts: list[int]) -> None:
        """
        However the stream is cut, exactly the messages about the picture pass, byte for byte.
        """
        viewOnly = ViewOnly()
        stream = b"".join(onWire(message) for _, message in messages)
        passed = b"".join(map(viewOnly.feed, chunks(stream, cuts)))
        self.assertEqual(passed, b"".join(passes(message) for about, message in messages if about))
        self.assertEqual(viewOnly.dropped, sum(not about for about, _ in messages))

    @given(st.lists(pictureMessages, min_size=1, max_size=4), st.lists(st.integers(0, 400), max_size=4))
    def test_twiceIsOnce(self, messages: list[m.ClientMessage], cuts: list[int]) -> None:
        """
        What has passed once passes again unchanged: the server finds nothing in it that the filter would not pass.
        """
        stream = b"".join(map(onWire, messages))
        once = b"".join(map(ViewOnly().feed, chunks(stream, [])))
        again = ViewOnly()
        self.assertEqual(b"".join(map(again.feed, chunks(once, cuts))), once)

    def test_paddingPasses(self) -> None:
        """
        Padding of a message that passes stays as the viewer wrote it.
        """
        for wire in ("00 abcdef 20180001 00ff00ff00ff 100800 112233", "02 77 0001 00000000", "f8 abcdef 00000001 00"):
            self.assertEqual(ViewOnly().feed(bytes.fromhex(wire)), bytes.fromhex(wire))

    def test_offersThatGo(self) -> None:
        """
        Offers that change the form of the viewer's messages, or give it others than those of its picture, do not reach
        the server; neither do unknown ones.
        """
        gone = (
            Encoding.EXTENDED_MOUSE_BUTTONS,
            Encoding.EXTENDED_CLIPBOARD,
            Encoding.QEMU_KEY,
            Encoding.QEMU_AUDIO,
            Encoding.QEMU_POINTER_MOTION,
            Encoding.XVP,
            Encoding.GII,
            Encoding.CLIENT_REDIRECT,
            -99999,
            0x12345678,
        )
        for number in gone:
            self.assertEqual(
                ViewOnly().feed(m.SetEncodings((Encoding.TIGHT, number, Encoding.CURSOR)).encode()),
                m.SetEncodings((Encoding.TIGHT, Encoding.CURSOR)).encode(),
                number,
            )

    def test_noVNC(self) -> None:
        """
        The picture that noVNC 1.7 asks for is the picture that it gets: of its offers only those about input go.
        """
        offered = (1, 50, 7, -260, 16, 21, 5, 2, 6, 0, -26, -254, -223, -224, -258, -261, -308, -309, -312, -313)
        offered += (-307, Encoding.EXTENDED_CLIPBOARD, -316, Encoding.VMWARE_CURSOR, -239)
        kept = m.SetEncodings.decode(ViewOnly().feed(m.SetEncodings(offered).encode())).encodings
        self.assertEqual(set(offered) - set(kept), {-258, -309, Encoding.EXTENDED_CLIPBOARD, -316})
        self.assertEqual(list(kept), [number for number in offered if number in kept])

    def test_unparseable(self) -> None:
        """
        What cannot be understood raises, and what came before it in the same bytes is not given out.
        """
        viewOnly = ViewOnly()
        request = m.FramebufferUpdateRequest(True, 0, 0, 9, 9).encode()
        self.assertRaises(UnparseableInput, viewOnly.feed, request + b"\x7f")
        self.assertRaises(UnparseableInput, viewOnly.feed, request)

    def test_hugeClipboard(self) -> None:
        """
        A clipboard of 2 GiB is dropped while it arrives, and the messages behind a shorter one still pass.
        """
        viewOnly = ViewOnly()
        self.assertEqual(viewOnly.feed(m.ClientCutText(1 << 31, extended=True).encode() + b"x" * 100000), b"")
        self.assertEqual(viewOnly.dropped, 1)
        request = m.FramebufferUpdateRequest(True, 0, 0, 9, 9).encode()
        self.assertEqual(ViewOnly().feed(onWire(m.ClientCutText(70000)) + request), request)
