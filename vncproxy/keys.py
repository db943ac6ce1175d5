"""
The API keys: whose key a secret is, and which keys there are.

::

    secret ──SHA-256──► the keys of this process ──► what was looked up lately ──► the store
                        api.key, always good         a few seconds old at most      by hash

Of a key the store holds the hash only. A secret has 256 random bits, so a plain SHA-256 is enough: there is nothing
that could be tried out. It is looked up by its hash, which nobody can aim, so the time that it takes tells nothing.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Final

import attrs
from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from vncproxy.errors import TokensUnreachable
from vncproxy.interfaces import IKeyRing, IStore
from vncproxy.model import APIKey, Role

_log = Logger()

BOOTSTRAP: Final = "api.key"
"""
The name of the key that a proxy makes for itself at its first start.
"""

PREFIX: Final = "vncproxy_"
"""
What secrets begin with, so that those who look for leaked ones know them when they see them.
"""

_MOST_KNOWN: Final = 256

_KNOWN_SECONDS: Final = 5.0
"""
For how long a key may be good here after it was removed in another process.
"""

_NOTING_SECONDS: Final = 60.0


def mintSecret() -> str:
    """
    The secret of a fresh key: 256 random bits.
    """
    return PREFIX + secrets.token_urlsafe(32)


def keyHash(secret: bytes) -> str:
    """
    What is kept of a key: its SHA-256, hexadecimal. White space around it does not count.
    """
    return sha256(secret.strip()).hexdigest()


def bootstrapKey(secret: bytes) -> APIKey:
    """
    The key that stands in a file of the state directory, and may do everything.
    """
    return APIKey(BOOTSTRAP, keyHash(secret), Role.ADMIN)


@implementer(IKeyRing)
class KeyRing:
    """
    The keys in a store, and those that this process was given.
    """

    def __init__(
        self,
        store: IStore,
        clock: IReactorTime,
        own: Sequence[APIKey],
        makeSecret: Callable[[], str] = mintSecret,
    ) -> None:
        """
        @param own: good whatever the store says; no key of the store has the name of one of them.
        """
        self._store = store
        self._clock = clock
        self._own = tuple(own)
        self._makeSecret = makeSecret
        # By hash: a key, and until when that may be taken for true. The least lately used comes first.
        self._known: OrderedDict[str, tuple[APIKey, float]] = OrderedDict()
        # How often keys have been removed here: what was looked up before is not to be kept after.
        self._removals = 0
        # By hash: when each was last used, as far as the store has not been told.
        self._used: dict[str, float] = {}
        self._noting = TimerService(_NOTING_SECONDS, self._noteQuietly)
        self._noting.clock = clock

    def start(self) -> None:
        """
        From now on tell the store every minute which keys were used.
        """
        self._noting.startService()

    async def stop(self) -> None:
        """
        Tell it for the last time.
        """
        if self._noting.running:
            await self._noting.stopService()
            await self._noteQuietly()

    async def whose(self, secret: bytes) -> APIKey | None:
        """
        See L{IKeyRing.whose}.
        """
        shown = keyHash(secret)
        # Every one is compared, whatever the ones before said.
        own = [each for each in self._own if compare_digest(each.hash, shown)]
        if own:
            return own[0]
        key = await self._find(shown)
        if key is not None:
            self._used[shown] = self._clock.seconds()
        return key

    async def add(self, name: str, role: Role, consoles: str | None = None) -> tuple[APIKey, str] | None:
        """
        Make a key. Returns it with its secret, which is known at this moment only; L{None} if the name is taken.

        @param consoles: the pattern of the ids that it may see; L{None} is all.
        """
        if any(each.name == name for each in self._own):
            return None
        secret = self._makeSecret()
        key = APIKey(name, keyHash(secret.encode()), role, consoles, created=self._clock.seconds())
        return (key, secret) if await self._store.addKey(key) else None

    async def keys(self) -> Sequence[APIKey]:
        """
        All keys, those of this process first, each with its last use.
        """
        kept = await self._store.keys()
        return [*self._own, *(self._withUse(key) for key in kept)]

    def owns(self, name: str) -> bool:
        """
        Whether this is the name of a key that this process was given, which so cannot be removed.
        """
        return any(each.name == name for each in self._own)

    async def remove(self, name: str) -> bool:
        """
        Remove a key: from now on it is nobody's. False if there was none of this name in the store.
        """
        removed = await self._store.deleteKey(name)
        self._removals += 1
        for shown in [shown for shown, (key, _) in self._known.items() if key.name == name]:
            del self._known[shown]
            self._used.pop(shown, None)
        return removed

    async def note(self) -> None:
        """
        Tell the store which keys were used since it was last told.
        """
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await self._store.touchKeys(used)
        except TokensUnreachable:
            self._used = used | self._used
            raise

    async def _find(self, shown: str) -> APIKey | None:
        known, until = self._known.get(shown, (None, 0.0))
        if known is not None and self._clock.seconds() < until:
            self._known.move_to_end(shown)
            return known
        self._known.pop(shown, None)
        while True:
            removals = self._removals
            key = await self._store.key(shown)
            if removals == self._removals:
                break
        # What is nobody's is not kept: whoever guesses could fill the memory, and a key made elsewhere is good at once.
        if key is not None:
            self._known[shown] = (key, self._clock.seconds() + _KNOWN_SECONDS)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return key

    def _withUse(self, key: APIKey) -> APIKey:
        used = self._used.get(key.hash)
        return key if used is None else attrs.evolve(key, lastUsed=max(used, key.lastUsed or 0.0))

    def _noteQuietly(self) -> Deferred[None]:
        def log(failure: Failure) -> None:
            if failure.check(TokensUnreachable):
                _log.warn("the last use of API keys was not noted: {error}", error=failure.getErrorMessage())
            else:
                _log.failure("the last use of API keys was not noted", failure)

        return Deferred.fromCoroutine(self.note()).addErrback(log)
