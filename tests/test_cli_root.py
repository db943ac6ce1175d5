"""
The command's own options and its help.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import click
import httpx
from click.testing import CliRunner

from tests.cliharness import CLITestCase
from vncproxy import __version__
from vncproxy.cli import main


class MainTests(CLITestCase):
    def test_version(self) -> None:
        """
        The version is the package's, alone on its line.
        """
        self.assertEqual(self.run_("--version").stdout, f"{__version__}\n")

    def test_helpOfAll(self) -> None:
        """
        Every command explains itself and its options.
        """
        pending: list[tuple[tuple[str, ...], click.Command]] = [((), main)]
        while pending:
            words, command = pending.pop()
            self.assertIn("Usage: ", self.run_(*words, "--help").stdout)
            self.assertTrue(command.help, words)
            options = [each for each in command.params if isinstance(each, click.Option)]
            self.assertEqual([each.name for each in options if not each.help], [], words)
            if isinstance(command, click.Group):
                pending += [((*words, name), each) for name, each in command.commands.items()]

    def test_wrongCall(self) -> None:
        """
        A command that there is not is a wrong call.
        """
        self.assertIn("No such command", self.fails("consoles", code=2))

    def test_badAPI(self) -> None:
        """
        An address that is no URL is a wrong call, told before anything is sent.
        """
        for wrong in (
            "127.0.0.1:8774",
            "ftp://h",
            "http://",
            "http://[::1",
            "http://h:x",
            "http://h:99999",
            "http://a b",
        ):
            self.assertIn("http://HOST:PORT", self.fails("--api", wrong, "console", "list", code=2))

    def test_apiFromEnvironment(self) -> None:
        """
        The API's address may come from the environment.
        """
        self.environ["VNCPROXY_API"] = "nonsense"
        self.assertIn("'nonsense' is not an address", self.fails("console", "list", code=2))

    def test_apiFromNote(self) -> None:
        """
        Without a word the API is where the proxy beside its key has noted that it listens; a word goes before that.
        """
        self.keyFile.with_name("endpoints.json").write_text('{"api": ["http://127.0.0.1:1"]}')
        for words, asked in (
            ([], "http://127.0.0.1:1/v1/consoles"),
            (["--api", "http://127.0.0.1:2"], "http://127.0.0.1:2/v1/consoles"),
        ):
            seen: list[str] = []
            transport = httpx.MockTransport(partial(self.answer, seen))
            CliRunner().invoke(main, [*words, "console", "list"], env=self.environ, obj=transport)
            self.assertEqual(seen, [asked])

    def answer(self, seen: list[str], request: httpx.Request) -> httpx.Response:
        """
        An API without consoles.
        """
        seen.append(str(request.url))
        return httpx.Response(200, json={"consoles": []})

    def test_light(self) -> None:
        """
        Help is not made to wait for what only a real call needs.
        """
        program = "import sys, vncproxy.cli; print(*sorted({'httpx', 'rich', 'twisted', 'msgspec'} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
        self.assertEqual(done.stdout, "\n")
