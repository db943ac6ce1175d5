"""
A frontend in memory: a wire that plays TCP, a client that speaks TLS or WebSocket over it, and a broker that only takes
notes. No socket, no thread, no waiting.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.server import Site

from vncproxy.addresses import TrustedPeers
from vncproxy.api.site import makeSite
from vncproxy.attempts import ANY_NUMBER, Attempts
from vncproxy.broker import Broker
from vncproxy.certs import FollowedCertificate, selfSigned
from vncproxy.errors import VNCProxyError
from vncproxy.frontends.admission import ANYBODY, Admission
from vncproxy.frontends.pages import Body, Page
from vncproxy.frontends.web import WebResource
from vncproxy.interfaces import IViewer
from vncproxy.model import ConsoleType, Grant, ViewerFacts
from vncproxy.stream import ByteStream

CLIENT: Final = IPv4Address("TCP", "203.0.113.9", 50000)

GRANT: Final = Grant("0" * 64, "vm7", ConsoleType.NOVNC, 0.0)

SECRET: Final = "s" * 43
"""
The resume secret that is made for every new browser.
"""

KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
"""
The key of RFC 6455 section 1.3, and the answer to it.
"""

ACCEPT: Final = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class Wire(StringTransport):
    """
    A TCP connection: what its client sends goes to whoever is its protocol at the moment.
    """

    # StringTransport has no types.
    protocol: Any

    def __init__(self, factory: IProtocolFactory, client: IAddress = CLIENT) -> None:
        super().__init__(peerAddress=client, lenient=True)
        self.protocol = factory.buildProtocol(client)
        self.protocol.makeConnection(self)

    def unregisterProducer(self) -> None:
        """
        Real transports do not mind if there is none.
        """
        self.producer = None

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        There is no Nagle here. Under TLS every transport is taken for TCP.
        """

    @property
    def aborted(self) -> bool:
        """
        Whether it was cut off.
        """
        return bool(self.disconnected)

    def deliver(self, data: bytes) -> None:
        """
        The client's bytes come in. Nobody reads a transport that is paused.
        """
        if self.producerState == "paused":
            raise AssertionError("bytes come out of a transport that is paused")
        self.protocol.dataReceived(data)

    def taken(self) -> bytes:
        """
        What was sent since the last time.
        """
        data = self.value()
        self.clear()
        return cast(bytes, data)

    def hangUp(self, reason: Exception | None = None) -> None:
        """
        The connection is gone, and the transport tells all who hang on to it.
        """
        if self.producer is not None:
            self.producer.stopProducing()
        self.protocol.connectionLost(Failure(reason or ConnectionDone()))


class FakeBroker:
    """
    Takes viewers and leaves them to the test.

    @ivar viewers: those that came.
    @ivar gone: those of them that left.
    @ivar turnedAway: those whom the frontend turned away itself, and why.
    """

    def __init__(self) -> None:
        self.viewers: list[IViewer] = []
        self.gone: list[IViewer] = []
        self.turnedAway: list[str] = []

    def noteRefusal(self, facts: ViewerFacts, grant: Grant | None, error: VNCProxyError) -> None:
        """
        See L{Broker.noteRefusal}.
        """
        self.turnedAway.append(f"{facts.frontend} viewer at {facts.address}: {error.reason}: {error}")

    def serve(self, viewer: IViewer) -> Deferred[None]:
        """
        See L{Broker.serve}.
        """

        def left(failure: Failure) -> None:
            failure.trap(CancelledError)
            self.gone.append(viewer)

        self.viewers.append(viewer)
        return Deferred[None]().addErrback(left)

    @property
    def viewer(self) -> Any:
        """
        The only one that has come.
        """
        (viewer,) = self.viewers
        return viewer


class RecordingSink:
    """
    Writes down what a stream tells.
    """

    def __init__(self) -> None:
        self.data = b""
        self.ends: list[str] = []

    def received(self, data: bytes) -> None:
        self.data += data

    def readEnded(self) -> None:
        self.ends.append("read ended")

    def lost(self, clean: bool) -> None:
        self.ends.append("clean" if clean else "lost")


