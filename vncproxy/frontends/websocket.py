"""
A byte stream inside a WebSocket (RFC 6455), the server's side: Autobahn speaks the protocol, and the bytes of binary
messages go straight into a L{ByteStream}, frame by frame and never gathered::

    Autobahn ──► onMessageFrameData ──► ByteStream ──► handshake, then relay
    Autobahn ◄── one binary frame a write ◄── SocketTransport ◄── relay
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

import txaio
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IDelayedCall, IPushProducer, IReactorTime, ITransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from vncproxy.errors import ProtocolError, StreamEnded
from vncproxy.frontends.opening import Opening
from vncproxy.pump import writerTo
from vncproxy.stream import BUFFER_LIMIT, CLOSING_SECONDS, ByteStream, tuneSocket

_log = Logger()

_BINARY: Final = 0x82
"""
First byte of an unfragmented binary frame (RFC 6455 section 5.2).
"""

_UNSUPPORTED_DATA: Final = 1003


def frameHeader(length: int) -> bytes:
    """
    What stands before C{length} bytes in an unmasked binary frame (RFC 6455 section 5.2).
    """
    if length < 126:
        return bytes((_BINARY, length))
    if length < 0x10000:
        return struct.pack(">BBH", _BINARY, 126, length)
    return struct.pack(">BBQ", _BINARY, 127, length)


@implementer(IPushProducer)
class _Outlet:
    """
    The one producer that the transport below a WebSocket knows. It passes on to whoever feeds the WebSocket at the
    moment, and remembers, whether the transport takes more.

    @ivar full: it does not.
    """

    def __init__(self) -> None:
        self.full = False
        self._producer: IPushProducer | None = None

    def feedFrom(self, producer: IPushProducer | None) -> None:
        """
        From now on C{producer} feeds the WebSocket, or nobody.
        """
        self._producer = producer
        if producer is not None and self.full:
            producer.pauseProducing()

    def pauseProducing(self) -> None:
        self.full = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        self.full = False
        if self._producer is not None:
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        if self._producer is not None:
            self._producer.stopProducing()


@implementer(ITransport, IConsumer, IPushProducer)
class SocketTransport:
    """
    What a L{ByteStream} inside a WebSocket writes to: each write becomes one frame.

    @ivar paused: the viewer is not being read, as its console takes nothing.
    @ivar closed: a close frame is out: nothing may follow it (RFC 6455 section 5.5.1).
    """

    disconnecting = False

    def __init__(self, socket: ConsoleSocket) -> None:
        self._socket = socket
        # The transport below, TCP or TLS; Any, as its methods are spread over several interfaces.
        self._below: Any = socket.transport
        self._send = writerTo(self._below)
        self._outlet = _Outlet()
        self._below.registerProducer(self._outlet, True)
        self.paused = False
        self.closed = False

    @property
    def full(self) -> bool:
        """
        Whether the viewer does not take what it is sent.
        """
        return self._outlet.full

    def write(self, data: bytes) -> None:
        if not self.closed:
            self._send(frameHeader(len(data)), data)

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        # The close frame is out; hanging up is left to the peer, who so gets to read it (RFC 6455 section 7.1.1). Its
        # answer must be heard.
        self.resumeProducing()

    def abortConnection(self) -> None:
        self._below.abortConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._outlet.feedFrom(producer)

    def unregisterProducer(self) -> None:
        self._outlet.feedFrom(None)

    def pauseProducing(self) -> None:
        self.paused = True
        self._below.pauseProducing()

    def resumeProducing(self) -> None:
        self.paused = False
        # It could not be heard until now.
        self._socket.heard = True
        self._below.resumeProducing()

    def stopProducing(self) -> None:
        # The console's connection is gone. The relay hears of that too, and ends this one with a reason.
        pass

    def getPeer(self) -> Any:
        return self._below.getPeer()

    def getHost(self) -> Any:
        return self._below.getHost()


class ConsoleSocket(WebSocketServerProtocol):  # type: ignore[misc]  # Autobahn has no types
    """
    One WebSocket, from its opening handshake on.

    It is asked to L{accept} once the viewer may come in; until then what the viewer says is kept back, within bounds.

    @ivar stream: the bytes inside; it has a transport once the 101 is out.
    @ivar heard: the viewer has said something since the last ping, or could not be heard.
    @ivar left: the viewer is gone, or as good as gone.
    """

    # Autobahn's own words, which hold whole requests, are not for our log.
    log = txaio.make_logger(level="none")

    def __init__(self, clock: IReactorTime, opening: Opening, heartbeat: float, lost: Callable[[], None]) -> None:
        """
        @param opening: what the viewer has asked for.
        @param heartbeat: seconds between pings; a viewer that has said nothing at all between two of them is lost. 0 is
            no pings.
        @param lost: called when the viewer is gone.
        """
        super().__init__()
        self.stream = ByteStream(clock, lost=lost, tell=self._tell)
        self.heard = True
        self._clock = clock
        self._opening = opening
        self._heartbeat = heartbeat
        self._headers: dict[str, str] = {}
        self._early = bytearray()
        self.left = False
        self._beat: IDelayedCall | None = None
        self._cutOff: IDelayedCall | None = None

    # The opening.

    def connectionMade(self) -> None:
        """
        The transport is there.
        """
        tuneSocket(self.transport)
        # Not by way of Autobahn's adapter, here and below: it dresses up log lines, shown or not, at a cost that is a
        # third of a whole session's opening.
        self._connectionMade()

    def accept(self, headers: dict[str, str]) -> ByteStream:
        """
        Answer 101 with these headers, and return the stream inside.

        @raise StreamEnded: the viewer is gone.
        """
        if self.left:
            raise StreamEnded("the viewer hung up before it was let in")
        self._headers = headers
        # Autobahn goes on at once, up to _onOpen.
        self._dataReceived(self._opening.head)
        early, self._early = bytes(self._early), bytearray()
        if early:
            self._dataReceived(early)
        return self.stream

    def decline(self, response: bytes) -> None:
        """
        Answer with another HTTP response than 101, and hang up.
        """
        if self.left:
            return
        self.transport.write(response)
        self.transport.loseConnection()
        if self._cutOff is None:
            self._cutOff = self._clock.callLater(CLOSING_SECONDS, self._cut)

    def onConnect(self, request: ConnectionRequest) -> tuple[str | None, dict[str, str]]:
        """
        Autobahn asks for the chosen subprotocol and for more headers.
        """
        return self._opening.subprotocol, self._headers

    def _onOpen(self) -> None:
        """
        The 101 is out.
        """
        self.stream.makeConnection(SocketTransport(self))
        self._schedule()

    # Bytes.

    def dataReceived(self, data: bytes) -> None:
        """
        Straight to Autobahn's parser, once the viewer is let in.
        """
        self.heard = True
        if self.left:
            # Autobahn would gather it for nobody.
            return
        if self.stream.transport is not None:
            self._dataReceived(data)
            return
        self._early += data
        if len(self._early) > BUFFER_LIMIT:
            self.transport.abortConnection()
            self._leave()

    def onMessageBegin(self, isBinary: bool) -> None:
        """
        Text has no place in RFB (nova and websockify refuse it with 1003 as well).
        """
        if not isBinary:
            self._tell(_UNSUPPORTED_DATA, ProtocolError.reason)
            self.dropConnection()

    def onMessageFrameBegin(self, length: int) -> None:
        """
        Nothing is gathered, so the announced length does not matter.
        """

    def onMessageFrameData(self, payload: bytes) -> None:
        """
        Some bytes of a frame, unmasked.
        """
        self.stream.dataReceived(bytes(payload))

    def onMessageFrameEnd(self) -> None:
        """
        Nothing was gathered.
        """

    def onMessageEnd(self) -> None:
        """
        Nothing was gathered.
        """

    def onPing(self, payload: bytes) -> None:
        """
        A pong, unless the viewer asks for more of them than it reads.
        """
        if not self.stream.transport.full:
            self.sendPong(payload)

    # The end.

    def _tell(self, code: int, reason: str) -> None:
        """
        Send the close frame.
        """
        self.stream.transport.closed = True
        self.sendCloseFrame(code, reason.encode("ascii"))

    def dropConnection(self, abort: bool = False) -> None:
        """
        Autobahn hangs up: close frames were exchanged, or the viewer has broken the protocol. Everything that is under
        way is sent first, unless that takes too long; but for the stream this is the end.
        """
        if self.failedByMe:
            _log.info("a viewer broke the WebSocket protocol: {cause}", cause=self.wasNotCleanReason)
            self._tell(ProtocolError.closeCode, ProtocolError.reason)
        super().dropConnection()
        self._cutOff = self._clock.callLater(CLOSING_SECONDS, self._cut)
        self._leave()

    def _cut(self) -> None:
        self._cutOff = None
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        if self._cutOff is not None:
            self._cutOff.cancel()
            self._cutOff = None
        self._connectionLost(reason)
        self._leave()

    def _leave(self) -> None:
        """
        Nothing more comes out of this WebSocket.
        """
        self.left = True
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
        if self.stream.transport is not None:
            self.stream.transport.closed = True
        self.stream.connectionLost(Failure(ConnectionDone() if self.wasClean else ConnectionLost("no close frame")))

    # The heartbeat.

    def _schedule(self) -> None:
        if self._heartbeat:
            self._beat = self._clock.callLater(self._heartbeat, self._ping)

    def _ping(self) -> None:
        """
        A live peer answers a ping (RFC 6455 section 5.5.2), or says something else. One that is not being read is not
        judged.
        """
        self._beat = None
        if not self.heard and not self.stream.transport.paused:
            self.transport.abortConnection()
            return
        self.heard = False
        self.sendPing()
        self._schedule()


def makeSocketFactory(reactor: Any) -> WebSocketServerFactory:
    """
    The Autobahn factory behind every socket.
    """
    return WebSocketServerFactory(reactor=reactor, server="")


def _setOptions() -> None:
    """
    Autobahn's options, once for every socket; it would copy them into each, and print them for a log that is not kept.
    Limits and timers are ours, compression is off.
    """
    ours = {
        "openHandshakeTimeout": 0,
        "closeHandshakeTimeout": 0,
        "failByDrop": True,
        "utf8validateIncoming": False,
        "webStatus": False,
    }
    defaults = WebSocketServerFactory(reactor=object())
    for name in WebSocketServerProtocol.CONFIG_ATTRS:
        setattr(ConsoleSocket, name, ours.get(name, getattr(defaults, name)))
    ConsoleSocket.CONFIG_ATTRS = ()


_setOptions()
