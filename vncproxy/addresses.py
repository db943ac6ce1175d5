"""
Client addresses, as rules on them see them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import attrs

UNIX: Final = "unix"
"""
The address of whoever comes over a UNIX socket.
"""

_SITE_BITS: Final = 64
"""
What one IPv6 client has to choose its addresses from (RFC 4291 section 2.5.1).
"""


def parseAddress(text: str) -> IPv4Address | IPv6Address | None:
    """
    An IP address; one of IPv4 that is mapped into IPv6 is that of IPv4 (RFC 4291 section 2.5.5.2), and a zone does not
    count. L{None} for what is none.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def countedAs(text: str) -> str | None:
    """
    What stands for a client where its sessions or its attempts are counted: an IPv4 address itself, of an IPv6 address
    its network of 64 bits. L{None} for what is no IP address: nobody can tell such clients apart.
    """
    address = parseAddress(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _SITE_BITS), strict=False))
    return None if address is None else str(address)


@attrs.frozen
class TrustedPeers:
    """
    Those whose word on who their clients are is taken.

    @ivar networks: where they are.
    @ivar unix: whether whoever comes over a UNIX socket is one of them.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    @classmethod
    def parse(cls, texts: Iterable[str]) -> TrustedPeers:
        """
        From networks in CIDR notation, and C{"unix"}.

        @raise ValueError: one is neither.
        """
        texts = tuple(texts)
        return cls(tuple(ip_network(text) for text in texts if text != UNIX), UNIX in texts)

    def __contains__(self, text: str) -> bool:
        """
        Whether the peer at this address, as L{peerAddress<vncproxy.stream.peerAddress>} names it, is one of them.
        """
        if text == UNIX:
            return self.unix
        address = parseAddress(text)
        # An address of the one family is in no network of the other.
        return address is not None and any(address in network for network in self.networks)
