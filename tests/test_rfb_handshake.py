"""
Tests for L{vncproxy.rfb.handshake}: each conversation is written down as what the other side says.
"""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.streams import ScriptedStream, run
from vncproxy.errors import (
    ConsoleBroken,
    ConsoleRefused,
    ProtocolError,
    StreamEnded,
    VNCProxyError,
    WaitTimeout,
)
from vncproxy.rfb import handshake, vncauth
from vncproxy.rfb.handshake import ServerInit

V33, V37, V38 = b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n"
CHALLENGE = bytes(range(16))
ANSWER = vncauth.response(CHALLENGE, "secret12")
OK = struct.pack(">I", 0)
FAILED = struct.pack(">I", 1)


def reason(text: bytes, length: int | None = None) -> bytes:
    """
    A reason as it goes on the wire; C{length} where it lies.
    """
    return struct.pack(">I", len(text) if length is None else length) + text


class LogInTests(SynchronousTestCase):
    """
    The proxy as the viewer of a VNC server.
    """

    def accepted(self, says: bytes, expected: bytes, password: str | None = None) -> None:
        """
        The script lets us in, we said C{expected}, and every shorter script fails for want of bytes.
        """
        stream = ScriptedStream(says)
        run(handshake.logIn(stream, password))
        self.assertEqual((stream.written, stream.unread), (expected, b""))
        for cut in range(len(says)):
            with self.assertRaises(StreamEnded):
                run(handshake.logIn(ScriptedStream(says[:cut]), password))
            with self.assertRaises(WaitTimeout):
                run(handshake.logIn(ScriptedStream(says[:cut], silent=True), password))

    def refused(self, says: bytes, words: str, password: str | None = None) -> None:
        """
        The script turns us away in these words.
        """
        with self.assertRaises(ConsoleRefused) as caught:
            run(handshake.logIn(ScriptedStream(says), password))
        self.assertIn(words, str(caught.exception))

    def test_none(self) -> None:
        """
        Security None is taken in every version; only 3.8 answers it with a SecurityResult.
        """
        self.accepted(V38 + b"\1\1" + OK, V38 + b"\1")
        self.accepted(V37 + b"\1\1", V37 + b"\1")
        self.accepted(V33 + b"\0\0\0\1", V33)

    def test_vncAuthentication(self) -> None:
        """
        A password answers the challenge in every version, and the SecurityResult is awaited.
        """
        self.accepted(V38 + b"\1\2" + CHALLENGE + OK, V38 + b"\2" + ANSWER, "secret12")
        self.accepted(V37 + b"\1\2" + CHALLENGE + OK, V37 + b"\2" + ANSWER, "secret12")
        self.accepted(V33 + b"\0\0\0\2" + CHALLENGE + OK, V33 + ANSWER, "secret12")

    def test_passwordBeforeNone(self) -> None:
        """
        Where both are offered a password is used, and without one None is.
        """
        self.accepted(V38 + b"\2\1\2" + CHALLENGE + OK, V38 + b"\2" + ANSWER, "secret12")
        self.accepted(V38 + b"\2\2\1" + OK, V38 + b"\1")
        self.accepted(V38 + b"\1\1" + OK, V38 + b"\1", "secret12")

    def test_oddVersions(self) -> None:
        """
        Unknown minor numbers fall back to 3.3, and what is newer than 3.8 speaks 3.8.
        """
        for line in (b"RFB 003.005\n", b"RFB 003.004\n"):
            self.accepted(line + b"\0\0\0\1", V33)
        for line in (b"RFB 003.889\n", b"RFB 004.001\n", b"RFB 005.000\n"):
            self.accepted(line + b"\1\1" + OK, V38 + b"\1")

    def test_noRFB(self) -> None:
        """
        A server of something else is named as such, with what it said.
        """
        for line in (
            b"SSH-2.0-OpenS",
            b"RFB 003x008\n",
            b"RFB 003.008 ",
            b"RFB 00a.008\n",
            b"RFB 003.0b8\n",
            b"RFB 000.000\n",
        ):
            with self.assertRaises(ConsoleBroken) as caught:
                run(handshake.logIn(ScriptedStream(line + bytes(9)), None))
            self.assertIn("no RFB version", str(caught.exception))

    def test_xvncTooManyFailures(self) -> None:
        """
        Xvnc's blacklist answers in 3.3 with type 0 and a reason, which is told.
        """
        self.refused(V33 + OK + reason(b"Too many security failures"), "Too many security failures")

    def test_emptyTypeList(self) -> None:
        """
        No security types at all mean a refusal, with its reason or without.
        """
        self.refused(V38 + b"\0" + reason(b"Go away"), "Go away")
        self.refused(V38 + b"\0" + reason(b""), "no reason given")
        self.refused(V38 + b"\0", "no reason given")

    def test_wrongPassword(self) -> None:
        """
        A refused password is told with the server's words where the version has any; QEMU's closing NUL is left out.
        """
        failed = V38 + b"\1\2" + CHALLENGE + FAILED
        with self.assertRaises(ConsoleRefused) as caught:
            run(handshake.logIn(ScriptedStream(failed + reason(b"Authentication failed\0")), "wrong"))
        self.assertEqual(str(caught.exception), "it refused the login: Authentication failed")
        self.refused(V37 + b"\1\2" + CHALLENGE + FAILED, "refused the password", "wrong")
        self.refused(V33 + b"\0\0\0\2" + CHALLENGE + b"\0\0\0\2", "too many attempts", "wrong")

    def test_refusedNone(self) -> None:
        """
        In 3.8 even None may be refused.
        """
        self.refused(V38 + b"\1\1" + FAILED + reason(b"not you"), "not you")

    def test_lyingReason(self) -> None:
        """
        A reason whose length lies is told as far as it came, and never further than its limit.
        """
        self.refused(V38 + b"\0" + reason(b"short", 0xFFFFFFFF), "short")
        stream = ScriptedStream(V38 + b"\0" + reason(b"x" * 5000))
        with self.assertRaises(ConsoleRefused):
            run(handshake.logIn(stream, None))
        self.assertEqual(len(stream.unread), 5000 - 1024)

    def test_silentReason(self) -> None:
        """
        A server that falls silent in the middle of its reason is refused with what it said.
        """
        with self.assertRaises(ConsoleRefused) as caught:
            run(handshake.logIn(ScriptedStream(V38 + b"\0" + reason(b"half", 100), silent=True), None))
        self.assertIn("half", str(caught.exception))

    def test_passwordWanted(self) -> None:
        """
        A server that asks for a password the console does not have is told with the cure.
        """
        self.refused(V38 + b"\1\2", "set the console's password")
        self.refused(V33 + b"\0\0\0\2", "set the console's password")

    def test_unknownTypes(self) -> None:
        """
        Types that we do not speak are named, or numbered.
        """
        self.refused(V38 + b"\2\x13\xc8", "VENCRYPT (19), 200")

    @given(st.binary(max_size=200), st.sampled_from([None, "secret12"]))
    def test_anything(self, noise: bytes, password: str | None) -> None:
        """
        Whatever a server says, the end is a login or one of our own errors.
        """
        for head in (b"", V33, V37, V38):
            stream = ScriptedStream(head + noise)
            try:
                run(handshake.logIn(stream, password))
            except VNCProxyError as error:
                self.assertNotEqual(error.reason, VNCProxyError.reason)
            else:
                self.assertTrue(stream.written.startswith(b"RFB 003.00"))


