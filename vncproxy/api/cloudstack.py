"""
CloudStack's dialect of the API: one path, C{/client/api}, whose parameter C{command} says what is wanted.

::

    GET  /client/api?command=createConsoleEndpoint&virtualmachineid=vm-1&apiKey=…&signature=…
    POST /client/api                                the same as a form
        ◄── 200 {"createconsoleendpointresponse": {"consoleendpoint": {"success": true, "url": …, "websocket": {…}}}}
        ◄── 431 {"createconsoleendpointresponse": {"uuidList": [], "errorcode": 431, "errortext": …}}

    command=listConsoleSessions
        ◄── 200 {"listconsolesessionsresponse": {"count": 1, "consolesession": [{"id": …}]}}

Each request is signed (L{vncproxy.api.signature}). What is answered is what API v1 answers, in other words.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from vncproxy.api import messages
from vncproxy.api.http import Answer, Call, Dialect, MethodRefused, Operation, PathUnknown, readBody
from vncproxy.api.signature import ParametersMalformed, SignatureRefused, SigningKey, parseParameters, verify
from vncproxy.api.v1 import V1
from vncproxy.attempts import ANY_NUMBER, Attempts
from vncproxy.errors import ConsoleUnknown, RequestError, ServiceUnavailable, TooManyAttempts, VNCProxyError
from vncproxy.model import APIKey, Role
from vncproxy.rights import Right, may

PATH: Final = "/client/api"

_FORM: Final = "application/x-www-form-urlencoded"

_STRANGER: Final = APIKey("", "", Role.VIEWER)
"""
Who may learn that a path is not there, and nothing else.
"""

# What every command takes beside its own parameters.
_COMMON: Final = frozenset({"command", "apikey", "signature", "signatureversion", "expires", "response", "sessionkey"})

_UNSUPPORTED: Final = 432
_INTERNAL: Final = 530
_UNAVAILABLE: Final = 534
_BAD_PARAMETER: Final = 431

_PAGE: Final = 500


class CommandUnknown(RequestError):
    """
    There is no such command here.
    """

    httpStatus = _UNSUPPORTED
    told = "The given command either does not exist, is not available for user, or not available from this address."


@attrs.frozen
class _Command:
    """
    @ivar needs: the right that a key must have; for others it does not exist.
    """

    run: Callable[[Call[Any], Mapping[str, str]], Awaitable[dict[str, Any]]]
    needs: Right


@attrs.frozen
class CloudStack:
    """
    The commands.

    @ivar v1: answers them.
    @ivar keys: those that requests are signed with.
    @ivar clock: tells whether a signature is over.
    @ivar attempts: the wrong signatures that clients have shown.
    """

    v1: V1
    keys: Mapping[str, SigningKey] = attrs.field(repr=False)
    clock: IReactorTime
    attempts: Attempts = ANY_NUMBER

    async def run(self, call: Call[None]) -> Answer:
        """
        Serve one request.
        """
        envelope = "errorresponse"
        try:
            parameters = parseParameters(*_texts(call))
            name = parameters.get("command", "").lower()
            command = self._commands().get(name)
            envelope = envelope if command is None else f"{name}response"
            key = self._verify(call.client, parameters)
            if command is None or not may(key, command.needs):
                raise CommandUnknown()
            if parameters.get("response", "json").lower() != "json":
                raise RequestError("response: only json is spoken here.")
            return _answer(200, envelope, await command.run(attrs.evolve(call, key=key), parameters))
        except TooManyAttempts:
            # It is told with the time after which to try again.
            raise
        except VNCProxyError as error:
            return _fault(error, envelope)

    def _verify(self, client: str, parameters: Mapping[str, str]) -> APIKey:
        """
        The key with which a request was signed. Those who guess are not heard for a while.
        """
        self.attempts.check(client)
        try:
            return verify(parameters, self.keys, self.clock.seconds())
        except SignatureRefused:
            self.attempts.failed(client)
            raise

    def _commands(self) -> Mapping[str, _Command]:
        return {
            "createconsoleendpoint": _Command(self._createEndpoint, Right.ISSUE),
            "listconsolesessions": _Command(self._listSessions, Right.WATCH),
        }

    async def _createEndpoint(self, call: Call[Any], parameters: Mapping[str, str]) -> dict[str, Any]:
        """
        Mint a token, and the URL around it.
        """
        if parameters.get("token"):
            raise RequestError(
                "token: a second secret beside the endpoint's own token is not checked here, so none is taken."
            )
        _only(parameters, "virtualmachineid", "token")
        consoleID = _needed(parameters, "virtualmachineid")
        asked = attrs.evolve(call, parameters={"console": consoleID}, body=messages.AccessWish())
        access = (await self.v1.grantAccess(asked)).body
        assert isinstance(access, messages.Access)
        return {"consoleendpoint": _endpoint(access)}

    async def _listSessions(self, call: Call[Any], parameters: Mapping[str, str]) -> dict[str, Any]:
        """
        The sessions that are up. Those that are over are not remembered, whatever C{activeonly} says; each has a
        viewer, whatever C{acquired} says.
        """
        _only(
            parameters, "id", "virtualmachineid", "clientaddress", "startdate", "enddate", "activeonly", "acquired",
            "isrecursive", "listall", "page", "pagesize",
        )  # fmt: skip
        listed = (await self.v1.listSessions(call)).body
        assert isinstance(listed, messages.SessionList)
        wanted = list(_wanted(listed.sessions, parameters))
        if not wanted:
            return {}
        size = _number(parameters, "pagesize", _PAGE)
        start = (_number(parameters, "page", 1) - 1) * size
        return {"count": len(wanted), "consolesession": [_session(each) for each in wanted[start : start + size]]}


def cloudStackDialect(cloudStack: CloudStack) -> Dialect:
    """
    CloudStack's dialect for an L{APIResource<vncproxy.api.http.APIResource>}. It asks for no key beforehand, as its
    keys stand in its parameters.
    """
    answers: Any = {200: ("The answer.", None)}
    table = tuple(
        Operation(method, PATH, cloudStack.run, "Run a command", answers, needs=None) for method in ("GET", "POST")
    )
    return Dialect(PATH, table, _anybody, tell)


async def _anybody(request: Request) -> APIKey:
    """
    Whoever comes is heard: the command, which checks the signature, finds out who it is.
    """
    return _STRANGER


def tell(error: VNCProxyError) -> Answer:
    """
    An error for which no command can be named, as CloudStack tells it.
    """
    return _fault(error, "errorresponse")


def _fault(error: VNCProxyError, envelope: str) -> Answer:
    code = _codeOf(error)
    if isinstance(error, ConsoleUnknown):
        words = "Invalid parameter virtualmachineid value due to incorrect long value format, or entity does not exist."
    else:
        # Of a fault of the request the text is for the client; of all else it is for the log only.
        words = (isinstance(error, RequestError) and str(error)) or error.told
    headers = {"Allow": ", ".join(error.allowed)} if isinstance(error, MethodRefused) else {}
    return attrs.evolve(
        _answer(code, envelope, {"uuidList": [], "errorcode": code, "errortext": words}), headers=headers
    )


def _codeOf(error: VNCProxyError) -> int:
    """
    CloudStack's number for an error, which is the status of its answer, too.
    """
    if isinstance(error, ConsoleUnknown):
        return _BAD_PARAMETER
    if isinstance(error, PathUnknown | MethodRefused | TooManyAttempts):
        return error.httpStatus
    if isinstance(error, RequestError):
        return _BAD_PARAMETER if error.httpStatus in (400, 409) else error.httpStatus
    return _UNAVAILABLE if isinstance(error, ServiceUnavailable) else _INTERNAL


def _answer(status: int, envelope: str, content: Mapping[str, Any]) -> Answer:
    return Answer(status, msgspec.json.encode({envelope: content}))


def _texts(call: Call[None]) -> Iterator[str]:
    """
    The texts that hold the parameters of a request.
    """
    _, _, query = call.request.uri.partition(b"?")
    for data in (query, readBody(call.request, _FORM)):
        try:
            yield data.decode("ascii")
        except UnicodeDecodeError:
            raise ParametersMalformed("The parameters must be percent-encoded.") from None


def _only(parameters: Mapping[str, str], *names: str) -> None:
    """
    A parameter that would narrow an answer, and that is not understood, must not be passed over.
    """
    for name in parameters:
        if name not in names and name not in _COMMON:
            raise RequestError(f"{name}: there is no such parameter here.")


def _needed(parameters: Mapping[str, str], name: str) -> str:
    if not parameters.get(name):
        raise RequestError(f"{name}: this parameter is needed.")
    return parameters[name]


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text, re.ASCII):
        raise RequestError(f"{name}: must be a whole number above 0.")
    return int(text)


def _endpoint(access: messages.Access) -> dict[str, Any]:
    parts = urlsplit(access.url)
    directory = parts.path.rpartition("/")[0].strip("/")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {
        "success": True,
        "url": access.url,
        "websocket": {
            "token": access.token,
            "host": parts.hostname,
            "port": str(port),
            "path": f"{directory}/websockify".lstrip("/"),
        },
    }


def _wanted(sessions: Iterable[messages.SessionView], parameters: Mapping[str, str]) -> Iterator[messages.SessionView]:
    since = _moment(parameters, "startdate", time.min)
    until = _moment(parameters, "enddate", time.max)
    same = {"id": "id", "virtualmachineid": "console", "clientaddress": "client"}
    for each in sessions:
        if any(parameters.get(name) and parameters[name] != getattr(each, key) for name, key in same.items()):
            continue
        if (since is None or each.started >= since) and (until is None or each.started <= until):
            yield each


def _moment(parameters: Mapping[str, str], name: str, ofDay: time) -> datetime | None:
    """
    A moment: with a time and perhaps a zone, or a whole day. Without a zone it is UTC.
    """
    text = parameters.get(name, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RequestError(f"{name}: must be a date such as 2026-11-20 or 2026-11-20T15:14:29+0000.") from None
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        moment = datetime.combine(moment.date(), ofDay)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _session(view: messages.SessionView) -> dict[str, Any]:
    started = view.started.strftime("%Y-%m-%dT%H:%M:%S+0000")
    return {
        "id": view.id,
        "created": started,
        "acquired": started,
        "virtualmachineid": view.console,
        "virtualmachinename": view.console_name,
        "clientaddress": view.client,
    }
