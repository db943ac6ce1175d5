"""
The server's side of the token-check protocol: who is let in, how much is worked on at a time, and every ending.
"""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred

from tests.consoleauthworld import KEY, OPENING_SECONDS, OPERATOR, SERVER, ControllerCase, Peer
from vncproxy.attempts import Attempts
from vncproxy.consoleauth.messages import LINE_LIMIT
from vncproxy.consoleauth.server import IDLE_SECONDS, MOST_RUNNING, MOST_STRANGERS, ConsoleAuthFactory, Terms
from vncproxy.stream import CLOSING_SECONDS

_PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'


class ServerCase(ControllerCase):
    """
    A server in memory.
    """

    def assertClosed(self, peer: Peer) -> None:
        """
        The connection is over, and nothing of it is left.
        """
        self.loop.settle()
        self.assertIsNotNone(peer.lostWith)
        self.assertEqual(self.loop.getDelayedCalls(), [])

    def assertRefused(self, peer: Peer, line: bytes, code: int, word: str | None) -> None:
        """
        A peer hears of this error, and that it is over.
        """
        peer.say(line)
        self.loop.settle()
        (answer,) = peer.answers()
        self.assertEqual((answer["error"]["code"], answer["error"].get("data")), (code, word and {"reason": word}))
        self.assertClosed(peer)


class AdmissionTests(ServerCase):
    """
    Who is let in.
    """

    def test_key(self) -> None:
        """
        An API key lets in, once it was shown; the log says who came, and not with what.
        """
        peer = self.admitted()
        self.assertIn("result", self.ask(peer, "ping"))
        said = "".join(self.events)
        self.assertIn("10.0.0.99 is let in (key api.key)", said)
        self.assertNotIn(KEY, said)

    def test_wrongKey(self) -> None:
        """
        A wrong key, none, and one of a lesser role end the connection.
        """
        for key in ("open", "", KEY + "x", "\ud800", OPERATOR):
            line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "authenticate", "params": {"key": key}})
            with self.subTest(key=key):
                # A lone surrogate is no text, and so no JSON of ours.
                code = -32700 if key == "\ud800" else -32001
                word = None if key == "\ud800" else "key_refused"
                self.assertRefused(self.connect(), line.encode() + b"\n", code, word)
        self.assertNotIn(OPERATOR, "".join(self.events))

    def test_tooManyWrongKeys(self) -> None:
        """
        From an address that showed too many of them not even the right one is taken, for a while.
        """
        attempts = Attempts(1, self.loop.seconds)
        self.factory = ConsoleAuthFactory(Terms(self.loop, self.methods, self.keys, OPENING_SECONDS, attempts))
        line = b'{"jsonrpc":"2.0","id":1,"method":"authenticate","params":{"key":"%s"}}\n'
        self.assertRefused(self.connect(), line % b"wrong", -32001, "key_refused")
        self.assertRefused(self.connect(), line % KEY.encode(), -32001, "too_many_attempts")
        self.loop.advance(60)
        self.admitted()

    def test_keysOutOfReach(self) -> None:
        """
        Where nobody can say whose key it is, that is said.
        """
        self.keys.broken = True
        line = b'{"jsonrpc":"2.0","id":1,"method":"authenticate","params":{"key":"sesame"}}\n'
        self.assertRefused(self.connect(), line, -32000, "tokens_unreachable")

    def test_first(self) -> None:
        """
        Before that nothing else is answered, be it well formed or not.
        """
        for line, code, word in (
            (_PING, -32001, "key_refused"),
            (b'{"jsonrpc":"2.0","id":1,"method":"frob"}\n', -32001, "key_refused"),
            (b'{"jsonrpc":"2.0","id":1,"method":"authenticate"}\n', -32602, None),
            (b"GET / HTTP/1.1\r\n\r\n", -32700, None),
            (b"\x16\x03\x01\x00\n", -32700, None),
        ):
            self.assertRefused(self.connect(), line, code, word)

    def test_notASecondLook(self) -> None:
        """
        A peer that was refused cannot go on.
        """
        peer = self.connect()
        peer.send("ping")
        peer.send("authenticate", key=KEY)
        self.loop.settle()
        self.assertEqual(len(peer.answers()), 1)
        self.assertClosed(peer)

    def test_pipelined(self) -> None:
        """
        What comes behind the key at once waits until that is known to be good.
        """
        gate: Deferred[None] = Deferred()
        whose = self.keys.whose

        async def slowly(secret: bytes) -> object:
            await gate
            return await whose(secret)

        self.patch(self.keys, "whose", slowly)
        peer = self.connect()
        peer.send("authenticate", 1, key=KEY)
        peer.send("ping", 2)
        self.loop.settle()
        self.assertEqual(peer.answers(), [])
        gate.callback(None)
        self.loop.settle()
        self.assertEqual([answer["id"] for answer in peer.answers()], [1, 2])

    def test_withoutKey(self) -> None:
        """
        Who comes over a UNIX socket, or with a certificate that TLS has verified, is in; a wrong key ends that, too.
        """
        for host, certificate in ((UNIXAddress(b"/run/x"), None), (SERVER, object())):
            peer = self.connect(host, certificate)
            self.assertIn("result", self.ask(peer, "ping"))
            self.assertIn("result", self.ask(peer, "authenticate", key=KEY))
            self.assertEqual(self.ask(peer, "authenticate", key="x")["error"]["code"], -32001)
            self.assertClosed(peer)

    def test_slow(self) -> None:
        """
        Who has not said who it is in time is told so and hung up on.
        """
        peer = self.connect()
        self.loop.advance(OPENING_SECONDS - 1)
        peer.say(b"{")
        self.loop.settle()
        self.loop.advance(1)
        self.loop.settle()
        self.assertEqual(peer.answers()[0]["error"]["message"], "You took too long.")
        self.assertClosed(peer)


