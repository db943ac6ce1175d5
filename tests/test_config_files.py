"""
The configuration file on the disk, and the state directory.
"""

from __future__ import annotations

import os
import stat

from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.config import Config, checkFile, loadConfig, makeStateDirectory, stateDirectory
from vncproxy.errors import ConfigError

_CERTIFICATE = "-----BEGIN CERTIFICATE-----\n"
_KEY = "-----BEGIN PRIVATE KEY-----\n"
_CONSOLE = '[[console]]\nid = "a"\nurl = "vnc://h"\npassword = "hunter2"\n'


class FileCase(SynchronousTestCase):
    """
    A directory of files.
    """

    def setUp(self) -> None:
        """
        Make the directory.
        """
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> str:
        """
        A file of the directory.
        """
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path


class LoadTests(FileCase):
    """
    Tests for L{loadConfig} and L{checkFile}.
    """

    def assertRefused(self, path: str, *words: str) -> None:
        """
        A file cannot be used, and both ways of reading it say so alike.
        """
        error = self.assertRaises(ConfigError, loadConfig, path)
        self.assertEqual(str(error), "\n".join(map(str, checkFile(path))))
        for word in (path, *words):
            self.assertIn(word, str(error))

    def test_noFile(self) -> None:
        """
        Without a file everything is as it is by default, and the store is kept in the state directory.
        """
        self.assertEqual(loadConfig(None), Config())
        self.assertEqual(loadConfig(None, "/var/lib/x").store.url, "sqlite:/var/lib/x/vncproxy.sqlite")

    def test_file(self) -> None:
        """
        A file is read, a byte order mark before it or none; a store that it names stays.
        """
        for mark in (b"", b"\xef\xbb\xbf"):
            path = self.write("a.toml", mark + b'[store]\nurl = "sqlite:/x"\n[web]\nheartbeat = 5\n')
            self.assertEqual(checkFile(path), [])
            config = loadConfig(path, "/var/lib/x")
            self.assertEqual((config.store.url, config.web.heartbeat), ("sqlite:/x", 5.0))

    def test_problems(self) -> None:
        """
        What is wrong with the text is one line each.
        """
        path = self.write("a.toml", "[web]\nlistn = 1\nheartbeat = -1\n")
        self.assertRefused(path, f"{path}:2: web.listn: ", f"{path}:3: web.heartbeat: ")

    def test_unreadable(self) -> None:
        """
        A file that is not there, is no file, is no text or has no end is refused.
        """
        self.assertRefused(os.path.join(self.directory, "x"), "cannot be read (No such file or directory)")
        self.assertRefused(self.directory, "cannot be read (Is a directory)")
        self.assertRefused(self.write("a.toml", b"[web]\n# \xff\n"), "a.toml:2: it is not UTF-8")
        self.assertRefused("/dev/zero", "longer than 1 MiB")

    def test_certificate(self) -> None:
        """
        A certificate that is not absolute lies beside the file; the key may be in it.
        """
        pem = self.write("tls.pem", _CERTIFICATE + _KEY)
        key = self.write("tls.key", _KEY)
        path = self.write("a.toml", '[tls]\ncertificate = "tls.pem"\n')
        self.assertEqual((loadConfig(path).tls.certificate, loadConfig(path).tls.key), (pem, None))
        path = self.write("a.toml", f'[tls]\ncertificate = "{pem}"\nkey = "tls.key"\n')
        self.assertEqual((loadConfig(path).tls.certificate, loadConfig(path).tls.key), (pem, key))

    def test_storePaths(self) -> None:
        """
        The files of the store are taken from the directory of the configuration, too.
        """
        keys = 'password_file = "p"\nca_certs = "/c"\nclient_certificate = "d/e"\n'
        store = loadConfig(self.write("a.toml", f'[store]\nurl = "rediss://h"\n{keys}')).store
        self.assertEqual(store.password_file, os.path.join(self.directory, "p"))
        self.assertEqual(store.client_certificate, os.path.join(self.directory, "d/e"))
        self.assertEqual((store.ca_certs, store.client_key), ("/c", None))

    def test_cloudPaths(self) -> None:
        """
        So are the files with secrets of clouds.
        """
        os.chmod(self.write("k", "sesame"), 0o600)
        text = '[nova]\npassword_file = "p"\nca_certs = "/c"\n[cloudstack]\nkeys_file = "k"\n'
        config = loadConfig(self.write("a.toml", text))
        self.assertEqual(config.nova.password_file, os.path.join(self.directory, "p"))
        self.assertEqual((config.nova.ca_certs, config.nova.token_file), ("/c", None))
        self.assertEqual(config.cloudstack.keys_file, os.path.join(self.directory, "k"))

    def test_badSecrets(self) -> None:
        """
        A file with a secret that is asked for, and that the start could not use, is told with its key and the cure.
        """
        secret = self.write("k", "sesame")
        os.chmod(secret, 0o644)
        nova = '[nova]\nendpoint_override = "https://n"\ntoken_file = "absent"\n'
        path = self.write("a.toml", f'{nova}[cloudstack]\nkeys_file = "k"\n[tokens]\nplugin = "nova"\n')
        self.assertEqual(
            [(each.line, each.key, each.message, each.cure) for each in checkFile(path)],
            [
                (5, "cloudstack.keys_file", f"others than its owner may read {secret}", f"Run: chmod 600 {secret}"),
                (
                    3,
                    "nova.token_file",
                    f"{self.directory}/absent cannot be read (No such file or directory)",
                    "Name a file that we may read.",
                ),
            ],
        )
        self.assertEqual(checkFile(self.write("b.toml", nova)), [])

    def test_badCertificate(self) -> None:
        """
        A certificate or key that cannot be read, or is none, is told at its line.
        """
        self.write("empty.pem", "")
        self.write("only.pem", _CERTIFICATE)
        for text, *words in (
            ('certificate = "x.pem"\nkey = "only.pem"', ":2: tls.certificate: ", "cannot be read (No such file"),
            ('certificate = "only.pem"\nkey = "x.key"', ":3: tls.key: ", "cannot be read (No such file"),
            ('certificate = "empty.pem"', ":2: tls.certificate: ", "holds no certificate in PEM"),
            ('certificate = "only.pem"', ":2: tls.certificate: ", "holds no private key in PEM"),
            ('certificate = "only.pem"\nkey = "only.pem"', ":3: tls.key: ", "holds no private key in PEM"),
        ):
            self.assertRefused(self.write("a.toml", f"[tls]\n{text}\n"), *words)

    def test_readableByAll(self) -> None:
        """
        A file with passwords that everyone can read is a warning, in the log as in the check, without the password.
        """
        events: list[str] = []
        globalLogPublisher.addObserver(observer := lambda event: events.append(f"{event['log_level']}: {event}"))
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        path = self.write("a.toml", _CONSOLE, mode=0o644)
        [warning] = checkFile(path)
        self.assertEqual((warning.fatal, warning.cure), (False, f"Run: chmod 600 {path}"))
        self.assertEqual(loadConfig(path).console[0].password, "hunter2")
        [event] = [each for each in events if "a.toml" in each]
        self.assertIn(str(LogLevel.warn), event)
        self.assertNotIn("hunter2", event + str(warning))
        path = self.write("b.toml", '[store]\nurl = "redis://:hunter2@h"\n', mode=0o644)
        [warning] = checkFile(path)
        self.assertEqual((warning.key, warning.fatal), ("store.url", False))

    def test_openAPI(self) -> None:
        """
        An API that everybody reaches in clear is a warning, at the line that makes it so.
        """
        path = self.write("a.toml", '[api]\nlisten = ["tcp:1:interface=127.0.0.1", "tcp:8774"]\n')
        [warning] = checkFile(path)
        self.assertEqual((warning.line, warning.key, warning.fatal), (2, "api.listen", False))
        self.assertIn("speaks no TLS", str(warning))

    def test_allAtOnce(self) -> None:
        """
        A certificate that is not there is told together with keys that do not exist, in the order of their lines.
        """
        path = self.write("a.toml", '[tls]\ncertificate = "none.pem"\nkee = "x"\n\n[web]\nlisen = "tcp:1"\n')
        told = [(problem.line, problem.key) for problem in checkFile(path)]
        self.assertEqual(told, [(2, "tls.certificate"), (3, "tls.kee"), (6, "web.lisen")])

    def test_quiet(self) -> None:
        """
        A file that only its owner reads, or that holds no password, is no warning.
        """
        self.assertEqual(checkFile(self.write("a.toml", _CONSOLE, mode=0o640)), [])
        for text in ("[web]\n", '[store]\nurl = "redis://h"\n', '[store]\nurl = "sqlite:/x"\n'):
            self.assertEqual(checkFile(self.write("a.toml", text, mode=0o644)), [])