class OpenDesktopTests(SynchronousTestCase):
    """
    ClientInit and ServerInit with a server.
    """

    init = ServerInit(800, 600, bytes(range(16)), "Büro".encode())

    def test_roundTrip(self) -> None:
        """
        What a server says of its desktop is read, and written again, byte for byte.
        """
        for shared, sent in ((True, b"\1"), (False, b"\0")):
            stream = ScriptedStream(self.init.encode() + b"more")
            self.assertEqual(run(handshake.openDesktop(stream, shared)), self.init)
            self.assertEqual((stream.written, stream.unread), (sent, b"more"))

    def test_noName(self) -> None:
        """
        A desktop may have no name.
        """
        nameless = ServerInit(1, 2, bytes(16), b"")
        self.assertEqual(run(handshake.openDesktop(ScriptedStream(nameless.encode()), True)), nameless)

    def test_lyingName(self) -> None:
        """
        A name of absurd length is not waited for.
        """
        says = struct.pack(">HH16sI", 1, 2, bytes(16), 0x7FFFFFFF)
        with self.assertRaises(ConsoleBroken):
            run(handshake.openDesktop(ScriptedStream(says), True))

    def test_cut(self) -> None:
        """
        A server that hangs up in the middle is noticed at every byte.
        """
        whole = self.init.encode()
        for cut in range(len(whole)):
            with self.assertRaises(StreamEnded):
                run(handshake.openDesktop(ScriptedStream(whole[:cut]), True))


