"""
A port that speaks TLS, and tells those who come without it where to go::

    first byte 0x16 (a TLS handshake record, RFC 8446 section 5.1)  ──► TLS, then the frontend
    anything else ──► read as an HTTP request ──► 308 to https, or a 400 in words
                      or the frontend as well, where both are served on one port
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from vncproxy.errors import VNCProxyError
from vncproxy.frontends.conversation import converse
from vncproxy.httphead import HEAD_END, HEAD_LIMIT, RequestHead, encodeResponse, parseRequestHead
from vncproxy.stream import ByteStream, tuneSocket

_log = Logger()

_HANDSHAKE_RECORD: Final = 0x16

_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?", re.ASCII)


def redirect(head: RequestHead) -> bytes:
    """
    The answer to a request that came in clear.
    """
    host = head.headers.get("host", "")
    if head.target.startswith("/") and not head.target.startswith("//") and _HOST.fullmatch(host):
        return encodeResponse(
            308,
            "Permanent Redirect",
            "This port speaks TLS: use https.\n",
            headers={"Location": f"https://{host}{head.target}"},
        )
    return encodeResponse(400, "Bad Request: this port speaks TLS", "This port speaks TLS: use https.\n")


class _FirstByte(Protocol):
    """
    A connection that is not known to be TLS yet; afterwards it passes on what it gets.
    """

    # Any: ITransport does not name abortConnection, which every TCP transport has.
    transport: Any

    def __init__(self, factory: TLSPortFactory, addr: IAddress | None) -> None:
        self._factory = factory
        self._addr = addr
        self._inner: IProtocol | None = None
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        tuneSocket(self.transport)
        self._timer = self._factory.clock.callLater(self._factory.handshakeSeconds, self._late)

    def _late(self) -> None:
        """
        Time is up for the first byte and for the TLS handshake. What comes then has its own limits.
        """
        self._timer = None
        inner = self._inner
        if inner is None or (isinstance(inner, TLSMemoryBIOProtocol) and inner.getHandle().get_peer_finished() is None):
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self._inner = self._factory.choose(data[0], self._addr)
        self._inner.makeConnection(self.transport)
        # No call of ours in between from here on.
        self.dataReceived = self._inner.dataReceived  # type: ignore[method-assign]
        self._inner.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._inner is not None:
            self._inner.connectionLost(reason)


class TLSPortFactory(ServerFactory):
    """
    Wraps a frontend's factory in TLS.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        creator: IOpenSSLServerConnectionCreator,
        wrapped: IProtocolFactory,
        handshakeSeconds: float,
        alsoPlain: bool = False,
    ) -> None:
        """
        @param handshakeSeconds: how long a client may take for the TLS handshake, and for a request in clear.
        @param alsoPlain: serve those who come without TLS as well.
        """
        self.clock = clock
        self.handshakeSeconds = handshakeSeconds
        self._wrapped = wrapped
        self._alsoPlain = alsoPlain
        self._tls = TLSMemoryBIOFactory(creator, False, wrapped, clock)

    def doStart(self) -> None:
        """
        The port is open.
        """
        super().doStart()
        self._wrapped.doStart()

    def doStop(self) -> None:
        """
        The port is closed.
        """
        self._wrapped.doStop()
        super().doStop()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        One connection.
        """
        return _FirstByte(self, addr)

    def choose(self, first: int, addr: IAddress | None) -> IProtocol:
        """
        Who goes on, after the first byte.
        """
        if first == _HANDSHAKE_RECORD:
            return self._tls.buildProtocol(addr)
        if self._alsoPlain:
            return cast(IProtocol, self._wrapped.buildProtocol(cast(IAddress, addr)))
        return converse(self.clock, self._answer)

    async def _answer(self, stream: ByteStream) -> None:
        """
        To somebody who speaks HTTP in clear, or nothing that we know.
        """
        stream.expectWithin(self.handshakeSeconds)
        try:
            stream.write(redirect(parseRequestHead(await stream.readUntil(HEAD_END, HEAD_LIMIT))))
        except VNCProxyError as error:
            _log.debug("no TLS and no HTTP on a TLS port: {error}", error=str(error))
        stream.close()
