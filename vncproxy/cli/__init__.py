"""
The C{vncproxy} command: a thin client of the HTTP API, and a few things that need no proxy.

It exits with 0; with 1 when the answer is no; with 2 when it was called wrongly. What a program would read goes to
standard output, all else to standard error.
"""

from __future__ import annotations

from vncproxy.cli.consoles import console, token, url
from vncproxy.cli.keys import key
from vncproxy.cli.local import checkConfig, demo
from vncproxy.cli.quickstart import quickstart
from vncproxy.cli.root import main
from vncproxy.cli.sessions import session
from vncproxy.cli.trail import audit
from vncproxy.cli.websockify import standIn

__all__ = ["main"]

for _command in (console, url, session, token, key, audit, demo, quickstart, checkConfig, standIn):
    main.add_command(_command)
