"""
JSON services that are asked over HTTP, with an end to everything: connections, bodies, patience.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final

import attrs
import msgspec
from OpenSSL.SSL import Error as TLSError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    FileBodyProducer,
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from vncproxy.errors import ConfigError, TokensUnreachable

_MOST_BYTES: Final = 1024 * 1024
_PEM_END: Final = b"-----END CERTIFICATE-----"


@attrs.frozen
class JSONReply:
    """
    What a service answered.

    @ivar value: the body, decoded; L{None} where it is no JSON.
    """

    status: int
    headers: Headers = attrs.field(repr=False)
    value: Any = attrs.field(repr=False)


class JSONClient:
    """
    Asks services whose certificates must be good. Redirections are not followed: they could lead secrets anywhere.
    """

    def __init__(self, agent: IAgent) -> None:
        """
        @param agent: see L{makeAgent}.
        """
        self._agent = agent

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: object = None) -> JSONReply:
        """
        Send one request.

        @param body: sent as JSON unless L{None}.

        @raise TokensUnreachable: no answer came; the text names neither the URL nor anything that was sent.
        """
        fields = {"Accept": "application/json", "User-Agent": "vncproxy", **headers}
        producer = None
        if body is not None:
            fields["Content-Type"] = "application/json"
            producer = FileBodyProducer(BytesIO(msgspec.json.encode(body)))
        try:
            response: IResponse = await self._agent.request(
                method.encode("ascii"), url.encode("ascii"), Headers({key: [fields[key]] for key in fields}), producer
            )
            data = await _bodyOf(response)
        except (CancelledError, TokensUnreachable):
            raise
        except Exception as error:
            # Whatever goes wrong on the way: of names, routes, handshakes, certificates, HTTP.
            raise TokensUnreachable(_causeOf(error)) from error
        try:
            value = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = None
        return JSONReply(response.code, response.headers, value)


def makeAgent(reactor: Any, authorities: str | None, seconds: float, key: str) -> tuple[IAgent, HTTPConnectionPool]:
    """
    An HTTP client that keeps connections open for a while, and what closes them.

    @param authorities: PEM file of those that may have signed certificates; L{None} is those that the host trusts.
    @param seconds: for a connection.
    @param key: the key of the configuration that names the file, for complaints.

    @raise ConfigError: the file cannot be used.
    """
    pool = HTTPConnectionPool(reactor)
    policy = BrowserLikePolicyForHTTPS() if authorities is None else _policyOf(authorities, key)
    return Agent(reactor, policy, connectTimeout=seconds, pool=pool), pool


def _policyOf(path: str, key: str) -> BrowserLikePolicyForHTTPS:
    try:
        with open(path, "rb") as file:
            parts = file.read(_MOST_BYTES).split(_PEM_END)[:-1]
    except OSError as error:
        raise ConfigError(f"{key}: {path} cannot be read ({error.strerror}). Name a file that we may read.") from error
    try:
        found: Sequence[Certificate] = [Certificate.loadPEM(part + _PEM_END) for part in parts]
    except Exception as error:
        # Each OpenSSL has its own errors.
        raise ConfigError(f"{key}: {path} holds a certificate that is damaged. Name another file.") from error
    if not found:
        raise ConfigError(f"{key}: {path} holds no certificate in PEM. Name a file with the authorities.")
    return BrowserLikePolicyForHTTPS(trustRootFromCertificates(found))


def _causeOf(error: Exception) -> str:
    """
    Why there was no answer.
    """
    if isinstance(error, RequestGenerationFailed | RequestTransmissionFailed | ResponseFailed):
        # What is wrapped there says more.
        return _causeOf(error.reasons[0].value) if error.reasons else "its answer broke off"
    if isinstance(error, TLSError) and error.args and error.args[0]:
        # A list of what each part of OpenSSL has to say: part, function, reason.
        return f"TLS: {error.args[0][-1][-1]}"
    words = str(getattr(error, "strerror", None) or error).strip(" .")
    return words or type(error).__name__


class _Body(Protocol):
    """
    Gathers a body, within bounds.
    """

    # What a body comes through is not told by ITransport.
    transport: Any

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda whole: self.transport.abortConnection())
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > _MOST_BYTES and not self.whole.called:
            self.whole.errback(TokensUnreachable(f"its answer is longer than {_MOST_BYTES} bytes"))
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        # A body of no known length is none of a service that speaks JSON: it may have been cut.
        if reason.check(ResponseDone):
            self.whole.callback(bytes(self._data))
        else:
            self.whole.errback(TokensUnreachable("its answer broke off"))


async def _bodyOf(response: IResponse) -> bytes:
    body = _Body()
    response.deliverBody(body)
    return await body.whole
