"""
The values that everything else speaks about: frozen, compared by content, and silent about their secrets.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs


class ConsoleType(StrEnum):
    """
    The kinds of access, in nova's words.
    """

    NOVNC = "novnc"
    XVPVNC = "xvpvnc"


class Role(StrEnum):
    """
    What an API key is for.
    """

    ADMIN = "admin"
    OPERATOR = "operator"
    ISSUER = "issuer"
    VIEWER = "viewer"


class AuditEvent(StrEnum):
    """
    What the audit trail tells of.
    """

    TOKEN_MINTED = "token_minted"
    TOKENS_REVOKED = "tokens_revoked"
    REFUSED = "refused"
    OPENED = "opened"
    ENDED = "ended"
    END_ORDERED = "end_ordered"
    CONSOLE_DEFINED = "console_defined"
    CONSOLE_FORGOTTEN = "console_forgotten"
    KEY_ADDED = "key_added"
    KEY_REMOVED = "key_removed"


class EndReason(StrEnum):
    """
    Why a session that was up came to its end: the words beside those of L{vncproxy.errors}.
    """

    VIEWER_CLOSED = "viewer_closed"
    VIEWER_LOST = "viewer_lost"
    CONSOLE_CLOSED = "console_closed"
    CONSOLE_LOST = "console_lost"
    OPERATOR = "ended_by_operator"
    HALF_CLOSED = "half_closed"
    UNPARSEABLE = "unparseable"
    DRAINING = "draining"
    EXPIRED = "session_expired"
    TOO_LONG = "session_too_long"
    IDLE = "session_idle"
    TAKEN_OVER = "taken_over"
    REVOKED = "revoked"
    CONSOLE_UNPARSEABLE = "console_unparseable"

    @property
    def closeCode(self) -> int:
        """
        The WebSocket close code that tells it (RFC 6455 section 7.4.1).
        """
        return _CLOSE_CODES.get(self, 1000)

    @property
    def resumable(self) -> bool:
        """
        Whether the same browser may come back with a token that is used up.
        """
        return self not in _FINAL


_CLOSE_CODES: Final = {
    EndReason.CONSOLE_LOST: 1011,
    EndReason.UNPARSEABLE: 1008,
    EndReason.CONSOLE_UNPARSEABLE: 1008,
    EndReason.DRAINING: 1001,
}

_FINAL: Final = frozenset(
    {
        EndReason.OPERATOR,
        EndReason.UNPARSEABLE,
        EndReason.CONSOLE_UNPARSEABLE,
        EndReason.EXPIRED,
        EndReason.TOO_LONG,
        EndReason.IDLE,
        EndReason.REVOKED,
    }
)
"""
The endings after which a new link is needed. Whom another viewer has put out holds a good one.
"""


class Sharing(StrEnum):
    """
    What happens when somebody opens a console that has a viewer.
    """

    SHARE = "share"
    TAKEOVER = "takeover"
    REFUSE = "refuse"


class Clipboard(StrEnum):
    """
    Which way clipboards may cross.
    """

    BOTH = "both"
    TO_CONSOLE = "to-console"
    FROM_CONSOLE = "from-console"
    NONE = "none"

    @property
    def reachesConsole(self) -> bool:
        """
        Whether viewers' clipboards may.
        """
        return self in (Clipboard.BOTH, Clipboard.TO_CONSOLE)

    @property
    def leavesConsole(self) -> bool:
        """
        Whether a console's own may.
        """
        return self in (Clipboard.BOTH, Clipboard.FROM_CONSOLE)


@attrs.frozen
class SessionLimits:
    """
    How many sessions there may be at a time; 0 is any number.

    @ivar perAddress: of one client address, those that are opening included.
    @ivar perConsole: of one console.
    @ivar perOwner: by tokens of one owner.
    """

    perAddress: int = 0
    perConsole: int = 0
    perOwner: int = 0
    sharing: Sharing = Sharing.SHARE


@attrs.frozen
class SessionRules:
    """
    What holds for each session while it is up.

    @ivar enforceExpiry: it ends when its token expires.
    @ivar lifetime: seconds after which it ends; 0 is never.
    @ivar idle: seconds without input of the person at the viewer after which it ends; 0 is never.
    """

    enforceExpiry: bool = False
    lifetime: float = 0.0
    idle: float = 0.0
    clipboard: Clipboard = Clipboard.BOTH


class TargetKind(StrEnum):
    """
    How a console is reached; the scheme of its target URL.
    """

    VNC = "vnc"
    VNC_UNIX = "vnc+unix"
    TCP = "tcp"
    UNIX = "unix"

    @property
    def raw(self) -> bool:
        """
        Whether what is behind it is relayed as it is, from the first byte: the proxy speaks no RFB with it.
        """
        return self in (TargetKind.TCP, TargetKind.UNIX)


@attrs.frozen
class Target:
    """
    How a console is reached.

    @ivar kind: the way.
    @ivar host: name or address, without brackets; empty for a UNIX socket.
    @ivar port: TCP port; 0 for a UNIX socket.
    @ivar path: absolute path of a UNIX socket; empty otherwise.
    @ivar password: for the server's RFB security, or L{None}.
    """

    kind: TargetKind
    host: str = ""
    port: int = 0
    path: str = ""
    password: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Console:
    """
    Something one can be connected to.

    @ivar id: usually the uuid of a virtual machine.
    @ivar name: what a person calls it; never empty (the id, where nothing better is known).
    @ivar target: where it is, now.
    """

    id: str
    name: str
    target: Target


@attrs.frozen
class Resume:
    """
    The right of one browser to come back with a token that is used up.

    @ivar hash: SHA-256 of the browser's resume secret, hexadecimal.
    @ivar live: how many sessions of that browser with this token are up.
    @ivar until: when the right ends, in seconds since the epoch; means something only while C{live} is 0.
    @ivar proxy: which of the proxies that share a store has those sessions; empty where one has the store for itself.
        A browser with sessions on two proxies has two entries.
    """

    hash: str
    live: int
    until: float = 0.0
    proxy: str = ""


@attrs.frozen
class TokenRecord:
    """
    What a store keeps of a token; the token itself is never kept.

    @ivar hash: SHA-256 of the token, hexadecimal.
    @ivar consoleID: the console that it opens.
    @ivar consoleType: the kind of viewer that it is for.
    @ivar expires: seconds since the epoch.
    @ivar usesLeft: redemptions left; L{None} is any number until C{expires}.
    @ivar viewOnly: input of the viewer is dropped.
    @ivar clientAddress: the only address that may redeem it, or L{None}.
    @ivar resumes: the browsers that may come back, oldest first.
    @ivar owner: the name of the API key that it was minted with; empty where there was none.
    """

    hash: str
    consoleID: str
    consoleType: ConsoleType
    expires: float
    usesLeft: int | None = 1
    viewOnly: bool = False
    clientAddress: str | None = None
    resumes: tuple[Resume, ...] = ()
    owner: str = ""


@attrs.frozen
class IssuedToken:
    """
    A token just minted: the one moment at which it is known in clear.
    """

    token: str = attrs.field(repr=False)
    expires: float


@attrs.frozen
class Grant:
    """
    What a token redeems to.

    @ivar tokenHash: SHA-256 of the token, hexadecimal.
    @ivar resumeHash: SHA-256 of the browser's resume secret where the redemption gave it the right to come back,
        else L{None}.
    @ivar resumed: the right to resume was used, no use of the token was spent.
    @ivar owner: the name of the API key that the token was minted with; empty where there was none.
    @ivar console: the console itself, where whoever honours the token has said where it is; L{None} where a directory
        has to be asked.
    @ivar proxy: the proxy that has asked for it, where that is not we ourselves; empty otherwise.
    """

    tokenHash: str
    consoleID: str
    consoleType: ConsoleType
    expires: float
    viewOnly: bool = False
    resumeHash: str | None = None
    resumed: bool = False
    owner: str = ""
    console: Console | None = None
    proxy: str = ""

    @property
    def tokenID(self) -> str:
        """
        The token as logs and lists name it: the first 8 hex digits of its hash.
        """
        return self.tokenHash[:8]


@attrs.frozen
class ViewerFacts:
    """
    What a frontend knows of a viewer before anything is decided.

    @ivar frontend: C{"web"}, C{"java"} …
    @ivar consoleType: the kind of token that this frontend takes.
    @ivar address: the client's address in words (C{"203.0.113.9"}, C{"unix"}).
    @ivar token: what it shows; empty when it showed none.
    @ivar resume: the browser's resume secret, or L{None} where the viewer cannot keep one.
    @ivar proxy: the proxy that it has come to, where that is not we ourselves; empty otherwise.
    """

    frontend: str
    consoleType: ConsoleType
    address: str
    token: str = attrs.field(repr=False)
    resume: str | None = attrs.field(default=None, repr=False)
    proxy: str = ""


@attrs.frozen
class Session:
    """
    One live relay, as it is at this moment.

    @ivar started: seconds since the epoch.
    @ivar bytesIn: from the viewer to the console.
    @ivar bytesOut: from the console to the viewer.
    @ivar owner: the name of the API key that its token was minted with; empty where there was none.
    """

    id: str
    consoleID: str
    consoleName: str
    frontend: str
    client: str
    proxy: str
    tokenID: str
    viewOnly: bool
    resumed: bool
    started: float
    bytesIn: int
    bytesOut: int
    owner: str = ""


@attrs.frozen
class APIKey:
    """
    A key to the API, without the secret itself.

    @ivar name: what it is called; no two keys share one.
    @ivar hash: SHA-256 of the secret, hexadecimal.
    @ivar consoles: the pattern of the ids that it may see (L{vncproxy.rights.matches}), or L{None} for all.
    @ivar created: seconds since the epoch.
    @ivar lastUsed: seconds since the epoch, to about a minute; L{None} before its first use.
    """

    name: str
    hash: str = attrs.field(repr=False)
    role: Role
    consoles: str | None = None
    created: float = 0.0
    lastUsed: float | None = None


@attrs.frozen
class AuditEntry:
    """
    One line of the audit trail. What does not apply is empty, or L{None}.

    @ivar id: a text whose order is that of time: C{formatMoment(at)}, then what makes it unique. The trail gives it.
    @ivar at: seconds since the epoch. The trail gives it.
    @ivar key: the name of the API key that did it, or that the viewer's token was minted with.
    @ivar client: the address of who did it, in words.
    @ivar console: the console's id.
    @ivar consoleType: the kind of viewer.
    @ivar frontend: what the viewer connected to.
    @ivar session: the session's id.
    @ivar token: the token as logs name it, the first 8 hex digits of its hash.
    @ivar subject: of keys, the name of the one that was added or removed.
    @ivar reason: the reason word.
    @ivar bytesIn: from the viewer to the console.
    @ivar bytesOut: from the console to the viewer.
    @ivar seconds: how long the session was up.
    @ivar proxy: the proxy that tells it. The trail gives it.
    """

    event: AuditEvent
    id: str = ""
    at: float = 0.0
    key: str = ""
    client: str = ""
    console: str = ""
    consoleType: ConsoleType | None = None
    frontend: str = ""
    session: str = ""
    token: str = ""
    subject: str = ""
    reason: str = ""
    bytesIn: int | None = None
    bytesOut: int | None = None
    seconds: float | None = None
    proxy: str = ""


@attrs.frozen
class AuditQuery:
    """
    Which entries of the audit trail are wanted.

    @ivar limit: how many at most; the newest are taken.
    @ivar since: seconds since the epoch; that moment counts.
    @ivar until: seconds since the epoch; that moment does not count any more.
    @ivar before: the id of an entry: only older ones are wanted. Empty is no bound.
    @ivar console: of this console only.
    @ivar consoles: of consoles that match this pattern only (L{vncproxy.rights.matches}).
    """

    limit: int
    since: float | None = None
    until: float | None = None
    before: str = ""
    console: str | None = None
    consoles: str | None = None

    @property
    def lowest(self) -> str:
        """
        No id that is wanted is smaller.
        """
        return "" if self.since is None else formatMoment(self.since)

    @property
    def below(self) -> str:
        """
        Every id that is wanted is smaller.
        """
        bounds = [self.before] if self.before else []
        if self.until is not None:
            bounds.append(formatMoment(self.until))
        return min(bounds, default=_ABOVE_ALL)


_ABOVE_ALL: Final = "g"
"""
Greater than any id of the audit trail, which begins with a hexadecimal digit.
"""


def formatMoment(seconds: float) -> str:
    """
    A moment as ids of the audit trail begin: microseconds since the epoch in 16 hexadecimal digits, so that texts have
    the order of time.
    """
    return f"{min(max(0, int(seconds * 1e6)), 2**64 - 1):016x}"
