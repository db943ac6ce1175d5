"""
A minimal RFB viewer of the tests' own, written from RFC 6143 and apart from the package: the two check each other.

It asks for Raw rectangles only, and for a whole picture at a time::

    server  RFB 003.008                     viewer  RFB 003.008 (or 003.003)
    server  security types                  viewer  1 or 2, and the answer to a challenge
    server  SecurityResult                  viewer  ClientInit (shared)
    server  ServerInit                      viewer  SetPixelFormat, SetEncodings
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Coroutine
from typing import Any, Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from tests.integration.peers.bench import Bench
from tests.integration.peers.picture import Picture, pictureWhere

# 32 bits a pixel, little-endian, red in the third byte: what noVNC asks for too (RFC 6143 section 7.4).
_PIXEL_FORMAT: Final = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
_SHIFT: Final = 0xFFE1
_NAMED: Final = {"\n": 0xFF0D, "\t": 0xFF09, "\b": 0xFF08}
_NEEDS_SHIFT: Final = frozenset('ABCDEFGHIJKLMNOPQRSTUVWXYZ~!@#$%^&*()_+{}|:"<>?')


class Refused(Exception):
    """
    The server turned the viewer away; the text is the server's reason.
    """


class HungUp(Exception):
    """
    The server hung up while the viewer waited for bytes.
    """


class Incoming(Protocol):
    """
    Bytes of the server, kept until they are asked for.
    """

    def __init__(self) -> None:
        self.received = b""
        self.over = False
        self._wanted: Callable[[], bool] = lambda: False
        self._waiting: Deferred[None] | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self._wake()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.over = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and (self.over or self._wanted()):
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _until(self, wanted: Callable[[], bool]) -> Deferred[None]:
        self._wanted = wanted
        if self.over or wanted():
            return succeed(None)
        self._waiting = Deferred(lambda _: setattr(self, "_waiting", None))
        return self._waiting

    async def read(self, count: int) -> bytes:
        """
        Exactly C{count} bytes.
        """
        await self._until(lambda: len(self.received) >= count)
        if len(self.received) < count:
            raise HungUp(f"{count} bytes were due; these came before the end: {self.received[:80]!r}")
        data, self.received = self.received[:count], self.received[count:]
        return data

    async def readTo(self, mark: bytes) -> bytes:
        """
        Everything up to C{mark} and including it.
        """
        await self._until(lambda: mark in self.received)
        head, found, rest = self.received.partition(mark)
        if not found:
            raise HungUp(f"{mark!r} was due; these came before the end: {head[:80]!r}")
        self.received = rest
        return head + found

    async def end(self) -> None:
        """
        Wait until the server has hung up.
        """
        await self._until(lambda: False)


class RFBViewer:
    """
    A viewer that is logged in.

    @ivar head: what the server answered to C{opening}, where one was sent.
    @ivar name: the desktop's name.
    """

    def __init__(self, bench: Bench, incoming: Incoming) -> None:
        self._bench = bench
        self._incoming = incoming
        self.head = b""
        self.name = ""
        self.width = 0
        self.height = 0

    async def picture(self, timeout: float = 10.0) -> Picture:
        """
        The whole screen as it is now.
        """
        self.send(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        return await self._bench.within(timeout, self._update(), "a picture")

    async def pictureWhere(self, looksRight: Callable[[Picture], bool], what: str, timeout: float = 10.0) -> Picture:
        """
        The first whole picture that C{looksRight}. The last one is saved beside the logs if none does.
        """
        return await pictureWhere(self._bench, self.picture, looksRight, what, timeout)

    def type(self, text: str) -> None:
        """
        Press and release the keys of C{text}; Shift is held where an American keyboard needs it.
        """
        for character in text:
            keysym = _NAMED.get(character, ord(character))
            shift = character in _NEEDS_SHIFT
            if shift:
                self.key(_SHIFT, True)
            self.key(keysym, True)
            self.key(keysym, False)
            if shift:
                self.key(_SHIFT, False)

    def key(self, keysym: int, down: bool) -> None:
        """
        KeyEvent (RFC 6143 section 7.5.4).
        """
        self.send(struct.pack(">BBHI", 4, down, 0, keysym))

    def pointer(self, x: int, y: int, buttons: int = 0) -> None:
        """
        PointerEvent (RFC 6143 section 7.5.5).
        """
        self.send(struct.pack(">BBHH", 5, buttons, x, y))

    def send(self, data: bytes) -> None:
        """
        Send bytes as they are.
        """
        transport: Any = self._incoming.transport
        transport.write(data)

    async def hungUp(self, timeout: float = 10.0) -> None:
        """
        Wait until the server has hung up.
        """
        await self._bench.within(timeout, self._incoming.end(), "the server to hang up")

    async def close(self) -> None:
        """
        Hang up, and wait until that is done. May be called again.
        """
        transport: Any = self._incoming.transport
        if not self._incoming.over:
            transport.loseConnection()
            # A peer that does not read would keep the last bytes, and the connection, for ever.
            late = self._bench.reactor.callLater(2.0, transport.abortConnection)
            await self._incoming.end()
            if late.active():
                late.cancel()

    async def login(self, version: bytes, password: str | None) -> None:
        """
        Everything up to and including ServerInit (RFC 6143 sections 7.1 to 7.3).
        """
        banner = await self._incoming.read(12)
        if not banner.startswith(b"RFB 003."):
            raise Refused(f"no RFB server speaks: {banner!r}")
        # A server that says 3.3 speaks no later version, and may say it in order to refuse.
        version = min(version, banner)
        self.send(version)
        security = await (self._decided() if version < b"RFB 003.007" else self._chosen(password))
        if security == 2:
            self.send(_answer(await self._incoming.read(16), password or ""))
        if security == 2 or version >= b"RFB 003.008":
            await self._result(version)
        self.send(b"\x01")
        self.width, self.height = struct.unpack(">HH16x", await self._incoming.read(20))
        self.name = (await self._words()).decode()
        self.send(struct.pack(">B3x", 0) + _PIXEL_FORMAT + struct.pack(">BxHi", 2, 1, 0))

    async def _decided(self) -> int:
        (security,) = struct.unpack(">I", await self._incoming.read(4))
        if security == 0:
            raise Refused((await self._words()).decode())
        return int(security)

    async def _chosen(self, password: str | None) -> int:
        (count,) = await self._incoming.read(1)
        if count == 0:
            raise Refused((await self._words()).decode())
        offered = await self._incoming.read(count)
        wanted = 1 if password is None else 2
        if wanted not in offered:
            raise Refused(f"security types {list(offered)} are offered, {wanted} is wanted")
        self.send(bytes([wanted]))
        return wanted

    async def _result(self, version: bytes) -> None:
        (failed,) = struct.unpack(">I", await self._incoming.read(4))
        if failed:
            told = (await self._words()).decode() if version >= b"RFB 003.008" else ""
            raise Refused(told or "the login failed")

    async def _words(self) -> bytes:
        (length,) = struct.unpack(">I", await self._incoming.read(4))
        return await self._incoming.read(length)

    async def _update(self) -> Picture:
        canvas = bytearray(3 * self.width * self.height)
        covered = 0
        while covered < self.width * self.height:
            (kind,) = await self._incoming.read(1)
            covered += await _MESSAGES[kind](self, canvas)
        return Picture(self.width, self.height, bytes(canvas))

    async def _rectangles(self, canvas: bytearray) -> int:
        (count,) = struct.unpack(">xH", await self._incoming.read(3))
        covered = 0
        for _ in range(count):
            x, y, width, height, encoding = struct.unpack(">HHHHi", await self._incoming.read(12))
            if encoding != 0:
                raise AssertionError(f"only Raw was asked for, encoding {encoding} came")
            pixels = await self._incoming.read(4 * width * height)
            rgb = bytearray(3 * width * height)
            rgb[0::3], rgb[1::3], rgb[2::3] = pixels[2::4], pixels[1::4], pixels[0::4]
            for row in range(height):
                start = 3 * ((y + row) * self.width + x)
                canvas[start : start + 3 * width] = rgb[3 * width * row : 3 * width * (row + 1)]
            covered += width * height
        return covered

    async def _bell(self, _canvas: bytearray) -> int:
        return 0

    async def _cutText(self, _canvas: bytearray) -> int:
        await self._incoming.read(3)
        await self._words()
        return 0


# The messages of a server (RFC 6143 section 7.6); no colour map is sent for true colour.
_MESSAGES: Final[dict[int, Callable[[RFBViewer, bytearray], Coroutine[Any, Any, int]]]] = {
    0: RFBViewer._rectangles,
    2: RFBViewer._bell,
    3: RFBViewer._cutText,
}


async def connectRFB(
    bench: Bench,
    where: int | str | IStreamClientEndpoint,
    password: str | None = None,
    version: bytes = b"RFB 003.008\n",
    opening: bytes = b"",
    timeout: float = 10.0,
) -> RFBViewer:
    """
    Connect and log in; the viewer hangs up when the test is over.

    @param where: a port of 127.0.0.1, the path of a UNIX socket, or an endpoint.
    @param password: asks for VNC authentication; L{None} for security type None.
    @param opening: sent before anything is read, an HTTP request head say; the answer up to its empty line is the
        viewer's C{head}.
    @raise Refused: the server turned the viewer away.
    @raise HungUp: the server hung up before that was decided.
    @raise AssertionError: it took longer than C{timeout} seconds.
    """
    if isinstance(where, int):
        where = TCP4ClientEndpoint(bench.reactor, "127.0.0.1", where)
    elif isinstance(where, str):
        where = UNIXClientEndpoint(bench.reactor, where)
    incoming = await bench.within(
        timeout, where.connect(Factory.forProtocol(Incoming)), "a connection to the RFB server"
    )
    viewer = RFBViewer(bench, incoming)
    bench.atEnd(viewer.close)
    if opening:
        viewer.send(opening)
        viewer.head = await bench.within(timeout, incoming.readTo(b"\r\n\r\n"), "the answer to the opening")
        if b" 200" not in viewer.head.split(b"\r\n")[0]:
            raise Refused(viewer.head.decode("latin-1"))
    await bench.within(timeout, viewer.login(version, password), "the RFB login")
    return viewer


def _answer(challenge: bytes, password: str) -> bytes:
    # RFC 6143 section 7.2.2: DES with the password as key, the bits of each byte turned round.
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0"))
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
    return encryptor.update(challenge) + encryptor.finalize()
