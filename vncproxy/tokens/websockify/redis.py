"""
The token source that is a Redis: a connection a look, as websockify does it; nothing is changed there.

::

    proxy                                  redis
      │ AUTH password, SELECT db, GET key ──►│      only what is needed
      │◄────────────── +OK, +OK, $-1 or $N │
"""

from __future__ import annotations

import re
from typing import Final

from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from vncproxy.errors import ProtocolError, TokensUnreachable
from vncproxy.model import Target
from vncproxy.stream import ByteStream
from vncproxy.tokens.websockify.formats import RedisPlace, parseRedisValue

_LINE_LIMIT: Final = 1024
_VALUE_LIMIT: Final = 16 * 1024
_LENGTH: Final = re.compile(rb"\$([0-9]{1,9})\r\n")


def encodeCommand(*words: str) -> bytes:
    """
    A command as Redis reads it: an array of bulk strings (RESP 2).
    """
    encoded = [word.encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


async def readReply(stream: ByteStream) -> bytes | None:
    """
    A simple string, or a bulk string; L{None} for the one that is not there.

    @raise TokensUnreachable: it is an error; only its first word is told, as the others may quote what was asked.
    @raise ProtocolError: it is something else, or too long.
    """
    line = await stream.readUntil(b"\r\n", _LINE_LIMIT)
    if line.startswith(b"+"):
        return line[1:-2]
    if line.startswith(b"-"):
        word = line[1:-2].split(b" ")[0].decode("ascii", "replace")
        raise TokensUnreachable(f"Redis answers {word}")
    if line == b"$-1\r\n":
        return None
    length = _LENGTH.fullmatch(line)
    if length is None or int(length[1]) > _VALUE_LIMIT:
        raise ProtocolError("Redis answers with something that is no short text")
    return (await stream.read(int(length[1]) + 2))[:-2]


class TokenRedis:
    """
    Keys C{TOKEN} or C{NAMESPACE:TOKEN} in a Redis.
    """

    def __init__(self, place: RedisPlace, endpoint: IStreamClientEndpoint, clock: IReactorTime, seconds: float) -> None:
        """
        @param endpoint: the way to C{place}.
        @param seconds: for a look.
        """
        self._place = place
        self._endpoint = endpoint
        self._seconds = seconds
        self._factory = Factory.forProtocol(lambda: ByteStream(clock))
        self._factory.noisy = False

    async def find(self, token: str) -> Target | None:
        """
        The target of a token, L{None} where there is no such key.

        @raise BadEntry: its value holds none.
        @raise VNCProxyError: Redis does not answer as it should.
        """
        place = self._place
        commands = []
        if place.password is not None:
            who = [place.user] if place.user else []
            commands.append(encodeCommand("AUTH", *who, place.password))
        if place.database:
            commands.append(encodeCommand("SELECT", str(place.database)))
        commands.append(encodeCommand("GET", place.prefix + token))
        stream: ByteStream = await self._endpoint.connect(self._factory)  # type: ignore[assignment]
        stream.expectWithin(self._seconds)
        try:
            stream.write(b"".join(commands))
            for _ in commands[1:]:
                await readReply(stream)
            value = await readReply(stream)
        finally:
            stream.close()
        return None if value is None else parseRedisValue(value)
