"""
Dialling: from a target to a connected stream.

A target's text never becomes an endpoint string: those open local paths and key files. The endpoint is built by kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from twisted.internet.address import IPv4Address as TCP4
from twisted.internet.address import IPv6Address as TCP6
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from vncproxy.errors import ConsoleForbidden, ConsoleUnreachable
from vncproxy.model import Target, TargetKind
from vncproxy.stream import ByteStream

Network = IPv4Network | IPv6Network


def mayDial(address: str, networks: Sequence[Network]) -> bool:
    """
    Whether an address lies in one of the allowed networks; every address does where none are named. An IPv4 address
    that is written as an IPv6 one counts as what it is.
    """
    if not networks:
        return True
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return any(parsed.ipv4_mapped in network for network in networks)
    return any(parsed in network for network in networks)


@implementer(IResolutionReceiver)
class _AllowedAddresses:
    """
    Passes on the addresses that may be dialled, and remembers whether any could not.
    """

    def __init__(self, receiver: IResolutionReceiver, scope: _Scope) -> None:
        self._receiver = receiver
        self._scope = scope

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        self._receiver.resolutionBegan(resolution)

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, TCP4 | TCP6) and mayDial(address.host, self._scope.networks):
            self._receiver.addressResolved(address)
        else:
            self._scope.forbidden = True

    def resolutionComplete(self) -> None:
        self._receiver.resolutionComplete()


_STAND_IN: Final = "console"
"""
What L{HostnameEndpoint} is told that the console is called. It turns down names such as C{my_vm} and C{vm--7}, as no
domain may be registered under them; in the networks where consoles live they are common.
"""


@implementer(IReactorPluggableNameResolver, IHostnameResolver)
class _Scope:
    """
    A reactor in which every name is that of one console, and resolves to allowed addresses only, so that
    L{HostnameEndpoint} never dials another.

    @ivar forbidden: some address was left out.
    """

    def __init__(self, reactor: Any, host: str, networks: Sequence[Network]) -> None:
        self._reactor = reactor
        self._host = host
        self.networks = networks
        self.forbidden = False

    @property
    def nameResolver(self) -> IHostnameResolver:
        return self

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        return self._reactor.installNameResolver(resolver)  # type: ignore[no-any-return]

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        return self._reactor.nameResolver.resolveHostName(  # type: ignore[no-any-return]
            _AllowedAddresses(resolutionReceiver, self), self._host, portNumber, addressTypes, transportSemantics
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


class Dialler:
    """
    Connects to targets.
    """

    def __init__(self, reactor: Any, connectTimeout: float, allowedNetworks: Sequence[Network]) -> None:
        """
        @param connectTimeout: seconds for the whole of it: name, addresses, connection.
        @param allowedNetworks: the only ones dialled; none named is any.
        """
        self._reactor = reactor
        self._connectTimeout = connectTimeout
        self._networks = tuple(allowedNetworks)
        self._factory = Factory.forProtocol(lambda: ByteStream(reactor, halfCloseable=True))
        self._factory.noisy = False

    async def dial(self, target: Target) -> ByteStream:
        """
        @raise ConsoleForbidden: its address lies outside the allowed networks.
        @raise ConsoleUnreachable: nobody answers there, in time.
        """
        scope = _Scope(self._reactor, target.host, self._networks)
        connecting: Deferred[ByteStream] = self._endpoint(target, scope).connect(self._factory)  # type: ignore[assignment]
        connecting.addTimeout(self._connectTimeout, self._reactor, _tooLate)
        try:
            return await _cancellable(connecting)
        except DNSLookupError as error:
            if scope.forbidden:
                raise ConsoleForbidden("its name leads outside the allowed networks") from error
            raise ConsoleUnreachable(f"its name {target.host!r} has no address") from error
        except (ConnectError, OSError) as error:
            raise ConsoleUnreachable(f"it cannot be connected to: {error}") from error

    def _endpoint(self, target: Target, scope: _Scope) -> IStreamClientEndpoint:
        """
        The way to a target; addresses go there directly, names through the resolver.
        """
        if target.kind in (TargetKind.VNC_UNIX, TargetKind.UNIX):
            return UNIXClientEndpoint(self._reactor, target.path, self._connectTimeout)
        try:
            version = ip_address(target.host.partition("%")[0]).version
        except ValueError:
            return HostnameEndpoint(scope, _STAND_IN, target.port, self._connectTimeout)
        if not mayDial(target.host, self._networks):
            raise ConsoleForbidden("its address lies outside the allowed networks")
        direct = TCP4ClientEndpoint if version == 4 else TCP6ClientEndpoint
        return direct(self._reactor, target.host, target.port, self._connectTimeout)


def _cancellable(connecting: Deferred[ByteStream]) -> Deferred[ByteStream]:
    """
    A connection that fails with L{CancelledError} when it is cancelled. Endpoints have an error of their own for that,
    and while a name is looked up they say that there is none.
    """

    def cancel(answer: Deferred[ByteStream]) -> None:
        answer.errback(CancelledError())
        connecting.cancel()

    def settle(result: ByteStream | Failure) -> None:
        if not answer.called:
            answer.callback(result)

    answer: Deferred[ByteStream] = Deferred(cancel)
    connecting.addBoth(settle)
    return answer


def _tooLate(result: object, seconds: float) -> object:
    """
    What a dial is told when its time is over.
    """
    raise ConnectTimeout(string=f"no answer within {seconds:g} s")
