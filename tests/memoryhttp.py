"""
A web site spoken to in memory: real bytes of HTTP in both directions, no socket, no thread.
"""

from __future__ import annotations

from typing import Any, cast

import attrs
import httpx
import msgspec
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.server import Site

_CLIENT = IPv4Address("TCP", "203.0.113.9", 50000)


@attrs.frozen
class Reply:
    """
    What came back.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """
        The decoded body.
        """
        return msgspec.json.decode(self.body)


class Connection:
    """
    One client's connection to a site.
    """

    _bodiless = False

    def __init__(self, site: Site, client: IAddress = _CLIENT) -> None:
        self.transport = StringTransport(peerAddress=client)
        self._channel = cast(Any, site.buildProtocol(client))
        self._channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """
        Send bytes as they are.
        """
        self._channel.dataReceived(data)

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """
        Send one request.
        """
        self._bodiless = method == "HEAD"
        fields = {"Host": "proxy"} | (headers or {})
        if body:
            fields["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)

    def hangUp(self) -> None:
        """
        The client goes away.
        """
        self._channel.connectionLost(Failure(ConnectionDone()))

    @property
    def answered(self) -> bool:
        """
        Whether anything has come back.
        """
        return bool(self.transport.value())

    def reply(self) -> Reply:
        """
        The one reply that has come back. It must be whole, and nothing may follow it.
        """
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        told = int(headers.get("content-length", "0"))
        if len(body) not in ((0, told) if self._bodiless else (told,)):
            raise AssertionError(f"{told} bytes of body were announced, {len(body)} came")
        return Reply(int(first.split(" ")[1]), headers, body)


class MemoryTransport(httpx.BaseTransport):
    """
    The way of an httpx client to a site in memory.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """
        See L{httpx.BaseTransport}.
        """
        connection = Connection(self._site)
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        connection.request(request.method, request.url.raw_path.decode(), request.read(), headers)
        reply = connection.reply()
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)
