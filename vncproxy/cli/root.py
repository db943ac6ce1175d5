"""
The command itself: its global options, and where the API key comes from.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from vncproxy.cli.remote import Key, Remote

DEFAULT_API: Final = "http://127.0.0.1:8774"

_EXAMPLES: Final = """
\b
A first console, and the URL that opens it in a browser:
  vncproxy console add vm-1 vnc://10.0.0.5:5901 --name "Web server" --password-prompt
  vncproxy url vm-1

\b
Who is looking, and an end to it:
  vncproxy session list
  vncproxy session kill 8c9a90f0-6e5c-4050-b14c-94dde139b44a
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXAMPLES)
@click.option(
    "--api",
    show_default=f"what the proxy has noted beside its key, else {DEFAULT_API}",
    envvar="VNCPROXY_API",
    show_envvar=True,
    metavar="URL",
    help="Where the proxy's API answers.",
)
@click.option(
    "--key-file",
    "keyFile",
    envvar="VNCPROXY_KEY_FILE",
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="The file with the API key. Default: api.key in the proxy's state directory. "
    "The key itself may stand in the variable VNCPROXY_KEY.",
)
@click.version_option(package_name="vncproxy", message="%(version)s")
@click.pass_context
def main(context: click.Context, api: str | None, keyFile: Path | None) -> None:
    """
    Define consoles, make the URLs that open them, and watch who is looking.

    All but check-config, demo and quickstart ask the API of a running proxy (`twistd -n vncproxy`). `vncproxy COMMAND
    --help` shows examples.
    """
    if api is not None and not _isURL(api):
        raise click.BadParameter(
            f"{api!r} is not an address of an API. Write http://HOST:PORT or https://HOST:PORT.", param_hint="--api"
        )
    named = context.get_parameter_source("keyFile") is ParameterSource.COMMANDLINE
    key = Key(keyFile, os.environ, named)
    given = [("--api", api)] if context.get_parameter_source("api") is ParameterSource.COMMANDLINE else []
    given += [("--key-file", str(keyFile))] if named else []
    command = shlex.join(["vncproxy", *(word for pair in given for word in pair if word is not None)])
    found = api if api is not None else key.endpoint() or DEFAULT_API
    # A test brings its own way to the API; a person takes the network.
    context.obj = Remote(found.rstrip("/"), key, transport=context.obj, command=command)


def _isURL(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # A port that is none is found out only when it is asked for.
        known = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        return False
    return known and text.isprintable() and " " not in text
