"""
A console's stream without its clipboard: every message of the server is found in it, and ServerCutText is left out.

::

    type   message                 bytes on the wire
    0      FramebufferUpdate       4, then for each rectangle 12 and what its encoding says
    1      SetColourMapEntries     6 + 6 × n
    2      Bell                    1
    3      ServerCutText           8 + n           left out
    150    EndOfContinuousUpdates  1
    248    ServerFence             9 + n
    250    XVP                     4

Pixels are passed over by their length, not decoded. How long they are hangs on the encoding and on the pixel format, so
the viewer may name only encodings of which that is known here (L{READABLE_OFFERS}), and may choose another format only
as long as it has asked for no picture: later nobody could say which of the pixels under way are in which format. What
cannot be understood ends the session, as a clipboard might hide behind it.

Sources: RFC 6143 sections 7.6 to 7.8; rfbproto for Tight, the extensions and their pseudo-encodings.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Generator
from typing import Final

from zope.interface import implementer

from vncproxy.errors import UnparseableInput
from vncproxy.interfaces import IFilter
from vncproxy.rfb.encodings import (
    COMPRESSION,
    JPEG_FINE_QUALITY,
    JPEG_QUALITY,
    JPEG_SUBSAMPLING,
    Encoding,
)
from vncproxy.rfb.extensions import EnableContinuousUpdates
from vncproxy.rfb.messages import Concern, FramebufferUpdateRequest, SetPixelFormat
from vncproxy.rfb.parser import Received
from vncproxy.rfb.permitted import Permitted, unheard
from vncproxy.rfb.pixelformat import PixelFormat

_Reading = Generator[tuple[int, bool], bytes, None]
"""
Asks for so many bytes: exactly as many, or from one up to as many as there are.
"""

_UNTIL_LAST: Final = 0xFFFF
"""
The number of rectangles of an update that ends with LastRect.
"""

_TIGHT_PLAIN: Final = 12
"""
Data of Tight's basic compression that is shorter is not compressed, and has no length before it.
"""


@implementer(IFilter)
class Clipless:
    """
    Takes a server's clipboard out of its stream. Its first byte is the one behind ServerInit.

    @ivar dropped: how many clipboards were left out so far.
    @ivar pixelFormat: in which pixels are now.
    """

    def __init__(self, pixelFormat: PixelFormat) -> None:
        """
        @param pixelFormat: that the server has announced.
        """
        self.dropped = 0
        self.setPixelFormat(pixelFormat)
        self._buffer = bytearray()
        self._passed: list[bytes] = []
        self._failed = False
        self._steps = self._messages()
        self._wish = next(self._steps)

    def setPixelFormat(self, pixelFormat: PixelFormat) -> None:
        """
        From now on pixels are in this format.
        """
        self.pixelFormat = pixelFormat
        self._pixel = pixelFormat.bitsPerPixel // 8
        self._tightPixel = _tightPixel(pixelFormat)

    def feed(self, data: bytes) -> bytes:
        """
        Take the next bytes of the server and return those to pass on now.

        @raise UnparseableInput: the bytes cannot be understood. The stream is lost: every later call raises it again.
        """
        if self._failed:
            raise UnparseableInput("the server's messages are lost since one that is not known")
        self._buffer += data
        at = 0
        try:
            while True:
                count, exactly = self._wish
                there = len(self._buffer) - at
                if there < (count if exactly else 1):
                    break
                end = at + min(count, there)
                piece = bytes(self._buffer[at:end])
                at = end
                self._wish = self._steps.send(piece)
        except UnparseableInput:
            self._failed = True
            self._buffer.clear()
            raise
        del self._buffer[:at]
        passed, self._passed = b"".join(self._passed), []
        return passed

    # The pieces of messages.

    def _read(self, count: int) -> Generator[tuple[int, bool], bytes, bytes]:
        """
        Some bytes that say how to go on. They pass.
        """
        data = yield count, True
        self._passed.append(data)
        return data

    def _number(self, count: int) -> Generator[tuple[int, bool], bytes, int]:
        return int.from_bytes((yield from self._read(count)), "big")

    def _skip(self, count: int) -> _Reading:
        """
        Bytes that nobody has to look at. They pass.
        """
        while count:
            data = yield count, False
            self._passed.append(data)
            count -= len(data)

    # Messages.

    def _messages(self) -> _Reading:
        while True:
            # Its first byte is kept back until it is known what it begins.
            start = yield 1, True
            message = _MESSAGES.get(start[0])
            if message is None:
                raise UnparseableInput(f"the server sent a message of the unknown type {start[0]}")
            if message is not Clipless._cutText:
                self._passed.append(start)
            yield from message(self)

    def _update(self) -> _Reading:
        yield from self._skip(1)
        left = yield from self._number(2)
        endless = left == _UNTIL_LAST
        while left:
            head = yield from self._read(12)
            width, height = int.from_bytes(head[4:6], "big"), int.from_bytes(head[6:8], "big")
            encoding = int.from_bytes(head[8:], "big", signed=True)
            if encoding == Encoding.LAST_RECT:
                return
            form = _RECTANGLES.get(encoding)
            if form is None:
                raise UnparseableInput(f"the server sent a rectangle of the unknown encoding {encoding}")
            yield from form(self, width, height)
            left -= not endless

    def _colours(self) -> _Reading:
        yield from self._skip(3)
        yield from self._skip(6 * (yield from self._number(2)))

    def _nothing(self) -> _Reading:
        yield from ()

    def _cutText(self) -> _Reading:
        head = yield 7, True
        # Negative is that of the extended clipboard, which nobody has offered.
        left = abs(int.from_bytes(head[3:], "big", signed=True))
        while left:
            left -= len((yield left, False))
        self.dropped += 1

    def _fence(self) -> _Reading:
        yield from self._skip(7)
        yield from self._skip((yield from self._number(1)))

    def _xvp(self) -> _Reading:
        yield from self._skip(3)

    # Rectangles.

    def _raw(self, width: int, height: int) -> _Reading:
        yield from self._skip(width * height * self._pixel)

    def _copy(self, width: int, height: int) -> _Reading:
        yield from self._skip(4)

    def _counted(self, width: int, height: int) -> _Reading:
        """
        A length in four bytes stands before the data.
        """
        yield from self._skip((yield from self._number(4)))

    def _tight(self, width: int, height: int) -> _Reading:
        pixel = self._tightPixel
        if pixel is None:
            raise UnparseableInput("servers read the viewer's pixel format in two ways in Tight")
        control = (yield from self._number(1)) >> 4
        if control == 8:
            yield from self._skip(pixel)
        elif control == 9:
            yield from self._skip((yield from self._compactLength()))
        elif control < 8:
            yield from self._tightBasic(width, height, pixel, hasFilter=bool(control & 4))
        else:
            raise UnparseableInput(f"the server sent Tight data in the unknown form {control}")

    def _tightBasic(self, width: int, height: int, pixel: int, hasFilter: bool) -> _Reading:
        size = width * height * pixel
        if hasFilter:
            which = yield from self._number(1)
            if which == 1:
                colours = (yield from self._number(1)) + 1
                yield from self._skip(colours * pixel)
                size = (width + 7) // 8 * height if colours == 2 else width * height
            elif which not in (0, 2):
                raise UnparseableInput(f"the server sent Tight data through the unknown filter {which}")
        yield from self._skip(size if size < _TIGHT_PLAIN else (yield from self._compactLength()))

    def _compactLength(self) -> Generator[tuple[int, bool], bytes, int]:
        """
        A length in one to three bytes, the lowest seven bits first; of the third all eight count.
        """
        first = yield from self._number(1)
        if first < 0x80:
            return first
        second = yield from self._number(1)
        if second < 0x80:
            return first & 0x7F | second << 7
        third = yield from self._number(1)
        return first & 0x7F | (second & 0x7F) << 7 | third << 14

    def _cursor(self, width: int, height: int) -> _Reading:
        yield from self._skip(width * height * self._pixel + (width + 7) // 8 * height)

    def _xCursor(self, width: int, height: int) -> _Reading:
        yield from self._skip(6 + 2 * ((width + 7) // 8) * height if width and height else 0)

    def _empty(self, width: int, height: int) -> _Reading:
        yield from ()

    def _byte(self, width: int, height: int) -> _Reading:
        yield from self._skip(1)

    def _screens(self, width: int, height: int) -> _Reading:
        count = yield from self._number(1)
        yield from self._skip(3 + 16 * count)


_MESSAGES: Final[dict[int, Callable[[Clipless], _Reading]]] = {
    0: Clipless._update,
    1: Clipless._colours,
    2: Clipless._nothing,
    3: Clipless._cutText,
    150: Clipless._nothing,
    248: Clipless._fence,
    250: Clipless._xvp,
}

_RECTANGLES: Final[dict[int, Callable[[Clipless, int, int], _Reading]]] = {
    Encoding.RAW: Clipless._raw,
    Encoding.COPY_RECT: Clipless._copy,
    Encoding.ZLIB: Clipless._counted,
    Encoding.TIGHT: Clipless._tight,
    Encoding.ZRLE: Clipless._counted,
    Encoding.DESKTOP_SIZE: Clipless._empty,
    Encoding.POINTER_POSITION: Clipless._empty,
    Encoding.CURSOR: Clipless._cursor,
    Encoding.X_CURSOR: Clipless._xCursor,
    Encoding.QEMU_POINTER_MOTION: Clipless._empty,
    Encoding.QEMU_KEY: Clipless._empty,
    Encoding.QEMU_LED_STATE: Clipless._byte,
    Encoding.DESKTOP_NAME: Clipless._counted,
    Encoding.EXTENDED_DESKTOP_SIZE: Clipless._screens,
}

#: What a viewer may name to the server, so that what comes back can be understood.
READABLE_OFFERS: Final = frozenset(
    {
        *_RECTANGLES,
        *JPEG_QUALITY,
        *JPEG_FINE_QUALITY,
        *JPEG_SUBSAMPLING,
        *COMPRESSION,
        Encoding.LAST_RECT,
        Encoding.XVP,
        Encoding.FENCE,
        Encoding.CONTINUOUS_UPDATES,
    }
)


def _tightPixel(pixelFormat: PixelFormat) -> int | None:
    """
    How many bytes a pixel has in Tight; L{None} where servers do not agree.
    """
    maxima = {pixelFormat.redMax, pixelFormat.greenMax, pixelFormat.blueMax}
    if pixelFormat.bitsPerPixel != 32 or not pixelFormat.trueColour or maxima != {255}:
        return pixelFormat.bitsPerPixel // 8
    # The document asks for a depth of 24 as well. QEMU does not.
    return 3 if pixelFormat.depth == 24 else None


@implementer(IFilter)
class CliplessViewer(Permitted):
    """
    The viewer's side of it.
    """

    def __init__(self, server: Clipless, concerns: Container[Concern], heard: Callable[[], None] = unheard) -> None:
        """
        @param server: is told of the viewer's pixel format.
        @param concerns: see L{Permitted}; so for C{heard}.
        """
        super().__init__(concerns, READABLE_OFFERS, heard)
        self._server = server
        self._asked = False

    def _judge(self, received: Received) -> bytes:
        message = received.message
        if isinstance(message, FramebufferUpdateRequest | EnableContinuousUpdates):
            self._asked = True
        if isinstance(message, SetPixelFormat):
            if self._asked and message.pixelFormat != self._server.pixelFormat:
                raise UnparseableInput("the viewer chose another pixel format while pictures were under way")
            self._server.setPixelFormat(message.pixelFormat)
        return super()._judge(received)
