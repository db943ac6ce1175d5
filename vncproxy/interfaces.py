"""
The seams: what plugs into what. Each says every outcome and every error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from zope.interface import Attribute, Interface

from vncproxy.errors import VNCProxyError
from vncproxy.model import (
    APIKey,
    AuditEntry,
    AuditQuery,
    Console,
    ConsoleType,
    EndReason,
    Grant,
    IssuedToken,
    Session,
    Target,
    TokenRecord,
    ViewerFacts,
)


class IStream(Interface):
    """
    Bytes to and from one peer while a handshake runs.

    Every read waits at most until the deadline that the stream was given, and raises
    L{StreamEnded<vncproxy.errors.StreamEnded>} when the peer hangs up first,
    L{WaitTimeout<vncproxy.errors.WaitTimeout>} when the deadline passes.
    """

    async def read(count: int) -> bytes:
        """
        Exactly C{count} bytes, however they were cut on the way. What came behind them stays for the next read.
        """

    def write(data: bytes) -> None:
        """
        Send C{data}. Never fails: a peer that is gone shows at the next read.
        """


class Sink(Protocol):
    """
    Who takes the bytes of a stream after its handshake.
    """

    def received(self, data: bytes) -> None:
        """
        Some bytes came.
        """

    def readEnded(self) -> None:
        """
        The peer sends no more, but may still listen. Only streams that can half-close tell this.
        """

    def lost(self, clean: bool) -> None:
        """
        The connection is gone; C{clean} if the peer closed it in good order.
        """


class IByteStream(IStream):
    """
    A stream that can be handed over to a relay when its handshake is through.
    """

    halfCloseable: bool = Attribute(
        "Whether one direction can be closed alone: TCP and UNIX sockets, not TLS or WebSocket."
    )
    transport: Any = Attribute("The Twisted transport: write, streaming producers both ways, loseConnection.")

    def expectWithin(seconds: float | None) -> None:
        """
        Every read from now on fails when C{seconds} are over, counted from this moment. L{None} lifts the deadline.
        """

    def handOver(sink: Sink) -> None:
        """
        The handshake is over: C{sink} takes what is in the buffer, everything that comes, and the end, even if that has
        come already.
        """

    def endWriting() -> None:
        """
        Close our half once everything is sent. Only where C{halfCloseable}.
        """

    def close(code: int = 1000, reason: str = "") -> None:
        """
        Send what is under way, tell the peer why where its transport has a way for that, and hang up. A peer that does
        not take its last bytes in time is cut off.

        @param code: WebSocket close code.
        @param reason: a stable reason word.
        """

    def abort() -> None:
        """
        Hang up at once; what is under way is lost.
        """


class IFilter(Interface):
    """
    A rule on what a viewer sends to its console, or a console to its viewer.
    """

    def feed(data: bytes) -> bytes:
        """
        Take the next bytes and return those to pass on now.

        @raise UnparseableInput: the bytes cannot be understood; nothing of them may be passed on.
        """


class IStore(Interface):
    """
    Where state lives. Everything that it returns has been written so that a restart finds it again.

    Every method may fail with L{TokensUnreachable<vncproxy.errors.TokensUnreachable>} when the store does not answer.
    """

    shared: bool = Attribute("Whether several proxies may use it at once, so that each has to sign its sessions.")

    async def open() -> None:
        """
        Make ready before anything else is asked, so that what cannot serve shows when the service starts.

        @raise ConfigError: it can never serve as it is configured; the text says why and what to do.
        """

    async def putConsole(console: Console) -> bool:
        """
        Keep C{console}, in place of what its id named before. True if the id is new.
        """

    async def console(consoleID: str) -> Console | None:
        """
        The console of this id, or L{None}.
        """

    async def consoles() -> Sequence[Console]:
        """
        All consoles, ordered by id.
        """

    async def deleteConsole(consoleID: str) -> bool:
        """
        Forget the console and every token that opens it. False if there was none.
        """

    async def addToken(record: TokenRecord) -> None:
        """
        Keep a token just minted.
        """

    async def token(tokenHash: str) -> TokenRecord | None:
        """
        The token of this hash, or L{None}.
        """

    async def amendToken(tokenHash: str, rule: Callable[[TokenRecord], TokenRecord]) -> TokenRecord:
        """
        Replace a token's record by what C{rule} makes of it, in one atomic step, and return the new one.

        C{rule} is pure and quick; it may run more than once and in another thread. What it raises is passed on, and
        the record stays as it was.

        @raise TokenUnknown: there is no such token.
        """

    async def deleteTokens(consoleID: str) -> int:
        """
        Revoke every token of a console; how many there were.
        """

    async def abandonSessions(until: float, proxy: str = "") -> int:
        """
        After a restart: no session of an earlier run is up any more. Every L{Resume<vncproxy.model.Resume>} of C{proxy}
        that counts live ones counts none, and ends at C{until}; those of other proxies stay. How many tokens that
        touched.
        """

    async def purge(now: float) -> int:
        """
        Forget tokens that nobody can redeem any more; how many.
        """

    async def addKey(key: APIKey) -> bool:
        """
        Keep an API key. False if there is one of its name already: nothing is changed then.
        """

    async def key(keyHash: str) -> APIKey | None:
        """
        The API key of this hash, or L{None}.
        """

    async def keys() -> Sequence[APIKey]:
        """
        All API keys, ordered by name.
        """

    async def deleteKey(name: str) -> bool:
        """
        Forget an API key. False if there was none of this name.
        """

    async def touchKeys(used: Mapping[str, float]) -> None:
        """
        Note when API keys were last used: seconds since the epoch, by hash. A moment earlier than what is known changes
        nothing, and so does a hash that is not there.
        """

    async def addAudit(entries: Sequence[AuditEntry]) -> None:
        """
        Keep entries of the audit trail; either all of them, or none. One whose id is there already changes nothing, so
        that what may have been written can be written again.
        """

    async def audit(query: AuditQuery) -> Sequence[AuditEntry]:
        """
        The newest entries that are wanted, ordered by id, the greatest first.
        """

    async def purgeAudit(before: float) -> int:
        """
        Forget the entries older than a moment (seconds since the epoch); how many.
        """

    async def close() -> None:
        """
        Let go of files and connections. Waits for what is being written.
        """


class ITokenAuthority(Interface):
    """
    Who knows what a token is worth.

    Every method fails with L{TokensUnreachable<vncproxy.errors.TokensUnreachable>} when there is no answer within the
    configured time.
    """

    async def authorizeConsole(
        consoleID: str,
        consoleType: ConsoleType,
        ttl: float | None = None,
        uses: int | None = None,
        viewOnly: bool = False,
        clientAddress: str | None = None,
        owner: str = "",
        askedFrom: str = "",
    ) -> IssuedToken:
        """
        Mint a token. C{ttl} (seconds) and C{uses} default to the configuration's; 0 uses is any number until expiry.

        @param owner: the name of the API key that asks; the token remembers it.
        @param askedFrom: the address that asks, in words; only the audit trail remembers it.
        """

    async def checkToken(token: str, consoleType: ConsoleType | None = None) -> Grant | None:
        """
        Look without spending: what the token would redeem to now, L{None} if to nothing.
        """

    async def redeemToken(facts: ViewerFacts) -> Grant:
        """
        Spend one use, or use the browser's right to resume. Cancelling it takes that back, however late the answer.

        @raise TokenError: the token is not to be honoured; its class says why.
        """

    async def endSession(grant: Grant, resumable: bool) -> None:
        """
        The session of C{grant} has ended: its browser may resume for the configured window, or, if not C{resumable}, no
        more. Does nothing for a token that is gone.
        """

    async def deleteTokensForInstance(consoleID: str) -> int:
        """
        Revoke every token of a console; how many there were.
        """


class IControllingAuthority(ITokenAuthority):
    """
    A token authority that others may ask through us.
    """

    async def authorizeConsole(
        consoleID: str,
        consoleType: ConsoleType,
        ttl: float | None = None,
        uses: int | None = None,
        viewOnly: bool = False,
        clientAddress: str | None = None,
        owner: str = "",
        askedFrom: str = "",
        token: str | None = None,
    ) -> IssuedToken:
        """
        As L{ITokenAuthority.authorizeConsole} does.

        @param token: one that somebody else has made, of 32 to 128 letters, digits, C{-} and C{_}.
        """

    async def undoRedeem(grant: Grant) -> None:
        """
        The redemption that gave C{grant} reached nobody: take it back. Does nothing for a token that is gone.
        """

    async def abandonSessions(proxy: str) -> int:
        """
        Another proxy has started anew, and has no session any more: the browsers of those that it had may resume for
        the configured window. How many tokens that touched.
        """


class IKeyRing(Interface):
    """
    Who knows the API keys.
    """

    async def whose(secret: bytes) -> APIKey | None:
        """
        The key whose secret this is, L{None} if it is nobody's. White space around it does not count. The time that it
        takes tells nothing of the keys that there are. A key that was removed in this process is nobody's at once; one
        that was removed elsewhere, within a few seconds.

        @raise TokensUnreachable: it cannot be known now.
        """


class IAuditTrail(Interface):
    """
    Where it is noted who did what.
    """

    def note(entry: AuditEntry) -> None:
        """
        Note something that happens now. Never fails and never waits. C{id}, C{at} and C{proxy} are filled in.
        """

    async def flush() -> None:
        """
        Let those who read the store from now on find what was noted until now, if the store takes it. Never fails.
        """


class ITokenSource(Interface):
    """
    Who knows what the tokens are worth that somebody else has minted. Each grant says itself where its console is.
    """

    async def redeemToken(facts: ViewerFacts) -> Grant:
        """
        What the viewer's token is worth. It is cancelled when that takes too long.

        @raise TokenUnknown: it is none of this source's.
        @raise TokenError: it is not to be honoured; no other source is asked then.
        @raise TokensUnreachable: the source cannot say.
        """

    async def checkToken(token: str, consoleType: ConsoleType | None = None) -> Grant | None:
        """
        Look without spending: what the token would redeem to now, L{None} if to nothing.

        @raise TokensUnreachable: the source cannot say.
        """


class IDirectory(Interface):
    """
    Console id → console, as it is now.
    """

    async def resolve(consoleID: str) -> Console:
        """
        @raise ConsoleUnknown: the id names nothing here.
        @raise BackendError: the directory cannot say.
        """


class ISessions(Interface):
    """
    The sessions that are up on this proxy.
    """

    def list() -> Sequence[Session]:
        """
        A picture of each, oldest first.
        """

    def end(sessionID: str, reason: EndReason) -> bool:
        """
        End one at once and tell its viewer. False if there is none of this id.
        """

    def revoke(consoleID: str) -> int:
        """
        End every session of a console whose tokens were revoked, those that are still opening included. How many.
        """


class IViewer(Interface):
    """
    One viewer at a frontend, as the broker sees it. C{admit} comes first, then C{reached}; C{refuse} may come instead
    of either or after it, and nothing comes after that.
    """

    facts: ViewerFacts = Attribute("What is known of it.")

    async def admit(grant: Grant) -> IByteStream:
        """
        The token is good. Returns the byte stream once the viewer's own opening is through.

        @raise StreamEnded: it hung up meanwhile.
        """

    def reached() -> None:
        """
        The console is logged in to; RFB bytes come next.
        """

    def refuse(error: VNCProxyError) -> None:
        """
        Tell the viewer why not, in the way that it understands, and hang up. Does nothing for a viewer that is gone.
        """


class IBackend(Interface):
    """
    How a console is dialled and logged in to.
    """

    async def connect(target: Target) -> IByteStream:
        """
        A stream to the console, logged in: the next bytes of the server are its answer to ClientInit (RFC 6143 section
        7.3.1). A raw target is dialled and left as it is.

        @raise BackendError: it cannot be had; its class says why.
        """
