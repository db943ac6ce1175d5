"""
How answers look: tables for people, JSON for programs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import click

_C = TypeVar("_C", bound=Callable[..., Any])

_SHORT: Final = 8

_SHORT_WORD: Final = 15
"""
An IPv4 address has so many characters at most.
"""

_STEPS: Final = ((86400, "d"), (3600, "h"), (60, "min"))


def jsonOption(command: _C) -> _C:
    """
    The option C{--json}, alike everywhere.
    """
    return click.option("--json", "asJSON", is_flag=True, help="Print the API's answer as JSON.")(command)


def printJSON(answer: Any) -> None:
    """
    An answer of the API, as it came.
    """
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def printTable(headings: Sequence[str], rows: Iterable[Sequence[str]], nothing: str) -> None:
    """
    A table on standard output. On a terminal it keeps to the terminal's width; elsewhere nothing is cut or folded.

    @param headings: one that ends in C{>} is of numbers, which stand at the right.
    @param nothing: the sentence on standard error when there are no rows.
    """
    # Imported here, because `vncproxy --help` should not wait for it.
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False)
    cells = [[printable(cell) for cell in row] for row in rows]
    for place, heading in enumerate(headings):
        right = heading.endswith(">")
        # The first column is what other commands take: it must come out whole. Short words are easier to read so.
        words = (heading, *(row[place] for row in cells))
        whole = place == 0 or right or all(len(word) <= _SHORT_WORD and " " not in word for word in words)
        table.add_column(heading.rstrip(">"), justify="right" if right else "left", no_wrap=whole, overflow="fold")
    for row in cells:
        # Text, so that a name in brackets is not taken for markup.
        table.add_row(*map(Text, row))
    if table.row_count == 0:
        click.echo(nothing, err=True)
        return
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 10_000, highlight=False)
    console.print(table)


def shortened(identities: Sequence[str]) -> list[str]:
    """
    The beginnings of ids: 8 characters, or as many more as it takes to tell them apart.
    """
    length = _SHORT
    while len({each[:length] for each in identities}) < len(set(identities)):
        length += 1
    return [each[:length] for each in identities]


def printable(text: str) -> str:
    """
    C{text} without what a terminal would obey.
    """
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def size(count: int) -> str:
    """
    A number of bytes for people: C{"999 B"}, C{"1.5 MB"}. A kB is 1000 bytes.
    """
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        # 999.95 would be printed as 1000.0.
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def age(started: str, now: datetime) -> str:
    """
    How long ago an API's moment was, for people: C{"12 s"}, C{"5 min"}, C{"3 h"}, C{"2 d"}.
    """
    seconds = max(0, int((now - datetime.fromisoformat(started)).total_seconds()))
    for length, unit in _STEPS:
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
