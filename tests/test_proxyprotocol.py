"""
Headers of the PROXY protocol: L{vncproxy.proxyprotocol}.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.errors import ProtocolError
from vncproxy.proxyprotocol import V2_LIMIT, ProxyHeader, parseProxyHeader

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
BEHIND = b"GET / HTTP/1.1\r\n\r\n"


def v1(line: str) -> bytes:
    """
    A header of version 1.
    """
    return line.encode("latin-1") + b"\r\n"


def v2(command: int, family: int, more: bytes, length: int | None = None) -> bytes:
    """
    A header of version 2.
    """
    return SIGNATURE + struct.pack("!BBH", command, family, len(more) if length is None else length) + more


def addresses(client: str, server: str, port: int) -> bytes:
    """
    The addresses of a header of version 2.
    """
    return ip_address(client).packed + ip_address(server).packed + struct.pack("!HH", port, 6080)


class ParseTests(SynchronousTestCase):
    """
    Tests for L{parseProxyHeader}.
    """

    def assertReads(self, header: bytes, client: str | None, port: int = 0) -> None:
        """
        The header names this client, whatever comes behind it; and as long as it has not come whole, nobody.
        """
        expected = ProxyHeader(len(header), None if client is None else ip_address(client), port)
        for behind in (b"", b"\r\n", BEHIND, header):
            self.assertEqual(parseProxyHeader(header + behind), expected)
        for length in range(len(header)):
            self.assertIsNone(parseProxyHeader(header[:length]), header[:length])

    def test_version1(self) -> None:
        """
        A line names the client and its port, in either family, or says that it does not know.
        """
        for line, client, port in (
            ("PROXY TCP4 203.0.113.9 192.0.2.1 50000 6080", "203.0.113.9", 50000),
            ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535", "255.255.255.255", 65535),
            ("PROXY TCP6 2001:db8::9 2001:db8::1 1 6080", "2001:db8::9", 1),
            ("PROXY TCP6 ::ffff:203.0.113.9 ::ffff:192.0.2.1 50000 6080", "203.0.113.9", 50000),
            ("PROXY UNKNOWN", None, 0),
            ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535", None, 0),
        ):
            self.assertReads(v1(line), client, port)

    def test_longestLine(self) -> None:
        """
        A line of 107 bytes is read; one byte more without an end is refused.
        """
        self.assertReads(v1("PROXY UNKNOWN " + "x" * 91), None)
        self.assertIsNone(parseProxyHeader(b"PROXY UNKNOWN " + b"x" * 92))
        self.assertRaises(ProtocolError, parseProxyHeader, b"PROXY UNKNOWN " + b"x" * 93)
        self.assertRaises(ProtocolError, parseProxyHeader, v1("PROXY UNKNOWN " + "x" * 92))

    def test_version2(self) -> None:
        """
        A binary header names the client and its port, in either family, whatever extensions stand behind.
        """
        for more in (b"", b"\x04\0\x01x", bytes(500)):
            ipv4, ipv6 = addresses("203.0.113.9", "192.0.2.1", 50000), addresses("2001:db8::9", "2001:db8::1", 7)
            self.assertReads(v2(0x21, 0x11, ipv4 + more), "203.0.113.9", 50000)
            self.assertReads(v2(0x21, 0x21, ipv6 + more), "2001:db8::9", 7)
        mapped = addresses("::ffff:203.0.113.9", "::ffff:192.0.2.1", 50000)
        self.assertReads(v2(0x21, 0x21, mapped), "203.0.113.9", 50000)

    def test_nobody(self) -> None:
        """
        A load balancer that speaks for itself, and a client that did not come over TCP, have no address.
        """
        ipv4 = addresses("203.0.113.9", "192.0.2.1", 50000)
        self.assertReads(v2(0x20, 0x11, ipv4), None)
        self.assertReads(v2(0x20, 0x00, b""), None)
        self.assertReads(v2(0x21, 0x00, b""), None)
        self.assertReads(v2(0x21, 0x12, ipv4), None)
        self.assertReads(v2(0x21, 0x31, bytes(216)), None)

    def test_refused(self) -> None:
        """
        What is no header is refused as soon as that shows, and what lies is, too.
        """
        ipv4 = addresses("203.0.113.9", "192.0.2.1", 50000)
        for data in (
            b"G",
            BEHIND,
            b"\x16\x03\x01",
            b"PROXY\r\n",
            b"PROXX",
            b"\r\n\r\n\0\r\nQUIX",
            v1("PROXY TCP4 203.0.113.9 192.0.2.1 50000"),
            v1("PROXY TCP4 203.0.113.9 192.0.2.1 50000 6080 1"),
            v1("PROXY TCP4 203.0.113.256 192.0.2.1 50000 6080"),
            v1("PROXY TCP4 203.0.113.9 192.0.2 50000 6080"),
            v1("PROXY TCP4 2001:db8::9 2001:db8::1 50000 6080"),
            v1("PROXY TCP6 203.0.113.9 192.0.2.1 50000 6080"),
            v1("PROXY TCP4 203.0.113.9 2001:db8::1 50000 6080"),
            v1("PROXY TCP4 203.0.113.9 192.0.2.1 65536 6080"),
            v1("PROXY TCP4  203.0.113.9 192.0.2.1 50000 6080"),
            v1("PROXY UDP4 203.0.113.9 192.0.2.1 50000 6080"),
            v1("PROXY tcp4 203.0.113.9 192.0.2.1 50000 6080"),
            v1("PROXY UNKNOWNx"),
            v1("PROXY UNKNOWN a\nb"),
            v2(0x11, 0x11, ipv4),
            v2(0x22, 0x11, ipv4),
            v2(0x21, 0x11, ipv4[:-1]),
            v2(0x21, 0x21, ipv4),
            v2(0x21, 0x11, b"", V2_LIMIT + 1),
        ):
            self.assertRaises(ProtocolError, parseProxyHeader, data)

    @given(st.ip_addresses(), st.integers(0, 0xFFFF), st.binary(max_size=200), st.binary(max_size=50))
    def test_anyClient(self, address: IPv4Address | IPv6Address, port: int, extensions: bytes, behind: bytes) -> None:
        """
        Every address and port comes through both versions.
        """
        family = 0x11 if address.version == 4 else 0x21
        text = str(address)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        for header in (
            v1(f"PROXY TCP{address.version} {text} {text} {port} 6080"),
            v2(0x21, family, addresses(text, text, port) + extensions),
        ):
            self.assertEqual(parseProxyHeader(header + behind), ProxyHeader(len(header), mapped or address, port))

    @given(
        st.sampled_from([b"", SIGNATURE, SIGNATURE + b"\x21\x11", b"PROXY ", b"PROXY TCP4 "]), st.binary(max_size=150)
    )
    def test_anyBytes(self, start: bytes, data: bytes) -> None:
        """
        Whatever comes, it is a header, it is refused, or more is needed; a header is no longer than what has come.
        """
        try:
            header = parseProxyHeader(start + data)
        except ProtocolError:
            return
        if header is not None:
            self.assertLessEqual(header.length, len(start + data))
