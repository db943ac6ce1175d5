"""
JSON over HTTP, driven by one table of operations.

A request passes these gates in this order, and the first that is shut answers::

    which dialect? ─► which path? ─► key ─► path ─► method ─► right ─► query, body ──► operation ─► answer
    (its prefix)                     401    404     405       403      413, 415, 400   its errors   its statuses

The key comes before everything that could tell a stranger what exists here. The right is that of the key's role: it
goes by the operation alone, so that its refusal tells nothing either. Which consoles exist for a key is the operation's
part. A L{Dialect} is such a table together with its own way to ask for a key and to tell an error, so that other
clouds' APIs can stand beside ours on the same port.
The same table makes the OpenAPI document (L{vncproxy.api.openapi}): what is not in the table is not answered.

The errors of this layer::

    RequestError
    ├── KeyRefused      key_refused         401  no key, or a wrong one
    ├── RightMissing    right_missing       403  the key's role does not have the right that the operation needs
    ├── PathUnknown     path_unknown        404  nothing answers at this path
    ├── MethodRefused   method_not_allowed  405  the path is known, not for this method
    ├── BodyTooLarge    body_too_large      413
    └── BodyNotJSON     body_not_json       415  the content type says that it is something else
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
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

from vncproxy import rights
from vncproxy.addresses import TrustedPeers
from vncproxy.api.bodies import decodeBody, decodeQuery
from vncproxy.attempts import ANY_NUMBER, Attempts
from vncproxy.errors import RequestError, ServiceUnavailable, TokensUnreachable, TooManyAttempts, VNCProxyError
from vncproxy.frontends.clients import clientOf
from vncproxy.interfaces import IKeyRing
from vncproxy.model import APIKey
from vncproxy.rights import Right

_log = Logger()

#: How many secrets of one request are looked at.
_MOST_SHOWN: Final = 4

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


class RightMissing(RequestError):
    """
    The key is good, and may not do that.
    """

    reason = "right_missing"
    httpStatus = 403
    told = "This API key may not do that."

    def __init__(self, right: Right) -> None:
        super().__init__(f"This API key may not do that: its role lacks the right `{right.value}`.")


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
    @ivar body: the decoded body, or query; L{None} where the operation takes none.
    @ivar request: the request itself, for a dialect that puts meaning into its query or headers.
    @ivar client: the address that asks, in words.
    @ivar key: whose request it is; L{None} where the operation needs no key.
    """

    parameters: Mapping[str, str]
    body: _B
    request: Request = attrs.field(repr=False)
    client: str
    key: APIKey | None = None

    @property
    def owner(self) -> str:
        """
        The name of the key; empty where there is none.
        """
        return "" if self.key is None else self.key.name

    def sees(self, consoleID: str) -> bool:
        """
        Whether a console exists for who asks.
        """
        return self.key is not None and rights.sees(self.key, consoleID)


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
    @ivar needs: the right that the key must have; L{None} where no key is needed.
    @ivar details: further sentences for people.
    """

    method: str
    path: str
    run: Callable[[Call[Any]], Awaitable[Answer]]
    summary: str
    answers: Mapping[int, tuple[str, type[msgspec.Struct] | None]]
    errors: tuple[type[VNCProxyError], ...] = ()
    body: type[msgspec.Struct] | None = None
    needs: Right | None = attrs.field(kw_only=True)
    query: type[msgspec.Struct] | None = None
    details: str = ""

    @property
    def open(self) -> bool:
        """
        Whether it needs no key.
        """
        return self.needs is None

    @property
    def refusals(self) -> tuple[type[VNCProxyError], ...]:
        """
        Every error that it may be answered with: those of the gates, its own, and what can befall any.
        """
        gates: list[type[VNCProxyError]] = []
        if not self.open:
            gates += [KeyRefused, TooManyAttempts, RightMissing]
        if "{" in self.path:
            gates.append(PathUnknown)
        if self.body is not None:
            gates += [RequestError, BodyTooLarge, BodyNotJSON]
        if self.query is not None:
            gates.append(RequestError)
        return tuple(dict.fromkeys([*gates, *self.errors, ServiceUnavailable, TokensUnreachable, VNCProxyError]))


@attrs.frozen
class Dialect:
    """
    A table of operations with its own manners.

    @ivar prefix: the paths that are its own begin so; of several dialects the longest prefix wins.
    @ivar whose: the key that the request shows; L{None} if it shows none that is good here.
    @ivar tell: an error as this dialect tells it.
    @ivar dress: what every answer of this dialect gets on top, be it good or bad.
    @ivar alone: paths that are its own although they do not begin with its prefix.
    """

    prefix: str
    operations: tuple[Operation, ...]
    whose: Callable[[Request], Awaitable[APIKey | None]]
    tell: Callable[[VNCProxyError], Answer]
    dress: Callable[[Request, Answer], Answer] = lambda request, answer: answer
    alone: frozenset[str] = frozenset()

    def owns(self, path: str) -> bool:
        """
        Whether a path is this dialect's.
        """
        return path.startswith(self.prefix) or path in self.alone


async def keyOf(keys: IKeyRing, shown: Iterable[bytes]) -> APIKey | None:
    """
    The key whose secret stands among those that are shown.

    @raise TokensUnreachable: it cannot be known now.
    """
    for secret in islice(shown, _MOST_SHOWN):
        key = await keys.whose(secret)
        if key is not None:
            return key
    return None


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
            running = Deferred.fromCoroutine(self._serve(dialect, request))
            return await running.addTimeout(self._timeout, self._clock)
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

    async def _serve(self, dialect: Dialect, request: Request) -> Answer:
        """
        Through the gates, to the operation.
        """
        found = _operationsAt(dialect, request.path)
        client = clientOf(request, self._trusted).address
        strangers = found and all(operation.open for operation, _ in found.values())
        if not strangers:
            self._attempts.check(client)
        key = None if strangers else await self._keyOf(dialect, request, client)
        if not found:
            raise PathUnknown()
        method = request.method.decode("ascii", "replace")
        try:
            operation, parameters = found["GET" if method == "HEAD" else method]
        except KeyError:
            allowed = sorted({*found, "HEAD"} if "GET" in found else found)
            raise MethodRefused(allowed) from None
        if operation.needs is not None and (key is None or not rights.may(key, operation.needs)):
            raise RightMissing(operation.needs)
        return await operation.run(Call(parameters, _told(operation, request), request, client, key))

    async def _keyOf(self, dialect: Dialect, request: Request, client: str) -> APIKey:
        # It counts as wrong until it has proved good, as others may be shown meanwhile.
        self._attempts.failed(client)
        try:
            key = await dialect.whose(request)
        except ServiceUnavailable:
            self._attempts.passed(client)
            raise
        if key is None:
            raise KeyRefused()
        self._attempts.passed(client)
        return key


def loggedPath(path: bytes) -> bytes:
    """
    A path as logs may hold it: what follows nova's C{os-console-auth-tokens} is a token.
    """
    segments = path.split(b"/")
    names = [unquote_to_bytes(segment).lower() for segment in segments]
    if _TOKENS not in names:
        return path
    return b"/".join([*segments[: names.index(_TOKENS) + 1], b"***"])


def _told(operation: Operation, request: Request) -> msgspec.Struct | None:
    if operation.query is not None:
        return decodeQuery(operation.query, request.uri.partition(b"?")[2])
    return None if operation.body is None else decodeBody(operation.body, readBody(request, _JSON))


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
