"""
Logging in to consoles.
"""

from __future__ import annotations

import struct
from collections.abc import Coroutine
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.streams import Loop, MemoryTransport
from vncproxy.backends.dial import Dialler
from vncproxy.backends.login import Backend
from vncproxy.errors import BackendError, ConsoleBroken, ConsoleRefused, ConsoleSilent, ConsoleUnreachable
from vncproxy.interfaces import IBackend
from vncproxy.model import Target, TargetKind
from vncproxy.rfb import vncauth
from vncproxy.stream import ByteStream

_HANDSHAKE_SECONDS: Final = 15.0
_TARGET: Final = Target(TargetKind.VNC, "10.0.0.5", 5901, password="hush")
_VERSION: Final = b"RFB 003.008\n"
_CHALLENGE: Final = bytes(range(16))


class MemoryDialler(Dialler):
    """
    Reaches one server, in memory.

    @ivar wires: the connections to it.
    """

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop, 10, ())
        self._loop = loop
        self.wires: list[MemoryTransport] = []

    @property
    def wire(self) -> MemoryTransport:
        """
        The last connection.
        """
        return self.wires[-1]

    async def dial(self, target: Target) -> ByteStream:
        if target.port != _TARGET.port:
            raise ConsoleUnreachable("connection refused")
        stream = ByteStream(self._loop, halfCloseable=True)
        self.wires.append(MemoryTransport(self._loop, stream))
        return stream


class BackendTests(SynchronousTestCase):
    """
    Tests for L{Backend}.
    """

    def setUp(self) -> None:
        self.loop = Loop()
        self.dialler = MemoryDialler(self.loop)
        self.backend = Backend(self.dialler, _HANDSHAKE_SECONDS)

    def tearDown(self) -> None:
        for wire in self.dialler.wires:
            wire.vanish()
        self.loop.settle()
        self.assertEqual(self.loop.getDelayedCalls(), [])

    def connect(self) -> None:
        """
        Begin to connect.
        """
        self.connecting = self.start(self.backend.connect(_TARGET))

    def start(self, work: Coroutine[Any, Any, ByteStream]) -> Deferred[ByteStream]:
        """
        Begin what waits for the server.
        """
        return Deferred.fromCoroutine(work)

    def say(self, data: bytes) -> None:
        """
        The server says something, one byte at a time.
        """
        for byte in data:
            self.dialler.wire.say(bytes([byte]))
            self.loop.settle()

    def assertFails(self, error: type[BackendError]) -> str:
        """
        It fails with C{error}, whose words are returned, and the server is let go at once.
        """
        self.loop.settle()
        failure = self.failureResultOf(self.connecting, error)
        self.assertIsNotNone(self.dialler.wire.lostWith)
        self.assertEqual(self.loop.getDelayedCalls(), [])
        self.assertNotIn("hush", str(failure.value))
        return str(failure.value)

    def test_interface(self) -> None:
        """
        It is what a broker reaches consoles by.
        """
        verifyObject(IBackend, self.backend)

    def test_password(self) -> None:
        """
        A server that asks for the password gets the answer to its challenge; the stream stands right behind the login,
        with no deadline on it.
        """
        self.connect()
        self.say(_VERSION + b"\1\2" + _CHALLENGE)
        self.assertNoResult(self.connecting)
        self.say(struct.pack(">I", 0))
        stream = self.successResultOf(self.connecting)
        self.assertEqual(self.dialler.wire.taken, _VERSION + b"\2" + vncauth.response(_CHALLENGE, "hush"))
        self.assertEqual(self.loop.getDelayedCalls(), [])
        reading = self.start(stream.read(3))  # type: ignore[arg-type]
        self.loop.advance(10 * _HANDSHAKE_SECONDS)
        self.say(b"abc")
        self.assertEqual(self.successResultOf(reading), b"abc")

    def test_none(self) -> None:
        """
        A server that asks for nothing is logged in to, and what it says ahead is kept.
        """
        self.connect()
        self.dialler.wire.say(_VERSION + b"\1\1" + bytes(4) + b"ahead")
        self.loop.settle()
        stream = self.successResultOf(self.connecting)
        self.assertEqual(self.successResultOf(self.start(stream.read(5))), b"ahead")  # type: ignore[arg-type]

    def test_wrongPassword(self) -> None:
        """
        A server that turns our password down has refused, in its own words.
        """
        self.connect()
        self.say(_VERSION + b"\1\2" + _CHALLENGE + struct.pack(">II", 1, 5) + b"wrong")
        self.assertIn("wrong", self.assertFails(ConsoleRefused))

    def test_refused(self) -> None:
        """
        A server that offers no way in has refused, in its own words.
        """
        self.connect()
        self.say(_VERSION + b"\0" + struct.pack(">I", 4) + b"full")
        self.assertIn("full", self.assertFails(ConsoleRefused))

    def test_garbage(self) -> None:
        """
        A server of another protocol is broken.
        """
        self.connect()
        self.say(b"SSH-2.0-OpenSSH_9.2\r\n"[:12])
        self.assertFails(ConsoleBroken)

    def test_hangsUp(self) -> None:
        """
        A server that hangs up in the middle is broken, whether it closes its half or breaks off.
        """
        for hangUp in (MemoryTransport.finish, MemoryTransport.vanish):
            self.connect()
            self.say(_VERSION)
            hangUp(self.dialler.wire)
            self.assertFails(ConsoleBroken)

    def test_silent(self) -> None:
        """
        A server that says nothing is silent when its time is over, not before.
        """
        self.connect()
        self.loop.advance(_HANDSHAKE_SECONDS - 0.1)
        self.assertNoResult(self.connecting)
        self.loop.advance(0.1)
        self.assertIn("15 s", self.assertFails(ConsoleSilent))

    def test_slow(self) -> None:
        """
        The time is for the whole login: a byte now and then does not help.
        """
        self.connect()
        for byte in _VERSION:
            self.say(bytes([byte]))
            self.loop.advance(2)
        self.assertFails(ConsoleSilent)

    def test_raw(self) -> None:
        """
        Nobody logs in to a raw target: not a byte is sent, and none is taken.
        """
        connecting = self.start(self.backend.connect(Target(TargetKind.TCP, "10.0.0.5", 5901)))
        stream = self.successResultOf(connecting)
        self.say(b"hi")
        self.assertEqual(self.successResultOf(self.start(stream.read(2))), b"hi")  # type: ignore[arg-type]
        self.assertEqual(self.dialler.wire.taken, b"")

    def test_unreachable(self) -> None:
        """
        A server that cannot be dialled fails as dialling does.
        """
        elsewhere = Target(TargetKind.VNC, "10.0.0.5", 5902)
        self.failureResultOf(self.start(self.backend.connect(elsewhere)), ConsoleUnreachable)

    def test_cancelled(self) -> None:
        """
        When nobody waits any more the server is let go at once.
        """
        self.connect()
        self.say(_VERSION)
        self.connecting.cancel()
        self.failureResultOf(self.connecting, CancelledError)
        self.loop.settle()
        self.assertIs(self.dialler.wire.lostWith, ConnectionAborted)
        self.assertEqual(self.loop.getDelayedCalls(), [])
