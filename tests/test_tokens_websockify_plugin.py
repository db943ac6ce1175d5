"""
Token classes of other people.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.test_tokens_websockify_formats import tcp
from vncproxy.errors import ConfigError
from vncproxy.tokens.websockify.formats import BadEntry
from vncproxy.tokens.websockify.plugin import ClassPlugin, loadClass


class Doubling:
    """
    A plugin as people write them.
    """

    def __init__(self, source: str | None) -> None:
        self.source = source

    def lookup(self, token: str) -> Any:
        """
        What the token itself says.
        """
        answers: dict[str, Any] = {
            "pair": (self.source, "1"),
            "list": ["h", 1],
            "bytes": [b"h", b"1"],
            "text": "h1",
            "three": ("h", 1, 2),
            "number": 7,
        }
        return answers.get(token)


class Picky:
    """
    A plugin that does not like its source.
    """

    def __init__(self, source: str) -> None:
        raise RuntimeError("hunter2")


class PluginTests(SynchronousTestCase):
    """
    Tests for L{ClassPlugin}.
    """

    def test_lookup(self) -> None:
        """
        A pair, in whatever kind of sequence, is a host and a port; nothing is a token that is not known.
        """
        plugin = ClassPlugin(f"{__name__}.Doubling", "h")
        for token in ("pair", "list", "bytes"):
            self.assertEqual(plugin.look(token), tcp("h", 1))
        self.assertIsNone(plugin.look("other"))

    def test_nonsense(self) -> None:
        """
        Anything else makes no sense.
        """
        plugin = ClassPlugin(f"{__name__}.Doubling", "h")
        for token in ("text", "three", "number"):
            self.assertRaises(BadEntry, plugin.look, token)

    def test_websockifysOwn(self) -> None:
        """
        The classes of websockify itself can be used, too.
        """
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("a: h:1\n")
        self.assertEqual(ClassPlugin("websockify.token_plugins.TokenFile", path).look("a"), tcp("h", 1))

    def test_wrong(self) -> None:
        """
        What cannot be loaded or made is told by its name; what a constructor says may hold secrets.
        """
        for name in ("absent.module.Class", f"{__name__}.Absent"):
            self.assertIn(name, str(self.assertRaises(ConfigError, loadClass, name)))
        error = self.assertRaises(ConfigError, ClassPlugin, f"{__name__}.Picky", "x")
        self.assertIn("RuntimeError", str(error))
        self.assertNotIn("hunter2", str(error))
