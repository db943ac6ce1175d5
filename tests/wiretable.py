"""
What holds for every message of a table that says how it stands on the wire; run once for each table.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.rfb.messages import ClientMessage


class WireTable:
    """
    Holds the case, so that trial does not run it without a table.
    """

    class Case(SynchronousTestCase):
        """
        @cvar table: each message, its bytes in hexadecimal, and the length of its payload.
        """

        table: ClassVar[list[tuple[ClientMessage, str, int]]]

        def test_encode(self) -> None:
            """
            Each message stands on the wire as the table says.
            """
            for message, wire, _ in self.table:
                self.assertEqual(message.encode(), bytes.fromhex(wire), message)

        def test_decode(self) -> None:
            """
            Each message comes back from its bytes, and says how long its payload is.
            """
            for message, wire, payload in self.table:
                decoded = type(message).decode(bytes.fromhex(wire))
                self.assertEqual(decoded, message)
                self.assertEqual(decoded.payloadLength, payload)

        def test_extent(self) -> None:
            """
            From every beginning of a message follows its length, or that more is needed, and never too much.
            """
            for message, wire, _ in self.table:
                whole = bytes.fromhex(wire)
                for cut in range(1, len(whole)):
                    self.assertTrue(cut < message.extent(whole[:cut]) <= len(whole), (message, cut))
                self.assertEqual(message.extent(whole + b"more"), len(whole))
