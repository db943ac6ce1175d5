"""
WebSockets, driven as the C{web} frontend drives them: L{vncproxy.frontends.websocket}.
"""

from __future__ import annotations

import struct
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor  # noqa: TID251 - one test here runs over real sockets
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.webworld import (
    ACCEPT,
    GRANT,
    SECRET,
    Answer,
    RecordingProducer,
    RecordingSink,
    WebWorld,
    admitted,
    closeFrame,
    masked,
    openingRequest,
    unframed,
)
from vncproxy.errors import ConsoleUnreachable, StreamEnded
from vncproxy.frontends.websocket import frameHeader
from vncproxy.interfaces import IViewer
from vncproxy.stream import BUFFER_LIMIT, CLOSING_SECONDS, ByteStream

PROTOCOL = closeFrame(1002, "protocol")


def frame(data: bytes) -> bytes:
    """
    A binary frame as a server sends it.
    """
    return frameHeader(len(data)) + data


class FrameTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """
        The length takes one, three or nine bytes (RFC 6455 section 5.2).
        """
        for length, head in (
            (0, "8200"),
            (1, "8201"),
            (125, "827d"),
            (126, "827e007e"),
            (65535, "827effff"),
            (65536, "827f0000000000010000"),
        ):
            self.assertEqual(frame(b"x" * length), bytes.fromhex(head) + b"x" * length)

    @given(st.lists(st.binary(max_size=300)))
    def test_roundTrip(self, payloads: list[bytes]) -> None:
        """
        Frames in a row are told apart again.
        """
        self.assertEqual(unframed(b"".join(map(frame, payloads))), [(0x82, payload) for payload in payloads])


class SocketTestCase(SynchronousTestCase):
    """
    One WebSocket that is open, its bytes taken down.
    """

    heartbeat = 0.0

    def setUp(self) -> None:
        self.world = WebWorld(heartbeat=self.heartbeat)
        self.wire, self.stream = self.world.opened()
        self.sink = RecordingSink()
        self.stream.handOver(self.sink)

    def tearDown(self) -> None:
        self.wire.hangUp()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def assertClosed(self, *frames: tuple[int, bytes], ends: list[str]) -> None:
        """
        These frames went out, the connection is being closed in good order, and the stream was told.
        """
        self.assertEqual(unframed(self.wire.taken()), list(frames))
        self.assertTrue(self.wire.disconnecting)
        self.assertFalse(self.wire.aborted)
        self.assertIs(self.wire.producer, None)
        self.assertEqual(self.sink.ends, ends)


class OpeningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = WebWorld()

    def test_waits(self) -> None:
        """
        Nothing is answered before the broker lets the viewer in.
        """
        wire = self.world.connect()
        self.assertEqual(wire.taken(), b"")
        self.assertFalse(wire.disconnecting)

    def test_exactAnswer(self) -> None:
        """
        The 101 holds what RFC 6455 section 4.2.2 asks for, and the cookie; not a word about who speaks.
        """
        wire = self.world.connect(openingRequest(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))
        admitted(self.world.broker.viewer)
        self.assertEqual(
            wire.taken(),
            b"HTTP/1.1 101 Switching Protocols\r\n"
            b"Upgrade: WebSocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Set-Cookie: vncproxy_resume=" + SECRET.encode() + b"; Path=/; HttpOnly; SameSite=Lax\r\n"
            b"Sec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\n"
            b"\r\n",
        )

    def test_knownBrowser(self) -> None:
        """
        A browser that has a resume secret is not given another one.
        """
        wire = self.world.connect(openingRequest(Cookie=f"vncproxy_resume={SECRET}"))
        admitted(self.world.broker.viewer)
        self.assertNotIn("set-cookie", Answer(wire.taken()).headers)

    def test_subprotocol(self) -> None:
        """
        The chosen subprotocol is told, and only where one was offered.
        """
        for offered, chosen in ((None, None), ("binary", "binary"), ("chat, binary", "binary"), ("chat", "chat")):
            world = WebWorld()
            wire = world.connect(openingRequest(Sec_WebSocket_Protocol=offered))
            admitted(world.broker.viewer)
            self.assertEqual(Answer(wire.taken()).headers.get("sec-websocket-protocol"), chosen)

    def test_drafts(self) -> None:
        """
        A client of version 7 or 8 is answered as one of version 13.
        """
        for version in ("7", "8"):
            world = WebWorld()
            wire, stream = world.opened(openingRequest(Sec_WebSocket_Version=version))
            stream.write(b"hello")
            self.assertEqual(unframed(wire.taken()), [(0x82, b"hello")])

    def test_early(self) -> None:
        """
        What the client sends before the 101, even in one piece with its request, is kept and comes first.
        """
        sink = RecordingSink()
        wire = self.world.connect(openingRequest() + masked(b"in one piece, ") + masked(b"cut")[:3])
        wire.deliver(masked(b"cut")[3:])
        wire.deliver(masked(b", later"))
        stream = admitted(self.world.broker.viewer)
        stream.handOver(sink)
        self.assertEqual(sink.data, b"in one piece, cut, later")

    def test_earlyBound(self) -> None:
        """
        Of what comes before the 101 no more is kept than the bound; the connection is cut off and the viewer gone.
        """
        wire = self.world.connect()
        wire.deliver(b"x" * BUFFER_LIMIT)
        self.assertFalse(wire.aborted)
        wire.deliver(b"x")
        self.assertTrue(wire.aborted)
        self.assertEqual(self.world.broker.gone, [self.world.broker.viewer])

    def test_earlyFlood(self) -> None:
        """
        A client that sends too much together with its request does not cost its token a use.
        """
        wire = self.world.connect(openingRequest() + b"x" * (BUFFER_LIMIT + 1))
        self.assertTrue(wire.aborted)
        self.assertEqual(self.world.broker.viewers, [])

    def test_earlyClose(self) -> None:
        """
        A viewer that says goodbye before it is let in is heard, and its stream ends cleanly.
        """
        wire = self.world.connect(openingRequest() + masked(struct.pack(">H", 1001), opcode=8))
        sink = RecordingSink()
        admitted(self.world.broker.viewer).handOver(sink)
        self.assertEqual(sink.ends, ["clean"])
        self.assertEqual(unframed(Answer(wire.taken()).rest), [closeFrame(1000, "")])
        wire.hangUp()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_goneBefore(self) -> None:
        """
        A viewer that hangs up while the broker is at work is reported as gone, and can be let in no more.
        """
        wire = self.world.connect()
        wire.hangUp(ConnectionLost())
        viewer = self.world.broker.viewer
        self.assertEqual(self.world.broker.gone, [viewer])
        self.failureResultOf(Deferred.fromCoroutine(viewer.admit(GRANT)), StreamEnded)
        self.assertEqual(wire.taken(), b"")


