"""
Which store a URL names.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.storesuite import ThreadReactor
from vncproxy.errors import ConfigError
from vncproxy.stores import makeStore
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
        self.assertIsInstance(makeStore(f"sqlite:{path}", ThreadReactor()), SQLiteStore)  # type: ignore[arg-type]
        self.assertFalse(os.path.exists(path))

    def test_unknown(self) -> None:
        """
        Any other URL is refused, and not quoted: it may hold a password.
        """
        for url in ("", "sqlite:", "sqlite:relative", "redis://:hunter2@h"):
            error = self.assertRaises(ConfigError, makeStore, url, ThreadReactor())
            self.assertNotIn("hunter2", str(error))
