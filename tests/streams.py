"""
Streams for tests: a scripted peer for handshakes, and Twisted's own transports over no socket.
"""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from vncproxy.errors import StreamEnded, WaitTimeout
from vncproxy.interfaces import IStream


@implementer(IStream)
class ScriptedStream:
    """
    A peer that says its whole part at once and then hangs up, or falls silent.

    @ivar written: what was sent to it.
    """

    def __init__(self, says: bytes, silent: bool = False) -> None:
        self._says = says
        self._silent = silent
        self.written = b""

    async def read(self, count: int) -> bytes:
        if len(self._says) < count:
            raise WaitTimeout("silence") if self._silent else StreamEnded("it hung up")
        data, self._says = self._says[:count], self._says[count:]
        return data

    def write(self, data: bytes) -> None:
        self.written += data

    @property
    def unread(self) -> bytes:
        return self._says


def run(coroutine):  # type: ignore[no-untyped-def]
    """
    The result of a coroutine that must not wait for anything outside.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the coroutine waits for something that is not in the script")


class Loop(Clock):
    """
    A reactor that turns only when it is told to. Twisted's transports run on it as on the real one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._readers: list[MemoryTransport] = []
        self._writers: list[MemoryTransport] = []

    def addReader(self, transport: MemoryTransport) -> None:
        if transport not in self._readers:
            self._readers.append(transport)

    def removeReader(self, transport: MemoryTransport) -> None:
        if transport in self._readers:
            self._readers.remove(transport)

    def addWriter(self, transport: MemoryTransport) -> None:
        if transport not in self._writers:
            self._writers.append(transport)

    def removeWriter(self, transport: MemoryTransport) -> None:
        if transport in self._writers:
            self._writers.remove(transport)

    def reads(self, transport: MemoryTransport) -> bool:
        """
        Whether anything that comes on C{transport} would be read.
        """
        return transport in self._readers

    def settle(self) -> None:
        """
        Turn until nothing happens any more at this moment.
        """
        while self._turn():
            pass

    def _turn(self) -> bool:
        due = [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]
        self.advance(0)
        busy = bool(due)
        for transport in tuple(self._readers):
            if transport in self._readers and transport.readable:
                busy = True
                self._judge(transport, transport.doRead(), True)
        for transport in tuple(self._writers):
            if transport in self._writers and transport.writable:
                busy = True
                self._judge(transport, transport.doWrite(), False)
        return busy

    def _judge(self, transport: MemoryTransport, why: Exception | None, reading: bool) -> None:
        """
        What C{PosixReactorBase} does with what C{doRead} and C{doWrite} return.
        """
        if why is None:
            return
        self.removeReader(transport)
        if reading and isinstance(why, ConnectionDone):
            transport.readConnectionLost(Failure(why))
        else:
            self.removeWriter(transport)
            transport.connectionLost(Failure(why))


class MemoryTransport(FileDescriptor):
    """
    A connection without a socket. Its buffers, its producers and its ways of closing are those of Twisted's TCP
    transport, whose base it shares; this class adds the two ends of the wire.

    @ivar taken: what the peer has read of us.
    @ivar window: how many bytes more the peer will take; L{None} is any number.
    @ivar ended: our half is closed, and the peer has read everything before.
    @ivar lostWith: the type of what the connection ended with, once it has.
    @ivar aborts: how often we were asked to hang up at once.
    """

    def __init__(self, loop: Loop, protocol: Any) -> None:
        super().__init__(loop)  # type: ignore[arg-type]
        self.protocol = protocol
        self.taken = bytearray()
        self.window: int | None = None
        self.ended = False
        self.lostWith: type[BaseException] | None = None
        self.aborts = 0
        self._said = bytearray()
        self._finished = False
        self._vanished = False
        self.connected = 1
        self.startReading()
        protocol.makeConnection(self)

    # The peer's end.

    def say(self, data: bytes) -> None:
        """
        The peer sends C{data}.
        """
        self._said += data

    def finish(self) -> None:
        """
        The peer sends no more.
        """
        self._finished = True

    def vanish(self) -> None:
        """
        The peer breaks off.
        """
        self._vanished = True

    @property
    def unread(self) -> int:
        """
        How much of what the peer has sent has not been read yet.
        """
        return len(self._said)

    # Our end, towards the reactor.

    @property
    def readable(self) -> bool:
        return bool(self._said) or self._finished or self._vanished

    @property
    def writable(self) -> bool:
        return self.window != 0 or self._vanished

    def doRead(self) -> Exception | None:
        if self._vanished:
            return CONNECTION_LOST
        data, self._said = bytes(self._said[:0x10000]), self._said[0x10000:]
        if not data:
            return CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def writeSomeData(self, data: bytes) -> int | BaseException:
        if self._vanished:
            return CONNECTION_LOST
        piece = bytes(data[: self.SEND_LIMIT if self.window is None else self.window])
        if self.window is not None:
            self.window -= len(piece)
        self.taken += piece
        return len(piece)

    def _closeWriteConnection(self) -> None:
        self.ended = True
        listener = IHalfCloseableProtocol(self.protocol, None)
        if listener is not None:
            listener.writeConnectionLost()

    def readConnectionLost(self, reason: Failure) -> None:
        listener = IHalfCloseableProtocol(self.protocol, None)
        if listener is not None:
            listener.readConnectionLost()
        else:
            self.connectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        if self.lostWith is None:
            self.lostWith = reason.type
            super().connectionLost(reason)
            self.protocol.connectionLost(reason)

    def abortConnection(self) -> None:
        self.aborts += 1
        if self.lostWith is None and self.aborts == 1:
            self.stopReading()
            self.stopWriting()
            self.reactor.callLater(0, self.connectionLost, Failure(ConnectionAborted()))

    @property
    def backlog(self) -> int:
        """
        How many bytes wait for the peer to take them.
        """
        return len(self.dataBuffer) - self.offset + self._tempDataLen


class TLSPeer:
    """
    The client at the other end of a transport that speaks TLS.

    @ivar heard: what it has decrypted.
    @ivar told: the server has said that it closes (close_notify).
    """

    def __init__(self, wire: MemoryTransport) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        self._shaken = False
        self.heard = bytearray()
        self.told = False

    def step(self) -> bool:
        """
        Take what has come, say what is due. False when there was nothing to do.
        """
        came = bytes(self._wire.taken)
        self._wire.taken.clear()
        self._incoming.write(came)
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            while piece := self._tls.read(0x10000):
                self.heard += piece
            self.told = True
        except ssl.SSLZeroReturnError:
            # What a second look returns.
            pass
        except ssl.SSLWantReadError:
            pass
        said = self._outgoing.read()
        self._wire.say(said)
        return bool(came or said)

    def close(self) -> None:
        """
        Say close_notify.
        """
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass
        self._wire.say(self._outgoing.read())

    def send(self, data: bytes) -> None:
        """
        Send C{data} inside.
        """
        self._tls.write(data)
        self._wire.say(self._outgoing.read())


def settleTLS(loop: Loop, peer: TLSPeer) -> None:
    """
    Turn both ends until nothing happens any more at this moment.
    """
    loop.settle()
    while peer.step():
        loop.settle()