class GreetTests(SynchronousTestCase):
    """
    The proxy as the server of a viewer.
    """

    def test_versions(self) -> None:
        """
        Viewers of each version are let in without security; only 3.8 is told so.
        """
        for says, expected in (
            (V38 + b"\1", V38 + b"\1\1" + OK),
            (V37 + b"\1", V38 + b"\1\1"),
            (V33, V38 + b"\0\0\0\1"),
            (b"RFB 003.005\n", V38 + b"\0\0\0\1"),
            (b"RFB 003.889\n\1", V38 + b"\1\1" + OK),
        ):
            stream = ScriptedStream(says)
            run(handshake.greet(stream))
            self.assertEqual((stream.written, stream.unread), (expected, b""))

    def test_cut(self) -> None:
        """
        A viewer that hangs up is noticed at every byte.
        """
        for says in (V38 + b"\1", V37 + b"\1", V33):
            for cut in range(len(says)):
                with self.assertRaises(StreamEnded):
                    run(handshake.greet(ScriptedStream(says[:cut])))

    def test_otherChoice(self) -> None:
        """
        A viewer that insists on a type that was not offered gets a failure, in 3.8 with words, and no session.
        """
        for version, tail in ((V38, b"only the security type None."), (V37, FAILED)):
            stream = ScriptedStream(version + b"\2")
            with self.assertRaises(ProtocolError):
                run(handshake.greet(stream))
            self.assertTrue(stream.written.endswith(tail))

    def test_noRFB(self) -> None:
        """
        A viewer that speaks something else is named as such.
        """
        with self.assertRaises(ProtocolError):
            run(handshake.greet(ScriptedStream(b"GET / HTTP/1.1\r\n")))

    def test_clientInit(self) -> None:
        """
        Any shared-flag but 0 means shared.
        """
        answers = [run(handshake.readClientInit(ScriptedStream(flag))) for flag in (b"\0", b"\1", b"\xff")]
        self.assertEqual(answers, [False, True, True])


class RefuseTests(SynchronousTestCase):
    """
    A refusal in RFB.
    """

    def test_versions(self) -> None:
        """
        Each version has its own way of saying no, and each carries the reason.
        """
        words = reason("Frist abgelaufen – sorry".encode())
        for says, no in ((V38, b"\0"), (V37, b"\0"), (V33, b"\0\0\0\0")):
            stream = ScriptedStream(says)
            run(handshake.refuse(stream, "Frist abgelaufen – sorry"))
            self.assertEqual(stream.written, V38 + no + words)

    def test_ourOwnViewerUnderstands(self) -> None:
        """
        What we tell a viewer is what we would read from a server.
        """
        for version in (V33, V37, V38):
            told = ScriptedStream(version)
            run(handshake.refuse(told, "because"))
            # A viewer that answered with `version` reads on as if the server had opened with it.
            with self.assertRaises(ConsoleRefused) as caught:
                run(handshake.logIn(ScriptedStream(version + told.written[12:]), None))
            self.assertIn("because", str(caught.exception))
