"""
Which store a URL names.
"""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.storesuite import ThreadReactor
from vncproxy.config import StoreSection
from vncproxy.errors import ConfigError
from vncproxy.stores import makeStore
from vncproxy.stores.redis import RedisStore
from vncproxy.stores.sqlite import SQLiteStore


class MakeStoreTests(SynchronousTestCase):
    """
    Tests for L{makeStore}.
    """

    def test_sqlite(self) -> None:
        """
        An C{sqlite:} URL makes an SQLite store, and nothing on the disk yet.
        """
        path = os.path.abspath(self.mktemp())
        self.assertIsInstance(makeStore(StoreSection(url=f"sqlite:{path}"), ThreadReactor()), SQLiteStore)
        self.assertFalse(os.path.exists(path))

    def test_redis(self) -> None:
        """
        The URL of a Redis makes a Redis store, which is shared, and dials nobody yet.
        """
        for url in ("redis://h", "rediss://h", "redis+unix:///r", "redis+sentinel://h/m"):
            store = makeStore(StoreSection(url=url), Clock(), "p1")
            self.assertIsInstance(store, RedisStore)
            self.assertTrue(store.shared)

    def test_unknown(self) -> None:
        """
        Any other URL is refused, and not quoted: it may hold a password.
        """
        for url in (None, "", "sqlite:", "sqlite:relative", "redis://:hunter2@"):
            error = self.assertRaises(ConfigError, makeStore, StoreSection(url=url), ThreadReactor())
            self.assertNotIn("hunter2", str(error))
