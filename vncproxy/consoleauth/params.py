"""
What the methods of the token-check protocol take and give: one value for the parameters, one for the result.

Names and meanings are nova's where nova has them. Times are in seconds, moments in seconds since the epoch. A parameter
that is not known is an error, so that nobody takes a wish for granted that was not understood; a result may hold more
than its reader knows.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from vncproxy.config.shapes import CONSOLE_ID
from vncproxy.errors import RequestError, TokensUnreachable
from vncproxy.model import Console, ConsoleType, Grant, Target, TargetKind
from vncproxy.targets import formatTarget, parseTarget

ConsoleID = Annotated[str, Meta(pattern=f"^{CONSOLE_ID.pattern}$")]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Port = Annotated[int, Meta(ge=1, le=65535)]
Line = Annotated[str, Meta(min_length=1, max_length=255)]
Count = Annotated[int, Meta(ge=0)]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    Parameters, by name.
    """

    def __repr__(self) -> str:
        """
        The name alone: keys, tokens and resume secrets are among the values.
        """
        return f"<{type(self).__name__}>"


class Nothing(Params, frozen=True):
    """
    No parameters.
    """


class Authenticate(Params, frozen=True):
    """
    @ivar key: an API key.
    """

    key: str


class AuthorizeConsole(Params, frozen=True):
    """
    @ivar token: one of the caller's own making; by default one is made.
    @ivar host: where the console is; it is then kept so. Goes with C{port}.
    @ivar internal_access_path: of a console behind an HTTP CONNECT; none is served yet.
    @ivar ttl: seconds; by default the configuration's.
    @ivar uses: 0 is any number until it expires; by default the configuration's.
    @ivar owner: the name of the API key on whose behalf it is minted; by default the caller's own.
    """

    console_type: ConsoleType
    instance_uuid: ConsoleID
    token: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{32,128}$")] | None = None
    host: str | None = None
    port: Port | None = None
    internal_access_path: str | None = None
    ttl: float | None = None
    uses: int | None = None
    view_only: bool = False
    client_address: str | None = None
    owner: Line | None = None


class CheckToken(Params, frozen=True):
    """
    @ivar console_type: of the viewer that shows it; by default of any.
    """

    token: str
    console_type: ConsoleType | None = None


class RedeemToken(Params, frozen=True):
    """
    @ivar client_address: of the viewer, in words.
    @ivar resume: the secret of the viewer's browser, where it can keep one.
    @ivar credentials: whether the answer shall hold what logs in to the console.
    @ivar proxy: the id of the proxy that the viewer has come to.
    """

    token: str
    console_type: ConsoleType
    client_address: str
    resume: str | None = None
    credentials: bool = False
    proxy: Line | None = None


class EndSession(Params, frozen=True):
    """
    @ivar token_hash: as C{redeem_token} has told it; so is C{resume_hash}.
    @ivar resumable: whether the same browser may come back.
    @ivar proxy: as C{redeem_token} was told.
    """

    token_hash: Hash
    resume_hash: Hash | None = None
    proxy: Line | None = None
    resumable: bool = True


class UndoRedeem(Params, frozen=True):
    """
    @ivar token_hash: as C{redeem_token} has told it; so is C{resume_hash}.
    @ivar proxy: as C{redeem_token} was told.
    """

    token_hash: Hash
    resume_hash: Hash | None = None
    proxy: Line | None = None


class AbandonSessions(Params, frozen=True):
    """
    @ivar proxy: the id of the proxy that has started anew.
    """

    proxy: Line


class DeleteTokens(Params, frozen=True):
    """
    The tokens of one console.
    """

    instance_uuid: ConsoleID


class ReportLoad(Params, frozen=True):
    """
    How a proxy is.

    @ivar proxy: its id.
    @ivar address: where viewers reach it.
    @ivar capacity: how many sessions it carries at most; 0 is no limit.
    """

    proxy: Line
    sessions: Count
    capacity: Count = 0
    address: Line | None = None
    state: Line | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """
    A result.
    """

    def __repr__(self) -> str:
        """
        The name alone: tokens and passwords are among the values.
        """
        return f"<{type(self).__name__}>"


