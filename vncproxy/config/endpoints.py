"""
Which endpoint strings a service may listen on, and what is wrong with the others.

The grammar is that of L{twisted.internet.endpoints.serverFromString}: fields between colons, some of them
C{name=value}, a backslash before a colon, an equals sign or a backslash that means itself. Of its kinds we take those
that open a door and nothing else; TLS is configured in one place, C{[tls]}.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Final, cast

import attrs

from vncproxy.config.problems import Fault

_WHOLE: Final = re.compile(r"(?:\\.|[^\\])*", re.DOTALL)
_FIELD: Final = re.compile(r"(?:\\.|[^\\:])*", re.DOTALL)
_NAME: Final = re.compile(r"((?:\\.|[^\\=])*)=", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

_SHAPES: Final = "tcp:PORT, tcp:PORT:interface=ADDRESS, tcp6:PORT, unix:PATH:mode=660 or systemd:domain=INET:name=NAME"


def endpointFaults(text: str) -> Iterator[Fault]:
    """
    All that is wrong with an endpoint string; nothing where a service can be told to listen on it.
    """
    if not _WHOLE.fullmatch(text):
        yield Fault("it ends in the middle of an escape", f"Write {_SHAPES}.")
        return
    (name, word), *fields = _split(text)
    kind = _KINDS.get(word) if name is None else None
    if word == "ssl":
        yield Fault("TLS is not configured here", "Write tcp:PORT, and the certificate in [tls].")
    elif kind is None:
        close = get_close_matches(word, _KINDS, 1)
        cure = f'Did you mean "{close[0]}"?' if close else f"Write {_SHAPES}."
        yield Fault("it begins with no kind of endpoint that can be listened on", cure)
    else:
        yield from _fieldFaults(kind, fields)


def isEverywhere(text: str) -> bool:
    """
    Whether an endpoint string, one that can be listened on, stands for every address of the machine.
    """
    (_, word), *fields = _split(text)
    if word not in ("tcp", "tcp6"):
        return False
    unnamed = iter(_KINDS[word].fields)
    values = {next(unnamed, None) if name is None else name: value for name, value in fields}
    return ip_address(values.get("interface") or "0.0.0.0").is_unspecified


def _split(text: str) -> list[tuple[str | None, str]]:
    """
    The fields with their names, L{None} where there is none.
    """
    fields: list[tuple[str | None, str]] = []
    position = 0
    while position <= len(text):
        end = cast(re.Match[str], _FIELD.match(text, position)).end()
        field = text[position:end]
        named = _NAME.match(field)
        value = _unescaped(field[named.end() :] if named else field)
        fields.append((_unescaped(named[1]) if named else None, value))
        position = end + 1
    return fields


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _fieldFaults(kind: _Kind, fields: list[tuple[str | None, str]]) -> Iterator[Fault]:
    seen: set[str] = set()
    unnamed = iter(kind.fields)
    for given, value in fields:
        name = next(unnamed, None) if given is None else given
        if name is None:
            yield Fault("it has too many fields", r"Write a colon that belongs to an address or a path as \\:.")
            return
        check = kind.fields.get(name)
        if check is None:
            close = get_close_matches(name, kind.fields, 1)
            cure = f'Did you mean "{close[0]}"?' if close else f"It takes {', '.join(kind.fields)}."
            yield Fault(f'there is no field "{name}"', cure)
        elif name in seen:
            yield Fault(f'the field "{name}" stands twice', "Write it once.")
        elif not check(value):
            yield Fault(f'its field "{name}" is not {_MEANINGS[name]}', f'Write for instance "{kind.example}".')
        seen.add(name)
    if sum(needed <= seen for needed in kind.needs) != 1:
        wanted = " or ".join(" and ".join(f'"{name}"' for name in sorted(needed)) for needed in kind.needs)
        yield Fault(f"it needs {wanted}", f'Write for instance "{kind.example}".')


def _isPort(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and int(text) <= 65535


def _isCount(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,9}", text) is not None


def _isMode(text: str) -> bool:
    return re.fullmatch(r"0?[0-7]{3}", text) is not None


def _isAddress(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ip_address(text).version in (version, 6)
        except ValueError:
            return False

    return check


def _isPath(text: str) -> bool:
    return text.startswith("/") and "\0" not in text and len(text.encode(errors="replace")) <= 107


@attrs.frozen
class _Kind:
    """
    @ivar fields: each with what its value must be, in the order in which they may stand without their names.
    @ivar needs: sets of fields, exactly one of which must be there.
    """

    fields: dict[str, Callable[[str], bool]]
    needs: tuple[frozenset[str], ...]
    example: str


_MEANINGS: Final = {
    "port": "a number from 0 to 65535",
    "interface": r"an IP address of this machine, its colons written \\:",
    "backlog": "a number",
    "address": "an absolute path of at most 107 bytes",
    "mode": "an octal file mode such as 660",
    "lockfile": "0 or 1",
    "domain": "INET, INET6 or UNIX",
    "index": "a number",
    "name": "a name",
}

_KINDS: Final = {
    "tcp": _Kind(
        {"port": _isPort, "interface": _isAddress(4), "backlog": _isCount},
        (frozenset({"port"}),),
        "tcp:6080:interface=127.0.0.1",
    ),
    "tcp6": _Kind(
        {"port": _isPort, "backlog": _isCount, "interface": _isAddress(6)},
        (frozenset({"port"}),),
        r"tcp6:6080:interface=\\:\\:1",
    ),
    "unix": _Kind(
        {"address": _isPath, "mode": _isMode, "backlog": _isCount, "lockfile": lambda text: text in ("0", "1")},
        (frozenset({"address"}),),
        "unix:/run/vncproxy/web.sock:mode=660",
    ),
    "systemd": _Kind(
        {"domain": lambda text: text in ("INET", "INET6", "UNIX"), "index": _isCount, "name": bool},
        (frozenset({"domain", "index"}), frozenset({"domain", "name"})),
        "systemd:domain=INET:name=web",
    ),
}
