"""
The way to a Redis: TCP, TLS, a UNIX socket, or whatever address the Sentinels give for its master.

::

    redis+sentinel://s1,s2,s3/NAME      s1 … s3: SENTINEL GET-MASTER-ADDR-BY-NAME NAME, until one answers
                                        then TCP to that address

The master is asked for anew each time, so a failover is followed by dialling again.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from OpenSSL.crypto import Error as PEMError
from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as WaitedTooLong
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from vncproxy.config import StoreSection
from vncproxy.config.stores import RedisPlace
from vncproxy.errors import ConfigError

if TYPE_CHECKING:
    from vncproxy.stores.rediswire import RedisWire

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

_SENTINEL_SECONDS: Final = 1.0
"""
How long one Sentinel may take for its answer before the next is asked.
"""


class WireLost(Exception):
    """
    There is no connection, or it was lost.

    @ivar reason: what the transport says of it, if it says anything.
    """

    def __init__(self, words: str, reason: Failure | None = None) -> None:
        super().__init__(words)
        self.reason = reason

    @property
    def untrusted(self) -> bool:
        """
        Whether it was TLS that failed: a certificate that is not to be trusted, ours or theirs, or no TLS at all.
        """
        return self.reason is not None and bool(self.reason.check(TLSError, VerificationError))


class WireRefusal(Exception):
    """
    Redis answered with an error.

    @ivar code: its first word, such as C{READONLY}; C{ERR} where there is none. The rest may quote what was sent, be it
        a password: it goes nowhere.
    """

    def __init__(self, said: str) -> None:
        first = said.partition(" ")[0]
        self.code = first if re.fullmatch(r"[A-Z]+", first) else "ERR"
        super().__init__(self.code)


class RedisDialler:
    """
    Connects to the Redis of a place.
    """

    def __init__(self, reactor: Any, place: RedisPlace, settings: StoreSection) -> None:
        self._reactor = reactor
        self._place = place
        self._settings = settings
        # The one that answered last is asked first.
        self._sentinels = list(place.addresses)

    async def dial(self) -> RedisWire:
        """
        A connection; nobody has logged in yet.

        @raise WireLost: there is none to be had.
        @raise ConfigError: a file that TLS needs cannot be used.
        """
        if self._place.path:
            return await self._connect(UNIXClientEndpoint(self._reactor, self._place.path))
        if self._place.master:
            return await self._connect(self._tcp(*await self._master()))
        ((host, port),) = self._place.addresses
        return await self._connect(self._tcp(host, port), self._creator(host) if self._place.tls else None)

    async def _connect(
        self, endpoint: IStreamClientEndpoint, creator: IOpenSSLClientConnectionCreator | None = None
    ) -> RedisWire:
        # Late: it takes the global reactor.
        from vncproxy.stores.rediswire import RedisWire

        factory = Factory.forProtocol(lambda: RedisWire(self._reactor))
        factory.noisy = False
        # Not wrapClientTLS: its connections take the global reactor for their clock.
        wrapped = None if creator is None else TLSMemoryBIOFactory(creator, True, factory, clock=self._reactor)
        try:
            connection: Any = await endpoint.connect(wrapped or factory)
        except (ConnectError, ConnectingCancelledError, OSError) as error:
            raise WireLost(str(error)) from error
        wire: RedisWire = connection.wrappedProtocol if wrapped is not None else connection
        return wire

    def _tcp(self, host: str, port: int) -> IStreamClientEndpoint:
        try:
            version = ip_address(host.partition("%")[0]).version
        except ValueError:
            return HostnameEndpoint(self._reactor, host, port)
        return (TCP4ClientEndpoint if version == 4 else TCP6ClientEndpoint)(self._reactor, host, port)

    async def _master(self) -> tuple[str, int]:
        """
        Where the master is now.
        """
        for address in tuple(self._sentinels):
            asking = Deferred.fromCoroutine(self._askSentinel(*address))
            try:
                master = await asking.addTimeout(_SENTINEL_SECONDS, self._reactor)
            except (WireLost, WireRefusal, WaitedTooLong):
                continue
            if master is not None:
                self._sentinels.remove(address)
                self._sentinels.insert(0, address)
                return master
        raise WireLost("no Sentinel knows the master")

    async def _askSentinel(self, host: str, port: int) -> tuple[str, int] | None:
        wire = await self._connect(self._tcp(host, port))
        try:
            answer = await wire.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._place.master)
        finally:
            wire.abort()
        return (str(answer[0]), int(answer[1])) if answer else None

    def _creator(self, host: str) -> IOpenSSLClientConnectionCreator:
        """
        TLS to a host, by the files as they are now: certificates are renewed.
        """
        settings = self._settings
        trustRoot = client = None
        if settings.ca_certs is not None:
            found = _CERTIFICATE.findall(_read("ca_certs", settings.ca_certs))
            try:
                trusted = [Certificate.loadPEM(each) for each in found]
            except PEMError:
                trusted = []
            if not trusted:
                raise _unusable("ca_certs", settings.ca_certs, "holds no certificates in PEM")
            trustRoot = trustRootFromCertificates(trusted)
        if settings.client_certificate is not None:
            path = settings.client_certificate
            pem = _read("client_certificate", path)
            if settings.client_key is not None:
                pem += b"\n" + _read("client_key", settings.client_key)
            try:
                client = PrivateCertificate.loadPEM(pem)
            except PEMError as error:
                raise _unusable("client_certificate", path, "holds no certificate with its key in PEM") from error
        return optionsForClientTLS(host, trustRoot, client)


def readPassword(place: RedisPlace, settings: StoreSection) -> str | None:
    """
    The password, L{None} for none: of the URL, or the first line of its file.

    @raise ConfigError: the file cannot be read, or holds none.
    """
    if settings.password_file is None:
        return place.password
    first = _read("password_file", settings.password_file).partition(b"\n")[0].strip()
    if not first:
        raise _unusable("password_file", settings.password_file, "holds no password")
    return first.decode("utf-8", "surrogateescape")


def _read(key: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1024 * 1024)
    except OSError as error:
        raise _unusable(key, path, f"cannot be read ({error.strerror})") from error


def _unusable(key: str, path: str, cause: str) -> ConfigError:
    return ConfigError(f"store.{key}: {path} {cause}. Name another file in [store] {key}.")
