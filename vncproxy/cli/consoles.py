"""
C{vncproxy console …}, C{vncproxy url} and C{vncproxy token revoke}.
"""

from __future__ import annotations

import re
from typing import IO, Final

import click

from vncproxy.cli.output import jsonOption, printable, printJSON, printTable
from vncproxy.cli.passwords import askPassword, passwordFileOption, readPassword, refuseCredentials
from vncproxy.cli.remote import Remote

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", value)
    if match is None or int(match[1]) == 0:
        raise click.BadParameter(f"{value!r} is no duration. Write seconds, or 10m, 2h, 1d.")
    return int(match[1]) * _UNITS[match[2]]


@click.group()
def console() -> None:
    """
    Define, list and forget consoles.
    """


@console.command("add", short_help="Define a console.")
@click.argument("identity", metavar="ID")
@click.argument("target", metavar="URL")
@click.option("--name", help="What people call it. Default: the id.")
@passwordFileOption
@click.option("--password-prompt", "passwordPrompt", is_flag=True, help="Ask for the VNC server's password.")
@click.pass_obj
def addConsole(
    remote: Remote, identity: str, target: str, name: str | None, passwordFile: IO[str] | None, passwordPrompt: bool
) -> None:
    """
    Define the console ID, reached at URL, in place of what ID named before.

    URL is vnc://HOST:PORT or vnc+unix:///PATH, as the proxy reaches it. A password is never part of it. With
    tcp://HOST:PORT or unix:///PATH bytes are passed on as they are: a serial console, SPICE.

    \b
    Examples:
      vncproxy console add vm-1 vnc://10.0.0.5:5901
      vncproxy console add vm-2 vnc+unix:///run/vm-2.sock --name "Mail" --password-prompt
      pass show vm-3 | vncproxy console add vm-3 vnc://[2001:db8::3]:5900 --password-file -
    """
    refuseCredentials(target)
    if passwordFile is not None and passwordPrompt:
        raise click.UsageError("--password-file and --password-prompt exclude each other. Give one of them.")
    password = askPassword() if passwordPrompt else readPassword(passwordFile) if passwordFile is not None else None
    body = {"url": target, "name": name, "password": password}
    kept = remote.ask("PUT", "consoles", identity, body={key: value for key, value in body.items() if value})
    click.echo(
        f"{printable(kept['id'])} is defined. Open it with: {remote.command} url {printable(kept['id'])}", err=True
    )


@console.command("list")
@jsonOption
@click.pass_obj
def listConsoles(remote: Remote, asJSON: bool) -> None:
    """
    List all consoles, those of the configuration file too.

    \b
    Examples:
      vncproxy console list
      vncproxy console list --json | jq -r '.consoles[].id'
    """
    answer = remote.ask("GET", "consoles")
    if asJSON:
        printJSON(answer)
        return
    rows = [
        (each["id"], each["name"], each["url"], "yes" if each["has_password"] else "no", each["source"])
        for each in answer["consoles"]
    ]
    printTable(
        ("ID", "Name", "URL", "Password", "Defined in"),
        rows,
        f"There are no consoles. Define one with: {remote.command} console add ID URL",
    )


@console.command("show")
@click.argument("identity", metavar="ID")
@jsonOption
@click.pass_obj
def showConsole(remote: Remote, identity: str, asJSON: bool) -> None:
    """
    Show one console. Its password is never shown.
    """
    answer = remote.ask("GET", "consoles", identity)
    if asJSON:
        printJSON(answer)
        return
    for word, value in (
        ("id", answer["id"]),
        ("name", answer["name"]),
        ("url", answer["url"]),
        ("password", "yes" if answer["has_password"] else "no"),
        ("defined in", answer["source"]),
    ):
        click.echo(f"{word + ':':<12}{printable(value)}")


@console.command("rm")
@click.argument("identity", metavar="ID")
@click.pass_obj
def removeConsole(remote: Remote, identity: str) -> None:
    """
    Forget a console and revoke its tokens.

    Its sessions on the proxy that is asked end.
    """
    remote.ask("DELETE", "consoles", identity)
    click.echo(f"{printable(identity)} is forgotten.", err=True)


@click.command()
@click.argument("identity", metavar="ID")
@click.option(
    "--type",
    "consoleType",
    type=click.Choice(["novnc", "xvpvnc"]),
    default="novnc",
    show_default=True,
    help="For a browser, or for a Java or raw TCP client.",
)
@click.option("--view-only", "viewOnly", is_flag=True, help="The viewer sees the console and cannot touch it.")
@click.option("--ttl", metavar="TIME", callback=_seconds, help="How long it may be opened: seconds, or 10m, 2h, 1d.")
@click.option(
    "--uses", type=click.IntRange(min=0), metavar="COUNT", help="How often it may be opened; 0 is any number."
)
@click.option("--client-address", "clientAddress", metavar="IP", help="The only address that may open it.")
@jsonOption
@click.pass_obj
def url(
    remote: Remote,
    identity: str,
    consoleType: str,
    viewOnly: bool,
    ttl: int | None,
    uses: int | None,
    clientAddress: str | None,
    asJSON: bool,
) -> None:
    """
    Print a URL that opens the console ID. Who has the URL, has the console.

    Without --ttl and --uses the proxy's configuration decides; if that says nothing, it opens once, within ten
    minutes. A session that is up goes on.

    \b
    Examples:
      xdg-open "$(vncproxy url vm-1)"
      vncproxy url vm-1 --view-only --ttl 2h --uses 0
      vncproxy url vm-1 --type xvpvnc --client-address 203.0.113.9
    """
    wish = {"ttl": ttl, "uses": uses, "client_address": clientAddress}
    given = {key: value for key, value in wish.items() if value is not None}
    answer = remote.ask(
        "POST", "consoles", identity, "access", body={"type": consoleType, "view_only": viewOnly} | given
    )
    if asJSON:
        printJSON(answer)
        return
    click.echo(answer["url"])


@click.group()
def token() -> None:
    """
    Revoke what URLs give.
    """


@token.command("revoke")
@click.argument("identity", metavar="CONSOLE")
@jsonOption
@click.pass_obj
def revokeTokens(remote: Remote, identity: str, asJSON: bool) -> None:
    """
    Revoke every URL that was made for CONSOLE.

    Its sessions on the proxy that is asked end.
    """
    answer = remote.ask("DELETE", "consoles", identity, "tokens")
    if not answer["deleted"]:
        # A console that nobody knows has no tokens either, but it is a slip of the pen.
        remote.ask("GET", "consoles", identity)
    if asJSON:
        printJSON(answer)
        return
    count = answer["deleted"]
    click.echo(f"{count} token{'' if count == 1 else 's'} of {printable(identity)} revoked.", err=True)
