"""
Who the client is behind something that forwards: L{vncproxy.forwarded}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.addresses import TrustedPeers
from vncproxy.forwarded import Client, clientBehind

TRUSTED = TrustedPeers.parse(["10.0.0.0/8", "2001:db8:1::/48", "unix"])


def behind(peer: str, told: str | None) -> str:
    """
    The address of the client behind a peer that tells this.
    """
    return clientBehind(peer, TRUSTED, {"x-forwarded-for": told}.get).address


class ClientTests(SynchronousTestCase):
    """
    Tests for L{clientBehind}.
    """

    def test_addresses(self) -> None:
        """
        The client is the first from the right that is not trusted, however it is written; where nothing is told for
        sure it is the last that is known.
        """
        for peer, told, expected in (
            # Nobody forwards.
            ("203.0.113.9", None, "203.0.113.9"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("unix", None, "unix"),
            ("10.0.0.1", "", "10.0.0.1"),
            # One whom nobody knows says something.
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("", "198.51.100.1", ""),
            # One that is trusted says something.
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("unix", "198.51.100.1", "198.51.100.1"),
            ("2001:db8:1::1", "2001:db8:2::9", "2001:db8:2::9"),
            ("10.0.0.1", "2001:0DB8:2::0009", "2001:db8:2::9"),
            # The client has made something up.
            ("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "nonsense, 10.0.0.9, 198.51.100.1", "198.51.100.1"),
            # Several in a row.
            ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.3,10.0.0.2", "198.51.100.1"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            # In other spellings.
            ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
            ("10.0.0.1", "[2001:db8:2::9]:4711", "2001:db8:2::9"),
            ("10.0.0.1", "[2001:db8:2::9]", "2001:db8:2::9"),
            ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
            # It does not tell.
            ("10.0.0.1", "unknown", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.1, _hidden", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "198.51.100.1,", "10.0.0.1"),
            ("10.0.0.1", "unix", "10.0.0.1"),
        ):
            self.assertEqual(behind(peer, told), expected, (peer, told))

    def test_schemeAndHost(self) -> None:
        """
        How the client came, and to whom, is what the first of those in front was asked for; nonsense is not.
        """
        for told, scheme, host in (
            ({}, None, None),
            ({"x-forwarded-proto": "https", "x-forwarded-host": "cloud.example:444"}, "https", "cloud.example:444"),
            ({"x-forwarded-proto": " HTTPS , http", "x-forwarded-host": "a, b"}, "https", "a"),
            ({"x-forwarded-proto": "wss"}, "wss", None),
            ({"x-forwarded-proto": "gopher", "x-forwarded-host": ""}, None, None),
            ({"x-forwarded-proto": ", https"}, None, None),
        ):
            self.assertEqual(clientBehind("10.0.0.1", TRUSTED, told.get), Client("10.0.0.1", scheme, host), told)
            self.assertEqual(clientBehind("9.9.9.9", TRUSTED, told.get), Client("9.9.9.9"), told)

    def test_secure(self) -> None:
        """
        A client is known to have come over TLS when that was said.
        """
        secure = {scheme: Client("", scheme).isSecure for scheme in ("https", "wss", "http", "ws", None)}
        self.assertEqual(secure, {"https": True, "wss": True, "http": False, "ws": False, None: False})

    @given(st.text(), st.ip_addresses())
    def test_madeUp(self, told: str, address: object) -> None:
        """
        Whatever a client writes into the header, what a trusted proxy writes behind it holds.
        """
        if str(address) not in TRUSTED:
            expected = behind("10.0.0.1", str(address))
            self.assertEqual(behind("10.0.0.1", f"{told},{address}"), expected)
            self.assertEqual(behind("10.0.0.1", f"{told}, {address}, 10.0.0.2"), expected)

    @given(st.sampled_from(["10.0.0.1", "203.0.113.9", "unix"]), st.text())
    def test_anyText(self, peer: str, told: str) -> None:
        """
        Whatever is told, there is an answer.
        """
        self.assertTrue(behind(peer, told))