class ReceivingTests(SocketTestCase):
    def test_frames(self) -> None:
        """
        The payloads of binary frames come out in a row, however long the frames and however they are cut.
        """
        payloads = [b"a" * length for length in (1, 125, 126, 65535, 65536)]
        data = b"".join(map(masked, payloads))
        for at in range(0, len(data), 1000):
            self.wire.deliver(data[at : at + 1000])
        self.assertEqual(self.sink.data, b"".join(payloads))

    def test_byteByByte(self) -> None:
        """
        A frame may come one byte at a time.
        """
        for byte in masked(b"slowly") + masked(b"x" * 200):
            self.wire.deliver(bytes((byte,)))
        self.assertEqual(self.sink.data, b"slowly" + b"x" * 200)

    def test_fragments(self) -> None:
        """
        A message in fragments, with control frames in between, is one stretch of bytes.
        """
        self.wire.deliver(masked(b"one ", fin=False) + masked(b"two ", opcode=0, fin=False))
        self.wire.deliver(masked(b"ping", opcode=9) + masked(b"three", opcode=0))
        self.assertEqual(self.sink.data, b"one two three")
        self.assertEqual(unframed(self.wire.taken()), [(0x8A, b"ping")])

    def test_empty(self) -> None:
        """
        Empty frames say nothing and break nothing.
        """
        self.wire.deliver(masked(b"") + masked(b"", fin=False) + masked(b"", opcode=0) + masked(b"then"))
        self.assertEqual(self.sink.data, b"then")

    def test_pong(self) -> None:
        """
        A ping is answered with its payload; a pong that nobody asked for is passed over.
        """
        self.wire.deliver(masked(b"", opcode=9) + masked(b"x" * 125, opcode=9) + masked(b"y", opcode=10))
        self.assertEqual(unframed(self.wire.taken()), [(0x8A, b""), (0x8A, b"x" * 125)])
        self.assertEqual(self.sink.data, b"")

    def test_pongsToNobody(self) -> None:
        """
        A viewer that sends pings without reading does not fill our memory with pongs; once it reads, they are back.
        """
        self.wire.producer.pauseProducing()
        self.wire.deliver(masked(b"flood", opcode=9) * 1000)
        self.assertEqual(self.wire.taken(), b"")
        self.wire.producer.resumeProducing()
        self.wire.deliver(masked(b"again", opcode=9))
        self.assertEqual(unframed(self.wire.taken()), [(0x8A, b"again")])

    def test_largeFrame(self) -> None:
        """
        A frame of 64 MiB passes through in pieces; at no time is more than a little of it held.
        """
        total, piece = 64 * 1024 * 1024, b"\x11\x22\x33\x44" * 16384
        seen = 0

        class Counter(RecordingSink):
            def received(self, data: bytes) -> None:
                nonlocal seen
                seen += len(data)

        wire, stream = self.world.opened()
        stream.handOver(Counter())
        wire.deliver(b"\x82\xff" + total.to_bytes(8, "big") + b"\x11\x22\x33\x44")
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in range(total // len(piece)):
            wire.deliver(piece)
        _, peak = tracemalloc.get_traced_memory()
        self.assertEqual(seen, total)
        self.assertLess(peak, 1024 * 1024)
        wire.hangUp()

    def assertBroken(self, data: bytes) -> None:
        """
        This ends the WebSocket with 1002, for the viewer, and without a clean end, for the stream.
        """
        self.wire.deliver(data)
        self.assertClosed(PROTOCOL, ends=["lost"])
        self.assertEqual(self.sink.data, b"")

    def test_unmasked(self) -> None:
        """
        A client's frames are masked (RFC 6455 section 5.1); one that is not is not passed on.
        """
        self.assertBroken(frame(b"plain"))

    def test_reservedBits(self) -> None:
        """
        No extension was agreed on, so a compressed frame is none.
        """
        self.assertBroken(b"\xc2" + masked(b"zip")[1:])

    def test_reservedOpcode(self) -> None:
        """
        An opcode that nobody has defined ends it.
        """
        self.assertBroken(masked(b"", opcode=3))

    def test_fragmentedPing(self) -> None:
        """
        Control frames come whole (RFC 6455 section 5.5).
        """
        self.assertBroken(masked(b"", opcode=9, fin=False))

    def test_longPing(self) -> None:
        """
        Control frames are short (RFC 6455 section 5.5).
        """
        self.assertBroken(masked(b"x" * 126, opcode=9))

    def test_continuationOfNothing(self) -> None:
        """
        What goes on must have begun (RFC 6455 section 5.4).
        """
        self.assertBroken(masked(b"more", opcode=0))

    def test_messageInMessage(self) -> None:
        """
        A message ends before the next begins (RFC 6455 section 5.4).
        """
        self.wire.deliver(masked(b"", fin=False))
        self.assertBroken(masked(b"next"))

    def test_wrongLength(self) -> None:
        """
        A length takes as few bytes as it can (RFC 6455 section 5.2).
        """
        self.assertBroken(b"\x82\xfe\x00\x01" + b"\x11\x22\x33\x44x")

    def test_text(self) -> None:
        """
        Text is refused with 1003, and nothing of it is passed on.
        """
        self.wire.deliver(masked(b"RFB 003.008\n", opcode=1) + masked(b"more"))
        self.assertClosed(closeFrame(1003, "protocol"), ends=["lost"])
        self.assertEqual(self.sink.data, b"")


class SendingTests(SocketTestCase):
    def test_frames(self) -> None:
        """
        Each write is one binary frame.
        """
        for length in (0, 125, 126, 65535, 65536):
            self.stream.write(b"x" * length)
        self.stream.transport.writeSequence([b"a", b"b"])
        self.assertEqual(
            unframed(self.wire.taken()),
            [(0x82, b"x" * length) for length in (0, 125, 126, 65535, 65536)] + [(0x82, b"ab")],
        )

    def test_addresses(self) -> None:
        """
        The ends of a WebSocket are those of its connection.
        """
        self.assertEqual(self.stream.transport.getPeer(), self.wire.getPeer())
        self.assertEqual(self.stream.transport.getHost(), self.wire.getHost())

    def test_backPressure(self) -> None:
        """
        Whoever feeds the WebSocket is paused and resumed with the connection below it.
        """
        producer = RecordingProducer()
        self.stream.transport.registerProducer(producer, True)
        self.assertTrue(self.wire.streaming)
        self.wire.producer.pauseProducing()
        self.wire.producer.resumeProducing()
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.stream.transport.unregisterProducer()
        self.wire.producer.pauseProducing()
        self.assertEqual(producer.calls, ["pause", "resume"])

    def test_fullAlready(self) -> None:
        """
        A producer that comes while the viewer takes nothing waits from the start.
        """
        self.wire.producer.pauseProducing()
        producer = RecordingProducer()
        self.stream.transport.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["pause"])

    def test_lostWhileFeeding(self) -> None:
        """
        The producer hears from the transport when the connection is gone, as on plain TCP.
        """
        producer = RecordingProducer()
        self.stream.transport.registerProducer(producer, True)
        self.wire.hangUp(ConnectionLost())
        self.assertEqual(producer.calls, ["stop"])

    def test_pausesViewer(self) -> None:
        """
        As a producer the WebSocket stops and starts the reading of its connection; it has no end of its own.
        """
        console = StringTransport()
        console.registerProducer(self.stream.transport, True)
        console.producer.pauseProducing()
        self.assertEqual(self.wire.producerState, "paused")
        console.producer.resumeProducing()
        self.assertEqual(self.wire.producerState, "producing")
        console.producer.stopProducing()
        self.assertFalse(self.wire.disconnecting)