class RecordingProducer:
    """
    Writes down what a transport asks of its producer.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


def admitted(viewer: IViewer) -> ByteStream:
    """
    The stream of a viewer that is let in.
    """
    streams: list[ByteStream] = []
    Deferred.fromCoroutine(cast(Any, viewer).admit(GRANT)).addCallback(streams.append)
    (stream,) = streams
    return stream


def masked(payload: bytes, opcode: int = 2, fin: bool = True, mask: bytes = b"\x11\x22\x33\x44") -> bytes:
    """
    A frame as clients send it (RFC 6455 section 5.2).
    """
    length = len(payload)
    if length < 126:
        size = bytes((0x80 | length,))
    elif length < 65536:
        size = struct.pack(">BH", 0x80 | 126, length)
    else:
        size = struct.pack(">BQ", 0x80 | 127, length)
    turned = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes((fin << 7 | opcode,)) + size + mask + turned


def unframed(data: bytes) -> list[tuple[int, bytes]]:
    """
    First byte and payload of each of a server's frames, which must be whole and unmasked.
    """
    found, at = [], 0
    while at < len(data):
        first, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            raise AssertionError("a server's frame is masked")
        if length >= 126:
            width = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + width], "big")
            at += width
        if at + length > len(data):
            raise AssertionError("a frame is cut")
        found.append((first, data[at : at + length]))
        at += length
    return found


def closeFrame(code: int, reason: str) -> tuple[int, bytes]:
    """
    A close frame as L{unframed} shows it.
    """
    return 0x88, struct.pack(">H", code) + reason.encode()


def openingRequest(target: str = "/websockify?token=T", **headers: str | None) -> bytes:
    """
    A request that opens a WebSocket; headers by name with underscores, L{None} leaves one out.
    """
    fields: dict[str, str | None] = {
        "Host": "proxy:6080",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }
    names = {name.lower(): name for name in fields}
    for name, value in headers.items():
        plain = name.replace("_", "-")
        fields[names.get(plain.lower(), plain)] = value
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join((f"GET {target} HTTP/1.1", *lines, "", "")).encode("latin-1")


class Answer:
    """
    A response that has come back whole, and what came behind it.
    """

    def __init__(self, data: bytes, head: bool = False) -> None:
        """
        @param head: the request was HEAD, so no body comes.
        """
        start, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            raise AssertionError(f"no response has come: {data!r}")
        self.line, *fields = start.decode("latin-1").split("\r\n")
        self.status = int(self.line.split(" ")[1])
        self.fields = [(name.lower(), value) for name, value in (field.split(": ", 1) for field in fields)]
        self.headers = dict(self.fields)
        length = 0 if head or self.status in (101, 304) else int(self.headers["content-length"])
        self.body, self.rest = rest[:length], rest[length:]
        if len(self.body) != length:
            raise AssertionError(f"{length} bytes of body were announced, {len(self.body)} came")


PAGES: Final = {
    "": Page(
        "text/html; charset=utf-8", 'W/"page"', False, (Body("br", b"BR"), Body("gzip", b"GZIP"), Body("", b"<html>"))
    ),
    "assets/console-1.js": Page("text/javascript; charset=utf-8", 'W/"script"', True, (Body("", b"script"),)),
}


NOBODY: Final = TrustedPeers()


class WebWorld:
    """
    A C{web} frontend with everything around it.
    """

    def __init__(
        self,
        pages: Mapping[str, Page] = PAGES,
        heartbeat: float = 0.0,
        publishedScheme: str | None = None,
        allowedOrigins: Sequence[str] = (),
        frameAncestors: Sequence[str] = ("'self'",),
        trusted: TrustedPeers = NOBODY,
        attempts: Attempts = ANY_NUMBER,
        admission: Admission = ANYBODY,
        ownPages: bool = True,
    ) -> None:
        self.clock = Clock()
        self.broker = FakeBroker()
        resource = WebResource(
            reactor=self.clock,
            broker=cast(Broker, self.broker),
            pages=pages,
            makeSecret=lambda: SECRET,
            heartbeat=heartbeat,
            handshakeSeconds=15.0,
            publishedScheme=publishedScheme,
            allowedOrigins=allowedOrigins,
            frameAncestors=frameAncestors,
            trusted=trusted,
            attempts=attempts,
            admission=admission,
            ownPages=ownPages,
        )
        self.site: Site = makeSite(resource, self.clock)

    def ask(self, request: bytes) -> Answer:
        """
        What a request on a connection of its own is answered; nothing may follow.
        """
        wire = Wire(self.site)
        wire.deliver(request)
        answer = Answer(wire.taken(), head=request.startswith(b"HEAD"))
        if answer.rest:
            raise AssertionError(f"behind the response comes {answer.rest!r}")
        wire.hangUp()
        return answer

    def get(self, target: str = "/", method: str = "GET", **headers: str) -> Answer:
        """
        Ask for a page; headers by name with underscores.
        """
        fields = {"Host": "proxy:6080"} | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in fields.items()]
        return self.ask("\r\n".join((f"{method} {target} HTTP/1.1", *lines, "", "")).encode("latin-1"))

    def connect(self, request: bytes | None = None) -> Wire:
        """
        A wire on which this request was sent; without one, an opening that is in order.
        """
        wire = Wire(self.site)
        wire.deliver(openingRequest() if request is None else request)
        return wire

    def opened(self, request: bytes | None = None) -> tuple[Wire, ByteStream]:
        """
        A WebSocket that is open: its wire, from which the 101 is taken, and the stream inside.
        """
        wire = self.connect(request)
        stream = admitted(self.broker.viewers[-1])
        if Answer(wire.taken()).status != 101:
            raise AssertionError("the WebSocket did not open")
        return wire, stream


def certificate(directory: Path, clock: Clock, minimumVersion: str = "1.2") -> FollowedCertificate:
    """
    What a server of TLS needs, made in C{directory}.
    """
    paths = selfSigned(directory, ["proxy.example"], datetime.now(UTC))
    return FollowedCertificate(clock, *paths, minimumVersion, None)


def clientContext(
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2, highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """
    For a client that trusts everybody.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version, context.maximum_version = lowest, highest
    return context