class StateDirectoryTests(FileCase):
    """
    Tests for L{stateDirectory} and L{makeStateDirectory}.
    """

    def test_made(self) -> None:
        """
        The directory is made, for its owner alone, and may be there already.
        """
        path = os.path.join(self.directory, "a", "b")
        for _ in range(2):
            makeStateDirectory(path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700)

    def test_refused(self) -> None:
        """
        Where no directory can be made, the text says why.
        """
        path = self.write("file", "")
        for taken, cause in ((path, "File exists"), (os.path.join(path, "x"), "Not a directory")):
            error = self.assertRaises(ConfigError, makeStateDirectory, taken)
            self.assertIn(f"{taken} cannot be made ({cause})", str(error))

    def test_option(self) -> None:
        """
        What the command line names goes before all else, and nothing is made of it yet.
        """
        path = os.path.join(self.directory, "elsewhere")
        self.assertEqual(stateDirectory(path, {"XDG_STATE_HOME": "/nowhere"}), path)
        self.assertFalse(os.path.exists(path))

    def test_relative(self) -> None:
        """
        A relative name is made absolute, as programs change their directory.
        """
        path = os.path.relpath(os.path.join(self.directory, "state"))
        self.assertEqual(stateDirectory(path, {}), os.path.join(self.directory, "state"))

    def test_default(self) -> None:
        """
        By default it is where the XDG specification puts it; a relative path there is ignored.
        """
        home = os.path.join(self.directory, "home")
        below = os.path.join(home, ".local", "state", "vncproxy")
        xdg = os.path.join(self.directory, "xdg")
        self.assertEqual(stateDirectory(None, {"XDG_STATE_HOME": xdg, "HOME": home}), os.path.join(xdg, "vncproxy"))
        self.assertEqual(stateDirectory(None, {"XDG_STATE_HOME": "xdg", "HOME": home}), below)
        self.assertEqual(stateDirectory(None, {"HOME": home}), below)

    def test_homeless(self) -> None:
        """
        Without C{HOME} it is in the home directory of the user.
        """
        self.patch(os, "environ", {"HOME": self.directory})
        self.assertTrue(stateDirectory(None, {}).startswith(self.directory))
