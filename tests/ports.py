"""
Ports for tests.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

_LOWEST = 10_000

_TRIES = 200


def freePort() -> int:
    """
    A TCP port of 127.0.0.1 that nobody listened on a moment ago.

    It lies outside of the range from which the kernel takes ports for connections and for listeners on port 0: so it is
    free again for a server that is stopped and started anew.
    """
    lowest, highest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    candidates = [port for port in range(_LOWEST, 65_536) if not lowest <= port <= highest]
    # Not the tests' own dice, which fall alike in every worker.
    for port in random.SystemRandom().sample(candidates, min(_TRIES, len(candidates))):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
