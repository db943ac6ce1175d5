"""
What a start tells the person who watches it: L{vncproxy.announcing}.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.announcing import commandPath, demoWords, formatListening, formatURL, takenWords


class URLTests(SynchronousTestCase):
    """
    Tests for L{formatURL} and L{formatListening}.
    """

    def test_addresses(self) -> None:
        """
        The public name goes before the address; an address that means all of the machine's is written as one that
        leads there.
        """
        for address, public, url in (
            (IPv4Address("TCP", "10.0.0.9", 80), None, "http://10.0.0.9:80"),
            (IPv6Address("TCP", "2001:db8::7", 80), None, "http://[2001:db8::7]:80"),
            (IPv4Address("TCP", "0.0.0.0", 80), None, "http://127.0.0.1:80"),
            (IPv6Address("TCP", "::", 80), None, "http://[::1]:80"),
            (IPv4Address("TCP", "10.0.0.9", 80), "console.example", "http://console.example:80"),
            (IPv4Address("TCP", "0.0.0.0", 80), "console.example", "http://console.example:80"),
            (IPv6Address("TCP", "::", 80), "2001:db8::9", "http://[2001:db8::9]:80"),
            (UNIXAddress("/run/web.sock"), "console.example", "unix:/run/web.sock"),
        ):
            self.assertEqual(formatURL("http", address, public), url)

    def test_listening(self) -> None:
        """
        What listens everywhere is said to, with a URL that can be used; all else is told as it is.
        """
        for address, words in (
            (IPv4Address("TCP", "10.0.0.9", 80), "http://10.0.0.9:80"),
            (
                IPv4Address("TCP", "0.0.0.0", 80),
                "http://0.0.0.0:80, every address of this machine; from itself, http://127.0.0.1:80",
            ),
            (
                IPv6Address("TCP", "::", 80),
                "http://[::]:80, every address of this machine; from itself, http://[::1]:80",
            ),
            (UNIXAddress("/run/web.sock"), "unix:/run/web.sock"),
        ):
            self.assertEqual(formatListening("http", address), words)


class CommandTests(SynchronousTestCase):
    """
    Tests for L{commandPath} and L{demoWords}.
    """

    def install(self, name: str) -> Path:
        """
        An installation of its own; returns its Python.
        """
        directory = Path(self.mktemp()).absolute() / name
        directory.mkdir(parents=True)
        for program in ("python", "vncproxy"):
            (directory / program).touch(mode=0o755)
        return directory / "python"

    def test_path(self) -> None:
        """
        A command that the terminal would not find, or not this one, is named by its path.
        """
        ours, other = self.install("ours"), self.install("other")
        self.assertEqual(commandPath(str(ours), str(ours.parent)), "vncproxy")
        for path in (str(other.parent), "/nonexistent"):
            self.assertEqual(commandPath(str(ours), path), str(ours.with_name("vncproxy")))
        self.assertEqual(commandPath("/nonexistent/python", "/nonexistent"), "vncproxy")

    def test_demo(self) -> None:
        """
        The commands can be pasted as they are, also with spaces in a path.
        """
        words = demoWords("http://h/?token=t", Path("/a b/api.key"), "/c d/vncproxy")
        self.assertIn("\n    http://h/?token=t\n", words)
        self.assertIn("\n    '/c d/vncproxy' --key-file '/a b/api.key' url ID\n", words)


class TakenTests(SynchronousTestCase):
    """
    Tests for L{takenWords}.
    """

    def test_example(self) -> None:
        """
        It names the key, a line to write, and the start with it.
        """
        for endpoint, example, program in (
            ("tcp:6080:interface=127.0.0.1", "tcp:16080:interface=127.0.0.1", "twistd -n vncproxy"),
            ("tcp:60000", "tcp:50000", "vncproxy quickstart"),
        ):
            words = takenWords("web", endpoint, "It is taken.", program)
            self.assertTrue(words.startswith(f"[web] listen: cannot listen on {endpoint}: It is taken. "))
            self.assertIn(f'below [web], such as listen = "{example}"', words)
            self.assertTrue(words.endswith(f": {program} --config FILE"))
