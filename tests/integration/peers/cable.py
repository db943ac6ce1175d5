"""
The cable between two peers: a TCP relay that a test may cut, freeze and plug in again.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.integration.peers.bench import Bench


class _End(Protocol):
    """
    One end of a connection through the cable: what comes in here goes out at the C{other} end.
    """

    transport: Any

    def __init__(self, cable: Cable) -> None:
        self._cable = cable
        self._held: list[bytes] = []
        self._over = False
        self.other: _End | None = None
        self.up = False

    def connectionMade(self) -> None:
        self.up = True
        self._cable.ends.add(self)

    def dataReceived(self, data: bytes) -> None:
        self._held.append(data)
        self.passOn()

    def passOn(self) -> None:
        """
        Hand what came in, and the hang-up after it, to the other end, as soon as there is one and the cable is not
        frozen.
        """
        if self._cable.frozen or self.other is None:
            return
        self.other.transport.writeSequence(self._held)
        self._held.clear()
        if self._over:
            self.other.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._over = True
        self.up = False
        # A frozen cable tells nobody before it thaws, as a network that drops every packet.
        self.passOn()

    def cut(self) -> None:
        """
        Reset the connection and forget what it brought.
        """
        self._held.clear()
        self.transport.abortConnection()


class _Near(_End):
    """
    The end that was connected to; it reaches for the peer.
    """

    def __init__(self, cable: Cable) -> None:
        super().__init__(cable)
        self._reaching: Deferred[Any] | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self._reaching = self._cable.reach()
        self._reaching.addCallbacks(self._reached, self._missed)

    def _reached(self, far: _End) -> None:
        self.other, far.other = far, self
        self.passOn()
        far.passOn()

    def _missed(self, reason: Failure) -> None:
        # Nobody is there: this side hears of it in the way that it would without the cable.
        reason.trap(ConnectError, ConnectingCancelledError)
        self.cut()

    def cut(self) -> None:
        if self._reaching is not None:
            reaching, self._reaching = self._reaching, None
            reaching.cancel()
        super().cut()


class Cable:
    """
    A cable that is laid.

    @ivar port: of 127.0.0.1; to connect there is to connect to the peer at the other end.
    @ivar frozen: nothing is passed on.
    @ivar ends: the ends of all connections so far; two for each that came about.
    """

    def __init__(self, bench: Bench, target: int) -> None:
        self._bench = bench
        self._target = TCP4ClientEndpoint(bench.reactor, "127.0.0.1", target)
        self._listening: Any = None
        self.frozen = False
        self.ends: set[_End] = set()
        self.port = 0

    @property
    def connections(self) -> int:
        """
        How many connections are up through the cable.
        """
        return sum(isinstance(end, _Near) and end.up for end in self.ends)

    def freeze(self) -> None:
        """
        Pass nothing on from now, in either direction, and say nothing of it: connections stay up and can be made.
        """
        self.frozen = True

    def thaw(self) -> None:
        """
        Pass on what was held back, and go on.
        """
        self.frozen = False
        for end in self.ends:
            end.passOn()

    def cut(self) -> None:
        """
        Reset every connection, at both of its ends. New ones may be made.
        """
        for end in list(self.ends):
            end.cut()

    async def unplug(self) -> None:
        """
        Reset every connection and refuse new ones.
        """
        listening, self._listening = self._listening, None
        if listening is not None:
            await self._bench.within(5, listening.stopListening(), "the cable to be unplugged")
        self.cut()
        await self._bench.until(lambda: not any(end.up for end in self.ends), "the cable's connections to end", 5)

    async def plug(self) -> None:
        """
        Take connections again, on the same port.
        """
        factory = Factory.forProtocol(lambda: _Near(self))
        self._listening = self._bench.reactor.listenTCP(self.port, factory, interface="127.0.0.1")
        self.port = self._listening.getHost().port

    def reach(self) -> Deferred[Any]:
        """
        One more connection to the peer; fires with its L{_End}.
        """
        return self._target.connect(Factory.forProtocol(lambda: _End(self)))


async def startCable(bench: Bench, target: int) -> Cable:
    """
    Lay a cable to C{target}, a port of 127.0.0.1.
    """
    cable = Cable(bench, target)
    await cable.plug()
    bench.atEnd(cable.unplug)
    return cable
