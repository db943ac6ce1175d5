"""
Login: a dialled target, through its RFB security.
"""

from __future__ import annotations

from zope.interface import implementer

from vncproxy.backends.dial import Dialler
from vncproxy.errors import ConsoleBroken, ConsoleSilent, StreamEnded, WaitTimeout
from vncproxy.interfaces import IBackend
from vncproxy.model import Target
from vncproxy.rfb import handshake
from vncproxy.stream import ByteStream


@implementer(IBackend)
class Backend:
    """
    See L{IBackend}.
    """

    def __init__(self, dialler: Dialler, handshakeSeconds: float) -> None:
        """
        @param handshakeSeconds: how long a console may take to let us in.
        """
        self._dialler = dialler
        self._handshakeSeconds = handshakeSeconds

    async def connect(self, target: Target) -> ByteStream:
        """
        See L{IBackend.connect}.
        """
        server = await self._dialler.dial(target)
        if target.kind.raw:
            return server
        server.expectWithin(self._handshakeSeconds)
        try:
            await self._logIn(server, target.password)
        except BaseException:
            server.abort()
            raise
        # Its deadline counted for the login alone.
        server.expectWithin(None)
        return server

    async def _logIn(self, server: ByteStream, password: str | None) -> None:
        """
        The login, with what goes wrong on the way blamed on the console.
        """
        try:
            await handshake.logIn(server, password)
        except StreamEnded as error:
            raise ConsoleBroken("it hung up while we were logging in") from error
        except WaitTimeout as error:
            raise ConsoleSilent(f"it said nothing for {self._handshakeSeconds:g} s") from error
