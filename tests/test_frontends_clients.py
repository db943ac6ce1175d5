"""
What an HTTP request says of who sent it: L{vncproxy.frontends.clients}.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.test.requesthelper import DummyRequest

from vncproxy.addresses import TrustedPeers
from vncproxy.forwarded import Client
from vncproxy.frontends.clients import clientOf, headerOf


class ClientTests(SynchronousTestCase):
    """
    Tests for L{headerOf} and L{clientOf}.
    """

    def request(self, address: IAddress, *headers: tuple[bytes, bytes]) -> DummyRequest:
        """
        A request of somebody at this address.
        """
        request = DummyRequest([])
        request.client = address
        request.requestHeaders = Headers()
        for name, value in headers:
            request.requestHeaders.addRawHeader(name, value)
        return request

    def test_headers(self) -> None:
        """
        A header that repeats is one with commas; one that is no UTF-8 is a text all the same; and there may be none.
        """
        request = self.request(UNIXAddress(None), (b"X-A", b"1"), (b"x-a", b"2, 3"), (b"X-B", b"\xff"))
        self.assertEqual(
            [headerOf(request, name) for name in ("x-a", "X-B", "x-c")],  # type: ignore[arg-type]
            ["1, 2, 3", "\xff", None],
        )

    def test_client(self) -> None:
        """
        The client is the peer, or whom a trusted peer names.
        """
        told = ((b"X-Forwarded-For", b"203.0.113.9"), (b"X-Forwarded-Proto", b"https"))
        for address, expected in (
            (IPv4Address("TCP", "10.0.0.1", 1), Client("203.0.113.9", "https")),
            (UNIXAddress(None), Client("203.0.113.9", "https")),
            (IPv4Address("TCP", "11.0.0.1", 1), Client("11.0.0.1")),
        ):
            request = self.request(address, *told)
            trusted = TrustedPeers.parse(["10.0.0.0/8", "unix"])
            self.assertEqual(clientOf(request, trusted), expected)  # type: ignore[arg-type]
