"""
How a password comes in: from a file, from standard input or typed unseen; never as an argument, which everybody on the
machine could read in the list of processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import click

_C = TypeVar("_C", bound=Callable[..., Any])


def passwordFileOption(command: _C) -> _C:
    """
    The option C{--password-file}, alike everywhere.
    """
    return click.option(
        "--password-file",
        "passwordFile",
        type=click.File(encoding="utf-8"),
        help="The file whose first line is the VNC server's password; - is standard input.",
    )(command)


def readPassword(file: IO[str]) -> str:
    """
    The first line of C{file}.

    @raise click.ClickException: it is empty, or not text.
    """
    try:
        password = file.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        password = ""
    if not password:
        raise click.ClickException(f"The first line of {file.name} holds no password. Write it there, in UTF-8.")
    return password


def askPassword() -> str:
    """
    What the user types, unseen.
    """
    return str(click.prompt("VNC password", hide_input=True, err=True))


def refuseCredentials(target: str) -> None:
    """
    Refuse a target URL that holds credentials, without repeating them.

    The API refuses it too, but here it must be said that others may have seen it.

    @raise click.BadParameter: it does.
    """
    try:
        holds = "@" in urlsplit(target).netloc
    except ValueError:
        # Brackets that do not match: the API tells what is wrong with the rest.
        holds = "@" in target
    if holds:
        raise click.BadParameter(
            "The URL holds credentials, which everybody on this machine can see in the list of processes. Leave them "
            "out and give the password with --password-prompt or --password-file.",
            param_hint="URL",
        )
