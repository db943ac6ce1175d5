"""
The JSON objects of API v1, as typed values. Their descriptions are what the OpenAPI document says of them.

Times are RFC 3339 in UTC with whole seconds (C{2026-11-20T15:14:29Z}).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta

from vncproxy.config.shapes import CONSOLE_ID, LONGEST_SECONDS, MOST_USES
from vncproxy.model import Console, ConsoleType, Session
from vncproxy.targets import formatTarget

#: L{CONSOLE_ID<vncproxy.config.shapes.CONSOLE_ID>} as JSON Schema writes it.
CONSOLE_ID_PATTERN: Final = f"^{CONSOLE_ID.pattern}$"

_PORT: Final = ":([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_LABEL: Final = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# A last label of digits alone would make the name a number, which is not what an IPv4 address looks like.
_LAST_LABEL: Final = "([1-9][0-9]{0,8})?[A-Za-z_]([A-Za-z0-9_-]{0,51}[A-Za-z0-9_])?"
_NAME: Final = rf"({_LABEL}\.){{0,15}}{_LAST_LABEL}"
_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = rf"{_OCTET}(\.{_OCTET}){{3}}"
_HEX: Final = "[0-9A-Fa-f]{1,4}"
_IPV6: Final = rf"\[(({_HEX}:){{7}}{_HEX}|({_HEX}:){{1,6}}:{_HEX}|::({_HEX}:){{0,5}}{_HEX}|::)\]"
_PATH: Final = "(/([A-Za-z0-9._~:@+=,-]|%2[0-9A-F]|%[3-6][0-9A-F]|%7[0-9A-E])+)+"

#: The target URLs that are understood, as a JSON schema. The grammar itself is L{vncproxy.targets}, which also takes a
#: few rare spellings beside these. The lengths are those of a host name (RFC 1035) and of a socket's path (unix(7)).
TARGET_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        {"pattern": f"^vnc://({_NAME}|{_IPV4}|{_IPV6})({_PORT})?$", "maxLength": len("vnc://") + 253},
        {"pattern": rf"^vnc\+unix://{_PATH}$", "maxLength": len("vnc+unix://") + 107},
        {"pattern": f"^tcp://({_NAME}|{_IPV4}|{_IPV6}){_PORT}$", "maxLength": len("tcp://") + 253},
        {"pattern": rf"^unix://{_PATH}$", "maxLength": len("unix://") + 107},
    ]
}

Moment = Annotated[datetime, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-11-20T15:14:29Z"])]


def moment(seconds: float) -> datetime:
    """
    Seconds since the epoch as the API tells them.
    """
    return datetime.fromtimestamp(int(seconds), UTC)


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What all JSON objects of the API have in common: they are frozen, and a key that is unknown is an error.
    """


class ErrorDetail(Shape, frozen=True):
    """What went wrong."""

    code: Annotated[int, Meta(description="The HTTP status.", ge=400, le=599)]
    reason: Annotated[str, Meta(description="A stable word for programs.", examples=["console_unknown"])]
    message: Annotated[str, Meta(description="A sentence for people.")]


class ErrorReply(Shape, frozen=True):
    """How every error is told."""

    error: ErrorDetail


class ConsoleDefinition(Shape, frozen=True):
    """How a console is reached. What is left out is not kept from an earlier definition."""

    # Nobody logs in to a raw console.
    together: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"properties": {"url": {"type": "string", "pattern": "^vnc"}}},
            {"properties": {"password": {"type": "null"}}},
        ]
    }

    url: Annotated[
        str,
        Meta(
            description="Its target: `vnc://HOST:PORT` (5900 where no port is given, an IPv6 address in brackets) or "
            "`vnc+unix:///PATH`; `tcp://HOST:PORT` or `unix:///PATH` for bytes that are passed on as they are. A "
            "password does not belong in it.",
            max_length=1024,
            examples=["vnc://10.0.0.5:5901", "vnc+unix:///run/vm/console.sock"],
            extra_json_schema=TARGET_SCHEMA,
        ),
    ]
    name: (
        Annotated[
            str,
            Meta(
                description="What a person calls it; the id, where nothing is given. No control characters.",
                min_length=1,
                max_length=256,
                extra_json_schema={"pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$"},
            ),
        ]
        | None
    ) = None
    password: (
        Annotated[
            str,
            Meta(
                description="For the VNC server's own authentication, of which only the first 8 bytes count. It is "
                "never shown again.",
                min_length=1,
                max_length=256,
                extra_json_schema={"format": "password", "writeOnly": True},
            ),
        ]
        | None
    ) = None

    def __repr__(self) -> str:
        """
        Without the password.
        """
        return f"ConsoleDefinition(url={self.url!r}, name={self.name!r})"


