"""
What an HTTP request says of who sent it.
"""

from __future__ import annotations

from twisted.web.server import Request

from vncproxy.addresses import TrustedPeers
from vncproxy.forwarded import Client, clientBehind
from vncproxy.stream import peerAddress


def headerOf(request: Request, name: str) -> str | None:
    """
    The value of a header, those of one that repeats joined by commas (RFC 9110 section 5.3). L{None} without one.
    """
    values = request.requestHeaders.getRawHeaders(name.encode("ascii"))
    # Given a text, Twisted takes the values for UTF-8, which they need not be.
    return None if values is None else b", ".join(values).decode("latin-1")


def clientOf(request: Request, trusted: TrustedPeers) -> Client:
    """
    Who asks.

    @param trusted: those whose headers on behalf of others count.
    """
    return clientBehind(peerAddress(request.getClientAddress()), trusted, lambda name: headerOf(request, name))
