"""
C{vncproxy quickstart}: a live console in one command.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command(short_help="Start a proxy with a demo desktop, and print a URL that opens it.")
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False),
    help="Where state is kept.  [default: $XDG_STATE_HOME/vncproxy, or ~/.local/state/vncproxy]",
)
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A configuration to start with.")
@click.option("--tls-self-signed", is_flag=True, help="Serve https, with a certificate made here.")
def quickstart(state_dir: str | None, config: str | None, tls_self_signed: bool) -> None:
    """
    Start a proxy with a demo desktop, and print a URL that opens it. Ctrl-C ends it.

    It is the same as: twistd -n vncproxy --demo
    """
    twistd = Path(sys.executable).with_name("twistd")
    command = [sys.executable, str(twistd), "-n", "--pidfile=", "vncproxy", "--demo"]
    if state_dir is not None:
        command += ["--state-dir", state_dir]
    if config is not None:
        command += ["--config", config]
    if tls_self_signed:
        command.append("--tls-self-signed")
    # In our place, so that Ctrl-C and signals reach it.
    os.execv(sys.executable, command)
