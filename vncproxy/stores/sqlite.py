"""
The embedded store: one SQLite file, used by this host's processes.

Every method is one job in one transaction of a L{CommitQueue}; what it returned has been committed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs
import msgspec
from twisted.internet.interfaces import IReactorFromThreads
from zope.interface import implementer

from vncproxy.errors import RequestError, TokensUnreachable, TokenUnknown
from vncproxy.interfaces import IStore
from vncproxy.model import APIKey, AuditEntry, AuditQuery, Console, ConsoleType, Resume, TokenRecord
from vncproxy.stores import keeping
from vncproxy.stores.commits import CommitQueue
from vncproxy.stores.schema import openDatabase
from vncproxy.targets import formatTarget, parseTarget
from vncproxy.tokens import rules

_CONSOLE: Final = "SELECT id, name, url, password FROM consoles"
_TOKEN: Final = "SELECT hash, console, type, expires, uses_left, view_only, client_address, resumes, owner FROM tokens"
_PUT_TOKEN: Final = "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SPEND_TOKEN: Final = "UPDATE tokens SET uses_left = ?, resumes = ? WHERE hash = ?"

_encodeResumes: Final = msgspec.json.Encoder().encode
_decodeResumes: Final = msgspec.json.Decoder(tuple[Resume, ...]).decode


@implementer(IStore)
class SQLiteStore:
    """
    Consoles, tokens, keys and the audit trail in one SQLite file.
    """

    shared = False

    def __init__(self, path: str, reactor: IReactorFromThreads) -> None:
        """
        @param path: absolute; the file is made, at mode 600, if there is none.
        @param reactor: where answers are given; the file is used in a thread of the store's own.
        """
        self._jobs = CommitQueue(path, partial(openDatabase, path), reactor)

    async def open(self) -> None:
        """
        See L{IStore.open}.
        """
        await self._jobs.open()

    async def putConsole(self, console: Console) -> bool:
        """
        See L{IStore.putConsole}.
        """
        return await self._jobs.submit(partial(_putConsole, console))

    async def console(self, consoleID: str) -> Console | None:
        """
        See L{IStore.console}.
        """
        return await self._jobs.submit(partial(_console, consoleID), writes=False)

    async def consoles(self) -> Sequence[Console]:
        """
        See L{IStore.consoles}.
        """
        return await self._jobs.submit(_consoles, writes=False)

    async def deleteConsole(self, consoleID: str) -> bool:
        """
        See L{IStore.deleteConsole}.
        """
        return await self._jobs.submit(partial(_deleteConsole, consoleID))

    async def addToken(self, record: TokenRecord) -> None:
        """
        See L{IStore.addToken}.
        """
        await self._jobs.submit(partial(_putTokens, [record]))

    async def token(self, tokenHash: str) -> TokenRecord | None:
        """
        See L{IStore.token}.
        """
        return await self._jobs.submit(partial(_token, tokenHash), writes=False)

    async def amendToken(self, tokenHash: str, rule: Callable[[TokenRecord], TokenRecord]) -> TokenRecord:
        """
        See L{IStore.amendToken}.
        """
        return await self._jobs.submit(partial(_amendToken, tokenHash, rule))

    async def deleteTokens(self, consoleID: str) -> int:
        """
        See L{IStore.deleteTokens}.
        """
        return await self._jobs.submit(partial(_deleteTokens, consoleID))

    async def abandonSessions(self, until: float, proxy: str = "") -> int:
        """
        See L{IStore.abandonSessions}.
        """
        return await self._jobs.submit(partial(_abandonSessions, until, proxy))

    async def purge(self, now: float) -> int:
        """
        See L{IStore.purge}.
        """
        return await self._jobs.submit(partial(_purge, now))

    async def addKey(self, key: APIKey) -> bool:
        """
        See L{IStore.addKey}.
        """
        return await self._jobs.submit(partial(keeping.addKey, key))

    async def key(self, keyHash: str) -> APIKey | None:
        """
        See L{IStore.key}.
        """
        return await self._jobs.submit(partial(keeping.key, keyHash), writes=False)

    async def keys(self) -> Sequence[APIKey]:
        """
        See L{IStore.keys}.
        """
        return await self._jobs.submit(keeping.keys, writes=False)

    async def deleteKey(self, name: str) -> bool:
        """
        See L{IStore.deleteKey}.
        """
        return await self._jobs.submit(partial(keeping.deleteKey, name))

    async def touchKeys(self, used: Mapping[str, float]) -> None:
        """
        See L{IStore.touchKeys}.
        """
        await self._jobs.submit(partial(keeping.touchKeys, dict(used)))

    async def addAudit(self, entries: Sequence[AuditEntry]) -> None:
        """
        See L{IStore.addAudit}.
        """
        await self._jobs.submit(partial(keeping.addAudit, entries))

    async def audit(self, query: AuditQuery) -> Sequence[AuditEntry]:
        """
        See L{IStore.audit}.
        """
        return await self._jobs.submit(partial(keeping.audit, query), writes=False)

    async def purgeAudit(self, before: float) -> int:
        """
        See L{IStore.purgeAudit}.
        """
        return await self._jobs.submit(partial(keeping.purgeAudit, before))

    async def close(self) -> None:
        """
        See L{IStore.close}.
        """
        await self._jobs.close()


def _putConsole(console: Console, connection: sqlite3.Connection) -> bool:
    new = connection.execute("SELECT 1 FROM consoles WHERE id = ?", (console.id,)).fetchone() is None
    row = (console.id, console.name, formatTarget(console.target), console.target.password)
    connection.execute("INSERT OR REPLACE INTO consoles VALUES (?, ?, ?, ?)", row)
    return new


def _console(consoleID: str, connection: sqlite3.Connection) -> Console | None:
    row = connection.execute(f"{_CONSOLE} WHERE id = ?", (consoleID,)).fetchone()
    return None if row is None else _readConsole(row)


def _consoles(connection: sqlite3.Connection) -> Sequence[Console]:
    return [_readConsole(row) for row in connection.execute(f"{_CONSOLE} ORDER BY id")]


def _deleteConsole(consoleID: str, connection: sqlite3.Connection) -> bool:
    _deleteTokens(consoleID, connection)
    return connection.execute("DELETE FROM consoles WHERE id = ?", (consoleID,)).rowcount > 0


def _putTokens(records: Sequence[TokenRecord], connection: sqlite3.Connection) -> None:
    connection.executemany(_PUT_TOKEN, [_tokenRow(record) for record in records])


def _token(tokenHash: str, connection: sqlite3.Connection) -> TokenRecord | None:
    row = connection.execute(f"{_TOKEN} WHERE hash = ?", (tokenHash,)).fetchone()
    return None if row is None else _readToken(row)


def _amendToken(
    tokenHash: str, rule: Callable[[TokenRecord], TokenRecord], connection: sqlite3.Connection
) -> TokenRecord:
    record = _token(tokenHash, connection)
    if record is None:
        raise TokenUnknown("nothing is stored under its hash")
    amended = rule(record)
    if attrs.evolve(record, usesLeft=amended.usesLeft, resumes=amended.resumes) == amended:
        # The way of every redemption. It leaves both indexes alone, which makes it half as dear.
        connection.execute(_SPEND_TOKEN, (amended.usesLeft, _writeResumes(amended), tokenHash))
    else:
        _putTokens([amended], connection)
    return amended


def _deleteTokens(consoleID: str, connection: sqlite3.Connection) -> int:
    return connection.execute("DELETE FROM tokens WHERE console = ?", (consoleID,)).rowcount


def _abandonSessions(until: float, proxy: str, connection: sqlite3.Connection) -> int:
    records = [_readToken(row) for row in connection.execute(f"{_TOKEN} WHERE resumes != '[]'")]
    amended = [rules.abandoned(record, until, proxy) for record in records]
    touched = [new for old, new in zip(records, amended, strict=True) if new is not old]
    _putTokens(touched, connection)
    return len(touched)


def _purge(now: float, connection: sqlite3.Connection) -> int:
    past = [_readToken(row) for row in connection.execute(f"{_TOKEN} WHERE expires <= ?", (now,))]
    doomed = [(record.hash,) for record in past if rules.dead(record, now)]
    connection.executemany("DELETE FROM tokens WHERE hash = ?", doomed)
    return len(doomed)


def _tokenRow(record: TokenRecord) -> tuple[Any, ...]:
    return (
        record.hash,
        record.consoleID,
        record.consoleType.value,
        record.expires,
        record.usesLeft,
        record.viewOnly,
        record.clientAddress,
        _writeResumes(record),
        record.owner,
    )


def _writeResumes(record: TokenRecord) -> str:
    return _encodeResumes(record.resumes).decode()


def _readToken(row: tuple[Any, ...]) -> TokenRecord:
    tokenHash, consoleID, consoleType, expires, usesLeft, viewOnly, clientAddress, resumes, owner = row
    try:
        return TokenRecord(
            hash=tokenHash,
            consoleID=consoleID,
            consoleType=ConsoleType(consoleType),
            expires=expires,
            usesLeft=usesLeft,
            viewOnly=bool(viewOnly),
            clientAddress=clientAddress,
            resumes=_decodeResumes(resumes),
            owner=owner,
        )
    except ValueError as error:
        raise TokensUnreachable(f"the record of token {tokenHash[:8]} cannot be read") from error


def _readConsole(row: tuple[str, str, str, str | None]) -> Console:
    consoleID, name, url, password = row
    try:
        return Console(consoleID, name, parseTarget(url, password))
    except RequestError as error:
        raise TokensUnreachable(f"the record of console {consoleID} cannot be read") from error