class TLSClient:
    """
    A client of Python's own TLS on a wire.

    @ivar ended: the server has said that it sends no more (close_notify).
    """

    def __init__(
        self, wire: Wire, clock: Clock, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> None:
        self._wire = wire
        self._clock = clock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost", session=session)
        self.ended = False
        self._received = b""

    def handshake(self) -> None:
        """
        Up to the end of the handshake. Raises L{ssl.SSLError} when there is none.
        """
        for _ in range(10):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._exchange()
            else:
                self._exchange()
                return
        raise AssertionError("the handshake does not end")

    def send(self, data: bytes) -> None:
        """
        Send bytes, and take what comes back at once.
        """
        self.tls.write(data)
        self._exchange()

    def shutDown(self) -> None:
        """
        Say that nothing more comes.
        """
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._exchange()

    def taken(self) -> bytes:
        """
        What was received since the last time.
        """
        self._exchange()
        data, self._received = self._received, b""
        return data

    def _exchange(self) -> None:
        for _ in range(100):
            sent = self._outgoing.read()
            if sent:
                self._wire.deliver(sent)
            # TLS gathers small writes until the reactor's next turn.
            self._clock.advance(0)
            got = self._wire.taken()
            self._incoming.write(got)
            self._read()
            if not (sent or got):
                return

    def _read(self) -> None:
        if self.ended:
            return
        try:
            while data := self.tls.read(65536):
                self._received += data
            self.ended = True
        except ssl.SSLWantReadError:
            pass