class ConsoleView(Shape, frozen=True):
    """A console. Its credentials are never shown."""

    id: str
    name: str
    url: Annotated[str, Meta(description="Its target, without credentials.")]
    has_password: Annotated[bool, Meta(description="Whether a password is kept for it.")]
    source: Annotated[
        str,
        Meta(
            description="Where it is defined: in the configuration file, or through this API.",
            extra_json_schema={"enum": ["config", "api"]},
        ),
    ]

    @classmethod
    def of(cls, console: Console, source: str) -> ConsoleView:
        """
        The console as the API shows it.
        """
        return cls(
            id=console.id,
            name=console.name,
            url=formatTarget(console.target),
            has_password=console.target.password is not None,
            source=source,
        )


class ConsoleList(Shape, frozen=True):
    """All consoles, ordered by id."""

    consoles: tuple[ConsoleView, ...]


class AccessWish(Shape, frozen=True):
    """What an access URL shall allow. Every key may be left out."""

    type: Annotated[
        ConsoleType,
        Meta(description="For a browser (`novnc`), or for a Java or raw TCP client (`xvpvnc`)."),
    ] = ConsoleType.NOVNC
    view_only: Annotated[bool, Meta(description="The viewer sees the console and cannot touch it.")] = False
    ttl: (
        Annotated[
            int,
            Meta(
                description="Seconds; the configuration's `token_ttl` else.", ge=1, le=LONGEST_SECONDS, examples=[600]
            ),
        ]
        | None
    ) = None
    uses: (
        Annotated[
            int,
            Meta(
                description="How often it may be redeemed; 0 is any number until it expires. The configuration's "
                "`uses` else.",
                ge=0,
                le=MOST_USES,
                examples=[1],
            ),
        ]
        | None
    ) = None
    client_address: (
        Annotated[
            str,
            Meta(
                description="The only IP address from which it may be redeemed.",
                examples=["203.0.113.9"],
                extra_json_schema={"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
            ),
        ]
        | None
    ) = None


class Access(Shape, frozen=True):
    """A way into a console. This is the only time at which its token is known."""

    type: ConsoleType
    url: Annotated[str, Meta(description="What the viewer opens. Who has it, has the console.")]
    token: Annotated[str, Meta(description="The secret inside `url`.")]
    expires: Annotated[Moment, Meta(description="From then on it is not redeemed any more (RFC 3339, UTC).")]

    def __repr__(self) -> str:
        """
        Without the token.
        """
        return f"Access(type={self.type!r}, expires={self.expires!r})"


class Revoked(Shape, frozen=True):
    """How many tokens were revoked."""

    deleted: Annotated[int, Meta(ge=0)]


class SessionView(Shape, frozen=True):
    """One live connection between a viewer and a console."""

    id: str
    console: Annotated[str, Meta(description="The console's id.")]
    console_name: str
    frontend: Annotated[str, Meta(description="What the viewer connected to.", examples=["web", "java"])]
    client: Annotated[str, Meta(description="The viewer's address.")]
    proxy: Annotated[str, Meta(description="The proxy that carries it.")]
    token: Annotated[str, Meta(description="The first 8 hexadecimal digits of the SHA-256 of its token.")]
    view_only: bool
    resumed: Annotated[bool, Meta(description="The viewer came back with a token that it had used before.")]
    started: Moment
    bytes_in: Annotated[int, Meta(description="From the viewer to the console.", ge=0)]
    bytes_out: Annotated[int, Meta(description="From the console to the viewer.", ge=0)]
    owner: Annotated[
        str, Meta(description="The name of the API key that its token was minted with; empty where that is not known.")
    ] = ""

    @classmethod
    def of(cls, session: Session) -> SessionView:
        """
        The session as the API shows it.
        """
        return cls(
            id=session.id,
            console=session.consoleID,
            console_name=session.consoleName,
            frontend=session.frontend,
            client=session.client,
            proxy=session.proxy,
            token=session.tokenID,
            view_only=session.viewOnly,
            resumed=session.resumed,
            started=moment(session.started),
            bytes_in=session.bytesIn,
            bytes_out=session.bytesOut,
            owner=session.owner,
        )


class SessionList(Shape, frozen=True):
    """All sessions that are up, oldest first."""

    sessions: tuple[SessionView, ...]


class Health(Shape, frozen=True):
    """The process is up."""

    status: Annotated[str, Meta(extra_json_schema={"enum": ["ok"]})] = "ok"


class Readiness(Shape, frozen=True):
    """Whether viewers can be served."""

    ready: bool
    problems: Annotated[tuple[str, ...], Meta(description="What stands in the way, in words.")] = ()
