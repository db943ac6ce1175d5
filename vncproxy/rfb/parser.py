"""
Find a viewer's messages in the stream of its bytes.

RFB puts no frame around its messages: whoever does not know one message's length can understand nothing that comes
after it. An unknown type therefore ends in L{UnparseableInput<vncproxy.errors.UnparseableInput>}, and so does a known
type in a form without a known length. Reading begins behind ClientInit::

    bytes      00 ··· 19 more ··· 04 01 ·· 6 more │ 06 ··· length 70000 ··· text │ more text │ …
    received   SetPixelFormat     KeyEvent          ClientCutText     Payload      Payload     …

Memory is bounded: a message is kept until it is whole, and may have at most L{MESSAGE_LIMIT} bytes. The messages whose
length the viewer chooses freely (a clipboard may announce 2 GiB) give their head as one message, and what follows as
any number of L{Payload}s while the bytes arrive.

B{Two forms depend on what was agreed before.} Both are read as the server reads them:

  - A pointer event has a seventh byte when bit 7 of its mask is set I{and} the server has confirmed extended mouse
    buttons; without that, bit 7 is button 8 in six bytes. The viewer's direction alone does not tell which one holds.
    The parser reads six until L{ClientMessageParser.extendButtons} is called. Whoever cannot see the server's
    confirmation takes C{EXTENDED_MOUSE_BUTTONS} out of the viewer's SetEncodings: no server confirms what it was not
    offered.
  - A cut text with the top bit of its length set is the extended clipboard's. As a plain length it would announce 2
    GiB or more, which no server takes.
"""

from __future__ import annotations

from typing import Final

import attrs

from vncproxy.errors import UnparseableInput
from vncproxy.rfb.extensions import (
    GII,
    XVP,
    ClientFence,
    EnableContinuousUpdates,
    ExtendedPointerEvent,
    QEMUAudio,
    QEMUKeyEvent,
    QEMUType,
    SetDesktopSize,
)
from vncproxy.rfb.messages import (
    ClientCutText,
    ClientMessage,
    ClientType,
    FixColourMapEntries,
    FramebufferUpdateRequest,
    KeyEvent,
    PointerEvent,
    SetEncodings,
    SetPixelFormat,
)

#: The longest message that is kept until it is whole, in bytes: SetEncodings with 4095 of them.
MESSAGE_LIMIT: Final = 16384

_MESSAGES: Final[dict[bytes, type[ClientMessage]]] = {
    bytes([form.TYPE]): form
    for form in (
        SetPixelFormat,
        FixColourMapEntries,
        SetEncodings,
        FramebufferUpdateRequest,
        KeyEvent,
        PointerEvent,
        ClientCutText,
        EnableContinuousUpdates,
        ClientFence,
        XVP,
        SetDesktopSize,
        GII,
    )
} | {
    bytes([ClientType.QEMU, QEMUType.KEY_EVENT]): QEMUKeyEvent,
    bytes([ClientType.QEMU, QEMUType.AUDIO]): QEMUAudio,
}


@attrs.frozen
class Payload:
    """
    A part of what follows a message that announced a payload.

    @ivar owner: the message that announced it.
    @ivar data: the next bytes of it, at least one.
    @ivar last: whether it is complete with these. A payload of no bytes at all has no parts.
    """

    owner: ClientMessage
    data: bytes
    last: bool


@attrs.frozen
class Received:
    """
    One message, or a part of a payload, as it came.

    @ivar message: what it means.
    @ivar wire: its bytes, padding included. All C{wire}s in order are the stream.
    """

    message: ClientMessage | Payload
    wire: bytes


class ClientMessageParser:
    """
    Cuts one viewer's stream into messages, in whatever pieces it arrives.
    """

    def __init__(self) -> None:
        self._messages = _MESSAGES
        self._buffer = bytearray()
        self._owner: ClientMessage | None = None
        self._missing = 0
        self._failed = False

    def extendButtons(self) -> None:
        """
        From the next message on, pointer events may have the extended form: the server has confirmed it.
        """
        self._messages = _MESSAGES | {bytes([ClientType.POINTER_EVENT]): ExtendedPointerEvent}

    def feed(self, data: bytes) -> list[Received]:
        """
        Take the next bytes and return what is complete with them.

        @raise UnparseableInput: a message of unknown length, or a longer one than L{MESSAGE_LIMIT}. The stream is lost:
            every later call raises it again.
        """
        if self._failed:
            raise UnparseableInput("the viewer's messages are lost since one of unknown length")
        self._buffer += data
        received: list[Received] = []
        try:
            while (one := self._next()) is not None:
                received.append(one)
        except UnparseableInput:
            self._failed = True
            self._buffer.clear()
            raise
        return received

    def _next(self) -> Received | None:
        """
        Take one message, or a part of a payload, off the buffer; L{None} if neither is complete.
        """
        if not self._buffer:
            return None
        if self._owner is not None:
            return self._takePayload(self._owner)
        form = self._form()
        if form is None:
            return None
        needed = form.extent(self._buffer)
        if needed > MESSAGE_LIMIT:
            raise UnparseableInput(f"a message of {needed} bytes; {MESSAGE_LIMIT} are allowed")
        if len(self._buffer) < needed:
            return None
        wire = self._take(needed)
        message = form.decode(wire)
        if message.payloadLength:
            self._owner, self._missing = message, message.payloadLength
        return Received(message, wire)

    def _form(self) -> type[ClientMessage] | None:
        """
        What the buffer begins with; L{None} when that takes one more byte to say.
        """
        isQEMU = self._buffer[0] == ClientType.QEMU
        if isQEMU and len(self._buffer) == 1:
            return None
        start = bytes(self._buffer[: 2 if isQEMU else 1])
        form = self._messages.get(start)
        if form is None:
            raise UnparseableInput(f"a message of the unknown type {' '.join(map(str, start))}")
        return form

    def _takePayload(self, owner: ClientMessage) -> Received:
        """
        As much of the payload as has arrived.
        """
        data = self._take(min(self._missing, len(self._buffer)))
        self._missing -= len(data)
        if not self._missing:
            self._owner = None
        return Received(Payload(owner, data, last=self._owner is None), data)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken
