"""
The store in an SQLite file.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import attrs
from zope.interface.verify import verifyObject

from tests.storesuite import SQLiteCase, StoreSuite, console, spendOne, token
from vncproxy.errors import TokensUnreachable, TokenUsed
from vncproxy.interfaces import IStore
from vncproxy.model import Resume, TokenRecord


class SQLiteStoreTests(StoreSuite, SQLiteCase):
    """
    L{SQLiteStore<vncproxy.stores.sqlite.SQLiteStore>} behaves as a store, with its real thread.
    """

    def test_interface(self) -> None:
        """
        It provides what it says.
        """
        self.assertTrue(verifyObject(IStore, self.store))


class FileTests(SQLiteCase):
    """
    What stays in the file.
    """

    def test_restart(self) -> None:
        """
        What one store wrote, the next one over the same file finds.
        """
        first = self.makeStore()
        record = attrs.evolve(token(1), usesLeft=3, resumes=(Resume("a" * 64, 1, 7.5),))
        self.result(first.putConsole(console("a", "secret")))
        self.result(first.addToken(record))
        self.result(first.close())
        second = self.makeStore()
        self.assertEqual(self.result(second.console("a")), console("a", "secret"))
        self.assertEqual(self.result(second.token(record.hash)), record)

    def test_withoutClosing(self) -> None:
        """
        What was answered is there for others even if the store is never closed.
        """
        self.result(self.makeStore().addToken(token(1)))
        self.assertEqual(self.result(self.makeStore().token(token(1).hash)), token(1))

    def test_twoProcesses(self) -> None:
        """
        Of those who redeem a token of one use through two stores over one file, exactly one succeeds.
        """
        stores = [self.makeStore(), self.makeStore()]
        self.result(stores[0].addToken(token(1)))
        outcomes = self.results([each.amendToken(token(1).hash, spendOne) for each in stores for _ in range(25)])
        self.assertEqual(sum(isinstance(each, TokenRecord) for each in outcomes), 1)
        self.assertEqual(sum(isinstance(each, TokenUsed) for each in outcomes), 49)

    def test_indexes(self) -> None:
        """
        Neither revoking a console's tokens nor purging reads every token.
        """
        self.result(self.makeStore().open())
        with closing(sqlite3.connect(self.path)) as connection:
            for condition, index in (("console = 'a'", "tokens_by_console"), ("expires <= 1", "tokens_by_expiry")):
                plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM tokens WHERE {condition}").fetchone()
                self.assertIn(index, plan[3])

    def test_unreadableRecords(self) -> None:
        """
        A record that was spoilt from outside is out of reach; its neighbours are not.
        """
        store = self.makeStore()
        self.result(store.putConsole(console("a")))
        self.result(store.addToken(token(1)))
        self.result(store.addToken(token(2)))
        self.execute(
            f"UPDATE tokens SET resumes = 'x' WHERE hash = '{token(1).hash}'",
            "UPDATE consoles SET url = 'gopher://a'",
        )
        outcomes = self.results([store.token(token(1).hash), store.token(token(2).hash), store.console("a")])
        self.assertIsInstance(outcomes[0], TokensUnreachable)
        self.assertEqual(outcomes[1], token(2))
        self.assertIsInstance(outcomes[2], TokensUnreachable)
