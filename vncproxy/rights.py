"""
What an API key may do: each role has some rights, and a key may be bound to consoles whose ids match a pattern.

=========  =====  =====  =====  =======  ======  =====  ====
role       look   watch  issue  control  define  audit  keys
=========  =====  =====  =====  =======  ======  =====  ====
admin      yes    yes    yes    yes      yes     yes    yes
operator   yes    yes    –      yes      –       yes    –
issuer     yes    –      yes    –        –       –      –
viewer     yes    yes    –      –        –       –      –
=========  =====  =====  =====  =======  ======  =====  ====

A right says what may be asked at all; the pattern says what exists for the one who asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from vncproxy.model import APIKey, Role


class Right(StrEnum):
    """
    What an operation of the API needs.
    """

    LOOK = "look"
    """
    See consoles.
    """

    WATCH = "watch"
    """
    See sessions.
    """

    ISSUE = "issue"
    """
    Mint and revoke tokens.
    """

    CONTROL = "control"
    """
    End sessions, and drain proxies.
    """

    DEFINE = "define"
    """
    Define and forget consoles.
    """

    AUDIT = "audit"
    """
    Read the audit trail.
    """

    KEYS = "keys"
    """
    Add, list and remove keys.
    """


RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.ADMIN: frozenset(Right),
    Role.OPERATOR: frozenset({Right.LOOK, Right.WATCH, Right.CONTROL, Right.AUDIT}),
    Role.ISSUER: frozenset({Right.LOOK, Right.ISSUE}),
    Role.VIEWER: frozenset({Right.LOOK, Right.WATCH}),
}

PATTERN: Final = re.compile(r"[A-Za-z0-9._:~*?-]{1,128}")
"""
What a pattern may be: the characters of console ids, C{*} and C{?}.
"""


def may(key: APIKey, right: Right) -> bool:
    """
    Whether the key's role has a right.
    """
    return right in RIGHTS[key.role]


def sees(key: APIKey, consoleID: str) -> bool:
    """
    Whether a console exists for this key.
    """
    return matches(key.consoles, consoleID)


def matches(pattern: str | None, consoleID: str) -> bool:
    """
    Whether a console's id as a whole matches a pattern: C{*} stands for any characters, none among them, C{?} for one,
    and all else for itself. L{None} matches everything.

    It takes no more steps than the product of the two lengths, whatever the pattern.
    """
    if pattern is None:
        return True
    first, *others = pattern.split("*")
    if not others:
        return len(first) == len(consoleID) and _fits(first, consoleID, 0)
    *middle, last = others
    begin, end = len(first), len(consoleID) - len(last)
    if begin > end or not _fits(first, consoleID, 0) or not _fits(last, consoleID, end):
        return False
    for part in middle:
        # The leftmost place leaves the most room to what follows: if that does not do, none does.
        places = range(begin, end - len(part) + 1)
        found = next((place for place in places if _fits(part, consoleID, place)), None)
        if found is None:
            return False
        begin = found + len(part)
    return True


def _fits(part: str, text: str, place: int) -> bool:
    return all(wanted in ("?", text[place + index]) for index, wanted in enumerate(part))
