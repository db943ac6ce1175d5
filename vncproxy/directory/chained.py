"""
Several directories, asked in turn.
"""

from __future__ import annotations

from collections.abc import Iterable

from zope.interface import implementer

from vncproxy.errors import ConsoleUnknown
from vncproxy.interfaces import IDirectory
from vncproxy.model import Console


@implementer(IDirectory)
class ChainedDirectory:
    """
    The first directory that knows a console wins.
    """

    def __init__(self, directories: Iterable[IDirectory]) -> None:
        self._directories = tuple(directories)

    async def resolve(self, consoleID: str) -> Console:
        """
        See L{IDirectory.resolve}. A directory that cannot say is not passed over: the next one might know a console of
        the same id that is not meant.
        """
        for directory in self._directories:
            try:
                return await directory.resolve(consoleID)
            except ConsoleUnknown:
                continue
        raise ConsoleUnknown(f"no directory knows the console {consoleID}")
