"""
Group commit: many jobs, one transaction, one thread.
"""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from threading import get_ident
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import LogLevel, globalLogPublisher

from tests.storesuite import SQLiteCase, token
from vncproxy.errors import TokensUnreachable
from vncproxy.stores import commits, schema
from vncproxy.stores.commits import CommitQueue


class QueueTests(SQLiteCase):
    """
    Tests for L{CommitQueue} over a plain database.
    """

    def setUp(self) -> None:
        """
        A queue whose statements are recorded.
        """
        super().setUp()
        self.statements: list[str] = []
        self.queue = CommitQueue(self.path, self._connect, self.reactor)  # type: ignore[arg-type]
        self.addCleanup(lambda: self.reactor.runUntil(self.queue.close()))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.set_trace_callback(self.statements.append)
        return connection

    def wait(self, *answers: Deferred[Any]) -> list[Any]:
        """
        What each of C{answers} comes to.
        """
        settled = DeferredList(answers, consumeErrors=True)
        self.reactor.runUntil(settled)
        return [outcome if done else outcome.value for done, outcome in self.successResultOf(settled)]

    def test_together(self) -> None:
        """
        The first job goes alone and at once; all that come while it runs share the next transaction, in their order.
        """
        jobs = [self.queue.submit(partial(_select, number)) for number in range(4)]
        self.assertEqual(self.wait(*jobs), [0, 1, 2, 3])
        alone, together = ["SELECT 0"], ["SELECT 1", "SELECT 2", "SELECT 3"]
        self.assertEqual(self.statements, ["BEGIN IMMEDIATE", *alone, "COMMIT", "BEGIN IMMEDIATE", *together, "COMMIT"])

    def test_readers(self) -> None:
        """
        A transaction that only reads does not ask for the right to write.
        """
        self.wait(self.queue.submit(partial(_select, 1), writes=False))
        self.assertEqual(self.statements, ["BEGIN", "SELECT 1", "COMMIT"])

    def test_bounded(self) -> None:
        """
        No transaction takes more than its number of jobs, and no more jobs wait than may.
        """
        self.patch(commits, "_MOST_AT_ONCE", 2)
        self.patch(commits, "MOST_WAITING", 3)
        jobs = [self.queue.submit(partial(_select, number)) for number in range(5)]
        outcomes = self.wait(*jobs)
        self.assertEqual(outcomes[:4], [0, 1, 2, 3])
        self.assertIsInstance(outcomes[4], TokensUnreachable)
        self.assertEqual(self.statements.count("COMMIT"), 3)

    def test_ownThread(self) -> None:
        """
        All jobs run in one thread, which is not that of the reactor.
        """
        first = self.wait(self.queue.submit(lambda connection: get_ident()))
        second = self.wait(self.queue.submit(lambda connection: get_ident()))
        self.assertEqual(first, second)
        self.assertNotEqual(first, [get_ident()])

    def test_oneFails(self) -> None:
        """
        What one job raises is its own: the others are committed.
        """
        first, failing, last = (self.queue.submit(job) for job in (partial(_select, 1), _fail, partial(_select, 3)))
        outcomes = self.wait(first, failing, last)
        self.assertEqual((outcomes[0], outcomes[2]), (1, 3))
        self.assertIsInstance(outcomes[1], ZeroDivisionError)

    def test_cancelled(self) -> None:
        """
        A caller that waits no longer troubles nobody.
        """
        gone = self.queue.submit(partial(_select, 1))
        gone.cancel()
        self.assertEqual(self.wait(self.queue.submit(partial(_select, 2))), [2])
        self.failureResultOf(gone)

    def test_closing(self) -> None:
        """
        Closing lets the waiting jobs finish, then refuses, whoever closes first or last.
        """
        jobs = [self.queue.submit(partial(_select, number)) for number in range(3)]
        closed = [self.queue.close(), self.queue.close()]
        late = self.queue.submit(partial(_select, 9))
        self.assertIsInstance(self.failureResultOf(late).value, TokensUnreachable)
        self.assertEqual(self.wait(*jobs, *closed), [0, 1, 2, None, None])


class FailureTests(SQLiteCase):
    """
    A database that fails while it is in use.
    """

    def setUp(self) -> None:
        """
        Listen to the log.
        """
        super().setUp()
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def logged(self, level: LogLevel) -> list[Any]:
        """
        The store's events of one level.
        """
        return [each for each in self.events if each["log_level"] is level and "store" in each]

    def test_locked(self) -> None:
        """
        While another process writes for too long, writing is refused and reading is not; afterwards both are served.
        The failure and its end are logged once each.
        """
        self.patch(schema, "_BUSY_SECONDS", 0.1)
        store = self.makeStore()
        self.result(store.addToken(token(1)))
        holder = self.hold("IMMEDIATE")
        self.assertRaises(TokensUnreachable, self.result, store.deleteTokens("vm7"))
        self.assertRaises(TokensUnreachable, self.result, store.purge(0.0))
        self.assertEqual(len(self.logged(LogLevel.error)), 1)
        self.assertEqual(self.result(store.token(token(1).hash)), token(1))
        self.assertEqual(self.logged(LogLevel.info), [])
        holder.execute("ROLLBACK")
        self.assertEqual(self.result(store.deleteTokens("vm7")), 1)
        self.assertEqual(len(self.logged(LogLevel.info)), 1)

    def test_nothingRemains(self) -> None:
        """
        A transaction that fails leaves nothing of any job in it, and all of them are told.
        """
        store = self.makeStore()
        self.result(store.open())
        self.execute(
            f"CREATE TRIGGER bad BEFORE INSERT ON tokens WHEN NEW.hash = '{token(3).hash}'"
            " BEGIN SELECT RAISE(ABORT, 'bad'); END"
        )
        # The first is under way alone when the other two come, so these share a transaction.
        outcomes = self.results([store.addToken(token(number)) for number in (1, 2, 3)])
        self.assertIsNone(outcomes[0])
        self.assertIsInstance(outcomes[1], TokensUnreachable)
        self.assertIsInstance(outcomes[2], TokensUnreachable)
        self.assertIsNone(self.result(store.token(token(2).hash)))

    def test_broken(self) -> None:
        """
        Of a file whose pages are spoilt nothing can be had, and nobody sees a traceback.
        """
        store = self.makeStore()
        self.result(store.addToken(token(1)))
        self.result(store.close())
        size = os.path.getsize(self.path)
        with open(self.path, "r+b") as file:
            # The first page, whose head says that this is a database and holds its schema, stays whole.
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        spoilt = self.makeStore()
        self.assertRaises(TokensUnreachable, self.result, spoilt.token(token(1).hash))
        self.assertRaises(TokensUnreachable, self.result, spoilt.addToken(token(2)))
        [event] = self.logged(LogLevel.error)
        self.assertIn("malformed", event["error"])


def _select(number: int, connection: sqlite3.Connection) -> int:
    return int(connection.execute(f"SELECT {number}").fetchone()[0])


def _fail(connection: sqlite3.Connection) -> None:
    raise ZeroDivisionError
