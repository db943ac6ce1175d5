"""
L{vncproxy.demo.viewer}: one viewer of the demo desktop.
"""

from __future__ import annotations

import attrs
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.pictures import Picture
from tests.test_demo_pixels import BGR233, RGB565, RGBX
from vncproxy.demo.desktop import DemoDesktop
from vncproxy.demo.pixels import Translator
from vncproxy.demo.viewer import CLIPBOARD_LIMIT, DemoViewer
from vncproxy.rfb.encodings import Encoding
from vncproxy.rfb.extensions import ExtendedPointerEvent, QEMUKeyEvent, Screen, SetDesktopSize
from vncproxy.rfb.messages import (
    ClientCutText,
    ClientMessage,
    FramebufferUpdateRequest,
    KeyEvent,
    PointerEvent,
    SetEncodings,
    SetPixelFormat,
)
from vncproxy.rfb.pixelformat import BGRX, PixelFormat
from vncproxy.stream import ByteStream

WIDTH, HEIGHT = 400, 300
#: More than any sleeping viewer has to wait for a frame.
FRAME = 0.1


class Person:
    """
    Somebody at a viewer: sends messages, and sees the picture.
    """

    def __init__(self, clock: Clock, desktop: DemoDesktop) -> None:
        self.clock = clock
        self.transport = StringTransport()
        self.stream = ByteStream(clock)
        self.stream.makeConnection(self.transport)
        self.viewer = DemoViewer(desktop, self.stream)
        self.viewer.start()
        bounds = desktop.screen.bounds
        self.init = self.transport.value()
        self.transport.clear()
        self.picture = Picture(bounds.width, bounds.height)

    def send(self, *messages: ClientMessage | bytes) -> None:
        """
        Send messages, and see what comes back at once.
        """
        for message in messages:
            self.stream.dataReceived(message if isinstance(message, bytes) else message.encode())
        self.see()

    def see(self) -> None:
        """
        Look at what has come.
        """
        wire = self.transport.value()
        self.transport.clear()
        self.picture.feed(wire)

    def ask(self, incremental: bool = True) -> None:
        """
        Ask for an update and wait for a frame.
        """
        self.send(FramebufferUpdateRequest(incremental, 0, 0, self.picture.width, len(self.picture.rows)))
        self.wait()

    def wait(self, seconds: float = FRAME) -> None:
        """
        Let time go by.
        """
        self.clock.advance(seconds)
        self.see()


