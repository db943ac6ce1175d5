"""
Raw TCP: bytes to a port and what comes back, and what Java viewers say first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from tests.integration.peers.bench import Bench
from tests.integration.peers.rfb import Incoming


@implementer(IStreamClientEndpoint)
class Preceded:
    """
    A way on which something is said before what connects gets to speak, as load balancers do.
    """

    def __init__(self, bench: Bench, endpoint: IStreamClientEndpoint, pieces: Sequence[bytes]) -> None:
        """
        @param pieces: each is a segment of its own, a moment after the one before.
        """
        self._bench = bench
        self._endpoint = endpoint
        self._pieces = pieces

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        See L{IStreamClientEndpoint.connect}.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, protocolFactory: IProtocolFactory) -> Any:
        silent = await self._endpoint.connect(Factory.forProtocol(Protocol))
        transport: Any = silent.transport
        transport.setTcpNoDelay(True)
        for piece in self._pieces:
            transport.write(piece)
            await self._bench.pause(0.05)
        speaker: Any = protocolFactory.buildProtocol(transport.getPeer())
        transport.protocol = speaker
        speaker.makeConnection(transport)
        return speaker


async def tell(bench: Bench, port: int, words: bytes, closeHalf: bool = False, timeout: float = 10.0) -> bytes:
    """
    Connect to a port of 127.0.0.1 and say C{words}; everything that is said there until it hangs up.

    @param closeHalf: close our half behind the words.
    """
    endpoint = TCP4ClientEndpoint(bench.reactor, "127.0.0.1", port)
    incoming: Any = await bench.within(timeout, endpoint.connect(Factory.forProtocol(Incoming)), f"port {port}")
    try:
        incoming.transport.write(words)
        if closeHalf:
            incoming.transport.loseWriteConnection()
        await bench.within(timeout, incoming.end(), f"port {port} to hang up")
    finally:
        incoming.transport.abortConnection()
    received: bytes = incoming.received
    return received


def tokenOf(url: str) -> str:
    """
    The token of an access URL.
    """
    (token,) = parse_qs(urlsplit(url).query)["token"]
    return token


def originForm(url: str) -> bytes:
    """
    The request of nova's viewer for an access URL: path and query, and not one header.
    """
    parts = urlsplit(url)
    return f"CONNECT {parts.path}?{parts.query} HTTP/1.0\r\n\r\n".encode()
