"""
L{vncproxy.demo.greeting}: the opening of a connection to the demo.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.streams import ScriptedStream, run
from vncproxy.demo.greeting import greet
from vncproxy.errors import ProtocolError, StreamEnded
from vncproxy.rfb.vncauth import response

CHALLENGE = bytes(range(16))
V33, V37, V38 = b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n"
OK, FAILED = b"\0\0\0\0", b"\0\0\0\1"


class GreetingTests(SynchronousTestCase):
    """
    Tests for L{greet}.
    """

    def greet(self, *says: bytes, password: str | None = "geheim") -> ScriptedStream:
        """
        Greet a viewer that says this, all of which must be taken.
        """
        viewer = ScriptedStream(b"".join(says))
        run(greet(viewer, password, CHALLENGE))
        self.assertEqual(viewer.unread, b"")
        return viewer

    def refused(self, *says: bytes) -> bytes:
        """
        What a viewer that says this is told before it is refused.
        """
        viewer = ScriptedStream(b"".join(says))
        self.assertRaises(ProtocolError, run, greet(viewer, "geheim", CHALLENGE))
        return viewer.written

    def test_withoutPassword(self) -> None:
        """
        Without a password every version is let in with security None.
        """
        self.assertEqual(self.greet(V38, b"\1", password=None).written, V38 + b"\1\1" + OK)
        self.assertEqual(self.greet(V37, b"\1", password=None).written, V38 + b"\1\1")
        self.assertEqual(self.greet(V33, password=None).written, V38 + b"\0\0\0\1")

    def test_rightPassword(self) -> None:
        """
        With a password every version is asked for it, and the right answer lets it in.
        """
        right = response(CHALLENGE, "geheim")
        for version in (V38, V37):
            self.assertEqual(self.greet(version, b"\2", right).written, V38 + b"\1\2" + CHALLENGE + OK)
        for version in (V33, b"RFB 003.005\n"):
            self.assertEqual(self.greet(version, right).written, V38 + b"\0\0\0\2" + CHALLENGE + OK)

    def test_wrongPassword(self) -> None:
        """
        A wrong answer is refused, with a reason where the version has room for one.
        """
        wrong = response(CHALLENGE, "falsch")
        self.assertEqual(
            self.refused(V38, b"\2", wrong), V38 + b"\1\2" + CHALLENGE + FAILED + b"\0\0\0\x0eWrong password"
        )
        self.assertEqual(self.refused(V37, b"\2", wrong), V38 + b"\1\2" + CHALLENGE + FAILED)
        self.assertEqual(self.refused(V33, wrong), V38 + b"\0\0\0\2" + CHALLENGE + FAILED)

    def test_noneIsNotOffered(self) -> None:
        """
        With a password, security None is no way in.
        """
        self.assertEqual(self.refused(V38, b"\1"), V38 + b"\1\2")

    def test_noRFB(self) -> None:
        """
        A peer that speaks something else is not asked anything.
        """
        self.assertEqual(self.refused(b"GET / HTTP/1.1\r\n"), V38)

    def test_hangUp(self) -> None:
        """
        A viewer that hangs up in the middle ends the opening.
        """
        viewer = ScriptedStream(V38 + b"\2" + b"short")
        self.assertRaises(StreamEnded, run, greet(viewer, "geheim", CHALLENGE))
