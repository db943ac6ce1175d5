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
        return self not in (EndReason.OPERATOR, EndReason.UNPARSEABLE)


_CLOSE_CODES: Final = {
    EndReason.CONSOLE_LOST: 1011,
    EndReason.UNPARSEABLE: 1008,
    EndReason.DRAINING: 1001,
}


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
    """

    hash: str
    live: int
    until: float = 0.0


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
    """

    hash: str
    consoleID: str
    consoleType: ConsoleType
    expires: float
    usesLeft: int | None = 1
    viewOnly: bool = False
    clientAddress: str | None = None
    resumes: tuple[Resume, ...] = ()


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
    """

    frontend: str
    consoleType: ConsoleType
    address: str
    token: str = attrs.field(repr=False)
    resume: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Session:
    """
    One live relay, as it is at this moment.

    @ivar started: seconds since the epoch.
    @ivar bytesIn: from the viewer to the console.
    @ivar bytesOut: from the console to the viewer.
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
