"""
websockify's command line.
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import click
from twisted.application import app
from twisted.scripts import _twistd_unix
from twisted.trial.unittest import SynchronousTestCase

from tests.cliharness import CLITestCase
from vncproxy.cli.websockify import formatTables, makeSilence, makeTables, standIn, twistdWords
from vncproxy.config.checks import readConfig


class TableCase(SynchronousTestCase):
    """
    Command lines, as somebody in a directory types them.
    """

    def setUp(self) -> None:
        # A short path: a UNIX socket's has 107 bytes at most, and trial's own directories may lie deep.
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def options(self, line: str) -> dict[str, Any]:
        """
        What a command line says.
        """
        return dict(standIn.make_context("websockify", shlex.split(line)).params)

    def tables(self, line: str) -> dict[str, dict[str, Any]]:
        """
        The configuration that it means; it is one that can be used.
        """
        options = self.options(line)
        tables = makeTables(options.pop("addresses"), options, self.directory)
        reading = readConfig(formatTables(tables), "a")
        self.assertEqual(reading.problems, ())
        self.assertEqual(tomllib.loads(formatTables(tables)), tables)
        return tables

    def refusal(self, line: str) -> str:
        """
        Why it is refused.
        """
        return str(self.assertRaises(click.UsageError, self.tables, line))

    def file(self, name: str) -> str:
        """
        Put an empty file there; its path.
        """
        path = os.path.join(self.directory, name)
        Path(path).touch()
        return path


class TableTests(TableCase):
    """
    Tests for L{makeTables}.
    """

    def test_least(self) -> None:
        """
        A port and a target: nothing else listens, nobody is asked for an origin, nothing but WebSockets is served.
        """
        tables = self.tables("6080 localhost:5901")
        self.assertEqual(tables["web"]["listen"], ["tcp:6080:interface=0.0.0.0"])
        self.assertEqual([tables[name]["listen"] for name in ("java", "api", "consoleauth")], [[], [], []])
        self.assertEqual((tables["web"]["allowed_origins"], tables["web"]["page"]), (["*"], False))
        self.assertEqual(tables["web"]["heartbeat"], 0)
        self.assertEqual(
            (tables["tokens"]["plugin"], tables["tokens"]["source"]), (["FixedTarget"], ["tcp://localhost:5901"])
        )
        self.assertEqual(tables["tls"], {})

    def test_addresses(self) -> None:
        """
        Where to listen is a port, with an address or a name in front; IPv6 addresses in brackets or not.
        """
        for line, endpoint in (
            ("6080 h:1", "tcp:6080:interface=0.0.0.0"),
            ("-6 6080 h:1", r"tcp6:6080:interface=\:\:"),
            ("127.0.0.1:6080 h:1", "tcp:6080:interface=127.0.0.1"),
            ("[::1]:6080 h:1", r"tcp6:6080:interface=\:\:1"),
            ("::1:6080 h:1", r"tcp6:6080:interface=\:\:1"),
            ("localhost:6080 h:1", "tcp:6080:interface=127.0.0.1"),
            ("--unix-listen web.sock h:1", f"unix:{self.directory}/web.sock:mode=600"),
            ("--unix-listen /run/a:b --unix-listen-mode 0660 h:1", r"unix:/run/a\:b:mode=660"),
            ("--unix-listen /run/a --unix-listen-mode 70 h:1", "unix:/run/a:mode=070"),
        ):
            self.assertEqual(self.tables(line)["web"]["listen"], [endpoint], line)

    def test_nameOfBothFamilies(self) -> None:
        """
        Of a name with addresses of both families the preferred one is listened on.
        """
        both = [(family, 1, 6, "", (address, 0)) for family, address in ((10, "2001:db8::1"), (2, "192.0.2.1"))]
        self.patch(socket, "getaddrinfo", lambda *arguments, **named: both)
        self.assertEqual(self.tables("a.example:1 h:1")["web"]["listen"], ["tcp:1:interface=192.0.2.1"])
        self.assertEqual(self.tables("-6 a.example:1 h:1")["web"]["listen"], [r"tcp6:1:interface=2001\:db8\:\:1"])

    def test_targets(self) -> None:
        """
        Where to is a host and a port, a UNIX socket, or what a plugin says.
        """
        for line, plugin, source in (
            ("1 [::1]:5901", "FixedTarget", "tcp://[::1]:5901"),
            ("1 --unix-target vm.sock", "FixedTarget", f"unix://{self.directory}/vm.sock"),
            ("1 --target-config tokens", "TokenFile", f"{self.directory}/tokens"),
            ("1 --token-plugin TokenFile --token-source=tokens", "TokenFile", "tokens"),
            ("1 --token-plugin websockify.token_plugins.TokenRedis --token-source h", None, "h"),
            ("1 --token-plugin own.Class", "own.Class", ""),
        ):
            tokens = self.tables(line)["tokens"]
            self.assertEqual(tokens["plugin"], [plugin or "websockify.token_plugins.TokenRedis"], line)
            self.assertEqual(tokens["source"], [source], line)
        self.assertTrue(self.tables("1 --host-token --token-plugin own.Class")["tokens"]["host_token"])

    def test_web(self) -> None:
        """
        Pages, who may have them, and pings.
        """
        web = self.tables(
            "--web www --web-auth --auth-plugin BasicHTTPAuth --auth-source u:p --heartbeat 30 --file-only 1 h:1"
        )["web"]
        self.assertEqual((web["directory"], web["heartbeat"], web["web_auth"]), (f"{self.directory}/www", 30, True))
        self.assertEqual((web["auth_plugin"], web["auth_source"]), ("BasicHTTPAuth", "u:p"))

    def test_tls(self) -> None:
        """
        A certificate brings TLS beside plain text; the one that websockify looks for is found, too.
        """
        own, other, key, authorities = map(self.file, ("self.pem", "other.pem", "key.pem", "ca.pem"))
        tls = self.tables("1 h:1")["tls"]
        self.assertEqual(tls, {"certificate": own, "minimum_version": "1.2", "ssl_only": False})
        line = "--cert other.pem --key key.pem --key-password pw --ssl-only --ssl-version tlsv1_3 --verify-client"
        tls = self.tables(f"{line} --cafile ca.pem --ssl-ciphers ECDHE+AESGCM 1 h:1")["tls"]
        expected = {
            "certificate": other,
            "key": key,
            "key_password": "pw",
            "minimum_version": "1.3",
            "ssl_only": True,
            "client_ca": authorities,
            "ciphers": "ECDHE+AESGCM",
        }
        self.assertEqual(tls, expected)
        self.assertTrue(os.path.isabs(self.tables("--verify-client 1 h:1")["tls"]["client_ca"]))

    def test_noAuthorities(self) -> None:
        """
        A machine that trusts nobody has no list of whom to trust.
        """
        self.file("self.pem")
        self.patch(os.path, "exists", lambda path: "self.pem" in path)
        self.assertIn("--cafile", self.refusal("--verify-client 1 h:1"))

    def test_refused(self) -> None:
        """
        What is not done here is refused by its name, and what makes no sense in words.
        """
        for line, word in (
            ("--record a 1 h:1", "--record"),
            ("--traffic 1 h:1", "--traffic"),
            ("--run-once 1 h:1", "--run-once"),
            ("--timeout 5 1 h:1", "--timeout"),
            ("--idle-timeout 5 1 h:1", "--idle-timeout"),
            ("--inetd h:1", "--inetd"),
            ("--libserver 1 h:1", "--libserver"),
            ("--ssl-target 1 h:1", "--ssl-target"),
            ("--wrap-mode ignore 1 h:1", "--wrap-mode"),
            ("1 -- sleep 5", "behind --"),
            ("--ssl-version tlsv1_1 1 h:1", "tlsv1_1"),
            ("--ssl-only 1 h:1", "self.pem"),
            ("--cert absent 1 h:1", "absent"),
            ("--token-source a 1 h:1", "--token-plugin"),
            ("--host-token 1 h:1", "--token-plugin"),
            ("--auth-source a 1 h:1", "--auth-plugin"),
            ("--web-auth 1 h:1", "--auth-plugin"),
            ("--web-auth --auth-plugin a.B 1 h:1", "--web"),
            ("--auth-plugin ClientCertCNAuth 1 h:1", "--verify-client"),
            ("--legacy-syslog 1 h:1", "--syslog"),
            ("--syslog log.example:514 1 h:1", "/dev/log"),
            ("--unix-listen a --unix-listen-mode 9 h:1", "--unix-listen-mode"),
            ("--unix-listen a --unix-listen-mode 7777 h:1", "--unix-listen-mode"),
            ("", "where to listen"),
            ("1", "what to connect to"),
            ("1 h", "HOST:PORT"),
            ("1 h:x", "port of a target"),
            ("x h:1", "port to listen on"),
            ("70000 h:1", "port to listen on"),
            ("absent.invalid:1 h:1", "absent.invalid"),
            ("1 h:1 2", "Too many"),
            ("--token-plugin a.B 1 h:1", "Too many"),
        ):
            self.assertIn(word, self.refusal(line), line)

    def test_everyFlag(self) -> None:
        """
        Every flag of websockify 0.13 is known.
        """
        from websockify import websocketproxy

        source = Path(websocketproxy.__file__).read_text()
        theirs = {word for part in source.split("add_option(")[1:] for word in part.split(")")[0].split('"')[1::2]}
        theirs = {word for word in theirs if word.startswith("-")}
        self.assertGreater(len(theirs), 35)
        ours = {name for parameter in standIn.params for name in parameter.opts}
        self.assertEqual(theirs - ours, set())


class TwistdTests(TableCase):
    """
    Tests for L{twistdWords}.
    """

    def test_words(self) -> None:
        """
        It stays in the foreground unless told otherwise; its log goes where it should.
        """
        log = os.path.abspath("a.log")
        for line, words in (
            ("1 h:1", ["--nodaemon", "--pidfile="]),
            ("-D 1 h:1", ["--pidfile=", "--logger=vncproxy.cli.websockify.makeSilence"]),
            ("--log-file a.log 1 h:1", ["--nodaemon", "--pidfile=", f"--logfile={log}"]),
            ("-D --log-file a.log 1 h:1", ["--pidfile=", f"--logfile={log}"]),
            (
                "--syslog /dev/log --legacy-syslog 1 h:1",
                ["--nodaemon", "--pidfile=", "--syslog", "--prefix=websockify"],
            ),
        ):
            self.assertEqual(twistdWords(self.options(line)), words)
            _twistd_unix.ServerOptions().parseOptions([*words, "vncproxy"])
        self.assertIsNone(makeSilence()({}))


class RunTests(CLITestCase):
    """
    The command, up to where C{twistd} takes over.
    """

    def setUp(self) -> None:
        super().setUp()
        self.seen: list[tuple[list[str], str, int]] = []
        self.patch(sys, "argv", list(sys.argv))

        def run(runApp: Any, serverOptions: Any) -> None:
            path = Path(sys.argv[sys.argv.index("--config") + 1])
            self.seen.append((sys.argv, path.read_text(), path.stat().st_mode & 0o777))
            self.path = path

        self.patch(app, "run", run)

    def test_runs(self) -> None:
        """
        C{twistd} gets a configuration that nobody else may read, which is gone afterwards.
        """
        self.run_("websockify", "--token-plugin", "TokenRedis", "--token-source", "h:::hunter2", "6080")
        ((words, text, mode),) = self.seen
        self.assertEqual(words[:4], ["twistd", "--nodaemon", "--pidfile=", "vncproxy"])
        self.assertEqual((mode, "hunter2" in text, "hunter2" in " ".join(words)), (0o600, True, False))
        self.assertFalse(self.path.parent.exists())

    def test_refused(self) -> None:
        """
        What is refused ends with 2, also what only the configuration knows to be wrong.
        """
        self.assertIn("--record: ", self.fails("websockify", "--record", "a", "1", "h:1", code=2))
        self.assertIn("Did you mean", self.fails("websockify", "--token-plugin", "TokenFil", "1", code=2))
        self.assertIn("behind --", self.fails("websockify", "1", "--", "sleep", code=2))
        self.assertEqual(self.seen, [])

    def test_oldSocket(self) -> None:
        """
        The socket of an earlier run is removed; a file of another kind is not.
        """
        path = Path("/tmp") / f"vncproxy-{os.getpid()}.sock"
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(str(path))
        self.run_("websockify", "--unix-listen", str(path), "h:1")
        self.assertFalse(path.exists())
        self.run_("websockify", "--unix-listen", str(path), "h:1")
        path.touch()
        self.addCleanup(path.unlink)
        self.run_("websockify", "--unix-listen", str(path), "h:1")
        self.assertTrue(path.exists())
