"""
The command against a whole API in memory.
"""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.apiworld import KEY, World
from tests.memoryhttp import MemoryTransport
from vncproxy.cli import main


class CLITestCase(SynchronousTestCase):
    """
    Runs commands, with the right key in a file of the state directory.
    """

    def setUp(self) -> None:
        self.world = World()
        self.state = Path(self.mktemp()).absolute()
        self.keyFile = self.state / "vncproxy" / "api.key"
        self.keyFile.parent.mkdir(parents=True)
        self.keyFile.write_text(KEY + "\n")
        self.environ: dict[str, str | None] = {
            "XDG_STATE_HOME": str(self.state),
            "VNCPROXY_API": None,
            "VNCPROXY_KEY": None,
            "VNCPROXY_KEY_FILE": None,
        }

    def run_(self, *arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        """
        Run the command, and require how it exits. What it tells is words, never a traceback.
        """
        transport = MemoryTransport(self.world.site)
        result = CliRunner().invoke(main, list(arguments), input=stdin, env=self.environ, obj=transport)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.assertEqual(result.exit_code, code, result.output)
        return result

    def fails(self, *arguments: str, code: int = 1, stdin: str | None = None) -> str:
        """
        Run the command, which must fail with nothing on standard output; what it tells instead, on one line.
        """
        result = self.run_(*arguments, code=code, stdin=stdin)
        self.assertEqual(result.stdout, "")
        return " ".join(result.stderr.split())
