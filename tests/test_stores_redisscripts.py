"""
The keys in a Redis, and the scripts.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.redisworld import RedisCase
from vncproxy.config import StoreSection
from vncproxy.stores import redisscripts
from vncproxy.stores.redisdial import RedisDialler, WireRefusal
from vncproxy.stores.redisscripts import Keys

SCRIPTS = {
    name: script
    for name, script in vars(redisscripts).items()
    if name.isupper() and not name.startswith("_") and isinstance(script, str)
}
READING = {"CONSOLES", "KEY", "ALL_KEYS", "AUDIT"}


class KeyTests(RedisCase):
    """
    Tests for L{Keys}.
    """

    def test_documented(self) -> None:
        """
        Each kind of key has its own name, and stands in the table, and in that of the documentation.
        """
        keys = Keys("p:")
        named = [keys.consoles, keys.expiry, keys.keys, keys.keyNames, keys.keysUsed, keys.audit, keys.auditEntries]
        named += [keys.token("HASH"), keys.tokensOf("CONSOLE"), keys.sessionsOf("PROXY"), keys.auditOf("CONSOLE")]
        table = re.findall(r"^C\{([\w:-]+)\}", redisscripts.__doc__ or "", re.MULTILINE)
        self.assertEqual(sorted(f"p:{each}" for each in table), sorted(named))
        text = (Path(__file__).parents[1] / "docs/redis.rst").read_text(encoding="utf-8")
        rows = re.findall(r"^``([\w:-]+)`` +(?:hash|string|set|zset) ", text, re.MULTILINE)
        self.assertEqual(rows, table)


class ScriptTests(RedisCase):
    """
    What all scripts have in common.
    """

    def test_late(self) -> None:
        """
        A script that changes something does nothing once its time is over.
        """
        wire = self.result(RedisDialler(self.reactor, self.place(), StoreSection()).dial())
        writing = SCRIPTS.keys() - READING
        self.assertEqual(len(writing), 11)
        for name in sorted(writing):
            error = self.assertRaises(WireRefusal, self.result, wire.run(SCRIPTS[name], ["a", "b", "c"], ["1", "2"]))
            self.assertEqual(error.code, "LATE", name)
        self.assertEqual(self.execute("DBSIZE"), "0")
        gone = wire.whenDisconnected()
        wire.abort()
        self.reactor.runUntil(gone)

    def test_reading(self) -> None:
        """
        The others change nothing.
        """
        for name in READING:
            for command in ("SET", "DEL", "ADD", "REM", "EXPIRE"):
                self.assertNotIn(f"{command}'", SCRIPTS[name])
