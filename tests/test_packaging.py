"""
What the packaging says of itself, in several places alike.
"""

from __future__ import annotations

import json
import re
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

ROOT: Final = Path(__file__).parents[1]


class DependencyTests(SynchronousTestCase):
    """
    C{docs/dependencies.rst}.
    """

    def test_reasons(self) -> None:
        """
        Each dependency has its reason, and no reason is left for one that is gone.
        """
        reasons = set(re.findall(r"^([@\w./-]+) {2,}\S", (ROOT / "docs/dependencies.rst").read_text(), re.MULTILINE))
        self.assertEqual(reasons, _python() | _node() | _debian())


class PluginTests(SynchronousTestCase):
    """
    The directory in which C{twistd} looks for plugins.
    """

    def test_noPackage(self) -> None:
        """
        There is no C{__init__} module on the way to the plugin: it would hide Twisted itself.
        """
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])


class MakefileTests(SynchronousTestCase):
    """
    What C{make} would do, without doing it.
    """

    def make(self, *words: str) -> str:
        """
        What it says it would run.
        """
        program = ["make", "--no-print-directory", "-n", *words]
        return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout

    def test_run(self) -> None:
        """
        What is wished of C{make run} reaches C{vncproxy quickstart}.
        """
        for wishes, options in (
            ([], ""),
            (["TLS=1"], "--tls-self-signed"),
            (["CONFIG=my ports.toml"], "--config 'my ports.toml'"),
        ):
            last = self.make("run", *wishes).splitlines()[-1]
            self.assertEqual(last.partition("--state-dir .state")[2].strip(), options)

    def test_help(self) -> None:
        """
        C{make help} names every target that is for people.
        """
        done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        told = re.findall(r"^  make (\w+) {2,}\S", done.stdout, re.MULTILINE)
        self.assertEqual(told, ["run", "test", "check", "pages", "wheel", "docs", "clean", "help"])


def _python() -> set[str]:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    lists = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    return {match[0] for text in lists for line in text.split("\n") if (match := re.match(r"[\w.-]+", line))}


def _node() -> set[str]:
    package = json.loads((ROOT / "vncproxy/pages/package.json").read_text())
    return {*package.get("dependencies", {}), *package.get("devDependencies", {})}


def _debian() -> set[str]:
    lines = (ROOT / ".ci/packages").read_text().splitlines()
    return {line.split()[1] for line in lines if not line.startswith("#")}
