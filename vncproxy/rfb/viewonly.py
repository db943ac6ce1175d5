"""
View-only: a viewer sees its console and cannot touch it.

Passed on is what only concerns this viewer's picture: SetPixelFormat, SetEncodings, FramebufferUpdateRequest,
EnableContinuousUpdates and ClientFence, byte for byte. Everything else that can be understood is dropped: keys,
pointer, clipboard, desktop size, power, sound. What can't be understood ends the session.

The console's server reads what is passed on exactly as it was read here. For that, and so that no viewer waits for what
will never come, the viewer's SetEncodings loses each offer that is not known to be about the picture alone. Extended
mouse buttons and the extended clipboard, which change the form of the viewer's messages, are among these, and with the
latter gone the server tells its clipboard in the old form, which needs nothing from the viewer.
"""

from __future__ import annotations

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
from vncproxy.rfb.messages import ClientMessage, Concern, SetEncodings
from vncproxy.rfb.parser import ClientMessageParser, Received

#: The offers that a viewer may make. Each is about how the server sends this viewer its picture, and none gives the
#: viewer a message that is not read here. An offer of the future is not among them: it only makes the server fall back.
OFFERS: Final = frozenset(
    {
        *PIXEL_ENCODINGS,
        *JPEG_QUALITY,
        *JPEG_FINE_QUALITY,
        *JPEG_SUBSAMPLING,
        *COMPRESSION,
        Encoding.DESKTOP_SIZE,
        Encoding.LAST_RECT,
        Encoding.POINTER_POSITION,
        Encoding.CURSOR,
        Encoding.X_CURSOR,
        Encoding.CURSOR_WITH_ALPHA,
        Encoding.TIGHT_PNG,
        Encoding.QEMU_LED_STATE,
        Encoding.DESKTOP_NAME,
        # It lets a viewer ask for another size, which is dropped; it is also how most servers tell a new one.
        Encoding.EXTENDED_DESKTOP_SIZE,
        Encoding.FENCE,
        Encoding.CONTINUOUS_UPDATES,
        Encoding.VMWARE_CURSOR,
        Encoding.VMWARE_CURSOR_STATE,
        Encoding.VMWARE_CURSOR_POSITION,
        Encoding.VMWARE_LED_STATE,
    }
)


@implementer(IFilter)
class ViewOnly:
    """
    The rule of a view-only session. Its first byte is the one behind ClientInit.

    @ivar dropped: how many messages were not passed on so far.
    """

    def __init__(self) -> None:
        self._parser = ClientMessageParser()
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
        if isinstance(message, SetEncodings):
            return self._trim(message, received.wire)
        if isinstance(message, ClientMessage):
            if message.CONCERN is Concern.PICTURE:
                return received.wire
            self.dropped += 1
        # No message about the picture has a payload: whoever a payload belongs to has been dropped.
        return b""

    def _trim(self, message: SetEncodings, wire: bytes) -> bytes:
        """
        The viewer's encodings without the offers that it may not make.
        """
        kept = tuple(number for number in message.encodings if number in OFFERS)
        return wire if kept == message.encodings else SetEncodings(kept).encode()
