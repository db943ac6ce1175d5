"""
The token sources that are files. All of this runs in a thread: a file may lie on a disk that does not answer.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from vncproxy.model import Target
from vncproxy.tokens.websockify.formats import UNIX_SOCKET, makeTarget, parseAddress, parseTokenLines

_log = Logger()

_MOST_BYTES: Final = 64 * 1024 * 1024
"""
Of one token file: about a million tokens.
"""

_MOST_ADDRESS_BYTES: Final = 4096

_LONGEST_NAME: Final = 255
"""
No file's name is longer, in bytes, nor any UNIX socket's path: what is, names nothing.
"""


def _read(path: Path, limit: int) -> str:
    with path.open("rb") as file:
        # What a path names may be a device or a pipe that never ends.
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no file", str(path))
        return file.read(limit).decode("utf-8", "replace")


class TokenFile:
    """
    Lines C{TOKEN: HOST:PORT} in a file, or in all the files of a directory; read anew at each look.
    """

    def __init__(self, source: str) -> None:
        self._path = Path(source)

    def look(self, token: str) -> Target | None:
        """
        The target of C{token}, L{None} if no line names it.

        @raise OSError: it cannot be read.
        """
        return self._load().get(token)

    def _load(self) -> dict[str, Target]:
        paths = [self._path]
        if self._path.is_dir():
            paths = sorted(path for path in self._path.iterdir() if path.is_file())
        targets: dict[str, Target] = {}
        for path in paths:
            lines = parseTokenLines(_read(path, _MOST_BYTES))
            targets |= lines.targets
            for number, cause in lines.faults:
                _log.warn("{path}:{line}: {cause}", path=str(path), line=number, cause=cause)
        return targets


class ReadOnlyTokenFile(TokenFile):
    """
    The same, read once.
    """

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self._targets: dict[str, Target] | None = None

    def look(self, token: str) -> Target | None:
        """
        See L{TokenFile.look}.
        """
        # Two threads at a time read it twice: no harm.
        if self._targets is None:
            self._targets = self._load()
        return self._targets.get(token)


class TokenFileName:
    """
    A directory of files: the name is the token, the content is C{HOST:PORT}.
    """

    def __init__(self, source: str) -> None:
        self._directory = Path(source)

    def look(self, token: str) -> Target | None:
        """
        The target of C{token}, L{None} if there is no such file. Of a token that is a path, the last part counts.

        @raise BadEntry: the file holds no address.
        @raise OSError: it cannot be read.
        """
        name = os.path.basename(token)
        path = self._directory / name
        if not name or "\0" in name or len(name.encode("utf-8", "replace")) > _LONGEST_NAME or not path.is_file():
            return None
        return parseAddress(_read(path, _MOST_ADDRESS_BYTES))


class UnixDomainSocketDirectory:
    """
    A directory of UNIX sockets: the name is the token. Nothing outside of it is reached, neither by way of C{..} nor of
    symbolic links.
    """

    def __init__(self, source: str) -> None:
        self._directory = source

    def look(self, token: str) -> Target | None:
        """
        The socket of this name, L{None} if there is none.

        @raise BadEntry: its path is too long to be connected to.
        """
        if not token or "\0" in token or len(token.encode("utf-8", "replace")) > _LONGEST_NAME:
            return None
        directory = os.path.realpath(self._directory)
        path = os.path.realpath(os.path.join(directory, token))
        if os.path.commonpath([directory, path]) != directory:
            return None
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return makeTarget(UNIX_SOCKET, path) if stat.S_ISSOCK(found.st_mode) else None
