"""
Which endpoint strings a service may listen on.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.config.endpoints import endpointFaults, isEverywhere

_WORDS = st.sampled_from(
    r"tcp tcp6 unix port interface address mode backlog lockfile 6080 0 1 660 127.0.0.1 \:\:1 /run/x = : \ ".split()
) | st.just("")


class EndpointTests(SynchronousTestCase):
    """
    Tests for L{endpointFaults}.
    """

    def test_served(self) -> None:
        """
        Everything that the example file speaks of can be listened on.
        """
        for text in (
            "tcp:6080",
            "tcp:0",
            "tcp:6080:interface=127.0.0.1",
            "tcp:port=6080:interface=127.0.0.1:backlog=200",
            "tcp:6080:127.0.0.1:50",
            r"tcp:6080:interface=\:\:1",
            r"tcp6:6080:interface=\:\:1",
            "unix:/run/vncproxy/web.sock",
            "unix:/run/vncproxy/web.sock:mode=660:lockfile=0",
            r"unix:address=/run/a\:b\=c",
            "systemd:domain=INET:name=web",
            "systemd:INET6:0",
        ):
            self.assertEqual(list(endpointFaults(text)), [], text)

    def test_refused(self) -> None:
        """
        What cannot be listened on is refused in words that lead to what can.
        """
        for text, message, cure in (
            ("", "no kind of endpoint", "Write tcp:PORT"),
            ("6080", "no kind of endpoint", "Write tcp:PORT"),
            ("tpc:6080", "no kind of endpoint", 'Did you mean "tcp"?'),
            ("tcp=1", "no kind of endpoint", "Write tcp:PORT"),
            ("onion:80", "no kind of endpoint", "Write tcp:PORT"),
            ("ssl:443:privateKey=/etc/key.pem", "TLS is not configured here", "[tls]"),
            ("tcp:6080\\", "in the middle of an escape", "Write tcp:PORT"),
            ("tcp", 'it needs "port"', "tcp:6080"),
            ("tcp:65536", 'field "port" is not a number from 0 to 65535', "tcp:6080"),
            ("tcp:http", 'field "port"', "tcp:6080"),
            ("tcp:6080:interface=lo", 'field "interface" is not an IP address', "tcp:6080"),
            ("tcp6:6080:interface=127.0.0.1", 'field "interface"', "tcp6:6080"),
            ("tcp:6080:interface=::1", 'field "interface" is not', "tcp:6080"),
            ("tcp:6080:127.0.0.1:50:1", "too many fields", r"\\:"),
            ("tcp:6080:port=6080", 'the field "port" stands twice', "once"),
            ("tcp:6080:prot=6080", 'no field "prot"', 'Did you mean "port"?'),
            ("tcp:6080:xyz=1", 'no field "xyz"', "It takes port, interface, backlog."),
            ("unix:web.sock", 'field "address"', "unix:/run"),
            ("unix:/" + "a" * 107, 'field "address"', "unix:/run"),
            ("unix:/run/x:mode=999", 'field "mode"', "unix:/run"),
            ("unix:/run/x:lockfile=no", 'field "lockfile"', "unix:/run"),
            ("systemd:domain=INET", 'it needs "domain" and "index" or "domain" and "name"', "systemd:domain"),
            ("systemd:domain=INET:index=0:name=web", "it needs", "systemd:domain"),
            ("systemd:domain=IPX:index=0", 'field "domain"', "systemd:domain"),
        ):
            faults = list(endpointFaults(text))
            self.assertTrue(faults, text)
            self.assertIn(message, faults[0].message)
            self.assertIn(cure, faults[0].cure)

    def test_everywhere(self) -> None:
        """
        What stands for every address of the machine is known, by name or by default.
        """
        for text, everywhere in (
            ("tcp:80", True),
            ("tcp:80:interface=0.0.0.0", True),
            ("tcp:80:0.0.0.0", True),
            (r"tcp:80:interface=\:\:", True),
            ("tcp6:80:50", True),
            (r"tcp6:80:50:\:\:1", False),
            ("tcp:80:interface=127.0.0.1", False),
            ("unix:/run/x", False),
            ("systemd:domain=INET:name=web", False),
        ):
            self.assertEqual(isEverywhere(text), everywhere, text)

    @settings(deadline=None)
    @given(st.lists(_WORDS, max_size=8).map("".join) | st.lists(_WORDS, max_size=6).map(":".join) | st.text())
    def test_asTwisted(self, text: str) -> None:
        """
        Whatever passes, Twisted takes; whatever does not, is refused in words and not by a traceback.
        """
        if not list(endpointFaults(text)) and not text.startswith("systemd"):
            serverFromString(MemoryReactor(), text)
