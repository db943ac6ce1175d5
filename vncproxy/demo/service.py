"""
The demo desktop as a service: it listens, lets viewers in, and lets go of them when it stops.
"""

from __future__ import annotations

from collections.abc import Callable
from os import urandom
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from vncproxy.demo.desktop import DemoDesktop
from vncproxy.demo.greeting import greet
from vncproxy.demo.viewer import DemoViewer
from vncproxy.errors import VNCProxyError
from vncproxy.rfb.handshake import readClientInit
from vncproxy.rfb.vncauth import CHALLENGE_LENGTH
from vncproxy.stream import ByteStream

_log = Logger()

#: How long a viewer may take for its opening, in seconds.
HANDSHAKE_SECONDS: Final = 15.0


class DemoFactory(Factory):
    """
    Lets viewers in to a desktop.

    @ivar desktop: it.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        password: str | None = None,
        desktop: DemoDesktop | None = None,
        random: Callable[[int], bytes] = urandom,
    ) -> None:
        """
        @param password: what viewers must know, L{None} if nothing.
        @param desktop: a new one, if not given.
        @param random: gives so many bytes that nobody can foresee.
        """
        self.desktop = desktop or DemoDesktop(clock)
        self._clock = clock
        self._password = password
        self._random = random
        self._streams: dict[ByteStream, Deferred[None] | DemoViewer] = {}
        self._idle: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> ByteStream:
        """
        A new connection.
        """
        stream = ByteStream(self._clock, connected=lambda: self._connected(stream), lost=lambda: self._lost(stream))
        return stream

    def disconnectAll(self) -> Deferred[None]:
        """
        Hang up on every viewer. Fires when all connections are gone.
        """
        for occupant in tuple(self._streams.values()):
            if isinstance(occupant, DemoViewer):
                occupant.end()
            else:
                occupant.cancel()
        gone: Deferred[None] = Deferred()
        self._idle.append(gone)
        self._noteIdle()
        return gone

    def _connected(self, stream: ByteStream) -> None:
        """
        The connection is there: let the viewer in.
        """
        opening = Deferred.fromCoroutine(self._open(stream))
        self._streams.setdefault(stream, opening)
        opening.addErrback(self._refused, stream)

    async def _open(self, stream: ByteStream) -> None:
        """
        Go through the opening, and hand the stream to its viewer.
        """
        stream.expectWithin(HANDSHAKE_SECONDS)
        await greet(stream, self._password, self._random(CHALLENGE_LENGTH))
        await readClientInit(stream)
        viewer = self._streams[stream] = DemoViewer(self.desktop, stream)
        viewer.start()

    def _refused(self, failure: Failure, stream: ByteStream) -> None:
        """
        The opening has failed.
        """
        if failure.check(VNCProxyError):
            _log.info("A viewer was not let in to the demo desktop: {error}", error=failure.value)
        elif not failure.check(CancelledError):
            _log.failure("A viewer could not be let in to the demo desktop.", failure)
        stream.close()

    def _lost(self, stream: ByteStream) -> None:
        """
        The connection is gone.
        """
        self._streams.pop(stream, None)
        self._noteIdle()

    def _noteIdle(self) -> None:
        if not self._streams:
            idle, self._idle = self._idle, []
            for gone in idle:
                gone.callback(None)


class DemoService(Service):
    """
    A demo desktop at an endpoint.

    @ivar factory: lets viewers in.
    """

    name = "demo"

    def __init__(self, endpoint: IStreamServerEndpoint, factory: DemoFactory) -> None:
        self.factory = factory
        self._endpoint = endpoint
        self._listening: Deferred[IListeningPort | None] | None = None
        self._port: IListeningPort | None = None
        self._waiting: list[Deferred[IAddress]] = []

    def whenListening(self) -> Deferred[IAddress]:
        """
        Fires with the address as soon as the desktop can be reached. Fails with what is in the way of that, if it is
        asked before the service is started.
        """
        if self._port is not None:
            return succeed(self._port.getHost())
        waiting: Deferred[IAddress] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def startService(self) -> None:
        """
        Begin to listen.
        """
        super().startService()
        self._listening = self._endpoint.listen(self.factory).addCallbacks(self._isListening, self._cannotListen)

    def _isListening(self, port: IListeningPort) -> None:
        self._port = port
        for waiting in self._waiting:
            waiting.callback(port.getHost())
        self._waiting.clear()

    def _cannotListen(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            _log.error("The demo desktop cannot listen: {error}", error=failure.value)
        for waiting in self._waiting:
            waiting.errback(failure)
        self._waiting.clear()

    def stopService(self) -> Deferred[None]:
        """
        Stop listening and hang up on every viewer. Fires when all of it is done.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        await self.factory.disconnectAll()


def makeDemoService(reactor: object, endpoint: str, password: str | None = None) -> DemoService:
    """
    A demo desktop of its own.

    @param reactor: listens, and tells the time.
    @param endpoint: where to listen, as a Twisted endpoint string such as C{"tcp:5900:interface=127.0.0.1"}.
    @param password: what viewers must know, L{None} if nothing.

    @raise ValueError: the endpoint string is none.
    """
    return DemoService(serverFromString(reactor, endpoint), DemoFactory(IReactorTime(reactor), password))
