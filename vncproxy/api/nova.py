"""
Nova's dialect of the API: consoles are servers, and the C{openstack} client opens them unchanged.

::

    GET  /                                          which versions there are                   no key
    GET  /v2.1                                      this one                                   no key
    GET  /v2.1/servers, /v2.1/servers/detail        consoles; ?name= picks
    GET  /v2.1/servers/{id}                         one of them
    POST /v2.1/servers/{id}/remote-consoles         an access URL                              2.6 and newer
    POST /v2.1/servers/{id}/action                  the same, C{os-getVNCConsole}              up to 2.5
    GET  /v2.1/os-console-auth-tokens/{token}       where a token leads; it is not spent       2.31 and newer

All but the first also stand without C{/v2.1}. What is answered is what API v1 answers, in other words: each operation
here is one of v1 with the same key, so that neither shows more than the other.

A key comes as C{X-Auth-Token} (C{--os-auth-type admin_token}) or as the password of C{Authorization: Basic}
(C{http_basic}; the user name does not matter).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import attrs
import msgspec
from twisted.web.server import Request

from vncproxy.addresses import TrustedPeers
from vncproxy.api import messages
from vncproxy.api import novashapes as shapes
from vncproxy.api.http import (
    Answer,
    Call,
    Dialect,
    KeyRefused,
    MethodRefused,
    Operation,
    PathUnknown,
    keyOf,
    shownKeys,
)
from vncproxy.api.microversion import (
    HEADER,
    NEWEST,
    OLD_HEADER,
    OLDEST,
    Microversion,
    requestedVersion,
    versionHeaders,
)
from vncproxy.api.novakeys import isGuest, passwords
from vncproxy.api.novaquery import readServerQuery
from vncproxy.api.v1 import V1, TypeNotServed, statusOf
from vncproxy.errors import BackendError, ConsoleUnknown, RequestError, VNCProxyError
from vncproxy.frontends.clients import clientOf
from vncproxy.interfaces import IKeyRing
from vncproxy.model import APIKey, ConsoleType, Role, TargetKind
from vncproxy.rights import Right

_REMOTE_CONSOLES: Final = Microversion(2, 6)
"""
From then on C{remote-consoles} stands in place of the actions.
"""

_ANY_TOKEN: Final = Microversion(2, 31)
"""
Before it, tokens of RDP alone could be looked at.
"""

_STRICT_TOKENS: Final = Microversion(2, 99)
"""
From then on the look at a token takes no query.
"""

_FAULTS: Final = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}

_WORDS: Final[dict[type[VNCProxyError], str]] = {
    ConsoleUnknown: "Instance could not be found.",
    PathUnknown: "The resource could not be found.",
}

_ROOTS: Final = ("/v2.1", "/servers", "/os-console-auth-tokens")
"""
What paths of this dialect begin with.
"""

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?", re.ASCII)

_GUEST: Final = APIKey("guest", "", Role.ISSUER)
"""
Who is served without a key: one who may open consoles, and not see where they are.
"""

_Versioned = Callable[[Call[Any], Microversion], Awaitable[Answer]]


class NotInThisVersion(RequestError):
    """
    The path exists, but not in the microversion that the request speaks.
    """

    httpStatus = 404
    told = "That is not there in this version of the API."


@attrs.frozen
class Nova:
    """
    The operations.

    @ivar v1: answers them.
    @ivar trusted: those that forward for others, and whose word on what their clients asked for counts.
    """

    v1: V1
    trusted: TrustedPeers

    async def showVersions(self, call: Call[None]) -> Answer:
        """
        Which versions there are.
        """
        return Answer(200, shapes.Versions(versions=(self._version(call.request),)))

    async def showVersion(self, call: Call[None]) -> Answer:
        """
        The one version.
        """
        return Answer(200, shapes.VersionDocument(version=self._version(call.request)))

    async def listServers(self, call: Call[None], version: Microversion) -> Answer:
        """
        Consoles, or those of a name, from a marker on, so many.
        """
        query = readServerQuery(call.request.args)
        listed = (await self.v1.listConsoles(call)).body
        assert isinstance(listed, messages.ConsoleList)
        views = query.pick(listed.consoles)
        return Answer(200, shapes.ServerList(servers=tuple(self._server(each, call.request) for each in views)))

    async def showServer(self, call: Call[None], version: Microversion) -> Answer:
        """
        One console.
        """
        view = (await self.v1.getConsole(call)).body
        assert isinstance(view, messages.ConsoleView)
        return Answer(200, shapes.ServerDocument(server=self._server(view, call.request)))

    async def makeRemoteConsole(self, call: Call[shapes.RemoteConsoleRequest], version: Microversion) -> Answer:
        """
        Mint a token, and the URL around it.
        """
        if version < _REMOTE_CONSOLES:
            raise NotInThisVersion(f"Consoles are asked for by an action before version {_REMOTE_CONSOLES}.")
        wish = call.body.remote_console
        if wish.protocol != "vnc":
            raise RequestError(f"Unavailable console protocol {wish.protocol}.")
        url = await self._access(call, wish.type)
        console = shapes.RemoteConsole(protocol=wish.protocol, type=wish.type, url=url)
        return Answer(200, shapes.RemoteConsoleDocument(remote_console=console))

    async def act(self, call: Call[shapes.ActionRequest], version: Microversion) -> Answer:
        """
        Mint a token, and the URL around it, in the older way.
        """
        if version >= _REMOTE_CONSOLES:
            raise NotInThisVersion(f"Consoles are asked for by remote-consoles from version {_REMOTE_CONSOLES} on.")
        wishes = {name: getattr(call.body, name) for name in call.body.__struct_fields__}
        named = [name for name, wish in wishes.items() if wish is not None]
        if len(named) != 1:
            raise RequestError("There must be exactly one action.")
        (name,) = named
        if name != "vnc":
            raise RequestError(f"Unavailable console type {wishes[name].type}.")
        url = await self._access(call, wishes[name].type)
        return Answer(200, shapes.ActionDocument(console=shapes.ActionConsole(type=wishes[name].type, url=url)))

    async def showToken(self, call: Call[None], version: Microversion) -> Answer:
        """
        Where a token leads. None of its uses is spent.
        """
        if version < _ANY_TOKEN:
            raise RequestError("Tokens of RDP consoles alone could be looked at then, and there are none.")
        if version >= _STRICT_TOKENS and call.request.args:
            raise RequestError("Additional query parameters are not allowed.")
        grant = await self.v1.authority.checkToken(call.parameters["token"])
        if grant is None or not call.sees(grant.consoleID):
            raise TokenNotFound()
        console = grant.console or await self.v1.directory.resolve(grant.consoleID)
        target = console.target
        tcp = target.kind in (TargetKind.VNC, TargetKind.TCP)
        return Answer(
            200,
            shapes.TokenDocument(
                console=shapes.TokenConsole(
                    instance_uuid=console.id,
                    host=target.host if tcp else None,
                    port=target.port if tcp else None,
                )
            ),
        )

    def _version(self, request: Request) -> shapes.Version:
        links = (shapes.Link(rel="self", href=f"{self._baseOf(request)}/v2.1/"),)
        return shapes.Version(id="v2.1", status="CURRENT", version=str(NEWEST), min_version=str(OLDEST), links=links)

    def _server(self, view: messages.ConsoleView, request: Request) -> shapes.Server:
        base = self._baseOf(request)
        links = (
            shapes.Link(rel="self", href=f"{base}/v2.1/servers/{view.id}"),
            shapes.Link(rel="bookmark", href=f"{base}/servers/{view.id}"),
        )
        return shapes.Server(id=view.id, name=view.name, links=links)

    def _baseOf(self, request: Request) -> str:
        """
        The URL of this API as the client knows it, empty where it does not say.
        """
        client = clientOf(request, self.trusted)
        host = client.host or request.getHeader("host") or ""
        return f"{'https' if client.isSecure else 'http'}://{host}" if _HOST.fullmatch(host) else ""

    async def _access(self, call: Call[Any], kind: str) -> str:
        if kind not in (ConsoleType.NOVNC, ConsoleType.XVPVNC):
            raise RequestError(f"Unavailable console type {kind}.")
        asked = attrs.evolve(call, body=messages.AccessWish(type=ConsoleType(kind)))
        try:
            access = (await self.v1.grantAccess(asked)).body
        except TypeNotServed:
            raise RequestError(f"Unavailable console type {kind}.") from None
        assert isinstance(access, messages.Access)
        return access.url


class TokenNotFound(RequestError):
    """
    The token leads nowhere, or not any more.
    """

    httpStatus = 404
    told = "Token not found"


def novaDialects(nova: Nova, keys: IKeyRing, guests: bool) -> list[Dialect]:
    """
    Nova's dialect for an L{APIResource<vncproxy.api.http.APIResource>}: one for each root of its paths.

    @param guests: whether clients on this machine are served without a key.
    """

    async def whose(request: Request) -> APIKey | None:
        key = await keyOf(keys, [*shownKeys(request), *passwords(request)])
        return _GUEST if key is None and guests and isGuest(request) else key

    table = operations(nova)
    alone = {_ROOTS[0]: frozenset({"/"})}
    return [Dialect(root, table, whose, tell, dress, alone.get(root, frozenset())) for root in _ROOTS]


def tell(error: VNCProxyError) -> Answer:
    """
    An error as nova tells it: C{{"itemNotFound": {"message", "code"}}}.
    """
    headers = {}
    if isinstance(error, MethodRefused):
        headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, KeyRefused):
        headers["WWW-Authenticate"] = 'Basic realm="vncproxy"'
    status = statusOf(type(error))
    # Of a fault of the request the text is for the client; of all else it is for the log only.
    words = (isinstance(error, RequestError) and str(error)) or error.told
    words = _WORDS.get(type(error), words)
    fault = {_FAULTS.get(status, "computeFault"): {"message": words, "code": status}}
    return Answer(status, msgspec.json.encode(fault), headers)


def dress(request: Request, answer: Answer) -> Answer:
    """
    An answer with the microversion in which it was given.
    """
    try:
        version = _versionOf(request)
    except RequestError:
        version = None
    return attrs.evolve(answer, headers={**answer.headers, **versionHeaders(version)})


def operations(nova: Nova) -> tuple[Operation, ...]:
    """
    The table of nova's dialect.
    """
    show, version = {200: ("The versions.", shapes.Versions)}, {200: ("The version.", shapes.VersionDocument)}
    return (
        Operation("GET", "/", nova.showVersions, "Which versions there are", show, needs=None),
        Operation("GET", "/v2.1", nova.showVersion, "The version", version, needs=None),
        Operation("GET", "/v2.1/", nova.showVersion, "The version", version, needs=None),
        *(operation for prefix in ("/v2.1", "") for operation in _operationsBelow(prefix, nova)),
    )


def _operationsBelow(prefix: str, nova: Nova) -> Iterable[Operation]:
    servers, one = f"{prefix}/servers", f"{prefix}/servers/{{console}}"
    listed = {200: ("They are.", shapes.ServerList)}
    yield _operation("GET", servers, Right.LOOK, nova.listServers, "List consoles", listed)
    yield _operation(
        "GET",
        one,
        Right.LOOK,
        nova.showServer,
        "Show a console",
        {200: ("It is.", shapes.ServerDocument)},
        ConsoleUnknown,
    )
    # It is behind the one above, whose path it has too: the later one counts.
    yield _operation("GET", f"{servers}/detail", Right.LOOK, nova.listServers, "List consoles", listed)
    yield _operation(
        "POST",
        f"{one}/remote-consoles",
        Right.ISSUE,
        nova.makeRemoteConsole,
        "Make a URL that opens a console",
        {200: ("The URL.", shapes.RemoteConsoleDocument)},
        ConsoleUnknown,
        BackendError,
        body=shapes.RemoteConsoleRequest,
    )
    yield _operation(
        "POST",
        f"{one}/action",
        Right.ISSUE,
        nova.act,
        "Make a URL that opens a console",
        {200: ("The URL.", shapes.ActionDocument)},
        ConsoleUnknown,
        BackendError,
        body=shapes.ActionRequest,
    )
    yield _operation(
        "GET",
        f"{prefix}/os-console-auth-tokens/{{token}}",
        # It tells where a console is, as nova tells it to its administrators.
        Right.DEFINE,
        nova.showToken,
        "Where a token leads",
        {200: ("The console.", shapes.TokenDocument)},
        TokenNotFound,
        ConsoleUnknown,
        BackendError,
    )


def _operation(
    method: str,
    path: str,
    needs: Right,
    run: _Versioned,
    summary: str,
    answers: dict[int, Any],
    *errors: type[VNCProxyError],
    body: type[msgspec.Struct] | None = None,
) -> Operation:
    """
    An operation that is given the microversion of its request.
    """

    async def speak(call: Call[Any]) -> Answer:
        return await run(call, _versionOf(call.request))

    return Operation(method, path, speak, summary, answers, (RequestError, *errors), body, needs=needs)


def _versionOf(request: Request) -> Microversion:
    return requestedVersion(_headers(request, HEADER), _headers(request, OLD_HEADER))


def _headers(request: Request, name: str) -> Sequence[str]:
    return request.requestHeaders.getRawHeaders(name, ())
