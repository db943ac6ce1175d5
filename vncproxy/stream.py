"""
ByteStream: bytes to and from one peer. A handshake reads it bit by bit; then it is handed over to the relay::

    dataReceived ──► bounded buffer ──► await read(n) / readUntil(marker)        while a handshake runs
    dataReceived ──► sink.received                                               after handOver(sink)

It never pauses its transport by itself: a paused transport does not report a hang-up
(U{Twisted #11168<https://github.com/twisted/twisted/issues/11168>}), so what a peer says too early goes into the
buffer, and too much of it ends the connection.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from vncproxy.errors import ProtocolError, StreamEnded, VNCProxyError, WaitTimeout
from vncproxy.interfaces import IByteStream, Sink
from vncproxy.pump import writerTo

BUFFER_LIMIT: Final = 64 * 1024
"""
The most that a peer may send ahead of what a handshake has asked for, in bytes.
"""

CLOSING_SECONDS: Final = 5.0
"""
How long a peer may take to read its last bytes, and the reason, before the connection is cut.
"""


class _Nowhere:
    """
    The sink of a stream that is closing.
    """

    def received(self, data: bytes) -> None:
        pass

    def readEnded(self) -> None:
        pass

    def lost(self, clean: bool) -> None:
        pass


_NOWHERE: Final = _Nowhere()


@implementer(IByteStream, IHalfCloseableProtocol)
class ByteStream(Protocol):
    """
    One peer's bytes, first for a handshake and then for a sink.

    @ivar halfCloseable: whether one direction can be closed alone. True of TCP and UNIX sockets, never of TLS or
        WebSocket.
    """

    # What we ask of a transport is spread over ITransport, ITCPTransport and IConsumer; all of ours do all of it.
    transport: Any

    def __init__(
        self,
        clock: IReactorTime,
        halfCloseable: bool = False,
        connected: Callable[[], None] | None = None,
        lost: Callable[[], None] | None = None,
        tell: Callable[[int, str], None] | None = None,
    ) -> None:
        """
        @param connected: called when the transport is there.
        @param lost: called when the connection is gone, after whoever reads or takes the bytes has heard of it.
        @param tell: gives the peer the close code and reason word, where the transport has a way for them.
        """
        self.halfCloseable = halfCloseable
        self._clock = clock
        self._connected = connected
        self._lost = lost
        self._tell = tell
        self._buffer = bytearray()
        self._fault: VNCProxyError | None = None
        self._clean = True
        self._gone = False
        self._readEnded = False
        self._enough: Callable[[], bool] = lambda: False
        self._waiting: Deferred[None] | None = None
        self._deadline: IDelayedCall | None = None
        self._cutOff: IDelayedCall | None = None
        self._sink: Sink | None = None

    # From the transport.

    def connectionMade(self) -> None:
        """
        The transport is there.
        """
        tuneSocket(self.transport)
        self.write = writerTo(self.transport)  # type: ignore[method-assign]
        if self._connected is not None:
            self._connected()

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes while a handshake runs; L{handOver} puts the sink in this method's place.
        """
        self._buffer += data
        waiting = self._waiting
        if waiting is not None and self._enough():
            self._waiting = None
            waiting.callback(None)
        if len(self._buffer) > BUFFER_LIMIT:
            self._buffer.clear()
            self._fail(ProtocolError(f"the peer sent more than {BUFFER_LIMIT} bytes ahead of its turn"))
            self.abort()

    def readConnectionLost(self) -> None:
        """
        The peer has closed its half (L{IHalfCloseableProtocol}); only TCP and UNIX sockets tell this.
        """
        self._readEnded = True
        if self._sink is not None:
            self._sink.readEnded()
        else:
            self._fail(StreamEnded("the peer hung up"))

    def writeConnectionLost(self) -> None:
        """
        Our own half is closed: nothing to do (L{IHalfCloseableProtocol}).
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        if self._gone:
            return
        self._gone = True
        self._clean = reason.check(ConnectionDone) is not None
        if self._sink is not None:
            self._sink.lost(self._clean)
        else:
            self._fail(StreamEnded("the peer hung up"))
        self.expectWithin(None)
        if self._cutOff is not None:
            self._cutOff.cancel()
            self._cutOff = None
        if self._lost is not None:
            self._lost()

    # While a handshake runs.

    def expectWithin(self, seconds: float | None) -> None:
        """
        See L{IByteStream.expectWithin}.
        """
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None and not self._gone:
            self._deadline = self._clock.callLater(seconds, self._late)

    def _late(self) -> None:
        self._deadline = None
        self._fail(WaitTimeout("the peer said nothing for too long"))

    async def read(self, count: int) -> bytes:
        """
        See L{IStream.read<vncproxy.interfaces.IStream.read>}. C{count} is at most L{BUFFER_LIMIT}.
        """
        await self._until(lambda: len(self._buffer) >= count)
        return self._take(count)

    async def readUntil(self, marker: bytes, limit: int) -> bytes:
        """
        Everything up to and with C{marker}.

        @raise ProtocolError: the marker is not within the next C{limit} bytes.
        @raise StreamEnded: the peer hung up first.
        @raise WaitTimeout: the deadline passed first.
        """
        await self._until(lambda: marker in self._buffer or len(self._buffer) >= limit)
        end = self._buffer.find(marker, 0, limit)
        if end < 0:
            raise ProtocolError(f"the peer sent {limit} bytes without an end")
        return self._take(end + len(marker))

    async def _until(self, enough: Callable[[], bool]) -> None:
        """
        Wait until the buffer holds enough.
        """
        if enough():
            return
        if self._fault is not None:
            raise self._fault
        self._enough = enough
        self._waiting = Deferred(self._stopWaiting)
        await self._waiting

    def _stopWaiting(self, waiting: Deferred[None]) -> None:
        self._waiting = None

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _fail(self, fault: VNCProxyError) -> None:
        """
        From now on every read that the buffer cannot serve fails with the first fault that there was.
        """
        if self._fault is None:
            self._fault = fault
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(self._fault)

    # Towards the peer.

    def write(self, data: bytes) -> None:
        """
        See L{IStream.write<vncproxy.interfaces.IStream.write>}.
        """
        raise StreamEnded("there is no connection yet")

    def endWriting(self) -> None:
        """
        See L{IByteStream.endWriting}.
        """
        self.transport.loseWriteConnection()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """
        See L{IByteStream.close}. Only the first call counts.
        """
        if self._gone or self._sink is _NOWHERE:
            return
        self._divert(_NOWHERE)
        self._buffer.clear()
        self.expectWithin(None)
        self._cutOff = self._clock.callLater(CLOSING_SECONDS, self._cut)
        if self._tell is not None:
            self._tell(code, reason)
        self.transport.loseConnection()
        # Whoever still reads would wait for ever.
        self._fail(StreamEnded("we hung up"))

    def _cut(self) -> None:
        self._cutOff = None
        self.abort()

    def abort(self) -> None:
        """
        See L{IByteStream.abort}.
        """
        # A TLS transport that is gone raises when it is asked to.
        if not self._gone:
            self.transport.abortConnection()

    # Towards the relay.

    def handOver(self, sink: Sink) -> None:
        """
        See L{IByteStream.handOver}.
        """
        self.expectWithin(None)
        self._divert(sink)
        if self._buffer:
            sink.received(self._take(len(self._buffer)))
        if self._sink is not sink:
            # These bytes have made it close.
            return
        if self._gone:
            sink.lost(self._clean)
        elif self._readEnded:
            sink.readEnded()

    def _divert(self, sink: Sink) -> None:
        """
        Let C{sink} have what comes, with no call of ours in between: this is the relay's hot path.
        """
        self._sink = sink
        self.dataReceived = sink.received  # type: ignore[method-assign]


def peerAddress(address: object) -> str:
    """
    A client's address in words: what it is called in lists and logs, and what a token may be pinned to. IPv4 that comes
    in over an IPv6 port counts as what it is; a UNIX socket's client is C{"unix"}.
    """
    host: str = getattr(address, "host", "unix")
    return host[7:] if host.startswith("::ffff:") and "." in host else host


KEEP_ALIVE_IDLE: Final = 60
KEEP_ALIVE_INTERVAL: Final = 15
KEEP_ALIVE_PROBES: Final = 4
UNACKNOWLEDGED_LIMIT: Final = 120
"""
After so many seconds a TCP peer that takes nothing of what was sent is given up (C{TCP_USER_TIMEOUT}, tcp(7)).
"""

_TCP_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)


def tuneSocket(transport: object) -> None:
    """
    Small messages go out at once, and a peer that vanished is found: keep-alive where nothing is under way, a time
    limit where something is. Does nothing for a transport that is not TCP.
    """
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    if not ITCPTransport.providedBy(transport):
        return
    tcp: Any = transport
    handle = tcp.getHandle()
    # Twisted's UNIX sockets claim to be TCP transports too.
    if not isinstance(handle, socket.socket) or handle.family not in _TCP_FAMILIES:
        return
    tcp.setTcpNoDelay(True)
    tcp.setTcpKeepAlive(True)
    for option, value in (
        (socket.TCP_KEEPIDLE, KEEP_ALIVE_IDLE),
        (socket.TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL),
        (socket.TCP_KEEPCNT, KEEP_ALIVE_PROBES),
        (socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_LIMIT * 1000),
    ):
        handle.setsockopt(socket.IPPROTO_TCP, option, value)
