"""
Streams for tests: a scripted peer for handshakes, with no socket.
"""

from __future__ import annotations

from zope.interface import implementer

from vncproxy.errors import StreamEnded, WaitTimeout
from vncproxy.interfaces import IStream


@implementer(IStream)
class ScriptedStream:
    """
    A peer that says its whole part at once and then hangs up, or falls silent.

    @ivar written: what was sent to it.
    """

    def __init__(self, says: bytes, silent: bool = False) -> None:
        self._says = says
        self._silent = silent
        self.written = b""

    async def read(self, count: int) -> bytes:
        if len(self._says) < count:
            raise WaitTimeout("silence") if self._silent else StreamEnded("it hung up")
        data, self._says = self._says[:count], self._says[count:]
        return data

    def write(self, data: bytes) -> None:
        self.written += data

    @property
    def unread(self) -> bytes:
        return self._says


def run(coroutine):  # type: ignore[no-untyped-def]
    """
    The result of a coroutine that must not wait for anything outside.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the coroutine waits for something that is not in the script")
