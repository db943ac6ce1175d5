"""
The JSON objects of nova's dialect, as typed values: as much of them as its clients need to open consoles.
"""

from __future__ import annotations

import msgspec

from vncproxy.api.messages import Shape


class Link(Shape, frozen=True):
    """Where something is found again."""

    rel: str
    href: str


class Version(Shape, frozen=True):
    """What is served, and in which microversions. C{updated} is the birthday of nova's v2.1."""

    id: str
    status: str
    version: str
    min_version: str
    links: tuple[Link, ...]
    updated: str = "2013-07-23T11:33:21Z"


class Versions(Shape, frozen=True):
    """All versions that are served."""

    versions: tuple[Version, ...]


class VersionDocument(Shape, frozen=True):
    """One of them."""

    version: Version


class Server(Shape, frozen=True):
    """A console, as the server that it belongs to. Whether that runs is not known here: it is told as if it did."""

    id: str
    name: str
    links: tuple[Link, ...]
    status: str = "ACTIVE"


class ServerDocument(Shape, frozen=True):
    """One server."""

    server: Server


class ServerList(Shape, frozen=True):
    """Servers, ordered by id."""

    servers: tuple[Server, ...]


class RemoteConsoleWish(Shape, frozen=True):
    """Which kind of console."""

    protocol: str
    type: str


class RemoteConsoleRequest(Shape, frozen=True):
    """The body of C{POST /servers/{id}/remote-consoles}."""

    remote_console: RemoteConsoleWish


class RemoteConsole(Shape, frozen=True):
    """A way into a console."""

    protocol: str
    type: str
    url: str

    def __repr__(self) -> str:
        """
        Without the URL, which holds the token.
        """
        return f"RemoteConsole(type={self.type!r})"


class RemoteConsoleDocument(Shape, frozen=True):
    """The answer to it."""

    remote_console: RemoteConsole


class ActionWish(Shape, frozen=True):
    """Which kind of console, in the older way."""

    type: str


class ActionRequest(Shape, frozen=True):
    """The body of C{POST /servers/{id}/action}: exactly one of its keys."""

    vnc: ActionWish | None = msgspec.field(default=None, name="os-getVNCConsole")
    spice: ActionWish | None = msgspec.field(default=None, name="os-getSPICEConsole")
    serial: ActionWish | None = msgspec.field(default=None, name="os-getSerialConsole")
    rdp: ActionWish | None = msgspec.field(default=None, name="os-getRDPConsole")


class ActionConsole(Shape, frozen=True):
    """A way into a console."""

    type: str
    url: str

    def __repr__(self) -> str:
        """
        Without the URL, which holds the token.
        """
        return f"ActionConsole(type={self.type!r})"


class ActionDocument(Shape, frozen=True):
    """The answer to it."""

    console: ActionConsole


class TokenConsole(Shape, frozen=True):
    """Where a token leads; without an address where it leads to none that TCP knows."""

    instance_uuid: str
    host: str | None
    port: int | None
    internal_access_path: str | None = None


class TokenDocument(Shape, frozen=True):
    """The answer to C{GET /os-console-auth-tokens/{token}}."""

    console: TokenConsole
