"""
The consoles that the configuration names.
"""

from __future__ import annotations

from collections.abc import Iterable

from zope.interface import implementer

from vncproxy.errors import ConsoleUnknown
from vncproxy.interfaces import IDirectory
from vncproxy.model import Console


@implementer(IDirectory)
class StaticDirectory:
    """
    Consoles that never change.
    """

    def __init__(self, consoles: Iterable[Console]) -> None:
        """
        @param consoles: each of an id of its own.
        """
        self._consoles = {console.id: console for console in consoles}

    async def resolve(self, consoleID: str) -> Console:
        """
        See L{IDirectory.resolve}.
        """
        try:
            return self._consoles[consoleID]
        except KeyError:
            raise ConsoleUnknown(f"the configuration names no console {consoleID}") from None
