"""
Which servers a query of nova's wants: C{?name=…&marker=…&limit=…}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import attrs

from vncproxy.api.messages import ConsoleView
from vncproxy.errors import RequestError


@attrs.frozen
class ServerQuery:
    """
    What is wanted.

    @ivar name: a part of the name, in either case; C{^} before it and C{$} behind it bind it to the begin and the end.
    @ivar marker: the id behind which to begin.
    @ivar limit: how many at most; L{None} is all.
    """

    name: str = ""
    marker: str = ""
    limit: int | None = None

    def pick(self, views: Iterable[ConsoleView]) -> list[ConsoleView]:
        """
        Those of C{views}, which are ordered by id, that are wanted. A marker that is gone meanwhile is no fault.
        """
        return [each for each in views if each.id > self.marker and self._isNamed(each.name)][: self.limit]

    def _isNamed(self, name: str) -> bool:
        # Nova takes a regular expression, but one from outside can cost any amount of time.
        name, wanted = name.casefold(), self.name.casefold()
        begins, ends = wanted.startswith("^"), wanted.endswith("$")
        core = wanted.removeprefix("^").removesuffix("$")
        if begins and ends:
            return name == core
        return name.startswith(core) if begins else name.endswith(core) if ends else core in name


def readServerQuery(arguments: Mapping[bytes, Sequence[bytes]]) -> ServerQuery:
    """
    Read a query; what it holds beside is passed over, as nova did for long.

    @param arguments: its values by name, of which the last counts.

    @raise RequestError: the limit is no number.
    """
    values = {name: each[-1].decode("utf-8", "replace") for name, each in arguments.items()}
    limit = values.get(b"limit")
    if limit is not None and not re.fullmatch(r"[0-9]{1,9}", limit, re.ASCII):
        raise RequestError("limit: must be a whole number.")
    return ServerQuery(
        name=values.get(b"name", ""), marker=values.get(b"marker", ""), limit=None if limit is None else int(limit)
    )
