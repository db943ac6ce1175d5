"""
Rules on what a viewer sends: which messages pass, and when a person was heard.

Whoever judges messages must know where each begins and ends. So what cannot be understood ends the session, and so that
no well-behaved viewer comes to that, its SetEncodings loses every offer that is not known here: no server confirms what
it was not offered, and no viewer speaks an extension that was not confirmed. Extended mouse buttons are among these, as
the viewer's side alone does not tell which form its pointer events have (see L{vncproxy.rfb.parser}).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from zope.interface import implementer

from vncproxy.interfaces import IFilter
from vncproxy.rfb.encodings import (
    COMPRESSION,
    JPEG_FINE_QUALITY,
    JPEG_QUALITY,
    JPEG_SUBSAMPLING,
    PIXEL_ENCODINGS,
    Encoding,
)
from vncproxy.rfb.messages import ClientCutText, ClientMessage, Concern, PointerEvent, SetEncodings
from vncproxy.rfb.parser import ClientMessageParser, Payload, Received

#: Every offer after which a viewer's messages can still be told apart.
KNOWN_OFFERS: Final = frozenset(
    {
        *PIXEL_ENCODINGS,
        *JPEG_QUALITY,
        *JPEG_FINE_QUALITY,
        *JPEG_SUBSAMPLING,
        *COMPRESSION,
        *Encoding,
    }
    - {Encoding.EXTENDED_MOUSE_BUTTONS}
)

#: Without the extended clipboard, whose messages cross in both directions, a server tells its own in the old form,
#: which needs nothing from the viewer.
OFFERS_WITHOUT_CLIPBOARD: Final = KNOWN_OFFERS - {Encoding.EXTENDED_CLIPBOARD}

ALL_CONCERNS: Final = frozenset(Concern)


def unheard() -> None:
    """
    Nobody wants to know of input.
    """


@implementer(IFilter)
class Permitted:
    """
    Passes on the messages of some concerns, byte for byte, and drops the others. Its first byte is the one behind
    ClientInit.

    @ivar dropped: how many messages were not passed on so far.
    """

    def __init__(
        self,
        concerns: Container[Concern] = ALL_CONCERNS,
        offers: Container[int] = KNOWN_OFFERS,
        heard: Callable[[], None] = unheard,
    ) -> None:
        """
        @param concerns: what messages may be about. SetEncodings passes in any case.
        @param offers: the encodings and extensions that the viewer may name to the server; part of L{KNOWN_OFFERS}.
        @param heard: called when the person at the viewer has done something, whether it is passed on or not: a key, a
            pointer that moves or presses, a clipboard. A pointer that stays where it was, and what an extended
            clipboard says, are not that: programs send both by themselves.
        """
        self._concerns = concerns
        self._offers = offers
        self._heard = heard
        self._parser = ClientMessageParser()
        self._pointer: PointerEvent | None = None
        self.dropped = 0

    def feed(self, data: bytes) -> bytes:
        """
        Take the next bytes of the viewer and return those to pass on now.

        @raise UnparseableInput: the bytes cannot be understood; nothing of them may be passed on.
        """
        return b"".join(map(self._judge, self._parser.feed(data)))

    def _judge(self, received: Received) -> bytes:
        """
        What of a message is passed on.
        """
        message = received.message
        if isinstance(message, Payload):
            return received.wire if message.owner.CONCERN in self._concerns else b""
        if isinstance(message, SetEncodings):
            return self._trim(message, received.wire)
        if self._isDeed(message):
            self._heard()
        if message.CONCERN in self._concerns:
            return received.wire
        self.dropped += 1
        return b""

    def _isDeed(self, message: ClientMessage) -> bool:
        """
        Whether a person has done something.
        """
        if isinstance(message, PointerEvent):
            stays, self._pointer = message == self._pointer, message
            return not stays
        if isinstance(message, ClientCutText):
            return not message.extended
        return message.CONCERN is Concern.INPUT

    def _trim(self, message: SetEncodings, wire: bytes) -> bytes:
        """
        The viewer's encodings without the offers that it may not make.
        """
        kept = tuple(number for number in message.encodings if number in self._offers)
        return wire if kept == message.encodings else SetEncodings(kept).encode()
