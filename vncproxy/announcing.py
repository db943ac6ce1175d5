"""
What the program says of itself to the person who starts it: where it listens, what to type next, which port is taken.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

_REACHED_AT: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""
Addresses that stand for all of a machine's, and where to find it from within.
"""

_OTHER_PORT: Final = 10_000
"""
How far away an example lies from a port that is taken.
"""


def formatURL(scheme: str, address: IAddress, publicHost: str | None = None) -> str:
    """
    The URL of what listens at C{address}.

    @param publicHost: under which it is known; L{None} is the address itself, as one on this machine would write it.
    """
    if not isinstance(address, IPv4Address | IPv6Address):
        return f"unix:{os.fsdecode(getattr(address, 'name', None) or '')}"
    return _url(scheme, publicHost or _REACHED_AT.get(address.host, address.host), address.port)


def formatListening(scheme: str, address: IAddress) -> str:
    """
    Where something really listens, in words; where that is every address of the machine, the URL to use on it, too.
    """
    reached = formatURL(scheme, address)
    if not isinstance(address, IPv4Address | IPv6Address) or address.host not in _REACHED_AT:
        return reached
    return f"{_url(scheme, address.host, address.port)}, every address of this machine; from itself, {reached}"


def commandPath(executable: str = sys.executable, path: str | None = None) -> str:
    """
    How the C{vncproxy} of this installation is called in a new terminal: by its name if that leads to it, else by its
    whole path.

    @param executable: the Python that runs us.
    @param path: directories where names are looked for; L{None} is the environment's.
    """
    ours = Path(executable).absolute().with_name("vncproxy")
    found = shutil.which("vncproxy", path=path)
    return "vncproxy" if not ours.exists() or (found is not None and Path(found).samefile(ours)) else str(ours)


def demoWords(url: str, keyFile: Path, command: str) -> str:
    """
    What a demo shows: the console, and how to come to another one.

    @param url: of a live console.
    @param command: how C{vncproxy} is called.
    """
    asking = shlex.join([command, "--key-file", str(keyFile)])
    return (
        f"\n  A live console, for a day:\n\n    {url}\n\n"
        f"  Another one:\n\n    {asking} console add ID vnc://HOST:5900\n    {asking} url ID\n"
    )


def takenWords(section: str, endpoint: str, why: str, program: str) -> str:
    """
    That nothing can listen at an endpoint, and what to write.

    @param section: of the configuration, that named it or left it as it is by default.
    @param why: in the words of the system.
    @param program: how it is started, without options: C{"vncproxy quickstart"}.
    """

    def moved(found: re.Match[str]) -> str:
        port = int(found[0])
        return str(port + _OTHER_PORT if port + _OTHER_PORT < 2**16 else port - _OTHER_PORT)

    example = re.sub(r"(?<=:)\d+", moved, endpoint, count=1)
    return (
        f"[{section}] listen: cannot listen on {endpoint}: {why} Stop whoever holds it, or write another one into a "
        f'configuration, below [{section}], such as listen = "{example}", and start with it: {program} --config FILE'
    )


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
