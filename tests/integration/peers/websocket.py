"""
A WebSocket client of the tests' own, written from RFC 6455 and apart from the package: the two check each other.

It is an endpoint: what connects through it speaks the bytes inside the WebSocket, as L{connectRFB
<tests.integration.peers.rfb.connectRFB>} does with a proxy's access URL::

    socket = WebSocketEndpoint(bench, await proxy.accessURL("vm"))
    viewer = await connectRFB(bench, socket)
    …
    self.assertEqual(await socket.closed(), (1000, "console_closed"))
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.integration.peers.bench import Bench
from tests.integration.peers.raw import Preceded
from tests.integration.peers.rfb import Refused

_KEY: Final = b64encode(b"sixteen bytes ok")
# RFC 6455 section 1.3: what the server mixes with the key to show that it speaks WebSocket.
_ACCEPT: Final = b64encode(sha1(_KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
_MASK: Final = b"\x5a\xa5\x3c\xc3"
_TABLE: Final = tuple(bytes(byte ^ key for byte in range(256)) for key in _MASK)
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10


def endpointOf(
    bench: Bench, url: str, trust: Path | None = None, preamble: Sequence[bytes] = ()
) -> IStreamClientEndpoint:
    """
    The way to the host and port of a URL.

    @param trust: PEM file of the certificate that the server must show; L{None} speaks in clear.
    @param preamble: see L{Preceded}; it is sent before TLS begins.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    endpoint: IStreamClientEndpoint = TCP4ClientEndpoint(bench.reactor, parts.hostname, parts.port)
    if preamble:
        endpoint = Preceded(bench, endpoint, preamble)
    if trust is None:
        return endpoint
    root = trustRootFromCertificates([Certificate.loadPEM(trust.read_bytes())])
    wrapped: IStreamClientEndpoint = wrapClientTLS(optionsForClientTLS(parts.hostname, root), endpoint)
    return wrapped


class _Wire(Protocol):
    """
    The connection under a WebSocket; to the protocol inside, it is the transport.
    """

    transport: Any

    def __init__(self, owner: WebSocketEndpoint, request: bytes, inside: IProtocolFactory) -> None:
        self._owner = owner
        self._request = request
        self._inside = inside
        self._received = b""
        self._protocol: Any = None
        self._closing = False
        self.opened: Deferred[Any] = Deferred()

    def connectionMade(self) -> None:
        self._owner.wire = self
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if self._protocol is None and not self._open():
            return
        while (taken := self._frame()) is not None:
            self._take(*taken)

    def _open(self) -> bool:
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return False
        self._owner.head = head.decode("latin-1")
        if not head.startswith(b"HTTP/1.1 101 ") or _ACCEPT not in head:
            # A refusal before the upgrade ends with its connection.
            return False
        self._received = rest
        self._protocol = self._inside.buildProtocol(self.transport.getPeer())
        self._protocol.makeConnection(self)
        self.opened.callback(self._protocol)
        return True

    def _frame(self) -> tuple[int, bytes] | None:
        """
        The opcode and the payload of the next frame, once it is here (RFC 6455 section 5.2).
        """
        data = self._received
        if len(data) < 2:
            return None
        start, length = 2, data[1]
        if length in (126, 127):
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        if len(data) < start + length:
            return None
        if data[0] & 0xF0 != 0x80 or data[1] & 0x80:
            raise AssertionError("a server's frames are whole, unmasked and without extensions here")
        self._received = data[start + length :]
        return data[0] & 0x0F, data[start : start + length]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _BINARY:
            self._protocol.dataReceived(payload)
        elif opcode == _CLOSE:
            self._owner.told = (int.from_bytes(payload[:2], "big"), payload[2:].decode())
            self._say(_CLOSE, payload)
            self.transport.loseConnection()
        elif opcode == _PING and self._owner.answersPings:
            self._owner.answered += 1
            self._say(_PONG, payload)

    def _say(self, opcode: int, payload: bytes) -> None:
        if self._closing:
            return
        self._closing = opcode == _CLOSE
        length = len(payload)
        size = struct.pack(">B", 0x80 | length) if length < 126 else struct.pack(">BH", 0x80 | 126, length)
        masked = bytearray(payload)
        for place, table in enumerate(_TABLE):
            masked[place::4] = masked[place::4].translate(table)
        self.transport.write(bytes([0x80 | opcode]) + size + _MASK + masked)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._owner.over = True
        if self._protocol is not None:
            self._protocol.connectionLost(reason)
        elif not self.opened.called:
            self.opened.errback(Refused(self._owner.head or "the connection ended before an answer"))

    # Towards the protocol inside.

    def write(self, data: bytes) -> None:
        """
        One binary frame.
        """
        self._say(_BINARY, data)

    def loseConnection(self) -> None:
        """
        Say goodbye (RFC 6455 section 7.1.2); the server hangs up.
        """
        self._say(_CLOSE, struct.pack(">H", 1000))

    def abortConnection(self) -> None:
        """
        Hang up without a word.
        """
        self.transport.abortConnection()

    def pauseProducing(self) -> None:
        """
        Read nothing more.
        """
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Read again.
        """
        self.transport.resumeProducing()


@implementer(IStreamClientEndpoint)
class WebSocketEndpoint:
    """
    A WebSocket to a proxy.

    @ivar head: the answer to the opening; a request that is refused before the upgrade raises L{Refused
        <tests.integration.peers.rfb.Refused>} with it.
    @ivar told: code and reason of the server's close frame.
    @ivar over: the connection has ended.
    @ivar answersPings: set to L{False} to be a client that is no more than an open connection.
    @ivar answered: how many pings it has answered.
    """

    wire: _Wire

    def __init__(
        self,
        bench: Bench,
        url: str,
        trust: Path | None = None,
        cookie: str = "",
        headers: Sequence[str] = (),
        preamble: Sequence[bytes] = (),
    ) -> None:
        """
        @param url: an access URL; what is opened is the WebSocket that its page would open.
        @param trust: see L{endpointOf}.
        @param cookie: to be sent.
        @param headers: whole lines, to be sent, too.
        @param preamble: see L{endpointOf}.
        """
        self._bench = bench
        self._url = url
        self._endpoint = endpointOf(bench, url, trust, preamble)
        self._cookie = cookie
        self._headers = tuple(headers)
        self.head = ""
        self.told: tuple[int, str] | None = None
        self.over = False
        self.answersPings = True
        self.answered = 0

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        See L{IStreamClientEndpoint.connect}.
        """
        parts = urlsplit(self._url)
        lines = [
            f"GET /websockify?{parts.query} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {_KEY.decode()}",
            *([f"Cookie: {self._cookie}"] if self._cookie else []),
            *self._headers,
        ]
        request = "\r\n".join((*lines, "", "")).encode()
        connecting: Deferred[Any] = self._endpoint.connect(
            Factory.forProtocol(lambda: _Wire(self, request, protocolFactory))
        )
        return connecting.addCallback(lambda wire: wire.opened)

    async def closed(self, timeout: float = 10.0) -> tuple[int, str]:
        """
        Wait until the connection has ended; code and reason of the close frame that came before.

        @raise AssertionError: it ended without one.
        """
        await self._bench.until(lambda: self.over, "the end of the WebSocket", timeout)
        if self.told is None:
            raise AssertionError("the WebSocket ended without a close frame")
        return self.told

    async def leave(self) -> None:
        """
        Hang up without a word, if that has not happened yet.
        """
        if not self.over:
            self.wire.abortConnection()
            await self._bench.until(lambda: self.over, "the end of the WebSocket")
