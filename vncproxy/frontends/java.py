"""
The C{java} frontend: raw TCP behind an HTTP request line, in two dialects::

    nova's viewer                                TightVNC's, with a proxy configured
    CONNECT /console?token=T HTTP/1.0            CONNECT T:6080 HTTP/1.0
    HTTP/1.1 200 OK                              HTTP/1.0 200 OK
                        then RFB, byte for byte

Each client rejects the other's status line. Any method will do, as with nova-xvpvncproxy; the words of a refusal stand
in the status line, which both clients show to their user.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from zope.interface import implementer

from vncproxy.attempts import ANY_NUMBER, Attempts
from vncproxy.broker import Broker
from vncproxy.errors import RequestError, StreamEnded, TokenMissing, TooManyAttempts, VNCProxyError
from vncproxy.frontends.conversation import converse
from vncproxy.httphead import HEAD_END, HEAD_LIMIT, RequestHead, encodeResponse, parseRequestHead
from vncproxy.interfaces import IViewer
from vncproxy.model import ConsoleType, Grant, ViewerFacts
from vncproxy.stream import ByteStream, peerAddress

_PHRASES: Final = {
    400: "Invalid Request",
    401: "Not Authorized",
    408: "Request Timeout",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
"""
By status; the first two in nova's words.
"""

_BROWSER_HEADERS: Final = ("sec-fetch-mode", "upgrade-insecure-requests")
"""
Only browsers send these; the first of them over TLS alone.
"""

_BROWSER: Final = "This port is for Java and raw TCP viewers. Open the console's link for browsers instead."


@implementer(IViewer)
class JavaViewer:
    """
    One viewer, once its request is read.
    """

    def __init__(self, facts: ViewerFacts, stream: ByteStream, version: str) -> None:
        """
        @param version: of the status line that this client understands.
        """
        self.facts = facts
        self._stream = stream
        self._version = version
        self._reached = False

    async def admit(self, grant: Grant) -> ByteStream:
        """
        See L{IViewer.admit}.
        """
        return self._stream

    def reached(self) -> None:
        """
        See L{IViewer.reached}.
        """
        self._reached = True
        self._stream.write(f"{self._version} 200 OK".encode("ascii") + HEAD_END)

    def refuse(self, error: VNCProxyError) -> None:
        """
        See L{IViewer.refuse}. Once RFB has begun there is no way to tell the reason any more.
        """
        if not self._reached:
            self._stream.write(_refusal(error, self._version))
        self._stream.close()


def _refusal(error: VNCProxyError, version: str) -> bytes:
    """
    The response that tells an error.
    """
    words = str(error) if isinstance(error, RequestError) else error.told
    phrase = f"{_PHRASES[error.httpStatus]}: {words}"
    more = {"Retry-After": str(error.retryAfter)} if isinstance(error, TooManyAttempts) else {}
    return encodeResponse(error.httpStatus, phrase, words + "\n", version, more)


class JavaFactory(ServerFactory):
    """
    Serves the C{java} endpoint.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        broker: Broker,
        handshakeSeconds: float,
        halfCloseable: bool,
        attempts: Attempts = ANY_NUMBER,
    ) -> None:
        """
        @param handshakeSeconds: how long a client may take for its request.
        @param halfCloseable: whether its connections can be closed in one direction; not under TLS.
        @param attempts: the wrong tokens that clients have shown.
        """
        self._clock = clock
        self._broker = broker
        self._handshakeSeconds = handshakeSeconds
        self._halfCloseable = halfCloseable
        self._attempts = attempts

    def buildProtocol(self, addr: IAddress | None) -> ByteStream:
        """
        One connection.
        """
        address = peerAddress(addr)
        return converse(self._clock, lambda stream: self._serve(stream, address), self._halfCloseable)

    async def _serve(self, stream: ByteStream, address: str) -> None:
        """
        Read the request, then let the broker serve.
        """
        stream.expectWithin(self._handshakeSeconds)
        version = "HTTP/1.1"
        try:
            head = parseRequestHead(await stream.readUntil(HEAD_END, HEAD_LIMIT))
            version = "HTTP/1.1" if head.originForm else "HTTP/1.0"
            self._attempts.check(address)
            facts = _facts(head, address)
        except StreamEnded:
            stream.close()
            return
        except VNCProxyError as error:
            self._broker.noteRefusal(ViewerFacts("java", ConsoleType.XVPVNC, address, token=""), None, error)
            stream.write(_refusal(error, version))
            stream.close()
            return
        stream.expectWithin(None)
        await self._broker.serve(JavaViewer(facts, stream, version))


def _facts(head: RequestHead, address: str) -> ViewerFacts:
    """
    What a request says of its viewer.
    """
    if any(name in head.headers for name in _BROWSER_HEADERS):
        # Serving one would spend the token on a download of RFB bytes.
        raise RequestError(_BROWSER)
    if not head.token:
        raise TokenMissing("the request holds no token")
    return ViewerFacts("java", ConsoleType.XVPVNC, address, head.token)
