"""
C{vncproxy key …}, against the real API.
"""

from __future__ import annotations

import json

from tests.cliharness import CLITestCase
from vncproxy.keys import PREFIX


class KeyTests(CLITestCase):
    """
    Keys from the command line.
    """

    def test_add(self) -> None:
        """
        The key alone is printed on standard output, and is good.
        """
        result = self.run_("key", "add", "portal", "--role", "issuer", "--consoles", "vm-*")
        self.assertTrue(result.stdout.startswith(PREFIX))
        self.assertIn("not shown again", result.stderr)
        self.assertEqual(self.world.ask("GET", "/v1/consoles", key=result.stdout.strip()).json, {"consoles": []})

    def test_used(self) -> None:
        """
        The command itself takes such a key, and is told what it may not do.
        """
        secret = self.run_("key", "add", "portal", "--role", "viewer").stdout.strip()
        self.environ["VNCPROXY_KEY"] = secret
        self.run_("console", "list")
        self.assertIn("lacks the right `keys`", self.fails("key", "list"))

    def test_asJSON(self) -> None:
        """
        As JSON everything is told at once.
        """
        made = json.loads(self.run_("key", "add", "portal", "--role", "admin", "--json").stdout)
        self.assertEqual((made["name"], made["role"], made["consoles"]), ("portal", "admin", None))
        listed = json.loads(self.run_("key", "list", "--json").stdout)
        self.assertEqual(listed, self.world.ask("GET", "/v1/keys").json)

    def test_list(self) -> None:
        """
        Keys are listed with what they may see, and none with its secret.
        """
        secret = self.run_("key", "add", "portal", "--role", "issuer", "--consoles", "vm-*").stdout.strip()
        result = self.run_("key", "list")
        rows = [line.split()[:3] for line in result.stdout.splitlines()[2:]]
        self.assertEqual(rows, [["api.key", "admin", "all"], ["portal", "issuer", "vm-*"]])
        self.assertNotIn(secret, result.output)

    def test_remove(self) -> None:
        """
        A key is removed once; the one in the file stays.
        """
        self.run_("key", "add", "portal", "--role", "issuer")
        self.assertIn("portal is removed", self.run_("key", "rm", "portal").stderr)
        self.assertIn("There is no such API key", self.fails("key", "rm", "portal"))
        self.assertIn("stands in a file", self.fails("key", "rm", "api.key"))

    def test_refused(self) -> None:
        """
        A role that there is none of is a wrong call; a name that is taken is a no.
        """
        self.assertIn("queen", self.fails("key", "add", "a", "--role", "queen", code=2))
        self.assertIn("--role", self.fails("key", "add", "a", code=2))
        self.assertIn("already", self.fails("key", "add", "api.key", "--role", "viewer"))
