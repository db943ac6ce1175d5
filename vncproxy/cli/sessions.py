"""
C{vncproxy session …}: who is looking, and an end to it.
"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from vncproxy.cli.output import age, jsonOption, printable, printJSON, printTable, shortened, size
from vncproxy.cli.remote import Remote


@click.group()
def session() -> None:
    """
    List and end the sessions that are up.
    """


@session.command("list")
@jsonOption
@click.pass_obj
def listSessions(remote: Remote, asJSON: bool) -> None:
    """
    List the sessions that are up, oldest first.

    "Via" is the frontend, "In" what the viewer sent to the console, "Out" what the console sent to the viewer. Of ids
    the beginnings are shown, which `vncproxy session kill` takes; --json shows them whole.

    \b
    Examples:
      vncproxy session list
      vncproxy session list --json | jq '.sessions | length'
    """
    answer = remote.ask("GET", "sessions")
    if asJSON:
        printJSON(answer)
        return
    now = datetime.now(UTC)
    sessions = answer["sessions"]
    rows = [
        (
            identity,
            each["console_name"],
            each["client"],
            each["frontend"],
            age(each["started"], now),
            size(each["bytes_in"]),
            size(each["bytes_out"]),
            "view only" if each["view_only"] else "",
        )
        for identity, each in zip(shortened([each["id"] for each in sessions]), sessions, strict=True)
    ]
    headings = ("ID", "Console", "Client", "Via", "Up for>", "In>", "Out>", "")
    printTable(headings, rows, "No session is up.")


@session.command("kill")
@click.argument("identity", metavar="ID")
@click.pass_obj
def killSession(remote: Remote, identity: str) -> None:
    """
    End a session at once. Its viewer is told that an operator ended it.

    The first characters of its id will do, if no other session's id begins with them. A URL that may be opened again
    opens the console again: `vncproxy token revoke` ends that.

    \b
    Example:
      vncproxy session kill 8c9a
    """
    known = [each["id"] for each in remote.ask("GET", "sessions")["sessions"] if each["id"].startswith(identity)]
    if len(known) > 1:
        raise click.ClickException(f"{len(known)} sessions begin with {printable(identity)}: write more of the id.")
    whole = known[0] if known else identity
    remote.ask("DELETE", "sessions", whole)
    click.echo(f"{printable(whole)} is ended.", err=True)
