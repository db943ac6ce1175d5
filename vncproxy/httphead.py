"""
The head of an HTTP/1 request, as far as the raw frontends need one: a request line, headers, an empty line
(RFC 9112 sections 2 and 3). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs

import attrs

from vncproxy.errors import ProtocolError

HEAD_LIMIT: Final = 8 * 1024
"""
The longest head that is read, in bytes, its empty line included.
"""

HEAD_END: Final = b"\r\n\r\n"

# Among them a bare CR or LF, which would end a line of an answer that repeats it.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def queryTokens(target: str) -> list[str]:
    """
    The values of the query parameter C{token}, empty ones left out, in their order.

    @param target: of a request, in any form; whatever stands in it, this does not fail.
    """
    query = target.partition("#")[0].partition("?")[2]
    return parse_qs(query).get("token", [])


@attrs.frozen
class RequestHead:
    """
    A request line and the headers behind it.

    @ivar target: as it stands in the line: origin form (C{/console?token=T}), authority form (C{T:6080}) or absolute
        form.
    @ivar version: C{"HTTP/1.0"} or C{"HTTP/1.1"}.
    @ivar headers: values by lower-case name; of a name that repeats, the last.
    """

    method: str
    # A token may stand in it.
    target: str = attrs.field(repr=False)
    version: str
    headers: dict[str, str] = attrs.field(factory=dict, repr=False)

    @property
    def originForm(self) -> bool:
        """
        Whether the target is a path with a query, and not an authority (RFC 9112 section 3.2).
        """
        return self.target.startswith("/") or "://" in self.target

    @property
    def token(self) -> str:
        """
        The token in the target, empty if there is none: the last query parameter C{token}, or, in authority form, the
        host.
        """
        if not self.originForm:
            host, _, port = self.target.partition(":")
            return self.target if port.strip("0123456789") else host
        return (queryTokens(self.target) or [""])[-1]


def parseRequestHead(head: bytes) -> RequestHead:
    """
    Read a head that ends with its empty line.

    @raise ProtocolError: it is not one. The message holds nothing of the request, which may carry a token.
    """
    text, end, _ = head.decode("latin-1").partition("\r\n\r\n")
    first, *fields = text.split("\r\n")
    if not end or any(map(_CONTROL.search, (first, *fields))):
        raise ProtocolError("the head of the request has no end, or control characters in it")
    match first.split(" "):
        case [method, target, ("HTTP/1.0" | "HTTP/1.1") as version] if method.isalpha() and target:
            pass
        case _:
            raise ProtocolError("the request line is not one of HTTP/1")
    headers = {}
    for field in fields:
        name, colon, value = field.partition(":")
        if not colon or not name or name != name.strip():
            raise ProtocolError("a header line has no name")
        headers[name.lower()] = value.strip()
    return RequestHead(method, target, version, headers)


def encodeResponse(
    status: int, phrase: str, body: str, version: str = "HTTP/1.1", headers: Mapping[str, str] = MappingProxyType({})
) -> bytes:
    """
    A whole response in plain text, after which the connection closes.

    @param phrase: stands in the status line, where Java viewers show it to their user.
    @param headers: further ones.
    """
    text = body.encode("utf-8")
    lines = [
        f"{version} {status} {phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1", "replace") + HEAD_END + text
