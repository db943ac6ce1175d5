"""
The opening handshake of a WebSocket, as a client asks for it (RFC 6455 section 4.2.1). Pure.

Versions 7 and 8, which websockify takes as well, are drafts of version 13 with the same frames on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import attrs

from vncproxy.errors import RequestError

VERSIONS: Final = ("13", "8", "7")

_BINARY: Final = "binary"

_BASE64: Final = "base64"
"""
What noVNC offered before 2016 beside C{binary}: it promises text frames that we do not speak.
"""

_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==", re.ASCII)

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)


@attrs.frozen
class Opening:
    """
    What a client needs to hear in the answer.

    @ivar key: its C{Sec-WebSocket-Key}.
    @ivar subprotocol: the one that it is given, L{None} for none.
    """

    key: str
    subprotocol: str | None

    @property
    def head(self) -> bytes:
        """
        A request that asks for this and nothing more: no token, no extension.
        """
        lines = [
            "GET / HTTP/1.1",
            "Host: proxy",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {self.key}",
        ]
        if self.subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {self.subprotocol}")
        return "\r\n".join((*lines, "", "")).encode("ascii")


def _members(value: str | None) -> list[str]:
    """
    The members of a header that is a list, in their order.
    """
    return [member.strip() for member in (value or "").split(",")]


def isOpening(header: Callable[[str], str | None]) -> bool:
    """
    Whether a request means to open a WebSocket, even if what it passed on its way has lost some of it.

    @param header: the value of a header, those of one that repeats joined by commas; L{None} without it.
    """
    return "websocket" in _members((header("upgrade") or "").lower()) or header("sec-websocket-key") is not None


def readOpening(method: str, version: str, header: Callable[[str], str | None]) -> Opening:
    """
    What a request asks for.

    @param header: see L{isOpening}.

    @raise RequestError: it is no opening handshake; its text says why.
    """
    if method != "GET" or version != "HTTP/1.1":
        raise RequestError("A WebSocket is opened by GET in HTTP/1.1.")
    upgrade, connection = (_members((header(name) or "").lower()) for name in ("upgrade", "connection"))
    if "websocket" not in upgrade or "upgrade" not in connection:
        raise RequestError(
            "This would open a WebSocket, had the headers Upgrade and Connection come through. "
            "A reverse proxy on the way has to pass them on."
        )
    if header("transfer-encoding") is not None or header("content-length") not in (None, "0"):
        raise RequestError("A WebSocket is opened by a request without a body.")
    if header("sec-websocket-version") not in VERSIONS:
        raise RequestError(f"Of WebSocket, the versions {', '.join(VERSIONS)} are spoken here.")
    key = header("sec-websocket-key") or ""
    if not _KEY.fullmatch(key):
        raise RequestError("The Sec-WebSocket-Key is not one of 16 bytes in base 64.")
    return Opening(key, _subprotocol(header("sec-websocket-protocol")))


def _subprotocol(offered: str | None) -> str | None:
    """
    The one to choose: a browser that has offered some fails unless it is given one of them. Apart from C{base64} they
    all mean the same to us, whatever their names.
    """
    if offered is None:
        return None
    known = [name for name in _members(offered) if _NAME.fullmatch(name) and name != _BASE64]
    if not known:
        raise RequestError("The WebSocket subprotocol spoken here is binary.")
    return _BINARY if _BINARY in known else known[0]
