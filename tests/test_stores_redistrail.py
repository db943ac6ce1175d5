"""
API keys and the audit trail in a Redis: what the suite of all stores does not say.
"""

from __future__ import annotations

from tests.redisworld import RedisCase
from tests.storesuite import entry, key
from vncproxy.errors import TokensUnreachable
from vncproxy.model import AuditQuery


class TrailTests(RedisCase):
    """
    Tests for L{RedisTrail<vncproxy.stores.redistrail.RedisTrail>}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.store = self.makeStore()

    def test_manyEntries(self) -> None:
        """
        However many entries there are between those that are wanted, all of them are found, and forgotten.
        """
        trail = [entry(number, "rare" if number % 700 == 0 else "often") for number in range(1500)]
        for begin in range(0, 1500, 500):
            self.result(self.store.addAudit(trail[begin : begin + 500]))
        rare = [trail[1400], trail[700], trail[0]]
        self.assertEqual(list(self.result(self.store.audit(AuditQuery(9, consoles="r*")))), rare)
        self.assertEqual(list(self.result(self.store.audit(AuditQuery(9, console="rare")))), rare)
        self.assertEqual(list(self.result(self.store.audit(AuditQuery(1200)))), trail[:299:-1])
        self.assertEqual(self.result(self.store.purgeAudit(2000.0)), 1500)
        self.assertEqual(self.execute("KEYS", "*"), "")

    def test_nothingLeft(self) -> None:
        """
        A key that was removed leaves nothing.
        """
        self.result(self.store.addKey(key("a")))
        self.result(self.store.touchKeys({key("a").hash: 5.0}))
        self.assertEqual(getattr(self.result(self.store.key(key("a").hash)), "lastUsed", None), 5.0)
        self.result(self.store.deleteKey("a"))
        self.assertEqual(self.execute("KEYS", "*"), "")

    def test_addedTwice(self) -> None:
        """
        A key whose adding was begun again, as the connection was lost, is added.
        """
        self.assertTrue(self.result(self.store.addKey(key("a"))))
        self.assertTrue(self.result(self.store.addKey(key("a"))))

    def test_unreadable(self) -> None:
        """
        Records that were spoilt from outside are out of reach.
        """
        self.result(self.store.addKey(key("a")))
        self.result(self.store.addAudit([entry(1)]))
        self.execute("HSET", "vncproxy:keys", key("a").hash, '{"name": 1}')
        self.execute("HSET", "vncproxy:audit-entries", entry(1).id, "x")
        for work in (self.store.key(key("a").hash), self.store.keys(), self.store.audit(AuditQuery(1))):
            self.assertRaises(TokensUnreachable, self.result, work)
