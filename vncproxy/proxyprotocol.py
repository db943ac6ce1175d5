"""
The header with which a load balancer begins a connection that it passes on (PROXY protocol, versions 1 and 2). Pure::

    version 1   PROXY TCP4 203.0.113.9 192.0.2.1 50000 6080 CR LF              at most 107 bytes, ASCII
    version 2   signature (12)  version and command (1)  family (1)  length (2)  addresses and more (length)

Source: "The PROXY protocol", HAProxy, sections 2.1 and 2.2.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Final

import attrs

from vncproxy.errors import ProtocolError

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"

_V1_LIMIT: Final = 107
"""
The longest line of version 1, its end included.
"""

V2_LIMIT: Final = 4096
"""
The most that may stand behind the fixed part of version 2: addresses, and extensions, which are passed over. Load
balancers send far less.
"""

_V1_LINE: Final = re.compile(
    rb"PROXY (?:(?P<unknown>UNKNOWN(?: .*)?)"
    rb"|(?P<family>TCP[46]) (?P<source>[0-9A-Fa-f.:]+) (?P<target>[0-9A-Fa-f.:]+) (?P<port>[0-9]{1,5}) [0-9]{1,5})"
)

_V2_HEAD: Final = Struct("!12sBBH")

_LOCAL, _PROXY = 0x20, 0x21

_V2_STREAMS: Final[dict[int, tuple[Struct, type[IPv4Address] | type[IPv6Address]]]] = {
    0x11: (Struct("!4s4sH2x"), IPv4Address),
    0x21: (Struct("!16s16sH2x"), IPv6Address),
}
"""
TCP over IPv4 and over IPv6: how the addresses stand on the wire. The client's come first.
"""


@attrs.frozen
class ProxyHeader:
    """
    What a header tells.

    @ivar length: how many bytes it has.
    @ivar client: where the connection comes from, L{None} where the load balancer speaks for itself or does not know.
    @ivar port: of the client.
    """

    length: int
    client: IPv4Address | IPv6Address | None = None
    port: int = 0


def parseProxyHeader(data: bytes) -> ProxyHeader | None:
    """
    Read the header at the beginning of a connection.

    @param data: what has come so far; what comes behind the header does not matter.
    @return: L{None} if more has to come.
    @raise ProtocolError: a connection with a header does not begin like this.
    """
    if data.startswith(_SIGNATURE[: len(data)]):
        return _parseV2(data) if len(data) >= _V2_HEAD.size else None
    if data.startswith(b"PROXY "[: len(data)]):
        return _parseV1(data)
    raise ProtocolError("a connection that should begin with a PROXY header begins with something else")


def _parseV1(data: bytes) -> ProxyHeader | None:
    line, end, _ = data[:_V1_LIMIT].partition(b"\r\n")
    if not end:
        if len(data) < _V1_LIMIT:
            return None
        raise ProtocolError("the line of a PROXY header has no end")
    found = _V1_LINE.fullmatch(line)
    if found is None:
        raise ProtocolError("the line of a PROXY header is not one of version 1")
    length = len(line) + len(end)
    if found["unknown"]:
        return ProxyHeader(length)
    try:
        client, target = ip_address(found["source"].decode("ascii")), ip_address(found["target"].decode("ascii"))
    except ValueError as error:
        raise ProtocolError("a PROXY header holds what is no address") from error
    port = int(found["port"])
    if {client.version, target.version} != {int(found["family"][3:])} or port > 0xFFFF:
        raise ProtocolError("a PROXY header does not hold what it says")
    return ProxyHeader(length, _plain(client), port)


def _parseV2(data: bytes) -> ProxyHeader | None:
    _, command, family, more = _V2_HEAD.unpack_from(data)
    if command not in (_LOCAL, _PROXY):
        raise ProtocolError(f"a PROXY header of the unknown version and command {command:#04x}")
    if more > V2_LIMIT:
        raise ProtocolError(f"a PROXY header of {more} bytes; {V2_LIMIT} are allowed")
    length = _V2_HEAD.size + more
    if len(data) < length:
        return None
    if command == _LOCAL or family not in _V2_STREAMS:
        # A health check of the load balancer's own, or a client that did not come over TCP.
        return ProxyHeader(length)
    form, address = _V2_STREAMS[family]
    if more < form.size:
        raise ProtocolError("a PROXY header is too short for its addresses")
    client, _, port = form.unpack_from(data, _V2_HEAD.size)
    return ProxyHeader(length, _plain(address(client)), port)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """
    An IPv4 address that is mapped into IPv6, as what it is.
    """
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