class EndTests(SocketTestCase):
    def test_ours(self) -> None:
        """
        Our close frame holds code and reason word; the viewer's answer ends the connection, cleanly.
        """
        self.stream.close(1011, ConsoleUnreachable.reason)
        self.assertEqual(self.wire.taken(), b"\x88\x15\x03\xf3console_unreachable")
        self.assertFalse(self.wire.disconnecting)
        self.wire.deliver(masked(struct.pack(">H", 1011), opcode=8))
        self.assertClosed(ends=[])

    def test_nothingBehindOurs(self) -> None:
        """
        No frame follows our close frame (RFC 6455 section 5.5.1).
        """
        self.stream.close(1000, "x")
        self.wire.clear()
        self.stream.transport.write(b"late")
        self.stream.close(1011, "y")
        self.wire.deliver(masked(b"ping", opcode=9))
        self.assertEqual(self.wire.taken(), b"")

    def test_paused(self) -> None:
        """
        The answer to our close frame is heard even if the viewer was not being read.
        """
        self.stream.transport.pauseProducing()
        self.stream.close()
        self.assertEqual(self.wire.producerState, "producing")

    def test_noAnswer(self) -> None:
        """
        A viewer that does not answer our close frame is cut off.
        """
        self.stream.close()
        self.world.clock.advance(CLOSING_SECONDS - 0.1)
        self.assertFalse(self.wire.aborted)
        self.world.clock.advance(0.1)
        self.assertTrue(self.wire.aborted)

    def test_theirs(self) -> None:
        """
        A viewer's close frame is answered with 1000, and the stream ends cleanly, at once.
        """
        self.wire.deliver(masked(struct.pack(">H", 1001) + b"bye", opcode=8))
        self.assertClosed(closeFrame(1000, ""), ends=["clean"])

    def test_theirsEmpty(self) -> None:
        """
        A close frame needs no code.
        """
        self.wire.deliver(masked(b"", opcode=8))
        self.assertClosed(closeFrame(1000, ""), ends=["clean"])

    def test_theirsBroken(self) -> None:
        """
        A close frame with half a code, with one that may not be sent, or with words that are not UTF-8, is a fault.
        """
        for payload in (b"\x03", struct.pack(">H", 1005), struct.pack(">H", 1000) + b"\xff"):
            world = WebWorld()
            wire, stream = world.opened()
            sink = RecordingSink()
            stream.handOver(sink)
            wire.deliver(masked(payload, opcode=8))
            self.assertEqual(unframed(wire.taken()), [PROTOCOL])
            self.assertEqual(sink.ends, ["lost"])
            wire.hangUp()

    def test_nothingBehindTheirs(self) -> None:
        """
        What comes behind a viewer's close frame is passed over, and not gathered either.
        """
        self.wire.deliver(masked(b"", opcode=8) + masked(b"late"))
        self.wire.deliver(masked(b"later"))
        self.assertEqual(self.sink.data, b"")
        self.stream.transport.write(b"late")
        self.assertEqual(unframed(self.wire.taken()), [closeFrame(1000, "")])

    def test_theirsWithBacklog(self) -> None:
        """
        A viewer that says goodbye and then does not read what is under way is cut off.
        """
        self.wire.deliver(masked(b"", opcode=8))
        self.world.clock.advance(CLOSING_SECONDS)
        self.assertTrue(self.wire.aborted)

    def test_cut(self) -> None:
        """
        A connection that ends without a close frame is lost, and so is the viewer, once.
        """
        self.wire.hangUp()
        self.assertEqual(self.sink.ends, ["lost"])
        self.assertEqual(self.world.broker.gone, [self.world.broker.viewer])

    def test_abort(self) -> None:
        """
        An abort is no farewell.
        """
        self.stream.abort()
        self.assertTrue(self.wire.aborted)
        self.assertEqual(self.wire.taken(), b"")


