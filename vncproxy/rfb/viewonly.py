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

from collections.abc import Callable
from typing import Final

from vncproxy.rfb.encodings import (
    COMPRESSION,
    JPEG_FINE_QUALITY,
    JPEG_QUALITY,
    JPEG_SUBSAMPLING,
    PIXEL_ENCODINGS,
    Encoding,
)
from vncproxy.rfb.messages import Concern
from vncproxy.rfb.permitted import Permitted, unheard

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


#: What messages may be about.
VIEW_ONLY: Final = frozenset({Concern.PICTURE})


class ViewOnly(Permitted):
    """
    The rule of a view-only session. Its first byte is the one behind ClientInit.
    """

    def __init__(self, heard: Callable[[], None] = unheard) -> None:
        """
        @param heard: see L{Permitted}. What is dropped shows all the same that somebody is there.
        """
        super().__init__(VIEW_ONLY, OFFERS, heard)
