"""
L{vncproxy.rfb.extensions}: what a viewer sends when it knows extensions.
"""

from __future__ import annotations

from tests.wiretable import WireTable
from vncproxy.errors import UnparseableInput
from vncproxy.rfb.extensions import (
    GII,
    XVP,
    AudioOperation,
    ClientFence,
    EnableContinuousUpdates,
    ExtendedPointerEvent,
    QEMUAudio,
    QEMUKeyEvent,
    Screen,
    SetDesktopSize,
)
from vncproxy.rfb.messages import ClientMessage, Concern

#: Each message, its bytes in hexadecimal as rfbproto lays them out, and the length of its payload.
TABLE: list[tuple[ClientMessage, str, int]] = [
    (ExtendedPointerEvent(0x05, 300, 20), "05 05 012c 0014", 0),
    (ExtendedPointerEvent(0x80, 1, 2), "05 80 0001 0002 01", 0),
    (ExtendedPointerEvent(0x104, 1, 2), "05 84 0001 0002 02", 0),
    (EnableContinuousUpdates(True, 0, 1, 1024, 640), "96 01 0000 0001 0400 0280", 0),
    (ClientFence(0x80000003, b""), "f8 000000 80000003 00", 0),
    (ClientFence(1, b"mark"), "f8 000000 00000001 04 6d61726b", 0),
    (XVP(1, 4), "fa 00 01 04", 0),
    (SetDesktopSize(800, 600, ()), "fb 00 0320 0258 00 00", 0),
    (
        SetDesktopSize(800, 600, (Screen(7, 0, 0, 800, 600, 0),)),
        "fb 00 0320 0258 01 00 00000007 0000 0000 0320 0258 00000000",
        0,
    ),
    (GII(1, 2), "fd 81 0002", 2),
    (GII(0, 24, bigEndian=False), "fd 00 1800", 24),
    (QEMUKeyEvent(True, 0xFF53, 0xCD), "ff 00 0001 0000ff53 000000cd", 0),
    (QEMUAudio(AudioOperation.ENABLE), "ff 01 0000", 0),
    (QEMUAudio(AudioOperation.DISABLE), "ff 01 0001", 0),
    (QEMUAudio(AudioOperation.SET_FORMAT, (3, 2, 44100)), "ff 01 0002 03 02 0000ac44", 0),
]


class ExtensionTests(WireTable.Case):
    """
    Tests for the messages of rfbproto's extensions.
    """

    table = TABLE

    def test_longFence(self) -> None:
        """
        A fence with more payload than rfbproto allows has no length that servers agree on.
        """
        fence = ClientFence(0, b"x" * 64).encode()
        self.assertEqual(ClientFence.extent(fence), len(fence))
        self.assertRaises(UnparseableInput, ClientFence.extent, ClientFence(0, b"x" * 65).encode())

    def test_unknownAudio(self) -> None:
        """
        An audio operation beyond those of rfbproto has no known length.
        """
        self.assertRaises(UnparseableInput, QEMUAudio.extent, bytes.fromhex("ff 01 0003"))

    def test_concerns(self) -> None:
        """
        What moves the console is told from what only paces its picture.
        """
        self.assertEqual(
            {type(message): message.CONCERN for message, _, _ in TABLE},
            {
                ExtendedPointerEvent: Concern.INPUT,
                EnableContinuousUpdates: Concern.PICTURE,
                ClientFence: Concern.PICTURE,
                XVP: Concern.CONSOLE,
                SetDesktopSize: Concern.CONSOLE,
                GII: Concern.INPUT,
                QEMUKeyEvent: Concern.INPUT,
                QEMUAudio: Concern.AUDIO,
            },
        )