class HeartbeatTests(SocketTestCase):
    heartbeat = 30.0

    def beat(self) -> list[tuple[int, bytes]]:
        """
        The frames that an interval brings.
        """
        self.world.clock.advance(30)
        return unframed(self.wire.taken())

    def test_pings(self) -> None:
        """
        A viewer that answers is pinged every 30 s, and stays.
        """
        self.world.clock.advance(29.9)
        self.assertEqual(self.wire.taken(), b"")
        self.world.clock.advance(0.1)
        self.assertEqual(unframed(self.wire.taken()), [(0x89, b"")])
        for _ in range(3):
            self.wire.deliver(masked(b"", opcode=10))
            self.assertEqual(self.beat(), [(0x89, b"")])
        self.assertFalse(self.wire.aborted)

    def test_anyByteCounts(self) -> None:
        """
        Whatever a viewer says shows that it is alive.
        """
        for _ in range(3):
            self.wire.deliver(masked(b"key"))
            self.assertEqual(self.beat(), [(0x89, b"")])
        self.assertFalse(self.wire.aborted)

    def test_silence(self) -> None:
        """
        A viewer that says nothing between two pings is cut off, without a further word.
        """
        self.beat()
        self.assertEqual(self.beat(), [])
        self.assertTrue(self.wire.aborted)

    def test_pausedIsNotJudged(self) -> None:
        """
        Nobody hears a viewer that is not being read; it is given a whole interval once it is.
        """
        self.stream.transport.pauseProducing()
        for _ in range(3):
            self.beat()
        self.world.clock.advance(29)
        self.stream.transport.resumeProducing()
        self.beat()
        self.assertFalse(self.wire.aborted)
        self.beat()
        self.assertTrue(self.wire.aborted)

    def test_overAtTheEnd(self) -> None:
        """
        Nobody is pinged behind a close frame.
        """
        self.stream.close()
        self.wire.deliver(masked(b"", opcode=8))
        self.wire.clear()
        self.wire.hangUp()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])


