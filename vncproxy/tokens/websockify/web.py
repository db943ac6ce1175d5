"""
The token sources that are asked over HTTP.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, RedirectAgent, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from vncproxy.errors import ConfigError, TokensUnreachable
from vncproxy.model import Target
from vncproxy.tokens.websockify.formats import parseAddress, parseTargetObject

_MOST_BYTES: Final = 64 * 1024
_MOST_REDIRECTS: Final = 5


class _Body(Protocol):
    """
    Gathers a response's body, within bounds.
    """

    # What a body comes through is not told by ITransport.
    transport: Any

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda whole: self._stop())
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > _MOST_BYTES and not self.whole.called:
            self._stop()
            self.whole.errback(TokensUnreachable(f"its answer is longer than {_MOST_BYTES} bytes"))

    def _stop(self) -> None:
        # The body ends with its connection.
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        # Before HTTP/1.1 the end of a body may be the end of its connection.
        if reason.check(ResponseDone, PotentialDataLoss, ConnectionDone):
            self.whole.callback(bytes(self._data))
        else:
            self.whole.errback(TokensUnreachable("its answer broke off"))


def makeAgent(reactor: Any, seconds: float) -> IAgent:
    """
    An HTTP client that verifies certificates and follows a few redirections.

    @param seconds: for a connection.
    """
    return RedirectAgent(Agent(reactor, connectTimeout=seconds), _MOST_REDIRECTS)


class TokenAPI:
    """
    A service that is asked by C{GET} for the target of a token.
    """

    def __init__(self, source: str, agent: IAgent, parse: Callable[[str], Target]) -> None:
        """
        @param source: a URL with a C{%s} where the token goes; it may hold a user and a password.
        @param parse: from the response's body to the target.

        @raise ConfigError: it is no such URL.
        """
        parts = urlsplit(source)
        self._headers = Headers({"User-Agent": ["vncproxy"]})
        try:
            filled = parts.scheme in ("http", "https") and parts.hostname and source % "x" != source
        except (TypeError, ValueError):
            filled = False
        if not filled:
            raise ConfigError("tokens.source: write a URL with one %s where the token goes; a percent sign is %%.")
        userinfo, at, host = parts.netloc.rpartition("@")
        if at:
            # So does the library that websockify uses.
            self._headers.addRawHeader("Authorization", f"Basic {b64encode(userinfo.encode()).decode()}")
            source = urlunsplit(parts._replace(netloc=host))
        self._source = source
        self._agent = agent
        self._parse = parse

    async def find(self, token: str) -> Target | None:
        """
        What it says of a token.

        @raise BadEntry: it says no target.
        @raise TokensUnreachable: it does not answer, or with a fault of its own.
        """
        url = self._source % quote(token, safe="")
        response: IResponse = await self._agent.request(b"GET", url.encode("ascii"), self._headers)
        body = _Body()
        response.deliverBody(body)
        data = await body.whole
        if response.code >= 500:
            raise TokensUnreachable(f"it answers with the status {response.code}")
        if response.code >= 400:
            return None
        return self._parse(data.decode("utf-8", "replace"))


PARSERS: Final[dict[str, Callable[[str], Target]]] = {
    "BaseTokenAPI": parseAddress,
    "JSONTokenApi": parseTargetObject,
}
