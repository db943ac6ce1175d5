"""
A port whose clients come through a load balancer that speaks the PROXY protocol::

    somebody trusted  ──► header ──► the rest of the connection, as if the client itself had come
    anybody else      ──► the connection as it is

Twisted has a wrapper for it as well (C{twisted.protocols.haproxy}); it hangs up when the first segment is a short one,
and it stays between the transport and what is served, where it costs a call and a check for every piece of data.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from vncproxy.addresses import TrustedPeers
from vncproxy.errors import ProtocolError
from vncproxy.proxyprotocol import ProxyHeader, parseProxyHeader
from vncproxy.stream import peerAddress

_log = Logger()

_ADDRESSES: Final = {4: IPv4Address, 6: IPv6Address}


class _Header(Protocol):
    """
    A connection whose header has not come whole.
    """

    # Any: ITransport does not name all that every transport of a server has.
    transport: Any

    def __init__(self, factory: ProxiedPortFactory, addr: IAddress) -> None:
        self._factory = factory
        self._addr = addr
        self._received = b""
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._timer = self._factory.clock.callLater(self._factory.handshakeSeconds, self._late)

    def _late(self) -> None:
        self._timer = None
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        try:
            header = parseProxyHeader(self._received)
        except ProtocolError as error:
            _log.warn("{peer} is trusted, and yet {error}", peer=peerAddress(self._addr), error=str(error))
            self.transport.abortConnection()
            return
        if header is not None:
            self._goOn(header)

    def _goOn(self, header: ProxyHeader) -> None:
        """
        Let what serves the port have the connection, as one of the client's.
        """
        self._stopTimer()
        address = self._addr
        if header.client is not None:
            address = client = _ADDRESSES[header.client.version]("TCP", str(header.client), header.port)
            # Whoever asks the transport for its peer, through TLS or HTTP, means the client.
            self.transport.getPeer = lambda: client
        inner = self._factory.wrapped.buildProtocol(address)
        if inner is None:
            self.transport.abortConnection()
            return
        self.transport.protocol = inner
        inner.makeConnection(self.transport)
        rest = self._received[header.length :]
        if rest:
            inner.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stopTimer()

    def _stopTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class ProxiedPortFactory(ServerFactory):
    """
    Wraps the factory of a port.
    """

    noisy = False

    def __init__(
        self, clock: IReactorTime, trusted: TrustedPeers, wrapped: IProtocolFactory, handshakeSeconds: float
    ) -> None:
        """
        @param trusted: those that begin with a header.
        @param wrapped: serves the port; it may be the one that does TLS.
        @param handshakeSeconds: how long the header may take.
        """
        self.clock = clock
        self.wrapped = wrapped
        self.handshakeSeconds = handshakeSeconds
        self._trusted = trusted

    def doStart(self) -> None:
        """
        The port is open.
        """
        super().doStart()
        self.wrapped.doStart()

    def doStop(self) -> None:
        """
        The port is closed.
        """
        self.wrapped.doStop()
        super().doStop()

    # Any: what is wrapped makes any protocol for any address, and Twisted's own factories promise one of theirs.
    def buildProtocol(self, addr: Any) -> Any:
        """
        One connection.
        """
        if peerAddress(addr) in self._trusted:
            return _Header(self, addr)
        return self.wrapped.buildProtocol(addr)
