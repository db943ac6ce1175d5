"""
Target URLs: where a console is, written as one line.

::

    vnc://HOST[:PORT]           RFB over TCP; an IPv6 address stands in brackets, the port is 5900 unless given
    vnc+unix:///ABSOLUTE/PATH   RFB over a UNIX socket; odd characters of the path are percent-encoded
    tcp://HOST:PORT             raw bytes over TCP: a serial console, SPICE, VNC that the viewer logs in to itself
    unix:///ABSOLUTE/PATH       raw bytes over a UNIX socket

A password is never part of the URL: URLs end up in lists, logs and shell histories.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote, unquote

import attrs

from vncproxy.errors import RequestError
from vncproxy.model import Target, TargetKind

DEFAULT_PORT: Final = 5900

# Linux, unix(7): sun_path holds 108 bytes, the last of them a NUL.
LONGEST_SOCKET_PATH: Final = 107

_BLANK_OR_CONTROL: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_ZONE: Final = re.compile(r"[A-Za-z0-9_.-]+")


class BadTarget(RequestError):
    """
    Text that names no target.

    @ivar key: the name of what is wrong, as the API and the configuration call it.
    @ivar cause: what is wrong with it, without a full stop; it quotes no part of the text that may be a secret.
    @ivar cure: what to write instead, one sentence.
    """

    def __init__(self, key: str, cause: str, cure: str) -> None:
        super().__init__(f"{key}: {cause}. {cure}")
        self.key = key
        self.cause = cause
        self.cure = cure


def parseTarget(url: str, password: str | None = None) -> Target:
    """
    Read a target URL.

    @param password: what logs in to the console's RFB security.

    @raise BadTarget: it is none; the text says what to write instead.
    """
    if _BLANK_OR_CONTROL.search(url):
        raise _bad("it holds a blank or a control character", "Write it in one piece, such as vnc://10.0.0.5:5901.")
    scheme, separator, rest = url.partition("://")
    parse = _PARSERS.get(scheme.lower())
    if not separator or parse is None:
        raise _bad("it names no way to reach a console", "Write vnc://HOST:PORT or vnc+unix:///PATH.")
    target = parse(rest)
    if target.kind.raw and password is not None:
        raise BadTarget(
            "password", "nobody logs in to a raw console", f"Leave it out, or write vnc:// in place of {scheme}://."
        )
    return attrs.evolve(target, password=password)


def formatTarget(target: Target) -> str:
    """
    Write a target as its URL, without its password. L{parseTarget} reads it back.
    """
    return _FORMATTERS[target.kind](target)


def isHost(text: str) -> bool:
    """
    Whether C{text} is an IPv4 address, an IPv6 address (without brackets) or a host name in ASCII.

    The short and the numeric forms of IPv4 addresses (C{127.1}, C{2130706433}, C{0x7f.1}) are none: resolvers disagree
    about them, and a check of what was written would not hold for what is dialled.
    """
    if ":" in text:
        return _isIPv6(text)
    labels = text.removesuffix(".").split(".")
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        return _isIPv4(text)
    return True


def _isIPv6(text: str) -> bool:
    address, percent, zone = text.partition("%")
    if percent and not _ZONE.fullmatch(zone):
        return False
    try:
        IPv6Address(address)
    except AddressValueError:
        return False
    return True


def _isIPv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def _bad(cause: str, cure: str) -> BadTarget:
    return BadTarget("url", cause, cure)


def _parseTCP(kind: TargetKind, rest: str) -> Target:
    if "@" in rest:
        raise _bad("it holds credentials", "Leave them out of the URL and give the password on its own.")
    authority, _, tail = rest.partition("/")
    if tail or "?" in authority or "#" in authority:
        raise _bad("something follows the address", f"Write no more than {kind}://HOST:PORT.")
    host, port = _splitAuthority(authority)
    if port is None and kind.raw:
        raise _bad("it names no port", "Write it behind the host, as tcp://10.0.0.5:4555.")
    if not isHost(host):
        raise _bad(
            "its host is neither a host name nor an IP address",
            "Write a name in ASCII letters, four numbers from 0 to 255 or an IPv6 address in brackets.",
        )
    return Target(kind, host=host, port=port or DEFAULT_PORT)


def _splitAuthority(authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        if not bracket or ":" not in host or port[:1] not in ("", ":"):
            raise _bad("its brackets do not hold an IPv6 address", "Write it as vnc://[2001:db8::5]:5900.")
        return host, _port(port[1:]) if port else None
    if authority.count(":") > 1:
        raise _bad("it has too many colons", "Write an IPv6 address in brackets, as vnc://[2001:db8::5]:5900.")
    host, colon, port = authority.partition(":")
    return host, _port(port) if colon else None


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65535:
        raise _bad("its port is not a number from 1 to 65535", "Write it behind the host, as vnc://10.0.0.5:5901.")
    return int(text)


def _parseUNIX(kind: TargetKind, rest: str) -> Target:
    if not rest.startswith("/"):
        raise _bad("its path is not absolute", f"Write three slashes before the path, as {kind}:///run/vm7.sock.")
    if "?" in rest or "#" in rest:
        raise _bad("something follows the path", 'Write a "?" in a path as %3F and a "#" as %23.')
    try:
        path = unquote(rest, errors="strict")
        size = len(path.encode())
    except UnicodeError as error:
        raise _bad("its path is not UTF-8", "Rename the socket.") from error
    if _CONTROL.search(path):
        raise _bad("its path holds a control character", "Rename the socket.")
    if size > LONGEST_SOCKET_PATH:
        raise _bad(f"its path is longer than {LONGEST_SOCKET_PATH} bytes", "Move the socket to a shorter path.")
    return Target(kind, path=path)


def _formatTCP(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{target.kind}://{host}:{target.port}"


def _formatUNIX(target: Target) -> str:
    return f"{target.kind}://{quote(target.path)}"


_PARSERS: Final[dict[str, Callable[[str], Target]]] = {
    TargetKind.VNC.value: partial(_parseTCP, TargetKind.VNC),
    TargetKind.VNC_UNIX.value: partial(_parseUNIX, TargetKind.VNC_UNIX),
    TargetKind.TCP.value: partial(_parseTCP, TargetKind.TCP),
    TargetKind.UNIX.value: partial(_parseUNIX, TargetKind.UNIX),
}

_FORMATTERS: Final[dict[TargetKind, Callable[[Target], str]]] = {
    TargetKind.VNC: _formatTCP,
    TargetKind.VNC_UNIX: _formatUNIX,
    TargetKind.TCP: _formatTCP,
    TargetKind.UNIX: _formatUNIX,
}
