"""
The SQLite file: how it is made, opened and brought to the present schema.

The file holds what the proxy needs to log in to consoles, their passwords in clear among it, and is therefore kept at
mode 600. Of tokens and API keys it holds only hashes.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Final

from vncproxy.errors import ConfigError

_BUSY_SECONDS: Final = 2.0
"""
How long one statement waits for another process that is writing.
"""

_OPENING_SECONDS: Final = 2.0
"""
For how long opening is tried again where SQLite itself does not wait.
"""

_RETRY_SECONDS: Final = 0.02

_MIGRATIONS: Final = (
    (
        """
        CREATE TABLE consoles (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            url TEXT NOT NULL,
            password TEXT
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE tokens (
            hash TEXT PRIMARY KEY,
            console TEXT NOT NULL,
            type TEXT NOT NULL,
            expires REAL NOT NULL,
            uses_left INTEGER,
            view_only INTEGER NOT NULL,
            client_address TEXT,
            resumes TEXT NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX tokens_by_console ON tokens (console)",
        "CREATE INDEX tokens_by_expiry ON tokens (expires)",
    ),
    (
        "ALTER TABLE tokens ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
        """
        CREATE TABLE keys (
            hash TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            role TEXT NOT NULL,
            consoles TEXT,
            created REAL NOT NULL,
            last_used REAL
        ) WITHOUT ROWID
        """,
        # The console stands beside the entry to be found by; the entry is JSON and holds it, too.
        "CREATE TABLE audit (id TEXT PRIMARY KEY, console TEXT NOT NULL, entry TEXT NOT NULL) WITHOUT ROWID",
        "CREATE INDEX audit_by_console ON audit (console)",
    ),
)
"""
What leads from each version of the schema to the next. Entries are added, never changed: the file's C{user_version}
says how many of them it has seen.
"""


def openDatabase(path: str) -> sqlite3.Connection:
    """
    Open the file, made if there is none, at the present schema. Blocks: it runs in the store's thread.

    @raise ConfigError: the file cannot serve as our store, now or later; the text says why and what to do.
    @raise sqlite3.Error: it does not serve now.
    """
    _makePrivate(path)
    # Transactions are begun and ended by the store itself, hence no isolation level.
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    deadline = monotonic() + _OPENING_SECONDS
    try:
        while not _prepared(connection, path, deadline):
            sleep(_RETRY_SECONDS)
    except BaseException:
        connection.close()
        raise
    return connection


def _makePrivate(path: str) -> None:
    try:
        # Only a new file is opened here: closing a descriptor of a database drops the locks that other connections of
        # this process hold on it (fcntl(2), advisory record locking). Its journal files take their modes from it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        _tightenMode(path)
    except OSError as error:
        raise _unusable(path, f"cannot be made ({error.strerror})", "Name a directory that we may write to") from error


def _tightenMode(path: str) -> None:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise _unusable(path, "is not a file", "Name another path")
        if status.st_mode & 0o077:
            os.chmod(path, 0o600)
    except OSError as error:
        cure = "It holds passwords: give it to the user that vncproxy runs as, with mode 600, or name another path"
        raise _unusable(path, f"cannot be made private ({error.strerror})", cure) from error


def _prepared(connection: sqlite3.Connection, path: str, deadline: float) -> bool:
    """
    Prepare the connection. False where that should be tried again: SQLite does not wait for other processes while it
    changes the journal's mode, as every process does that finds a new file.
    """
    try:
        _prepare(connection, path)
    except sqlite3.OperationalError:
        if monotonic() >= deadline:
            raise
        return False
    except sqlite3.DatabaseError as error:
        raise _unusable(path, "is not an SQLite database", "Move it away, or name another path") from error
    return True


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    version, empty = _look(connection)
    if version == 0 and not empty:
        raise _unusable(path, "belongs to another program", "Name another path")
    if version > len(_MIGRATIONS):
        cause = (
            f"was written by a newer vncproxy (its schema is {version}, the newest known here is {len(_MIGRATIONS)})"
        )
        raise _unusable(path, cause, "Run that version, or name another path")
    # A commit survives the end of our process; the last ones before a power cut may be lost, the file stays whole.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if version < len(_MIGRATIONS):
        _migrate(connection)


def _look(connection: sqlite3.Connection) -> tuple[int, bool]:
    # In one transaction: between two, another process may make the tables.
    with _transaction(connection, "BEGIN"):
        return _version(connection), connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _migrate(connection: sqlite3.Connection) -> None:
    with _transaction(connection, "BEGIN IMMEDIATE"):
        # Another process may have done it while we waited for the lock: look again.
        for statements in _MIGRATIONS[_version(connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _unusable(path: str, cause: str, cure: str) -> ConfigError:
    return ConfigError(f"store.url: {path} {cause}. {cure} in [store] url.")
