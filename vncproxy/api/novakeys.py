"""
How nova's clients say who they are, beside the ways of API v1: by a password, or not at all.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from twisted.web.server import Request

from vncproxy.stream import peerAddress

_GUESTS_TOKEN: Final = "notused"
"""
What C{--os-auth-type none} sends as its token.
"""

_PASSED_ON: Final = ("x-forwarded-for", "forwarded", "via", "origin")


def isGuest(request: Request) -> bool:
    """
    Whether a request without a key comes from a program on this machine that means it so, as C{openstack --os-auth-type
    none} does.

    A browser on this machine may be led here by any page. It is kept out by the token that such a client shows, which a
    page of another origin cannot send, and by the host's name, which is that page's where a name was bent to lead here.
    What another proxy passes on comes from elsewhere.
    """
    passedOn = any(request.requestHeaders.hasHeader(name) for name in _PASSED_ON)
    host = (request.getHeader("host") or "").rpartition(":")[0] or request.getHeader("host")
    return (
        request.requestHeaders.getRawHeaders("x-auth-token", ()) == [_GUESTS_TOKEN]
        and _isLoopback(peerAddress(request.getClientAddress()))
        and (host == "localhost" or _isLoopback((host or "").strip("[]")))
        and not passedOn
    )


def passwords(request: Request) -> Iterator[bytes]:
    """
    The passwords that the request shows (RFC 7617).
    """
    for value in request.requestHeaders.getRawHeaders(b"authorization", ()):
        scheme, _, credentials = value.partition(b" ")
        if scheme.lower() != b"basic":
            continue
        try:
            yield b64decode(credentials.strip(), validate=True).partition(b":")[2]
        except Base64Error:
            continue


def _isLoopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
