"""
The SQLite file: made, opened, refused.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from threading import Thread

from tests.storesuite import SQLiteCase, token
from vncproxy.errors import ConfigError, TokensUnreachable
from vncproxy.stores import schema


class OpenTests(SQLiteCase):
    """
    Files that serve.
    """

    def test_private(self) -> None:
        """
        The file and its journal are for their owner alone, also when the file was open to others before.
        """
        with open(self.path, "wb"):
            os.chmod(self.path, 0o644)
        self.result(self.makeStore().addToken(token(1)))
        for path in (self.path, f"{self.path}-wal"):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)

    def test_leftBehind(self) -> None:
        """
        A closed store leaves its one file, in WAL mode and at the schema's version.
        """
        store = self.makeStore()
        self.result(store.addToken(token(1)))
        self.result(store.close())
        for suffix in ("-wal", "-shm", "-journal"):
            self.assertFalse(os.path.exists(self.path + suffix))
        with closing(sqlite3.connect(self.path)) as connection:
            self.assertEqual(connection.execute("PRAGMA journal_mode").fetchone(), ("wal",))
            self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (2,))

    def test_together(self) -> None:
        """
        Several who open a file that is not there yet at the same moment all succeed.
        """
        failures: list[Exception] = []

        def openAndClose() -> None:
            try:
                schema.openDatabase(self.path).close()
            except Exception as error:
                failures.append(error)

        threads = [Thread(target=openAndClose) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(30)
        self.assertEqual(failures, [])

    def test_inUse(self) -> None:
        """
        A new file that another process has in use is tried again until that is over.
        """
        self.patch(schema, "_BUSY_SECONDS", 0.0)
        holder = self.hold("DEFERRED")
        holder.execute("SELECT * FROM sqlite_master").fetchall()
        self.patch(schema, "sleep", lambda seconds: holder.execute("ROLLBACK"))
        schema.openDatabase(self.path).close()
        self.assertFalse(holder.in_transaction)


class RefusedTests(SQLiteCase):
    """
    Files that cannot serve.
    """

    def refusal(self) -> str:
        """
        What opening says. Whoever asks without opening is told that the tokens are out of reach.
        """
        store = self.makeStore()
        error = self.assertRaises(ConfigError, self.result, store.open())
        self.assertRaises(TokensUnreachable, self.result, store.token("a"))
        self.assertIn(self.path, str(error))
        return str(error)

    def test_newer(self) -> None:
        """
        A file of a newer version is left alone, and the two versions are named.
        """
        self.execute("PRAGMA user_version = 7")
        self.assertIn("its schema is 7, the newest known here is 2", self.refusal())

    def test_foreign(self) -> None:
        """
        The database of another program is left alone.
        """
        self.execute("CREATE TABLE recipes (name TEXT)")
        self.assertIn("belongs to another program", self.refusal())

    def test_noDatabase(self) -> None:
        """
        A file of anything else is left alone.
        """
        with open(self.path, "w", encoding="ascii") as file:
            file.write("no database at all\n" * 100)
        self.assertIn("is not an SQLite database", self.refusal())

    def test_directory(self) -> None:
        """
        A directory is no file.
        """
        os.mkdir(self.path)
        self.assertIn("is not a file", self.refusal())

    def test_nowhere(self) -> None:
        """
        A file in a directory that is not there cannot be made.
        """
        self.path = os.path.join(self.path, "nowhere", "x.sqlite")
        self.assertIn("cannot be made (No such file or directory)", self.refusal())

    def test_notPrivate(self) -> None:
        """
        A path whose mode cannot be read is refused with the way out.
        """
        os.symlink("nowhere", self.path)
        self.assertIn("mode 600", self.refusal())

    def test_locked(self) -> None:
        """
        A new file that another process holds is out of reach for the moment, not for ever.
        """
        self.patch(schema, "_OPENING_SECONDS", 0.1)
        self.patch(schema, "_BUSY_SECONDS", 0.1)
        holder = self.hold("EXCLUSIVE")
        store = self.makeStore()
        self.assertRaises(TokensUnreachable, self.result, store.open())
        holder.execute("ROLLBACK")
        self.result(store.open())
        self.result(store.addToken(token(1)))
