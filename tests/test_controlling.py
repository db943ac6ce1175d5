"""
The composition root's part for the token-check protocol.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from tests.consoleauthworld import ControllerCase
from vncproxy.certs import selfSigned
from vncproxy.config import ConsoleAuthSection
from vncproxy.config.controller import Controller, ControllerKind
from vncproxy.controlling import askController, controllerDoors
from vncproxy.errors import ConfigError

_TCP = Controller(ControllerKind.TCP, "127.0.0.1", 8788)


class AskTests(SynchronousTestCase):
    """
    Tests for L{askController}.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.reactor = MemoryReactorClock()

    def keyFile(self, text: str, mode: int = 0o600) -> str:
        """
        A file with a key.
        """
        path = self.directory / "key"
        path.write_text(text)
        os.chmod(path, mode)
        return str(path)

    def test_connects(self) -> None:
        """
        It connects when it is started, and not before, with the key as it stands in the file then.
        """
        section = ConsoleAuthSection(key_file=self.keyFile("old\n"), timeout=2)
        authority = askController(self.reactor, _TCP, section, "p1")
        self.assertEqual(self.reactor.tcpClients, [])
        self.keyFile("new\n")
        self.successResultOf(Deferred.fromCoroutine(authority.start()))
        host, port, factory, timeout, _ = self.reactor.tcpClients.pop()
        self.assertEqual((host, port, timeout), ("127.0.0.1", 8788, 2))
        self.assertEqual(factory._wrappedFactory.buildProtocol(None)._key, "new")

    def test_unusableKey(self) -> None:
        """
        A key file that is missing, empty, or everybody's ends the start.
        """
        for path in ("/missing/key", self.keyFile(""), self.keyFile("x", 0o644)):
            section = ConsoleAuthSection(key_file=path)
            error = self.assertRaises(ConfigError, askController, self.reactor, _TCP, section, "p1")
            self.assertIn("[consoleauth] key_file", str(error))

    def test_noKey(self) -> None:
        """
        Over a UNIX socket none is needed.
        """
        controller = Controller(ControllerKind.UNIX, path="/run/x")
        authority = askController(self.reactor, controller, ConsoleAuthSection(), "p1")
        self.successResultOf(Deferred.fromCoroutine(authority.start()))
        self.assertEqual(self.reactor.unixClients[0][0], "/run/x")


class DoorTests(ControllerCase):
    """
    Tests for L{controllerDoors}.
    """

    def test_plain(self) -> None:
        """
        Without a certificate there is no TLS.
        """
        section = ConsoleAuthSection(listen=("tcp:1", "unix:/s:mode=600"))
        self.assertEqual(
            controllerDoors(self.loop, section, self.factory), (("consoleauth", section.listen, self.factory),)
        )

    def test_TLS(self) -> None:
        """
        With one there is, but behind UNIX sockets.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        certificate, key = selfSigned(directory, [])
        section = ConsoleAuthSection(
            listen=("tcp:1", "unix:/s:mode=600"),
            server_certificate=certificate,
            server_key=key,
            client_ca=certificate,
        )
        (_, others, secured), (_, local, plain) = controllerDoors(self.loop, section, self.factory)
        self.assertEqual((others, local), (["tcp:1"], ["unix:/s:mode=600"]))
        self.assertIsInstance(secured, TLSMemoryBIOFactory)
        self.assertIs(plain, self.factory)

    def test_unusable(self) -> None:
        """
        Files that cannot be used are told with their keys.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        certificate, key = selfSigned(directory, [])
        for section, named in (
            (ConsoleAuthSection(server_certificate="/missing"), "server_certificate"),
            (ConsoleAuthSection(server_certificate=certificate), "server_key"),
            (ConsoleAuthSection(server_certificate=certificate, server_key=key, client_ca=key), "client_ca"),
        ):
            error = self.assertRaises(ConfigError, controllerDoors, self.loop, section, self.factory)
            self.assertIn(f"[consoleauth] {named}", str(error))
