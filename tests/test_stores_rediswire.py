"""
One connection to a Redis.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from tests.redisworld import RedisCase
from vncproxy.config import StoreSection
from vncproxy.stores.redisdial import RedisDialler, WireLost, WireRefusal
from vncproxy.stores.rediswire import RedisWire


class WireTests(RedisCase):
    """
    Tests for L{RedisWire}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.wire = self.result(RedisDialler(self.reactor, self.place(), StoreSection()).dial())
        self.addCleanup(self.hangUp)

    def hangUp(self) -> None:
        """
        End the connection.
        """
        if self.wire.connected:
            gone: Deferred[Any] = self.wire.whenDisconnected()
            self.wire.abort()
            self.reactor.runUntil(gone)

    def test_answers(self) -> None:
        """
        Many commands may be under way; each gets its own answer, as the text that it is.
        """
        self.result(self.wire.ask("SET", "a", "007"))
        work = [self.wire.ask("ECHO", f"{number}.50") for number in range(50)]
        self.assertEqual(self.results(work), [f"{number}.50" for number in range(50)])
        self.assertEqual(self.results([self.wire.ask("GET", "a"), self.wire.ask("GET", "b")]), ["007", None])

    def test_cancelled(self) -> None:
        """
        Whoever no longer waits for an answer does not get that of another, nor does another get his.
        """
        first = Deferred.fromCoroutine(self.wire.ask("ECHO", "1"))
        second = Deferred.fromCoroutine(self.wire.ask("ECHO", "2"))
        first.addErrback(lambda failure: None)
        first.cancel()
        self.reactor.runUntil(second)
        self.assertEqual(self.successResultOf(second), "2")

    def test_scripts(self) -> None:
        """
        A script is sent whole once, then called by its hash, and sent again if the server has forgotten it.
        """
        script = "return {KEYS[1], ARGV[1], {}, {false, 7}}"
        for _ in range(2):
            answer = self.result(self.wire.run(script, ["k"], ["é"]))
            self.assertEqual(answer, ["k", "é", [], [None, 7]])
        self.assertIn("cmdstat_evalsha:calls=1,", self.execute("INFO", "commandstats"))
        self.execute("SCRIPT", "FLUSH")
        self.assertEqual(self.result(self.wire.run(script, ["k"], ["2"]))[1], "2")

    def test_refused(self) -> None:
        """
        An error is known by its first word; what it quotes is left out.
        """
        for work, code in (
            (self.wire.ask("HUNTER2", "hunter2"), "ERR"),
            (self.wire.ask("AUTH", "nobody", "hunter2"), "WRONGPASS"),
            (self.wire.run("return redis.error_reply('LATE hunter2')", [], []), "LATE"),
        ):
            error = self.assertRaises(WireRefusal, self.result, work)
            self.assertEqual((error.code, str(error)), (code, code))

    def test_lost(self) -> None:
        """
        Who waits when the connection is lost hears of it, and so does who comes later.
        """
        asked = Deferred.fromCoroutine(self.wire.ask("BLPOP", "nothing", "0"))
        self.server.kill()
        asked.addErrback(lambda failure: failure.trap(WireLost))
        self.reactor.runUntil(asked)
        self.assertIs(self.successResultOf(asked), WireLost)
        self.assertIsNotNone(self.wire.reason)
        self.assertRaises(WireLost, self.result, self.wire.ask("PING"))
        self.assertRaises(WireLost, self.result, self.wire.run("return 1", [], []))

    def test_close(self) -> None:
        """
        Closing sends what is under way first.
        """
        asked = Deferred.fromCoroutine(self.wire.ask("SET", "a", "1"))
        gone: Deferred[RedisWire] = self.wire.whenDisconnected()
        self.wire.close()
        asked.addErrback(lambda failure: None)
        self.reactor.runUntil(gone)
        self.assertEqual(self.execute("GET", "a"), "1")
