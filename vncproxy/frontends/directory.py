"""
A directory of somebody's own files, such as a noVNC tree, in place of our page. No listings, and nothing outside of it
but what a symbolic link in it leads to on purpose.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from twisted.logger import Logger

from vncproxy.errors import ConfigError
from vncproxy.frontends.pages import Body, Page

_log = Logger()

INDEX: Final = "index.html"

LARGEST: Final = 32 * 1024 * 1024
"""
The largest file that is served, in bytes: it is held in memory.
"""

_TEXTS: Final = ("text/", "application/javascript", "application/json", "image/svg+xml")

# Debian's list of types, which the machine may not have, is not relied on: a module with a wrong type does not run.
_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".wasm": "application/wasm",
}


class DirectoryPages(Mapping[str, Page]):
    """
    The files below a directory as they are now, by path without its leading slash.
    """

    def __init__(self, directory: str) -> None:
        """
        @raise ConfigError: there is no such directory.
        """
        self._root = Path(directory)
        if not self._root.is_dir():
            raise ConfigError(f"[web] directory: {directory} is no directory")
        # Of each path: what it looked like, and the page that was made of it.
        self._known: dict[Path, tuple[tuple[int, int], Page]] = {}

    def __getitem__(self, path: str) -> Page:
        found = self._find(path)
        if found is None:
            raise KeyError(path)
        return found

    def __iter__(self) -> Iterator[str]:
        return (str(path.relative_to(self._root)) for path in sorted(self._root.rglob("*")) if path.is_file())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _find(self, path: str) -> Page | None:
        parts = unquote(path).split("/")
        if parts[-1] == "":
            parts[-1] = INDEX
        # Neither upwards, nor hidden files such as .git, nor a second slash, which would begin anew at the root.
        if any(part == "" or part.startswith(".") or "\0" in part or "\\" in part for part in parts):
            return None
        file = self._root.joinpath(*parts)
        try:
            found = file.stat()
            if not file.is_file():
                return None
            stamp = (found.st_mtime_ns, found.st_size)
            known = self._known.get(file)
            if known is None or known[0] != stamp:
                if found.st_size > LARGEST:
                    _log.warn("{path} is not served: it is larger than {most} bytes", path=str(file), most=LARGEST)
                    return None
                known = self._known[file] = (stamp, _page(file))
        except OSError:
            return None
        return known[1]


def _page(file: Path) -> Page:
    data = file.read_bytes()
    kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if kind.startswith(_TEXTS):
        kind += "; charset=utf-8"
    etag = f'W/"{hashlib.sha256(data).hexdigest()[:32]}"'
    return Page(kind, etag, forever=False, bodies=(Body("", data),))
