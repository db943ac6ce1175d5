"""
Whether a browser page of some origin may open consoles here (the C{Origin} header, RFC 6454 section 7). Pure.

The rule is nova's: no C{Origin} is no browser and passes; else the origin's host must be the one that the request was
sent to, or be named in C{[web] allowed_origins}, and its scheme must be the one under which the proxy is published.
Ports are not compared: what stands in front of a proxy often changes them.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

_SCHEMES = {"ws": "http", "wss": "https"}


def _split(origin: str) -> SplitResult | None:
    try:
        parts = urlsplit(origin)
        # Reading the port raises for one that is no number.
        return parts if parts.scheme and parts.hostname and (parts.port or True) else None
    except ValueError:
        return None


def mayConnect(origin: str | None, host: str, schemes: Collection[str], allowed: Collection[str]) -> bool:
    """
    @param origin: value of the C{Origin} header, L{None} without one.
    @param host: value of the C{Host} header.
    @param schemes: those under which the proxy is published, C{http} or C{https}.
    @param allowed: of other sites that may, host names (any scheme) or whole origins; C{*} is every site.
    """
    if origin is None or "*" in allowed:
        return True
    parts = _split(origin)
    if parts is None or parts.hostname is None:
        return False
    if origin in allowed or parts.hostname in allowed:
        return True
    ours = _split(f"//{host}") or _split(f"http://{host}")
    scheme = _SCHEMES.get(parts.scheme, parts.scheme)
    return ours is not None and parts.hostname == ours.hostname and scheme in schemes
