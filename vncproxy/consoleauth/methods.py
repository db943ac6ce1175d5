"""
What each method of the token-check protocol does, over a token authority and a directory. A table maps their names.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any, Final

import attrs
import msgspec

import vncproxy
from vncproxy.consoleauth import params as shapes
from vncproxy.consoleauth.messages import VERSION, Code, Fault, Request, decodeParams
from vncproxy.errors import BackendError, ConsoleUnknown, RequestError, VNCProxyError
from vncproxy.interfaces import IAuditTrail, IControllingAuthority, IDirectory, IStore
from vncproxy.model import AuditEntry, AuditEvent, Console, ConsoleType, Grant, ViewerFacts

MOST_REPORTS: Final = 1000
"""
Of how many proxies the last report is kept.
"""

_FRONTEND: Final = "consoleauth"


@attrs.frozen
class Caller:
    """
    Who calls, once it is known.

    @ivar name: of its API key; empty where it was let in without one.
    @ivar address: in words.
    """

    name: str
    address: str


class Methods:
    """
    The methods, for peers that have been let in.

    @ivar reports: the last report of each proxy by its id, the oldest first.
    """

    def __init__(
        self,
        authority: IControllingAuthority,
        directory: IDirectory,
        store: IStore,
        trail: IAuditTrail,
        fixed: Container[str] = (),
    ) -> None:
        """
        @param trail: hears of what a caller changes; of tokens that are minted, the authority tells it.
        @param directory: knows every console that can be opened.
        @param store: where consoles are kept that a token brings with it.
        @param fixed: the ids of the consoles of the configuration, which no token changes.
        """
        self._authority = authority
        self._directory = directory
        self._store = store
        self._trail = trail
        self._fixed = fixed
        self.reports: OrderedDict[str, shapes.ReportLoad] = OrderedDict()
        self._table: Mapping[str, tuple[type[Any], Callable[[Any, Caller], Awaitable[shapes.Result | None]]]] = {
            "authorize_console": (shapes.AuthorizeConsole, self._authorizeConsole),
            "check_token": (shapes.CheckToken, self._checkToken),
            "redeem_token": (shapes.RedeemToken, self._redeemToken),
            "end_session": (shapes.EndSession, self._endSession),
            "undo_redeem": (shapes.UndoRedeem, self._undoRedeem),
            "abandon_sessions": (shapes.AbandonSessions, self._abandonSessions),
            "delete_tokens_for_instance": (shapes.DeleteTokens, self._deleteTokens),
            "report_load": (shapes.ReportLoad, self._reportLoad),
            "ping": (shapes.Nothing, self._ping),
        }

    async def run(self, request: Request, caller: Caller) -> msgspec.Struct | None:
        """
        Do what a request asks for, and return the result.

        @raise Fault: it cannot be done, for a reason that the caller is told.
        """
        try:
            kind, method = self._table[request.method]
        except KeyError:
            raise Fault(Code.METHOD_NOT_FOUND, f"There are {', '.join(self._table)}, and authenticate.") from None
        params = decodeParams(request.params, kind)
        try:
            return await method(params, caller)
        except VNCProxyError as error:
            raise faultOf(error) from error

    async def _authorizeConsole(self, wish: shapes.AuthorizeConsole, caller: Caller) -> shapes.Authorized:
        await self._locate(wish, caller)
        issued = await self._authority.authorizeConsole(
            wish.instance_uuid,
            wish.console_type,
            ttl=wish.ttl,
            uses=wish.uses,
            viewOnly=wish.view_only,
            clientAddress=wish.client_address,
            owner=caller.name if wish.owner is None else wish.owner,
            askedFrom=caller.address,
            token=wish.token,
        )
        return shapes.Authorized(token=issued.token, expires=issued.expires)

    async def _locate(self, wish: shapes.AuthorizeConsole, caller: Caller) -> None:
        """
        Make sure that the console is known, and where the caller says that it is.
        """
        if wish.internal_access_path:
            raise RequestError("internal_access_path: consoles behind an HTTP CONNECT are not served.")
        if (wish.host is None) != (wish.port is None):
            raise RequestError("host, port: one does not go without the other.")
        try:
            known = await self._directory.resolve(wish.instance_uuid)
        except ConsoleUnknown:
            if wish.host is None:
                raise
            known = None
        if wish.host is None or wish.port is None:
            return
        target = shapes.targetOf(wish.host, wish.port)
        if known is not None and (known.target.host, known.target.port) == (target.host, target.port):
            return
        if wish.instance_uuid in self._fixed:
            raise RequestError("host, port: the configuration says that this console is elsewhere.")
        name = wish.instance_uuid if known is None else known.name
        await self._store.putConsole(Console(wish.instance_uuid, name, target))
        self._note(AuditEvent.CONSOLE_DEFINED, wish.instance_uuid, caller)

    async def _checkToken(self, wish: shapes.CheckToken, caller: Caller) -> shapes.Checked | None:
        grant = await self._authority.checkToken(wish.token, wish.console_type)
        if grant is None:
            return None
        try:
            return shapes.checked(grant, await self._resolve(grant))
        except ConsoleUnknown:
            return None

    async def _redeemToken(self, wish: shapes.RedeemToken, caller: Caller) -> shapes.Redeemed:
        facts = ViewerFacts(
            frontend=_FRONTEND,
            consoleType=wish.console_type,
            address=wish.client_address,
            token=wish.token,
            resume=wish.resume,
            proxy=wish.proxy or "",
        )
        grant = await self._authority.redeemToken(facts)
        try:
            return shapes.redeemed(grant, await self._resolve(grant), wish.credentials)
        except BaseException:
            # Nobody has come in on it, be it that there is no console or that the caller is gone.
            await self._authority.undoRedeem(grant)
            raise

    async def _endSession(self, wish: shapes.EndSession, caller: Caller) -> shapes.Done:
        await self._authority.endSession(_named(wish), wish.resumable)
        return shapes.Done()

    async def _undoRedeem(self, wish: shapes.UndoRedeem, caller: Caller) -> shapes.Done:
        await self._authority.undoRedeem(_named(wish))
        return shapes.Done()

    async def _abandonSessions(self, wish: shapes.AbandonSessions, caller: Caller) -> shapes.Abandoned:
        return shapes.Abandoned(abandoned=await self._authority.abandonSessions(wish.proxy))

    async def _deleteTokens(self, wish: shapes.DeleteTokens, caller: Caller) -> shapes.Deleted:
        deleted = await self._authority.deleteTokensForInstance(wish.instance_uuid)
        self._note(AuditEvent.TOKENS_REVOKED, wish.instance_uuid, caller)
        return shapes.Deleted(deleted=deleted)

    async def _reportLoad(self, report: shapes.ReportLoad, caller: Caller) -> shapes.Done:
        self.reports[report.proxy] = report
        self.reports.move_to_end(report.proxy)
        while len(self.reports) > MOST_REPORTS:
            self.reports.popitem(last=False)
        return shapes.Done()

    async def _ping(self, nothing: shapes.Nothing, caller: Caller) -> shapes.Pong:
        return shapes.Pong(version=VERSION, server=f"vncproxy {vncproxy.__version__}")

    def _note(self, event: AuditEvent, console: str, caller: Caller) -> None:
        self._trail.note(AuditEntry(event, key=caller.name, client=caller.address, console=console))

    async def _resolve(self, grant: Grant) -> Console:
        return grant.console or await self._directory.resolve(grant.consoleID)


def faultOf(error: VNCProxyError) -> Fault:
    """
    An error as this protocol tells it. What is wrong with a request, and what went wrong with a console, is told in
    its own words; of all else the text is for our log.
    """
    if isinstance(error, RequestError):
        return Fault(Code.INVALID_PARAMS, str(error) or error.told, error.reason)
    words = isinstance(error, BackendError) and str(error)
    return Fault(Code.REFUSED, words or error.told, error.reason)


def _named(wish: shapes.EndSession | shapes.UndoRedeem) -> Grant:
    """
    As much of a grant as names its redemption.
    """
    return Grant(
        tokenHash=wish.token_hash,
        consoleID="",
        consoleType=ConsoleType.NOVNC,
        expires=0.0,
        resumeHash=wish.resume_hash,
        proxy=wish.proxy or "",
    )
