"""
API v1: consoles, the URLs that open them, the sessions that are up.

What a key may not see does not exist for it. So that nothing tells the difference, not even how long it takes, such a
console is asked for under an id that nobody has, by the same code.

A console of the configuration file is listed and opened like any other, and can be changed in that file only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import attrs

from vncproxy.api import messages as shapes
from vncproxy.api.http import Answer, Call, KeyRefused, MethodRefused
from vncproxy.audit import AuditTrail
from vncproxy.errors import ConsoleUnknown, RequestError, ServiceUnavailable, VNCProxyError
from vncproxy.interfaces import IDirectory, ISessions, IStore, ITokenAuthority
from vncproxy.keys import KeyRing
from vncproxy.model import AuditEntry, AuditEvent, Console, ConsoleType, EndReason, Session
from vncproxy.targets import parseTarget

#: Nobody's token has this hash: looking it up shows whether the store answers.
_NO_TOKEN: Final = "0" * 64

#: No console has this id.
_NO_CONSOLE: Final = ""


class ConsoleFixed(RequestError):
    """
    The console is defined in the configuration file, or is the demo's.
    """

    reason = "console_fixed"
    httpStatus = 409
    told = "This console cannot be changed here: it comes from the configuration file, or is the demo's."


class SessionUnknown(RequestError):
    """
    No session of this id is up.
    """

    reason = "session_unknown"
    httpStatus = 404
    told = "No such session is up. It may have ended just now."


class TypeNotServed(RequestError):
    """
    Access of this type is asked for, but the proxy has no frontend for it.
    """

    reason = "type_not_served"
    httpStatus = 409
    told = "This proxy has no frontend for viewers of that type: see its configuration."


@attrs.frozen
class V1:
    """
    The operations.

    @ivar store: the consoles that this API defines.
    @ivar authority: mints and revokes tokens.
    @ivar directory: knows every console that can be opened.
    @ivar sessions: the sessions that are up.
    @ivar fixed: the consoles of the configuration file.
    @ivar baseURL: where viewers of a type connect to, C{None} where the proxy has no frontend for them. It is asked
        anew each time: a port may be known only once it is open.
    @ivar problems: what else than the store stands in the way of viewers, in words.
    @ivar keys: the API keys.
    @ivar trail: hears of every change.
    """

    store: IStore
    authority: ITokenAuthority
    directory: IDirectory
    sessions: ISessions
    fixed: Sequence[Console]
    baseURL: Callable[[ConsoleType], str | None]
    problems: Callable[[], Sequence[str]]
    keys: KeyRing
    trail: AuditTrail

    async def putConsole(self, call: Call[shapes.ConsoleDefinition]) -> Answer:
        """
        Define a console, in place of what its id named before.
        """
        console = _consoleOf(call.parameters["console"], call.body)
        self._refuseFixed(console.id)
        isNew = await self.store.putConsole(console)
        self._note(call, AuditEvent.CONSOLE_DEFINED, console=console.id)
        return Answer(201 if isNew else 200, shapes.ConsoleView.of(console, "api"))

    async def getConsole(self, call: Call[None]) -> Answer:
        """
        Show one console.
        """
        consoleID = _visible(call)
        if (fixed := self._fixed(consoleID)) is not None:
            return Answer(200, shapes.ConsoleView.of(fixed, "config"))
        kept = await self.store.console(consoleID)
        if kept is None:
            raise ConsoleUnknown()
        return Answer(200, shapes.ConsoleView.of(kept, "api"))

    async def listConsoles(self, call: Call[None]) -> Answer:
        """
        Show all consoles. One of the configuration file hides a stored one of the same id.
        """
        views = {console.id: shapes.ConsoleView.of(console, "api") for console in await self.store.consoles()}
        views |= {console.id: shapes.ConsoleView.of(console, "config") for console in self.fixed}
        shown = tuple(views[consoleID] for consoleID in sorted(views) if call.sees(consoleID))
        return Answer(200, shapes.ConsoleList(consoles=shown))

    async def deleteConsole(self, call: Call[None]) -> Answer:
        """
        Forget a console and its tokens.
        """
        consoleID = _visible(call)
        self._refuseFixed(consoleID)
        if not await self.store.deleteConsole(consoleID):
            raise ConsoleUnknown()
        self._note(call, AuditEvent.CONSOLE_FORGOTTEN, console=consoleID)
        self.sessions.revoke(consoleID)
        return Answer(204)

    async def grantAccess(self, call: Call[shapes.AccessWish]) -> Answer:
        """
        Mint a token and the URL around it.
        """
        wish = call.body
        address = None if wish.client_address is None else _addressOf(wish.client_address)
        base = self.baseURL(wish.type)
        if base is None:
            raise TypeNotServed()
        console = await self.directory.resolve(_visible(call))
        issued = await self.authority.authorizeConsole(
            console.id,
            wish.type,
            ttl=wish.ttl,
            uses=wish.uses,
            viewOnly=wish.view_only,
            clientAddress=address,
            owner=call.owner,
            askedFrom=call.client,
        )
        # The page wants to know, to hide what would do nothing. A Java viewer would take the word for its own.
        extra = {"view_only": "true"} if wish.view_only and wish.type is ConsoleType.NOVNC else {}
        return Answer(
            201,
            shapes.Access(
                type=wish.type,
                url=accessURL(base, token=issued.token, **extra),
                token=issued.token,
                expires=shapes.moment(issued.expires),
            ),
        )

    async def revokeTokens(self, call: Call[None]) -> Answer:
        """
        Revoke every token of a console.
        """
        if re.fullmatch(shapes.CONSOLE_ID_PATTERN, call.parameters["console"]) is None:
            raise ConsoleUnknown()
        consoleID = _visible(call)
        deleted = await self.authority.deleteTokensForInstance(consoleID)
        self.sessions.revoke(consoleID)
        if consoleID:
            self._note(call, AuditEvent.TOKENS_REVOKED, console=consoleID)
        return Answer(200, shapes.Revoked(deleted=deleted))

    async def listSessions(self, call: Call[None]) -> Answer:
        """
        Show the sessions that are up.
        """
        return Answer(200, shapes.SessionList(sessions=tuple(map(shapes.SessionView.of, self._sessions(call)))))

    async def getSession(self, call: Call[None]) -> Answer:
        """
        Show one session.
        """
        return Answer(200, shapes.SessionView.of(self._session(call)))

    async def endSession(self, call: Call[None]) -> Answer:
        """
        End one session.
        """
        session = self._session(call)
        self._note(call, AuditEvent.END_ORDERED, console=session.consoleID, session=session.id)
        self.sessions.end(session.id, EndReason.OPERATOR)
        return Answer(204)

    async def health(self, call: Call[None]) -> Answer:
        """
        Say that the process is up.
        """
        return Answer(200, shapes.Health())

    async def readiness(self, call: Call[None]) -> Answer:
        """
        Say whether viewers can be served.
        """
        problems = list(self.problems())
        try:
            await self.store.token(_NO_TOKEN)
        except ServiceUnavailable:
            problems.append("The store does not answer.")
        view = shapes.Readiness(ready=not problems, problems=tuple(problems))
        return Answer(503 if problems else 200, view)

    def _sessions(self, call: Call[None]) -> Sequence[Session]:
        return [session for session in self.sessions.list() if call.sees(session.consoleID)]

    def _session(self, call: Call[None]) -> Session:
        for session in self._sessions(call):
            if session.id == call.parameters["session"]:
                return session
        raise SessionUnknown()

    def _note(self, call: Call[Any], event: AuditEvent, console: str, session: str = "") -> None:
        self.trail.note(AuditEntry(event, key=call.owner, client=call.client, console=console, session=session))

    def _fixed(self, consoleID: str) -> Console | None:
        return next((console for console in self.fixed if console.id == consoleID), None)

    def _refuseFixed(self, consoleID: str) -> None:
        if self._fixed(consoleID) is not None:
            raise ConsoleFixed()


def _visible(call: Call[Any]) -> str:
    """
    The id of the console that is asked for, or, if it does not exist for who asks, one that nobody has.
    """
    consoleID = call.parameters["console"]
    return consoleID if call.sees(consoleID) else _NO_CONSOLE


def accessURL(base: str, **query: str) -> str:
    """
    The URL that a viewer opens: C{base} with C{query} behind what query it has already.
    """
    parts = urlsplit(base)
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, urlencode(query)]))))


def tell(error: VNCProxyError) -> Answer:
    """
    An error as API v1 tells it: C{{"error": {"code", "reason", "message"}}}.
    """
    headers = {}
    if isinstance(error, MethodRefused):
        headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, KeyRefused):
        headers["WWW-Authenticate"] = 'Bearer realm="vncproxy"'
    # Of a fault of the request the text is for the client; of all else it is for the log only.
    words = (isinstance(error, RequestError) and str(error)) or error.told
    status = statusOf(type(error))
    detail = shapes.ErrorDetail(code=status, reason=error.reason, message=words)
    return Answer(status, shapes.ErrorReply(error=detail), headers)


def statusOf(error: type[VNCProxyError]) -> int:
    """
    The HTTP status with which API v1 tells an error.
    """
    # Towards an API client an unknown console is an unknown path, not a bad gateway.
    return 404 if error is ConsoleUnknown else error.httpStatus


def _consoleOf(consoleID: str, wanted: shapes.ConsoleDefinition) -> Console:
    if re.fullmatch(shapes.CONSOLE_ID_PATTERN, consoleID) is None:
        raise RequestError(
            "The console's id may have up to 128 letters, digits, and any of . _ : ~ - and begins with a letter, a "
            "digit or _."
        )
    if any(unicodedata.category(character) == "Cc" for character in wanted.name or ""):
        raise RequestError("name: must not hold control characters.")
    return Console(consoleID, wanted.name or consoleID, parseTarget(wanted.url, wanted.password))


def _addressOf(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise RequestError(
            "client_address: must be an IPv4 or IPv6 address, such as 203.0.113.9 or 2001:db8::9."
        ) from None
