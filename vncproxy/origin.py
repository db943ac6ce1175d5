"""
Whether a browser page of some origin may open consoles here (the C{Origin} header, RFC 6454 section 7). Pure.

The rule is nova's: no C{Origin} is no browser and passes; else the origin's host must be the one that the request was
sent to, or be named in C{[web] allowed_origins}, and its scheme must be the one under which the proxy is published.
Ports are not compared: what stands in front of a proxy often changes them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

import attrs

_PAGE_SCHEMES: Final = {"ws": "http", "wss": "https"}
"""
The scheme of the pages that open a WebSocket of some scheme.
"""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@attrs.frozen
class _Origin:
    """
    Where a page came from.

    @ivar host: in lower case, without brackets.
    """

    scheme: str
    host: str
    port: int | None


def _parse(text: str) -> _Origin | None:
    """
    L{None} for what is no origin with a host, such as the C{null} of a sandboxed page.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if not (parts.scheme and parts.hostname):
        return None
    return _Origin(parts.scheme, parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme))


def _names(allowed: str, origin: _Origin) -> bool:
    """
    Whether an entry of the configuration means this origin: a whole one, or a host under any scheme and port.
    """
    if "://" in allowed:
        return _parse(allowed) == origin
    return allowed.strip("[]").lower() == origin.host


def mayConnect(
    origin: str | None, host: str, schemes: Collection[str], allowed: Collection[str], forwarded: str | None = None
) -> bool:
    """
    @param origin: value of the C{Origin} header, L{None} without one.
    @param host: value of the C{Host} header.
    @param schemes: those under which the proxy is published; C{ws} stands for C{http}, C{wss} for C{https}.
    @param allowed: of other sites that may, host names (any scheme) or whole origins; C{*} is every site.
    @param forwarded: the scheme by which the page came, as somebody in front that is trusted tells it; L{None} if
        nobody does. It is taken for the scheme of a page of this very host.
    """
    if origin is None or "*" in allowed:
        return True
    theirs, ours = _parse(origin), _parse(f"http://{host}")
    if theirs is None:
        return False
    published = {_PAGE_SCHEMES.get(scheme, scheme) for scheme in schemes}
    if ours is not None and theirs.host == ours.host and (forwarded or theirs.scheme).lower() in published:
        return True
    return any(_names(name, theirs) for name in allowed)
