"""
C{vncproxy key …}: who may ask the API for what.
"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from vncproxy.cli.output import age, jsonOption, printable, printJSON, printTable
from vncproxy.cli.remote import Remote


@click.group()
def key() -> None:
    """
    Make, list and remove API keys.
    """


@key.command("add", short_help="Make an API key.")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["admin", "operator", "issuer", "viewer"]),
    required=True,
    help="admin: everything. operator: see, end sessions, read the audit trail. issuer: make URLs. viewer: see.",
)
@click.option("--consoles", metavar="PATTERN", help="Only consoles whose ids match: * is anything, ? one character.")
@jsonOption
@click.pass_obj
def addKey(remote: Remote, name: str, role: str, consoles: str | None, asJSON: bool) -> None:
    """
    Make an API key called NAME and print it. It cannot be shown again.

    \b
    Examples:
      vncproxy key add portal --role issuer --consoles 'customer7-*'
      vncproxy key add monitoring --role viewer > /etc/monitoring/vncproxy.key
    """
    wish = {"name": name, "role": role, "consoles": consoles}
    answer = remote.ask("POST", "keys", body={word: value for word, value in wish.items() if value is not None})
    if asJSON:
        printJSON(answer)
        return
    click.echo(answer["key"])
    click.echo(f"This is the key {printable(name)}. Keep it now: it is not shown again.", err=True)


@key.command("list")
@jsonOption
@click.pass_obj
def listKeys(remote: Remote, asJSON: bool) -> None:
    """
    List all API keys, without the keys themselves.

    \b
    Examples:
      vncproxy key list
      vncproxy key list --json | jq -r '.keys[] | select(.last_used == null) | .name'
    """
    answer = remote.ask("GET", "keys")
    if asJSON:
        printJSON(answer)
        return
    now = datetime.now(UTC)
    rows = [
        (
            each["name"],
            each["role"],
            each["consoles"] or "all",
            f"{age(each['created'], now)} ago" if each["created"] else "",
            f"{age(each['last_used'], now)} ago" if each["last_used"] else "",
        )
        for each in answer["keys"]
    ]
    printTable(("Name", "Role", "Consoles", "Made>", "Last used>"), rows, "There are no keys.")


@key.command("rm")
@click.argument("name")
@click.pass_obj
def removeKey(remote: Remote, name: str) -> None:
    """
    Remove the API key NAME: nobody can use it any more.

    URLs that it has made still open consoles; `vncproxy token revoke` ends that.
    """
    remote.ask("DELETE", "keys", name)
    click.echo(f"{printable(name)} is removed.", err=True)
