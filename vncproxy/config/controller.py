"""
Where a controller is, written as one line::

    tcp:HOST:PORT           an IPv6 address stands in brackets
    tls:HOST:PORT           the same over TLS
    unix:/ABSOLUTE/PATH

It is no endpoint string: those open local files of whoever writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import attrs

from vncproxy.config.problems import Fault
from vncproxy.targets import isHost

DEFAULT_PORT: Final = 8788

DEFAULT_LISTEN: Final = (f"tcp:{DEFAULT_PORT}:interface=127.0.0.1",)
"""
Where a controller listens that names nothing else.
"""

_ADDRESS: Final = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]{1,5}))?")
_LONGEST_SOCKET_PATH: Final = 107


class ControllerKind(StrEnum):
    """
    How a controller is reached.
    """

    TCP = "tcp"
    TLS = "tls"
    UNIX = "unix"


@attrs.frozen
class Controller:
    """
    Where a controller is.

    @ivar host: without brackets; empty for a UNIX socket, as C{port} is 0 then.
    @ivar path: of a UNIX socket; empty otherwise.
    """

    kind: ControllerKind
    host: str = ""
    port: int = 0
    path: str = ""


def parseController(text: str) -> Controller | None:
    """
    Read where a controller is, L{None} where the text does not say it.
    """
    kind, _, rest = text.partition(":")
    if kind == ControllerKind.UNIX:
        proper = (
            rest.startswith("/") and "\0" not in rest and len(rest.encode(errors="replace")) <= _LONGEST_SOCKET_PATH
        )
        return Controller(ControllerKind.UNIX, path=rest) if proper else None
    found = _ADDRESS.fullmatch(rest)
    if kind not in (ControllerKind.TCP, ControllerKind.TLS) or found is None:
        return None
    host, port = found["address"] or found["name"] or "", int(found["port"] or DEFAULT_PORT)
    if not isHost(host) or (":" in host) is (found["address"] is None) or not 1 <= port <= 65535:
        return None
    return Controller(ControllerKind(kind), host=host, port=port)


def controllerFaults(text: str) -> Iterator[Fault]:
    """
    What is wrong with a text that shall say where a controller is.
    """
    if parseController(text) is None:
        yield Fault("it names no controller", "Write tcp:HOST:PORT, tls:HOST:PORT or unix:/PATH.")


def controllerKeyFaults(keys: Mapping[str, Any]) -> Iterator[tuple[str, Fault]]:
    """
    What no key of C{[consoleauth]} shows alone: pairs of a key and what is wrong with it.
    """
    if "connect" in keys:
        yield from _clientFaults(keys)
    else:
        for key in ("key_file", "client_certificate", "client_key", "ca_certs"):
            if key in keys:
                yield key, Fault("there is no controller to connect to", "Write connect, too, or leave it out.")
    for key in ("server_key", "client_ca"):
        if key in keys and "server_certificate" not in keys:
            yield key, Fault("it goes with a certificate", "Write server_certificate, too.")
    for endpoint in keys.get("listen", ()):
        if endpoint.startswith("unix:") and ":mode=" not in endpoint:
            yield "listen", Fault("whoever reaches the socket would be let in", 'Write who may: "unix:PATH:mode=600".')


def _clientFaults(keys: Mapping[str, Any]) -> Iterator[tuple[str, Fault]]:
    controller = parseController(keys["connect"])
    kind = None if controller is None else controller.kind
    if set(keys.get("listen", ())) - set(DEFAULT_LISTEN):
        yield "listen", Fault("who asks a controller is none", "Leave one of listen and connect out.")
    for key in ("client_certificate", "client_key", "ca_certs"):
        if key in keys and kind is not ControllerKind.TLS:
            yield key, Fault("it is for TLS", 'Write "tls:HOST:PORT" in connect, or leave it out.')
    if "client_key" in keys and "client_certificate" not in keys:
        yield "client_key", Fault("there is a key but no certificate", "Write client_certificate, too.")
    if kind in (ControllerKind.TCP, ControllerKind.TLS) and not {"key_file", "client_certificate"} & set(keys):
        yield "connect", Fault("nothing lets us in there", "Write key_file, the path of a file with an API key, too.")
