"""
C{vncproxy audit}: who did what.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from vncproxy.cli.output import jsonOption, printJSON, printTable, size
from vncproxy.cli.remote import Remote

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_MOST_AT_ONCE: Final = 1000


def _moment(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """
    A moment, or how long ago it was, as the API wants it.
    """
    if value is None:
        return None
    ago = re.fullmatch(r"([0-9]{1,9})([smhd])", value)
    try:
        if ago is not None:
            at = datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
        else:
            # A time without a zone is one of this machine's clock.
            at = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is no time. Write how long ago, as in 30m, 12h, 7d, or a time such as 2026-11-20T15:14."
        ) from None
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


@click.command(short_help="Tell who did what.")
@click.option("--since", metavar="TIME", callback=_moment, help="Nothing older: 30m, 12h, 7d, or 2026-11-20T15:14.")
@click.option("--until", metavar="TIME", callback=_moment, help="Only what is older.")
@click.option("--console", metavar="ID", help="Only what concerns this console.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="COUNT", help="How many at most."
)
@jsonOption
@click.pass_obj
def audit(remote: Remote, since: str | None, until: str | None, console: str | None, limit: int, asJSON: bool) -> None:
    """
    Tell who did what, from where and why: URLs that were made, viewers that came, left or were refused, changes of
    consoles and keys. The newest come first.

    \b
    Examples:
      vncproxy audit --since 1d --console vm-1
      vncproxy audit --limit 10000 --json | jq -r '.entries[] | select(.event == "refused") | .client'
    """
    given = {"since": since, "until": until, "console": console}
    query = {name: value for name, value in given.items() if value is not None}
    entries = list(_entries(remote, query, limit))
    if asJSON:
        printJSON({"entries": entries})
        return
    headings = ("Time", "Event", "Console", "Client", "Key", "")
    printTable(headings, map(_row, entries), "Nothing is noted of that.")


def _entries(remote: Remote, query: Mapping[str, str], limit: int) -> Iterator[Any]:
    """
    Page by page, as many as are wanted.
    """
    cursor: dict[str, str] = {}
    while limit > 0:
        page = remote.ask("GET", "audit", query={**query, **cursor, "limit": str(min(limit, _MOST_AT_ONCE))})
        yield from page["entries"]
        if page["next"] is None:
            return
        limit -= len(page["entries"])
        cursor = {"cursor": page["next"]}


def _row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    at = datetime.fromisoformat(entry["time"]).astimezone()
    words = [entry.get("subject"), entry.get("reason")]
    if "seconds" in entry:
        words.append(f"{entry['seconds']:.0f} s, {size(entry['bytes_in'])} in, {size(entry['bytes_out'])} out")
    return (
        at.strftime("%Y-%m-%d %H:%M:%S"),
        entry["event"],
        entry.get("console", ""),
        entry.get("client", ""),
        entry.get("key", ""),
        ": ".join(filter(None, words)),
    )