class Done(Result, frozen=True):
    """
    It is done, and there is nothing to be said of it.
    """


class Welcome(Result, frozen=True):
    """
    @ivar version: of the protocol.
    """

    version: int


class Pong(Welcome, frozen=True):
    """
    @ivar server: what answers, with its version.
    """

    server: str


class Authorized(Result, frozen=True):
    """
    A token, at the one moment at which it is told.
    """

    token: str
    expires: float


class Deleted(Result, frozen=True):
    """
    @ivar deleted: how many tokens there were.
    """

    deleted: int


class Abandoned(Result, frozen=True):
    """
    @ivar abandoned: how many tokens had sessions.
    """

    abandoned: int


class Checked(Result, frozen=True):
    """
    What a token opens.

    @ivar host: of the console; L{None} for one behind a UNIX socket, and so is C{port}.
    @ivar target: the same as a target URL, which every console has.
    """

    console_type: ConsoleType
    instance_uuid: str
    name: str
    host: str | None
    port: int | None
    internal_access_path: str | None
    target: str
    expires: float
    view_only: bool
    owner: str


class Redeemed(Checked, frozen=True):
    """
    What a token has just opened.

    @ivar token_hash: names this redemption in C{end_session} and C{undo_redeem}, and so does C{resume_hash}.
    @ivar resumed: the right to resume was used, and no use of the token.
    @ivar password: what logs in to the console, if that was asked for and there is one.
    """

    token_hash: Hash
    resume_hash: Hash | None
    resumed: bool
    password: str | None = None


def checked(grant: Grant, console: Console) -> Checked:
    """
    What a token opens, from what we know of it.
    """
    target = console.target
    hasAddress = target.kind in (TargetKind.VNC, TargetKind.TCP)
    return Checked(
        console_type=grant.consoleType,
        instance_uuid=grant.consoleID,
        name=console.name,
        host=target.host if hasAddress else None,
        port=target.port if hasAddress else None,
        internal_access_path=None,
        target=formatTarget(target),
        expires=grant.expires,
        view_only=grant.viewOnly,
        owner=grant.owner,
    )


def redeemed(grant: Grant, console: Console, credentials: bool) -> Redeemed:
    """
    What a token has just opened.

    @param credentials: tell what logs in to the console, too.
    """
    return Redeemed(
        **msgspec.structs.asdict(checked(grant, console)),
        token_hash=grant.tokenHash,
        resume_hash=grant.resumeHash,
        resumed=grant.resumed,
        password=console.target.password if credentials else None,
    )


def grantOf(told: Redeemed) -> Grant:
    """
    The grant that a controller has told of, with its console.

    @raise TokensUnreachable: the console's target is of a kind that is not known here.
    """
    try:
        target = parseTarget(told.target, told.password)
    except RequestError as error:
        raise TokensUnreachable(f"the token service names a target that is not known here: {error}") from error
    return Grant(
        tokenHash=told.token_hash,
        consoleID=told.instance_uuid,
        consoleType=told.console_type,
        expires=told.expires,
        viewOnly=told.view_only,
        resumeHash=told.resume_hash,
        resumed=told.resumed,
        owner=told.owner,
        console=Console(told.instance_uuid, told.name, target),
    )


def checkedGrant(told: Checked, tokenHash: str) -> Grant:
    """
    The grant that a controller says a token would redeem to; without its console, whose credentials it has kept back.
    """
    return Grant(
        tokenHash=tokenHash,
        consoleID=told.instance_uuid,
        consoleType=told.console_type,
        expires=told.expires,
        viewOnly=told.view_only,
        owner=told.owner,
    )


def targetOf(host: str, port: int) -> Target:
    """
    Where a console is that was told by host and port.

    @raise RequestError: the host is none.
    """
    return parseTarget(f"vnc://[{host}]:{port}" if ":" in host else f"vnc://{host}:{port}")
