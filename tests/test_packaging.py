"""
What the packaging says of itself, in several places alike.
"""

from __future__ import annotations

import json
import re
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
