"""
The client's side of the token-check protocol, on one connection.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.consoleauthworld import Peer
from tests.streams import Loop
from vncproxy.consoleauth import link as module
from vncproxy.consoleauth.link import PING_SECONDS, Link, Refusal
from vncproxy.consoleauth.messages import LINE_LIMIT
from vncproxy.errors import TokensUnreachable

_TIMEOUT = 5.0


class LinkCase(SynchronousTestCase):
    """
    A link to a server that the test plays.
    """

    def setUp(self) -> None:
        self.loop = Loop()
        self.ups: list[Link] = []

    def begin(self, key: str | None = "sesame") -> tuple[Link, Peer]:
        """
        A connection that has just been made.
        """
        link = Link(self.loop, key, _TIMEOUT, self.ups.append)
        return link, Peer(self.loop, link)

    def up(self) -> tuple[Link, Peer]:
        """
        A link that has been let in.
        """
        link, server = self.begin()
        self.loop.settle()
        server.answers()
        self.reply(server, 1, {"version": 1})
        self.assertIs(self.ups.pop(), link)
        return link, server

    def reply(self, server: Peer, id: Any, result: Any) -> None:
        """
        The server answers.
        """
        server.line({"jsonrpc": "2.0", "id": id, "result": result})
        self.loop.settle()

    def requests(self, server: Peer) -> list[tuple[int, str]]:
        """
        The id and the method of each request that the server has not seen yet.
        """
        self.loop.settle()
        return [(request["id"], request["method"]) for request in server.answers()]

    def assertLost(self, link: Link, why: str) -> None:
        """
        The link is gone, for this reason, and nothing of it is left.
        """
        self.loop.settle()
        self.assertIn(why, self.successResultOf(link.lost))
        self.assertEqual(self.loop.getDelayedCalls(), [])


class OpeningTests(LinkCase):
    """
    How it begins.
    """

    def test_key(self) -> None:
        """
        It shows its key before all else, and is up when that was taken.
        """
        _, server = self.begin()
        self.loop.settle()
        (request,) = server.answers()
        self.assertEqual((request["method"], request["params"]), ("authenticate", {"key": "sesame"}))
        self.assertEqual(self.ups, [])
        self.reply(server, request["id"], {"version": 1})
        self.assertEqual(len(self.ups), 1)

    def test_noKey(self) -> None:
        """
        Where it needs none it asks for a sign of life.
        """
        link, server = self.begin(None)
        self.assertEqual(self.requests(server), [(1, "ping")])
        self.reply(server, 1, {"version": 1})
        self.assertEqual(self.ups, [link])

    def test_refused(self) -> None:
        """
        A key that is not good ends it, with what the server says.
        """
        link, server = self.begin()
        server.line({"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "No.", "data": {"reason": "x"}}})
        self.assertLost(link, "No. (x)")

    def test_silence(self) -> None:
        """
        A server that says nothing is given up.
        """
        link, _ = self.begin()
        self.loop.advance(_TIMEOUT)
        self.assertLost(link, "it does not answer")

    def test_lost(self) -> None:
        """
        A server that hangs up instead is told as such; what it said about that comes first.
        """
        link, server = self.begin()
        server.vanish()
        self.assertLost(link, "Connection to the other side was lost")
        link, server = self.begin()
        server.line({"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "You took too long."}})
        server.finish()
        self.assertLost(link, "You took too long.")


class RequestTests(LinkCase):
    """
    Requests of a link that is up.
    """

    def test_pipelined(self) -> None:
        """
        Any number are under way, and each has its own answer, in whatever order they come.
        """
        link, server = self.up()
        asked = [link.ask("ping") for _ in range(3)]
        ids = [id for id, _ in self.requests(server)]
        for id, answer in reversed(list(zip(ids, asked, strict=True))):
            self.assertNoResult(answer)
            self.reply(server, id, {"id": id})
            self.assertEqual(json.loads(bytes(self.successResultOf(answer))), {"id": id})

    def test_refused(self) -> None:
        """
        An error of the server is the answer to its request alone.
        """
        link, server = self.up()
        asked = link.ask("frob")
        server.line({"jsonrpc": "2.0", "id": 2, "error": {"code": -32601, "message": "None.", "data": {"reason": "x"}}})
        self.loop.settle()
        refusal = self.failureResultOf(asked, Refusal).value
        self.assertEqual((refusal.error.code, refusal.error.reason), (-32601, "x"))
        self.assertNoResult(link.lost)

    def test_lost(self) -> None:
        """
        With the connection goes every request that is under way.
        """
        link, server = self.up()
        asked = [link.ask("ping") for _ in range(2)]
        server.vanish()
        self.loop.settle()
        for each in asked:
            self.failureResultOf(each, TokensUnreachable)
        self.assertLost(link, "lost")

    def test_tooMany(self) -> None:
        """
        There is an end to how many may be under way.
        """
        self.patch(module, "MOST_PENDING", 2)
        link, _ = self.up()
        asked: list[Deferred[Raw]] = [link.ask("ping") for _ in range(3)]
        self.failureResultOf(asked[2], TokensUnreachable)
        self.assertNoResult(asked[1])

    def test_suspected(self) -> None:
        """
        A server of which nothing was heard is given up; one that has said anything is not.
        """
        link, server = self.up()
        mark = link.reads
        answered = link.ask("ping")
        self.reply(server, 2, {})
        self.successResultOf(answered)
        link.suspect(mark)
        self.loop.settle()
        self.assertNoResult(link.lost)
        link.suspect(link.reads)
        self.assertLost(link, "it does not answer")

    def test_nonsense(self) -> None:
        """
        A server that does not keep to the protocol is hung up on.
        """
        for said, why in (
            (b"nonsense\n", "it does not speak our protocol"),
            (b'{"jsonrpc":"2.0","id":99,"result":1}\n', "it answers what was not asked"),
            (b'{"jsonrpc":"2.0","id":"x","result":1}\n', "it answers what was not asked"),
            (b"x" * (LINE_LIMIT + 1), "it sends a line that is too long"),
        ):
            link, server = self.up()
            server.say(said)
            self.assertLost(link, why)

    @given(st.lists(st.binary(max_size=80)))
    def test_anything(self, pieces: list[bytes]) -> None:
        """
        Whatever a server says, nothing breaks.
        """
        link, server = self.up()
        for piece in pieces:
            server.say(piece)
            self.loop.settle()
        link.drop("the end")
        self.loop.settle()
        self.successResultOf(link.lost)


class KeepingTests(LinkCase):
    """
    How it is kept, and how it ends.
    """

    def test_pings(self) -> None:
        """
        It is tried again and again; a server that does not answer that is gone.
        """
        link, server = self.up()
        for id in (2, 3):
            self.loop.advance(PING_SECONDS)
            self.assertEqual(self.requests(server), [(id, "ping")])
            self.reply(server, id, {})
            self.loop.advance(_TIMEOUT - 1)
        self.loop.advance(PING_SECONDS)
        self.loop.advance(_TIMEOUT)
        self.assertLost(link, "it does not answer")

    def test_pingRefused(self) -> None:
        """
        A server that does not let us any more is left.
        """
        link, server = self.up()
        self.loop.advance(PING_SECONDS)
        server.line({"jsonrpc": "2.0", "id": 2, "error": {"code": -32001, "message": "No more."}})
        self.assertLost(link, "No more.")

    def test_cancelled(self) -> None:
        """
        To wait no longer for its end is to end it.
        """
        link, server = self.up()
        link.lost.addErrback(lambda failure: None)
        link.lost.cancel()
        self.loop.settle()
        self.assertIsNotNone(server.lostWith)
        self.assertEqual(self.loop.getDelayedCalls(), [])
