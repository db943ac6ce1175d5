"""
Who comes in by what, as the configuration says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.admitting import makeAdmission, webPages, withSources
from vncproxy.config import Config, NovaSection, TokensSection, WebSection
from vncproxy.errors import ConfigError
from vncproxy.frontends.directory import DirectoryPages
from vncproxy.tokens.chained import ChainedAuthority
from vncproxy.tokens.nova import NovaSource


class AdmittingTests(SynchronousTestCase):
    """
    The parts that the configuration asks for.
    """

    def setUp(self) -> None:
        self.atEnd: list[Any] = []

    def sources(self, **tokens: Any) -> object:
        """
        The authority that such a section makes of C{own}.
        """
        config = Config(tokens=TokensSection(**tokens))
        return withSources(cast(Any, "own"), config, MemoryReactorClock(), self.atEnd.append)

    def test_sources(self) -> None:
        """
        Sources stand behind the authority; without any it stands alone.
        """
        self.assertEqual(self.sources(), "own")
        made = self.sources(plugin=("TokenFile", "FixedTarget"), source=("/absent", "tcp://h:1"))
        self.assertIsInstance(made, ChainedAuthority)
        self.assertEqual(len(cast(Any, made)._sources), 2)
        # Each has threads of its own, to be let go of at the end.
        self.assertEqual(len(self.atEnd), 2)
        self.assertRaises(ConfigError, self.sources, plugin=("TokenRedis",), source=("h:x",))

    def test_nova(self) -> None:
        """
        Nova is a source, in its turn; what it has open is closed at the end.
        """
        path = Path(self.mktemp())
        path.touch(mode=0o600)
        path.write_text("sesame")
        config = Config(
            tokens=TokensSection(plugin=("nova", "FixedTarget"), source=("", "tcp://h:1")),
            nova=NovaSection(endpoint_override="https://nova.example", token_file=str(path)),
        )
        made = withSources(cast(Any, "own"), config, MemoryReactorClock(), self.atEnd.append)
        self.assertIsInstance(cast(Any, made)._sources[0], NovaSource)
        stop, _ = self.atEnd
        self.successResultOf(Deferred.fromCoroutine(stop()))

    def test_admission(self) -> None:
        """
        A token is needed unless there is a fixed target; plugins are asked where there are some.
        """

        def make(web: WebSection, tokens: TokensSection) -> Any:
            return makeAdmission(
                Config(web=web, tokens=tokens),
                cast(Any, None),
                cast(Any, None),
                MemoryReactorClock(),
                self.atEnd.append,
            )

        plain = make(WebSection(), TokensSection())
        self.assertEqual((plain.byHost, plain.needsToken, plain.check, plain.guardsPages), (False, True, None, False))
        web = WebSection(auth_plugin="BasicHTTPAuth", auth_source="u:p", web_auth=True)
        strict = make(web, TokensSection(plugin=("FixedTarget",), source=("tcp://h:1",), host_token=True))
        self.assertEqual((strict.byHost, strict.needsToken, strict.guardsPages), (True, False, True))
        self.assertIsNotNone(strict.check)
        self.assertIsNone(strict.look)
        own = make(WebSection(auth_plugin="tests.test_frontends_authentication.Guard"), TokensSection())
        self.assertIsNotNone(own.look)
        self.assertRaises(ConfigError, make, WebSection(auth_plugin="absent.Class"), TokensSection())

    def test_pages(self) -> None:
        """
        Somebody's own directory, or nothing.
        """
        root = Path(self.mktemp())
        self.assertRaises(ConfigError, webPages, WebSection(directory=str(root)))
        root.mkdir()
        self.assertIsInstance(webPages(WebSection(directory=str(root))), DirectoryPages)
        self.assertEqual(webPages(WebSection(page=False)), {})
