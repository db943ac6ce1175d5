"""
A broker's world in memory: one token, one console, one viewer, and gates where each of them can be made to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.streams import Loop, MemoryTransport
from vncproxy.attempts import Attempts
from vncproxy.broker import Broker
from vncproxy.errors import ConsoleUnknown, Draining, TokensUnreachable, VNCProxyError
from vncproxy.interfaces import IAuditTrail, IBackend, IByteStream, IDirectory, ITokenAuthority, IViewer
from vncproxy.model import (
    AuditEntry,
    Console,
    ConsoleType,
    Grant,
    IssuedToken,
    SessionLimits,
    SessionRules,
    Target,
    TargetKind,
    TokenRecord,
    ViewerFacts,
)
from vncproxy.rfb.handshake import ServerInit
from vncproxy.sessions import Sessions
from vncproxy.stream import CLOSING_SECONDS, ByteStream
from vncproxy.tokens import rules

HANDSHAKE_SECONDS: Final = 15.0
WINDOW: Final = 60.0
RESUME_HASH: Final = "r" * 64
CONSOLE: Final = Console("vm7", "dätabase", Target(TargetKind.VNC, "10.0.0.5", 5901, password="hush"))
RAW: Final = Console("tcp://10.0.0.6:4555", "serial", Target(TargetKind.TCP, "10.0.0.6", 4555))
"""
A console that a token itself names, and that no directory knows.
"""

GREETING: Final = b"RFB 003.008\n\1"
CLIENT_INIT: Final = b"\1"
DESKTOP: Final = ServerInit(640, 480, bytes(16), b"QEMU (vm7)")
GREETED: Final = b"RFB 003.008\n" + b"\1\1" + bytes(4)


class Gates:
    """
    Where the parts of the world below can be made to wait, or to fail.

    @ivar waiting: what waits at which gate.
    """

    def __init__(self) -> None:
        self.shut: set[str] = set()
        self.waiting: dict[str, Deferred[None]] = {}
        self.faults: dict[str, Exception] = {}

    async def passing(self, name: str) -> None:
        """
        Pass a gate, once it is open.
        """
        if name in self.shut:
            self.waiting[name] = Deferred()
            await self.waiting[name]
        if name in self.faults:
            raise self.faults[name]

    def open(self, name: str) -> None:
        """
        Let pass who waits, and whoever comes.
        """
        self.shut.discard(name)
        waiting = self.waiting.pop(name, None)
        if waiting is not None and not waiting.called:
            waiting.callback(None)


@implementer(ITokenAuthority)
class OneToken:
    """
    An authority that knows one token, by the real rules.

    @ivar record: the token as it is now.
    @ivar ends: what it was told of sessions that ended.
    @ivar console: what the token itself says of its console.
    """

    def __init__(self, gates: Gates, clock: Loop, viewOnly: bool) -> None:
        self._gates = gates
        self._clock = clock
        self.record = TokenRecord("f" * 64, "vm7", ConsoleType.NOVNC, 1000.0, viewOnly=viewOnly, owner="portal")
        self.ends: list[bool] = []
        self.console: Console | None = None

    async def redeemToken(self, facts: ViewerFacts) -> Grant:
        resumeHash = None if facts.resume is None else RESUME_HASH
        self.record = rules.spend(self.record, facts, self._clock.seconds(), resumeHash)
        grant = attrs.evolve(rules.granted(self.record, resumeHash), console=self.console)
        try:
            await self._gates.passing("redeem")
        except (CancelledError, TokensUnreachable):
            self.record = rules.undone(self.record, grant, self._clock.seconds(), WINDOW)
            raise
        return grant

    async def endSession(self, grant: Grant, resumable: bool) -> None:
        await self._gates.passing("report")
        self.ends.append(resumable)
        if grant.resumeHash is not None:
            window = WINDOW if resumable else 0
            self.record = rules.ended(self.record, grant.resumeHash, self._clock.seconds(), window)

    async def authorizeConsole(
        self,
        consoleID: str,
        consoleType: ConsoleType,
        ttl: float | None = None,
        uses: int | None = None,
        viewOnly: bool = False,
        clientAddress: str | None = None,
        owner: str = "",
        askedFrom: str = "",
    ) -> IssuedToken:
        raise NotImplementedError("a broker mints nothing")

    async def checkToken(self, token: str, consoleType: ConsoleType | None = None) -> Grant | None:
        raise NotImplementedError("a broker does not look before it redeems")

    async def deleteTokensForInstance(self, consoleID: str) -> int:
        raise NotImplementedError("a broker revokes nothing")


@implementer(IAuditTrail)
class HeardTrail:
    """
    An audit trail that is kept in mind.
    """

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def note(self, entry: AuditEntry) -> None:
        """
        See L{IAuditTrail.note}.
        """
        self.entries.append(entry)

    async def flush(self) -> None:
        """
        See L{IAuditTrail.flush}.
        """


@implementer(IDirectory)
class OneConsole:
    """
    A directory that knows one console.
    """

    def __init__(self, gates: Gates) -> None:
        self._gates = gates

    async def resolve(self, consoleID: str) -> Console:
        await self._gates.passing("resolve")
        if consoleID != CONSOLE.id:
            raise ConsoleUnknown(consoleID)
        return CONSOLE


@implementer(IBackend)
class OneServer:
    """
    A backend that has logged in to a server at once.

    @ivar wire: the connection to the server, once there is one.
    """

    def __init__(self, gates: Gates, loop: Loop) -> None:
        self._gates = gates
        self._loop = loop
        self.wire: MemoryTransport | None = None

    async def connect(self, target: Target) -> IByteStream:
        assert target in (CONSOLE.target, RAW.target)
        await self._gates.passing("connect")
        stream = ByteStream(self._loop, halfCloseable=True)
        self.wire = MemoryTransport(self._loop, stream)
        return stream


@implementer(IViewer)
class OneViewer:
    """
    A viewer that tells refusals in the close code alone.

    @ivar serving: what the broker returned for it.
    @ivar heard: in order, what the broker said to it.
    @ivar told: the close code and the reason word that it was told.
    """

    serving: Deferred[None] | None = None

    def __init__(self, gates: Gates, loop: Loop, facts: ViewerFacts) -> None:
        self.facts = facts
        self._gates = gates
        self.heard: list[object] = []
        self.told: list[tuple[int, str]] = []
        self._stream = ByteStream(loop, lost=self._lost, tell=lambda code, word: self.told.append((code, word)))
        self.wire = MemoryTransport(loop, self._stream)

    def _lost(self) -> None:
        if self.serving is not None:
            self.serving.cancel()

    async def admit(self, grant: Grant) -> IByteStream:
        await self._gates.passing("admit")
        self.heard.append(grant)
        return self._stream

    def reached(self) -> None:
        self.heard.append("reached")

    def refuse(self, error: VNCProxyError) -> None:
        self.heard.append(type(error))
        self._stream.close(error.closeCode, error.reason)


class BrokerTestCase(SynchronousTestCase):
    """
    One broker, one token, one console; and at the end of every test nothing is left of it.
    """

    viewOnly = False
    rules = SessionRules()
    limits = SessionLimits()
    capacity = 1

    unreported = 0
    """
    How many sessions the token authority still takes to be up, at the end.
    """

    def setUp(self) -> None:
        self.loop = Loop()
        self.gates = Gates()
        self.authority = OneToken(self.gates, self.loop, self.viewOnly)
        self.backend = OneServer(self.gates, self.loop)
        self.sessions = Sessions("proxy1", self.capacity, self.limits)
        self.makeID: Callable[[], str] = iter(["s1", "s2", "s3"]).__next__
        self.trail = HeardTrail()
        self.attempts = Attempts(1, self.loop.seconds)
        self.broker = Broker(
            self.loop,
            self.authority,
            OneConsole(self.gates),
            self.backend,
            self.sessions,
            self.trail,
            lambda: self.makeID(),
            handshakeSeconds=HANDSHAKE_SECONDS,
            halfClosedSeconds=30,
            rules=self.rules,
            attempts=self.attempts,
        )
        self.viewer = self.makeViewer()
        logs = capturedLogs()
        self.events = logs.__enter__()
        self.addCleanup(logs.__exit__, None, None, None)

    def tearDown(self) -> None:
        for name in tuple(self.gates.shut):
            self.gates.open(name)
        self.loop.settle()
        self.assertEqual(sum(resume.live for resume in self.authority.record.resumes), self.unreported)
        self.assertEqual(self.sessions.list(), [])
        self.assertServed()
        self.successResultOf(Deferred.fromCoroutine(self.broker.stop()))
        self.viewer.wire.vanish()
        self.loop.advance(CLOSING_SECONDS)
        self.loop.settle()
        self.assertServerGone()
        self.assertEqual(self.loop.getDelayedCalls(), [])
        self.assertNotIn("secret-token", str(self.events))
        self.assertNotIn("hush", str(self.events))

    def makeViewer(self, resume: str | None = "cookie") -> OneViewer:
        """
        Somebody with the token.
        """
        facts = ViewerFacts("web", ConsoleType.NOVNC, "203.0.113.9", "secret-token", resume)
        return OneViewer(self.gates, self.loop, facts)

    def serve(self) -> None:
        """
        Let the broker serve the viewer.
        """
        self.viewer.serving = self.broker.serve(self.viewer)
        self.loop.settle()

    def open(self) -> MemoryTransport:
        """
        Open a session, and return the connection to its console.
        """
        self.viewer.wire.say(GREETING + CLIENT_INIT)
        self.serve()
        return self.show()

    def reach(self, stage: str) -> None:
        """
        Let the viewer come as far as to a stage, and wait there.
        """
        if stage == "relay":
            self.open()
            return
        said = {"greet": b"", "clientInit": GREETING}.get(stage, GREETING + CLIENT_INIT)
        if stage in ("redeem", "admit", "resolve", "connect"):
            self.gates.shut.add(stage)
        self.viewer.wire.say(said)
        self.serve()
        self.assertNoResult(self.viewer.serving)

    def show(self) -> MemoryTransport:
        """
        The server shows its desktop.
        """
        server = self.backend.wire
        assert server is not None
        server.say(DESKTOP.encode())
        self.loop.settle()
        self.assertEqual(len(self.sessions.list()), 1)
        return server

    def assertServed(self) -> None:
        """
        The broker is through with the viewer, and its place is free.
        """
        if self.viewer.serving is not None:
            self.assertIsNone(self.successResultOf(self.viewer.serving))
            self.viewer.serving = None
        try:
            with self.sessions.place():
                pass
        except Draining:
            pass

    def assertServerGone(self) -> None:
        """
        The connection to the server, if there was one, is closed.
        """
        if self.backend.wire is not None:
            self.assertIsNotNone(self.backend.wire.lostWith)

    def lines(self) -> list[str]:
        """
        What was logged.
        """
        return [formatEvent(event) for event in self.events if event["log_namespace"].startswith("vncproxy.broker")]
