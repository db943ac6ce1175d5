"""
From a token to a live console, with everything that may come in between.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from zope.interface.verify import verifyObject

from tests.brokerworld import (
    CLIENT_INIT,
    DESKTOP,
    GREETED,
    GREETING,
    HANDSHAKE_SECONDS,
    RAW,
    WINDOW,
    BrokerTestCase,
    OneConsole,
)
from vncproxy.errors import (
    AtCapacity,
    ConsoleBroken,
    ConsoleSilent,
    ConsoleUnknown,
    ConsoleUnreachable,
    ProtocolError,
    StreamEnded,
    TokensUnreachable,
    TokenUsed,
    TooManyAttempts,
    VNCProxyError,
    WaitTimeout,
)
from vncproxy.interfaces import IBackend, IDirectory, ITokenAuthority, IViewer
from vncproxy.model import (
    AuditEntry,
    AuditEvent,
    ConsoleType,
    EndReason,
    Grant,
    Session,
)
from vncproxy.stream import BUFFER_LIMIT
from vncproxy.tokens import rules


class SessionTests(BrokerTestCase):
    """
    Tests for a session that comes up.
    """

    def test_interfaces(self) -> None:
        """
        The world of these tests is made of what a broker expects.
        """
        verifyObject(ITokenAuthority, self.authority)
        verifyObject(IDirectory, OneConsole(self.gates))
        verifyObject(IBackend, self.backend)
        verifyObject(IViewer, self.viewer)

    def test_opening(self) -> None:
        """
        The viewer is admitted, told that its console is reached, greeted with security None and shown the desktop under
        the console's name; then bytes pass both ways.
        """
        server = self.open()
        grant, *rest = self.viewer.heard
        self.assertIsInstance(grant, Grant)
        self.assertEqual(rest, ["reached"])
        desktop = attrs.evolve(DESKTOP, name="dätabase".encode())
        self.assertEqual(self.viewer.wire.taken, GREETED + desktop.encode())
        self.viewer.wire.say(b"key")
        server.say(b"picture")
        self.loop.settle()
        self.assertEqual(server.taken, CLIENT_INIT + b"key")
        self.assertEqual(self.viewer.wire.taken, GREETED + desktop.encode() + b"picture")
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_earlyBytes(self) -> None:
        """
        What either side says behind its part of the handshake is passed on.
        """
        self.viewer.wire.say(GREETING + CLIENT_INIT + b"early key")
        self.serve()
        server = self.backend.wire
        assert server is not None
        server.say(DESKTOP.encode() + b"early picture")
        self.loop.settle()
        self.assertEqual(server.taken, CLIENT_INIT + b"early key")
        self.assertTrue(self.viewer.wire.taken.endswith(b"early picture"))
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_byteByByte(self) -> None:
        """
        Nothing depends on how the bytes are cut on the way.
        """
        self.serve()
        for byte in GREETING + b"\0":
            self.viewer.wire.say(bytes([byte]))
            self.loop.settle()
        server = self.backend.wire
        assert server is not None
        for byte in DESKTOP.encode():
            self.assertEqual(self.sessions.list(), [])
            server.say(bytes([byte]))
            self.loop.settle()
        self.assertEqual((len(self.sessions.list()), server.taken), (1, b"\0"))
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_listed(self) -> None:
        """
        While it is up it is listed with its facts.
        """
        self.loop.advance(12.5)
        self.open()
        expected = Session(
            id="s1",
            consoleID="vm7",
            consoleName="dätabase",
            frontend="web",
            client="203.0.113.9",
            proxy="proxy1",
            tokenID="ffffffff",
            viewOnly=False,
            resumed=False,
            started=12.5,
            bytesIn=0,
            bytesOut=0,
            owner="portal",
        )
        self.assertEqual(self.sessions.list(), [expected])
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_logged(self) -> None:
        """
        Its opening and its end are one line each, with the same facts.
        """
        server = self.open()
        server.say(b"picture")
        self.loop.settle()
        self.loop.advance(2)
        self.sessions.end("s1", EndReason.OPERATOR)
        about = "session s1 of console vm7 for 203.0.113.9 (web, token ffffffff)"
        self.assertEqual(
            self.lines(),
            [about + " opened", about + " ended: ended_by_operator after 2.0 s, 0 bytes in, 7 bytes out"],
        )

    def test_noted(self) -> None:
        """
        The audit trail hears of its opening and of its end: who, what, from where, why, how much and for how long.
        """
        server = self.open()
        opened = AuditEntry(
            AuditEvent.OPENED,
            key="portal",
            client="203.0.113.9",
            console="vm7",
            consoleType=ConsoleType.NOVNC,
            frontend="web",
            session="s1",
            token="ffffffff",
        )
        self.assertEqual(self.trail.entries, [opened])
        server.say(b"picture")
        self.loop.settle()
        self.loop.advance(2)
        server.vanish()
        self.loop.settle()
        outcome = {"reason": "console_lost", "bytesIn": 0, "bytesOut": 7, "seconds": 2.0}
        ended = attrs.evolve(opened, event=AuditEvent.ENDED, **outcome)  # type: ignore[arg-type]
        self.assertEqual(self.trail.entries[1:], [ended])

    def test_endsOnce(self) -> None:
        """
        Its end is told once to the viewer, in the close code, and once to the token authority.
        """
        server = self.open()
        server.vanish()
        self.loop.settle()
        self.assertEqual(self.viewer.told, [(1011, "console_lost")])
        self.assertEqual(self.authority.ends, [True])
        self.assertEqual(self.viewer.heard[1:], ["reached"])

    def test_notResumable(self) -> None:
        """
        When an operator ends it, its browser may not come back.
        """
        self.open()
        self.sessions.end("s1", EndReason.OPERATOR)
        self.loop.settle()
        self.assertEqual((self.authority.ends, self.authority.record.resumes), ([False], ()))

    def test_resumed(self) -> None:
        """
        A browser whose console was lost comes back with the same token.
        """
        server = self.open()
        server.vanish()
        self.loop.settle()
        self.assertServed()
        self.viewer = self.makeViewer()
        self.open()
        self.assertTrue(self.sessions.list()[0].resumed)
        self.viewer.wire.vanish()
        self.loop.settle()
        self.assertEqual(self.authority.ends, [True, True])

    def test_reportFails(self) -> None:
        """
        When the token authority cannot be told of the end, that is logged; the viewer does not suffer.
        """
        self.gates.faults["report"] = TokensUnreachable("disk full")
        self.open()
        self.viewer.wire.vanish()
        self.loop.settle()
        self.assertEqual(
            self.lines()[-1], "the end of a session with token ffffffff was not told: tokens_unreachable: disk full"
        )
        self.unreported = 1

    def test_reportBreaks(self) -> None:
        """
        An authority that breaks leaves its failure in the log.
        """
        self.gates.faults["report"] = ZeroDivisionError()
        self.open()
        self.viewer.wire.vanish()
        self.loop.settle()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.unreported = 1


class AttemptTests(BrokerTestCase):
    """
    Tokens that may be wrong.
    """

    def heard(self) -> bool:
        """
        Whether another token of the same address would be looked at.
        """
        try:
            self.attempts.check(self.viewer.facts.address)
        except TooManyAttempts:
            return False
        return True

    def test_countsFromTheStart(self) -> None:
        """
        A token counts as wrong while it is looked at, so that showing many at once does not help; a good one then does
        not.
        """
        self.reach("redeem")
        self.assertFalse(self.heard())
        self.gates.open("redeem")
        self.loop.settle()
        self.assertTrue(self.heard())
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_wrong(self) -> None:
        """
        A wrong token goes on to count.
        """
        self.authority.record = attrs.evolve(self.authority.record, expires=0.0)
        self.serve()
        self.assertFalse(self.heard())

    def test_serviceDown(self) -> None:
        """
        That the token service is out of reach is not the viewer's fault.
        """

        async def unreachable(facts: object) -> Any:
            raise TokensUnreachable("down")

        self.authority.redeemToken = unreachable  # type: ignore[method-assign]
        self.serve()
        self.assertTrue(self.heard())


class RawTests(BrokerTestCase):
    """
    Tests for a console whose target is raw, and which the token itself names.
    """

    def setUp(self) -> None:
        super().setUp()
        self.authority.console = RAW

    def test_relayed(self) -> None:
        """
        Bytes pass both ways from the first one; the proxy adds nothing, and asks no directory.
        """
        self.gates.faults["resolve"] = ConsoleUnknown("nobody should ask")
        self.viewer.wire.say(b"early")
        self.serve()
        server = self.backend.wire
        assert server is not None
        server.say(b"RFB 003.008\n")
        self.viewer.wire.say(b" late")
        self.loop.settle()
        self.assertEqual((server.taken, self.viewer.wire.taken), (b"early late", b"RFB 003.008\n"))
        (session,) = self.sessions.list()
        self.assertEqual(session.consoleName, "serial")
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_viewOnly(self) -> None:
        """
        Nobody can tell input from other bytes there: a token to look at only opens nothing.
        """
        self.authority.record = attrs.evolve(self.authority.record, viewOnly=True)
        self.serve()
        self.assertIsNone(self.backend.wire)
        self.assertEqual(self.viewer.told, [(1008, "unparseable")])

    def test_unreachable(self) -> None:
        """
        What cannot be dialled is told as ever.
        """
        self.gates.faults["connect"] = ConsoleUnreachable("connection refused")
        self.serve()
        self.assertEqual(self.viewer.told, [(1011, "console_unreachable")])


class ViewOnlyTests(BrokerTestCase):
    """
    Tests for a session whose viewer may only look.
    """

    viewOnly = True

    def test_shared(self) -> None:
        """
        It leaves the others connected, even if its viewer asks to be alone.
        """
        self.viewer.wire.say(GREETING + b"\0")
        self.serve()
        self.assertEqual(self.show().taken, b"\1")
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_input(self) -> None:
        """
        Keys do not reach the console, requests for the picture do.
        """
        server = self.open()
        key = b"\4\1\0\0\0\0\0\x61"
        request = b"\3\0" + bytes(8)
        self.viewer.wire.say(key + request + key)
        self.loop.settle()
        self.assertEqual(server.taken, CLIENT_INIT + request)
        self.assertTrue(self.sessions.list()[0].viewOnly)
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_unparseable(self) -> None:
        """
        What cannot be understood ends it, and its browser may not come back.
        """
        server = self.open()
        self.viewer.wire.say(b"\xee" * 20)
        self.loop.settle()
        self.assertEqual(server.taken, CLIENT_INIT)
        self.assertEqual((self.viewer.told, self.authority.ends), ([(1008, "unparseable")], [False]))


class StagesMixin:
    """
    What must hold wherever on its way a viewer is struck.
    """

    def strike(self: Any) -> None:
        """
        Make it happen.
        """
        raise NotImplementedError

    def struck(self: Any, stage: str) -> None:
        """
        Strike at a stage, and look at what is left.
        """
        self.reach(stage)
        self.strike()
        self.assertServed()
        self.assertServerGone()
        taken = rules.redeemable(self.authority.record, None, self.loop.seconds())
        self.assertFalse(taken, "the use that the browser has spent is its own")
        self.assertEqual(self.authority.ends, [] if stage == "redeem" else [True])
        (resume,) = self.authority.record.resumes
        self.assertEqual((resume.live, resume.until), (0, self.loop.seconds() + WINDOW))

    def test_redeem(self: Any) -> None:
        """
        While the token is being redeemed.
        """
        self.struck("redeem")
        self.assertIsNone(self.backend.wire)

    def test_admit(self: Any) -> None:
        """
        While the viewer is being admitted.
        """
        self.struck("admit")
        self.assertIsNone(self.backend.wire)

    def test_resolve(self: Any) -> None:
        """
        While the console is being looked up.
        """
        self.struck("resolve")
        self.assertIsNone(self.backend.wire)

    def test_connect(self: Any) -> None:
        """
        While the console is being dialled or logged in to.
        """
        self.struck("connect")
        self.assertIsNone(self.backend.wire)

    def test_greet(self: Any) -> None:
        """
        Before the viewer has said anything.
        """
        self.struck("greet")

    def test_clientInit(self: Any) -> None:
        """
        Before the viewer has said its last word of the handshake.
        """
        self.struck("clientInit")

    def test_desktop(self: Any) -> None:
        """
        Before the server has shown its desktop.
        """
        self.struck("desktop")

    def test_relay(self: Any) -> None:
        """
        While the session is up.
        """
        self.struck("relay")


class ViewerLeavesTests(StagesMixin, BrokerTestCase):
    """
    Tests for a viewer that leaves on its way: its console is let go, and its browser may come back.
    """

    def strike(self) -> None:
        """
        The viewer is gone.
        """
        self.viewer.wire.vanish()
        self.loop.settle()
        self.assertEqual(self.viewer.told, [])

    def test_useComesBack(self) -> None:
        """
        A viewer that cannot resume, and leaves while its token is being redeemed, has used nothing.
        """
        self.viewer = self.makeViewer(resume=None)
        self.reach("redeem")
        self.assertEqual(self.authority.record.usesLeft, 0)
        self.strike()
        self.assertServed()
        self.assertEqual(self.authority.record.usesLeft, 1)


class ProxyStopsTests(StagesMixin, BrokerTestCase):
    """
    Tests for a proxy that stops: every viewer is told so, and its browser may come back.
    """

    def strike(self) -> None:
        """
        The proxy stops, and is through only when the authority knows of every end.
        """
        self.gates.shut.add("report")
        stopping = Deferred.fromCoroutine(self.broker.stop())
        self.loop.settle()
        self.assertEqual(self.viewer.told, [(1001, "draining")])
        if "report" in self.gates.waiting:
            self.assertNoResult(stopping)
        self.gates.open("report")
        self.assertIsNone(self.successResultOf(stopping))

    def test_closed(self) -> None:
        """
        Whoever comes afterwards is told so as well, and spends nothing.
        """
        self.successResultOf(Deferred.fromCoroutine(self.broker.stop()))
        self.serve()
        self.assertEqual((self.viewer.told, self.authority.record.usesLeft), ([(1001, "draining")], 1))


class RefusalTestCase(BrokerTestCase):
    """
    Viewers that get no console.
    """

    def assertRefused(self, error: type[VNCProxyError], ends: list[bool]) -> None:
        """
        The viewer was told of C{error}, the log knows of it, and so does the token authority of the end.
        """
        self.loop.settle()
        self.assertServed()
        self.assertEqual(self.viewer.heard[-1], error)
        self.assertEqual(self.viewer.told, [(error.closeCode, error.reason)])
        self.assertIs(self.viewer.wire.lostWith, ConnectionDone)
        (line,) = self.lines()
        self.assertTrue(line.startswith(f"refused web viewer at 203.0.113.9: {error.reason}: "), line)
        self.assertEqual(line.endswith(" (console vm7, token ffffffff)"), bool(ends), line)
        known = {"key": "portal", "console": "vm7", "token": "ffffffff"} if ends else {}
        entry = AuditEntry(
            AuditEvent.REFUSED,
            client="203.0.113.9",
            consoleType=ConsoleType.NOVNC,
            frontend="web",
            reason=error.reason,
            **known,
        )
        self.assertEqual(self.trail.entries, [entry])
        self.assertEqual(self.authority.ends, ends)

    def serveWith(self, gate: str, error: Exception) -> None:
        """
        Something goes wrong at a gate.
        """
        self.gates.faults[gate] = error
        self.serve()


class RefusalTests(RefusalTestCase):
    """
    Tests for viewers that are refused: each is told why.
    """

    def test_usedToken(self) -> None:
        """
        A token that is not to be honoured is told, and there is no end to report.
        """
        self.authority.record = attrs.evolve(self.authority.record, usesLeft=0)
        self.serve()
        self.assertRefused(TokenUsed, [])

    def test_tokensUnreachable(self) -> None:
        """
        A token service that does not answer is told.
        """
        self.serveWith("redeem", TokensUnreachable("no answer"))
        self.assertRefused(TokensUnreachable, [])

    def test_atCapacity(self) -> None:
        """
        A proxy that is full spends no token.
        """
        with self.sessions.place():
            self.serve()
        self.assertRefused(AtCapacity, [])
        self.assertEqual(self.authority.record.usesLeft, 1)

    def test_hangsUpWhenAdmitted(self) -> None:
        """
        A viewer that hangs up in its own opening is let go.
        """
        self.serveWith("admit", StreamEnded("it hung up"))
        self.assertRefused(StreamEnded, [True])

    def test_unknown(self) -> None:
        """
        A console that is not there any more is told.
        """
        self.serveWith("resolve", ConsoleUnknown("vm7"))
        self.assertRefused(ConsoleUnknown, [True])

    def test_unreachable(self) -> None:
        """
        A console that cannot be reached is told, and the browser may try again with the same token.
        """
        self.serveWith("connect", ConsoleUnreachable("connection refused"))
        self.assertRefused(ConsoleUnreachable, [True])
        del self.gates.faults["connect"]
        self.viewer = self.makeViewer()
        self.open()
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_bug(self) -> None:
        """
        What nobody has thought of is logged in full, and the viewer is told that something went wrong.
        """
        self.serveWith("resolve", ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((self.viewer.heard[-1], self.viewer.told), (VNCProxyError, [(1011, "error")]))
        self.assertEqual(self.authority.ends, [True])

    def test_lateBug(self) -> None:
        """
        The server is let go whatever goes wrong before the session is up.
        """

        def fail() -> str:
            raise ZeroDivisionError

        self.makeID = fail
        self.viewer.wire.say(GREETING + CLIENT_INIT)
        self.serve()
        assert self.backend.wire is not None
        self.backend.wire.say(DESKTOP.encode())
        self.loop.settle()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertServed()
        self.assertIs(self.backend.wire.lostWith, ConnectionAborted)

    def test_bugOfTheFrontend(self) -> None:
        """
        A frontend that fails to refuse leaves its failure in the log, and the broker goes on.
        """

        def refuse(error: VNCProxyError) -> None:
            raise ZeroDivisionError

        self.viewer.refuse = refuse  # type: ignore[method-assign]
        self.serveWith("resolve", ConsoleUnknown("vm7"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertServed()


class HandshakeTests(RefusalTestCase):
    """
    Tests for viewers and servers that do not play their part in the handshake.
    """

    def test_silentViewer(self) -> None:
        """
        A viewer that says nothing is let go when its time is over.
        """
        self.reach("greet")
        self.loop.advance(HANDSHAKE_SECONDS - 0.1)
        self.assertNoResult(self.viewer.serving)
        self.loop.advance(0.1)
        self.assertRefused(WaitTimeout, [True])

    def test_slowViewer(self) -> None:
        """
        Its time is for the whole of it: a byte now and then does not help.
        """
        self.reach("greet")
        for byte in GREETING:
            self.loop.advance(2)
            self.viewer.wire.say(bytes([byte]))
            self.loop.settle()
            if self.viewer.told:
                break
        self.assertRefused(WaitTimeout, [True])

    def test_noRFB(self) -> None:
        """
        A viewer that does not speak RFB is told off.
        """
        self.viewer.wire.say(b"GET / HTTP/1")
        self.serve()
        self.assertRefused(ProtocolError, [True])

    def test_finishesEarly(self) -> None:
        """
        A viewer that sends no more before its part is done is let go.
        """
        self.viewer.wire.say(GREETING)
        self.viewer.wire.finish()
        self.serve()
        self.assertRefused(StreamEnded, [True])

    def test_serverHangsUp(self) -> None:
        """
        A server that hangs up instead of showing its desktop is told as broken.
        """
        self.reach("desktop")
        assert self.backend.wire is not None
        self.backend.wire.finish()
        self.assertRefused(ConsoleBroken, [True])

    def test_serverHangsUpMeanwhile(self) -> None:
        """
        The same holds if it hangs up while the viewer is being greeted.
        """
        self.reach("greet")
        assert self.backend.wire is not None
        self.backend.wire.vanish()
        self.loop.settle()
        self.viewer.wire.say(GREETING + CLIENT_INIT)
        self.assertRefused(ConsoleBroken, [True])

    def test_silentServer(self) -> None:
        """
        A server that does not show its desktop is told as silent when its time is over, which begins when it is asked.
        """
        self.reach("greet")
        self.loop.advance(HANDSHAKE_SECONDS - 1)
        self.viewer.wire.say(GREETING + CLIENT_INIT)
        self.loop.settle()
        self.loop.advance(HANDSHAKE_SECONDS - 0.1)
        self.assertNoResult(self.viewer.serving)
        self.loop.advance(0.1)
        self.assertRefused(ConsoleSilent, [True])

    def test_slowServer(self) -> None:
        """
        The viewer's time does not run while the server is waited for.
        """
        self.reach("desktop")
        self.loop.advance(HANDSHAKE_SECONDS - 0.1)
        self.viewer.wire.say(b"early key")
        self.loop.settle()
        server = self.show()
        self.loop.advance(100)
        self.assertEqual(server.taken, CLIENT_INIT + b"early key")
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_floodingServer(self) -> None:
        """
        A server that floods us before it is asked for anything is told as broken.
        """
        self.reach("greet")
        assert self.backend.wire is not None
        self.backend.wire.say(bytes(20) + b"\0\1\0\0" + bytes(2 * BUFFER_LIMIT))
        self.loop.settle()
        self.viewer.wire.say(GREETING + CLIENT_INIT)
        self.assertRefused(ConsoleBroken, [True])

    def test_absurdName(self) -> None:
        """
        A server whose desktop's name has no end is told as broken.
        """
        self.reach("desktop")
        assert self.backend.wire is not None
        self.backend.wire.say(bytes(20) + b"\xff" * 4)
        self.assertRefused(ConsoleBroken, [True])
