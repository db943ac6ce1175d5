"""
What a viewer sends after the handshake when it and the server know extensions of RFB.

::

    type      message                     bytes on the wire
    5         ExtendedPointerEvent        6, or 7 when bit 7 of its mask is set
    150       EnableContinuousUpdates     10
    248       ClientFence                 9 + n           (n up to 64)
    250       XVP                         4
    251       SetDesktopSize              8 + 16 × n
    253       GII                         4 + n
    255 0     QEMUKeyEvent                12
    255 1     QEMUAudio                   4, or 10 when it sets the format

Source: rfbproto, "Client to Server Messages". The extended form of message 6 is L{ClientCutText
<vncproxy.rfb.messages.ClientCutText>}'s own.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import ClassVar, Final, Literal

import attrs

from vncproxy.errors import UnparseableInput
from vncproxy.rfb.messages import ClientMessage, ClientType, Concern, PointerEvent

#: The longest payload of a fence, in bytes (rfbproto, ClientFence).
FENCE_LIMIT: Final = 64


class QEMUType(IntEnum):
    """
    The second byte of a QEMU message (rfbproto, QEMU Client Message).
    """

    KEY_EVENT = 0
    AUDIO = 1


class AudioOperation(IntEnum):
    """
    What a viewer wants of the sound (rfbproto, QEMU Audio Client Message).
    """

    ENABLE = 0
    DISABLE = 1
    SET_FORMAT = 2


@attrs.frozen
class ExtendedPointerEvent(PointerEvent):
    """
    A L{PointerEvent} as it stands on the wire when extended mouse buttons are agreed upon: with button 8 or above, bit
    7 of the mask is a mark, and a seventh byte has these buttons (rfbproto, Extended Mouse Buttons).
    """

    _MARK: ClassVar = 0x80

    @classmethod
    def extent(cls, seen: bytes | bytearray) -> int:
        return cls._FORM.size + (1 if len(seen) > 1 and seen[1] & cls._MARK else 0)

    @classmethod
    def decode(cls, wire: bytes) -> ExtendedPointerEvent:
        _, mask, x, y = cls._FORM.unpack_from(wire)
        high = wire[cls._FORM.size] if mask & cls._MARK else 0
        return cls(high << 7 | mask & ~cls._MARK, x, y)

    def encode(self) -> bytes:
        low, high = self.buttons & ~self._MARK & 0xFF, self.buttons >> 7
        if not high:
            return super().encode()
        return self._FORM.pack(self.TYPE, low | self._MARK, self.x, self.y) + bytes([high])


@attrs.frozen
class EnableContinuousUpdates(ClientMessage):
    """
    The viewer wants updates of an area without asking for each.
    """

    TYPE = ClientType.ENABLE_CONTINUOUS_UPDATES
    CONCERN = Concern.PICTURE
    _FORM = Struct("!B?HHHH")

    enable: bool
    x: int
    y: int
    width: int
    height: int


@attrs.frozen
class ClientFence(ClientMessage):
    """
    A mark in the stream of messages, or the answer to one: it paces updates.
    """

    TYPE = ClientType.FENCE
    CONCERN = Concern.PICTURE
    _FORM = Struct("!B3xIB")

    flags: int
    payload: bytes

    @classmethod
    def extent(cls, seen: bytes | bytearray) -> int:
        head = cls._FORM.size
        if len(seen) < head:
            return head
        if seen[head - 1] > FENCE_LIMIT:
            raise UnparseableInput(f"a fence of {seen[head - 1]} bytes; {FENCE_LIMIT} are allowed")
        return head + seen[head - 1]

    @classmethod
    def decode(cls, wire: bytes) -> ClientFence:
        return cls(cls._FORM.unpack_from(wire)[1], wire[cls._FORM.size :])

    def encode(self) -> bytes:
        return self._FORM.pack(self.TYPE, self.flags, len(self.payload)) + self.payload


@attrs.frozen
class XVP(ClientMessage):
    """
    The viewer wants the machine shut down (2), rebooted (3) or reset (4).
    """

    TYPE = ClientType.XVP
    CONCERN = Concern.CONSOLE
    _FORM = Struct("!BxBB")

    version: int
    code: int


@attrs.frozen
class Screen:
    """
    One screen of a desktop (rfbproto, ExtendedDesktopSize).
    """

    FORM: ClassVar = Struct("!IHHHHI")

    id: int
    x: int
    y: int
    width: int
    height: int
    flags: int


@attrs.frozen
class SetDesktopSize(ClientMessage):
    """
    The viewer wants the desktop of another size.
    """

    TYPE = ClientType.SET_DESKTOP_SIZE
    CONCERN = Concern.CONSOLE
    _FORM = Struct("!BxHHBx")

    width: int
    height: int
    screens: tuple[Screen, ...]

    @classmethod
    def extent(cls, seen: bytes | bytearray) -> int:
        head = cls._FORM.size
        return head if len(seen) < head else head + Screen.FORM.size * seen[6]

    @classmethod
    def decode(cls, wire: bytes) -> SetDesktopSize:
        _, width, height, _ = cls._FORM.unpack_from(wire)
        return cls(width, height, tuple(Screen(*s) for s in Screen.FORM.iter_unpack(wire[cls._FORM.size :])))

    def encode(self) -> bytes:
        screens = b"".join(Screen.FORM.pack(*attrs.astuple(screen)) for screen in self.screens)
        return self._FORM.pack(self.TYPE, self.width, self.height, len(self.screens)) + screens


@attrs.frozen
class GII(ClientMessage):
    """
    A message of the General Input Interface: devices and their events, which follow as payload.

    @ivar subtype: what it is: 0 events, 1 version, 2 a new device, 3 a device goes.
    @ivar length: how many bytes follow.
    @ivar bigEndian: the byte order of all numbers in it, C{length} included.
    """

    TYPE = ClientType.GII
    CONCERN = Concern.INPUT
    _FORM = Struct("!BB2s")
    _BIG_ENDIAN: ClassVar = 0x80

    subtype: int
    length: int
    bigEndian: bool = True

    @classmethod
    def decode(cls, wire: bytes) -> GII:
        _, kind, length = cls._FORM.unpack(wire)
        bigEndian = bool(kind & cls._BIG_ENDIAN)
        return cls(kind & ~cls._BIG_ENDIAN, int.from_bytes(length, cls._order(bigEndian)), bigEndian)

    def encode(self) -> bytes:
        kind = self.subtype | (self._BIG_ENDIAN if self.bigEndian else 0)
        return self._FORM.pack(self.TYPE, kind, self.length.to_bytes(2, self._order(self.bigEndian)))

    @property
    def payloadLength(self) -> int:
        return self.length

    @staticmethod
    def _order(bigEndian: bool) -> Literal["big", "little"]:
        return "big" if bigEndian else "little"


@attrs.frozen
class QEMUKeyEvent(ClientMessage):
    """
    A key goes down or up, told with the place of the key on the keyboard.

    @ivar keysym: the key, as an X11 keysym.
    @ivar keycode: its XT scan code, 0x80 added where that begins with 0xE0.
    """

    TYPE = ClientType.QEMU
    CONCERN = Concern.INPUT
    _FORM = Struct("!BBHII")

    down: bool
    keysym: int
    keycode: int

    @classmethod
    def decode(cls, wire: bytes) -> QEMUKeyEvent:
        _, _, down, keysym, keycode = cls._FORM.unpack(wire)
        return cls(bool(down), keysym, keycode)

    def encode(self) -> bytes:
        return self._FORM.pack(self.TYPE, QEMUType.KEY_EVENT, self.down, self.keysym, self.keycode)


@attrs.frozen
class QEMUAudio(ClientMessage):
    """
    The viewer wants sound, or none, or says in which form.

    @ivar settings: for C{SET_FORMAT}, the sample format, the number of channels and the frequency in Hz; else empty.
    """

    TYPE = ClientType.QEMU
    CONCERN = Concern.AUDIO
    _FORM = Struct("!BBH")
    _SETTINGS: ClassVar = Struct("!BBI")

    operation: AudioOperation
    settings: tuple[int, ...] = ()

    @classmethod
    def extent(cls, seen: bytes | bytearray) -> int:
        head = cls._FORM.size
        if len(seen) < head:
            return head
        operation = int.from_bytes(seen[2:4], "big")
        if operation > AudioOperation.SET_FORMAT:
            raise UnparseableInput(f"a QEMU audio message with the unknown operation {operation}")
        return head + (cls._SETTINGS.size if operation == AudioOperation.SET_FORMAT else 0)

    @classmethod
    def decode(cls, wire: bytes) -> QEMUAudio:
        operation = AudioOperation(cls._FORM.unpack_from(wire)[2])
        settings = wire[cls._FORM.size :]
        return cls(operation, cls._SETTINGS.unpack(settings) if settings else ())

    def encode(self) -> bytes:
        settings = self._SETTINGS.pack(*self.settings) if self.settings else b""
        return self._FORM.pack(self.TYPE, QEMUType.AUDIO, self.operation) + settings
