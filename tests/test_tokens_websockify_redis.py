"""
The token source that is a Redis.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.streams import Loop, MemoryTransport
from tests.test_tokens_websockify_formats import tcp
from vncproxy.errors import ProtocolError, StreamEnded, TokensUnreachable, VNCProxyError, WaitTimeout
from vncproxy.stream import CLOSING_SECONDS
from vncproxy.tokens.websockify.formats import BadEntry, RedisPlace
from vncproxy.tokens.websockify.redis import TokenRedis, encodeCommand


@implementer(IStreamClientEndpoint)
class MemoryEndpoint:
    """
    Connects in memory.

    @ivar wires: the connections so far.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.wires: list[MemoryTransport] = []

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        stream: Any = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        self.wires.append(MemoryTransport(self._loop, stream))
        return succeed(stream)


class RedisTests(SynchronousTestCase):
    """
    Tests for L{TokenRedis}.
    """

    def setUp(self) -> None:
        self.loop = Loop()
        self.endpoint = MemoryEndpoint(self.loop)

    def tearDown(self) -> None:
        for wire in self.endpoint.wires:
            wire.vanish()
        self.loop.advance(CLOSING_SECONDS)
        self.loop.settle()
        self.assertEqual(self.loop.getDelayedCalls(), [])

    def find(self, place: RedisPlace = RedisPlace("h"), token: str = "T") -> Deferred[Any]:  # noqa: B008 - a value
        """
        Look a token up.
        """
        finding = Deferred.fromCoroutine(TokenRedis(place, self.endpoint, self.loop, 5.0).find(token))
        self.loop.settle()
        return finding

    def say(self, data: bytes) -> None:
        """
        Redis answers, a byte at a time.
        """
        for byte in data:
            self.endpoint.wires[-1].say(bytes([byte]))
            self.loop.settle()

    def test_found(self) -> None:
        """
        The value of the key is the target; the connection is let go.
        """
        finding = self.find()
        self.assertEqual(self.endpoint.wires[-1].taken, b"*2\r\n$3\r\nGET\r\n$1\r\nT\r\n")
        self.say(b"$3\r\nh:1\r\n")
        self.assertEqual(self.successResultOf(finding), tcp("h", 1))
        self.assertIsNotNone(self.endpoint.wires[-1].lostWith)

    def test_missing(self) -> None:
        """
        A key that is not there is a token that nobody knows.
        """
        finding = self.find()
        self.say(b"$-1\r\n")
        self.assertIsNone(self.successResultOf(finding))

    def test_place(self) -> None:
        """
        Password, database and namespace are told where there are any, and everything at once.
        """
        finding = self.find(RedisPlace("h", 1, 3, "pw", "ns:"))
        words = encodeCommand("AUTH", "pw") + encodeCommand("SELECT", "3") + encodeCommand("GET", "ns:T")
        self.assertEqual(self.endpoint.wires[-1].taken, words)
        self.say(b"+OK\r\n+OK\r\n$3\r\nh:1\r\n")
        self.assertEqual(self.successResultOf(finding), tcp("h", 1))

    def test_user(self) -> None:
        """
        A user is told with the password.
        """
        self.find(RedisPlace("h", password="pw", user="u")).addErrback(lambda failure: None)
        words = encodeCommand("AUTH", "u", "pw") + encodeCommand("GET", "T")
        self.assertEqual(self.endpoint.wires[-1].taken, words)

    def test_refused(self) -> None:
        """
        An error is no answer; of its words only the first is told.
        """
        finding = self.find(RedisPlace("h", password="hunter2"))
        self.say(b"-WRONGPASS hunter2 is wrong\r\n")
        failure = self.failureResultOf(finding, TokensUnreachable)
        self.assertEqual(str(failure.value), "Redis answers WRONGPASS")

    def test_nonsense(self) -> None:
        """
        What is no Redis, or no value of the kind that it should be, is told as such.
        """
        for said, error in (
            (b"HTTP/1.1 400 Bad Request\r\n", ProtocolError),
            (b"$20000\r\n", ProtocolError),
            (b":7\r\n", ProtocolError),
            (b"x" * 1024, ProtocolError),
            (b"$1\r\nx\r\n", BadEntry),
        ):
            finding = self.find()
            self.say(said)
            self.failureResultOf(finding, error)
            self.assertIsNotNone(self.endpoint.wires[-1].lostWith)

    def test_hangsUp(self) -> None:
        """
        A Redis that hangs up, or is silent, is no answer.
        """
        finding = self.find()
        self.endpoint.wires[-1].vanish()
        self.loop.settle()
        self.failureResultOf(finding, StreamEnded)
        finding = self.find()
        self.loop.advance(5)
        self.failureResultOf(finding, WaitTimeout)

    @given(st.lists(st.text(), min_size=1))
    def test_encoded(self, words: list[str]) -> None:
        """
        Whatever stands in a token, it stays one word of its command.
        """
        data = encodeCommand(*words)
        count, _, rest = data.partition(b"\r\n")
        self.assertEqual(count, b"*%d" % len(words))
        for word in words:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size[1:])
            self.assertEqual((rest[:length], rest[length : length + 2]), (word.encode(), b"\r\n"))
            rest = rest[length + 2 :]
        self.assertEqual(rest, b"")

    @given(st.binary(max_size=200))
    def test_anyBytes(self, data: bytes) -> None:
        """
        Whatever comes, it ends in an answer or in an error of ours.
        """
        finding = self.find()
        self.endpoint.wires[-1].say(data)
        self.loop.settle()
        self.endpoint.wires[-1].vanish()
        self.loop.settle()
        outcome: list[Any] = []
        finding.addBoth(outcome.append)
        if outcome[0] is not None:
            outcome[0].trap(VNCProxyError, BadEntry)
