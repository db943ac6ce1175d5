"""
DemoViewer: one viewer of the demo desktop, from its ClientInit to its end.

It sends an update only when the viewer has asked for one, and no more while the connection does not take bytes. So at
most one update is on its way, however slow the viewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from vncproxy.demo.canvas import Damage, Rect
from vncproxy.demo.desktop import NAME, DemoDesktop
from vncproxy.demo.pixels import Translator
from vncproxy.demo.pointer import arrow
from vncproxy.errors import VNCProxyError
from vncproxy.interfaces import IByteStream
from vncproxy.rfb.encodings import Encoding
from vncproxy.rfb.extensions import ExtendedPointerEvent, Screen, SetDesktopSize
from vncproxy.rfb.handshake import ServerInit
from vncproxy.rfb.messages import (
    ClientCutText,
    ClientMessage,
    FramebufferUpdateRequest,
    KeyEvent,
    PointerEvent,
    SetEncodings,
    SetPixelFormat,
)
from vncproxy.rfb.parser import ClientMessageParser, Payload
from vncproxy.rfb.pixelformat import BGRX
from vncproxy.rfb.updates import (
    Rectangle,
    ResizeReason,
    ResizeStatus,
    TightStream,
    desktopSize,
    encodeBell,
    encodeCutText,
    encodeUpdate,
    extendedDesktopSize,
    extendedMouseButtons,
)

_log = Logger()

#: How much of a viewer's clipboard is taken, in bytes.
CLIPBOARD_LIMIT: Final = 64 * 1024
#: A rectangle has at most so many pixels, and Tight allows no wider ones (rfbproto, Tight).
_MOST_PIXELS: Final = 65536
_WIDEST: Final = 2048
_ZLIB_LEVEL: Final = 2


@implementer(IPushProducer)
class DemoViewer:
    """
    One viewer.
    """

    def __init__(self, desktop: DemoDesktop, stream: IByteStream) -> None:
        self._desktop = desktop
        self._stream = stream
        self._parser = ClientMessageParser()
        self._translator = Translator(BGRX)
        self._tight = TightStream(_ZLIB_LEVEL)
        self._encodings: frozenset[int] = frozenset()
        self._size = desktop.screen.bounds
        self._screens: tuple[Screen, ...] = ()
        self._damage = Damage()
        self._news: list[Rectangle] = []
        self._asked = False
        self._paused = False
        self._ended = False
        self._clipboard = bytearray()
        self._actions: dict[type[ClientMessage], Callable[[Any], None]] = {
            SetPixelFormat: self._setPixelFormat,
            SetEncodings: self._setEncodings,
            FramebufferUpdateRequest: self._request,
            KeyEvent: lambda message: desktop.key(message.down, message.keysym),
            PointerEvent: self._point,
            ExtendedPointerEvent: self._point,
            ClientCutText: lambda message: self._clipboard.clear(),
            SetDesktopSize: self._setDesktopSize,
        }

    def start(self) -> None:
        """
        Answer the ClientInit and take over the stream.
        """
        size = self._size
        init = ServerInit(size.width, size.height, BGRX.encode(), NAME.encode())
        self._stream.write(init.encode())
        self._stream.transport.registerProducer(self, True)
        self._desktop.attach(self)
        self._stream.handOver(self)

    def end(self) -> None:
        """
        Hang up.
        """
        if not self._ended:
            self._ended = True
            self._desktop.detach(self)
            self._stream.transport.unregisterProducer()
            self._stream.close()

    # From the stream.

    def received(self, data: bytes) -> None:
        """
        The viewer has sent something.
        """
        try:
            for one in self._parser.feed(data):
                if isinstance(one.message, Payload):
                    self._takePayload(one.message)
                else:
                    self._actions.get(type(one.message), lambda message: None)(one.message)
        except VNCProxyError as error:
            _log.info("A viewer of the demo desktop is turned away: {error}", error=error)
            self.end()

    def readEnded(self) -> None:
        """
        The viewer sends no more: it is gone.
        """
        self.end()

    def lost(self, clean: bool) -> None:
        """
        The connection is gone.
        """
        self.end()

    # From the transport.

    def pauseProducing(self) -> None:
        """
        The connection takes no more for now.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        It does again.
        """
        self._paused = False
        self._desktop.wake()

    def stopProducing(self) -> None:
        """
        It never will again; L{lost} comes next.
        """
        self._paused = True

    # From the desktop.

    @property
    def waiting(self) -> bool:
        """
        Whether it would send an update at once, if there were anything to tell.
        """
        return self._asked and not self._paused and not self._ended

    def changed(self, rects: Sequence[Rect]) -> None:
        """
        Keep these parts of the screen to be sent, and send what can be.
        """
        for rect in rects:
            self._damage.add(rect)
        if self.waiting:
            self._sendUpdate()

    def resized(self) -> None:
        """
        Another viewer has given the desktop another size.
        """
        self._tellSize(ResizeReason.ANOTHER_VIEWER)

    def ring(self) -> None:
        """
        Ring its bell.
        """
        self._stream.write(encodeBell())

    def offer(self, text: str) -> None:
        """
        Give it a text for its clipboard.
        """
        self._stream.write(encodeCutText(text))

    # What the viewer's messages do.

    def _setPixelFormat(self, message: SetPixelFormat) -> None:
        self._translator = Translator(message.pixelFormat)
        self._damage.add(self._size)
        self._tellCursor()

    def _setEncodings(self, message: SetEncodings) -> None:
        new = frozenset(message.encodings) - self._encodings
        self._encodings = frozenset(message.encodings)
        if Encoding.CURSOR in new:
            self._tellCursor()
        if Encoding.EXTENDED_MOUSE_BUTTONS in new:
            self._parser.extendButtons()
            self._news.append(extendedMouseButtons())
        if Encoding.EXTENDED_DESKTOP_SIZE in new:
            self._tellSize(ResizeReason.SERVER)

    def _request(self, message: FramebufferUpdateRequest) -> None:
        self._asked = True
        if not message.incremental:
            self._damage.add(Rect(message.x, message.y, message.width, message.height))
        self._desktop.wake()

    def _point(self, message: PointerEvent) -> None:
        self._desktop.point(message.buttons, message.x, message.y)

    def _takePayload(self, payload: Payload) -> None:
        """
        A part of a clipboard. The extended clipboard was never offered to the viewer.
        """
        owner = payload.owner
        if isinstance(owner, ClientCutText) and not owner.extended:
            self._clipboard += payload.data[: CLIPBOARD_LIMIT - len(self._clipboard)]
            if payload.last:
                self._desktop.receiveClipboard(self._clipboard.decode("latin-1"))

    def _setDesktopSize(self, message: SetDesktopSize) -> None:
        """
        Another size is wanted. The answer repeats the viewer's own layout (rfbproto, SetDesktopSize).
        """
        if len(message.screens) != 1:
            status = ResizeStatus.INVALID_LAYOUT
        elif self._desktop.resize(message.width, message.height, by=self):
            status = ResizeStatus.DONE
            self._screens = message.screens
        else:
            status = ResizeStatus.OUT_OF_RESOURCES
        self._tellSize(ResizeReason.THIS_VIEWER, status)

    # What it is told.

    def _tellSize(self, reason: ResizeReason, status: ResizeStatus = ResizeStatus.DONE) -> None:
        """
        Tell the desktop's size, if the viewer can be told. One that can't goes on with what fits into its old size.
        """
        bounds = self._desktop.screen.bounds
        self._damage.add(bounds)
        if Encoding.EXTENDED_DESKTOP_SIZE in self._encodings:
            known = self._screens[0] if self._screens else Screen(0, 0, 0, 0, 0, 0)
            screen = Screen(known.id, 0, 0, bounds.width, bounds.height, known.flags)
            self._news.append(extendedDesktopSize(bounds.width, bounds.height, [screen], reason, status))
        elif Encoding.DESKTOP_SIZE in self._encodings:
            self._news.append(desktopSize(bounds.width, bounds.height))
        else:
            return
        self._size = bounds
        self._desktop.wake()

    def _tellCursor(self) -> None:
        """
        Tell what the pointer looks like, if the viewer draws it.
        """
        if Encoding.CURSOR in self._encodings:
            self._news.append(arrow(self._translator))

    def _sendUpdate(self) -> None:
        """
        Send what there is to tell. News goes alone: pixels in the same update as a new size would be lost.
        """
        rectangles = self._news or list(self._encodeDamage())
        if rectangles:
            self._news = []
            self._asked = False
            self._stream.write(encodeUpdate(rectangles))

    def _encodeDamage(self) -> Iterator[Rectangle]:
        """
        The parts of the screen that the viewer has not seen, in the best encoding that it takes.
        """
        screen, tight = self._desktop.screen, Encoding.TIGHT in self._encodings
        for rect in self._damage.take(self._size.within(screen.bounds)):
            for piece in _pieces(rect):
                pixels = screen.cut(piece)
                if tight:
                    compact = self._translator.translateCompact(pixels)
                    data = self._tight.encode(compact, len(compact) // piece.area)
                else:
                    data = self._translator.translate(pixels)
                encoding = Encoding.TIGHT if tight else Encoding.RAW
                yield Rectangle(piece.x, piece.y, piece.width, piece.height, encoding, data)


def _pieces(rect: Rect) -> Iterator[Rect]:
    """
    A rectangle in pieces that every encoding takes.
    """
    for x in range(rect.x, rect.right, _WIDEST):
        width = min(_WIDEST, rect.right - x)
        high = _MOST_PIXELS // width
        for y in range(rect.y, rect.bottom, high):
            yield Rect(x, y, width, min(high, rect.bottom - y))
