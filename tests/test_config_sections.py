"""
The configuration as values.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import get_type_hints

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.addresses import TrustedPeers
from vncproxy.config import BackendSection, Config, ConsoleAuthSection, StaticConsole, StoreSection
from vncproxy.config.checks import sections, shapes
from vncproxy.config.sections import LimitsSection, TLSSection, TokensSection, WebSection
from vncproxy.model import Clipboard, SessionLimits, SessionRules, Sharing


class SectionTests(SynchronousTestCase):
    """
    The sections and their defaults.
    """

    def test_loopback(self) -> None:
        """
        By default nothing listens beyond this machine.
        """
        config = Config()
        for section in (config.web, config.java, config.api):
            for endpoint in section.listen:
                self.assertTrue(endpoint.endswith(":interface=127.0.0.1"), endpoint)

    def test_frozen(self) -> None:
        """
        No part of a configuration can be changed.
        """
        config = Config()
        self.assertRaises(AttributeError, setattr, config, "web", config.web)
        self.assertRaises(AttributeError, setattr, config.web, "heartbeat", 1.0)

    def test_defaultsAreRight(self) -> None:
        """
        No check finds a fault with a default.
        """
        config = Config()
        for name, section in sections().items():
            for key, (_, shape) in shapes(section).items():
                value = getattr(getattr(config, name), key)
                if value is not None:
                    self.assertEqual(list(shape.faults(value)), [], f"{name}.{key}")

    def test_everyKeyHasAShape(self) -> None:
        """
        Each key of each section says what may stand there.
        """
        for section in (*sections().values(), StaticConsole):
            self.assertEqual(set(shapes(section)), set(get_type_hints(section)) - {"__struct_config__"})
            for key, (_, shape) in shapes(section).items():
                self.assertTrue(shape.expected and shape.example, key)

    def test_rules(self) -> None:
        """
        Without a key nothing is asked of sessions; each key asks what it says.
        """
        self.assertEqual((Config().rules, Config().limits.sessions), (SessionRules(), SessionLimits()))
        config = Config(
            consoleauth=ConsoleAuthSection(enforce_session_timeout=True),
            limits=LimitsSection(
                session_seconds=1.5,
                idle_seconds=2.5,
                clipboard="from-console",
                sessions_per_address=3,
                sessions_per_console=4,
                sessions_per_owner=5,
                sharing="takeover",
            ),
        )
        self.assertEqual(config.rules, SessionRules(True, 1.5, 2.5, Clipboard.FROM_CONSOLE))
        self.assertEqual(config.limits.sessions, SessionLimits(3, 4, 5, Sharing.TAKEOVER))

    def test_pluginsStaySecret(self) -> None:
        """
        What plugins are given, and what decrypts a key, is in no repr.
        """
        web, tls = WebSection(auth_source="hunter2"), TLSSection(key_password="hunter2")
        for section in (web, tls, TokensSection(source=("hunter2",))):
            self.assertNotIn("hunter2", repr(section))

    def test_sources(self) -> None:
        """
        Each plugin has its source, or nothing.
        """
        tokens = TokensSection(plugin=("a.B", "c.D"), source=("x",))
        self.assertEqual(tokens.sources, (("a.B", "x"), ("c.D", "")))

    def test_trusted(self) -> None:
        """
        Nobody is trusted to forward for others, but those who are named.
        """
        self.assertEqual(Config().web.trusted, TrustedPeers())
        named = WebSection(trusted_proxies=("10.0.0.0/8", "unix")).trusted
        self.assertEqual(named, TrustedPeers((ip_network("10.0.0.0/8"),), unix=True))

    def test_passwordStaysSecret(self) -> None:
        """
        The repr of a configuration shows no console's password.
        """
        console = StaticConsole(id="a", url="vnc://h", password="hunter2")
        self.assertNotIn("hunter2", repr(Config(console=(console,))) + str(console))
        self.assertIn("vnc://h", repr(console))

    def test_storeStaysSecret(self) -> None:
        """
        The repr of a configuration shows no URL of a store, as a password may stand in it.
        """
        self.assertNotIn("hunter2", repr(Config(store=StoreSection(url="redis://:hunter2@h"))))

    def test_networks(self) -> None:
        """
        The allowed networks are there as networks.
        """
        section = BackendSection(allowed_networks=("10.0.0.0/8", "::1/128"))
        self.assertEqual(section.networks, (ip_network("10.0.0.0/8"), ip_network("::1/128")))
