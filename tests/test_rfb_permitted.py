"""
L{vncproxy.rfb.permitted}: which messages of a viewer pass, and when a person was heard.
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
from vncproxy.rfb.permitted import ALL_CONCERNS, KNOWN_OFFERS, OFFERS_WITHOUT_CLIPBOARD, Permitted

WITHOUT_CLIPBOARD = ALL_CONCERNS - {m.Concern.CLIPBOARD}


def passes(message: m.ClientMessage, offers: frozenset[int]) -> bytes:
    """
    What is to pass of a message that is permitted.
    """
    if isinstance(message, m.SetEncodings):
        return m.SetEncodings(tuple(number for number in message.encodings if number in offers)).encode()
    return onWire(message)


class PermittedTests(SynchronousTestCase):
    """
    Tests for L{Permitted}.
    """

    def setUp(self) -> None:
        self.heard = 0

    def hear(self) -> None:
        """
        Count what a person does.
        """
        self.heard += 1

    def test_interface(self) -> None:
        """
        It is a filter.
        """
        self.assertTrue(verifyObject(IFilter, Permitted()))

    @given(st.lists(pictureMessages | otherMessages, max_size=8), st.lists(st.integers(0, 4000), max_size=12))
    def test_everything(self, messages: list[m.ClientMessage], cuts: list[int]) -> None:
        """
        Where all is permitted all passes as it came, but for offers that are not known.
        """
        rule = Permitted()
        passed = b"".join(map(rule.feed, chunks(b"".join(map(onWire, messages)), cuts)))
        self.assertEqual(passed, b"".join(passes(message, KNOWN_OFFERS) for message in messages))
        self.assertEqual(rule.dropped, 0)

    @given(st.lists(pictureMessages | otherMessages, max_size=8), st.lists(st.integers(0, 4000), max_size=12))
    def test_withoutClipboard(self, messages: list[m.ClientMessage], cuts: list[int]) -> None:
        """
        Of a clipboard that is not permitted no byte passes, in either form, and all else does.
        """
        rule = Permitted(WITHOUT_CLIPBOARD, OFFERS_WITHOUT_CLIPBOARD)
        passed = b"".join(map(rule.feed, chunks(b"".join(map(onWire, messages)), cuts)))
        others = [message for message in messages if not isinstance(message, m.ClientCutText)]
        self.assertEqual(passed, b"".join(passes(message, OFFERS_WITHOUT_CLIPBOARD) for message in others))
        self.assertEqual(rule.dropped, len(messages) - len(others))

    def test_offers(self) -> None:
        """
        Offers that would change how messages are read, or bring unknown ones, do not reach the server.
        """
        offered = m.SetEncodings(
            (7, Encoding.EXTENDED_MOUSE_BUTTONS, Encoding.EXTENDED_CLIPBOARD, -999, Encoding.QEMU_KEY)
        )
        self.assertEqual(
            Permitted().feed(offered.encode()),
            m.SetEncodings((7, Encoding.EXTENDED_CLIPBOARD, Encoding.QEMU_KEY)).encode(),
        )
        self.assertEqual(
            Permitted(WITHOUT_CLIPBOARD, OFFERS_WITHOUT_CLIPBOARD).feed(offered.encode()),
            m.SetEncodings((7, Encoding.QEMU_KEY)).encode(),
        )

    def test_unknown(self) -> None:
        """
        What cannot be understood is not passed on.
        """
        self.assertRaises(UnparseableInput, Permitted().feed, b"\xee")

    def test_deeds(self) -> None:
        """
        Keys, a pointer that moves or presses, and a clipboard are deeds of a person. Requests for the picture, a
        pointer that stays, and what an extended clipboard says are not.
        """
        rule = Permitted(heard=self.hear)
        for message, deeds in (
            (m.KeyEvent(True, 0x41), 1),
            (m.KeyEvent(True, 0x41), 1),
            (e.QEMUKeyEvent(True, 0x41, 30), 1),
            (m.PointerEvent(0, 5, 5), 1),
            (m.PointerEvent(0, 5, 5), 0),
            (m.PointerEvent(1, 5, 5), 1),
            (m.PointerEvent(1, 5, 6), 1),
            (m.KeyEvent(False, 0x41), 1),
            (m.PointerEvent(1, 5, 6), 0),
            (m.ClientCutText(3), 1),
            (m.ClientCutText(8, extended=True), 0),
            (m.FramebufferUpdateRequest(True, 0, 0, 8, 8), 0),
            (m.SetEncodings((7,)), 0),
            (e.ClientFence(0, b""), 0),
            (e.SetDesktopSize(8, 8, ()), 0),
        ):
            before = self.heard
            rule.feed(onWire(message))
            self.assertEqual(self.heard - before, deeds, message)

    def test_deedsThatAreDropped(self) -> None:
        """
        What is not passed on shows all the same that somebody is there.
        """
        rule = Permitted({m.Concern.PICTURE}, heard=self.hear)
        self.assertEqual(rule.feed(m.KeyEvent(True, 0x41).encode() + onWire(m.ClientCutText(5))), b"")
        self.assertEqual(self.heard, 2)
