"""
C{twistd -n vncproxy}: the one place that asks for the global reactor.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.python.usage import Options as TwistedOptions
from twisted.python.usage import UsageError

from vncproxy.config import loadConfig, stateDirectory
from vncproxy.errors import ConfigError
from vncproxy.service import ProxyService


class Options(TwistedOptions):
    """
    The command line of C{twistd vncproxy}.
    """

    synopsis = "[--config FILE] [--state-dir DIR] [--tls-self-signed] [--demo]"

    longdesc = (
        "With no option at all everything listens on loopback: the page and WebSockets on port 6080, Java and raw TCP "
        "viewers on 6081, the API on 8774, and proxies that share our tokens on 8788. Consoles and tokens live in the "
        "state directory, and so does the API key that is made at the first start (api.key)."
    )

    optParameters = [  # noqa: RUF012  # so does twisted.python.usage want it
        ["config", "c", None, "TOML file; `vncproxy check-config FILE` checks one."],
        [
            "state-dir",
            "s",
            None,
            "Where state is kept. [default: $XDG_STATE_HOME/vncproxy, or ~/.local/state/vncproxy]",
        ],
    ]

    optFlags = [  # noqa: RUF012
        ["tls-self-signed", None, "Serve TLS with a certificate made here, where [tls] names none."],
        ["demo", None, "Start a demo desktop too, and print a URL that opens it."],
    ]

    def parseArgs(self, *arguments: str) -> None:
        """
        There are no arguments beside the options.
        """
        refuseArguments(arguments)


def refuseArguments(arguments: Sequence[str]) -> None:
    """
    Complain of words that belong to no option.
    """
    if arguments:
        raise UsageError(f"Unexpected argument: {arguments[0]}")


def makeService(options: Options) -> IService:
    """
    The service that C{twistd vncproxy} runs. A configuration that cannot be used ends the program in words.
    """
    return buildService(options, tlsSelfSigned=bool(options["tls-self-signed"]), demo=bool(options["demo"]))


def buildService(options: TwistedOptions, **wishes: bool) -> IService:
    """
    The service of a command line.

    @param wishes: further arguments of L{ProxyService}.

    @raise SystemExit: its configuration cannot be used; the text says why.
    """
    from twisted.internet import reactor

    directory = stateDirectory(options["state-dir"], os.environ)
    try:
        config = loadConfig(options["config"], directory)
    except ConfigError as error:
        raise SystemExit(f"vncproxy: {error}") from error
    if not wishes.get("carries", True) and config.consoleauth.connect is not None:
        raise SystemExit("vncproxy: [consoleauth] connect: a controller asks no other one. Leave it out.")
    return ProxyService(
        reactor,
        config,
        Path(directory),
        giveUp=partial(endProgram, reactor, atexit.register),
        show=partial(print, file=sys.__stdout__, flush=True),
        **wishes,
    )


def endProgram(reactor: Any, atExit: Callable[..., object]) -> None:
    """
    End the program with the status 1. C{twistd} itself ends with 0 whatever happened, and whoever restarts us on
    failure has to learn of it.

    @param atExit: arranges a call for the end of the interpreter.
    """
    atExit(os._exit, 1)
    # The start may fail before the reactor has begun to turn.
    reactor.callWhenRunning(reactor.stop)
