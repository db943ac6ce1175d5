"""
The command line of C{twistd vncproxy}, and what it comes to.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.application.service import IService, IServiceMaker
from twisted.internet.testing import MemoryReactor
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.service import ProxyService
from vncproxy.tap import Options, endProgram, makeService


class OptionsTests(SynchronousTestCase):
    """
    Tests for L{Options}.
    """

    def test_none(self) -> None:
        """
        Nothing has to be said.
        """
        options = Options()
        options.parseOptions([])
        self.assertEqual(dict(options), {"config": None, "state-dir": None, "tls-self-signed": 0, "demo": 0})

    def test_all(self) -> None:
        """
        Everything can be, in long words and in short ones.
        """
        for words in (
            ["--config", "a.toml", "--state-dir", "state", "--tls-self-signed", "--demo"],
            ["-c", "a.toml", "-s", "state", "--demo", "--tls-self-signed"],
        ):
            options = Options()
            options.parseOptions(words)
            self.assertEqual(dict(options), {"config": "a.toml", "state-dir": "state", "tls-self-signed": 1, "demo": 1})

    def test_tooMuch(self) -> None:
        """
        A word that belongs to no option is not passed over: it may be the name of a configuration.
        """
        error = self.assertRaises(UsageError, Options().parseOptions, ["a.toml"])
        self.assertEqual(str(error), "Unexpected argument: a.toml")

    def test_help(self) -> None:
        """
        The help says where things listen, and names each option.
        """
        told = str(Options())
        words = ("6080", "6081", "8774", "8788", "api.key", "--config", "--state-dir", "--tls-self-signed", "--demo")
        for word in words:
            self.assertIn(word, told)


class ServiceTests(SynchronousTestCase):
    """
    Tests for L{makeService}.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()

    def options(self, text: str) -> Options:
        """
        The options of a start with this configuration.
        """
        (self.directory / "a.toml").write_text(text)
        options = Options()
        options.parseOptions(["-c", str(self.directory / "a.toml"), "-s", str(self.directory / "state")])
        return options

    def test_plugin(self) -> None:
        """
        C{twistd} finds the service under its name, with these options.
        """
        (maker,) = (plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "vncproxy")
        self.assertIs(maker.options, Options)
        self.assertIs(maker.makeService, makeService)

    def test_made(self) -> None:
        """
        The service is made, and nothing is begun by that: not even the state directory is there.
        """
        service = makeService(self.options("[web]\nheartbeat = 5\n"))
        self.assertTrue(IService.providedBy(service))
        self.assertIsInstance(service, ProxyService)
        self.assertEqual(os.listdir(self.directory), ["a.toml"])

    def test_badConfiguration(self) -> None:
        """
        What is wrong with a configuration is told in its own words, without a traceback.
        """
        error = self.assertRaises(SystemExit, makeService, self.options("[wed]\n"))
        path = self.directory / "a.toml"
        self.assertEqual(str(error), f'vncproxy: {path}:1: wed: there is no such section. Did you mean "web"?')


class EndTests(SynchronousTestCase):
    """
    Tests for L{endProgram}.
    """

    def test_running(self) -> None:
        """
        A reactor that turns is stopped, and the interpreter is to end with the status 1.
        """
        reactor, calls = MemoryReactor(), []
        reactor.running = True
        endProgram(reactor, lambda *call: calls.append(call))
        self.assertTrue(reactor.hasStopped)
        self.assertEqual(calls, [(os._exit, 1)])

    def test_early(self) -> None:
        """
        One that does not turn yet stops as soon as it does: asked now, it would refuse.
        """
        reactor = MemoryReactor()
        endProgram(reactor, lambda *call: None)
        self.assertFalse(reactor.hasStopped)
        ((hook, _, _),) = reactor.whenRunningHooks
        hook()
        self.assertTrue(reactor.hasStopped)
