"""
The C{web} frontend: the browser's page, and WebSockets on any path.

The token is looked for where noVNC pages of every age put it: in the query as C{token}, in the query inside C{path}, in
the cookie C{token}. A browser is known again by the HttpOnly cookie L{RESUME_COOKIE}: with it, it may come back with a
token that it has used up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from autobahn.twisted.resource import WebSocketResource
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from vncproxy import origin
from vncproxy.broker import Broker
from vncproxy.errors import OriginRefused, RequestError, TokenMissing, VNCProxyError
from vncproxy.frontends.pages import Page
from vncproxy.frontends.websocket import ConsoleSocket, makeSocketFactory
from vncproxy.interfaces import IViewer
from vncproxy.model import ConsoleType, Grant, ViewerFacts
from vncproxy.rfb import handshake
from vncproxy.stream import ByteStream

RESUME_COOKIE: Final = "vncproxy_resume"

_RESUME_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def findToken(uri: str, cookies: Mapping[str, str]) -> str:
    """
    The token of a request, empty if it has none.

    @param uri: path and query of the request line.
    """
    query = parse_qs(urlsplit(uri).query)
    if query.get("token"):
        return query["token"][-1]
    for path in query.get("path", []):
        inner = parse_qs(urlsplit(path).query).get("token")
        if inner:
            return inner[-1]
    return cookies.get("token", "")


def _cookies(request: Request) -> dict[str, str]:
    """
    The cookies of a request; what is no cookie is passed over (RFC 6265 section 5.4).
    """
    found = {}
    for header in request.requestHeaders.getRawHeaders("cookie", []):
        for part in header.split(";"):
            name, equals, value = part.strip().partition("=")
            if equals:
                found[name] = value
    return found


@implementer(IViewer)
class WebViewer:
    """
    One viewer in a browser, from its WebSocket's opening on.
    """

    def __init__(self, facts: ViewerFacts, socket: ConsoleSocket, setCookie: str | None, seconds: float) -> None:
        """
        @param setCookie: goes with the 101, where the browser has no resume secret yet.
        @param seconds: how long it may take to hear a refusal.
        """
        self.facts = facts
        self._socket = socket
        self._headers = {} if setCookie is None else {"Set-Cookie": setCookie}
        self._seconds = seconds
        self._admitted = False
        self._reached = False

    async def admit(self, grant: Grant) -> ByteStream:
        """
        See L{IViewer.admit}.
        """
        self._admitted = True
        return self._socket.accept(self._headers)

    def reached(self) -> None:
        """
        See L{IViewer.reached}.
        """
        self._reached = True

    def refuse(self, error: VNCProxyError) -> None:
        """
        See L{IViewer.refuse}: in RFB, which noVNC shows to its user, and in the close frame, which our page reads. Once
        the RFB handshake has begun only the close frame is left.
        """
        if self._reached:
            self._socket.stream.close(error.closeCode, error.reason)
            return
        try:
            stream = self._socket.stream if self._admitted else self._socket.accept({})
        except VNCProxyError:
            return
        telling = Deferred.fromCoroutine(self._tell(stream, error))
        telling.addErrback(lambda failure: failure.trap(VNCProxyError) and None)
        telling.addBoth(lambda ignored: stream.close(error.closeCode, error.reason))

    async def _tell(self, stream: ByteStream, error: VNCProxyError) -> None:
        stream.expectWithin(self._seconds)
        await handshake.refuse(stream, error.told)


class WebResource(Resource):
    """
    Everything under a C{web} endpoint.
    """

    isLeaf = True

    def __init__(
        self,
        reactor: IReactorTime,
        broker: Broker,
        pages: Mapping[str, Page],
        makeSecret: Any,
        heartbeat: float,
        handshakeSeconds: float,
        publishedScheme: str | None,
        allowedOrigins: Collection[str],
        frameAncestors: Sequence[str],
    ) -> None:
        """
        @param makeSecret: a new resume secret at each call, 43 characters of URL-safe base 64.
        @param heartbeat: see L{ConsoleSocket}.
        @param publishedScheme: of the URL under which browsers come, where that is not this very endpoint.
        @param allowedOrigins: see L{origin.mayConnect}.
        @param frameAncestors: sources of the Content-Security-Policy: who may embed the page.
        """
        super().__init__()
        self._reactor = reactor
        self._broker = broker
        self._pages = pages
        self._makeSecret = makeSecret
        self._heartbeat = heartbeat
        self._handshakeSeconds = handshakeSeconds
        self._publishedScheme = publishedScheme
        self._allowedOrigins = allowedOrigins
        self._sockets = makeSocketFactory(reactor)
        ancestors = " ".join(frameAncestors) or "'none'"
        self._headers = {
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
                f"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
            ),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def render(self, request: Request) -> bytes | int:
        """
        A WebSocket on any path, else the page.
        """
        for name, value in self._headers.items():
            request.setHeader(name, value)
        try:
            if b"websocket" in (request.getHeader(b"upgrade") or b"").lower():
                return self._renderSocket(request)
            return self._renderPage(request)
        except VNCProxyError as error:
            words = str(error) if isinstance(error, RequestError) else error.told
            return _renderText(request, error.httpStatus, words)

    # Pages.

    def _renderPage(self, request: Request) -> bytes:
        page = self._pages.get(request.path.decode("latin-1").removeprefix("/"))
        if page is None:
            return _renderText(request, 404, "There is nothing here. Open a console from the link that you were given.")
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader("Allow", "GET, HEAD")
            return _renderText(request, 405, "This page can only be read.")
        body = page.body(request.getHeader("accept-encoding") or "")
        request.setHeader("Content-Type", page.contentType)
        request.setHeader("Vary", "Accept-Encoding")
        request.setHeader("ETag", page.etag)
        request.setHeader("Cache-Control", "public, max-age=31536000, immutable" if page.forever else "no-cache")
        if body.encoding:
            request.setHeader("Content-Encoding", body.encoding)
        if not page.forever:
            _, setCookie = self._resume(request)
            if setCookie is not None:
                request.responseHeaders.addRawHeader("Set-Cookie", setCookie)
        if request.getHeader("if-none-match") == page.etag:
            request.setResponseCode(304)
            return b""
        request.setHeader("Content-Length", str(len(body.data)))
        return b"" if request.method == b"HEAD" else body.data

    # Sockets.

    def _renderSocket(self, request: Request) -> int:
        cookies = _cookies(request)
        token = findToken(request.uri.decode("latin-1"), cookies)
        if not token:
            raise TokenMissing("the request holds no token")
        self._checkOrigin(request)
        secret, setCookie = self._resume(request)
        client = request.getClientAddress()
        facts = ViewerFacts("web", ConsoleType.NOVNC, getattr(client, "host", "unix"), token, secret)
        serving: list[Deferred[None]] = []

        def lost() -> None:
            for work in serving:
                work.cancel()

        socket = ConsoleSocket(self._reactor, self._heartbeat, lost)
        socket.factory = self._sockets
        self._takeOver(request, socket)
        serving.append(self._broker.serve(WebViewer(facts, socket, setCookie, self._handshakeSeconds)))
        return NOT_DONE_YET

    def _takeOver(self, request: Request, socket: ConsoleSocket) -> None:
        """
        Let the socket have the connection from here on.
        """
        # The HTTP channel is its transport's producer, which is a place that the relay needs.
        transport: Any = request.channel.transport
        transport.unregisterProducer()
        WebSocketResource(_Prepared(socket)).render(request)

    def _checkOrigin(self, request: Request) -> None:
        """
        @raise OriginRefused: a page of this origin may not connect.
        """
        schemes = {"https" if request.isSecure() else "http", self._publishedScheme or ""}
        host = request.getHeader("host") or ""
        if not origin.mayConnect(request.getHeader("origin"), host, schemes, self._allowedOrigins):
            raise OriginRefused("the page's origin is not allowed")

    def _resume(self, request: Request) -> tuple[str, str | None]:
        """
        The browser's resume secret, and the cookie that gives it one if it has none.
        """
        known = _cookies(request).get(RESUME_COOKIE, "")
        if _RESUME_SECRET.fullmatch(known):
            return known, None
        secret = self._makeSecret()
        # In a frame of another site only a cookie that says so comes back, and such a one must be Secure.
        secure = request.isSecure() or self._publishedScheme == "https"
        reach = "Secure; SameSite=None; Partitioned" if secure else "SameSite=Lax"
        return secret, f"{RESUME_COOKIE}={secret}; Path=/; HttpOnly; {reach}"


class _Prepared:
    """
    The factory that Autobahn's resource asks for a protocol: it has made one already.
    """

    def __init__(self, socket: ConsoleSocket) -> None:
        self._socket = socket

    def buildProtocol(self, addr: object) -> ConsoleSocket:
        return self._socket


def _renderText(request: Request, status: int, words: str) -> bytes:
    """
    A short answer in plain words.
    """
    body = f"{words}\n".encode()
    request.setResponseCode(status)
    request.setHeader("Content-Type", "text/plain; charset=utf-8")
    request.setHeader("Cache-Control", "no-store")
    request.setHeader("Content-Length", str(len(body)))
    return b"" if request.method == b"HEAD" else body
