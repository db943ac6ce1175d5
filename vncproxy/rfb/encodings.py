"""
The encoding and pseudo-encoding numbers of RFB that this project names (RFC 6143 section 7.7, the IANA registry
C{rfb}, and the rfbproto document of the VNC community).

A pseudo-encoding in a viewer's SetEncodings is not a way to encode pixels but an offer: "I understand this extension".
Some extensions give the viewer new messages, or change the form of old ones. That is why a rule on what a viewer sends
must also look at what it offers: see L{vncproxy.rfb.viewonly}.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Encoding(IntEnum):
    """
    Encoding numbers, signed as they are on the wire.
    """

    RAW = 0  # RFC 6143 section 7.7.1
    COPY_RECT = 1  # RFC 6143 section 7.7.2
    ZLIB = 6  # rfbproto, zlib Encoding
    TIGHT = 7  # rfbproto, Tight Encoding
    ZRLE = 16  # RFC 6143 section 7.7.6
    DESKTOP_SIZE = -223  # RFC 6143 section 7.8.2
    LAST_RECT = -224  # rfbproto, LastRect
    POINTER_POSITION = -232  # rfbproto, Tight options
    CURSOR = -239  # RFC 6143 section 7.8.1
    X_CURSOR = -240  # rfbproto, X Cursor
    QEMU_POINTER_MOTION = -257  # rfbproto, QEMU Pointer Motion Change
    QEMU_KEY = -258  # rfbproto, QEMU Extended Key Event
    QEMU_AUDIO = -259  # rfbproto, QEMU Audio
    TIGHT_PNG = -260  # rfbproto, TightPNG
    QEMU_LED_STATE = -261  # rfbproto, LED State
    GII = -305  # rfbproto, gii
    DESKTOP_NAME = -307  # rfbproto, DesktopName
    EXTENDED_DESKTOP_SIZE = -308  # rfbproto, ExtendedDesktopSize
    XVP = -309  # rfbproto, xvp
    CLIENT_REDIRECT = -311  # rfbproto, Client Redirect
    FENCE = -312  # rfbproto, Fence
    CONTINUOUS_UPDATES = -313  # rfbproto, ContinuousUpdates
    CURSOR_WITH_ALPHA = -314  # rfbproto, Cursor With Alpha
    EXTENDED_MOUSE_BUTTONS = -316  # rfbproto, Extended Mouse Buttons
    EXTENDED_CLIPBOARD = 0xC0A1E5CE - (1 << 32)  # rfbproto, Extended Clipboard
    VMWARE_CURSOR = 0x574D5664  # rfbproto, VMware Cursor
    VMWARE_CURSOR_STATE = 0x574D5665
    VMWARE_CURSOR_POSITION = 0x574D5666
    VMWARE_LED_STATE = 0x574D5668  # rfbproto, VMware LED State


#: Ways to encode pixels, registered and to come. None of them says anything about what the viewer sends.
PIXEL_ENCODINGS: Final = range(0, 256)
#: JPEG quality, 0 to 9 (rfbproto, JPEG Quality Level).
JPEG_QUALITY: Final = range(-32, -22)
#: JPEG quality, 0 to 100 (rfbproto, JPEG Fine-Grained Quality Level).
JPEG_FINE_QUALITY: Final = range(-512, -411)
#: JPEG subsampling (rfbproto, JPEG Subsampling Level).
JPEG_SUBSAMPLING: Final = range(-768, -762)
#: Effort of compression, 0 to 9 (rfbproto, Compression Level).
COMPRESSION: Final = range(-256, -246)
