"""
The site around what we serve: bodies are bounded while they arrive, and the access log holds no secrets.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final, cast

from twisted.internet.interfaces import IReactorTime
from twisted.web.http import HTTPChannel
from twisted.web.iweb import IAccessLogFormatter
from twisted.web.resource import IResource
from twisted.web.server import Request, Site
from zope.interface import provider

from vncproxy.addresses import TrustedPeers
from vncproxy.api.http import BODY_LIMIT, loggedPath
from vncproxy.frontends.clients import clientOf

_NOBODY: Final = TrustedPeers()

#: A client that goes on sending beyond this many bytes of body is cut off instead of answered.
_PATIENCE: Final = 16 * BODY_LIMIT


class BoundedChannel(HTTPChannel):
    """
    A connection whose time limit runs for a whole request, not from one byte to the next: steady drops do not hold it.
    """

    def resetTimeout(self) -> None:
        """
        Some bytes came: nothing to do. Twisted sets the limit itself for each request.
        """


class BoundedRequest(Request):
    """
    A request that keeps of its body no more than shows that it is too long.
    """

    _received = 0

    def gotLength(self, length: int | None) -> None:
        """
        The headers are through. Memory is enough for what we keep, no file is needed.
        """
        self._kept = self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """
        Keep the chunk, or drop it; a sender who knows no end is cut off.
        """
        self._kept.write(data[: max(0, BODY_LIMIT + 1 - self._received)])
        self._received += len(data)
        if self._received > _PATIENCE:
            self.channel.loseConnection()


def _logFormatter(trusted: TrustedPeers) -> IAccessLogFormatter:
    """
    What makes lines for the access log in the usual combined form, but without what may hold a token: no query, no page
    that led here.

    @param trusted: those whose word on their clients' addresses counts.
    """

    @provider(IAccessLogFormatter)
    def line(timestamp: str, request: Request) -> str:
        address = clientOf(request, trusted).address
        # An escaped question mark hides a query from the parser, not from who reads the log.
        path = request.uri.partition(b"?")[0].lower().partition(b"%3f")[0]
        path = loggedPath(request.uri[: len(path)])
        return (
            f'{address} - - {timestamp} "{_printable(request.method)} {_printable(path)} '
            f'{_printable(request.clientproto)}" {request.code} {request.sentLength or "-"} "-" '
            f'"{_printable(request.getHeader(b"user-agent") or b"-")}"'
        )

    return cast(IAccessLogFormatter, line)


def _printable(text: bytes) -> str:
    # As `repr` does it: a client cannot write control characters into the log, nor end a quotation.
    return repr(text.decode("latin-1"))[1:-1].replace('"', '\\"')


def makeSite(resource: IResource, reactor: IReactorTime, trusted: TrustedPeers = _NOBODY) -> Site:
    """
    A site around C{resource}: requests are bounded in size and in time, the access log holds no secrets.

    @param trusted: those that forward for others, and whose C{X-Forwarded-For} counts in the access log.
    """
    site = Site(
        resource,
        requestFactory=cast(Any, BoundedRequest),
        parsePOSTFormSubmission=False,
        logFormatter=_logFormatter(trusted),
        reactor=reactor,
    )
    site.protocol = cast(Any, BoundedChannel)  # type: ignore[method-assign]
    return site
