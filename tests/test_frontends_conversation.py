"""
Connections served by a coroutine: L{vncproxy.frontends.conversation}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.webworld import Wire
from vncproxy.frontends.conversation import converse
from vncproxy.stream import ByteStream


class ConverseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.said: list[object] = []

    async def speak(self, stream: ByteStream) -> None:
        """
        Say what comes, two bytes at a time.
        """
        self.said.append("begin")
        try:
            while True:
                word = await stream.read(2)
                if word == b"!!":
                    raise ZeroDivisionError
                if word == b"ok":
                    break
                if word == b"..":
                    await Deferred[None]()
                self.said.append(word)
        except CancelledError:
            self.said.append("cancelled")
            raise
        self.said.append("end")

    def connect(self) -> Wire:
        """
        A connection that is served.
        """
        return Wire(Factory.forProtocol(lambda: converse(Clock(), self.speak)))  # type: ignore[arg-type]

    def test_course(self) -> None:
        """
        The coroutine begins with the connection, hears its bytes, and may end before it.
        """
        wire = self.connect()
        self.assertEqual(self.said, ["begin"])
        wire.deliver(b"abcdok")
        wire.hangUp()
        self.assertEqual(self.said, ["begin", b"ab", b"cd", "end"])
        self.assertFalse(wire.aborted)

    def test_cancelled(self) -> None:
        """
        When the peer is gone, whatever the coroutine waits for is cancelled, and nothing logged.
        """
        wire = self.connect()
        wire.deliver(b"..")
        wire.hangUp()
        self.assertEqual(self.said, ["begin", "cancelled"])

    def test_failed(self) -> None:
        """
        A bug is logged, and its connection does not stay.
        """
        wire = self.connect()
        wire.deliver(b"!!")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(wire.aborted)

    def test_halfCloseable(self) -> None:
        """
        Whether the connection can be closed in one direction is passed on.
        """
        for possible in (True, False):
            self.assertIs(converse(Clock(), self.speak, possible).halfCloseable, possible)
