"""
The server's side of the token-check protocol: one connection, and the factory of all.

::

    connected ──► key, client certificate, or UNIX socket ──► requests, answered each as it is done ──► closed
        │ too slow, or wrong                                     │ a line too long, or silence
        ╰──────────────────────────► closed ◄────────────────────╯

Who asks faster than we answer, or does not read what we answer, is not read any more until that is over. So nobody
makes us keep more than L{MOST_RUNNING} requests and what one read of the socket has brought.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import attrs
from msgspec import UNSET
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from vncproxy.attempts import ANY_NUMBER, Attempts
from vncproxy.consoleauth import params as shapes
from vncproxy.consoleauth.messages import (
    LINE_LIMIT,
    VERSION,
    Code,
    Fault,
    Lines,
    Request,
    decodeParams,
    decodeRequest,
    encodeFault,
    encodeResult,
)
from vncproxy.consoleauth.methods import Caller, Methods, faultOf
from vncproxy.errors import TooManyAttempts, VNCProxyError
from vncproxy.interfaces import IKeyRing
from vncproxy.model import Role
from vncproxy.stream import CLOSING_SECONDS, peerAddress, tuneSocket

_log = Logger()

MOST_RUNNING: Final = 64
"""
How many requests of one connection are worked on at a time.
"""

MOST_STRANGERS: Final = 200
"""
How many connections there may be on which nobody has been let in yet. With one more, the oldest is cut off: who means
well needs no time to speak of.
"""

IDLE_SECONDS: Final = 120.0
"""
A peer that says nothing for so long is hung up on; C{ping} keeps a connection.
"""

KEY_REFUSED: Final = "key_refused"


@attrs.frozen
class Terms:
    """
    What all connections share.

    @ivar keys: who is let in, by an API key of the role C{admin}.
    @ivar openingSeconds: how long a peer may take to be let in.
    @ivar attempts: the wrong keys that peers have shown.
    """

    clock: IReactorTime
    methods: Methods
    keys: IKeyRing
    openingSeconds: float
    attempts: Attempts = ANY_NUMBER


@implementer(IPushProducer)
class ConsoleAuthConnection(Protocol):
    """
    One peer.
    """

    # Any: ITransport does not name abortConnection and what producers need, which all of ours have.
    transport: Any

    def __init__(self, terms: Terms, peers: Peers) -> None:
        self._terms = terms
        self._peers = peers
        self._address = "unknown"
        self._caller: Caller | None = None
        self._lines = Lines()
        self._waiting: deque[bytes] = deque()
        self._running: set[Deferred[None]] = set()
        self._authenticating = False
        self._serving = False
        self._choked = False
        self._paused = False
        self._closing = False
        self._timer: IDelayedCall | None = None

    # From the transport.

    def connectionMade(self) -> None:
        """
        A peer has come.
        """
        tuneSocket(self.transport)
        self._peers.came(self)
        self._address = peerAddress(self.transport.getPeer())
        if isinstance(self.transport.getHost(), UNIXAddress):
            # Its mode has decided.
            self._admit(Caller("", self._address))
        self._setTimer(self._terms.openingSeconds if self._caller is None else IDLE_SECONDS)
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes of the peer.
        """
        if not self._closing:
            self._waiting.extend(self._lines.feed(data))
            self._proceed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The peer is gone: nobody waits for its answers.
        """
        self._closing = True
        self._peers.gone(self)
        self._setTimer(None)
        self._waiting.clear()
        for work in tuple(self._running):
            work.cancel()

    # IPushProducer: what the transport says of its own buffer.

    def pauseProducing(self) -> None:
        """
        The peer does not read its answers.
        """
        self._choked = True
        self._balance()

    def resumeProducing(self) -> None:
        """
        It does again.
        """
        self._choked = False
        self._proceed()

    def stopProducing(self) -> None:
        """
        The connection is gone, which L{connectionLost} tells.
        """

    # The requests.

    def _proceed(self) -> None:
        """
        Take up as many requests as may run.
        """
        if self._serving:
            # An answer that came at once, within the loop below.
            return
        self._serving = True
        while self._waiting and self._mayServe():
            self._serve(self._waiting.popleft())
        self._serving = False
        if self._lines.tooLong and not self._waiting and not self._closing:
            self._write(encodeFault(None, Fault(Code.PARSE_ERROR, f"A line is longer than {LINE_LIMIT} bytes.")))
            self.close()
        self._balance()

    def _mayServe(self) -> bool:
        ready = not (self._closing or self._choked or self._authenticating)
        return ready and len(self._running) < MOST_RUNNING

    def _balance(self) -> None:
        """
        Read on, or not, as there is room for more requests.
        """
        paused = not self._closing and (self._choked or bool(self._waiting))
        if paused is not self._paused:
            self._paused = paused
            if paused:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def _serve(self, line: bytes) -> None:
        try:
            request = decodeRequest(line)
        except Fault as fault:
            self._write(encodeFault(fault.id, fault))
            if self._known() is None:
                self.close()
            return
        work = Deferred.fromCoroutine(self._answer(request))
        self._running.add(work)
        work.addBoth(self._answered, work)

    def _answered(self, result: object, work: Deferred[None]) -> None:
        self._running.discard(work)
        if isinstance(result, Failure) and not result.check(CancelledError):
            _log.failure("a request of {peer} could not be answered", result, peer=self._address)
            self.transport.abortConnection()
        self._proceed()

    async def _answer(self, request: Request) -> None:
        """
        Do what a request asks for, and say how it went.
        """
        fault: Fault | None = None
        try:
            caller = self._known()
            if request.method == "authenticate":
                result: Any = await self._authenticate(request)
            elif caller is None:
                raise Fault(Code.UNAUTHENTICATED, "Call authenticate first.", KEY_REFUSED)
            else:
                self._setTimer(IDLE_SECONDS)
                result = await self._terms.methods.run(request, caller)
        except Fault as error:
            fault = error
        except CancelledError:
            raise
        except Exception:
            # The outermost edge: a fault of ours is logged in full, and its caller is told no more than that.
            _log.failure("{method} failed for {peer}", method=request.method, peer=self._address)
            fault = Fault(Code.INTERNAL_ERROR, "Something went wrong on the token service.", VNCProxyError.reason)
        if request.id is not UNSET:
            line = encodeResult(request.id, result) if fault is None else encodeFault(request.id, fault)
            self._write(line)
        if fault is not None and (fault.code is Code.UNAUTHENTICATED or self._caller is None):
            self.close()

    # Who it is.

    def _known(self) -> Caller | None:
        """
        Who calls, L{None} while nobody knows.
        """
        if self._caller is None and _hasCertificate(self.transport):
            # TLS has verified it, or there would be no connection.
            self._admit(Caller("", self._address))
        return self._caller

    async def _authenticate(self, request: Request) -> shapes.Welcome:
        shown = decodeParams(request.params, shapes.Authenticate)
        try:
            self._terms.attempts.check(self._address)
        except TooManyAttempts as error:
            words = f"Too many wrong keys came from your address. Try again in {error.retryAfter} s."
            raise Fault(Code.UNAUTHENTICATED, words, error.reason) from error
        # What comes behind it may depend on it.
        self._authenticating = True
        # It counts as wrong until it has proved good, as others may be shown meanwhile.
        self._terms.attempts.failed(self._address)
        try:
            key = await self._terms.keys.whose(shown.key.encode("utf-8"))
        except VNCProxyError as error:
            self._terms.attempts.passed(self._address)
            raise faultOf(error) from error
        finally:
            self._authenticating = False
        if key is None or key.role is not Role.ADMIN:
            _log.warn("consoleauth: {peer} shows a key that is not good here", peer=self._address)
            raise Fault(Code.UNAUTHENTICATED, "This key is not good here.", KEY_REFUSED)
        self._terms.attempts.passed(self._address)
        self._admit(Caller(key.name, self._address))
        self._setTimer(IDLE_SECONDS)
        return shapes.Welcome(version=VERSION)

    def _admit(self, caller: Caller) -> None:
        self._caller = caller
        self._peers.known(self)
        _log.info("consoleauth: {peer} is let in (key {key})", peer=caller.address, key=caller.name or "none needed")

    # The end.

    def close(self) -> None:
        """
        Send what is under way and hang up. A peer that does not take it in time is cut off.
        """
        if self._closing:
            return
        self._closing = True
        self._waiting.clear()
        # With a producer registered, a TLS transport never closes.
        self.transport.unregisterProducer()
        self._setTimer(CLOSING_SECONDS)
        self.transport.loseConnection()

    def abort(self) -> None:
        """
        Hang up at once.
        """
        self.transport.abortConnection()

    def _write(self, line: bytes) -> None:
        if not self._closing:
            self.transport.write(line)

    def _setTimer(self, seconds: float | None) -> None:
        if self._timer is not None and self._timer.active():
            if seconds is not None:
                self._timer.reset(seconds)
                return
            self._timer.cancel()
        self._timer = None if seconds is None else self._terms.clock.callLater(seconds, self._late)

    def _late(self) -> None:
        self._timer = None
        if not self._closing and self._caller is None:
            self._write(encodeFault(None, Fault(Code.UNAUTHENTICATED, "You took too long.", KEY_REFUSED)))
            self.close()
        else:
            self.abort()


class Peers:
    """
    All connections; those on which nobody has been let in yet, oldest first, are strangers.
    """

    def __init__(self) -> None:
        self._all: set[ConsoleAuthConnection] = set()
        self._strangers: dict[ConsoleAuthConnection, None] = {}

    def came(self, peer: ConsoleAuthConnection) -> None:
        """
        A stranger has come.
        """
        self._all.add(peer)
        self._strangers[peer] = None
        if len(self._strangers) > MOST_STRANGERS:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.abort()

    def known(self, peer: ConsoleAuthConnection) -> None:
        """
        One has been let in.
        """
        self._strangers.pop(peer, None)

    def gone(self, peer: ConsoleAuthConnection) -> None:
        """
        One has gone.
        """
        self._all.discard(peer)
        self._strangers.pop(peer, None)

    def stop(self) -> None:
        """
        Hang up on everybody.
        """
        for peer in tuple(self._all):
            peer.abort()


class ConsoleAuthFactory(ServerFactory):
    """
    Serves the token-check protocol.
    """

    noisy = False

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._peers = Peers()

    def buildProtocol(self, addr: IAddress | None) -> ConsoleAuthConnection:
        """
        One connection.
        """
        return ConsoleAuthConnection(self._terms, self._peers)

    def stop(self) -> None:
        """
        Hang up on everybody.
        """
        self._peers.stop()


def _hasCertificate(transport: Any) -> bool:
    """
    Whether the peer has shown a certificate. Before TLS is agreed there is none.
    """
    ask = getattr(transport, "getPeerCertificate", None)
    return ask is not None and ask() is not None
