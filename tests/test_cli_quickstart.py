"""
C{vncproxy quickstart}, up to the program that takes its place.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.cliharness import CLITestCase
from vncproxy.tap import Options


class QuickstartTests(CLITestCase):
    def setUp(self) -> None:
        super().setUp()
        self.executed: list[tuple[str, list[str]]] = []
        self.patch(os, "execv", lambda program, words: self.executed.append((program, words)))

    def options(self, *arguments: str) -> dict[str, object]:
        """
        What C{twistd vncproxy} makes of the words that a call ends in.
        """
        self.run_("quickstart", *arguments)
        ((program, words),) = self.executed
        self.executed.clear()
        self.assertEqual(program, sys.executable)
        self.assertEqual(words[:2], [sys.executable, str(Path(sys.executable).with_name("twistd"))])
        self.assertEqual(words[2:5], ["-n", "--pidfile=", "vncproxy"])
        options = Options()
        options.parseOptions(words[5:])
        return dict(options)

    def test_plain(self) -> None:
        """
        It becomes C{twistd -n vncproxy --demo}.
        """
        self.assertEqual(self.options(), {"config": None, "state-dir": None, "tls-self-signed": 0, "demo": 1})

    def test_options(self) -> None:
        """
        Its options are handed on.
        """
        config = Path(self.mktemp())
        config.write_text("")
        state = self.mktemp()
        given = self.options("--state-dir", state, "--config", str(config), "--tls-self-signed")
        self.assertEqual(given, {"config": str(config), "state-dir": state, "tls-self-signed": 1, "demo": 1})

    def test_noSuchConfiguration(self) -> None:
        """
        A configuration that is not there is told before anything is started.
        """
        self.assertIn("does not exist", self.fails("quickstart", "--config", "nowhere.toml", code=2))
        self.assertEqual(self.executed, [])
