"""
What needs no running proxy: C{vncproxy demo} and C{vncproxy check-config}.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any

import click

from vncproxy.cli.passwords import passwordFileOption, readPassword

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress


@click.command(short_help="Serve a demo desktop to try things on.")
@click.option(
    "--listen",
    "endpoint",
    default="tcp:5901:interface=127.0.0.1",
    show_default=True,
    metavar="ENDPOINT",
    help="Where it listens: a Twisted endpoint, such as tcp:5901 or unix:/run/demo.sock.",
)
@passwordFileOption
def demo(endpoint: str, passwordFile: IO[str] | None) -> None:
    """
    Serve a demo desktop, to try viewers and the proxy on, until Ctrl-C.

    \b
    Example, in two terminals beside a running proxy:
      vncproxy demo
      vncproxy console add demo vnc://127.0.0.1:5901 && vncproxy url demo
    """
    # Imported here, because `vncproxy --help` should not wait for it.
    from twisted.internet.task import react

    from vncproxy.config.endpoints import endpointFaults

    for fault in endpointFaults(endpoint):
        raise click.BadParameter(f"{fault.message}. {fault.cure}", param_hint="--listen")
    password = None if passwordFile is None else readPassword(passwordFile)
    react(_serve, (endpoint, password))


async def _serve(reactor: Any, endpoint: str, password: str | None) -> None:
    from twisted.internet.defer import Deferred
    from twisted.internet.error import CannotListenError

    from vncproxy.demo import makeDemoService

    service = makeDemoService(reactor, endpoint, password)
    listening = service.whenListening()
    service.startService()
    try:
        address = await listening
    except CannotListenError as error:
        raise SystemExit(
            f"Error: Nothing can listen at {endpoint}: {error.socketError}. Name another place with --listen."
        ) from None
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    click.echo(f"A demo desktop is at {_url(address)}. Ctrl-C ends it.")
    # A signal ends the wait, and the program with it.
    await Deferred()


def _url(address: IAddress) -> str:
    from twisted.internet.address import UNIXAddress

    from vncproxy.model import Target, TargetKind
    from vncproxy.targets import formatTarget

    if isinstance(address, UNIXAddress):
        return formatTarget(Target(TargetKind.VNC_UNIX, path=os.fsdecode(address.name or b"")))
    host, port = address.host, address.port  # type: ignore[attr-defined]  # an IP address of either family
    # One that listens everywhere is reached here.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return formatTarget(Target(TargetKind.VNC, host=host, port=port))


@click.command("check-config", short_help="Say what is wrong with a configuration file.")
@click.argument("file", type=click.Path())
def checkConfig(file: str) -> None:
    """
    Say what is wrong with the configuration FILE: one line for each problem, with its cure.

    It exits with 1 when the file cannot be used; a warning alone does not hinder.

    \b
    Example:
      vncproxy check-config /etc/vncproxy.toml && systemctl restart vncproxy
    """
    from vncproxy.config import checkFile

    problems = checkFile(file)
    for problem in problems:
        click.echo(f"{problem}" if problem.fatal else f"{problem} (a warning)")
    fatal = sum(problem.fatal for problem in problems)
    if fatal:
        raise click.exceptions.Exit(1)
    click.echo(f"{file} is good.", err=True)
