"""
The store in a Redis, which any number of proxies may share.

What is kept under which key is said in L{vncproxy.stores.redisscripts}. A token is amended by reading its record,
asking the rule, and a compare-and-set of the whole record in one script; whoever comes second is handed what is there
now, and asks the rule again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from vncproxy.config import StoreSection
from vncproxy.config.stores import RedisPlace
from vncproxy.errors import RequestError, TokensUnreachable, TokenUnknown
from vncproxy.interfaces import IStore
from vncproxy.model import APIKey, AuditEntry, AuditQuery, Console, TokenRecord
from vncproxy.stores import redisscripts as scripts
from vncproxy.stores.redislink import RedisLink
from vncproxy.stores.redisscripts import Keys
from vncproxy.stores.redistrail import RedisTrail
from vncproxy.targets import formatTarget, parseTarget
from vncproxy.tokens import rules

if TYPE_CHECKING:
    from vncproxy.stores.rediswire import RedisWire

GRACE_SECONDS: Final = 3600.0
"""
For how long a token is kept after nobody can redeem it any more, and one with a live session after its proxy has last
been heard of: see L{RedisStore.purge}.
"""

_MOST_TRIES: Final = 256
"""
How often a token is amended anew because somebody else was quicker.
"""

_AT_ONCE: Final = 500


@attrs.frozen
class _KeptToken:
    """
    @ivar stamp: differs with every amendment, so that the one who made it knows it again.
    """

    record: TokenRecord
    stamp: str


@attrs.frozen
class _KeptConsole:
    id: str
    name: str
    url: str
    password: str | None = attrs.field(default=None, repr=False)


_encode: Final = msgspec.json.Encoder().encode
_decodeToken: Final = msgspec.json.Decoder(_KeptToken).decode
_decodeConsole: Final = msgspec.json.Decoder(_KeptConsole).decode
_decodeConsoles: Final = msgspec.json.Decoder(list[_KeptConsole]).decode


@implementer(IStore)
class RedisStore:
    """
    Consoles, tokens, keys and the audit trail in a Redis.
    """

    shared = True

    def __init__(self, reactor: Any, place: RedisPlace, settings: StoreSection, proxy: str = "") -> None:
        """
        @param proxy: whose sessions are up as long as this store is open, see L{purge}.
        """
        self._clock: IReactorTime = reactor
        self._link = RedisLink(reactor, place, settings)
        self._keys = Keys(settings.prefix)
        self._trail = RedisTrail(self._link, self._keys)
        self._proxy = proxy

    async def open(self) -> None:
        """
        See L{IStore.open}.
        """
        await self._link.open()

    async def close(self) -> None:
        """
        See L{IStore.close}.
        """
        await self._link.close()

    # Consoles.

    async def putConsole(self, console: Console) -> bool:
        """
        See L{IStore.putConsole}.
        """
        kept = _KeptConsole(console.id, console.name, formatTarget(console.target), console.target.password)
        return bool(await self._run(scripts.PUT_CONSOLE, [self._keys.consoles], console.id, _encode(kept)))

    async def console(self, consoleID: str) -> Console | None:
        """
        See L{IStore.console}.
        """
        text = await self._link.within(lambda wire, by: wire.ask("HGET", self._keys.consoles, consoleID))
        return None if text is None else _readConsoles(text, _decodeConsole)[0]

    async def consoles(self) -> Sequence[Console]:
        """
        See L{IStore.consoles}.
        """
        text = await self._link.within(lambda wire, by: wire.run(scripts.CONSOLES, [self._keys.consoles], []))
        return sorted(_readConsoles(text, _decodeConsoles), key=lambda console: console.id)

    async def deleteConsole(self, consoleID: str) -> bool:
        """
        See L{IStore.deleteConsole}.
        """
        names = [self._keys.tokensOf(consoleID), self._keys.expiry, self._keys.consoles]
        return bool(await self._run(scripts.DELETE_TOKENS, names, self._keys.token(""), consoleID))

    # Tokens.

    async def addToken(self, record: TokenRecord) -> None:
        """
        See L{IStore.addToken}.
        """

        async def put(wire: RedisWire, by: float) -> None:
            await self._put(wire, by, "", None, _KeptToken(record, ""))

        await self._link.within(put)

    async def token(self, tokenHash: str) -> TokenRecord | None:
        """
        See L{IStore.token}.
        """
        text = await self._link.within(lambda wire, by: wire.ask("GET", self._keys.token(tokenHash)))
        return None if text is None else _readToken(text).record

    async def amendToken(self, tokenHash: str, rule: Callable[[TokenRecord], TokenRecord]) -> TokenRecord:
        """
        See L{IStore.amendToken}.
        """
        stamp = secrets.token_hex(8)

        async def amend(wire: RedisWire, by: float) -> TokenRecord:
            text = await wire.ask("GET", self._keys.token(tokenHash))
            return await self._amend(wire, by, text, rule, stamp)

        return await self._link.within(amend)

    async def deleteTokens(self, consoleID: str) -> int:
        """
        See L{IStore.deleteTokens}.
        """
        names = [self._keys.tokensOf(consoleID), self._keys.expiry]
        return int(await self._run(scripts.DELETE_TOKENS, names, self._keys.token("")))

    async def abandonSessions(self, until: float, proxy: str = "") -> int:
        """
        See L{IStore.abandonSessions}.
        """
        count = 0
        for text in await self._live(proxy):
            record = _readToken(text).record
            if rules.abandoned(record, until, proxy) is record:
                continue
            try:
                await self.amendToken(record.hash, lambda record: rules.abandoned(record, until, proxy))
            except TokenUnknown:
                # Revoked meanwhile.
                continue
            count += 1
        return count

    async def purge(self, now: float) -> int:
        """
        See L{IStore.purge}. It also says once more that the sessions of this proxy are up. A proxy that never does so
        again is gone, and what its viewers have a right to with it.
        """
        await self._live(self._proxy)
        count = passed = 0
        while True:
            words = (self._keys.token(""), repr(now), str(passed), str(_AT_ONCE))
            looked, texts = await self._run(scripts.PAST, [self._keys.expiry], *words)
            doomed = [text for text in texts if rules.dead(_readToken(text).record, now)]
            count += await self._forget(doomed)
            if looked < _AT_ONCE:
                return count
            passed += len(texts) - len(doomed)

    # Keys and the audit trail.

    async def addKey(self, key: APIKey) -> bool:
        """
        See L{IStore.addKey}.
        """
        return await self._trail.addKey(key)

    async def key(self, keyHash: str) -> APIKey | None:
        """
        See L{IStore.key}.
        """
        return await self._trail.key(keyHash)

    async def keys(self) -> Sequence[APIKey]:
        """
        See L{IStore.keys}.
        """
        return await self._trail.keys()

    async def deleteKey(self, name: str) -> bool:
        """
        See L{IStore.deleteKey}.
        """
        return await self._trail.deleteKey(name)

    async def touchKeys(self, used: Mapping[str, float]) -> None:
        """
        See L{IStore.touchKeys}.
        """
        await self._trail.touchKeys(used)

    async def addAudit(self, entries: Sequence[AuditEntry]) -> None:
        """
        See L{IStore.addAudit}.
        """
        await self._trail.addAudit(entries)

    async def audit(self, query: AuditQuery) -> Sequence[AuditEntry]:
        """
        See L{IStore.audit}.
        """
        return await self._trail.audit(query)

    async def purgeAudit(self, before: float) -> int:
        """
        See L{IStore.purgeAudit}.
        """
        return await self._trail.purgeAudit(before)

    # How it is done.

    async def _run(self, script: str, names: Sequence[str], *words: str | bytes) -> Any:
        """
        Run a script that changes something.
        """
        return await self._link.within(lambda wire, by: wire.run(script, names, [repr(by), *words]))

    async def _amend(
        self,
        wire: RedisWire,
        by: float,
        text: str | None,
        rule: Callable[[TokenRecord], TokenRecord],
        stamp: str,
    ) -> TokenRecord:
        """
        Amend a token, whose JSON was C{text} a moment ago.
        """
        for _ in range(_MOST_TRIES):
            if text is None:
                raise TokenUnknown("nothing is stored under its hash")
            kept = _readToken(text)
            if kept.stamp == stamp:
                # We have done it already, on a connection that was lost before it said so.
                return kept.record
            amended = rule(kept.record)
            done, *there = await self._put(wire, by, text, kept.record, _KeptToken(amended, stamp))
            if done:
                return amended
            text = there[0] if there else None
        raise TokensUnreachable(f"too many want token {kept.record.hash[:8]} at once")

    async def _put(
        self, wire: RedisWire, by: float, expected: str, former: TokenRecord | None, kept: _KeptToken
    ) -> Sequence[Any]:
        """
        Write a token if its JSON is C{expected}; see L{scripts.PUT_TOKEN}.
        """
        record, names = kept.record, self._keys
        joined = _proxies(record)
        left = set() if former is None else _proxies(former) - joined
        sets = [names.sessionsOf(proxy) for proxy in (*sorted(joined), *sorted(left))]
        index = names.tokensOf(record.consoleID)
        formerIndex = index if former is None else names.tokensOf(former.consoleID)
        keys = [names.token(record.hash), names.expiry, index, formerIndex, *sets]
        milliseconds = str(round(self._keepFor(record) * 1000))
        words = (repr(by), record.hash, expected, _encode(kept), milliseconds, repr(record.expires), str(len(joined)))
        answer: Sequence[Any] = await wire.run(scripts.PUT_TOKEN, keys, words)
        return answer

    def _keepFor(self, record: TokenRecord) -> float:
        """
        For how many seconds a record is kept from now on.
        """
        now = self._clock.seconds()
        return max(now, record.expires, *(each.until for each in record.resumes)) - now + GRACE_SECONDS

    async def _live(self, proxy: str) -> Sequence[str]:
        """
        The JSON of each token with a session on C{proxy}. All of them are kept for some time more.
        """
        words = (self._keys.token(""), str(round(GRACE_SECONDS * 1000)))
        texts: Sequence[str] = await self._run(scripts.LIVE, [self._keys.sessionsOf(proxy)], *words)
        return texts

    async def _forget(self, texts: Sequence[str]) -> int:
        """
        Forget tokens whose JSON is still the same.
        """
        names, words = [self._keys.expiry], list[str]()
        for text in texts:
            record = _readToken(text).record
            names += [self._keys.token(record.hash), self._keys.tokensOf(record.consoleID)]
            words += [record.hash, text]
        return int(await self._run(scripts.FORGET, names, *words)) if texts else 0


def _proxies(record: TokenRecord) -> set[str]:
    return {each.proxy for each in record.resumes if each.live}


def _readToken(text: str) -> _KeptToken:
    try:
        return _decodeToken(text)
    except msgspec.MsgspecError as error:
        raise TokensUnreachable("the record of a token cannot be read") from error


def _readConsoles(text: str, decode: Callable[[str], _KeptConsole | list[_KeptConsole]]) -> list[Console]:
    try:
        kept = decode(text)
        found = kept if isinstance(kept, list) else [kept]
        return [Console(each.id, each.name, parseTarget(each.url, each.password)) for each in found]
    except (msgspec.MsgspecError, RequestError) as error:
        raise TokensUnreachable("the record of a console cannot be read") from error
