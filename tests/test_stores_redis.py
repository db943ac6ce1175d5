"""
The store in a Redis, over a real one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from zope.interface.verify import verifyObject

from tests.redisworld import RedisCase
from tests.storesuite import StoreSuite, console, spendOne, token
from vncproxy.config.stores import RedisPlace
from vncproxy.errors import TokensUnreachable, TokenUnknown, TokenUsed
from vncproxy.interfaces import IStore
from vncproxy.model import Resume, TokenRecord
from vncproxy.stores import redis
from vncproxy.stores.redis import RedisStore
from vncproxy.stores.redisdial import WireLost
from vncproxy.stores.rediswire import RedisWire
from vncproxy.tokens.rules import abandoned


class RedisStoreTests(StoreSuite, RedisCase):
    """
    L{RedisStore<vncproxy.stores.redis.RedisStore>} behaves as a store.
    """

    def test_interface(self) -> None:
        """
        It provides what it says.
        """
        self.assertTrue(verifyObject(IStore, self.store))


class RightsTests(StoreSuite, RedisCase):
    """
    The store as a user of the Redis who may do no more than the documentation says.
    """

    def setUp(self) -> None:
        text = (Path(__file__).parents[1] / "docs/redis.rst").read_text(encoding="utf-8")
        found = re.search(r"^    (ACL SETUSER vncproxy .*\n(?: {8}.*\n)+)", text, re.MULTILINE)
        assert found is not None
        self.command = found[1].replace(">PASSWORD", ">hunter2").split()
        super().setUp()

    def place(self, **more: Any) -> RedisPlace:
        """
        Where that user is.
        """
        self.execute(*self.command)
        return super().place(user="vncproxy", password="hunter2")

    def test_noMore(self) -> None:
        """
        Other keys, and other commands, are closed to that user.
        """
        for words in (("GET", "x"), ("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*")):
            answer = self.execute("--no-auth-warning", "--user", "vncproxy", "--pass", "hunter2", *words)
            self.assertIn("NOPERM", answer, words)


class KeyTests(RedisCase):
    """
    What stands in the Redis, and for how long.
    """

    def keys(self) -> list[str]:
        """
        All keys, in order.
        """
        return sorted(self.execute("KEYS", "*").split())

    def expiresIn(self, name: str) -> float:
        """
        For how many seconds a key is kept.
        """
        return int(self.execute("PTTL", name)) / 1000

    def test_layout(self) -> None:
        """
        Keys have the prefix; of a token there is its hash, its console's index and its place by time, and all that is
        kept of tokens goes by itself an hour after the last of them could be redeemed.
        """
        store = self.makeStore(prefix="p:")
        now = time.time()
        record = attrs.evolve(token(1), expires=now + 600, resumes=(Resume("a" * 64, 1, proxy="p1"),))
        self.result(store.addToken(record))
        names = [f"p:token:{record.hash}", "p:tokens-of:vm7", "p:sessions-of:p1"]
        self.assertEqual(self.keys(), sorted([*names, "p:expiry"]))
        for name in names:
            self.assertLess(abs(self.expiresIn(name) - 4200), 5)
        self.result(store.addToken(attrs.evolve(token(2), expires=now + 60)))
        self.assertLess(abs(self.expiresIn("p:tokens-of:vm7") - 4200), 5)
        self.result(store.amendToken(record.hash, lambda old: abandoned(old, now + 6000, "p1")))
        self.assertNotIn("p:sessions-of:p1", self.keys())
        for name in names[:2]:
            self.assertLess(abs(self.expiresIn(name) - 9600), 5)
        self.result(store.deleteConsole("vm7"))
        self.assertEqual(self.keys(), [])

    def test_gone(self) -> None:
        """
        A token that has gone by itself leaves the indexes when they are looked through, and is revoked no more.
        """
        store = self.makeStore("p1")
        self.result(store.addToken(attrs.evolve(token(1), resumes=(Resume("a" * 64, 1, proxy="p1"),))))
        self.execute("DEL", f"vncproxy:token:{token(1).hash}")
        self.assertEqual(self.result(store.purge(2000.0)), 0)
        self.assertEqual(self.keys(), ["vncproxy:tokens-of:vm7"])
        self.assertEqual(self.result(store.deleteTokens("vm7")), 0)
        self.assertEqual(self.keys(), [])

    def test_sessionsAreKept(self) -> None:
        """
        While a proxy is there, purging keeps the tokens of its sessions; it does not keep those of others.
        """
        stores = {name: self.makeStore(name) for name in ("p1", "p2")}
        names = {}
        for number, proxy in enumerate(stores):
            record = attrs.evolve(token(number), resumes=(Resume("a" * 64, 1, proxy=proxy),))
            self.result(stores[proxy].addToken(record))
            names[proxy] = f"vncproxy:token:{record.hash}"
            self.execute("PEXPIRE", names[proxy], "60000")
            self.execute("PEXPIRE", f"vncproxy:sessions-of:{proxy}", "60000")
        self.assertEqual(self.result(stores["p1"].purge(2000.0)), 0)
        self.assertLess(abs(self.expiresIn(names["p1"]) - 3600), 5)
        self.assertLess(abs(self.expiresIn("vncproxy:sessions-of:p1") - 3600), 5)
        self.assertLess(self.expiresIn(names["p2"]), 61)

    def test_abandonStale(self) -> None:
        """
        A token that an index names wrongly is passed over by a restart, and so is one that is revoked meanwhile.
        """
        store = self.makeStore()
        live = (Resume("a" * 64, 1, proxy="p1"),)
        self.results([store.addToken(token(1)), store.addToken(attrs.evolve(token(2), resumes=live))])
        self.execute("SADD", "vncproxy:sessions-of:p1", token(1).hash)
        self.assertEqual(self.result(store.abandonSessions(90.0, "p1")), 1)
        self.result(store.addToken(attrs.evolve(token(2), resumes=live)))

        async def revokeAndAmend(tokenHash: str, rule: Callable[[TokenRecord], TokenRecord]) -> TokenRecord:
            self.execute("DEL", f"vncproxy:token:{tokenHash}")
            return await RedisStore.amendToken(store, tokenHash, rule)

        self.patch(store, "amendToken", revokeAndAmend)
        self.assertEqual(self.result(store.abandonSessions(90.0, "p1")), 0)

    def test_purgeMany(self) -> None:
        """
        However many tokens are over, purging forgets those that are dead, and finds them among others.
        """
        store = self.makeStore()
        live = (Resume("a" * 64, 1),)
        records = [attrs.evolve(token(number), resumes=live if number % 3 == 0 else ()) for number in range(1200)]
        self.results([store.addToken(record) for record in records])
        self.assertEqual(self.result(store.purge(2000.0)), 800)
        self.assertEqual(self.result(store.purge(2000.0)), 0)
        self.assertEqual(self.execute("ZCARD", "vncproxy:expiry"), "400")

    def test_unreadable(self) -> None:
        """
        A record that was spoilt from outside is out of reach; its neighbours are not.
        """
        store = self.makeStore()
        self.results([store.addToken(token(1)), store.addToken(token(2)), store.putConsole(console("a"))])
        self.execute("SET", f"vncproxy:token:{token(1).hash}", "{}")
        for text in ("{", '{"id": "a", "name": "a", "url": "gopher://a"}'):
            self.execute("HSET", "vncproxy:consoles", "a", text)
            for work in (store.console("a"), store.consoles()):
                self.assertRaises(TokensUnreachable, self.result, work)
        self.assertRaises(TokensUnreachable, self.result, store.token(token(1).hash))
        self.assertRaises(TokensUnreachable, self.result, store.amendToken(token(1).hash, spendOne))
        self.assertEqual(self.result(store.token(token(2).hash)), token(2))


class SharingTests(RedisCase):
    """
    Several stores over one Redis.
    """

    def test_oneWins(self) -> None:
        """
        Of those who redeem a token of one use through two stores, exactly one succeeds.
        """
        stores = [self.makeStore("p1"), self.makeStore("p2")]
        self.result(stores[0].addToken(token(1)))
        outcomes = self.results([each.amendToken(token(1).hash, spendOne) for _ in range(25) for each in stores])
        self.assertEqual(sum(isinstance(each, TokenRecord) for each in outcomes), 1)
        self.assertEqual(sum(isinstance(each, TokenUsed) for each in outcomes), 49)

    def test_everyUse(self) -> None:
        """
        Of a token of many uses each is spent once, however many come at the same time.
        """
        stores = [self.makeStore("p1"), self.makeStore("p2")]
        self.result(stores[0].addToken(token(1, uses=60)))
        outcomes = self.results([each.amendToken(token(1).hash, spendOne) for _ in range(40) for each in stores])
        left = sorted(each.usesLeft for each in outcomes if isinstance(each, TokenRecord))
        self.assertEqual(left, list(range(60)))
        self.assertEqual(sum(isinstance(each, TokenUsed) for each in outcomes), 20)

    def test_otherPrefix(self) -> None:
        """
        Fleets with prefixes of their own do not see each other.
        """
        one, other = self.makeStore(prefix="a:"), self.makeStore(prefix="b:")
        self.result(one.addToken(token(1)))
        self.assertIsNone(self.result(other.token(token(1).hash)))

    def test_knownAgain(self) -> None:
        """
        Whoever has lost the connection after his amendment was made knows it again, and does not spend a second use.
        """
        store = self.makeStore()
        self.result(store.addToken(token(1, uses=2)))
        before = self.result(store.token(token(1).hash))
        asked = []

        def rule(record: TokenRecord) -> TokenRecord:
            asked.append(record)
            return spendOne(record)

        async def lose(wire: RedisWire, by: float) -> TokenRecord:
            text = await wire.ask("GET", f"vncproxy:token:{token(1).hash}")
            amended = await store._amend(wire, by, text, rule, "stamp")
            if len(asked) == 1 and not lost:
                lost.append(wire)
                raise WireLost("after it was done")
            return amended

        lost: list[RedisWire] = []
        after = self.result(store._link.within(lose))
        self.assertEqual((asked, after.usesLeft, len(lost)), ([before], 1, 1))
        self.assertEqual(self.result(store.token(token(1).hash)), after)

    def test_revokedMeanwhile(self) -> None:
        """
        A token that is revoked while it is amended is unknown, and stays so.
        """
        store = self.makeStore()
        self.result(store.addToken(token(1)))

        def revoking(record: TokenRecord) -> TokenRecord:
            self.execute("DEL", f"vncproxy:token:{token(1).hash}")
            return spendOne(record)

        self.assertRaises(TokenUnknown, self.result, store.amendToken(token(1).hash, revoking))
        self.assertIsNone(self.result(store.token(token(1).hash)))

    def test_neverThrough(self) -> None:
        """
        Whoever is never quick enough gives up.
        """
        store = self.makeStore()
        self.result(store.addToken(token(1, uses=10**6)))

        self.patch(redis, "_MOST_TRIES", 3)
        self.assertRaises(TokensUnreachable, self.result, store.amendToken(token(1).hash, beatenBy(self)))


def beatenBy(case: RedisCase) -> Callable[[TokenRecord], TokenRecord]:
    """
    A rule that somebody else is quicker than.
    """

    def rule(record: TokenRecord) -> TokenRecord:
        case.execute("APPEND", f"vncproxy:token:{record.hash}", " ")
        return spendOne(record)

    return rule
