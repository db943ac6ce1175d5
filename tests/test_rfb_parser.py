"""
L{vncproxy.rfb.parser}: a viewer's messages in the stream of its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.test_rfb_pixelformat import pixelFormats
from vncproxy.errors import UnparseableInput
from vncproxy.rfb import extensions as e
from vncproxy.rfb import messages as m
from vncproxy.rfb.parser import MESSAGE_LIMIT, ClientMessageParser, Payload, Received

_U8 = st.integers(0, 0xFF)
_U16 = st.integers(0, 0xFFFF)
_U32 = st.integers(0, 0xFFFFFFFF)
_S32 = st.integers(-(1 << 31), (1 << 31) - 1)
_LENGTH = st.integers(0, 300)

_screens = st.builds(e.Screen, _U32, _U16, _U16, _U16, _U16, _U32)

#: Messages that a view-only session passes on.
pictureMessages: st.SearchStrategy[m.ClientMessage] = st.one_of(
    st.builds(m.SetPixelFormat, pixelFormats),
    st.builds(m.SetEncodings, st.lists(_S32, max_size=20).map(tuple)),
    st.builds(m.FramebufferUpdateRequest, st.booleans(), _U16, _U16, _U16, _U16),
    st.builds(e.EnableContinuousUpdates, st.booleans(), _U16, _U16, _U16, _U16),
    st.builds(e.ClientFence, _U32, st.binary(max_size=e.FENCE_LIMIT)),
)

#: Messages that it drops.
otherMessages: st.SearchStrategy[m.ClientMessage] = st.one_of(
    st.builds(m.FixColourMapEntries, _U16, st.integers(0, 40)),
    st.builds(m.KeyEvent, st.booleans(), _U32),
    st.builds(m.PointerEvent, _U8, _U16, _U16),
    st.builds(m.ClientCutText, _LENGTH),
    st.builds(m.ClientCutText, st.integers(1, 300), st.just(True)),
    st.builds(e.XVP, _U8, _U8),
    st.builds(e.SetDesktopSize, _U16, _U16, st.lists(_screens, max_size=4).map(tuple)),
    st.builds(e.GII, st.integers(0, 127), _LENGTH, st.booleans()),
    st.builds(e.QEMUKeyEvent, st.booleans(), _U32, _U32),
    st.builds(e.QEMUAudio, st.sampled_from([e.AudioOperation.ENABLE, e.AudioOperation.DISABLE])),
    st.builds(e.QEMUAudio, st.just(e.AudioOperation.SET_FORMAT), st.tuples(_U8, _U8, _U32)),
)


def onWire(message: m.ClientMessage) -> bytes:
    """
    A message with some payload of the length that it announces.
    """
    return message.encode() + bytes(range(256)) * (message.payloadLength // 256) + bytes(message.payloadLength % 256)


def chunks(stream: bytes, cuts: list[int]) -> Iterator[bytes]:
    """
    C{stream} in pieces, cut at C{cuts}.
    """
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        yield stream[start:end]


class ParserTests(SynchronousTestCase):
    """
    Tests for L{ClientMessageParser}.
    """

    def parse(self, *pieces: bytes) -> list[Received]:
        """
        What a new parser makes of these pieces.
        """
        parser = ClientMessageParser()
        return [received for piece in pieces for received in parser.feed(piece)]

    @given(st.lists(pictureMessages | otherMessages, max_size=8), st.lists(st.integers(0, 4000), max_size=12))
    def test_anyChunks(self, messages: list[m.ClientMessage], cuts: list[int]) -> None:
        """
        However the stream is cut, the same messages come out, each payload is as long as announced, and no byte is
        lost, added or changed.
        """
        stream = b"".join(map(onWire, messages))
        received = self.parse(*chunks(stream, cuts))
        self.assertEqual([one.message for one in received if not isinstance(one.message, Payload)], messages)
        self.assertEqual(b"".join(one.wire for one in received), stream)
        payloads = [one.message for one in received if isinstance(one.message, Payload)]
        self.assertEqual(
            sum(len(payload.data) for payload in payloads), sum(message.payloadLength for message in messages)
        )
        self.assertEqual(
            [payload.owner for payload in payloads if payload.last],
            [message for message in messages if message.payloadLength],
        )
        self.assertTrue(all(payload.data for payload in payloads))

    def test_byteByByte(self) -> None:
        """
        A message comes out with its last byte, not before.
        """
        parser = ClientMessageParser()
        wire = e.QEMUAudio(e.AudioOperation.SET_FORMAT, (3, 2, 48000)).encode()
        for byte in wire[:-1]:
            self.assertEqual(parser.feed(bytes([byte])), [])
        self.assertEqual(
            [one.message for one in parser.feed(wire[-1:])],
            [e.QEMUAudio(e.AudioOperation.SET_FORMAT, (3, 2, 48000))],
        )

    def test_paddingIsKept(self) -> None:
        """
        What a viewer writes into padding is part of the wire bytes.
        """
        wire = bytes.fromhex("04 01 abcd 00000041")
        (received,) = self.parse(wire)
        self.assertEqual(received, Received(m.KeyEvent(True, 0x41), wire))

    def test_payloadIsStreamed(self) -> None:
        """
        A clipboard of the greatest length is given out as it arrives, and none of it is kept.
        """
        parser = ClientMessageParser()
        length = (1 << 31) - 1
        head = m.ClientCutText(length)
        self.assertEqual([one.message for one in parser.feed(head.encode())], [head])
        for _ in range(3):
            (received,) = parser.feed(b"x" * 65536)
            self.assertEqual(received.message, Payload(head, b"x" * 65536, last=False))

    def test_payloadEnds(self) -> None:
        """
        The byte behind a payload begins the next message.
        """
        key = m.KeyEvent(True, 0x41)
        received = self.parse(m.ClientCutText(3).encode() + b"ab", b"c" + key.encode())
        self.assertEqual(
            [one.message for one in received],
            [
                m.ClientCutText(3),
                Payload(m.ClientCutText(3), b"ab", last=False),
                Payload(m.ClientCutText(3), b"c", last=True),
                key,
            ],
        )

    def test_buttonEight(self) -> None:
        """
        Without extended mouse buttons, bit 7 is a button like the others and the message has six bytes.
        """
        received = self.parse(bytes.fromhex("05 80 0001 0002"), m.KeyEvent(True, 1).encode())
        self.assertEqual([one.message for one in received], [m.PointerEvent(0x80, 1, 2), m.KeyEvent(True, 1)])

    def test_extendButtons(self) -> None:
        """
        With extended mouse buttons, bit 7 announces a seventh byte.
        """
        parser = ClientMessageParser()
        parser.extendButtons()
        stream = bytes.fromhex("05 81 0001 0002 01 05 01 0001 0002")
        for pieces in ([stream], [bytes([byte]) for byte in stream]):
            received = [one for piece in pieces for one in parser.feed(piece)]
            self.assertEqual(
                [one.message for one in received],
                [e.ExtendedPointerEvent(0x81, 1, 2), e.ExtendedPointerEvent(0x01, 1, 2)],
            )
            self.assertEqual(b"".join(one.wire for one in received), stream)

    def test_extendButtonsIsForOne(self) -> None:
        """
        What one viewer has agreed upon does not change how another is read.
        """
        ClientMessageParser().extendButtons()
        self.assertEqual(len(self.parse(bytes.fromhex("05 80 0001 0002"))), 1)

    def test_unknownTypes(self) -> None:
        """
        Every first byte that is not in the table ends the stream, and so does every unknown message of QEMU's.
        """
        known = {int(kind) for kind in m.ClientType}
        for first in set(range(256)) - known:
            self.assertRaises(UnparseableInput, ClientMessageParser().feed, bytes([first]))
        for second in range(2, 256):
            parser = ClientMessageParser()
            self.assertEqual(parser.feed(b"\xff"), [])
            self.assertRaises(UnparseableInput, parser.feed, bytes([second]))

    def test_lostForGood(self) -> None:
        """
        After something unparseable nothing is parsed any more, not even what looks sound.
        """
        parser = ClientMessageParser()
        self.assertRaises(UnparseableInput, parser.feed, b"\x07")
        self.assertRaises(UnparseableInput, parser.feed, m.KeyEvent(True, 0x41).encode())

    def test_tooLong(self) -> None:
        """
        A message longer than the limit is refused when it announces itself, one of just the limit is taken.
        """
        most = (MESSAGE_LIMIT - 4) // 4
        (received,) = self.parse(m.SetEncodings((0,) * most).encode())
        self.assertEqual(len(received.wire), MESSAGE_LIMIT)
        announced = m.SetEncodings((0,) * (most + 1)).encode()[:4]
        self.assertRaises(UnparseableInput, ClientMessageParser().feed, announced)

    @given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=6))
    def test_anyBytes(self, stream: bytes, cuts: list[int]) -> None:
        """
        Whatever is sent, it is either told apart without loss or refused; nothing else happens.
        """
        parser = ClientMessageParser()
        wire = b""
        try:
            for piece in chunks(stream, cuts):
                wire += b"".join(one.wire for one in parser.feed(piece))
        except UnparseableInput:
            self.assertRaises(UnparseableInput, parser.feed, b"")
        self.assertTrue(stream.startswith(wire))

    def test_memory(self) -> None:
        """
        Of a payload that never ends, nothing stays in the parser.
        """
        parser = ClientMessageParser()
        parser.feed(m.ClientCutText(1 << 30).encode())
        for _ in range(16):
            parser.feed(bytes(65536))
        self.assertEqual(len(parser._buffer), 0)
