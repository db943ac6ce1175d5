"""
API keys and the audit trail in the SQLite file: what no other store shows.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import attrs

from tests.storesuite import SQLiteCase, entry, key
from vncproxy.errors import TokensUnreachable
from vncproxy.model import AuditQuery


class KeepingTests(SQLiteCase):
    """
    What stays in the file.
    """

    def test_restart(self) -> None:
        """
        What one store wrote, the next one over the same file finds.
        """
        first = self.makeStore()
        self.result(first.addKey(key("a")))
        self.result(first.touchKeys({key("a").hash: 9.0}))
        self.result(first.addAudit([entry(1)]))
        self.result(first.close())
        second = self.makeStore()
        self.assertEqual(self.result(second.key(key("a").hash)), attrs.evolve(key("a"), lastUsed=9.0))
        self.assertEqual(list(self.result(second.audit(AuditQuery(9)))), [entry(1)])

    def test_indexes(self) -> None:
        """
        Neither a page of the trail, nor one of a console, nor purging reads it all or sorts it.
        """
        self.result(self.makeStore().open())
        with closing(sqlite3.connect(self.path)) as connection:
            for statement, index in (
                ("SELECT entry FROM audit WHERE id < 'x' ORDER BY id DESC LIMIT 9", "PRIMARY KEY"),
                (
                    "SELECT entry FROM audit WHERE console = 'a' AND id < 'x' ORDER BY id DESC LIMIT 9",
                    "audit_by_console",
                ),
                ("DELETE FROM audit WHERE id < 'x'", "PRIMARY KEY"),
            ):
                plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
                self.assertEqual(len(plan), 1, plan)
                self.assertIn(index, plan[0][3])

    def test_unreadableRecords(self) -> None:
        """
        A record that was spoilt from outside is out of reach; it says which, and nothing of its content.
        """
        store = self.makeStore()
        self.result(store.addKey(key("a")))
        self.result(store.addAudit([entry(1)]))
        self.execute("UPDATE keys SET role = 'queen'", "UPDATE audit SET entry = '{\"secret\":'")
        for work in (store.key(key("a").hash), store.keys(), store.audit(AuditQuery(1))):
            error = self.assertRaises(TokensUnreachable, self.result, work)
            self.assertIn("cannot be read", str(error))
            self.assertNotIn("secret", str(error))
