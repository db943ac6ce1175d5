"""
Token sources by the names that websockify's users know them by.
"""

from __future__ import annotations

from typing import Any, cast

from jwcrypto.jwk import JWK
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.test_tokens_websockify_signed import sign
from vncproxy.config.shapes import TOKEN_PLUGINS
from vncproxy.errors import ConfigError, TokensUnreachable, TokenUnknown
from vncproxy.model import ConsoleType, Grant, ViewerFacts
from vncproxy.tokens.websockify import makeSource
from vncproxy.tokens.websockify.workers import Workers


class InPlace(Workers):
    """
    Does at once what should be done in a thread.
    """

    def __init__(self) -> None:
        pass

    async def run(self, work: Any) -> Any:
        return work()


class MakeTests(SynchronousTestCase):
    """
    Tests for L{makeSource}.
    """

    def redeem(self, plugin: str, source: str, token: str, mediate: bool = False) -> Deferred[Grant]:
        """
        What a token is worth at such a source.
        """
        made = makeSource(plugin, source, MemoryReactorClock(), InPlace(), 5.0, mediate)
        facts = ViewerFacts("web", ConsoleType.NOVNC, "203.0.113.9", token)
        return Deferred.fromCoroutine(cast(Any, made).redeemToken(facts))

    def write(self, text: str) -> str:
        """
        A file.
        """
        path: str = self.mktemp()
        with open(path, "w") as file:
            file.write(text)
        return path

    def assertFound(self, plugin: str, source: str, token: str, url: str, mediate: bool = False) -> None:
        """
        The token leads there.
        """
        self.assertEqual(self.successResultOf(self.redeem(plugin, source, token, mediate)).consoleID, url)

    def test_files(self) -> None:
        """
        Sources that are files, by their short names and by those that websockify has.
        """
        path = self.write("a: h:1\n")
        for plugin in ("TokenFile", "ReadOnlyTokenFile", "websockify.token_plugins.TokenFile"):
            self.assertFound(plugin, path, "a", "tcp://h:1")
        self.assertFound("TokenFile", path, "a", "vnc://h:1", mediate=True)
        self.failureResultOf(self.redeem("TokenFile", path, "b"), TokenUnknown)
        self.failureResultOf(self.redeem("TokenFile", "/absent", "b"), TokensUnreachable)
        self.failureResultOf(self.redeem("UnixDomainSocketDirectory", "/absent", "b"), TokenUnknown)

    def test_signed(self) -> None:
        """
        A token that was signed; without a usable key nothing can be said.
        """
        key = JWK.generate(kty="oct", size=256)
        token = sign({"host": "h", "port": 1}, key)
        self.assertFound("JWTTokenApi", self.write(key.export(as_dict=True)["k"]), token, "tcp://h:1")
        self.failureResultOf(self.redeem("JWTTokenApi", self.write("\xff"), token), TokensUnreachable)

    def test_class(self) -> None:
        """
        A class of somebody's.
        """
        self.assertFound("tests.test_tokens_websockify_plugin.Doubling", "h", "pair", "tcp://h:1")

    def test_fixed(self) -> None:
        """
        One target for every token, and for none; its URL says whether the proxy speaks RFB with it.
        """
        for url in ("tcp://h:1", "vnc://h:5900", "unix:///run/a"):
            self.assertFound("FixedTarget", url, "", url)
            self.assertFound("FixedTarget", url, "x", url, mediate=True)

    def test_remote(self) -> None:
        """
        Sources elsewhere are not connected to before they are asked.
        """
        reactor = MemoryReactorClock()
        for plugin, source in (
            ("TokenRedis", "h:1"),
            ("TokenRedis", "rediss://h"),
            ("BaseTokenAPI", "http://h/%s"),
            ("JSONTokenApi", "http://h/%s"),
        ):
            makeSource(plugin, source, reactor, InPlace(), 5.0)
        self.assertEqual(reactor.tcpClients, [])

    def test_wrong(self) -> None:
        """
        What a plugin cannot be given is told; a password in it is not.
        """
        for plugin, source in (
            ("TokenRedis", "h:x:0:hunter2"),
            ("JSONTokenApi", "http://u:hunter2@h/"),
            ("FixedTarget", "h:1"),
            ("absent.Class", "x"),
        ):
            error = self.assertRaises(ConfigError, self.redeem, plugin, source, "")
            self.assertNotIn("hunter2", str(error))

    def test_names(self) -> None:
        """
        Every plugin that the configuration knows is made, each from what suits it.
        """
        sources = {"BaseTokenAPI": "http://h/%s", "JSONTokenApi": "http://h/%s", "TokenRedis": "h"}
        for plugin in set(TOKEN_PLUGINS) - {"nova"}:
            source = "tcp://h:1" if plugin == "FixedTarget" else sources.get(plugin, "/absent")
            made = makeSource(plugin, source, MemoryReactorClock(), InPlace(), 5.0)
            self.assertEqual(cast(Any, made)._name, plugin)
