"""
Where a controller is.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.config.checks import checkConfig
from vncproxy.config.controller import Controller, ControllerKind, parseController
from vncproxy.targets import isHost

_KEY = 'key_file = "k"\n'


class ParseTests(SynchronousTestCase):
    """
    Tests for L{parseController}.
    """

    def test_understood(self) -> None:
        """
        Names and addresses with or without a port, and paths.
        """
        tcp, tls, unix = ControllerKind
        for text, expected in (
            ("tcp:10.0.0.9:99", Controller(tcp, "10.0.0.9", 99)),
            ("tcp:controller.example", Controller(tcp, "controller.example", 8788)),
            ("tls:[2001:db8::9]:1", Controller(tls, "2001:db8::9", 1)),
            ("tls:[::1]", Controller(tls, "::1", 8788)),
            ("unix:/run/a b:c.sock", Controller(unix, path="/run/a b:c.sock")),
        ):
            self.assertEqual(parseController(text), expected, text)

    def test_refused(self) -> None:
        """
        What is no such place, or opens something else as an endpoint string would, is none.
        """
        for text in (
            "",
            "tcp",
            "tcp:",
            "tcp::99",
            "tcp:h:",
            "tcp:h:0",
            "tcp:h:65536",
            "tcp:h:1:timeout=5",
            "tcp:::1:99",
            "tcp:[h]:99",
            "tcp:[::1",
            "tcp:127.1:9",
            "udp:h:9",
            "unix:run/x",
            "unix:/a\0b",
            "unix:/" + "x" * 107,
            "tls:h:1:privateKey=/etc/x",
        ):
            self.assertIsNone(parseController(text), text)

    @given(st.text())
    def test_anyText(self, text: str) -> None:
        """
        Whatever is understood can be dialled.
        """
        for kind in ControllerKind:
            found = parseController(f"{kind}:{text}")
            if found is not None:
                self.assertTrue(found.path.startswith("/") if found.path else isHost(found.host) and found.port)


class CheckTests(SynchronousTestCase):
    """
    What keys of C{[consoleauth]} have to do with one another.
    """

    def assertFaults(self, keys: str, *expected: tuple[str, str]) -> None:
        """
        These keys are complained of, each with these words.
        """
        found = checkConfig(f"[consoleauth]\n{keys}", "a.toml")
        self.assertEqual([problem.key for problem in found], [f"consoleauth.{key}" for key, _ in expected])
        for problem, (_, words) in zip(found, expected, strict=True):
            self.assertIn(words, f"{problem.message}. {problem.cure}")

    def test_sound(self) -> None:
        """
        A controller with everything, and a proxy with everything, are right.
        """
        self.assertFaults('listen = ["tcp:1", "unix:/s:mode=600"]\nserver_certificate = "c"\nclient_ca = "a"')
        self.assertFaults('connect = "unix:/run/s"')
        self.assertFaults('connect = "tcp:h"\n' + _KEY)
        self.assertFaults('connect = "tls:h"\nclient_certificate = "c"\nclient_key = "k"\nca_certs = "a"')

    def test_noPlace(self) -> None:
        """
        A place that is none is told once.
        """
        self.assertFaults('connect = "http://h"', ("connect", "Write tcp:HOST:PORT"))

    def test_nothingToConnectTo(self) -> None:
        """
        Keys of a proxy are nothing without a controller.
        """
        self.assertFaults(_KEY, ("key_file", "Write connect, too"))

    def test_both(self) -> None:
        """
        Who asks a controller is none; to name what is listened on anyway is none of this.
        """
        connect = 'connect = "unix:/s"\n'
        self.assertFaults('listen = "tcp:1"\n' + connect, ("listen", "one of listen and connect"))
        self.assertFaults('listen = "tcp:8788:interface=127.0.0.1"\n' + connect)

    def test_noTLS(self) -> None:
        """
        Certificates are for TLS, and keys for certificates.
        """
        self.assertFaults('connect = "tcp:h"\nca_certs = "a"\n' + _KEY, ("ca_certs", "it is for TLS"))
        self.assertFaults('connect = "tls:h"\nclient_key = "k"\n' + _KEY, ("client_key", "no certificate"))
        self.assertFaults('server_key = "k"\n', ("server_key", "server_certificate"))
        self.assertFaults('client_ca = "k"\n', ("client_ca", "server_certificate"))

    def test_nothingLetsIn(self) -> None:
        """
        Over TCP a proxy has to show something.
        """
        self.assertFaults('connect = "tcp:h"', ("connect", "key_file"))

    def test_openSocket(self) -> None:
        """
        A UNIX socket says who may use it.
        """
        self.assertFaults('listen = "unix:/s"', ("listen", "mode=600"))
