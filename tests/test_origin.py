"""
Who may open consoles: L{vncproxy.origin}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.origin import mayConnect

HTTP = ("http",)
HTTPS = ("https",)


class MayConnectTests(SynchronousTestCase):
    def test_table(self) -> None:
        """
        Origin, host, published scheme and allowed sites decide as nova's proxy decides.
        """
        for origin, host, schemes, allowed, expected in (
            # No browser.
            (None, "proxy:6080", HTTP, (), True),
            (None, "", HTTP, (), True),
            # The same host; ports do not count.
            ("http://proxy:6080", "proxy:6080", HTTP, (), True),
            ("http://proxy", "proxy:6080", HTTP, (), True),
            ("http://proxy:80", "proxy", HTTP, (), True),
            ("http://PROXY", "proxy", HTTP, (), True),
            ("http://proxy", "Proxy", HTTP, (), True),
            ("http://10.0.0.1:6080", "10.0.0.1:6080", HTTP, (), True),
            # IPv6, in brackets.
            ("http://[::1]:6080", "[::1]:6080", HTTP, (), True),
            ("http://[::1]", "[::1]", HTTP, (), True),
            ("http://[::1]:6080", "[::2]:6080", HTTP, (), False),
            ("http://[::1]:6080", "::1", HTTP, (), False),
            # Another host.
            ("http://evil:6080", "proxy:6080", HTTP, (), False),
            ("http://proxy.evil", "proxy", HTTP, (), False),
            ("http://proxy@evil", "proxy", HTTP, (), False),
            # The scheme is that of the published URL.
            ("http://proxy", "proxy", HTTPS, (), False),
            ("https://proxy", "proxy", HTTPS, (), True),
            ("https://proxy", "proxy", HTTP, (), False),
            ("https://proxy", "proxy", ("http", "https"), (), True),
            ("ftp://proxy", "proxy", HTTP, (), False),
            # A published ws:// or wss:// URL is opened by pages of http:// or https://.
            ("http://proxy", "proxy", ("ws",), (), True),
            ("https://proxy", "proxy", ("wss",), (), True),
            ("http://proxy", "proxy", ("wss",), (), False),
            # What has no host.
            ("null", "proxy", HTTP, (), False),
            ("null", "null", HTTP, ("null",), False),
            ("", "proxy", HTTP, (), False),
            ("http://", "proxy", HTTP, (), False),
            ("http://", "", HTTP, (), False),
            ("proxy", "proxy", HTTP, (), False),
            ("//proxy", "proxy", HTTP, (), False),
            ("file://", "", HTTP, (), False),
            ("http://proxy", "", HTTP, (), False),
            ("http://proxy:port", "proxy", HTTP, (), False),
            ("http://[proxy", "proxy", HTTP, (), False),
            ("http://proxy", "[proxy", HTTP, (), False),
            # Sites that are allowed by host: any scheme, any port.
            ("https://dash", "proxy", HTTP, ("dash",), True),
            ("http://dash:8080", "proxy", HTTPS, ("other", "dash"), True),
            ("http://dash", "proxy", HTTP, ("DASH",), True),
            ("http://[::2]", "proxy", HTTP, ("::2",), True),
            ("http://[::2]", "proxy", HTTP, ("[::2]",), True),
            ("http://dash.evil", "proxy", HTTP, ("dash",), False),
            # Sites that are allowed by their whole origin.
            ("https://dash", "proxy", HTTP, ("https://dash",), True),
            ("https://dash:443", "proxy", HTTP, ("https://Dash",), True),
            ("https://dash:8443", "proxy", HTTP, ("https://dash:8443",), True),
            ("https://dash:8443", "proxy", HTTP, ("https://dash",), False),
            ("http://dash", "proxy", HTTP, ("https://dash",), False),
            ("http://dash", "proxy", HTTP, ("https://[dash",), False),
            # Everybody.
            ("https://anyone", "proxy", HTTP, ("*",), True),
            ("null", "proxy", HTTP, ("*",), True),
        ):
            self.assertIs(mayConnect(origin, host, schemes, allowed), expected, (origin, host, schemes, allowed))

    def test_forwardedScheme(self) -> None:
        """
        What stands in front tells the scheme better than the origin does; it changes nothing about foreign hosts.
        """
        for origin, schemes, forwarded, expected in (
            ("http://proxy", HTTPS, "https", True),
            ("http://proxy", HTTPS, "HTTPS", True),
            ("https://proxy", HTTPS, "http", False),
            ("http://proxy", HTTP, "https", False),
            ("http://proxy", HTTP, "", True),
            ("http://evil", HTTPS, "https", False),
        ):
            found = mayConnect(origin, "proxy", schemes, (), forwarded)
            self.assertIs(found, expected, (origin, schemes, forwarded))

    @given(st.text(), st.text(), st.lists(st.text()))
    def test_anyText(self, origin: str, host: str, allowed: list[str]) -> None:
        """
        Whatever the headers hold, there is an answer.
        """
        for text in (origin, f"http://{origin}"):
            self.assertIn(mayConnect(text, host, HTTP, allowed), (True, False))

    @given(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.from_regex(r"[a-z]{1,8}", fullmatch=True))
    def test_sameHostOnly(self, origin: str, host: str) -> None:
        """
        Without allowed sites exactly the pages of the very host may connect.
        """
        self.assertIs(mayConnect(f"http://{origin}", host, HTTP, ()), origin == host)