class ViewerTests(SynchronousTestCase):
    """
    Tests for L{DemoViewer}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.desktop = DemoDesktop(self.clock, WIDTH, HEIGHT)

    def person(self, *encodings: int, pixelFormat: PixelFormat = BGRX) -> Person:
        """
        Somebody whose viewer takes these encodings.
        """
        person = Person(self.clock, self.desktop)
        person.picture = Picture(WIDTH, HEIGHT, pixelFormat)
        person.send(SetPixelFormat(pixelFormat), SetEncodings(encodings))
        return person

    def assertSees(self, person: Person) -> None:
        """
        The picture is the desktop's, in the viewer's pixels.
        """
        screen = self.desktop.screen
        expected = Translator(person.picture.pixelFormat).translate(bytes(screen.data))
        self.assertEqual(person.picture.width, screen.bounds.width)
        self.assertTrue(person.picture.pixels == expected)

    def test_init(self) -> None:
        """
        ServerInit tells the size, the pixel format and the name.
        """
        init = Person(self.clock, self.desktop).init
        self.assertEqual(init, bytes.fromhex("0190012c") + BGRX.encode() + b"\0\0\0\x0dvncproxy demo")

    def test_picture(self) -> None:
        """
        In every encoding and pixel format the viewer sees the desktop, from the first update on and after many.
        """
        big = attrs.evolve(RGB565, bigEndian=True)
        for encodings in ((), (Encoding.TIGHT,)):
            for pixelFormat in (BGRX, RGBX, RGB565, big, BGR233):
                person = self.person(*encodings, pixelFormat=pixelFormat)
                person.ask(incremental=False)
                self.assertSees(person)
                for step in range(4):
                    person.send(KeyEvent(True, 0x61 + step), PointerEvent(1, 30 * step, 20 * step))
                    person.ask()
                    self.assertSees(person)
                person.viewer.end()

    def test_nothingUnasked(self) -> None:
        """
        Without a request nothing is sent, however much happens; one request brings one update.
        """
        person = self.person(Encoding.TIGHT)
        for _ in range(20):
            person.send(KeyEvent(True, 0x41))
            person.wait()
        self.assertEqual(person.picture.updates, [])
        person.ask()
        person.wait(5 * FRAME)
        self.assertEqual(len(person.picture.updates), 1)

    def test_nothingNew(self) -> None:
        """
        A frame that changes nothing leaves the request open.
        """
        person = self.person()
        person.ask(incremental=False)
        person.send(FramebufferUpdateRequest(True, 0, 0, WIDTH, HEIGHT))
        count = len(person.picture.updates)
        person.viewer.changed([])
        person.see()
        self.assertEqual(len(person.picture.updates), count)
        self.assertTrue(person.viewer.waiting)

    def test_onlyWhatChanged(self) -> None:
        """
        After the first update the next ones bring small parts.
        """
        person = self.person(Encoding.TIGHT)
        person.ask(incremental=False)
        person.picture.touched.clear()
        person.ask()
        area = sum(width * height for _, _, width, height in person.picture.touched)
        self.assertTrue(0 < area < WIDTH * HEIGHT // 3, area)

    def test_requestedPart(self) -> None:
        """
        A request that is not incremental brings that part anew, clipped to the desktop.
        """
        person = self.person()
        person.ask(incremental=False)
        person.picture.rows = [bytearray(WIDTH * 4) for _ in range(HEIGHT)]
        person.send(FramebufferUpdateRequest(False, WIDTH - 10, HEIGHT - 10, 100, 100))
        person.wait()
        corner = [bytes(row[-40:]) for row in person.picture.rows[-10:]]
        screen = self.desktop.screen
        self.assertEqual(
            corner, [bytes(screen.data[y * screen.stride :][WIDTH * 4 - 40 : WIDTH * 4]) for y in range(290, 300)]
        )

    def test_slowConnection(self) -> None:
        """
        While the connection takes nothing, nothing is written, whatever is asked; afterwards the viewer sees it all.
        """
        person = self.person(Encoding.TIGHT)
        person.ask(incremental=False)
        assert person.transport.producer is not None
        person.transport.producer.pauseProducing()
        count = len(person.picture.updates)
        for _ in range(10):
            person.send(KeyEvent(True, 0x41))
            person.ask()
        self.assertEqual(len(person.picture.updates), count)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        person.transport.producer.resumeProducing()
        person.wait()
        self.assertEqual(len(person.picture.updates), count + 1)
        self.assertSees(person)

    def test_lostConnection(self) -> None:
        """
        A transport that can write no more is not written to.
        """
        person = self.person()
        person.viewer.stopProducing()
        person.ask(incremental=False)
        self.assertEqual(person.picture.updates, [])

    def test_input(self) -> None:
        """
        Keys and pointer reach the desktop; keys that only some servers know are ignored.
        """
        person = self.person()
        person.send(KeyEvent(True, 0x48), KeyEvent(False, 0x48), KeyEvent(True, 0x69), PointerEvent(4, 17, 18))
        person.send(QEMUKeyEvent(True, 0x41, 30))
        self.assertEqual(self.desktop.typedText, "Hi")
        self.assertEqual((self.desktop.pointer, self.desktop.buttons), ((17, 18), 4))

    def test_cursor(self) -> None:
        """
        A viewer that draws the pointer gets its picture, and again when it changes its pixels.
        """
        person = self.person(Encoding.CURSOR)
        person.ask()
        self.assertEqual(person.picture.updates, [[Encoding.CURSOR]])
        person.picture.pixelFormat = RGB565
        person.send(SetPixelFormat(RGB565))
        person.ask()
        self.assertEqual(person.picture.updates[-1], [Encoding.CURSOR])

    def test_encodingsAgain(self) -> None:
        """
        A viewer that sends the same encodings again is not told the same news again.
        """
        person = self.person(Encoding.CURSOR, Encoding.EXTENDED_DESKTOP_SIZE)
        person.ask()
        news = len(person.picture.updates)
        person.send(SetEncodings((Encoding.CURSOR, Encoding.EXTENDED_DESKTOP_SIZE)))
        person.ask()
        self.assertEqual(set(person.picture.updates[news]), {Encoding.RAW})

    def test_moreButtons(self) -> None:
        """
        Extended mouse buttons are confirmed, and then understood.
        """
        person = self.person(Encoding.EXTENDED_MOUSE_BUTTONS)
        person.ask()
        self.assertEqual(person.picture.updates, [[Encoding.EXTENDED_MOUSE_BUTTONS]])
        person.send(ExtendedPointerEvent(0x101, 5, 6), KeyEvent(True, 0x41))
        self.assertEqual(self.desktop.buttons, 0x101)
        self.assertEqual(self.desktop.typedText, "A")

    def test_clipboard(self) -> None:
        """
        The viewer's clipboard reaches the desktop, in pieces too; of very much only the beginning.
        """
        person = self.person()
        person.send(ClientCutText(4), b"M\xfc", b"he")
        self.assertEqual(self.desktop.clipboard, "Mühe")
        person.send(ClientCutText(CLIPBOARD_LIMIT * 3), b"x" * CLIPBOARD_LIMIT, b"y" * CLIPBOARD_LIMIT * 2)
        self.assertEqual(self.desktop.clipboard, "x" * CLIPBOARD_LIMIT)
        person.send(ClientCutText(4, extended=True), b"\0\0\0\1", KeyEvent(True, 0x41))
        self.assertEqual(self.desktop.clipboard, "x" * CLIPBOARD_LIMIT)
        self.assertEqual(self.desktop.typedText, "A")

    def test_bellAndCopy(self) -> None:
        """
        Ctrl-G rings every viewer's bell and Ctrl-C fills every viewer's clipboard.
        """
        people = [self.person(), self.person()]
        people[0].send(KeyEvent(True, 0x41), KeyEvent(True, 0xFFE3), KeyEvent(True, 0x67), KeyEvent(True, 0x63))
        people[1].see()
        self.assertEqual([person.picture.bells for person in people], [1, 1])
        self.assertEqual([person.picture.clipboards for person in people], [["A"], ["A"]])

    def test_resize(self) -> None:
        """
        A viewer may give the desktop another size: it is answered with its own screen, the others are told in their
        way, and those that cannot be told go on with the part that they know.
        """
        first = self.person(Encoding.EXTENDED_DESKTOP_SIZE, Encoding.TIGHT)
        second = self.person(Encoding.EXTENDED_DESKTOP_SIZE)
        third = self.person(Encoding.DESKTOP_SIZE)
        fourth = self.person()
        people = (first, second, third, fourth)
        for person in people:
            person.ask(incremental=False)
            person.ask()
        first.send(SetDesktopSize(500, 320, (Screen(77, 0, 0, 500, 320, 9),)))
        for person in people:
            person.ask()
        self.assertEqual(first.picture.resizes, [(0, 0, 400, 300), (1, 0, 500, 320)])
        self.assertEqual(first.picture.screens, [Screen(77, 0, 0, 500, 320, 9)])
        self.assertEqual(second.picture.resizes, [(0, 0, 400, 300), (2, 0, 500, 320)])
        self.assertEqual(third.picture.resizes, [(-1, 0, 500, 320)])
        self.assertEqual(fourth.picture.resizes, [])
        for person in people:
            person.wait()
        for person in people:
            person.send(FramebufferUpdateRequest(True, 0, 0, person.picture.width, 300))
        self.clock.advance(FRAME)
        for person in people:
            person.see()
        for person in people[:3]:
            self.assertSees(person)
        screen = self.desktop.screen
        self.assertEqual(bytes(fourth.picture.rows[10]), bytes(screen.data[10 * screen.stride :][: WIDTH * 4]))

    def test_resizeRefused(self) -> None:
        """
        A size that cannot be, and a layout of two screens, are refused with the status that says so.
        """
        person = self.person(Encoding.EXTENDED_DESKTOP_SIZE)
        person.ask()
        screen = Screen(1, 0, 0, 9000, 9000, 0)
        person.send(SetDesktopSize(9000, 9000, (screen,)))
        person.send(SetDesktopSize(400, 300, (screen, screen)))
        person.ask()
        self.assertEqual([resize[:2] for resize in person.picture.resizes], [(0, 0), (1, 2), (1, 3)])
        self.assertEqual((self.desktop.screen.bounds.width, person.picture.width), (400, 400))

    def test_wideDesktop(self) -> None:
        """
        A desktop wider than Tight allows comes in pieces.
        """
        person = self.person(Encoding.EXTENDED_DESKTOP_SIZE, Encoding.TIGHT)
        person.ask()
        person.send(SetDesktopSize(2560, 240, (Screen(0, 0, 0, 2560, 240, 0),)))
        person.ask()
        person.ask()
        self.assertSees(person)
        self.assertTrue(
            all(width <= 2048 and width * height <= 65536 for _, _, width, height in person.picture.touched)
        )

    def test_unparseable(self) -> None:
        """
        A viewer that cannot be understood, or wants pixels that cannot be made, is hung up on.
        """
        for wire in (b"\x07", SetPixelFormat(attrs.evolve(BGRX, trueColour=False)).encode()):
            person = self.person()
            person.send(wire)
            self.assertTrue(person.transport.disconnecting)
            self.assertEqual(self.desktop.viewers, 0)
            person.stream.connectionLost(Failure(ConnectionDone()))

    def test_gone(self) -> None:
        """
        When the viewer hangs up, wholly or by half, it no longer counts, once and for all.
        """
        for hangUp in (
            lambda person: person.stream.connectionLost(Failure(ConnectionDone())),
            lambda person: person.stream.readConnectionLost(),
        ):
            person = self.person()
            self.assertEqual(self.desktop.viewers, 1)
            hangUp(person)
            self.assertEqual(self.desktop.viewers, 0)
            person.stream.connectionLost(Failure(ConnectionDone()))
            person.viewer.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_halfAMessage(self) -> None:
        """
        A viewer that hangs up within a message is just gone.
        """
        person = self.person()
        person.send(KeyEvent(True, 0x41).encode()[:3])
        person.stream.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.desktop.viewers, self.desktop.typedText), (0, ""))
