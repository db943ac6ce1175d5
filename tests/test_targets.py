"""
Target URLs and what they name.
"""

from __future__ import annotations

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.errors import RequestError
from vncproxy.model import Target, TargetKind
from vncproxy.targets import BadTarget, formatTarget, isHost, parseTarget

_LABELS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,20}[A-Za-z0-9]", fullmatch=True)
_NAMES = st.lists(_LABELS, min_size=1, max_size=4).map(".".join)
_HOSTS = st.one_of(_NAMES, st.ip_addresses().map(str))
_PASSWORDS = st.none() | st.text()
_TCP_TARGETS = st.builds(
    Target,
    kind=st.just(TargetKind.VNC),
    host=_HOSTS,
    port=st.integers(1, 65535),
    password=_PASSWORDS,
)
_RAW_TARGETS = st.builds(Target, kind=st.just(TargetKind.TCP), host=_HOSTS, port=st.integers(1, 65535))
_PATHS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=25).map("/".__add__)
_UNIX_TARGETS = st.builds(Target, kind=st.just(TargetKind.VNC_UNIX), path=_PATHS, password=_PASSWORDS)
_RAW_UNIX_TARGETS = st.builds(Target, kind=st.just(TargetKind.UNIX), path=_PATHS)


class ParseTests(SynchronousTestCase):
    """
    Tests for L{parseTarget}.
    """

    def test_known(self) -> None:
        """
        Each way of writing a target is read as what it says.
        """
        for url, target in {
            "vnc://10.0.0.5:5901": Target(TargetKind.VNC, "10.0.0.5", 5901),
            "vnc://10.0.0.5": Target(TargetKind.VNC, "10.0.0.5", 5900),
            "VNC://Node-7.example.org.:1/": Target(TargetKind.VNC, "Node-7.example.org.", 1),
            "vnc://[2001:db8::5]:65535": Target(TargetKind.VNC, "2001:db8::5", 65535),
            "vnc://[::1]": Target(TargetKind.VNC, "::1", 5900),
            "vnc://[fe80::1%eth0]:5900": Target(TargetKind.VNC, "fe80::1%eth0", 5900),
            "vnc+unix:///run/vm7.sock": Target(TargetKind.VNC_UNIX, path="/run/vm7.sock"),
            "vnc+unix:///run/a%20%3fb": Target(TargetKind.VNC_UNIX, path="/run/a ?b"),
            "tcp://10.0.0.5:4555": Target(TargetKind.TCP, "10.0.0.5", 4555),
            "tcp://[::1]:4555": Target(TargetKind.TCP, "::1", 4555),
            "unix:///run/serial.sock": Target(TargetKind.UNIX, path="/run/serial.sock"),
        }.items():
            self.assertEqual(parseTarget(url), target, url)

    def test_refused(self) -> None:
        """
        Whatever is no target is refused in words that say what is wrong.
        """
        for url, cause in {
            "": "names no way",
            "10.0.0.5:5901": "names no way",
            "vnc:10.0.0.5": "names no way",
            "http://10.0.0.5": "names no way",
            "vnc://10.0.0.5 :5901": "blank",
            "vnc://10.0.0.5\n": "blank",
            "vnc://me:pw@10.0.0.5": "credentials",
            "vnc://10.0.0.5:5901/x": "follows the address",
            "vnc://10.0.0.5?x=1": "follows the address",
            "vnc://10.0.0.5#x": "follows the address",
            "vnc://": "host is neither",
            "vnc://:5900": "host is neither",
            "vnc://127.1": "host is neither",
            "vnc://2130706433:5900": "host is neither",
            "vnc://0x7f.0x1": "host is neither",
            "vnc://1.2.3.256": "host is neither",
            "vnc://-a.example": "host is neither",
            "vnc://a..b": "host is neither",
            "vnc://bücher.example": "host is neither",
            "vnc://" + "a." * 127: "host is neither",
            "vnc://[::1%e;th0]": "host is neither",
            "vnc://[::x]": "host is neither",
            "vnc://[10.0.0.5]": "brackets",
            "vnc://[::1": "brackets",
            "vnc://[::1]5900": "brackets",
            "vnc://::1:5900": "too many colons",
            "vnc://h:": "port",
            "vnc://h:0": "port",
            "vnc://h:65536": "port",
            "vnc://h:+1": "port",
            "vnc://h:٣": "port",
            "vnc://[::1]:": "port",
            "vnc+unix://run/vm7.sock": "not absolute",
            "vnc+unix:///run/vm7?x": "follows the path",
            "vnc+unix:///run/vm7#x": "follows the path",
            "vnc+unix:///run/%ff": "not UTF-8",
            "vnc+unix:///run/\ud800": "not UTF-8",
            "vnc+unix:///run/%00": "control",
            "vnc+unix:///" + "a" * 107: "longer than 107",
            "tcp://10.0.0.5": "names no port",
            "tcp://[::1]": "names no port",
            "unix://run/serial.sock": "not absolute",
        }.items():
            error = self.assertRaises(BadTarget, parseTarget, url)
            self.assertIn(cause, error.cause, url)
            self.assertEqual((error.key, error.reason), ("url", "bad_request"))
            self.assertEqual(str(error), f"url: {error.cause}. {error.cure}")

    def test_rawPassword(self) -> None:
        """
        A raw target takes no password: nobody would use it.
        """
        for url in ("tcp://h:1", "unix:///run/a"):
            error = self.assertRaises(BadTarget, parseTarget, url, "hunter2")
            self.assertEqual(error.key, "password")
            self.assertNotIn("hunter2", str(error))

    def test_secretsStaySecret(self) -> None:
        """
        Neither a refusal nor the repr of a target shows a password.
        """
        error = self.assertRaises(BadTarget, parseTarget, "vnc://:hunter2@h", "hunter2")
        self.assertNotIn("hunter2", str(error))
        target = parseTarget("vnc://h", "hunter2")
        self.assertEqual(target.password, "hunter2")
        self.assertNotIn("hunter2", repr(target) + formatTarget(target))

    @settings(deadline=None)
    @given(st.text())
    def test_noOtherError(self, text: str) -> None:
        """
        Any text whatever is either read or refused with L{RequestError}.
        """
        for url in (text, f"vnc://{text}", f"vnc://[{text}", f"vnc+unix:///{text}"):
            try:
                parseTarget(url)
            except RequestError:
                continue


