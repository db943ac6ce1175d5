"""
C{vncproxy console …}, C{vncproxy url} and C{vncproxy token revoke}, against the real API.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.apiworld import waitFor
from tests.cliharness import CLITestCase
from vncproxy.model import Console, Target, TargetKind


class ConsoleTests(CLITestCase):
    def kept(self, consoleID: str) -> Console | None:
        return waitFor(self.world.store.console(consoleID))

    def test_add(self) -> None:
        """
        A console is defined, and the next step is told.
        """
        result = self.run_("console", "add", "vm-1", "vnc://10.0.0.5:5901", "--name", "Mail")
        self.assertEqual(result.stdout, "")
        self.assertIn("with: vncproxy url vm-1\n", result.stderr)
        self.assertEqual(self.kept("vm-1"), Console("vm-1", "Mail", Target(TargetKind.VNC, "10.0.0.5", 5901)))

    def test_nextStep(self) -> None:
        """
        The next step goes to the same proxy, with the options that were given for it.
        """
        options = ["--api", "http://127.0.0.1:8774", "--key-file", str(self.keyFile)]
        result = self.run_(*options, "console", "add", "vm-1", "vnc://h")
        self.assertIn(f"with: vncproxy --api http://127.0.0.1:8774 --key-file {self.keyFile} url vm-1\n", result.stderr)

    def test_passwordFromFile(self) -> None:
        """
        The first line of a file is the password, and is not printed.
        """
        path = Path(self.mktemp())
        path.write_text("hunter2\nsecond line\n")
        result = self.run_("console", "add", "vm-1", "vnc://h", "--password-file", str(path))
        self.assertNotIn("hunter2", result.output)
        kept = self.kept("vm-1")
        assert kept is not None
        self.assertEqual(kept.target.password, "hunter2")

    def test_passwordFromStdin(self) -> None:
        """
        A minus sign reads the password from standard input.
        """
        self.run_("console", "add", "vm-1", "vnc://h", "--password-file", "-", stdin="hunter2\r\n")
        kept = self.kept("vm-1")
        assert kept is not None
        self.assertEqual(kept.target.password, "hunter2")

    def test_passwordFromPrompt(self) -> None:
        """
        A prompt reads the password unseen.
        """
        result = self.run_("console", "add", "vm-1", "vnc://h", "--password-prompt", stdin="hunter2\n")
        self.assertNotIn("hunter2", result.output)
        self.assertIn("VNC password", result.stderr)
        kept = self.kept("vm-1")
        assert kept is not None
        self.assertEqual(kept.target.password, "hunter2")

    def test_bothPasswords(self) -> None:
        """
        Two ways to give one password are a wrong call.
        """
        words = self.fails(
            "console", "add", "vm-1", "vnc://h", "--password-prompt", "--password-file", "-", code=2, stdin="x\n"
        )
        self.assertIn("exclude each other", words)

    def test_passwordInURL(self) -> None:
        """
        A password in the URL is refused with the reason and the cure, and not repeated.
        """
        words = self.fails("console", "add", "vm-1", "vnc://:hunter2@10.0.0.5", code=2)
        self.assertNotIn("hunter2", words)
        self.assertIn("--password-prompt", words)
        self.assertIsNone(self.kept("vm-1"))

    def test_badURL(self) -> None:
        """
        A URL that the API refuses is told in the API's words.
        """
        self.assertIn("url: it names no way to reach a console", self.fails("console", "add", "vm-1", "http://h"))

    def test_list(self) -> None:
        """
        All consoles are listed, one a line.
        """
        self.run_(
            "console", "add", "vm-1", "vnc://10.0.0.5", "--name", "Mail", "--password-file", "-", stdin="hunter2\n"
        )
        lines = [line.split() for line in self.run_("console", "list").stdout.splitlines()]
        self.assertEqual(lines[0], ["ID", "Name", "URL", "Password", "Defined", "in"])
        self.assertEqual(lines[-2], ["rack-1", "Rack", "one", "vnc://10.0.0.1:5900", "yes", "config"])
        self.assertEqual(lines[-1], ["vm-1", "Mail", "vnc://10.0.0.5:5900", "yes", "api"])

    def test_listAsJSON(self) -> None:
        """
        As JSON the list is the API's.
        """
        answer = json.loads(self.run_("console", "list", "--json").stdout)
        self.assertEqual(answer, self.world.ask("GET", "/v1/consoles").json)

    def test_show(self) -> None:
        """
        One console is shown with all but its password.
        """
        out = self.run_("console", "show", "rack-1").stdout
        self.assertEqual(
            [line.split(":", 1)[0] for line in out.splitlines()], ["id", "name", "url", "password", "defined in"]
        )
        self.assertIn("vnc://10.0.0.1:5900", out)
        self.assertNotIn("hunter2", out)
        answer = json.loads(self.run_("console", "show", "rack-1", "--json").stdout)
        self.assertEqual(answer, self.world.ask("GET", "/v1/consoles/rack-1").json)

    def test_showUnknown(self) -> None:
        """
        A console that is not there is a no, and named.
        """
        self.assertEqual(
            self.fails("console", "show", "vm-9"), "Error: There is no console vm-9. See: vncproxy console list"
        )

    def test_remove(self) -> None:
        """
        A console is forgotten once; one of the configuration file is not.
        """
        self.run_("console", "add", "vm-1", "vnc://h")
        self.assertIn("forgotten", self.run_("console", "rm", "vm-1").stderr)
        self.assertIsNone(self.kept("vm-1"))
        self.fails("console", "rm", "vm-1")
        self.assertIn("configuration file", self.fails("console", "rm", "rack-1"))

    def test_oddID(self) -> None:
        """
        An id that is no path segment does not lead to another path.
        """
        self.assertIn("id may have up to 128", self.fails("console", "add", "../sessions", "vnc://h"))


class URLTests(CLITestCase):
    def test_plain(self) -> None:
        """
        Standard output is the URL and nothing else.
        """
        url = self.run_("url", "rack-1").stdout
        self.assertRegex(url, r"^http://127\.0\.0\.1:6080/vnc_auto\.html\?token=[\w-]+\n$")

    def test_options(self) -> None:
        """
        The options say what the URL is worth.
        """
        options = ["--type", "xvpvnc", "--view-only", "--ttl", "2h", "--uses", "0", "--client-address", "203.0.113.9"]
        answer = json.loads(self.run_("url", "rack-1", *options, "--json").stdout)
        self.assertEqual((answer["type"], answer["expires"]), ("xvpvnc", "2026-11-20T17:14:29Z"))
        (record,) = self.world.records()
        self.assertEqual((record.usesLeft, record.clientAddress, record.viewOnly), (None, "203.0.113.9", True))

    def test_ttl(self) -> None:
        """
        A lifetime is in seconds, or in the unit behind the number.
        """
        for ttl, expires in (("90", "15:15:59"), ("90s", "15:15:59"), ("10m", "15:24:29"), ("1h", "16:14:29")):
            answer = json.loads(self.run_("url", "rack-1", "--ttl", ttl, "--json").stdout)
            self.assertEqual(answer["expires"], f"2026-11-20T{expires}Z")
        self.assertIn("2026-11-22", self.run_("url", "rack-1", "--ttl", "2d", "--json").stdout)

    def test_wrongCall(self) -> None:
        """
        Options that make no sense are a wrong call, told with what would.
        """
        self.assertIn("10m, 2h, 1d", self.fails("url", "rack-1", "--ttl", "soon", code=2))
        self.assertIn("10m, 2h, 1d", self.fails("url", "rack-1", "--ttl", "0", code=2))
        self.assertIn("novnc", self.fails("url", "rack-1", "--type", "spice", code=2))
        self.assertIn("--uses", self.fails("url", "rack-1", "--uses", "-1", code=2))

    def test_refused(self) -> None:
        """
        What the API refuses is told in its words.
        """
        self.assertIn("client_address:", self.fails("url", "rack-1", "--client-address", "localhost"))
        self.assertIn("no console vm-9", self.fails("url", "vm-9"))


class TokenTests(CLITestCase):
    def test_revoke(self) -> None:
        """
        It is told how many tokens were revoked.
        """
        for count, words in ((2, "2 tokens of rack-1 revoked."), (1, "1 token of rack-1"), (0, "0 tokens of rack-1")):
            for _ in range(count):
                self.run_("url", "rack-1")
            self.assertIn(words, self.run_("token", "revoke", "rack-1").stderr)
        self.assertEqual(json.loads(self.run_("token", "revoke", "rack-1", "--json").stdout), {"deleted": 0})

    def test_revokeUnknown(self) -> None:
        """
        A console that nobody knows is a no: it may be a slip of the pen.
        """
        self.assertIn("no console rack-9", self.fails("token", "revoke", "rack-9"))
        self.fails("token", "revoke", "rack-9", "--json")
