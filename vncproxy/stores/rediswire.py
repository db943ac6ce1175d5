"""
One connection to a Redis: what txredisapi knows of the protocol, and nothing of what it does about connections.

txredisapi's own connections log in by themselves, come back by themselves, and let commands hang meanwhile; here, all
of that is the part of L{vncproxy.stores.redislink}. This module alone imports txredisapi, which takes the global
reactor as it is imported: so this one is imported when there is somebody to be dialled, and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from txredisapi import ConnectionError as ConnectionGone
from txredisapi import RedisProtocol, ResponseError

from vncproxy.stores.redisdial import WireLost, WireRefusal
from vncproxy.stream import tuneSocket


class RedisWire(RedisProtocol):  # type: ignore[misc]
    """
    A connection. Any number of commands may be under way; Redis answers them in turn.

    @ivar reason: why it was lost, once it was.
    """

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: what the protocol asks for turns of the reactor.
        """
        # A number may be part of a text of ours: nothing is to be converted.
        super().__init__(charset="utf-8", convertNumbers=False)
        self.callLater = clock.callLater
        self.reason: Failure | None = None

    def connectionMade(self) -> None:
        """
        There is a connection; who we are is told by its owner.
        """
        tuneSocket(self.transport)

    def connectionLost(self, why: Failure) -> None:
        """
        Whoever waits for an answer hears that there will be none.
        """
        self.reason = why
        super().connectionLost(why)

    async def ask(self, *words: str | float | bytes) -> Any:
        """
        The answer to a command.

        @raise WireLost: the connection was lost first. Whether the command was carried out, nobody knows.
        @raise WireRefusal: the answer is an error.
        """
        try:
            return await self.execute_command(*words)
        except ConnectionGone as error:
            raise WireLost("the connection was lost", self.reason) from error
        except ResponseError as error:
            # It may quote what was sent, be it a password: no traceback is to show it.
            raise WireRefusal(str(error)) from None

    async def run(self, script: str, keys: Sequence[str], args: Sequence[str | float | bytes]) -> Any:
        """
        What a script returns. It is sent whole once on a connection, and then called by its hash.

        @raise WireLost: see L{ask}.
        @raise WireRefusal: see L{ask}.
        """
        try:
            return await self.eval(script, keys, args)
        except ConnectionGone as error:
            raise WireLost("the connection was lost", self.reason) from error
        except ResponseError as error:
            raise WireRefusal(str(error)) from None

    def abort(self) -> None:
        """
        Hang up at once: what was not sent yet never will be.
        """
        self.transport.abortConnection()

    def close(self) -> None:
        """
        Hang up in good order.
        """
        self.transport.loseConnection()