class FormatTests(SynchronousTestCase):
    """
    Tests for L{formatTarget}.
    """

    @settings(deadline=None)
    @given(_TCP_TARGETS | _UNIX_TARGETS | _RAW_TARGETS | _RAW_UNIX_TARGETS)
    def test_roundTrip(self, target: Target) -> None:
        """
        What is written is read back as the same target.
        """
        if len(target.path.encode()) <= 107:
            self.assertEqual(parseTarget(formatTarget(target), target.password), target)

    def test_written(self) -> None:
        """
        The port is always written, IPv6 addresses stand in brackets, odd characters of a path are encoded.
        """
        for url in ("vnc://h:5900", "vnc://[::1]:5901", "vnc+unix:///run/a%20b%3F", "tcp://h:1", "unix:///run/a"):
            self.assertEqual(formatTarget(parseTarget(url)), url)


class HostTests(SynchronousTestCase):
    """
    Tests for L{isHost}.
    """

    @settings(deadline=None)
    @given(st.ip_addresses())
    def test_addresses(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
        """
        Every IP address is a host.
        """
        self.assertTrue(isHost(str(address)))

    def test_names(self) -> None:
        """
        Host names may hold underscores and end in a dot; a name whose last part is a number is none.
        """
        self.assertTrue(all(map(isHost, ("a", "a_b.c-d", "a.example.", "1.a"))))
        self.assertFalse(any(map(isHost, ("", ".", "a.1", "a b", "a-", "1.2.3.4.", "127.0.0.01"))))
