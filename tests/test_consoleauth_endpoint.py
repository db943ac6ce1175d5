"""
The way to a controller, on a reactor in memory.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.certs import selfSigned
from vncproxy.config.controller import Controller, ControllerKind
from vncproxy.consoleauth.endpoint import TLSFiles, makeEndpoint
from vncproxy.errors import ConfigError

_TLS = Controller(ControllerKind.TLS, "127.0.0.1", 8788)


class EndpointTests(SynchronousTestCase):
    """
    Tests for L{makeEndpoint}.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def dialled(self, controller: Controller, files: TLSFiles | None = None) -> tuple[str, int]:
        """
        Which TCP address is connected to.
        """
        endpoint = makeEndpoint(self.reactor, controller, files or TLSFiles(), 3)
        endpoint.connect(Factory.forProtocol(Protocol))
        host, port, _, timeout, _ = self.reactor.tcpClients.pop()
        self.assertEqual(timeout, 3)
        return host, port

    def test_kinds(self) -> None:
        """
        Each kind leads where it says.
        """
        self.assertEqual(self.dialled(Controller(ControllerKind.TCP, "127.0.0.1", 99)), ("127.0.0.1", 99))
        unix = makeEndpoint(self.reactor, Controller(ControllerKind.UNIX, path="/run/x"), TLSFiles(), 3)
        self.assertIsInstance(unix, UNIXClientEndpoint)
        unix.connect(Factory.forProtocol(Protocol))
        self.assertEqual(self.reactor.unixClients[0][0], "/run/x")

    def test_TLS(self) -> None:
        """
        TLS takes authorities and a certificate of our own, with its key beside it or in one file, or neither.
        """
        certificate, key = selfSigned(self.directory, [])
        both = self.directory / "both.pem"
        both.write_bytes(Path(key).read_bytes() + Path(certificate).read_bytes())
        for files in (
            TLSFiles(),
            TLSFiles(certificate, key, certificate),
            TLSFiles(str(both), None, str(both)),
        ):
            self.assertEqual(self.dialled(_TLS, files), ("127.0.0.1", 8788))

    def test_unusable(self) -> None:
        """
        Files that cannot be used are told with their key.
        """
        certificate, key = selfSigned(self.directory, [])
        broken = self.directory / "broken.pem"
        broken.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
        missing = str(self.directory / "missing")
        for files, named in (
            (TLSFiles(authorities=missing), "ca_certs"),
            (TLSFiles(authorities=key), "ca_certs"),
            (TLSFiles(authorities=str(broken)), "ca_certs"),
            (TLSFiles(missing, key), "client_certificate"),
            (TLSFiles(certificate, missing), "client_certificate"),
            (TLSFiles(certificate), "client_certificate"),
            (TLSFiles(str(broken), key), "client_certificate"),
        ):
            error = self.assertRaises(ConfigError, makeEndpoint, self.reactor, _TLS, files, 3)
            self.assertIn(f"[consoleauth] {named}", str(error))
