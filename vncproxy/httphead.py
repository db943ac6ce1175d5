"""
The head of an HTTP/1 request, as far as the raw frontends need one: a request line, headers, an empty line
(RFC 9112 sections 2 and 3). Pure.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, urlsplit

import attrs

from vncproxy.errors import ProtocolError

HEAD_LIMIT: Final = 8 * 1024
"""
The longest head that is read, in bytes, its empty line included.
"""

HEAD_END: Final = b"\r\n\r\n"


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
            host, _, port = self.target.rpartition(":")
            return host if port.isdigit() else self.target
        return parse_qs(urlsplit(self.target).query).get("token", [""])[-1]


def parseRequestHead(head: bytes) -> RequestHead:
    """
    Read a head that ends with its empty line.

    @raise ProtocolError: it is not one. The message holds nothing of the request, which may carry a token.
    """
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[0].isalpha() or not parts[1] or parts[2] not in ("HTTP/1.0", "HTTP/1.1"):
        raise ProtocolError("the request line is not one of HTTP/1")
    headers = {}
    for line in lines[1:]:
        if not line:
            break
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ProtocolError("a header line has no name")
        headers[name.lower()] = value.strip()
    return RequestHead(parts[0], parts[1], parts[2], headers)


def encodeResponse(
    status: int, phrase: str, body: str, version: str = "HTTP/1.1", location: str | None = None
) -> bytes:
    """
    A whole response in plain text, after which the connection closes.

    @param phrase: stands in the status line, where Java viewers show it to their user.
    @param location: where to go instead.
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
    if location is not None:
        lines.append(f"Location: {location}")
    return "\r\n".join(lines).encode("latin-1", "replace") + HEAD_END + text
