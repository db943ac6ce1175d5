"""
A store that forgets everything when it ends: the behaviour of L{IStore} in its plainest form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface import implementer

from vncproxy.errors import TokensUnreachable, TokenUnknown
from vncproxy.interfaces import IStore
from vncproxy.model import Console, TokenRecord
from vncproxy.tokens import rules


@implementer(IStore)
class MemoryStore:
    """
    Consoles and tokens in two dictionaries.
    """

    def __init__(self) -> None:
        self._consoles: dict[str, Console] = {}
        self._tokens: dict[str, TokenRecord] = {}
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

    async def abandonSessions(self, until: float) -> int:
        """
        See L{IStore.abandonSessions}.
        """
        self._check()
        touched = 0
        for tokenHash, record in self._tokens.items():
            self._tokens[tokenHash] = rules.abandoned(record, until)
            touched += self._tokens[tokenHash] is not record
        return touched

    async def purge(self, now: float) -> int:
        """
        See L{IStore.purge}.
        """
        self._check()
        return self._forget(lambda record: rules.dead(record, now))

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
