"""
API keys and the audit trail in SQLite: what is done with each inside a transaction of the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from vncproxy.errors import TokensUnreachable
from vncproxy.model import APIKey, AuditEntry, AuditQuery, Role, formatMoment

_KEY: Final = "SELECT name, hash, role, consoles, created, last_used FROM keys"
_PUT_KEY: Final = "INSERT INTO keys (name, hash, role, consoles, created, last_used) VALUES (?, ?, ?, ?, ?, ?)"
_TOUCH_KEY: Final = "UPDATE keys SET last_used = max(coalesce(last_used, 0), ?) WHERE hash = ?"

_encodeEntry: Final = msgspec.json.Encoder().encode
_decodeEntry: Final = msgspec.json.Decoder(AuditEntry).decode


def addKey(key: APIKey, connection: sqlite3.Connection) -> bool:
    """
    See L{IStore.addKey<vncproxy.interfaces.IStore.addKey>}.
    """
    if connection.execute("SELECT 1 FROM keys WHERE name = ?", (key.name,)).fetchone() is not None:
        return False
    row = (key.name, key.hash, key.role.value, key.consoles, key.created, key.lastUsed)
    connection.execute(_PUT_KEY, row)
    return True


def key(keyHash: str, connection: sqlite3.Connection) -> APIKey | None:
    """
    See L{IStore.key<vncproxy.interfaces.IStore.key>}.
    """
    row = connection.execute(f"{_KEY} WHERE hash = ?", (keyHash,)).fetchone()
    return None if row is None else _readKey(row)


def keys(connection: sqlite3.Connection) -> Sequence[APIKey]:
    """
    See L{IStore.keys<vncproxy.interfaces.IStore.keys>}.
    """
    return [_readKey(row) for row in connection.execute(f"{_KEY} ORDER BY name")]


def deleteKey(name: str, connection: sqlite3.Connection) -> bool:
    """
    See L{IStore.deleteKey<vncproxy.interfaces.IStore.deleteKey>}.
    """
    return connection.execute("DELETE FROM keys WHERE name = ?", (name,)).rowcount > 0


def touchKeys(used: Mapping[str, float], connection: sqlite3.Connection) -> None:
    """
    See L{IStore.touchKeys<vncproxy.interfaces.IStore.touchKeys>}.
    """
    connection.executemany(_TOUCH_KEY, [(at, keyHash) for keyHash, at in used.items()])


def addAudit(entries: Sequence[AuditEntry], connection: sqlite3.Connection) -> None:
    """
    See L{IStore.addAudit<vncproxy.interfaces.IStore.addAudit>}.
    """
    rows = [(entry.id, entry.console, _encodeEntry(entry).decode()) for entry in entries]
    connection.executemany("INSERT OR IGNORE INTO audit (id, console, entry) VALUES (?, ?, ?)", rows)


def audit(query: AuditQuery, connection: sqlite3.Connection) -> Sequence[AuditEntry]:
    """
    See L{IStore.audit<vncproxy.interfaces.IStore.audit>}.
    """
    conditions, values = ["id >= ?", "id < ?"], [query.lowest, query.below]
    if query.console is not None:
        conditions.append("console = ?")
        values.append(query.console)
    if query.consoles is not None:
        # To SQLite such a pattern, which has no brackets, means what it means to us.
        conditions.append("console GLOB ?")
        values.append(query.consoles)
    where = " AND ".join(conditions)
    chosen = connection.execute(
        f"SELECT id, entry FROM audit WHERE {where} ORDER BY id DESC LIMIT ?", (*values, query.limit)
    )
    return [_readEntry(*row) for row in chosen]


def purgeAudit(before: float, connection: sqlite3.Connection) -> int:
    """
    See L{IStore.purgeAudit<vncproxy.interfaces.IStore.purgeAudit>}.
    """
    return connection.execute("DELETE FROM audit WHERE id < ?", (formatMoment(before),)).rowcount


def _readKey(row: tuple[Any, ...]) -> APIKey:
    name, keyHash, role, consoles, created, lastUsed = row
    try:
        return APIKey(name, keyHash, Role(role), consoles, created, lastUsed)
    except ValueError as error:
        raise TokensUnreachable(f"the record of API key {name} cannot be read") from error


def _readEntry(entryID: str, text: str) -> AuditEntry:
    try:
        return _decodeEntry(text)
    except msgspec.DecodeError as error:
        raise TokensUnreachable(f"entry {entryID} of the audit trail cannot be read") from error
