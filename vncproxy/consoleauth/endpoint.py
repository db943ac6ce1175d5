"""
The way to a controller, built by kind from what the configuration names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import attrs
from OpenSSL.crypto import Error as CryptoError
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    TLSVersion,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)

from vncproxy.config.controller import Controller, ControllerKind
from vncproxy.errors import ConfigError

CONNECT_SECONDS: Final = 3.0
"""
How many seconds one attempt to connect may last: a machine that comes up answers a fresh one sooner than an old one.
"""

_CERTIFICATE_END: Final = b"-----END CERTIFICATE-----"


@attrs.frozen
class TLSFiles:
    """
    What TLS takes to reach a controller: paths of PEM files.

    @ivar certificate: ours, to be let in by it; with C{key}.
    @ivar authorities: who may have signed the controller's; L{None} is whom this machine trusts.
    """

    certificate: str | None = None
    key: str | None = None
    authorities: str | None = None


def makeEndpoint(reactor: Any, controller: Controller, files: TLSFiles, timeout: float) -> IStreamClientEndpoint:
    """
    The endpoint that leads to a controller.

    @param timeout: how many seconds an attempt to connect may take.

    @raise ConfigError: a file cannot be used.
    """
    if controller.kind is ControllerKind.UNIX:
        return UNIXClientEndpoint(reactor, controller.path, timeout)
    plain = HostnameEndpoint(reactor, controller.host, controller.port, timeout)
    if controller.kind is ControllerKind.TCP:
        return plain
    options = optionsForClientTLS(
        controller.host,
        trustRoot=_authorities(files.authorities),
        clientCertificate=_own(files),
        extraCertificateOptions={"raiseMinimumTo": TLSVersion.TLSv1_2},
    )
    return wrapClientTLS(options, plain)


def _authorities(path: str | None) -> Any:
    if path is None:
        return platformTrust()
    try:
        pems = Path(path).read_bytes().split(_CERTIFICATE_END)[:-1]
        found = [Certificate.loadPEM(pem + _CERTIFICATE_END) for pem in pems]
    except (OSError, CryptoError, ValueError) as error:
        raise ConfigError(f"[consoleauth] ca_certs: {path} holds no usable PEM certificates") from error
    if not found:
        raise ConfigError(f"[consoleauth] ca_certs: {path} holds no PEM certificate")
    return trustRootFromCertificates(found)


def _own(files: TLSFiles) -> PrivateCertificate | None:
    if files.certificate is None:
        return None
    try:
        pem = Path(files.certificate).read_bytes()
        if files.key is not None:
            pem = Path(files.key).read_bytes() + b"\n" + pem
        own: PrivateCertificate = PrivateCertificate.loadPEM(pem)
    except (OSError, CryptoError, ValueError) as error:
        raise ConfigError(
            f"[consoleauth] client_certificate: {files.certificate} and its key cannot be used: name PEM "
            "files, the key unencrypted"
        ) from error
    return own
