"""
Tests for L{vncproxy.rfb.vncauth}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.rfb.vncauth import response


class ResponseTests(SynchronousTestCase):
    """
    The answer to a challenge.
    """

    def test_knownAnswer(self) -> None:
        """
        The key is the password with mirrored bits: the stored form of "secret12" that tigervncpasswd writes is this
        cipher run backwards over the password under VNC's fixed key, so both directions must agree with it.
        """
        fixed = bytes([23, 82, 107, 6, 35, 78, 88, 7]).decode("latin-1")
        # C{tigervncpasswd -f} prints 24b5ae4ce15503c6 for secret12.
        self.assertEqual(response(b"secret12" * 2, fixed)[:8].hex(), "24b5ae4ce15503c6")

    def test_onlyEightBytesCount(self) -> None:
        """
        What stands behind the eighth byte of a password changes nothing.
        """
        challenge = bytes(range(16))
        self.assertEqual(response(challenge, "12345678"), response(challenge, "12345678more"))
        self.assertNotEqual(response(challenge, "1234567"), response(challenge, "12345678"))

    def test_emptyPassword(self) -> None:
        """
        An empty password is a key of eight NULs.
        """
        self.assertEqual(response(bytes(16), "").hex(), "8ca64de9c1b123a7" * 2)

    def test_emptyEqualsNULs(self) -> None:
        """
        Short passwords are padded with NULs.
        """
        self.assertEqual(response(bytes(16), "ab"), response(bytes(16), "ab\0\0"))
