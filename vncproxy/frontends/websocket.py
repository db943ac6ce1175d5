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

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IDelayedCall, IPushProducer, IReactorTime, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from vncproxy.errors import StreamEnded
from vncproxy.stream import BUFFER_LIMIT, ByteStream, tuneSocket

SUBPROTOCOL: Final = "binary"

_BINARY: Final = 0x82
"""
First byte of an unfragmented binary frame (RFC 6455 section 5.2).
"""

_UNSUPPORTED_DATA: Final = 1003


def frame(data: bytes) -> bytes:
    """
    One unmasked binary frame around C{data} (RFC 6455 section 5.2).
    """
    length = len(data)
    if length < 126:
        return bytes((_BINARY, length)) + data
    if length < 0x10000:
        return struct.pack(">BBH", _BINARY, 126, length) + data
    return struct.pack(">BBQ", _BINARY, 127, length) + data


@implementer(ITransport, IConsumer, IPushProducer)
class SocketTransport:
    """
    What a L{ByteStream} inside a WebSocket writes to: each write becomes one frame.

    @ivar paused: the viewer is not being read, as its console takes nothing.
    """

    disconnecting = False

    def __init__(self, socket: ConsoleSocket) -> None:
        self._socket = socket
        # The transport below, TCP or TLS; Any, as its methods are spread over several interfaces.
        self._below: Any = socket.transport
        self.paused = False

    def write(self, data: bytes) -> None:
        self._below.write(frame(data))

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        # The close frame is out; hanging up is left to the peer, who so gets to read it (RFC 6455 section 7.1.1).
        pass

    def abortConnection(self) -> None:
        self._below.abortConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._below.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self._below.unregisterProducer()

    def pauseProducing(self) -> None:
        self.paused = True
        self._below.pauseProducing()

    def resumeProducing(self) -> None:
        self.paused = False
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
    One WebSocket.

    It is asked to L{accept} once the viewer may come in; until then what the viewer says is kept back, within bounds.

    @ivar stream: the bytes inside; usable once accepted.
    """

    def __init__(self, clock: IReactorTime, heartbeat: float, lost: Callable[[], None]) -> None:
        """
        @param heartbeat: seconds between pings; a viewer that has said nothing at all between two of them is lost. 0 is
            no pings.
        @param lost: called when the connection is gone.
        """
        super().__init__()
        self.stream = ByteStream(clock, lost=lost, tell=self._tell)
        self._clock = clock
        self._heartbeat = heartbeat
        self._beat: IDelayedCall | None = None
        self._heard = True
        self._early = bytearray()
        self._subprotocol: str | None = None
        self._answer: Deferred[tuple[str | None, dict[str, str]]] | None = None
        self._opened = False

    # The opening.

    def connectionMade(self) -> None:
        """
        The transport is there; the opening handshake comes next.
        """
        tuneSocket(self.transport)
        super().connectionMade()

    def onConnect(self, request: ConnectionRequest) -> Deferred[tuple[str | None, dict[str, str]]]:
        """
        Autobahn found the opening handshake in order, and waits for our answer to it.
        """
        offered = request.protocols
        if offered:
            # A browser fails the connection unless one of those that it offered is chosen.
            self._subprotocol = SUBPROTOCOL if SUBPROTOCOL in offered else offered[0]
        self._answer = Deferred()
        return self._answer

    def accept(self, headers: dict[str, str]) -> ByteStream:
        """
        Answer 101 with these headers, and return the stream inside.

        @raise StreamEnded: the viewer is gone.
        """
        answer, self._answer = self._answer, None
        if answer is not None:
            # Autobahn goes on at once, up to onOpen.
            answer.callback((self._subprotocol, headers))
        if not self._opened:
            raise StreamEnded("the viewer hung up before it was let in")
        return self.stream

    def onOpen(self) -> None:
        """
        The 101 is out.
        """
        self.stream.makeConnection(SocketTransport(self))
        self._opened = True
        self._schedule()
        early, self._early = bytes(self._early), bytearray()
        if early:
            self._dataReceived(early)

    # Bytes.

    def dataReceived(self, data: bytes) -> None:
        """
        Straight to Autobahn's parser, once the handshake is answered.
        """
        self._heard = True
        if self._answer is None:
            self._dataReceived(data)
            return
        # Autobahn would take this for another request.
        self._early += data
        if len(self._early) > BUFFER_LIMIT:
            self.transport.abortConnection()

    def onMessageBegin(self, isBinary: bool) -> None:
        """
        Text has no place in RFB (nova and websockify refuse it with 1003 as well).
        """
        self.message_is_binary = isBinary
        if not isBinary:
            self._tell(_UNSUPPORTED_DATA, "text")
            self.dropConnection()

    def onMessageFrameBegin(self, length: int) -> None:
        """
        Nothing is gathered, so the announced length does not matter.
        """

    def onMessageFrameData(self, payload: bytes) -> None:
        """
        Some bytes of a frame, unmasked.
        """
        if self.message_is_binary:
            self.stream.dataReceived(bytes(payload))

    def onMessageFrameEnd(self) -> None:
        """
        Nothing was gathered.
        """

    def onMessageEnd(self) -> None:
        """
        Nothing was gathered.
        """

    # The end.

    def _tell(self, code: int, reason: str) -> None:
        """
        Send the close frame.
        """
        if self._opened:
            self.sendCloseFrame(code, reason.encode("ascii"))

    def dropConnection(self, abort: bool = False) -> None:
        """
        Autobahn hangs up, after a close frame or at once.
        """
        # A TLS transport with a producer never closes, as it waits for more.
        self.transport.unregisterProducer()
        super().dropConnection(abort)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """
        The connection is gone.
        """
        self._answer = None
        if self._beat is not None:
            self._beat.cancel()
        super().connectionLost(reason)
        clean = ConnectionDone() if self.wasClean else ConnectionLost("no close frame")
        self.stream.connectionLost(Failure(clean))

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
        if not self._heard and not self.stream.transport.paused:
            self.transport.abortConnection()
            return
        self._heard = False
        self.sendPing()
        self._schedule()


def makeSocketFactory(reactor: Any) -> WebSocketServerFactory:
    """
    The Autobahn factory behind every socket: limits and timers are ours, compression is off.
    """
    factory = WebSocketServerFactory(reactor=reactor, server="")
    factory.setProtocolOptions(
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        failByDrop=True,
        utf8validateIncoming=False,
        tcpNoDelay=True,
        webStatus=False,
    )
    return factory
