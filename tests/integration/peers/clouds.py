"""
The clients of clouds: C{openstack}, and CloudStack's C{cs}. Each runs as a process, as people run it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from tests.integration.peers.bench import ROOT, Bench

_OPENSTACK: Final = ROOT / ".tools/openstack/bin/openstack"
_CS: Final = Path(sys.executable).with_name("cs")

# How long a client may take on a busy machine, in seconds; most of it goes to importing itself.
_PATIENCE: Final = 30.0


async def runOpenStack(bench: Bench, *words: str) -> tuple[int, str]:
    """
    Run C{openstack} with these words: its exit status, and what it said.
    """
    # It must not find a configuration of whoever runs the tests.
    return await _run(bench, "openstack", _OPENSTACK, words, {"HOME": str(bench.directory), "XDG_CONFIG_HOME": ""})


async def runCS(
    bench: Bench, endpoint: str, key: str, secret: str, *words: str, method: str = "get"
) -> tuple[int, str]:
    """
    Run C{cs} with these words: its exit status, and what it said.

    @param method: C{"get"}, or C{"post"} for requests as forms.
    """
    env = {
        "HOME": str(bench.directory),
        "CLOUDSTACK_ENDPOINT": endpoint,
        "CLOUDSTACK_KEY": key,
        "CLOUDSTACK_SECRET": secret,
        "CLOUDSTACK_METHOD": method,
    }
    return await _run(bench, "cs", _CS, words, env)


async def _run(bench: Bench, name: str, path: Path, words: tuple[str, ...], env: dict[str, str]) -> tuple[int, str]:
    program = await bench.run(name, path, *words, env=env)
    status = await program.ends(_PATIENCE)
    # The first line is the command itself.
    return status, program.output().partition("\n")[2]


def urlIn(text: str) -> str:
    """
    The access URL that a client has printed.
    """
    found = re.findall(r"https?://[^\s\"|]+token=[^\s\"|]+", text)
    if len(found) != 1:
        raise AssertionError(f"there is no URL, or more than one, in {text!r}")
    return str(found[0])
