"""
The command line of C{twistd consoleauth}, and what it comes to.
"""

from __future__ import annotations

from pathlib import Path

from twisted.application.service import IService, IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.controllertap import Options, makeService


class OptionsTests(SynchronousTestCase):
    """
    Tests for L{Options}.
    """

    def test_options(self) -> None:
        """
        It takes a configuration and a state directory, as the proxy does, and nothing else.
        """
        options = Options()
        options.parseOptions(["-c", "a.toml", "--state-dir", "state"])
        self.assertEqual(dict(options), {"config": "a.toml", "state-dir": "state"})
        self.assertRaises(UsageError, Options().parseOptions, ["a.toml"])
        self.assertRaises(UsageError, Options().parseOptions, ["--demo"])

    def test_help(self) -> None:
        """
        The help says where it listens, and with what proxies are let in.
        """
        told = str(Options())
        for word in ("8774", "8788", "api.key", "--config", "--state-dir"):
            self.assertIn(word, told)


class ServiceTests(SynchronousTestCase):
    """
    Tests for L{makeService}.
    """

    def options(self, text: str) -> Options:
        """
        The options of a start with this configuration.
        """
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        (directory / "a.toml").write_text(text)
        options = Options()
        options.parseOptions(["-c", str(directory / "a.toml"), "-s", str(directory / "state")])
        return options

    def test_plugin(self) -> None:
        """
        C{twistd} finds the service under its name, with these options.
        """
        (maker,) = (plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "consoleauth")
        self.assertIs(maker.options, Options)
        self.assertIs(maker.makeService, makeService)

    def test_made(self) -> None:
        """
        The service is made, from the same configuration as a proxy's.
        """
        self.assertTrue(IService.providedBy(makeService(self.options("[web]\nheartbeat = 5\n"))))

    def test_badConfiguration(self) -> None:
        """
        What is wrong with a configuration ends the program in words.
        """
        error = self.assertRaises(SystemExit, makeService, self.options("[wed]\n"))
        self.assertIn("there is no such section", str(error))

    def test_asksAnother(self) -> None:
        """
        A controller that would ask another one is none.
        """
        error = self.assertRaises(SystemExit, makeService, self.options('[consoleauth]\nconnect = "unix:/s"\n'))
        self.assertIn("[consoleauth] connect", str(error))
