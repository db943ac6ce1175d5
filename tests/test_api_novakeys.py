"""
L{vncproxy.api.novakeys}.
"""

from __future__ import annotations

from base64 import b64encode

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from vncproxy.api.novakeys import isGuest, passwords

GUEST: dict[str, str | list[str]] = {"X-Auth-Token": "notused", "Host": "127.0.0.1:8774"}


def makeRequest(headers: dict[str, str | list[str]], client: IAddress | None = None) -> Request:
    """
    A request with these headers.
    """
    request = Request(DummyChannel(), False)
    request.client = client or IPv4Address("TCP", "127.0.0.1", 50000)
    for name, value in headers.items():
        request.requestHeaders.setRawHeaders(name, [value] if isinstance(value, str) else value)
    return request


class PasswordTests(SynchronousTestCase):
    def test_shown(self) -> None:
        """
        The password is what stands behind the first colon; the user's name does not matter.
        """
        for pair, password in ((b"user:sesame", b"sesame"), (b":a:b", b"a:b"), (b"user", b"")):
            for scheme in ("Basic", "basic"):
                request = makeRequest({"Authorization": f"{scheme} {b64encode(pair).decode()}"})
                self.assertEqual(list(passwords(request)), [password])

    def test_none(self) -> None:
        """
        What is of another scheme, or no base64, shows none.
        """
        for value in ("Bearer c2VzYW1l", "Basic", "Basic *", "Basic abc", "c2VzYW1l"):
            self.assertEqual([each for each in passwords(makeRequest({"Authorization": value})) if each], [], value)


class GuestTests(SynchronousTestCase):
    def test_guest(self) -> None:
        """
        A program on this machine that shows the token of no token is a guest, under each name of this machine.
        """
        for host in ("127.0.0.1:8774", "127.0.0.1", "localhost:8774", "localhost", "[::1]:8774", "127.1.2.3:1"):
            self.assertTrue(isGuest(makeRequest(GUEST | {"Host": host})), host)
        for client in (IPv6Address("TCP", "::1", 1), IPv6Address("TCP", "::ffff:127.0.0.1", 1)):
            self.assertTrue(isGuest(makeRequest(GUEST, client)), client)

    def test_elsewhere(self) -> None:
        """
        Nobody from elsewhere is one, nor one who was passed on.
        """
        for client in (IPv4Address("TCP", "203.0.113.9", 1), IPv6Address("TCP", "2001:db8::9", 1), UNIXAddress(None)):
            self.assertFalse(isGuest(makeRequest(GUEST, client)), client)
        for header in ("X-Forwarded-For", "Forwarded", "Via"):
            self.assertFalse(isGuest(makeRequest(GUEST | {header: "x"})), header)

    def test_browser(self) -> None:
        """
        A page that a browser on this machine was led to is none: it cannot show the token, or comes under its own name.
        """
        changes: list[dict[str, str | list[str]]] = [
            {"X-Auth-Token": ""},
            {"X-Auth-Token": "other"},
            {"X-Auth-Token": ["notused", "other"]},
            {"Host": "evil.example:8774"},
            {"Host": "evil.example"},
            {"Host": "localhost.evil.example"},
            {"Host": ""},
            {"Origin": "http://127.0.0.1:8774"},
        ]
        for changed in changes:
            self.assertFalse(isGuest(makeRequest({**GUEST, **changed})), changed)
        self.assertFalse(isGuest(makeRequest({"Host": "localhost"})))
        self.assertFalse(isGuest(makeRequest({"X-Auth-Token": "notused"})))
