"""
API keys and the audit trail in a Redis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from vncproxy.errors import TokensUnreachable
from vncproxy.model import APIKey, AuditEntry, AuditQuery, formatMoment
from vncproxy.rights import matches
from vncproxy.stores import redisscripts as scripts
from vncproxy.stores.redislink import RedisLink
from vncproxy.stores.redisscripts import Keys

_AT_ONCE: Final = 500
"""
How many entries one script takes or gives: while it runs, nobody else is answered.
"""

_encode: Final = msgspec.json.Encoder().encode
_decodeKey: Final = msgspec.json.Decoder(APIKey).decode
_decodeEntry: Final = msgspec.json.Decoder(AuditEntry).decode


class RedisTrail:
    """
    Those methods of L{IStore<vncproxy.interfaces.IStore>} that concern keys and audit.
    """

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    async def addKey(self, key: APIKey) -> bool:
        """
        See L{IStore.addKey<vncproxy.interfaces.IStore.addKey>}.
        """
        names = [self._keys.keys, self._keys.keyNames]
        return bool(await self._run(scripts.ADD_KEY, names, key.name, key.hash, _encode(key)))

    async def key(self, keyHash: str) -> APIKey | None:
        """
        See L{IStore.key<vncproxy.interfaces.IStore.key>}.
        """
        held, used = await self._read(scripts.KEY, [self._keys.keys, self._keys.keysUsed], keyHash)
        return None if held is None else _readKey(held, used)

    async def keys(self) -> Sequence[APIKey]:
        """
        See L{IStore.keys<vncproxy.interfaces.IStore.keys>}.
        """
        found = await self._read(scripts.ALL_KEYS, [self._keys.keys, self._keys.keysUsed])
        known = [_readKey(held, used) for held, used in zip(found[::2], found[1::2], strict=True)]
        return sorted(known, key=lambda each: each.name)

    async def deleteKey(self, name: str) -> bool:
        """
        See L{IStore.deleteKey<vncproxy.interfaces.IStore.deleteKey>}.
        """
        names = [self._keys.keys, self._keys.keyNames, self._keys.keysUsed]
        return bool(await self._run(scripts.DELETE_KEY, names, name))

    async def touchKeys(self, used: Mapping[str, float]) -> None:
        """
        See L{IStore.touchKeys<vncproxy.interfaces.IStore.touchKeys>}.
        """
        words = [word for keyHash, at in used.items() for word in (keyHash, repr(at))]
        await self._run(scripts.TOUCH_KEYS, [self._keys.keys, self._keys.keysUsed], *words)

    async def addAudit(self, entries: Sequence[AuditEntry]) -> None:
        """
        See L{IStore.addAudit<vncproxy.interfaces.IStore.addAudit>}.
        """
        names = [self._keys.audit, self._keys.auditEntries, *(self._keys.auditOf(each.console) for each in entries)]
        words = [word for each in entries for word in (each.id, _encode(each))]
        await self._run(scripts.ADD_AUDIT, names, *words)

    async def audit(self, query: AuditQuery) -> Sequence[AuditEntry]:
        """
        See L{IStore.audit<vncproxy.interfaces.IStore.audit>}.
        """
        name = self._keys.audit if query.console is None else self._keys.auditOf(query.console)
        lowest = f"[{query.lowest}" if query.lowest else "-"
        below, found = query.below, list[AuditEntry]()
        count = query.limit if query.consoles is None else _AT_ONCE
        while len(found) < query.limit:
            words = (f"({below}", lowest, str(min(count, _AT_ONCE)))
            texts = await self._read(scripts.AUDIT, [name, self._keys.auditEntries], *words)
            if not texts:
                break
            entries = [_readEntry(text) for text in texts]
            found += [entry for entry in entries if matches(query.consoles, entry.console)]
            below = entries[-1].id
        return found[: query.limit]

    async def purgeAudit(self, before: float) -> int:
        """
        See L{IStore.purgeAudit<vncproxy.interfaces.IStore.purgeAudit>}.
        """
        names = [self._keys.audit, self._keys.auditEntries]
        words = (f"({formatMoment(before)}", self._keys.auditOf(""), str(_AT_ONCE))
        count = 0
        while purged := int(await self._run(scripts.PURGE_AUDIT, names, *words)):
            count += purged
        return count

    async def _run(self, script: str, names: Sequence[str], *words: str | bytes) -> Any:
        return await self._link.within(lambda wire, by: wire.run(script, names, [repr(by), *words]))

    async def _read(self, script: str, names: Sequence[str], *words: str) -> Any:
        return await self._link.within(lambda wire, by: wire.run(script, names, words))


def _readKey(text: str, used: str | None) -> APIKey:
    try:
        key = _decodeKey(text)
        return key if used is None else attrs.evolve(key, lastUsed=float(used))
    except ValueError as error:
        raise TokensUnreachable("the record of an API key cannot be read") from error


def _readEntry(text: str) -> AuditEntry:
    try:
        return _decodeEntry(text)
    except msgspec.MsgspecError as error:
        raise TokensUnreachable("an entry of the audit trail cannot be read") from error
