"""
Where a store is: the URLs of C{[store] url}.

::

    sqlite:/ABSOLUTE/PATH                            a file of this host
    redis://[USER@]HOST[:PORT][/DB]                  Redis over TCP
    rediss://[USER@]HOST[:PORT][/DB]                 over TLS, the server's certificate verified
    redis+unix:///ABSOLUTE/PATH[?db=DB]              over a UNIX socket; C{redis+unix://USER@/…} with a user
    redis+sentinel://[USER@]HOST[:PORT],…/NAME[/DB]  the master that Sentinels call NAME

In place of C{USER} there may be C{USER:PASSWORD} or C{:PASSWORD}, percent-encoded; a file of its own keeps a password
better (C{[store] password_file}).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

import attrs

from vncproxy.config.problems import Fault
from vncproxy.errors import RequestError
from vncproxy.targets import isHost

_PORT: Final = re.compile(r"[0-9]{1,5}")
_DATABASE: Final = re.compile(r"[0-9]{1,5}")
_MASTER: Final = re.compile(r"[A-Za-z0-9._-]{1,255}")
_REDIS_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379

# Linux, unix(7): sun_path holds 108 bytes, the last of them a NUL.
_LONGEST_SOCKET_PATH: Final = 107


class BadStore(RequestError):
    """
    Text that names no store. It quotes nothing, as there may be a password in it.

    @ivar fault: what is wrong, and what to write instead.
    """

    def __init__(self, cause: str, cure: str) -> None:
        super().__init__(f"{cause}. {cure}")
        self.fault = Fault(cause, cure)


@attrs.frozen
class SQLitePlace:
    """
    A file.

    @ivar path: absolute.
    """

    path: str


@attrs.frozen
class RedisPlace:
    """
    A Redis, or the Sentinels that know where it is.

    @ivar addresses: host and port of the Redis, or of each Sentinel; none for a UNIX socket.
    @ivar path: of a UNIX socket; empty otherwise.
    @ivar master: what the Sentinels call it; empty where there are none.
    @ivar tls: whether TLS is spoken.
    @ivar database: its number.
    @ivar user: L{None} is the default user.
    @ivar password: L{None} for none, or for one that stands elsewhere.
    """

    addresses: tuple[tuple[str, int], ...] = ()
    path: str = ""
    master: str = ""
    tls: bool = False
    database: int = 0
    user: str | None = None
    password: str | None = attrs.field(default=None, repr=False)

    @property
    def name(self) -> str:
        """
        What logs and errors call it: where it is, and nothing of who we are there.
        """
        if self.path:
            return f"Redis at {self.path}"
        places = ", ".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.addresses)
        return f"Redis {self.master!r} of the Sentinels at {places}" if self.master else f"Redis at {places}"


def parseStore(url: str) -> SQLitePlace | RedisPlace:
    """
    Read the URL of a store.

    @raise BadStore: it names none.
    """
    scheme, colon, rest = url.partition(":")
    if not colon or "\0" in url or scheme not in ("sqlite", "redis", "rediss", "redis+unix", "redis+sentinel"):
        raise BadStore("it names no store", 'Write "sqlite:" and an absolute path, or "redis://" and a host.')
    if scheme == "sqlite":
        if not rest.startswith("/") or rest == "/":
            raise BadStore("it names no file", 'Write "sqlite:" and an absolute path.')
        return SQLitePlace(rest)
    if not rest.startswith("//"):
        raise BadStore("two slashes are missing", f'Write "{scheme}://" before the address.')
    if "#" in rest:
        raise BadStore('it holds a "#"', 'In a password, write "%23" for it.')
    credentials, at, rest = rest[2:].rpartition("@")
    user, password = _credentials(credentials) if at else (None, None)
    place = _unix(rest) if scheme == "redis+unix" else _network(scheme, rest)
    return attrs.evolve(place, user=user, password=password)


def _credentials(text: str) -> tuple[str | None, str | None]:
    if "/" in text or "@" in text:
        raise BadStore('what stands before the last "@" is no user and password', 'Write "/" as %2F and "@" as %40.')
    user, colon, password = text.partition(":")
    try:
        parts = [unquote(part, errors="strict") for part in (user, password)]
    except UnicodeError as error:
        raise BadStore("its user or password is not UTF-8", "Write it percent-encoded, in UTF-8.") from error
    return parts[0] or None, parts[1] if colon else None


def _unix(rest: str) -> RedisPlace:
    path, query, tail = rest.partition("?")
    if query and not tail.startswith("db="):
        raise BadStore("something follows the path", 'Write no more than "?db=NUMBER" behind it.')
    if not path.startswith("/"):
        raise BadStore("its path is not absolute", "Write three slashes, as redis+unix:///run/redis/redis.sock.")
    try:
        path = unquote(path, errors="strict")
        size = len(path.encode())
    except UnicodeError as error:
        raise BadStore("its path is not UTF-8", "Rename the socket.") from error
    if size > _LONGEST_SOCKET_PATH or "\0" in path:
        raise BadStore("its path is none of a socket", f"Write one of at most {_LONGEST_SOCKET_PATH} bytes.")
    return RedisPlace(path=path, database=_database(tail.removeprefix("db=")) if query else 0)


def _network(scheme: str, rest: str) -> RedisPlace:
    if "?" in rest:
        raise BadStore('it holds a "?"', 'Write the number of a database behind a slash. In a password, "?" is %3F.')
    hosts, *steps = rest.split("/")
    sentinel = scheme == "redis+sentinel"
    addresses = tuple(_address(each, _SENTINEL_PORT if sentinel else _REDIS_PORT) for each in hosts.split(","))
    if len(addresses) > 1 and not sentinel:
        raise BadStore("it names several hosts", 'Write one, or "redis+sentinel://" if they are Sentinels.')
    master = ""
    if sentinel:
        master = steps.pop(0) if steps else ""
        if not _MASTER.fullmatch(master):
            raise BadStore("it does not say which master", "Write its name behind a slash, as in …:26379/mymaster.")
    if len(steps) > 1:
        raise BadStore("something follows the database", "Write its number last.")
    # A slash at the end, with nothing behind it, is what many people write.
    database = _database(steps[0]) if steps and steps[0] else 0
    return RedisPlace(addresses=addresses, master=master, tls=scheme == "rediss", database=database)


def _address(text: str, default: int) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        if not bracket or ":" not in host or tail[:1] not in ("", ":"):
            raise BadStore("its brackets do not hold an IPv6 address", "Write it as [2001:db8::5]:6379.")
        port = tail[1:] if tail else str(default)
    else:
        host, colon, port = text.partition(":")
        port = port if colon else str(default)
    if not isHost(host):
        raise BadStore("it names no host", "Write a name, an IPv4 address or an IPv6 address in brackets.")
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise BadStore("its port is not a number from 1 to 65535", f"Write it behind the host, as :{default}.")
    return host, int(port)


def _database(text: str) -> int:
    if not _DATABASE.fullmatch(text):
        raise BadStore("its database is not a number", "Write a number such as 0.")
    return int(text)