class QuietTests(SocketTestCase):
    def test_noHeartbeat(self) -> None:
        """
        With a heartbeat of 0 nobody is pinged or judged.
        """
        self.world.clock.advance(86400)
        self.assertEqual(self.wire.taken(), b"")
        self.assertFalse(self.wire.aborted)


class Flood:
    """
    A console that sends as long as it may, and closes behind its last byte.

    @ivar sent: bytes so far.
    """

    def __init__(self, stream: ByteStream, total: int) -> None:
        self._stream = stream
        self._total = total
        self._going = False
        self.sent = 0
        self.paused = Deferred[None]()

    def resumeProducing(self) -> None:
        """
        Go on until paused.
        """
        self._going = True
        while self._going and self.sent < self._total:
            self._stream.write(b"x" * 65536)
            self.sent += 65536
        if self.sent == self._total:
            self._stream.transport.unregisterProducer()
            self._stream.close(1000, "over")

    def pauseProducing(self) -> None:
        """
        Wait.
        """
        self._going = False
        if not self.paused.called:
            self.paused.callback(None)

    def stopProducing(self) -> None:
        """
        Never again.
        """
        self._going = False


class SlowReader(Protocol):
    """
    A client that opens a WebSocket and then does not read, for the moment.
    """

    def __init__(self) -> None:
        self._received = bytearray()
        self.whole = Deferred[bytes]()

    def connectionMade(self) -> None:
        self.transport.write(openingRequest())
        self.transport.pauseProducing()  # type: ignore[attr-defined]

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\x88\x06\x03\xe8over"):
            self.whole.callback(bytes(self._received))


class BackPressureTests(TestCase):
    """
    Over real sockets.
    """

    timeout = 30

    async def test_slowReader(self) -> None:
        """
        A viewer that does not read stops the console that floods it, before much is held; when it reads again, nothing
        is missing.
        """
        world = WebWorld()
        port = reactor.listenTCP(0, world.site, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        came = Deferred[IViewer]()
        serve = world.broker.serve
        world.broker.serve = lambda viewer: (came.callback(viewer), serve(viewer))[1]  # type: ignore[method-assign]
        total = 32 * 1024 * 1024
        reader = SlowReader()
        client = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), reader)
        stream = admitted(await came)
        flood = Flood(stream, total)
        stream.transport.registerProducer(flood, True)
        flood.resumeProducing()
        await flood.paused
        # What is under way lies in the buffers of the kernel, but for some 64 KiB.
        self.assertLess(flood.sent, total // 2)
        client.transport.resumeProducing()
        data = await reader.whole
        *frames, last = unframed(Answer(data).rest)
        self.assertEqual(last, closeFrame(1000, "over"))
        self.assertEqual(set(frames), {(0x82, b"x" * 65536)})
        self.assertEqual(len(frames) * 65536, total)
        gone = Deferred[None]()
        reader.connectionLost = lambda reason=None: gone.callback(None)  # type: ignore[assignment, method-assign, misc]
        client.transport.loseConnection()
        await gone
