"""
Client addresses: L{vncproxy.addresses}.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.addresses import TrustedPeers, countedAs, parseAddress


class AddressTests(SynchronousTestCase):
    """
    Tests for L{parseAddress} and L{countedAs}.
    """

    def test_table(self) -> None:
        """
        An IPv4 address is itself in both families, an IPv6 address counts by its network, and other words do not count.
        """
        for text, expected in (
            ("203.0.113.9", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("unix", None),
            ("", None),
            ("203.0.113.9:80", None),
            ("203.0.113", None),
        ):
            self.assertEqual(countedAs(text), expected, text)

    @given(st.ip_addresses())
    def test_anyAddress(self, address: IPv4Address | IPv6Address) -> None:
        """
        Every address is read, and counts as what it lies in.
        """
        read = parseAddress(str(address))
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        self.assertEqual(read, mapped or address)
        counted = countedAs(str(address))
        assert counted is not None
        self.assertIn(str(address), TrustedPeers.parse([counted]))

    @given(st.text(max_size=60))
    def test_anyText(self, text: str) -> None:
        """
        Whatever is asked for, there is an address or there is none.
        """
        read = parseAddress(text)
        self.assertEqual(read is None, countedAs(text) is None)
        if read is not None:
            self.assertEqual(ip_address(str(read)), read)


class TrustedPeersTests(SynchronousTestCase):
    """
    Tests for L{TrustedPeers}.
    """

    def test_networks(self) -> None:
        """
        Who is in one of the networks is trusted, in whichever family it comes; nobody else is.
        """
        trusted = TrustedPeers.parse(["10.0.0.0/8", "2001:db8::/32"])
        for inside in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::9"):
            self.assertIn(inside, trusted)
        for outside in ("11.1.2.3", "2001:db9::9", "unix", "", "10.1.2.3, 10.1.2.4"):
            self.assertNotIn(outside, trusted)

    def test_unix(self) -> None:
        """
        UNIX sockets are trusted where that is said.
        """
        self.assertIn("unix", TrustedPeers.parse(["unix"]))
        self.assertNotIn("127.0.0.1", TrustedPeers.parse(["unix"]))

    def test_nobody(self) -> None:
        """
        By default nobody is trusted.
        """
        for address in ("127.0.0.1", "::1", "unix"):
            self.assertNotIn(address, TrustedPeers())

    def test_nonsense(self) -> None:
        """
        What is no network is refused.
        """
        self.assertRaises(ValueError, TrustedPeers.parse, ["nginx"])
