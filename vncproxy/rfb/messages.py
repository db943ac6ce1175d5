"""
What a viewer sends after the handshake, as values: the base of all its messages and those of RFC 6143 section 7.5.

::

    type      message                     bytes on the wire
    0         SetPixelFormat              20
    1         FixColourMapEntries         6 + 6 × n       (RFB 3.3 only)
    2         SetEncodings                4 + 4 × n
    3         FramebufferUpdateRequest    10
    4         KeyEvent                    8
    5         PointerEvent                6
    6         ClientCutText               8 + n

The messages of extensions are in L{vncproxy.rfb.extensions}; L{vncproxy.rfb.parser} finds both kinds in a stream.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from struct import Struct
from typing import ClassVar, TypeVar

import attrs

from vncproxy.rfb.pixelformat import PixelFormat


class ClientType(IntEnum):
    """
    The first byte of each message.
    """

    SET_PIXEL_FORMAT = 0  # RFC 6143 section 7.5.1
    FIX_COLOUR_MAP_ENTRIES = 1  # The RFB Protocol 3.3, section 5.2.2
    SET_ENCODINGS = 2  # RFC 6143 section 7.5.2
    FRAMEBUFFER_UPDATE_REQUEST = 3  # RFC 6143 section 7.5.3
    KEY_EVENT = 4  # RFC 6143 section 7.5.4
    POINTER_EVENT = 5  # RFC 6143 section 7.5.5
    CLIENT_CUT_TEXT = 6  # RFC 6143 section 7.5.6
    ENABLE_CONTINUOUS_UPDATES = 150  # rfbproto, EnableContinuousUpdates
    FENCE = 248  # rfbproto, ClientFence
    XVP = 250  # rfbproto, xvp Client Message
    SET_DESKTOP_SIZE = 251  # rfbproto, SetDesktopSize
    GII = 253  # rfbproto, gii Client Message
    QEMU = 255  # rfbproto, QEMU Client Message


class Concern(Enum):
    """
    What a message is about: the word by which policies decide.

    @cvar PICTURE: how and when this viewer is sent the picture; the console does not notice.
    @cvar INPUT: somebody presses keys or moves the pointer.
    @cvar CLIPBOARD: text comes from the viewer's side.
    @cvar CONSOLE: the console itself is to change: its size, its colours, its power.
    @cvar AUDIO: how and when this viewer is sent sound.
    """

    PICTURE = "picture"
    INPUT = "input"
    CLIPBOARD = "clipboard"
    CONSOLE = "console"
    AUDIO = "audio"


_Message = TypeVar("_Message", bound="ClientMessage")


@attrs.frozen
class ClientMessage:
    """
    One message of a viewer. As it stands here, one of fixed length whose attributes are the fields in order; the others
    say what is different about them.

    @cvar TYPE: its first byte.
    @cvar CONCERN: what it is about.
    """

    TYPE: ClassVar[ClientType]
    CONCERN: ClassVar[Concern]
    _FORM: ClassVar[Struct]

    @classmethod
    def extent(cls, seen: bytes | bytearray) -> int:
        """
        How long the message is that begins with C{seen}, as far as that tells: its full length in bytes, or a number
        above C{len(seen)} from which on more can be said.

        @raise UnparseableInput: it has no known length.
        """
        return cls._FORM.size

    @classmethod
    def decode(cls: type[_Message], wire: bytes) -> _Message:
        """
        The message of these bytes, which are as many as L{extent} says.
        """
        return cls(*cls._FORM.unpack(wire)[1:])

    def encode(self) -> bytes:
        """
        The message on the wire, padding zero, without its payload.
        """
        return self._FORM.pack(self.TYPE, *attrs.astuple(self))

    @property
    def payloadLength(self) -> int:
        """
        How many bytes of L{Payload} follow.
        """
        return 0


@attrs.frozen
class SetPixelFormat(ClientMessage):
    """
    How the viewer wants its pixels.
    """

    TYPE = ClientType.SET_PIXEL_FORMAT
    CONCERN = Concern.PICTURE
    _FORM = Struct("!B3x16s")

    pixelFormat: PixelFormat

    @classmethod
    def decode(cls, wire: bytes) -> SetPixelFormat:
        return cls(PixelFormat.decode(wire[4:]))

    def encode(self) -> bytes:
        return self._FORM.pack(self.TYPE, self.pixelFormat.encode())


@attrs.frozen
class FixColourMapEntries(ClientMessage):
    """
    Colours that the viewer wants in the console's map. RFB 3.3 has it, later versions dropped it.

    @ivar first: index of the first colour.
    @ivar count: how many colours follow as payload, 6 bytes each.
    """

    TYPE = ClientType.FIX_COLOUR_MAP_ENTRIES
    CONCERN = Concern.CONSOLE
    _FORM = Struct("!BxHH")

    first: int
    count: int

    @property
    def payloadLength(self) -> int:
        return 6 * self.count


@attrs.frozen
class SetEncodings(ClientMessage):
    """
    The encodings that the viewer takes, best first, and the extensions that it offers.

    @ivar encodings: signed numbers, see L{vncproxy.rfb.encodings}.
    """

    TYPE = ClientType.SET_ENCODINGS
    CONCERN = Concern.PICTURE
    _FORM = Struct("!BxH")

    encodings: tuple[int, ...]

    @classmethod
    def extent(cls, seen: bytes | bytearray) -> int:
        head = cls._FORM.size
        return head if len(seen) < head else head + 4 * int.from_bytes(seen[2:4], "big")

    @classmethod
    def decode(cls, wire: bytes) -> SetEncodings:
        count = int.from_bytes(wire[2:4], "big")
        return cls(Struct(f"!{count}i").unpack_from(wire, cls._FORM.size))

    def encode(self) -> bytes:
        count = len(self.encodings)
        return self._FORM.pack(self.TYPE, count) + Struct(f"!{count}i").pack(*self.encodings)


@attrs.frozen
class FramebufferUpdateRequest(ClientMessage):
    """
    The viewer is ready for pixels of an area.

    @ivar incremental: it has the area as it was last sent, and wants only what has changed.
    """

    TYPE = ClientType.FRAMEBUFFER_UPDATE_REQUEST
    CONCERN = Concern.PICTURE
    _FORM = Struct("!B?HHHH")

    incremental: bool
    x: int
    y: int
    width: int
    height: int


@attrs.frozen
class KeyEvent(ClientMessage):
    """
    A key goes down or up.

    @ivar keysym: the key, as an X11 keysym.
    """

    TYPE = ClientType.KEY_EVENT
    CONCERN = Concern.INPUT
    _FORM = Struct("!B?2xI")

    down: bool
    keysym: int


@attrs.frozen
class PointerEvent(ClientMessage):
    """
    The pointer moves, or a button goes down or up.

    @ivar buttons: bit n is set while button n + 1 is down; eight of them, or nine in the extended form.
    """

    TYPE = ClientType.POINTER_EVENT
    CONCERN = Concern.INPUT
    _FORM = Struct("!BBHH")

    buttons: int
    x: int
    y: int


@attrs.frozen
class ClientCutText(ClientMessage):
    """
    The viewer's clipboard. The text follows as payload.

    @ivar length: how many bytes follow.
    @ivar extended: they are not Latin-1 text but a message of the extended clipboard.
    """

    TYPE = ClientType.CLIENT_CUT_TEXT
    CONCERN = Concern.CLIPBOARD
    _FORM = Struct("!B3xi")

    length: int
    extended: bool = False

    @classmethod
    def decode(cls, wire: bytes) -> ClientCutText:
        signed = int(cls._FORM.unpack(wire)[1])
        return cls(abs(signed), signed < 0)

    def encode(self) -> bytes:
        return self._FORM.pack(self.TYPE, -self.length if self.extended else self.length)

    @property
    def payloadLength(self) -> int:
        return self.length
