"""
The consoles that were registered over the API.
"""

from __future__ import annotations

from zope.interface import implementer

from vncproxy.errors import ConsoleUnknown
from vncproxy.interfaces import IDirectory, IStore
from vncproxy.model import Console


@implementer(IDirectory)
class StoredDirectory:
    """
    Consoles as the store has them now.
    """

    def __init__(self, store: IStore) -> None:
        self._store = store

    async def resolve(self, consoleID: str) -> Console:
        """
        See L{IDirectory.resolve}.

        @raise TokensUnreachable: the store does not answer.
        """
        console = await self._store.console(consoleID)
        if console is None:
            raise ConsoleUnknown(f"the store has no console {consoleID}")
        return console
