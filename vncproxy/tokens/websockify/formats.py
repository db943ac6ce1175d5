"""
What websockify's token sources hold, as text to targets. Pure.

::

    TokenFile           TOKEN: HOST:PORT                    a line each; a blank or a tab behind the first colon
    TokenFileName       HOST:PORT                           the file's name is the token
    BaseTokenAPI        HOST:PORT                           the body of a response
    JSONTokenApi        {"host": HOST, "port": PORT}        the body of a response
    JWTTokenApi         {"host": HOST, "port": PORT}        the claims
    TokenRedis          HOST:PORT or {"host": "HOST:PORT"}  the value of a key

All is read as websockify 0.13 reads it. Beyond that, an IPv6 address may stand in brackets or not wherever a host and a
port are one text, and C{{"host": HOST, "port": PORT}} may stand in Redis, too. The host C{unix_socket} is magic: what
stands in the port's place is the path of a UNIX socket then.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast
from urllib.parse import parse_qs, unquote, urlsplit

import attrs
import msgspec

from vncproxy.model import Target, TargetKind
from vncproxy.targets import LONGEST_SOCKET_PATH, isHost

UNIX_SOCKET: Final = "unix_socket"

_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_SEPARATOR: Final = re.compile(r":\s")
_FIELD: Final = re.compile(r'(?:"([^"]+)"|([^:]*))(:|$)')
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class BadEntry(ValueError):
    """
    What a source says of a token names no target. The text says why, and quotes nothing.
    """


@attrs.frozen
class TokenLines:
    """
    What a token file says.

    @ivar targets: by token; the last line of a token counts.
    @ivar faults: line number and cause of each line that makes no sense.
    """

    targets: dict[str, Target] = attrs.field(repr=False)
    faults: tuple[tuple[int, str], ...]


@attrs.frozen
class RedisPlace:
    """
    Where tokens are kept in Redis.

    @ivar prefix: stands before a token in its key; with its colon.
    @ivar user: whom the password is of; empty for Redis' default one.
    @ivar secure: over TLS.
    """

    host: str
    port: int = 6379
    database: int = 0
    password: str | None = attrs.field(default=None, repr=False)
    prefix: str = ""
    user: str = ""
    secure: bool = False


def makeTarget(host: object, port: object) -> Target:
    """
    The raw target of a host and a port as a source has them.

    @param host: a text; C{unix_socket} makes a path of C{port}.
    @param port: a number, or a text of digits.

    @raise BadEntry: they make none.
    """
    host, port = _text(host), _text(port)
    if host == UNIX_SOCKET:
        return _socket(port)
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    if not isHost(host):
        raise BadEntry("its host is neither a host name nor an IP address")
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise BadEntry("its port is not a number from 1 to 65535")
    return Target(TargetKind.TCP, host=host, port=int(port))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    # True is an int, too.
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _socket(path: str) -> Target:
    if not path.startswith("/") or _CONTROL.search(path):
        raise BadEntry("its UNIX socket is no absolute path")
    if len(path.encode(errors="replace")) > LONGEST_SOCKET_PATH:
        raise BadEntry(f"the path of its UNIX socket is longer than {LONGEST_SOCKET_PATH} bytes")
    return Target(TargetKind.UNIX, path=path)


def parseAddress(text: str) -> Target:
    """
    The raw target of C{HOST:PORT}, C{[HOST]:PORT} or C{unix_socket:PATH}. An IPv6 address without brackets ends at the
    last colon.

    @raise BadEntry: it is none of these.
    """
    text = text.strip()
    if text.startswith(f"{UNIX_SOCKET}:"):
        return makeTarget(UNIX_SOCKET, text.partition(":")[2])
    host, colon, port = text.rpartition(":")
    if not colon:
        raise BadEntry("it is not of the form HOST:PORT")
    return makeTarget(host, port)


def parseTokenLines(text: str) -> TokenLines:
    """
    Read a token file: C{TOKEN: HOST:PORT} a line. A C{#} in front makes a comment; blanks around a line do not count.
    """
    targets: dict[str, Target] = {}
    faults: list[tuple[int, str]] = []
    # Not splitlines: the line ends are those of text files, and no others.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        try:
            token, address = _SEPARATOR.split(line)
        except ValueError:
            faults.append((number, "it is not of the form TOKEN: HOST:PORT"))
            continue
        try:
            targets[token] = parseAddress(address)
        except BadEntry as error:
            faults.append((number, str(error)))
    return TokenLines(targets, tuple(faults))


def parseTargetObject(data: bytes | str) -> Target:
    """
    Read C{{"host": HOST, "port": PORT}}, JSON.

    @raise BadEntry: it is not that.
    """
    fields = _object(data)
    return makeTarget(fields.get("host"), fields.get("port"))


def parseRedisValue(data: bytes) -> Target:
    """
    Read the value of a token's key.

    @raise BadEntry: it holds no target.
    """
    text = data.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return parseAddress(text)
    fields = _object(text)
    if "port" in fields:
        return makeTarget(fields.get("host"), fields["port"])
    return parseAddress(_text(fields.get("host")))


def _object(data: bytes | str) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadEntry("it is not JSON") from error
    if not isinstance(fields, dict):
        raise BadEntry("it is no JSON object")
    return fields


def splitFields(text: str) -> list[str]:
    """
    The fields of C{a:b:c}; one in double quotes may hold colons.
    """
    fields: list[str] = []
    position, more = 0, ":"
    while more:
        # There is always one, if only an empty one.
        found = cast(re.Match[str], _FIELD.match(text, position))
        fields.append(found[1] or found[2] or "")
        position, more = found.end(), found[3]
    return fields


def parseRedisSource(text: str) -> RedisPlace:
    """
    Read C{HOST[:PORT[:DB[:PASSWORD[:NAMESPACE]]]]}; what is empty is as it is by default. Beyond websockify, a URL is
    understood, too: C{redis://[USER:PASSWORD@]HOST[:PORT][/DB][?namespace=NAMESPACE]}, and C{rediss://} over TLS.

    @raise ValueError: it is not of this form. The text quotes nothing of it.
    """
    if text.startswith(("redis://", "rediss://")):
        return _redisURL(text)
    fields = splitFields(text)
    if len(fields) > 5:
        raise ValueError("it has more than five fields; one that holds a colon stands in double quotes")
    host, port, database, password, namespace = (*fields, *[""] * (5 - len(fields)))
    if not isHost(host):
        raise ValueError("its host is neither a host name nor an IP address")
    if not all(re.fullmatch(r"[0-9]{0,5}", number, re.ASCII) for number in (port, database)):
        raise ValueError("its port or its database is no number")
    if not 1 <= int(port or 6379) <= 65535:
        raise ValueError("its port is not a number from 1 to 65535")
    return RedisPlace(host, int(port or 6379), int(database or 0), password or None, namespace and f"{namespace}:")


def _redisURL(text: str) -> RedisPlace:
    try:
        parts = urlsplit(text)
        port = parts.port or 6379
        namespaces = parse_qs(parts.query, strict_parsing=True, max_num_fields=1) if parts.query else {}
    except ValueError:
        raise ValueError("its URL is none") from None
    if not isHost(parts.hostname or "") or parts.fragment or not set(namespaces) <= {"namespace"}:
        raise ValueError("its URL is not of the form redis://USER:PASSWORD@HOST:PORT/DB?namespace=NAMESPACE")
    if not re.fullmatch(r"/?[0-9]{0,5}", parts.path, re.ASCII):
        raise ValueError("its database is no number")
    return RedisPlace(
        host=parts.hostname or "",
        port=port,
        database=int(parts.path.removeprefix("/") or 0),
        password=unquote(parts.password) if parts.password else None,
        prefix="".join(f"{name}:" for name in namespaces.get("namespace", ())),
        user=unquote(parts.username or ""),
        secure=parts.scheme == "rediss",
    )
