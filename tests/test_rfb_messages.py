"""
L{vncproxy.rfb.messages}: what a viewer sends, by RFC 6143.
"""

from __future__ import annotations

from tests.wiretable import WireTable
from vncproxy.rfb.messages import (
    ClientCutText,
    ClientMessage,
    Concern,
    FixColourMapEntries,
    FramebufferUpdateRequest,
    KeyEvent,
    PointerEvent,
    SetEncodings,
    SetPixelFormat,
)
from vncproxy.rfb.pixelformat import BGRX

#: Each message, its bytes in hexadecimal as the RFC lays them out, and the length of its payload.
TABLE: list[tuple[ClientMessage, str, int]] = [
    (SetPixelFormat(BGRX), "00 000000 20180001 00ff00ff00ff 100800 000000", 0),
    (FixColourMapEntries(2, 3), "01 00 0002 0003", 18),
    (SetEncodings(()), "02 00 0000", 0),
    (SetEncodings((7, -239, -1)), "02 00 0003 00000007 ffffff11 ffffffff", 0),
    (FramebufferUpdateRequest(True, 1, 2, 1024, 640), "03 01 0001 0002 0400 0280", 0),
    (KeyEvent(True, 0xFF0D), "04 01 0000 0000ff0d", 0),
    (KeyEvent(False, 0x01000394), "04 00 0000 01000394", 0),
    (PointerEvent(0x81, 300, 20), "05 81 012c 0014", 0),
    (ClientCutText(5), "06 000000 00000005", 5),
    (ClientCutText(0), "06 000000 00000000", 0),
    (ClientCutText(4, extended=True), "06 000000 fffffffc", 4),
    (ClientCutText(1 << 31, extended=True), "06 000000 80000000", 1 << 31),
]


class MessageTests(WireTable.Case):
    """
    Tests for the messages of RFC 6143 section 7.5.
    """

    table = TABLE

    def test_concerns(self) -> None:
        """
        What moves the console is told from what only asks for its picture.
        """
        self.assertEqual(
            {type(message): message.CONCERN for message, _, _ in TABLE},
            {
                SetPixelFormat: Concern.PICTURE,
                FixColourMapEntries: Concern.CONSOLE,
                SetEncodings: Concern.PICTURE,
                FramebufferUpdateRequest: Concern.PICTURE,
                KeyEvent: Concern.INPUT,
                PointerEvent: Concern.INPUT,
                ClientCutText: Concern.CLIPBOARD,
            },
        )
