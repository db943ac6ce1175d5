"""
A store that forgets everything when it ends: the behaviour of L{IStore} in its plainest form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
from zope.interface import implementer

from vncproxy.errors import TokensUnreachable, TokenUnknown
from vncproxy.interfaces import IStore
from vncproxy.model import APIKey, AuditEntry, AuditQuery, Console, TokenRecord, formatMoment
from vncproxy.rights import matches
from vncproxy.tokens import rules


@implementer(IStore)
class MemoryStore:
    """
    Consoles, tokens, keys and the audit trail in dictionaries.
    """

    shared = False

    def __init__(self) -> None:
        self._consoles: dict[str, Console] = {}
        self._tokens: dict[str, TokenRecord] = {}
        self._keys: dict[str, APIKey] = {}
        self._audit: dict[str, AuditEntry] = {}
        self._closed = False

    async def open(self) -> None:
        """
        See L{IStore.open}.
        """
        self._check()

    async def putConsole(self, console: Console) -> bool:
        """
        See L{IStore.putConsole}.
        """
        self._check()
        new = console.id not in self._consoles
        self._consoles[console.id] = console
        return new

    async def console(self, consoleID: str) -> Console | None:
        """
        See L{IStore.console}.
        """
        self._check()
        return self._consoles.get(consoleID)

    async def consoles(self) -> Sequence[Console]:
        """
        See L{IStore.consoles}.
        """
        self._check()
        return sorted(self._consoles.values(), key=lambda console: console.id)

    async def deleteConsole(self, consoleID: str) -> bool:
        """
        See L{IStore.deleteConsole}.
        """
        await self.deleteTokens(consoleID)
        return self._consoles.pop(consoleID, None) is not None

    async def addToken(self, record: TokenRecord) -> None:
        """
        See L{IStore.addToken}.
        """
        self._check()
        self._tokens[record.hash] = record

    async def token(self, tokenHash: str) -> TokenRecord | None:
        """
        See L{IStore.token}.
        """
        self._check()
        return self._tokens.get(tokenHash)

    async def amendToken(self, tokenHash: str, rule: Callable[[TokenRecord], TokenRecord]) -> TokenRecord:
        """
        See L{IStore.amendToken}.
        """
        self._check()
        if tokenHash not in self._tokens:
            raise TokenUnknown("nothing is stored under its hash")
        record = rule(self._tokens[tokenHash])
        self._tokens[tokenHash] = record
        return record

    async def deleteTokens(self, consoleID: str) -> int:
        """
        See L{IStore.deleteTokens}.
        """
        self._check()
        return self._forget(lambda record: record.consoleID == consoleID)

    async def abandonSessions(self, until: float, proxy: str = "") -> int:
        """
        See L{IStore.abandonSessions}.
        """
        self._check()
        touched = 0
        for tokenHash, record in self._tokens.items():
            self._tokens[tokenHash] = rules.abandoned(record, until, proxy)
            touched += self._tokens[tokenHash] is not record
        return touched

    async def purge(self, now: float) -> int:
        """
        See L{IStore.purge}.
        """
        self._check()
        return self._forget(lambda record: rules.dead(record, now))

    async def addKey(self, key: APIKey) -> bool:
        """
        See L{IStore.addKey}.
        """
        self._check()
        if any(kept.name == key.name for kept in self._keys.values()):
            return False
        self._keys[key.hash] = key
        return True

    async def key(self, keyHash: str) -> APIKey | None:
        """
        See L{IStore.key}.
        """
        self._check()
        return self._keys.get(keyHash)

    async def keys(self) -> Sequence[APIKey]:
        """
        See L{IStore.keys}.
        """
        self._check()
        return sorted(self._keys.values(), key=lambda key: key.name)

    async def deleteKey(self, name: str) -> bool:
        """
        See L{IStore.deleteKey}.
        """
        self._check()
        doomed = [keyHash for keyHash, key in self._keys.items() if key.name == name]
        for keyHash in doomed:
            del self._keys[keyHash]
        return bool(doomed)

    async def touchKeys(self, used: Mapping[str, float]) -> None:
        """
        See L{IStore.touchKeys}.
        """
        self._check()
        for keyHash in used.keys() & self._keys.keys():
            key = self._keys[keyHash]
            self._keys[keyHash] = attrs.evolve(key, lastUsed=max(key.lastUsed or 0.0, used[keyHash]))

    async def addAudit(self, entries: Sequence[AuditEntry]) -> None:
        """
        See L{IStore.addAudit}.
        """
        self._check()
        for entry in entries:
            self._audit.setdefault(entry.id, entry)

    async def audit(self, query: AuditQuery) -> Sequence[AuditEntry]:
        """
        See L{IStore.audit}.
        """
        self._check()
        wanted = [
            entry
            for entryID, entry in self._audit.items()
            if query.lowest <= entryID < query.below
            and query.console in (None, entry.console)
            and matches(query.consoles, entry.console)
        ]
        return sorted(wanted, key=lambda entry: entry.id, reverse=True)[: query.limit]

    async def purgeAudit(self, before: float) -> int:
        """
        See L{IStore.purgeAudit}.
        """
        self._check()
        doomed = [entryID for entryID in self._audit if entryID < formatMoment(before)]
        for entryID in doomed:
            del self._audit[entryID]
        return len(doomed)

    async def close(self) -> None:
        """
        See L{IStore.close}.
        """
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise TokensUnreachable("the store is closed")

    def _forget(self, matches: Callable[[TokenRecord], bool]) -> int:
        doomed = [tokenHash for tokenHash, record in self._tokens.items() if matches(record)]
        for tokenHash in doomed:
            del self._tokens[tokenHash]
        return len(doomed)
