"""
JSON over HTTP, driven by one table of operations.

A request passes these gates in this order, and the first that is shut answers::

    which dialect? ─► which path? ─► key ─► path ─► method ─► body ─────────► operation ─► answer
    (its prefix)                     401    404     405       413, 415, 400   its errors   its statuses

The key comes before everything that could tell a stranger what exists here. A L{Dialect} is such a table together with
its own way to ask for a key and to tell an error, so that other clouds' APIs can stand beside ours on the same port.
The same table makes the OpenAPI document (L{vncproxy.api.openapi}): what is not in the table is not answered.

The errors of this layer::

    RequestError
    ├── KeyRefused      key_refused         401  no key, or a wrong one
    ├── PathUnknown     path_unknown        404  nothing answers at this path
    ├── MethodRefused   method_not_allowed  405  the path is known, not for this method
    ├── BodyTooLarge    body_too_large      413
    └── BodyNotJSON     body_not_json       415  the content type says that it is something else
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import IO, Any, Final, Generic, TypeVar, cast
from urllib.parse import unquote_to_bytes

import attrs
import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from vncproxy.addresses import TrustedPeers
from vncproxy.api.bodies import decodeBody
from vncproxy.attempts import ANY_NUMBER, Attempts
from vncproxy.errors import RequestError, ServiceUnavailable, TokensUnreachable, TooManyAttempts, VNCProxyError
from vncproxy.frontends.clients import clientOf

_log = Logger()

#: The longest request body that is read, in bytes.
BODY_LIMIT: Final = 64 * 1024

_JSON: Final = "application/json"

_TOKENS: Final = b"os-console-auth-tokens"

_NOBODY: Final = TrustedPeers()

_B = TypeVar("_B", bound=msgspec.Struct | None)


class KeyRefused(RequestError):
    """
    The request shows no API key, or one that is not ours.
    """

    reason = "key_refused"
    httpStatus = 401
    told = "This needs an API key: send it as `Authorization: Bearer KEY` or `X-Auth-Token: KEY`."


class PathUnknown(RequestError):
    """
    Nothing answers at this path.
    """

    reason = "path_unknown"
    httpStatus = 404
    told = "Nothing answers at this path. GET /v1/openapi.json lists what does."


class MethodRefused(RequestError):
    """
    The path is known, but not for this method.

    @ivar allowed: the methods that it does take.
    """

    reason = "method_not_allowed"
    httpStatus = 405
    told = "This path does not take that method."

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"This path takes {', '.join(allowed)} only.")
        self.allowed = tuple(allowed)


class BodyTooLarge(RequestError):
    """
    The request's body is longer than L{BODY_LIMIT}.
    """

    reason = "body_too_large"
    httpStatus = 413
    told = f"A request body may have {BODY_LIMIT} bytes at most."


class BodyNotJSON(RequestError):
    """
    The request's content type says that its body is not JSON.
    """

    reason = "body_not_json"
    httpStatus = 415
    told = "The body must be JSON: send it as `Content-Type: application/json`."


@attrs.frozen
class Answer:
    """
    What an operation answers.

    @ivar body: told as JSON; bytes are JSON already; L{None} is no body.
    @ivar headers: further response headers.
    """

    status: int
    body: msgspec.Struct | bytes | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Call(Generic[_B]):
    """
    A request that has passed every gate.

    @ivar parameters: what stands in the path's braces, decoded.
    @ivar body: the decoded body; L{None} where the operation takes none.
    @ivar request: the request itself, for a dialect that puts meaning into its query or headers.
    """

    parameters: Mapping[str, str]
    body: _B
    request: Request = attrs.field(repr=False)


@attrs.frozen
class Operation:
    """
    One method of one path: how it is served and how it is described.

    @ivar path: a template; C{{name}} stands for one segment, which is not empty.
    @ivar run: serves it.
    @ivar summary: one line for people.
    @ivar answers: each status of success, what it means and the type of its body.
    @ivar errors: what C{run} may raise, beside what every operation may.
    @ivar body: the type of the request's body, if it takes one. An absent body is an empty object.
    @ivar open: needs no key.
    @ivar signed: open only because the request itself shows who asks, which C{run} looks at: it answers 401 if that is
        wrong.
    @ivar details: further sentences for people.
    """

    method: str
    path: str
    run: Callable[[Call[Any]], Awaitable[Answer]]
    summary: str
    answers: Mapping[int, tuple[str, type[msgspec.Struct] | None]]
    errors: tuple[type[VNCProxyError], ...] = ()
    body: type[msgspec.Struct] | None = None
    open: bool = False
    signed: bool = False
    details: str = ""

    @property
    def refusals(self) -> tuple[type[VNCProxyError], ...]:
        """
        Every error that it may be answered with: those of the gates, its own, and what can befall any.
        """
        gates: list[type[VNCProxyError]] = []
        if not self.open:
            gates += [KeyRefused, TooManyAttempts]
        if "{" in self.path:
            gates.append(PathUnknown)
        if self.body is not None:
            gates += [RequestError, BodyTooLarge, BodyNotJSON]
        return tuple(dict.fromkeys([*gates, *self.errors, ServiceUnavailable, TokensUnreachable, VNCProxyError]))


@attrs.frozen
class Dialect:
    """
    A table of operations with its own manners.

    @ivar prefix: the paths that are its own begin so; of several dialects the longest prefix wins.
    @ivar admits: whether the request shows a key that is good here.
    @ivar tell: an error as this dialect tells it.
    @ivar dress: what every answer of this dialect gets on top, be it good or bad.
    @ivar alone: paths that are its own although they do not begin with its prefix.
    """

    prefix: str
    operations: tuple[Operation, ...]
    admits: Callable[[Request], bool]
    tell: Callable[[VNCProxyError], Answer]
    dress: Callable[[Request, Answer], Answer] = lambda request, answer: answer
    alone: frozenset[str] = frozenset()

    def owns(self, path: str) -> bool:
        """
        Whether a path is this dialect's.
        """
        return path.startswith(self.prefix) or path in self.alone


@attrs.frozen
class KeyRing:
    """
    The API keys that are good here, of which only digests are held.

    @ivar digests: L{keyDigest} of each.
    """

    digests: tuple[bytes, ...] = attrs.field(repr=False)

    def admits(self, request: Request) -> bool:
        """
        Whether the request shows one of the keys, as C{Authorization: Bearer KEY} or C{X-Auth-Token: KEY}.
        """
        return self.opens(shownKeys(request))

    def opens(self, secrets: Iterable[bytes]) -> bool:
        """
        Whether one of C{secrets} is one of the keys.
        """
        shown = [keyDigest(key) for key in secrets]
        # Every pair is compared, whatever the ones before said: the time taken tells nothing.
        return any([hmac.compare_digest(ours, theirs) for ours in self.digests for theirs in shown])


def keyDigest(key: bytes) -> bytes:
    """
    What is kept of an API key: its SHA-256. White space around the key does not count.
    """
    return sha256(key.strip()).digest()


def shownKeys(request: Request) -> Iterable[bytes]:
    """
    What the request shows as API keys.
    """
    for value in request.requestHeaders.getRawHeaders(b"authorization", ()):
        scheme, _, key = value.partition(b" ")
        if scheme.lower() == b"bearer":
            yield key
    yield from request.requestHeaders.getRawHeaders(b"x-auth-token", ())


class APIResource(Resource):
    """
    Serves the operations of one or more dialects.
    """

    isLeaf = True

    def __init__(
        self,
        dialects: Sequence[Dialect],
        timeout: float,
        clock: IReactorTime,
        trusted: TrustedPeers = _NOBODY,
        attempts: Attempts = ANY_NUMBER,
    ) -> None:
        """
        @param dialects: one of them has the empty prefix and answers what is nobody else's.
        @param timeout: seconds that one operation may take.
        @param trusted: those that forward for others, and whose C{X-Forwarded-For} counts.
        @param attempts: the wrong keys that clients have shown.
        """
        super().__init__()
        self._dialects = sorted(dialects, key=lambda dialect: len(dialect.prefix), reverse=True)
        self._timeout = timeout
        self._clock = clock
        self._trusted = trusted
        self._attempts = attempts

    def render(self, request: Request) -> int:
        """
        Serve one request, whatever its method and path.
        """
        path = request.path.decode("ascii", "replace")
        dialect = next(each for each in self._dialects if each.owns(path))
        work = Deferred.fromCoroutine(self._answer(dialect, request))
        # Who hangs up wants no answer. When the answer is out this finds nothing left to cancel.
        request.notifyFinish().addErrback(lambda _: work.cancel())
        work.addCallback(lambda answer: _send(dialect.dress(request, answer), request))
        work.addErrback(lambda failure: failure.trap(CancelledError))
        work.addErrback(lambda failure: _log.failure("an API answer could not be sent", failure))
        return NOT_DONE_YET

    async def _answer(self, dialect: Dialect, request: Request) -> Answer:
        try:
            operation, call = self._understand(dialect, request)
            running = Deferred.fromCoroutine(_run(operation, call))
            answer = await running.addTimeout(self._timeout, self._clock)
            if operation.signed and answer.status == KeyRefused.httpStatus:
                self._attempts.failed(self._addressOf(request))
            return answer
        except CancelledError:
            raise
        except DeferredTimeout:
            return dialect.tell(ServiceUnavailable())
        except TooManyAttempts as error:
            answer = dialect.tell(error)
            return attrs.evolve(answer, headers={**answer.headers, "Retry-After": str(error.retryAfter)})
        except VNCProxyError as error:
            return dialect.tell(error)
        except Exception:
            # The outermost edge: a fault of ours is logged in full, and its client is told no more than that.
            _log.failure(
                "an API operation failed: {method} {path}", method=request.method, path=loggedPath(request.path)
            )
            return dialect.tell(VNCProxyError())

    def _understand(self, dialect: Dialect, request: Request) -> tuple[Operation, Call[Any]]:
        found = _operationsAt(dialect, request.path)
        strangers = found and all(operation.open for operation, _ in found.values())
        if not strangers or any(operation.signed for operation, _ in found.values()):
            self._attempts.check(self._addressOf(request))
        if not strangers and not dialect.admits(request):
            self._attempts.failed(self._addressOf(request))
            raise KeyRefused()
        if not found:
            raise PathUnknown()
        method = request.method.decode("ascii", "replace")
        try:
            operation, parameters = found["GET" if method == "HEAD" else method]
        except KeyError:
            allowed = sorted({*found, "HEAD"} if "GET" in found else found)
            raise MethodRefused(allowed) from None
        body = None if operation.body is None else decodeBody(operation.body, readBody(request, _JSON))
        return operation, Call(parameters=parameters, body=body, request=request)

    def _addressOf(self, request: Request) -> str:
        return clientOf(request, self._trusted).address


def loggedPath(path: bytes) -> bytes:
    """
    A path as logs may hold it: what follows nova's C{os-console-auth-tokens} is a token.
    """
    segments = path.split(b"/")
    names = [unquote_to_bytes(segment).lower() for segment in segments]
    if _TOKENS not in names:
        return path
    return b"/".join([*segments[: names.index(_TOKENS) + 1], b"***"])


async def _run(operation: Operation, call: Call[Any]) -> Answer:
    return await operation.run(call)


def _operationsAt(dialect: Dialect, path: bytes) -> dict[str, tuple[Operation, dict[str, str]]]:
    """
    The operations of a path by method, each with what stands in its braces.
    """
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in path.split(b"/")]
    except UnicodeDecodeError:
        return {}
    found = {}
    for operation in dialect.operations:
        parameters = _match(operation.path.split("/"), segments)
        if parameters is not None:
            found[operation.method] = (operation, parameters)
    return found


def _match(template: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    if len(template) != len(segments):
        return None
    parameters = {}
    for part, segment in zip(template, segments, strict=True):
        if part.startswith("{") and segment:
            parameters[part.strip("{}")] = segment
        elif part != segment:
            return None
    return parameters


def readBody(request: Request, wanted: str) -> bytes:
    """
    The body of a request.

    @param wanted: the content type that it must have, if it says one.

    @raise BodyTooLarge: it is longer than L{BODY_LIMIT}.
    @raise BodyNotJSON: it says that it is of another type; the text says which is wanted.
    """
    # A request that comes to a resource has its content, whatever its type says.
    body: bytes = cast(IO[bytes], request.content).read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise BodyTooLarge()
    kind = (request.getHeader("content-type") or wanted).partition(";")[0].strip().lower()
    if body and kind != wanted:
        raise BodyNotJSON("" if wanted == _JSON else f"The body must be sent as `Content-Type: {wanted}`.")
    return body


def _send(answer: Answer, request: Request) -> None:
    request.setResponseCode(answer.status)
    request.setHeader("cache-control", "no-store")
    for name, value in answer.headers.items():
        request.setHeader(name, value)
    if answer.body is not None:
        body = answer.body if isinstance(answer.body, bytes) else msgspec.json.encode(answer.body)
        # For who reads it on a terminal; to JSON it is nothing.
        body += b"\n"
        request.setHeader("content-type", "application/json")
        request.setHeader("x-content-type-options", "nosniff")
        request.setHeader("content-length", str(len(body)))
        request.write(body)
    request.finish()
