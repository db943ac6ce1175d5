"""
C{vncproxy demo} and C{vncproxy check-config}.
"""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from tests.cliharness import CLITestCase
from vncproxy.certs import selfSigned

_SECONDS = 30


@contextmanager
def runningDemo(*options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """
    The demo in a process of its own, and its first line.
    """
    program = [sys.executable, "-c", "from vncproxy.cli import main; main()", "demo", *options]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    try:
        process.stdin.write(b"hunter2\n")
        process.stdin.close()
        select.select([process.stdout], [], [], _SECONDS)
        yield process, process.stdout.readline().decode()
    finally:
        process.kill()
        process.wait(_SECONDS)
        process.stdout.close()
        process.stderr.close()


class DemoTests(CLITestCase):
    def test_serves(self) -> None:
        """
        It tells where it is, speaks RFB there, and ends with Ctrl-C.
        """
        with runningDemo("--listen", "tcp:0:interface=127.0.0.1") as (process, line):
            self.assertRegex(line, r"^A demo desktop is at vnc://127\.0\.0\.1:[0-9]+\. ")
            port = int(line.split(". ")[0].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), _SECONDS) as viewer:
                viewer.settimeout(_SECONDS)
                self.assertEqual(viewer.recv(12, socket.MSG_WAITALL), b"RFB 003.008\n")
                viewer.sendall(b"RFB 003.008\n")
                self.assertEqual(viewer.recv(2, socket.MSG_WAITALL), b"\x01\x01")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(_SECONDS), 0)

    def test_password(self) -> None:
        """
        With a password it asks for it.
        """
        path = Path(self.mktemp()).absolute()
        with runningDemo("--listen", f"unix:{path}", "--password-file", "-") as (_, line):
            self.assertIn(f"vnc+unix://{path}", line)
            with socket.socket(socket.AF_UNIX) as viewer:
                viewer.settimeout(_SECONDS)
                viewer.connect(str(path))
                viewer.recv(12, socket.MSG_WAITALL)
                viewer.sendall(b"RFB 003.008\n")
                self.assertEqual(viewer.recv(2, socket.MSG_WAITALL), b"\x01\x02")

    def test_taken(self) -> None:
        """
        A port that is taken is told as such, and is a no.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            endpoint = f"tcp:{server.getsockname()[1]}:interface=127.0.0.1"
            with runningDemo("--listen", endpoint) as (process, line):
                self.assertEqual((line, process.wait(_SECONDS)), ("", 1))
                assert process.stderr is not None
                told = process.stderr.read().decode()
        self.assertIn(f"Error: Nothing can listen at {endpoint}", told)
        self.assertNotIn("Traceback", told)

    def test_badEndpoint(self) -> None:
        """
        A place that is no endpoint is a wrong call, told with what would be one.
        """
        self.assertIn("tcp:PORT", self.fails("demo", "--listen", "5901", code=2))


class CheckConfigTests(CLITestCase):
    def check(self, text: str, code: int) -> tuple[str, str, str]:
        """
        Check a file of this text: its name, what is on standard output, what beside it.
        """
        path = Path(self.mktemp()).with_suffix(".toml")
        path.write_text(text)
        path.chmod(0o600)
        result = self.run_("check-config", str(path), code=code)
        return str(path), result.stdout, result.stderr

    def test_good(self) -> None:
        """
        A good file is told so beside standard output.
        """
        name, out, err = self.check('[web]\nlisten = "tcp:6080"\n', code=0)
        self.assertEqual((out, err), ("", f"{name} is good.\n"))

    def test_problems(self) -> None:
        """
        Every problem has a line of its own, with file, line, key and cure.
        """
        name, out, _ = self.check(
            '[web]\nlisten = "tcp:6080"\nheartbeet = 3\n\n[limits]\nhandshake_seconds = -1\n', code=1
        )
        first, second = out.splitlines()
        self.assertTrue(first.startswith(f"{name}:3: web.heartbeet: "), first)
        self.assertIn("heartbeat", first)
        self.assertTrue(second.startswith(f"{name}:6: limits.handshake_seconds: "), second)

    def test_warning(self) -> None:
        """
        A warning is told and does not hinder.
        """
        path = Path(self.mktemp())
        path.write_text('[[console]]\nid = "a"\nurl = "vnc://h"\npassword = "hunter2"\n')
        path.chmod(0o644)
        result = self.run_("check-config", str(path))
        self.assertIn("(a warning)", result.stdout)
        self.assertNotIn("hunter2", result.output)

    def certificates(self, **keys: str) -> str:
        """
        What is told of a configuration with a certificate and these further lines, which a start would refuse.
        """
        certificate, key = self.selfSigned("own")
        lines = {"certificate": certificate, "key": key} | keys
        _, out, _ = self.check("[tls]\n" + "".join(f'{key} = "{value}"\n' for key, value in lines.items()), code=1)
        (line,) = out.splitlines()
        return line.partition(".toml:")[2]

    def selfSigned(self, name: str, now: datetime | None = None) -> tuple[str, str]:
        directory = Path(self.mktemp()).absolute() / name
        directory.mkdir(parents=True)
        return selfSigned(directory, [], now)

    def test_otherKey(self) -> None:
        """
        The key of another certificate is refused at the line that names it, as a start does.
        """
        _, other = self.selfSigned("other")
        self.assertRegex(self.certificates(key=other), r"^3: tls\.key: .*does not hold the PEM key of .*own key\.$")

    def test_lockedKey(self) -> None:
        """
        So is a key behind a passphrase that does not stand in the file.
        """
        certificate, key = self.selfSigned("locked")
        plain = serialization.load_pem_private_key(Path(key).read_bytes(), None)
        locked = plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
        Path(key).write_bytes(locked)
        self.assertRegex(self.certificates(key=key), r"^3: tls\.key: .* is encrypted, .* Write key_password in \[tls\]")
        self.check(
            f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\nkey_password = "secret"\n',
            code=0,
        )

    def test_clientAuthorities(self) -> None:
        """
        So are authorities that are none, and the server certificate of the token-check protocol.
        """
        certificate, key = self.selfSigned("more")
        self.assertRegex(self.certificates(client_ca=key), r"^4: tls\.client_ca: ")
        _, out, _ = self.check(f'[consoleauth]\nserver_certificate = "{certificate}"\nserver_key = "/none"\n', code=1)
        self.assertRegex(out, r":3: consoleauth\.server_key: /none does not hold ")

    def test_goodCertificate(self) -> None:
        """
        A certificate and its key are good.
        """
        certificate, key = self.selfSigned("own")
        _, out, _ = self.check(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n', code=0)
        self.assertEqual(out, "")

    def test_oldCertificate(self) -> None:
        """
        Of one that has expired it is warned.
        """
        certificate, key = self.selfSigned("old", datetime(2020, 1, 1, tzinfo=UTC))
        _, out, _ = self.check(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n', code=0)
        self.assertRegex(out, r":2: tls\.certificate: .* has expired on 2020-12-31 .*\(a warning\)\n$")

    def test_missing(self) -> None:
        """
        A file that cannot be read is told as such.
        """
        self.assertIn("/nonexistent/x.toml", self.run_("check-config", "/nonexistent/x.toml", code=1).stdout)
