"""
What needs no running proxy: C{vncproxy demo} and C{vncproxy check-config}.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import click

from vncproxy.cli.passwords import passwordFileOption, readPassword

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

    from vncproxy.config import Config, Problem


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
      vncproxy check-config /etc/vncproxy/vncproxy.toml && systemctl restart vncproxy
    """
    from vncproxy.config import checkFile

    problems = checkFile(file)
    if not any(problem.fatal for problem in problems):
        problems += _certificateProblems(file)
    for problem in sorted(problems, key=lambda problem: problem.line):
        click.echo(f"{problem}" if problem.fatal else f"{problem} (a warning)")
    if any(problem.fatal for problem in problems):
        raise click.exceptions.Exit(1)
    click.echo(f"{file} is good.", err=True)


def _certificateProblems(file: str) -> Iterator[Problem]:
    """
    What a start would say of the certificates of a configuration that is good otherwise.
    """
    from datetime import UTC, datetime

    from vncproxy.certs import validityWarning
    from vncproxy.config import Problem, loadConfig
    from vncproxy.config.lines import Lines
    from vncproxy.errors import ConfigError

    config = loadConfig(file)
    with open(file, encoding="utf-8-sig") as text:
        lines = Lines(text.read())
    now = datetime.now(UTC)
    for section, name, certificate in (
        ("tls", "certificate", config.tls.certificate),
        ("consoleauth", "server_certificate", config.consoleauth.server_certificate),
    ):
        if certificate is None:
            continue
        key = name
        try:
            _makeContext(config, section)
            message, cure, fatal = validityWarning(certificate, now), "Renew it: viewers may refuse it.", False
        except ConfigError as error:
            # It begins with the section and the key, "[tls] key: ".
            found = re.fullmatch(r"\[tls\] (\w+):? (.*)", str(error), re.DOTALL)
            key, message = (found[1], found[2]) if found else (name, str(error))
            word = "encrypted" if " is encrypted" in message else key
            cure, fatal = _CURES.get(word, _CURES["certificate"]), True
            key = name.replace("certificate", key) if key in ("certificate", "key") else key
        if message is not None:
            yield Problem(file, lines.of((section, key)), f"{section}.{key}", message, cure, fatal)


_CURES = {
    "certificate": "Name a PEM file with the certificate and its chain.",
    "key": "Name the file of this certificate's own key.",
    "encrypted": "Write key_password in [tls], or keep the key unencrypted in a file that only its owner can read.",
    "ciphers": 'Write a list of OpenSSL\'s, such as "ECDHE+AESGCM".',
    "client_ca": "Name a PEM file with the authorities' certificates.",
}


def _makeContext(config: Config, section: str) -> None:
    """
    Make the TLS context of a section as a start does.
    """
    from vncproxy.certs import ClientCertificates, makeContext

    tls, controller = config.tls, config.consoleauth
    if section == "tls":
        certificate, key, authorities = tls.certificate or "", tls.key, tls.client_ca
        version, ciphers, password = tls.minimum_version, tls.ciphers, tls.key_password
    else:
        certificate, key, authorities = controller.server_certificate or "", controller.server_key, controller.client_ca
        version, ciphers, password = "1.2", None, None
    clients = None if authorities is None else ClientCertificates(authorities, required=True, key="[tls] client_ca")
    makeContext(certificate, key or certificate, version, ciphers, clients, password)
