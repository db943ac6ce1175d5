"""
Servers that real ones are not reliably, each a few lines: silent, wrong, flooding, listening to the end.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.integration.peers.bench import Bench

_BANNER: Final = b"RFB 003.008\n"
_NAME: Final = b"scripted"
_SCREEN: Final = (64, 48)
# 32 bits a pixel, true colour.
_PIXEL_FORMAT: Final = bytes.fromhex("20180001 00ff00ff00ff 100800 000000")
_BLOCK: Final = bytes(64 * 1024)


class Saying(Protocol):
    """
    Says one thing when it is connected to, then nothing.
    """

    transport: Any

    def __init__(self, words: bytes = b"") -> None:
        self._words = words

    def connectionMade(self) -> None:
        self.transport.write(self._words)


class ScriptedRFB(Protocol):
    """
    An RFB server, security None, that shows nothing (RFC 6143 sections 7.1 to 7.3).

    @cvar desktop: its ServerInit.
    @ivar heard: what the viewer said after its ClientInit.
    @ivar over: the connection has ended.
    """

    transport: Any
    desktop = struct.pack(">HH", *_SCREEN) + _PIXEL_FORMAT + struct.pack(">I", len(_NAME)) + _NAME

    def __init__(self) -> None:
        self.heard = b""
        self.over = False
        # What it answers to each message, and how many bytes each has.
        self._script = [(len(_BANNER), b"\x01\x01"), (1, bytes(4)), (1, self.desktop)]

    def connectionMade(self) -> None:
        self.transport.write(_BANNER)

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        while self._script and len(self.heard) >= self._script[0][0]:
            length, answer = self._script.pop(0)
            self.heard = self.heard[length:]
            self.transport.write(answer)
            if not self._script:
                self.opened()

    def opened(self) -> None:
        """
        The viewer is in.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over = True


@implementer(IHalfCloseableProtocol)
class Patient(ScriptedRFB):
    """
    Hears the viewer out: it answers once the viewer has said that it sends no more, and hangs up.
    """

    def readConnectionLost(self) -> None:
        self.transport.write(b"heard " + self.heard)
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Nothing is left to say.
        """


@implementer(IPushProducer)
class Flood(ScriptedRFB):
    """
    Sends without end, as fast as it is taken.

    @ivar sent: bytes so far.
    @ivar stuck: nobody takes more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.stuck = False

    def opened(self) -> None:
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self.stuck = False
        # The transport pauses this once it has enough to do.
        while not self.stuck and not self.over:
            self.sent += len(_BLOCK)
            self.transport.write(_BLOCK)

    def pauseProducing(self) -> None:
        self.stuck = True

    def stopProducing(self) -> None:
        self.stuck = True


class Server:
    """
    A scripted server that listens.

    @ivar port: of 127.0.0.1.
    @ivar protocols: one for each connection so far.
    """

    def __init__(self, bench: Bench, make: Callable[[], Protocol]) -> None:
        self.protocols: list[Any] = []

        def build() -> Protocol:
            self.protocols.append(make())
            protocol: Protocol = self.protocols[-1]
            return protocol

        listening = bench.reactor.listenTCP(0, Factory.forProtocol(build), backlog=500, interface="127.0.0.1")
        self.port: int = listening.getHost().port
        bench.atEnd(self._hangUp)
        bench.atEnd(listening.stopListening)

    @property
    def url(self) -> str:
        """
        Its target URL.
        """
        return f"vnc://127.0.0.1:{self.port}"

    def _hangUp(self) -> None:
        for protocol in self.protocols:
            if protocol.transport.connected:
                protocol.transport.abortConnection()


def startScripted(bench: Bench, make: Callable[[], Protocol] = ScriptedRFB) -> Server:
    """
    Listen on a free port.

    @param make: the protocol of one connection.
    """
    return Server(bench, make)
