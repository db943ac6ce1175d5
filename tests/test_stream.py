"""
Bytes to and from one peer.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import ssl
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.streams import Loop, MemoryTransport, TLSPeer, settleTLS
from vncproxy.errors import ProtocolError, StreamEnded, WaitTimeout
from vncproxy.interfaces import IByteStream
from vncproxy.rfb import handshake
from vncproxy.stream import (
    BUFFER_LIMIT,
    CLOSING_SECONDS,
    KEEP_ALIVE_IDLE,
    KEEP_ALIVE_INTERVAL,
    KEEP_ALIVE_PROBES,
    UNACKNOWLEDGED_LIMIT,
    ByteStream,
    peerAddress,
    tuneSocket,
)


class Diary:
    """
    A sink that writes down what it hears.
    """

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        """
        @param then: done at every byte that comes.
        """
        self.heard: list[object] = []
        self._then = then

    def received(self, data: bytes) -> None:
        self.heard.append(data)
        self._then()

    def readEnded(self) -> None:
        self.heard.append("no more")

    def lost(self, clean: bool) -> None:
        self.heard.append("closed" if clean else "lost")


class StreamTestCase(SynchronousTestCase):
    """
    A stream and its peer, and nothing left to do for the reactor once they have parted.
    """

    def setUp(self) -> None:
        self.loop = Loop()
        self.events: list[object] = []
        self.started: list[Deferred[Any]] = []
        self.stream = ByteStream(
            self.loop,
            halfCloseable=True,
            connected=lambda: self.events.append("connected"),
            lost=lambda: self.events.append("lost"),
            tell=lambda code, reason: self.events.append((code, reason)),
        )
        self.wire = MemoryTransport(self.loop, self.stream)

    def tearDown(self) -> None:
        self.wire.vanish()
        self.stream.abort()
        self.loop.settle()
        for each in self.started:
            self.assertTrue(each.called, "somebody waits for ever")
            each.addErrback(lambda failure: failure.trap(StreamEnded) and None)
        self.assertEqual(self.loop.getDelayedCalls(), [])

    def start(self, work: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """
        Begin what waits for bytes.
        """
        self.started.append(Deferred.fromCoroutine(work))
        return self.started[-1]

    def say(self, data: bytes) -> None:
        """
        The peer says something, and we hear it.
        """
        self.wire.say(data)
        self.loop.settle()

    def finish(self) -> None:
        """
        The peer sends no more.
        """
        self.wire.finish()
        self.loop.settle()

    def vanish(self) -> None:
        """
        The peer breaks off.
        """
        self.wire.vanish()
        self.loop.settle()


class ReadTests(StreamTestCase):
    """
    Tests for what a handshake reads.
    """

    def test_interface(self) -> None:
        """
        It is a stream that can be handed over, and hears of a half that is closed.
        """
        verifyObject(IByteStream, self.stream)
        verifyObject(IHalfCloseableProtocol, self.stream)

    def test_exactly(self) -> None:
        """
        A read takes as much as was asked for, and leaves the rest to the next one.
        """
        reading = self.start(self.stream.read(4))
        self.say(b"ab")
        self.assertNoResult(reading)
        self.say(b"cdefgh")
        self.assertEqual(self.successResultOf(reading), b"abcd")
        self.assertEqual(self.successResultOf(self.start(self.stream.read(3))), b"efg")
        self.assertNoResult(self.start(self.stream.read(2)))

    def test_nothing(self) -> None:
        """
        Nothing can be read at any time.
        """
        self.assertEqual(self.successResultOf(self.start(self.stream.read(0))), b"")

    @given(st.lists(st.integers(0, 40), max_size=12), st.data())
    def test_cuts(self, counts: list[int], data: st.DataObject) -> None:
        """
        However the bytes are cut on the way, the same reads return the same bytes.
        """
        whole = bytes(range(sum(counts) % 256)) * 2 + bytes(sum(counts))
        whole = whole[: sum(counts)]
        cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
        stream = ByteStream(self.loop)
        stream.makeConnection(StringTransport())

        async def readAll() -> bytes:
            return b"".join([await stream.read(count) for count in counts])

        reading = self.start(readAll())
        for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            stream.dataReceived(whole[begin:end])
        self.assertEqual(self.successResultOf(reading), whole)

    def test_until(self) -> None:
        """
        A read up to a marker takes the marker too, and nothing behind it.
        """
        reading = self.start(self.stream.readUntil(b"\r\n\r\n", 64))
        self.say(b"CONNECT\r\n\r")
        self.assertNoResult(reading)
        self.say(b"\nRFB")
        self.assertEqual(self.successResultOf(reading), b"CONNECT\r\n\r\n")
        self.assertEqual(self.successResultOf(self.start(self.stream.read(3))), b"RFB")

    def test_untilLimit(self) -> None:
        """
        The marker must lie within the limit, all of it.
        """
        self.say(b"1234\r\n")
        self.assertEqual(self.successResultOf(self.start(self.stream.readUntil(b"\r\n", 6))), b"1234\r\n")
        self.say(b"12345\r\n")
        self.failureResultOf(self.start(self.stream.readUntil(b"\r\n", 6)), ProtocolError)

    def test_untilNoEnd(self) -> None:
        """
        Who sends up to the limit without an end is not waited for any longer.
        """
        reading = self.start(self.stream.readUntil(b"\r\n", 6))
        self.say(b"12345")
        self.assertNoResult(reading)
        self.say(b"6")
        self.failureResultOf(reading, ProtocolError)

    def test_writes(self) -> None:
        """
        What is written reaches the peer.
        """
        self.stream.write(b"RFB 003.008\n")
        self.loop.settle()
        self.assertEqual(self.wire.taken, b"RFB 003.008\n")

    def test_byteByByte(self) -> None:
        """
        A whole handshake runs over a peer that says one byte at a time, in both of our roles.
        """
        server = b"RFB 003.008\n" + b"\1\1" + bytes(4)
        desktop = handshake.ServerInit(640, 480, bytes(16), b"vm7").encode()
        asViewer = self.start(handshake.logIn(self.stream, None))
        for byte in server:
            self.assertNoResult(asViewer)
            self.say(bytes([byte]))
        self.successResultOf(asViewer)
        opening = self.start(handshake.openDesktop(self.stream, True))
        for byte in desktop:
            self.say(bytes([byte]))
        self.assertEqual(self.successResultOf(opening).name, b"vm7")
        asServer = self.start(handshake.greet(self.stream))
        for byte in b"RFB 003.008\n\1":
            self.assertNoResult(asServer)
            self.say(bytes([byte]))
        self.successResultOf(asServer)


class EndOfReadingTests(StreamTestCase):
    """
    Tests for reads that never come true.
    """

    def test_lost(self) -> None:
        """
        A read fails when the peer goes first, and so does every later one.
        """
        reading = self.start(self.stream.read(4))
        self.say(b"ab")
        self.vanish()
        self.failureResultOf(reading, StreamEnded)
        self.failureResultOf(self.start(self.stream.read(4)), StreamEnded)

    def test_halfClosed(self) -> None:
        """
        A peer that sends no more is as good as gone for who reads.
        """
        reading = self.start(self.stream.read(4))
        self.finish()
        self.failureResultOf(reading, StreamEnded)
        self.assertEqual(self.events, ["connected"])

    def test_lastWords(self) -> None:
        """
        What the peer said before it went can still be read.
        """
        self.wire.say(b"RFB 003.008\n")
        self.finish()
        self.vanish()
        self.assertEqual(self.successResultOf(self.start(self.stream.read(12))), b"RFB 003.008\n")
        self.failureResultOf(self.start(self.stream.read(1)), StreamEnded)

    def test_deadline(self) -> None:
        """
        A read fails when the deadline passes, counted from when it was given, and not a moment before.
        """
        self.stream.expectWithin(15)
        self.loop.advance(10)
        reading = self.start(self.stream.read(1))
        self.loop.advance(4.9)
        self.assertNoResult(reading)
        self.loop.advance(0.1)
        self.failureResultOf(reading, WaitTimeout)

    def test_newDeadline(self) -> None:
        """
        A new deadline takes the place of the old one; none lifts it.
        """
        self.stream.expectWithin(1)
        self.stream.expectWithin(5)
        reading = self.start(self.stream.read(1))
        self.loop.advance(4)
        self.stream.expectWithin(None)
        self.loop.advance(100)
        self.assertNoResult(reading)
        self.say(b"x")
        self.assertEqual(self.successResultOf(reading), b"x")

    def test_deadlineOfThePast(self) -> None:
        """
        A deadline that passes while nobody reads still holds for what has not come by then.
        """
        self.stream.expectWithin(5)
        self.say(b"ab")
        self.loop.advance(5)
        self.assertEqual(self.successResultOf(self.start(self.stream.read(2))), b"ab")
        self.failureResultOf(self.start(self.stream.read(1)), WaitTimeout)

    def test_deadlineOfTheGone(self) -> None:
        """
        Whoever expects something of a peer that is gone leaves no call behind.
        """
        self.vanish()
        self.stream.expectWithin(5)
        self.assertEqual(self.loop.getDelayedCalls(), [])

    def test_firstFault(self) -> None:
        """
        The first thing that went wrong is what every read is told.
        """
        self.stream.expectWithin(5)
        self.loop.advance(5)
        self.vanish()
        self.failureResultOf(self.start(self.stream.read(1)), WaitTimeout)

    def test_cancelled(self) -> None:
        """
        A read that is cancelled takes nothing, and another one may follow.
        """
        reading = self.start(self.stream.read(2))
        self.say(b"a")
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.say(b"b")
        self.assertEqual(self.successResultOf(self.start(self.stream.read(2))), b"ab")

    def test_full(self) -> None:
        """
        A peer may talk ahead up to the limit. Beyond it the connection ends, and nothing of it is read any more.
        """
        self.say(bytes(BUFFER_LIMIT))
        self.assertEqual(self.wire.aborts, 0)
        self.say(b"x")
        self.assertGreater(self.wire.aborts, 0)
        self.assertIs(self.wire.lostWith, ConnectionAborted)
        self.failureResultOf(self.start(self.stream.read(1)), ProtocolError)

    def test_fullBehindAnAnswer(self) -> None:
        """
        The limit holds for what comes together with the bytes that were waited for.
        """
        reading = self.start(self.stream.read(1))
        self.stream.dataReceived(bytes(BUFFER_LIMIT + 2))
        self.assertEqual(self.successResultOf(reading), b"\0")
        self.assertEqual(self.wire.aborts, 1)

    def test_fullAfterTheDeadline(self) -> None:
        """
        The limit holds for a peer that is late already.
        """
        self.stream.expectWithin(1)
        self.loop.advance(1)
        self.stream.dataReceived(bytes(BUFFER_LIMIT + 1))
        self.assertEqual(self.wire.aborts, 1)

    def test_abort(self) -> None:
        """
        Hanging up at once loses what is under way, and whoever reads hears of it.
        """
        reading = self.start(self.stream.read(1))
        self.stream.write(b"never sent")
        self.stream.abort()
        self.loop.settle()
        self.failureResultOf(reading, StreamEnded)
        self.assertEqual((self.wire.taken, self.wire.lostWith), (b"", ConnectionAborted))

    def test_lostOnce(self) -> None:
        """
        The owner hears once that the connection is gone, after whoever reads.
        """
        self.start(self.stream.read(1)).addErrback(lambda failure: self.events.append(failure.type))
        self.vanish()
        self.stream.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.events, ["connected", StreamEnded, "lost"])


class CloseTests(StreamTestCase):
    """
    Tests for L{ByteStream.close}.
    """

    def test_inOrder(self) -> None:
        """
        What is under way is sent, the reason is told, the connection closed, and no call is left behind.
        """
        self.stream.write(b"bye")
        self.stream.close(1011, "console_lost")
        self.loop.settle()
        self.assertEqual(self.events, ["connected", (1011, "console_lost"), "lost"])
        self.assertEqual((self.wire.taken, self.wire.lostWith), (b"bye", ConnectionDone))
        self.assertEqual(self.loop.getDelayedCalls(), [])

    def test_cutOff(self) -> None:
        """
        A peer that does not take its last bytes is cut off after a while.
        """
        self.wire.window = 2
        self.stream.write(b"bye")
        self.stream.close()
        self.loop.settle()
        self.loop.advance(CLOSING_SECONDS - 0.1)
        self.assertEqual((self.wire.lostWith, self.wire.aborts), (None, 0))
        self.loop.advance(0.1)
        self.loop.settle()
        self.assertEqual((self.wire.lostWith, self.wire.aborts), (ConnectionAborted, 1))
        self.assertEqual(self.events[-1], "lost")

    def test_deadlineOfTheClosing(self) -> None:
        """
        No later deadline puts the cutting off.
        """
        self.wire.window = 0
        self.stream.write(b"bye")
        self.stream.close()
        self.stream.expectWithin(60)
        self.stream.expectWithin(None)
        self.loop.advance(CLOSING_SECONDS)
        self.assertEqual(self.wire.aborts, 1)

    def test_once(self) -> None:
        """
        Only the first call counts: its reason is told, its time runs.
        """
        self.wire.window = 0
        self.stream.write(b"bye")
        self.stream.close(1011, "console_lost")
        self.loop.advance(CLOSING_SECONDS - 1)
        self.stream.close(1001, "draining")
        self.loop.advance(1)
        self.assertEqual(self.events, ["connected", (1011, "console_lost"), "lost"])
        self.assertEqual(self.wire.aborts, 1)

    def test_gone(self) -> None:
        """
        Nothing is told to a peer that is gone, and nothing waits for it.
        """
        self.vanish()
        self.stream.close(1001, "draining")
        self.stream.abort()
        self.assertEqual((self.events, self.wire.aborts), (["connected", "lost"], 0))
        self.assertEqual(self.loop.getDelayedCalls(), [])

    def test_reader(self) -> None:
        """
        Whoever still reads is told that the stream has ended, as is whoever begins to.
        """
        reading = self.start(self.stream.read(5))
        self.say(b"abc")
        self.stream.close()
        self.failureResultOf(reading, StreamEnded)
        self.failureResultOf(self.start(self.stream.read(1)), StreamEnded)

    def test_lateWords(self) -> None:
        """
        What the peer still says is neither kept nor counted against it.
        """
        self.wire.window = 0
        self.stream.write(b"bye")
        self.stream.close()
        self.stream.dataReceived(bytes(3 * BUFFER_LIMIT))
        self.stream.readConnectionLost()
        self.assertEqual(self.wire.aborts, 0)

    def test_afterOwnHalf(self) -> None:
        """
        When our half is closed already the connection goes at once, and no call is left behind.
        """
        self.stream.endWriting()
        self.loop.settle()
        self.assertTrue(self.wire.ended)
        self.stream.close()
        self.assertEqual(self.events[-1], "lost")
        self.assertEqual(self.loop.getDelayedCalls(), [])

    def test_closedByItsReader(self) -> None:
        """
        A reader that hangs up at what it reads is not held to account for what came behind.
        """
        reading = self.start(self.stream.read(1)).addCallback(lambda data: self.stream.close())
        self.stream.dataReceived(bytes(BUFFER_LIMIT + 2))
        self.successResultOf(reading)
        self.assertEqual(self.wire.aborts, 0)


class HandOverTests(StreamTestCase):
    """
    Tests for L{ByteStream.handOver}.
    """

    def test_bytes(self) -> None:
        """
        The sink takes what came behind the handshake, then everything that comes.
        """
        self.say(b"RFB 003.008\nearly")
        self.successResultOf(self.start(self.stream.read(12)))
        sink = Diary()
        self.stream.handOver(sink)
        self.say(b"later")
        self.finish()
        self.vanish()
        self.wire.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(sink.heard, [b"early", b"later", "no more", "lost"])

    def test_nothingEarly(self) -> None:
        """
        A sink hears of no bytes where there were none.
        """
        sink = Diary()
        self.stream.handOver(sink)
        self.assertEqual(sink.heard, [])

    def test_deadline(self) -> None:
        """
        The handshake's deadline does not reach past it.
        """
        self.stream.expectWithin(1)
        self.stream.handOver(Diary())
        self.assertEqual(self.loop.getDelayedCalls(), [])

    def test_halfClosedBefore(self) -> None:
        """
        The sink hears that the peer sends no more, even if that came first.
        """
        self.wire.say(b"last")
        self.finish()
        sink = Diary()
        self.stream.handOver(sink)
        self.assertEqual(sink.heard, [b"last", "no more"])

    def test_lostBefore(self) -> None:
        """
        The sink hears that the connection is gone, and how, even if that came first.
        """
        for reason, word in ((ConnectionDone(), "closed"), (ConnectionLost(), "lost")):
            stream = ByteStream(self.loop)
            stream.makeConnection(StringTransport())
            stream.dataReceived(b"last")
            stream.connectionLost(Failure(reason))
            sink = Diary()
            stream.handOver(sink)
            self.assertEqual(sink.heard, [b"last", word])

    def test_closedByTheSink(self) -> None:
        """
        A sink that hangs up at the first bytes hears nothing more, whatever has happened before.
        """
        self.wire.say(b"bad")
        self.finish()
        sink = Diary(then=self.stream.close)
        self.stream.handOver(sink)
        self.assertEqual(sink.heard, [b"bad"])

    def test_closing(self) -> None:
        """
        The sink of a stream that is closed hears nothing more.
        """
        sink = Diary()
        self.stream.handOver(sink)
        self.stream.close()
        self.say(b"late")
        self.vanish()
        self.assertEqual(sink.heard, [])


class TLSTests(SynchronousTestCase):
    """
    Tests for a stream inside TLS, which closes in a way of its own.
    """

    options = ssl.KeyPair.generate(size=2048).selfSignedCert(1, CN="proxy").options()

    def setUp(self) -> None:
        self.loop = Loop()
        self.stream = ByteStream(self.loop)
        factory = TLSMemoryBIOFactory(self.options, False, Factory.forProtocol(lambda: self.stream), self.loop)
        self.wire = MemoryTransport(self.loop, factory.buildProtocol(None))
        self.peer = TLSPeer(self.wire)
        settleTLS(self.loop, self.peer)
        self.peer.send(b"hello")
        settleTLS(self.loop, self.peer)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.stream.read(5))), b"hello")

    def tearDown(self) -> None:
        self.assertIsNotNone(self.wire.lostWith)
        self.assertEqual(self.loop.getDelayedCalls(), [])

    def flood(self) -> bytes:
        """
        Send more than the peer takes at once, as a relay would.
        """
        data = bytes(range(256)) * 1024
        self.wire.window = 1000
        self.stream.transport.registerProducer(StringTransport(), True)
        self.stream.write(data)
        self.loop.settle()
        self.assertGreater(self.wire.backlog, 0)
        self.stream.transport.unregisterProducer()
        return data

    def test_backlog(self) -> None:
        """
        With a backlog under way every byte arrives, then the goodbye, and the connection is closed in good order.
        """
        data = self.flood()
        self.stream.close()
        self.loop.settle()
        self.assertIsNone(self.wire.lostWith)
        self.wire.window = None
        settleTLS(self.loop, self.peer)
        self.assertEqual((bytes(self.peer.heard), self.peer.told), (data, True))
        self.peer.close()
        settleTLS(self.loop, self.peer)
        self.assertIs(self.wire.lostWith, ConnectionDone)

    def test_backlogNeverTaken(self) -> None:
        """
        A peer that takes nothing is cut off after a while.
        """
        self.flood()
        self.stream.close()
        self.loop.advance(CLOSING_SECONDS)
        self.loop.settle()
        self.assertIs(self.wire.lostWith, ConnectionAborted)

    def test_noGoodbye(self) -> None:
        """
        A peer that does not answer the goodbye is cut off after a while.
        """
        self.stream.close()
        settleTLS(self.loop, self.peer)
        self.assertEqual((self.peer.told, self.wire.lostWith), (True, None))
        self.loop.advance(CLOSING_SECONDS)
        self.loop.settle()
        self.assertIs(self.wire.lostWith, ConnectionAborted)

    def test_gone(self) -> None:
        """
        Hanging up on a peer that is gone does nothing.
        """
        self.wire.vanish()
        self.loop.settle()
        self.stream.abort()
        self.stream.close()
        self.assertEqual(self.wire.aborts, 0)


class TuneTests(SynchronousTestCase):
    """
    Tests for L{tuneSocket}.
    """

    def pair(self, family: int) -> Connection:
        """
        A transport over a real socket.
        """
        if family == socket.AF_UNIX:
            ours, theirs = socket.socketpair()
        else:
            with socket.create_server(("127.0.0.1", 0)) as listening:
                theirs = socket.create_connection(listening.getsockname(), 5)
                ours, _ = listening.accept()
        self.addCleanup(theirs.close)
        self.addCleanup(ours.close)
        return Connection(ours, ByteStream(Loop()), Loop())  # type: ignore[arg-type]

    def test_TCP(self) -> None:
        """
        Small messages go out at once, and a peer that vanished is found, under TLS as well.
        """
        for wrapped in (False, True):
            transport: Any = self.pair(socket.AF_INET)
            handle = transport.getHandle()
            if wrapped:
                protocol: Any = TLSMemoryBIOFactory(TLSTests.options, False, Factory()).protocol
                outer = protocol.__new__(protocol)
                outer.transport = transport
                transport = outer
            tuneSocket(transport)
            options = (
                socket.TCP_NODELAY,
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
                socket.TCP_USER_TIMEOUT,
            )
            self.assertEqual(
                [handle.getsockopt(socket.IPPROTO_TCP, option) for option in options],
                [1, KEEP_ALIVE_IDLE, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_PROBES, UNACKNOWLEDGED_LIMIT * 1000],
            )
            self.assertTrue(handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def test_UNIX(self) -> None:
        """
        A UNIX socket, which Twisted takes for a TCP one, is left as it is.
        """
        transport = self.pair(socket.AF_UNIX)
        tuneSocket(transport)
        self.assertFalse(transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def test_other(self) -> None:
        """
        Nothing happens to a transport that has no socket.
        """
        transport = StringTransport()
        tuneSocket(transport)
        self.assertEqual(transport.value(), b"")


class PeerAddressTests(SynchronousTestCase):
    """
    Clients by their address.
    """

    def test_words(self) -> None:
        """
        IPv4 is IPv4 also over an IPv6 port, and a UNIX socket's client has no address.
        """
        for address, words in (
            (IPv4Address("TCP", "203.0.113.9", 1), "203.0.113.9"),
            (IPv6Address("TCP", "::ffff:203.0.113.9", 1), "203.0.113.9"),
            (IPv6Address("TCP", "2001:db8::9", 1), "2001:db8::9"),
            (IPv6Address("TCP", "::ffff:1", 1), "::ffff:1"),
            (UNIXAddress(b"/run/x"), "unix"),
            (None, "unix"),
        ):
            self.assertEqual(peerAddress(address), words)
