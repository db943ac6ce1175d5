"""
A process that serves the API on a free port of loopback, with its state in memory, until its standard input ends.

It prints one line: the URL.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react

from tests.apiworld import World, makeSession


class _UntilTheEnd(Protocol):
    def __init__(self, ended: Deferred[None]) -> None:
        self._ended = ended

    def connectionLost(self, reason: object = None) -> None:
        self._ended.callback(None)


async def serve(reactor: Any) -> None:
    """
    Serve until nobody wants it any more.
    """
    world = World(reactor)
    world.sessions.up += [makeSession("s1"), makeSession("s2")]
    port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(world.site)
    print(f"http://127.0.0.1:{port.getHost().port}", flush=True)
    ended: Deferred[None] = Deferred()
    StandardIO(_UntilTheEnd(ended))
    await ended


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(serve(reactor)))
