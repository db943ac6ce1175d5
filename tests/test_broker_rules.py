"""
What a broker asks of sessions while they are up, and of those that want to come up: L{vncproxy.broker}.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.brokerworld import CLIENT_INIT, CONSOLE, DESKTOP, GREETING, RAW, BrokerTestCase
from tests.streams import MemoryTransport
from vncproxy.broker import _rulesOn
from vncproxy.model import Clipboard, ConsoleType, EndReason, Grant, SessionLimits, SessionRules, Sharing
from vncproxy.stream import CLOSING_SECONDS

KEY = b"\4\1\0\0\0\0\0\x61"
REQUEST = b"\3\0" + bytes(8)
BELL = b"\2"
SERVER_CUT_TEXT = b"\3\0\0\0\0\0\0\5hello"
CUT_TEXT = b"\6\0\0\0\0\0\0\5hello"


class UnruledTests(SynchronousTestCase):
    """
    Tests for sessions of which nothing is asked.
    """

    def test_unparsed(self) -> None:
        """
        Where no rule needs it, nothing looks at what the viewer sends; limits in time alone need nothing.
        """
        grant = Grant("f" * 64, "vm7", ConsoleType.NOVNC, 1000.0)
        for rules in (SessionRules(), SessionRules(enforceExpiry=True, lifetime=60)):
            for raw in (False, True):
                desktop = None if raw else DESKTOP
                self.assertEqual(_rulesOn(grant, rules, desktop, lambda: None), (None, None))


class IdleTests(BrokerTestCase):
    """
    Tests for a session that ends when its viewer does nothing.
    """

    rules = SessionRules(idle=60)

    def act(self, data: bytes, times: int) -> None:
        """
        Let the viewer say something every half minute.
        """
        for _ in range(times):
            self.loop.advance(30)
            self.viewer.wire.say(data)
            self.loop.settle()

    def test_traffic(self) -> None:
        """
        Requests for the picture do not keep it up; it ends with its word, and its browser may not come back.
        """
        server = self.open()
        self.act(REQUEST, 2)
        self.assertEqual(self.viewer.told, [(1000, "session_idle")])
        self.assertEqual(self.authority.ends, [False])
        self.assertTrue(server.taken.startswith(CLIENT_INIT + REQUEST))

    def test_input(self) -> None:
        """
        Keys do, and pass as they came.
        """
        server = self.open()
        self.act(KEY, 10)
        self.assertEqual((self.viewer.told, server.taken), ([], CLIENT_INIT + 10 * KEY))
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_raw(self) -> None:
        """
        At a raw console whatever the viewer sends counts.
        """
        self.authority.console = RAW
        self.serve()
        self.act(b"ls\r", 10)
        self.assertEqual(self.viewer.told, [])
        self.loop.advance(60)
        self.loop.settle()
        self.assertEqual(self.viewer.told, [(1000, "session_idle")])


class IdleViewOnlyTests(IdleTests):
    """
    Tests for the same with a token to look at only.
    """

    viewOnly = True

    def test_input(self) -> None:
        """
        Keys keep it up though they are dropped.
        """
        server = self.open()
        self.act(KEY, 10)
        self.assertEqual((self.viewer.told, server.taken), ([], CLIENT_INIT))
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_raw(self) -> None:
        """
        At a raw console there is no session to look at.
        """
        self.authority.console = RAW
        self.serve()
        self.assertEqual(self.viewer.told, [(1008, "unparseable")])


class LifetimeTests(BrokerTestCase):
    """
    Tests for a session that ends after a time.
    """

    rules = SessionRules(lifetime=100)

    def test_ended(self) -> None:
        """
        It ends however busy it is, and its browser may not come back.
        """
        self.open()
        for _ in range(10):
            self.assertEqual(self.viewer.told, [])
            self.viewer.wire.say(KEY)
            self.loop.advance(10)
            self.loop.settle()
        self.assertEqual((self.viewer.told, self.authority.ends), ([(1000, "session_too_long")], [False]))


class ResumedLifetimeTests(LifetimeTests):
    """
    Tests for the same where its browser is cut off in between.
    """

    def test_resumed(self) -> None:
        """
        The lifetime goes on with the session that goes on.
        """
        server = self.open()
        self.loop.advance(70)
        server.vanish()
        self.loop.settle()
        self.assertServed()
        self.viewer = self.makeViewer()
        self.open()
        self.loop.advance(29)
        self.loop.settle()
        self.assertEqual(self.viewer.told, [])
        self.loop.advance(1)
        self.loop.settle()
        self.assertEqual(self.viewer.told, [(1000, "session_too_long")])


class ExpiryTests(BrokerTestCase):
    """
    Tests for a session that ends with its token.
    """

    rules = SessionRules(enforceExpiry=True)

    def test_ended(self) -> None:
        """
        It ends when its token expires, not sooner, and its browser may not come back.
        """
        self.open()
        self.loop.advance(999)
        self.loop.settle()
        self.assertEqual(self.viewer.told, [])
        self.loop.advance(1)
        self.loop.settle()
        self.assertEqual((self.viewer.told, self.authority.ends), ([(1000, "session_expired")], [False]))

    def test_resumed(self) -> None:
        """
        A browser that was cut off, and comes back when the token has expired, hears that.
        """
        server = self.open()
        self.loop.advance(990)
        server.vanish()
        self.loop.settle()
        self.assertServed()
        self.loop.advance(20)
        self.viewer = self.makeViewer()
        self.serve()
        self.assertEqual(self.viewer.told, [(1008, "token_expired")])


class ClipboardTests(BrokerTestCase):
    """
    Tests for a proxy through which no clipboard reaches a console.
    """

    rules = SessionRules(clipboard=Clipboard.FROM_CONSOLE)

    def test_dropped(self) -> None:
        """
        The viewer's clipboard is dropped, everything around it passes.
        """
        server = self.open()
        self.viewer.wire.say(KEY + CUT_TEXT + REQUEST)
        self.loop.settle()
        self.assertEqual(server.taken, CLIENT_INIT + KEY + REQUEST)
        self.viewer.wire.vanish()
        self.loop.settle()

    def test_raw(self) -> None:
        """
        At a raw console nobody can tell a clipboard from other bytes: there is no session.
        """
        self.authority.console = RAW
        self.serve()
        self.assertEqual(self.viewer.told, [(1008, "unparseable")])
        self.assertIsNone(self.backend.wire)


class NoClipboardTests(ClipboardTests):
    """
    Tests for a proxy through which no clipboard passes at all.
    """

    rules = SessionRules(clipboard=Clipboard.NONE)

    def test_fromConsole(self) -> None:
        """
        The console's clipboard is left out, and what cannot be understood ends the session, nothing of it passed on.
        """
        server = self.open()
        greeted = bytes(self.viewer.wire.taken)
        server.say(BELL + SERVER_CUT_TEXT + BELL)
        self.loop.settle()
        self.assertEqual(self.viewer.wire.taken, greeted + BELL + BELL)
        server.say(BELL + b"\xeehello")
        self.loop.settle()
        self.assertEqual(self.viewer.told, [(1008, "console_unparseable")])
        self.assertEqual((self.viewer.wire.taken, self.authority.ends), (greeted + BELL + BELL, [False]))


class NoClipboardViewOnlyTests(NoClipboardTests):
    """
    Tests for the same with a token to look at only.
    """

    viewOnly = True

    def test_dropped(self) -> None:
        """
        Only what concerns the picture reaches the console.
        """
        server = self.open()
        self.viewer.wire.say(KEY + CUT_TEXT + REQUEST)
        self.loop.settle()
        self.assertEqual(server.taken, CLIENT_INIT + REQUEST)
        self.viewer.wire.vanish()
        self.loop.settle()


class ToConsoleTests(NoClipboardTests):
    """
    Tests for a proxy through which clipboards reach consoles and do not leave them.
    """

    rules = SessionRules(clipboard=Clipboard.TO_CONSOLE)

    def test_dropped(self) -> None:
        """
        The viewer's clipboard passes.
        """
        server = self.open()
        self.viewer.wire.say(KEY + CUT_TEXT + REQUEST)
        self.loop.settle()
        self.assertEqual(server.taken, CLIENT_INIT + KEY + CUT_TEXT + REQUEST)
        self.viewer.wire.vanish()
        self.loop.settle()


class SeveralTestCase(BrokerTestCase):
    """
    Two viewers without a cookie, with a token for any number.
    """

    capacity = 0

    def setUp(self) -> None:
        super().setUp()
        self.authority.record = attrs.evolve(self.authority.record, usesLeft=None)
        self.viewer = self.first = self.makeViewer(resume=None)

    def second(self) -> MemoryTransport:
        """
        Another viewer comes and goes as far as the console's desktop.
        """
        self.viewer = self.makeViewer(resume=None)
        self.viewer.wire.say(GREETING + CLIENT_INIT)
        self.serve()
        wire = self.backend.wire
        assert wire is not None
        return wire

    def tearDown(self) -> None:
        for viewer in (self.viewer, self.first):
            viewer.wire.vanish()
        self.loop.settle()
        self.loop.advance(CLOSING_SECONDS)
        self.loop.settle()
        super().tearDown()


class TakeoverTests(SeveralTestCase):
    """
    Tests for consoles that are taken over.
    """

    limits = SessionLimits(sharing=Sharing.TAKEOVER)

    def test_taken(self) -> None:
        """
        The first viewer hears why it is put out, and the second has the console.
        """
        before = self.open()
        after = self.second()
        self.assertEqual(self.first.told, [(1000, "taken_over")])
        self.assertIsNot(before, after)
        self.loop.settle()
        self.assertIsNotNone(before.lostWith)
        self.show()
        self.assertEqual(self.viewer.told, [])

    def test_opening(self) -> None:
        """
        One that was still being let in does not come up any more.
        """
        self.viewer.wire.say(GREETING + CLIENT_INIT)
        self.serve()
        wire = self.backend.wire
        assert wire is not None
        self.second()
        self.show()
        wire.say(bytes(24))
        self.loop.settle()
        self.assertEqual(self.first.told, [(1013, "console_busy")])
        self.assertEqual(len(self.sessions.list()), 1)
        self.assertIsNotNone(wire.lostWith)


class RefuseTests(SeveralTestCase):
    """
    Tests for consoles that are not shared.
    """

    limits = SessionLimits(sharing=Sharing.REFUSE)

    def test_refused(self) -> None:
        """
        The second viewer is turned away, its console is not dialled, and the first goes on.
        """
        before = self.open()
        self.assertIs(self.second(), before)
        self.assertEqual((self.viewer.told, self.first.told), ([(1013, "console_busy")], []))


class AddressTests(SeveralTestCase):
    """
    Tests for a limit on one address.
    """

    limits = SessionLimits(perAddress=1)

    def test_refused(self) -> None:
        """
        The second viewer of one address is turned away before its token is looked at.
        """
        self.authority.record = attrs.evolve(self.authority.record, usesLeft=2)
        self.open()
        self.second()
        self.assertEqual((self.viewer.told, self.first.told), ([(1013, "address_busy")], []))
        self.assertEqual(self.authority.record.usesLeft, 1)


class RevokedTests(SeveralTestCase):
    """
    Tests for tokens that are revoked while they are in use.
    """

    def test_up(self) -> None:
        """
        Every session of the console ends with the word, and no other.
        """
        self.open()
        self.second()
        self.backend.wire.say(bytes(24))  # type: ignore[union-attr]
        self.loop.settle()
        self.assertEqual(self.sessions.revoke("vm8"), 0)
        self.assertEqual(self.sessions.revoke(CONSOLE.id), 2)
        self.loop.settle()
        self.assertEqual((self.first.told, self.viewer.told), ([(1000, "revoked")], [(1000, "revoked")]))
        self.assertEqual(self.authority.ends, [EndReason.REVOKED.resumable] * 2)

    def test_opening(self) -> None:
        """
        A viewer that is being let in hears that its token is not known.
        """
        self.viewer.wire.say(GREETING + CLIENT_INIT)
        self.serve()
        self.sessions.revoke(CONSOLE.id)
        self.backend.wire.say(bytes(24))  # type: ignore[union-attr]
        self.loop.settle()
        self.assertEqual(self.viewer.told, [(1008, "token_unknown")])
