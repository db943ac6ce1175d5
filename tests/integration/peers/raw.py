"""
Bytes to a port and what comes back, with no protocol around them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory

from tests.integration.peers.bench import Bench
from tests.integration.peers.rfb import Incoming


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
