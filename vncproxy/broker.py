"""
The one use case: redeem → resolve → dial → login → greet → relay → report.

A frontend brings a viewer (L{IViewer<vncproxy.interfaces.IViewer>}) and calls L{Broker.serve}; everything that happens
between a token shown and the last byte relayed is written there, from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from vncproxy.attempts import ANY_NUMBER, Attempts
from vncproxy.curfew import AnyBytes, Beginnings, Curfew
from vncproxy.errors import (
    ConsoleBroken,
    ConsoleSilent,
    Draining,
    ProtocolError,
    ServiceUnavailable,
    StreamEnded,
    TokenExpired,
    UnparseableInput,
    VNCProxyError,
    WaitTimeout,
)
from vncproxy.interfaces import IAuditTrail, IBackend, IByteStream, IDirectory, IFilter, ITokenAuthority, IViewer
from vncproxy.model import AuditEntry, AuditEvent, Clipboard, Console, EndReason, Grant, SessionRules, ViewerFacts
from vncproxy.relay import Relay
from vncproxy.rfb import handshake
from vncproxy.rfb.clipless import Clipless, CliplessViewer
from vncproxy.rfb.handshake import ServerInit
from vncproxy.rfb.messages import Concern
from vncproxy.rfb.permitted import ALL_CONCERNS, OFFERS_WITHOUT_CLIPBOARD, Permitted
from vncproxy.rfb.pixelformat import PixelFormat
from vncproxy.rfb.viewonly import VIEW_ONLY, ViewOnly
from vncproxy.sessions import Place, Sessions

_log = Logger()

_T = TypeVar("_T")

_NO_RULES: Final = SessionRules()


class Broker:
    """
    Brings viewers and consoles together.
    """

    def __init__(
        self,
        clock: IReactorTime,
        authority: ITokenAuthority,
        directory: IDirectory,
        backend: IBackend,
        sessions: Sessions,
        trail: IAuditTrail,
        makeID: Callable[[], str],
        handshakeSeconds: float,
        halfClosedSeconds: float,
        rules: SessionRules = _NO_RULES,
        attempts: Attempts = ANY_NUMBER,
    ) -> None:
        """
        @param trail: hears of every viewer that comes with a token.
        @param makeID: a new session id at each call.
        @param handshakeSeconds: how long a viewer, and a console, may take for its RFB handshake.
        @param halfClosedSeconds: see L{Relay}.
        @param rules: what holds for each session.
        @param attempts: is told of wrong tokens.
        """
        self._clock = clock
        self._authority = authority
        self._directory = directory
        self._backend = backend
        self._sessions = sessions
        self._trail = trail
        self._makeID = makeID
        self._handshakeSeconds = handshakeSeconds
        self._halfClosedSeconds = halfClosedSeconds
        self._rules = rules
        self._attempts = attempts
        self._beginnings = Beginnings()
        self._serving: set[Deferred[None]] = set()
        self._reporting: set[Deferred[None]] = set()

    def serve(self, viewer: IViewer) -> Deferred[None]:
        """
        Serve one viewer until its session ends. What this returns never fails; cancel it when the viewer is gone.
        """
        return _keep(self._serving, Deferred.fromCoroutine(self._serve(viewer)))

    async def stop(self) -> None:
        """
        End every session and every opening, and wait until the token authority knows of it.
        """
        self._sessions.drain()
        for serving in tuple(self._serving):
            serving.cancel()
        await DeferredList(self._serving)
        await DeferredList(self._reporting)

    async def _serve(self, viewer: IViewer) -> None:
        """
        From the token to the end, or to a refusal in words.
        """
        grant: Grant | None = None
        try:
            with self._sessions.place(viewer.facts.address) as place:
                grant = await self._redeem(viewer.facts)
                end: EndReason | None = None
                try:
                    self._seat(place, grant)
                    end = await self._carry(viewer, grant, place)
                finally:
                    resumable = end is None or end.resumable
                    _keep(self._reporting, Deferred.fromCoroutine(self._report(grant, resumable)))
        except CancelledError:
            # Either the viewer is gone, and does not hear this, or the proxy is going.
            viewer.refuse(Draining("the viewer was being let in"))
        except VNCProxyError as error:
            self.noteRefusal(viewer.facts, grant, error)
            viewer.refuse(error)
        except Exception:
            _log.failure("serving a {frontend} viewer failed", frontend=viewer.facts.frontend)
            self.noteRefusal(viewer.facts, grant, VNCProxyError("a fault of ours"))
            viewer.refuse(VNCProxyError())

    async def _redeem(self, facts: ViewerFacts) -> Grant:
        """
        Spend the token. Until it has proved good it counts as a wrong one, as others may be shown meanwhile.
        """
        self._attempts.failed(facts.address)
        try:
            grant = await self._authority.redeemToken(facts)
        except ServiceUnavailable:
            self._attempts.passed(facts.address)
            raise
        self._attempts.passed(facts.address)
        return grant

    async def _report(self, grant: Grant, resumable: bool) -> None:
        """
        Tell the token authority that the session of C{grant} is over.
        """
        try:
            await self._authority.endSession(grant, resumable)
        except ServiceUnavailable as error:
            _log.warn(
                "the end of a session with token {token} was not told: {reason}: {cause}",
                token=grant.tokenID,
                reason=error.reason,
                cause=str(error),
            )

    def _seat(self, place: Place, grant: Grant) -> None:
        """
        Whether the session may be, with all the others that there are.

        @raise VNCProxyError: it may not.
        """
        if self._rules.enforceExpiry and grant.expires <= self._clock.seconds():
            raise TokenExpired("it expired while its session was interrupted, which so cannot go on")
        self._sessions.take(place, grant)

    async def _carry(self, viewer: IViewer, grant: Grant, place: Place) -> EndReason:
        """
        Reach the console, greet the viewer, relay, and say why it ended.
        """
        stream = await viewer.admit(grant)
        console = grant.console or await self._directory.resolve(grant.consoleID)
        raw = console.target.kind.raw
        if raw and (grant.viewOnly or self._rules.clipboard is not Clipboard.BOTH):
            raise UnparseableInput("what goes to a raw console is not known to be input, so no rule on it can hold")
        server = await self._backend.connect(console.target)
        try:
            viewer.reached()
            desktop = None if raw else await self._open(stream, server, grant, console)
            curfew = Curfew(self._clock, self._rules, grant.expires, self._began(grant))
            rules = _rulesOn(grant, self._rules, desktop, curfew.heard)
            relay = Relay(self._clock, stream, server, self._halfClosedSeconds, *rules)
            return await self._relay(relay, curfew, viewer.facts, grant, console, place)
        except BaseException:
            server.abort()
            raise

    def _began(self, grant: Grant) -> float:
        """
        From when on a session's lifetime counts.
        """
        now = self._clock.seconds()
        return self._beginnings.of(grant, now) if self._rules.lifetime else now

    async def _open(self, viewer: IByteStream, server: IByteStream, grant: Grant, console: Console) -> ServerInit:
        """
        Greet the viewer with security None, and show it the server's desktop under the console's name.
        """
        viewer.expectWithin(self._handshakeSeconds)
        await handshake.greet(viewer)
        # One who may only look shall not throw the others out.
        shared = await handshake.readClientInit(viewer) or grant.viewOnly
        server.expectWithin(self._handshakeSeconds)
        try:
            desktop = await handshake.openDesktop(server, shared)
        except StreamEnded as error:
            raise ConsoleBroken("it hung up instead of showing its desktop") from error
        except ProtocolError as error:
            raise ConsoleBroken(f"instead of showing its desktop, {error}") from error
        except WaitTimeout as error:
            raise ConsoleSilent("it let us in and then did not show its desktop") from error
        viewer.write(attrs.evolve(desktop, name=console.name.encode("utf-8")).encode())
        return desktop

    async def _relay(
        self, relay: Relay, curfew: Curfew, facts: ViewerFacts, grant: Grant, console: Console, place: Place
    ) -> EndReason:
        """
        List and log the session while it is up.
        """
        sessionID = self._makeID()
        started = self._clock.seconds()
        about = {
            "session": sessionID,
            "console": console.id,
            "frontend": facts.frontend,
            "client": facts.address,
            "token": grant.tokenID,
        }
        line = "session {session} of console {console} for {client} ({frontend}, token {token})"
        with self._sessions.up(place, sessionID, relay, grant, console, facts, started):
            _log.info(line + " opened", **about)
            opened = _entry(AuditEvent.OPENED, facts, grant, session=sessionID)
            self._trail.note(opened)
            relay.start()
            with curfew.kept(relay.end):
                reason = await relay.ended
        outcome: dict[str, Any] = {
            "reason": reason.value,
            "seconds": self._clock.seconds() - started,
            "bytesIn": relay.bytesIn,
            "bytesOut": relay.bytesOut,
        }
        _log.info(
            line + " ended: {reason} after {seconds:.1f} s, {bytesIn} bytes in, {bytesOut} bytes out",
            **outcome,
            **about,
        )
        self._trail.note(attrs.evolve(opened, event=AuditEvent.ENDED, **outcome))
        return reason

    def noteRefusal(self, facts: ViewerFacts, grant: Grant | None, error: VNCProxyError) -> None:
        """
        Tell the operator who was turned away and why, and from which console where the token was good. Frontends call
        it for whom they turn away themselves.
        """
        line = "refused {frontend} viewer at {client}: {reason}: {cause}"
        about = {"frontend": facts.frontend, "client": facts.address, "reason": error.reason, "cause": str(error)}
        if grant is not None:
            line += " (console {console}, token {token})"
            about |= {"console": grant.consoleID, "token": grant.tokenID}
        _log.info(line, **about)
        self._trail.note(_entry(AuditEvent.REFUSED, facts, grant, reason=error.reason))


def _rulesOn(
    grant: Grant, rules: SessionRules, desktop: ServerInit | None, heard: Callable[[], None]
) -> tuple[IFilter | None, IFilter | None]:
    """
    What the viewer's bytes, and the console's, have to go through; L{None} where nothing is asked of them, as parsing
    costs.

    @param desktop: what the console has shown; L{None} where no RFB is spoken.
    @param heard: called when the person at the viewer has done something.
    """
    if desktop is None:
        return (AnyBytes(heard) if rules.idle else None), None
    clipboard = rules.clipboard
    concerns = ALL_CONCERNS if clipboard.reachesConsole else ALL_CONCERNS - {Concern.CLIPBOARD}
    if not clipboard.leavesConsole:
        server = Clipless(PixelFormat.decode(desktop.pixelFormat))
        return CliplessViewer(server, VIEW_ONLY if grant.viewOnly else concerns, heard), server
    if grant.viewOnly:
        return ViewOnly(heard), None
    if clipboard is not Clipboard.BOTH:
        return Permitted(concerns, OFFERS_WITHOUT_CLIPBOARD, heard), None
    return (Permitted(heard=heard) if rules.idle else None), None


def _entry(
    event: AuditEvent, facts: ViewerFacts, grant: Grant | None, session: str = "", reason: str = ""
) -> AuditEntry:
    """
    What the audit trail holds of a viewer, and of its token where that was good.
    """
    entry = AuditEntry(
        event,
        client=facts.address,
        consoleType=facts.consoleType,
        frontend=facts.frontend,
        session=session,
        reason=reason,
    )
    if grant is None:
        return entry
    return attrs.evolve(entry, key=grant.owner, console=grant.consoleID, token=grant.tokenID)


def _keep(owner: set[Deferred[_T]], deferred: Deferred[_T]) -> Deferred[_T]:
    """
    Hold on to a Deferred until it has fired, and log what it fails with.
    """
    owner.add(deferred)

    def finished(result: object) -> None:
        owner.discard(deferred)
        if isinstance(result, Failure) and not result.check(CancelledError):
            _log.failure("left unfinished", result)

    deferred.addBoth(finished)
    return deferred