class RequestTests(ServerCase):
    """
    Requests of a peer that is in.
    """

    def test_malformed(self) -> None:
        """
        A line that is no request is answered as such, and the connection goes on.
        """
        peer = self.admitted()
        for line, code, id in (
            (b"nonsense\n", -32700, None),
            (b"\n", -32700, None),
            (b'{"id":8}\n', -32600, 8),
            (b"[" + _PING.strip() + b"]\n", -32600, None),
        ):
            peer.say(line)
            self.loop.settle()
            (answer,) = peer.answers()
            self.assertEqual((answer["error"]["code"], answer["id"]), (code, id))
        self.assertIn("result", self.ask(peer, "ping"))

    def test_tooLong(self) -> None:
        """
        A line that is too long ends the connection, after what came before it was answered.
        """
        for line in (b"x" * (LINE_LIMIT + 1), b"x" * (LINE_LIMIT + 1) + b"\n"):
            peer = self.admitted()
            peer.say(_PING + line)
            self.loop.settle()
            first, second = peer.answers()
            self.assertIn("result", first)
            self.assertEqual((second["id"], second["error"]["code"]), (None, -32700))
            self.assertClosed(peer)

    def test_notification(self) -> None:
        """
        A request without an id is done, and not answered.
        """
        peer = self.admitted()
        peer.line({"jsonrpc": "2.0", "method": "report_load", "params": {"proxy": "p1", "sessions": 3}})
        peer.line({"jsonrpc": "2.0", "method": "frob"})
        self.loop.settle()
        self.assertEqual((peer.answers(), list(self.methods.reports)), ([], ["p1"]))

    def test_outOfOrder(self) -> None:
        """
        Each is answered when it is done: one that waits holds up no other.
        """
        peer = self.admitted()
        token = self.mint(peer)
        self.directory.gate = Deferred()
        peer.send("check_token", "slow", token=token)
        peer.send("ping", "quick")
        self.loop.settle()
        self.assertEqual([answer["id"] for answer in peer.answers()], ["quick"])
        self.directory.gate.callback(None)
        self.loop.settle()
        self.assertEqual([answer["id"] for answer in peer.answers()], ["slow"])

    def test_unforeseen(self) -> None:
        """
        A fault of ours is logged in full, and its caller told no more than that; the connection goes on.
        """
        peer = self.admitted()
        self.patch(self.authority, "deleteTokensForInstance", lambda consoleID: 1 // 0)
        error = self.ask(peer, "delete_tokens_for_instance", instance_uuid="vm7")["error"]
        self.assertEqual((error["code"], error["data"]), (-32603, {"reason": "error"}))
        self.assertNotIn("division", error["message"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("result", self.ask(peer, "ping"))

    @settings(deadline=None, max_examples=50)
    @given(
        st.lists(
            st.binary(max_size=60)
            | st.just(_PING)
            | st.from_regex(rb'\{"jsonrpc":"2\.0","id":1,"method":"check_token","params":.{0,20}\}\n', fullmatch=True)
        )
    )
    def test_anything(self, pieces: list[bytes]) -> None:
        """
        Whatever a peer says, each whole line is answered with JSON, and nothing breaks.
        """
        peer = self.admitted()
        for piece in pieces:
            peer.say(piece)
            self.loop.settle()
        self.assertEqual(len(peer.answers()), b"".join(pieces).count(b"\n"))
        self.assertIsNone(peer.lostWith)
        self.assertEqual(self.flushLoggedErrors(), [])


class LoadTests(ServerCase):
    """
    How much is worked on, and how little is kept.
    """

    def test_running(self) -> None:
        """
        No more requests are worked on than may be, and meanwhile no more is read; all are answered in the end.
        """
        peer = self.admitted()
        token = self.mint(peer)
        gate = self.directory.gate = Deferred()
        for number in range(5 * MOST_RUNNING):
            peer.send("check_token", number, token=token)
        self.loop.settle()
        peer.say(_PING)
        self.loop.settle()
        self.assertEqual((peer.answers(), peer.unread), ([], len(_PING)))
        self.directory.gate = None
        gate.callback(None)
        self.loop.settle()
        self.assertEqual(len(peer.answers()), 5 * MOST_RUNNING + 1)
        self.assertEqual(peer.unread, 0)

    def test_manyAtOnce(self) -> None:
        """
        A thousand requests that are answered at once need no stack.
        """
        peer = self.admitted()
        peer.say(_PING * 1200)
        self.loop.settle()
        self.assertEqual(len(peer.answers()), 1200)

    def test_choked(self) -> None:
        """
        Who does not read is not read, and goes on when it does.
        """
        peer = self.admitted()
        peer.window = 0
        for _ in range(200):
            peer.say(_PING * 100)
            self.loop.settle()
        self.assertGreater(peer.unread, 0)
        self.assertLess(peer.backlog, 3 * LINE_LIMIT)
        peer.window = None
        self.loop.settle()
        self.assertEqual((len(peer.answers()), peer.unread), (20_000, 0))

    def test_chokedForEver(self) -> None:
        """
        Who never reads again is hung up on.
        """
        peer = self.admitted()
        peer.window = 0
        for _ in range(20):
            peer.say(_PING * 1000)
            self.loop.settle()
        self.loop.advance(IDLE_SECONDS)
        self.assertClosed(peer)

    def test_strangers(self) -> None:
        """
        There are only so many whom nobody knows: with one more, the oldest goes. Peers that are in do not count.
        """
        known = [self.admitted() for _ in range(3)]
        strangers = [self.connect() for _ in range(MOST_STRANGERS + 2)]
        self.loop.settle()
        self.assertEqual([each.lostWith is None for each in strangers[:4]], [False, False, True, True])
        for peer in (*known, strangers[-1]):
            self.assertIsNone(peer.lostWith)
        strangers[2].vanish()
        self.loop.settle()
        self.connect()
        self.loop.settle()
        self.assertIsNone(strangers[3].lostWith)


class EndTests(ServerCase):
    """
    How connections end.
    """

    def test_idle(self) -> None:
        """
        Silence ends it, and each request puts that off.
        """
        peer = self.admitted()
        for _ in range(3):
            self.loop.advance(IDLE_SECONDS - 1)
            self.assertIn("result", self.ask(peer, "ping"))
        self.loop.advance(IDLE_SECONDS)
        self.assertClosed(peer)

    def test_peerLeaves(self) -> None:
        """
        A peer that leaves has its requests given up, however it leaves.
        """
        for leave in (Peer.finish, Peer.vanish):
            peer = self.admitted()
            token = self.mint(peer)
            self.directory.gate = Deferred()
            peer.send("check_token", token=token)
            self.loop.settle()
            leave(peer)
            self.loop.settle()
            self.directory.gate.callback(None)
            self.directory.gate = None
            self.assertClosed(peer)
            self.assertEqual(peer.answers(), [])

    def test_reluctant(self) -> None:
        """
        A peer that was told to go and does not read that is cut off.
        """
        peer = self.connect()
        peer.window = 0
        peer.send("ping")
        self.loop.settle()
        self.assertIsNone(peer.lostWith)
        self.loop.advance(CLOSING_SECONDS)
        self.assertClosed(peer)

    def test_twice(self) -> None:
        """
        To close what is closing is nothing.
        """
        peer = self.admitted()
        peer.protocol.close()
        peer.protocol.close()
        self.assertClosed(peer)

    def test_unanswerable(self) -> None:
        """
        An answer that cannot be put into words is a fault of ours, too: logged, and the connection given up.
        """
        peer = self.admitted()

        async def run(request: object, caller: object) -> object:
            return object()

        self.patch(self.methods, "run", run)
        peer.send("ping")
        self.assertClosed(peer)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_stop(self) -> None:
        """
        When the controller goes, everybody is hung up on.
        """
        peers = [self.admitted(), self.connect()]
        self.factory.stop()
        for peer in peers:
            self.assertClosed(peer)
        self.factory.stop()
