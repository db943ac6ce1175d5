"""
Who may open a WebSocket, apart from tokens: websockify's authentication plugins, and what people have written for it.

::

    BasicHTTPAuth       USER:PASSWORD       HTTP Basic; else 401, so that browsers ask
    ExpectOrigin        ORIGIN ORIGIN …     the page's origin, exactly so; else 403
    ClientCertCNAuth    NAME NAME …         the common name of the viewer's certificate; else 403
    own class           anything            Class(source).authenticate(headers, target_host, target_port), which
                                            raises an AuthenticationError(log_msg, response_code, …), in a thread

They are asked before a token is looked at, so that nobody without a right to be here can use one up.
"""

from __future__ import annotations

import binascii
import http.client
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from hmac import compare_digest
from http import HTTPStatus
from typing import Any, Final

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from vncproxy.httphead import encodeResponse
from vncproxy.model import Target
from vncproxy.patience import answerWithin
from vncproxy.tokens.websockify.plugin import loadClass
from vncproxy.tokens.websockify.workers import Workers

_log = Logger()

COMMON_NAME: Final = "SSL_CLIENT_S_DN_CN"
"""
The header, made here and taken from nobody, that holds the common name of the viewer's certificate.
"""

_OWN_PREFIX: Final = "websockify.auth_plugins."


@attrs.frozen
class Refusal:
    """
    Somebody may not come in.

    @ivar cause: for the log.
    @ivar words: for the person.
    """

    status: int
    cause: str
    headers: Mapping[str, str] = attrs.field(factory=dict)
    words: str = ""

    def encode(self) -> bytes:
        """
        The whole response.
        """
        body = f"{self.words or self.phrase}\n"
        return encodeResponse(self.status, self.phrase, body, headers=self.headers)

    @property
    def phrase(self) -> str:
        """
        What stands behind the status.
        """
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return "Refused"


Check = Callable[[http.client.HTTPMessage, Target | None], Awaitable[Refusal | None]]
"""
Decides by a request's headers, and by the target that its token leads to: L{None} lets in.
"""


def makeHeaders(fields: Mapping[str, str], commonName: str | None) -> http.client.HTTPMessage:
    """
    The headers of a request as plugins expect them.

    @param commonName: of the viewer's certificate.
    """
    headers = http.client.HTTPMessage()
    for name, value in fields.items():
        # What only we may say.
        if not name.upper().replace("-", "_").startswith("SSL_"):
            headers[name] = value
    if commonName is not None:
        headers[COMMON_NAME] = commonName
    return headers


async def _basic(expected: bytes, headers: http.client.HTTPMessage, target: Target | None) -> Refusal | None:
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    try:
        shown = b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        shown = b""
    # Where nothing is expected nobody is let in.
    if scheme.lower() == "basic" and b":" in shown and compare_digest(shown, expected):
        return None
    return Refusal(401, "no or wrong credentials", {"WWW-Authenticate": 'Basic realm="Websockify"'})


async def _origin(expected: frozenset[str], headers: http.client.HTTPMessage, target: Target | None) -> Refusal | None:
    shown = headers.get("Origin")
    return None if shown in expected else Refusal(403, f"its page is of {shown!r}", words="Invalid Origin")


async def _commonName(
    expected: frozenset[str], headers: http.client.HTTPMessage, target: Target | None
) -> Refusal | None:
    shown = headers.get(COMMON_NAME)
    return None if shown in expected else Refusal(403, f"its certificate is of {shown!r}")


class ClassCheck:
    """
    An instance of somebody's class.
    """

    def __init__(self, dotted: str, source: str | None, workers: Workers, clock: IReactorTime, seconds: float) -> None:
        self._plugin = loadClass(dotted)(source)
        self._workers = workers
        self._clock = clock
        self._seconds = seconds

    async def __call__(self, headers: http.client.HTTPMessage, target: Target | None) -> Refusal | None:
        # A UNIX socket has neither.
        host, port = (None, None) if target is None or target.path else (target.host, target.port)
        return await answerWithin(
            self._seconds, self._clock, self._workers.run(partial(self._ask, headers, host, port))
        )

    def _ask(self, headers: http.client.HTTPMessage, host: str | None, port: int | None) -> Refusal | None:
        try:
            self._plugin.authenticate(headers=headers, target_host=host, target_port=port)
        except Exception as error:
            # It is other people's code; AuthenticationError is known by what it has.
            code = getattr(error, "code", None)
            if not isinstance(code, int) or not 400 <= code <= 599:
                return Refusal(500, f"the plugin fails: {type(error).__name__}")
            words = getattr(error, "msg", None)
            return Refusal(code, "the plugin refuses", _headersOf(error), words if isinstance(words, str) else "")
        return None


def _headersOf(error: Exception) -> dict[str, str]:
    named: Any = getattr(error, "headers", None) or {}
    lines = {str(name): str(value) for name, value in named.items()}
    # What would end a line would begin another response.
    return {name: value for name, value in lines.items() if not set(name + value) & set("\r\n\0")}


def makeCheck(plugin: str, source: str | None, workers: Workers, clock: IReactorTime, seconds: float) -> Check:
    """
    What a plugin decides.

    @param plugin: a class of websockify's, with its module in front or not, or another one by its full name.
    @param seconds: how long somebody's own class may take.

    @raise ConfigError: there is no such class.
    """
    name = plugin.removeprefix(_OWN_PREFIX)
    if name == "BasicHTTPAuth":
        return partial(_basic, (source or "").encode("utf-8"))
    names = frozenset((source or "").split())
    if name == "ExpectOrigin":
        return partial(_origin, names)
    if name == "ClientCertCNAuth":
        return partial(_commonName, names)
    return ClassCheck(name, source, workers, clock, seconds)
