"""
The composition root's part for the token-check protocol: the controller that a proxy asks, and the doors of one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.interfaces import IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from vncproxy.certs import ClientCertificates, FollowedCertificate
from vncproxy.config import ConsoleAuthSection
from vncproxy.config.controller import Controller
from vncproxy.consoleauth import ConsoleAuthAuthority, ConsoleAuthFactory, TLSFiles, makeEndpoint
from vncproxy.consoleauth.endpoint import CONNECT_SECONDS
from vncproxy.errors import ConfigError
from vncproxy.secretfile import readSecretFile

KEY_OF_KEY_FILE: Final = "[consoleauth] key_file"

_MINIMUM_VERSION: Final = "1.2"

Door = tuple[str, Sequence[str], IProtocolFactory]
"""
A name, endpoint strings, and who serves behind them.
"""


def askController(
    reactor: Any, controller: Controller, settings: ConsoleAuthSection, proxy: str
) -> ConsoleAuthAuthority:
    """
    The token authority of a proxy that asks a controller; not yet connected.

    @param proxy: the id of the proxy.

    @raise ConfigError: a file that the configuration names cannot be used.
    """
    path = settings.key_file

    def readKey() -> str | None:
        return None if path is None else readSecretFile(path, KEY_OF_KEY_FILE)

    # What is wrong with the file ends the start; what goes wrong with it later may be mended.
    readKey()
    files = TLSFiles(settings.client_certificate, settings.client_key, settings.ca_certs)
    endpoint = makeEndpoint(reactor, controller, files, min(CONNECT_SECONDS, settings.timeout))
    return ConsoleAuthAuthority(endpoint, reactor, readKey, settings.timeout, random.random, proxy)


def controllerDoors(reactor: Any, settings: ConsoleAuthSection, factory: ConsoleAuthFactory) -> Sequence[Door]:
    """
    The doors of a controller. Behind a UNIX socket nothing speaks
    TLS.

    @raise ConfigError: a file that the configuration names cannot be used.
    """
    if settings.server_certificate is None:
        return (("consoleauth", settings.listen, factory),)
    secured = TLSMemoryBIOFactory(_certificate(reactor, settings), False, factory, reactor)
    secured.noisy = False
    local = [endpoint for endpoint in settings.listen if endpoint.startswith("unix:")]
    others = [endpoint for endpoint in settings.listen if endpoint not in local]
    return (("consoleauth", others, secured), ("consoleauth", local, factory))


def _certificate(reactor: Any, settings: ConsoleAuthSection) -> FollowedCertificate:
    certificate = settings.server_certificate or ""
    clients = None
    if settings.client_ca is not None:
        clients = ClientCertificates(settings.client_ca, required=False, key="[consoleauth] client_ca")
    try:
        return FollowedCertificate(
            reactor, certificate, settings.server_key or certificate, _MINIMUM_VERSION, None, clients
        )
    except ConfigError as error:
        raise ConfigError(str(error).replace("[tls] ", "[consoleauth] server_")) from error
