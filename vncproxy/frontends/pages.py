"""
The browser's page as it is served: files made at build time, held in memory with their compressed forms.

The page itself is asked for again each time, with an C{ETag}; what it links to carries a hash of its content in its
name and is cached for good. So an upgrade never mixes old and new files.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from vncproxy.errors import ConfigError

STATIC: Final = Path(__file__).resolve().parent.parent / "static"
"""
Where the build puts the page.
"""

PAGE: Final = "vnc_auto.html"

ALIASES: Final = ("", "vnc.html", "vnc_lite.html", PAGE)
"""
The names under which the page is asked for, by us and by what used to link to a noVNC page.
"""

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}

_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""
The compressed forms in the order of preference, with the endings of their files.
"""

_NEVER: Final = re.compile(r"q=0(\.0{0,3})?")


@attrs.frozen
class Body:
    """
    One form of a page.

    @ivar encoding: its C{Content-Encoding}, empty for none.
    """

    encoding: str
    data: bytes = attrs.field(repr=False)


@attrs.frozen
class Page:
    """
    One thing that is served.

    @ivar etag: of its plain form; weak, as it stands for the compressed ones too (RFC 9110 section 8.8.1).
    @ivar forever: its name changes with its content.
    """

    contentType: str
    etag: str
    forever: bool
    bodies: tuple[Body, ...]

    def body(self, acceptEncoding: str) -> Body:
        """
        The smallest form that the client takes (RFC 9110 section 12.5.3).
        """
        takes = {}
        for part in acceptEncoding.lower().split(","):
            name, _, parameter = part.partition(";")
            takes[name.strip()] = not _NEVER.fullmatch(parameter.replace(" ", ""))
        others = takes.get("*", False)
        return next(body for body in self.bodies if not body.encoding or takes.get(body.encoding, others))

    def isHeld(self, ifNoneMatch: str) -> bool:
        """
        Whether the client has it already (RFC 9110 section 13.1.2).
        """
        held = {tag.strip().removeprefix("W/") for tag in ifNoneMatch.split(",")}
        return not held.isdisjoint(("*", self.etag.removeprefix("W/")))


def _load(path: Path, forever: bool) -> Page:
    plain = path.read_bytes()
    bodies = [
        Body(encoding, compressed.read_bytes())
        for encoding, ending in _ENCODINGS.items()
        if (compressed := path.with_name(path.name + ending)).is_file()
    ]
    return Page(
        contentType=_TYPES[path.suffix],
        etag=f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"',
        forever=forever,
        bodies=(*bodies, Body("", plain)),
    )


def loadPages(directory: Path = STATIC) -> Mapping[str, Page]:
    """
    Everything that is served, by path without its leading slash. Nothing else in the directory can be reached.

    @raise ConfigError: the page was never built.
    """
    if not (directory / PAGE).is_file():
        raise ConfigError(f"the browser page is not built: {directory / PAGE} is missing. Build it with: make pages")
    pages = {path.name: _load(path, forever=False) for path in _servable(directory)}
    for path in _servable(directory / "assets"):
        pages[f"assets/{path.name}"] = _load(path, forever=True)
    for alias in ALIASES:
        pages[alias] = pages[PAGE]
    return pages


def _servable(directory: Path) -> Sequence[Path]:
    return [path for path in sorted(directory.glob("*")) if path.is_file() and path.suffix in _TYPES]
