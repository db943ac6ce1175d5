"""
The fast path of the relay: what comes in goes out in the same turn of the reactor, with one system call and no copy.

A transport's own C{write} joins what it is given into a buffer, asks the reactor for another turn, and sends then.
Where nothing waits in that buffer, the bytes may as well go to the socket at once; what the socket does not take is
left to the transport, which then stops its producer as ever. C{benchmarks/against_websockify.py} measures what it
saves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.tcp import Connection

READ_SIZE: Final = 256 * 1024
"""
How much a relayed TCP connection reads at a time, in bytes; Twisted's own 64 KiB cost four times the turns.
"""


def writerTo(transport: Any) -> Callable[..., None]:
    """
    What to call with byte strings to have them sent, in order, over C{transport}: the fast path over plain TCP, the
    transport's own way over all else, TLS before all.
    """
    if not isinstance(transport, Connection):
        return lambda *parts: transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
    sendmsg = transport.getHandle().sendmsg

    def write(*parts: bytes) -> None:
        # What waits in the transport goes first, whoever put it there. Twisted has no public name for its second list.
        if transport.dataBuffer or transport._tempDataBuffer or transport.disconnecting:
            transport.writeSequence(parts)
            return
        try:
            sent = sendmsg(parts)
        except OSError:
            # It takes nothing now, or never again: the transport finds out which.
            sent = 0
        for part in parts:
            if sent < len(part):
                transport.write(part[sent:])
            sent = max(0, sent - len(part))

    return write


def readMuch(transport: Any) -> None:
    """
    Let a plain TCP transport read C{READ_SIZE} bytes at a time. Does nothing to any other.
    """
    if isinstance(transport, Connection):
        transport.bufferSize = READ_SIZE
