"""
The C{web} frontend: the browser's page, and WebSockets on any path.

The token is looked for where noVNC pages of every age put it: in the query as C{token}, in the query inside C{path}, in
the cookie C{token}. A browser is known again by the HttpOnly cookie L{RESUME_COOKIE}: with it, it may come back with a
token that it has used up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from vncproxy import origin
from vncproxy.addresses import TrustedPeers
from vncproxy.attempts import ANY_NUMBER, Attempts
from vncproxy.broker import Broker
from vncproxy.errors import OriginRefused, RequestError, StreamEnded, TooManyAttempts, VNCProxyError
from vncproxy.forwarded import Client
from vncproxy.frontends.admission import ANYBODY, Admission
from vncproxy.frontends.authentication import Refusal
from vncproxy.frontends.clients import clientOf, headerOf
from vncproxy.frontends.opening import VERSIONS, isOpening, readOpening
from vncproxy.frontends.pages import Page
from vncproxy.frontends.websocket import ConsoleSocket, makeSocketFactory
from vncproxy.httphead import queryTokens
from vncproxy.interfaces import IViewer
from vncproxy.model import ConsoleType, Grant, ViewerFacts
from vncproxy.rfb import handshake
from vncproxy.stream import ByteStream

_log = Logger()

RESUME_COOKIE: Final = "vncproxy_resume"

_OWN_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; "
)
"""
The Content-Security-Policy of our page.
"""

_NOBODY: Final = TrustedPeers()

_RESUME_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def findToken(uri: str, cookies: Mapping[str, str]) -> str:
    """
    The token of a request, empty if it has none.

    @param uri: path and query of the request line.
    """
    found = queryTokens(uri)
    if not found:
        for path in parse_qs(uri.partition("?")[2]).get("path", ()):
            # Some escape what they put into a parameter once more than is needed.
            found = queryTokens(path if "?" in path else unquote(path)) or found
    return found[-1] if found else cookies.get("token", "").strip('"')


def _cookies(request: Request) -> dict[str, str]:
    """
    The cookies of a request; what is no cookie is passed over (RFC 6265 section 5.4).
    """
    found = {}
    for header in request.requestHeaders.getRawHeaders(b"cookie", []):
        for part in header.decode("latin-1").split(";"):
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
        self._stream: ByteStream | None = None
        self._reached = False

    async def admit(self, grant: Grant) -> ByteStream:
        """
        See L{IViewer.admit}.
        """
        self._stream = self._socket.accept(self._headers)
        return self._stream

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
            # With its cookie: a redemption that came through too late is given back to the browser that asked for it.
            stream = self._stream or self._socket.accept(self._headers)
        except StreamEnded:
            return
        # It ends with the stream, whose owner is the socket.
        telling = Deferred.fromCoroutine(self._tell(stream, error.told))
        telling.addErrback(lambda failure: _log.failure("a refusal failed", failure))
        telling.addCallback(lambda ignored: stream.close(error.closeCode, error.reason))

    def decline(self, refusal: Refusal) -> None:
        """
        Tell the viewer in HTTP, before any WebSocket.
        """
        self._socket.decline(refusal.encode())

    async def _tell(self, stream: ByteStream, words: str) -> None:
        stream.expectWithin(self._seconds)
        try:
            await handshake.refuse(stream, words)
        except VNCProxyError:
            # It is gone, or does not speak RFB: the close frame will have to do.
            pass


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
        makeSecret: Callable[[], str],
        heartbeat: float,
        handshakeSeconds: float,
        publishedScheme: str | None,
        allowedOrigins: Collection[str],
        frameAncestors: Sequence[str],
        trusted: TrustedPeers = _NOBODY,
        attempts: Attempts = ANY_NUMBER,
        admission: Admission = ANYBODY,
        ownPages: bool = True,
    ) -> None:
        """
        @param makeSecret: a new resume secret at each call, 43 characters of URL-safe base 64.
        @param heartbeat: see L{ConsoleSocket}.
        @param publishedScheme: of the URL under which browsers come, where that is not this very endpoint.
        @param allowedOrigins: see L{origin.mayConnect}.
        @param frameAncestors: sources of the Content-Security-Policy: who may embed the page.
        @param trusted: those that forward for others, and whose C{X-Forwarded-*} headers count.
        @param attempts: the wrong tokens that clients have shown.
        @param admission: what else a request has to bring.
        @param ownPages: we know what the pages load; else that is for who wrote them.
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
        self._trusted = trusted
        self._attempts = attempts
        self._admission = admission
        self._sockets = makeSocketFactory(reactor)
        ancestors = " ".join(frameAncestors) or "'none'"
        self._headers = {
            "Content-Security-Policy": (_OWN_POLICY if ownPages else "") + f"frame-ancestors {ancestors}",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def render(self, request: Request) -> bytes | int:
        """
        A WebSocket on any path, else the page.
        """
        # Nobody has to know what we are made of.
        request.responseHeaders.removeHeader("Server")
        for name, value in self._headers.items():
            request.setHeader(name, value)
        if not isOpening(lambda name: headerOf(request, name)):
            return self._renderGuarded(request) if self._admission.guardsPages else self._renderPage(request)
        try:
            return self._renderSocket(request)
        except VNCProxyError as error:
            client = clientOf(request, self._trusted).address
            self._broker.noteRefusal(ViewerFacts("web", ConsoleType.NOVNC, client, token=""), None, error)
            request.setHeader("Sec-WebSocket-Version", ", ".join(VERSIONS))
            if isinstance(error, TooManyAttempts):
                request.setHeader("Retry-After", str(error.retryAfter))
            return _renderText(request, error.httpStatus, str(error) if isinstance(error, RequestError) else error.told)

    # Pages.

    def _renderGuarded(self, request: Request) -> int:
        """
        A page for those who may have it.
        """
        working = Deferred.fromCoroutine(self._guard(request))
        request.notifyFinish().addErrback(lambda failure: working.cancel())
        working.addErrback(lambda failure: failure.trap(CancelledError))
        # What this returns is the failure itself.
        working.addErrback(lambda failure: request.processingFailed(failure) and None)
        return NOT_DONE_YET

    async def _guard(self, request: Request) -> None:
        client = clientOf(request, self._trusted)
        try:
            self._attempts.check(client.address)
            refusal = await self._admission.refusal(request, None)
        except TooManyAttempts as error:
            refusal = Refusal(error.httpStatus, str(error), {"Retry-After": str(error.retryAfter)}, error.told)
        except VNCProxyError as error:
            refusal = Refusal(error.httpStatus, str(error), words=error.told)
        else:
            self._count(request, client.address, refusal)
        if refusal is None:
            body = self._renderPage(request)
        else:
            for name, value in refusal.headers.items():
                request.setHeader(name, value)
            body = _renderText(request, refusal.status, refusal.words or refusal.phrase)
        if isinstance(body, bytes):
            request.write(body)
            request.finish()

    def _renderPage(self, request: Request) -> bytes | int:
        page = self._pages.get(request.path.decode("latin-1").removeprefix("/"))
        if page is None:
            return _renderText(request, 404, "There is nothing here. Open a console from the link that you were given.")
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader("Allow", "GET, HEAD")
            return _renderText(request, 405, "This page can only be read.")
        body = page.body(headerOf(request, "accept-encoding") or "")
        request.setHeader("Content-Type", page.contentType)
        request.setHeader("Vary", "Accept-Encoding")
        request.setHeader("ETag", page.etag)
        # The page itself comes with a cookie for one browser alone.
        request.setHeader(
            "Cache-Control", "public, max-age=31536000, immutable" if page.forever else "private, no-cache"
        )
        if body.encoding:
            request.setHeader("Content-Encoding", body.encoding)
        if not page.forever:
            _, setCookie = self._resume(request, clientOf(request, self._trusted))
            if setCookie is not None:
                request.setHeader("Set-Cookie", setCookie)
        if page.isHeld(headerOf(request, "if-none-match") or ""):
            request.setResponseCode(304)
            # Returned to Twisted, an empty body would get the length of one, which 304 must not have.
            request.write(b"")
            request.finish()
            return NOT_DONE_YET
        request.setHeader("Content-Length", str(len(body.data)))
        return b"" if request.method == b"HEAD" else body.data

    # Sockets.

    def _renderSocket(self, request: Request) -> int:
        """
        @raise VNCProxyError: this request may not open a WebSocket.
        """
        client = clientOf(request, self._trusted)
        self._attempts.check(client.address)
        opening = readOpening(
            request.method.decode("latin-1"),
            request.clientproto.decode("latin-1"),
            lambda name: headerOf(request, name),
        )
        cookies = {} if self._admission.byHost else _cookies(request)
        shown = findToken(request.uri.decode("latin-1"), cookies)
        token = self._admission.token(shown, client.host or headerOf(request, "host") or "")
        self._checkOrigin(request, client)
        secret, setCookie = self._resume(request, client)
        facts = ViewerFacts("web", ConsoleType.NOVNC, client.address, token, secret)
        serving: list[Deferred[None]] = []

        def lost() -> None:
            for work in serving:
                work.cancel()

        socket = ConsoleSocket(self._reactor, opening, self._heartbeat, lost)
        socket.factory = self._sockets
        _handOver(request, socket)
        if not socket.left:
            viewer = WebViewer(facts, socket, setCookie, self._handshakeSeconds)
            serving.append(self._serve(request, viewer))
        return NOT_DONE_YET

    def _serve(self, request: Request, viewer: WebViewer) -> Deferred[None]:
        """
        Let the broker have a viewer who may come in.
        """
        if self._admission.check is None:
            return self._broker.serve(viewer)
        return Deferred.fromCoroutine(self._serveAdmitted(request, viewer))

    async def _serveAdmitted(self, request: Request, viewer: WebViewer) -> None:
        try:
            refusal = await self._admission.refusal(request, viewer.facts)
        except CancelledError:
            return
        except VNCProxyError as error:
            self._broker.noteRefusal(viewer.facts, None, error)
            viewer.refuse(error)
            return
        self._count(request, viewer.facts.address, refusal)
        if refusal is None:
            await self._broker.serve(viewer)
        else:
            viewer.decline(refusal)

    def _count(self, request: Request, address: str, refusal: Refusal | None) -> None:
        """
        Remember who has shown wrong credentials. To show none is how browsers begin.
        """
        if refusal is not None and headerOf(request, "authorization") is not None:
            self._attempts.failed(address)

    def _checkOrigin(self, request: Request, client: Client) -> None:
        """
        @raise OriginRefused: a page of this origin may not connect.
        """
        shown = headerOf(request, "origin")
        if shown is None:
            # The name for it in the drafts of WebSocket.
            shown = headerOf(request, "sec-websocket-origin")
        # A page that came in the clear has no place on a proxy that is published as secure.
        published = self._publishedScheme or client.scheme or "http"
        schemes = {"https"} if request.isSecure() else {published}
        host = client.host or headerOf(request, "host") or ""
        if not origin.mayConnect(shown, host, schemes, self._allowedOrigins, client.scheme):
            raise OriginRefused(f"its page is of {shown!r}; {host!r} over {'/'.join(schemes)} is published")

    def _resume(self, request: Request, client: Client) -> tuple[str, str | None]:
        """
        The browser's resume secret, and the cookie that gives it one if it has none.
        """
        known = _cookies(request).get(RESUME_COOKIE, "")
        if _RESUME_SECRET.fullmatch(known):
            return known, None
        secret = self._makeSecret()
        # In a frame of another site only a cookie that says so comes back, and such a one must be Secure.
        secure = request.isSecure() or client.isSecure or self._publishedScheme in ("https", "wss")
        reach = "Secure; SameSite=None; Partitioned" if secure else "SameSite=Lax"
        return secret, f"{RESUME_COOKIE}={secret}; Path=/; HttpOnly; {reach}"


def _handOver(request: Request, socket: ConsoleSocket) -> None:
    """
    Let a socket have the connection of a request from here on; the request and its channel are free to go.
    """
    channel: Any = request.channel
    transport = channel.transport
    # The channel is its transport's producer: a place that the socket needs.
    transport.unregisterProducer()
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = socket
    else:
        transport.protocol = socket
    socket.makeConnection(transport)
    # The channel stops it after a lot of requests in a row.
    transport.resumeProducing()
    early = channel.clearLineBuffer()
    if early:
        socket.dataReceived(early)


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
