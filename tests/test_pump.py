"""
Tests for L{vncproxy.pump}: over real sockets, as what it does is about them.
"""

from __future__ import annotations

import random
from typing import Any

from twisted.internet import reactor as _reactor  # noqa: TID251  # real sockets, trial's reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from vncproxy.pump import READ_SIZE, readMuch, writerTo

reactor: Any = _reactor


class _Reader(Protocol):
    """
    Gathers what comes.
    """

    transport: Any

    def __init__(self) -> None:
        self.got = bytearray()
        self.gone: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.got += data

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.gone.callback(None)


class OtherTransportTests(SynchronousTestCase):
    """
    Transports that are no plain TCP.
    """

    def test_ownWay(self) -> None:
        """
        The parts go to the transport, in order.
        """
        transport = StringTransport()
        writerTo(transport)(b"head", b"body")
        self.assertEqual(transport.value(), b"headbody")

    def test_readMuch(self) -> None:
        """
        How they read is theirs.
        """
        transport = StringTransport()
        before = dict(vars(transport))
        readMuch(transport)
        self.assertEqual(vars(transport), before)


class TCPTests(TestCase):
    """
    Plain TCP, with a reader at the other end.
    """

    timeout = 20

    async def _connect(self) -> tuple[Any, _Reader]:
        """
        A transport to write to, and the reader of it.
        """
        reader = _Reader()
        port = reactor.listenTCP(0, Factory.forProtocol(lambda: reader), interface="127.0.0.1")
        writer: Any = await TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port).connect(
            Factory.forProtocol(_Reader)
        )
        await port.stopListening()
        while reader.transport is None:
            await deferLater(reactor, 0.01)
        return writer, reader

    async def _part(self, writer: Any, reader: _Reader) -> None:
        writer.transport.abortConnection()
        await writer.gone
        await reader.gone

    async def test_atOnce(self) -> None:
        """
        What the socket takes is out when the call returns: nothing waits in the transport.
        """
        writer, reader = await self._connect()
        writerTo(writer.transport)(b"head", b"body")
        self.assertEqual((writer.transport.dataBuffer, writer.transport._tempDataBuffer), (b"", []))
        while len(reader.got) < 8:
            await deferLater(reactor, 0.01)
        self.assertEqual(bytes(reader.got), b"headbody")
        await self._part(writer, reader)

    async def test_inOrder(self) -> None:
        """
        Nothing is lost, doubled or overtaken, however slowly the reader reads and whoever else writes in between.
        """
        writer, reader = await self._connect()
        write = writerTo(writer.transport)
        dice = random.Random(7)
        expected = bytearray()
        for number in range(120):
            parts = [
                bytes((number % 251,)) * dice.choice((1, 9, 5000, 70000, 300000)) for _ in range(dice.randint(1, 2))
            ]
            expected += b"".join(parts)
            if dice.random() < 0.2:
                writer.transport.writeSequence(parts)
            else:
                write(*parts)
            if number == 20:
                reader.transport.pauseProducing()
            elif number == 60:
                reader.transport.resumeProducing()
            if dice.random() < 0.5:
                await deferLater(reactor, 0)
        while len(reader.got) < len(expected):
            await deferLater(reactor, 0.01)
        self.assertTrue(reader.got == expected)
        await self._part(writer, reader)

    async def test_producerIsStopped(self) -> None:
        """
        A reader that does not read stops the producer, after no more than what the kernel holds and one buffer.
        """
        writer, reader = await self._connect()
        reader.transport.pauseProducing()
        producer = StringTransport()
        writer.transport.registerProducer(producer, True)
        write = writerTo(writer.transport)
        written = 0
        while producer.producerState == "producing" and written < 64 * 1024 * 1024:
            write(bytes(65536))
            written += 65536
        self.assertEqual(producer.producerState, "paused")
        self.assertLessEqual(len(writer.transport.dataBuffer) + writer.transport._tempDataLen, 2 * 65536)
        reader.transport.resumeProducing()
        while len(reader.got) < written:
            await deferLater(reactor, 0.01)
        self.assertEqual(producer.producerState, "producing")
        writer.transport.unregisterProducer()
        await self._part(writer, reader)

    async def test_brokenConnection(self) -> None:
        """
        Writing to a peer that has vanished raises nothing; the transport tells it as ever.
        """
        writer, reader = await self._connect()
        write = writerTo(writer.transport)
        reader.transport.abortConnection()
        await reader.gone
        for _ in range(3):
            write(b"into the void")
        await writer.gone
        write(b"after the end")
        self.assertEqual(bytes(reader.got), b"")

    async def test_readMuch(self) -> None:
        """
        A TCP transport reads more at a time.
        """
        writer, reader = await self._connect()
        readMuch(reader.transport)
        self.assertEqual(reader.transport.bufferSize, READ_SIZE)
        await self._part(writer, reader)
