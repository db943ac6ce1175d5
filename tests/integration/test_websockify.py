"""
The command line of websockify beside the real one, and its sources behind a whole proxy.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThread

from tests.integration.consolepage import PASSWORD
from tests.integration.peers import (
    Bench,
    WebSocketEndpoint,
    runVNCProxy,
    startBrowser,
    startXvnc,
    tell,
    tokenOf,
)
from tests.integration.peers.display import WIDTH
from tests.integration.peers.xvnc import BACKGROUND, BARE
from tests.integration.websockifyworld import BIN, BesideCase, Looking
from tests.ports import freePort
from vncproxy.certs import selfSigned


class CommandLineTests(BesideCase):
    """
    The other flags.
    """

    async def end(self, port: int, say: bytes = b"") -> tuple[int, str]:
        """
        How a session without a token ends, when something is said in it.
        """
        socket = WebSocketEndpoint(self.bench, f"http://127.0.0.1:{port}/")
        viewer: Looking = await self.bench.within(10, socket.connect(Factory.forProtocol(Looking)), "the WebSocket")
        if say:
            await self.bench.until(lambda: viewer.heard, "the console")
            viewer.transport.write(say)  # type: ignore[union-attr]
        return await socket.closed()

    async def test_fixedTarget(self) -> None:
        """
        One target for everybody: a console that leaves ends with 1000, one that is not there with 1011.
        """
        a, nobody = self.console("a"), freePort()
        ports = await self.both(f"127.0.0.1:{a}")
        ends = [await self.end(port, b"leave") for port in ports]
        self.assertEqual(ends, [(1000, "Target closed"), (1000, "console_closed")])
        ports = await self.both(f"127.0.0.1:{nobody}")
        ends = [await self.end(port) for port in ports]
        self.assertEqual(ends, [(1011, "Failed to connect to downstream server"), (1011, "console_unreachable")])

    async def test_unixTarget(self) -> None:
        """
        The target may be a UNIX socket, and so may be what is listened on.
        """
        unix = self.console("u", True)
        ports = await self.both(f"--unix-target={unix}", "")
        self.assertEqual([await self.reach(port, "x") for port in ports], ["u", "u"])

    async def test_webAndPassword(self) -> None:
        """
        Files are served, with a password if that is asked for, and nothing is served but files.
        """
        a = self.console("a")
        web = self.bench.path("web")
        web.mkdir()
        (web / "index.html").write_text("hello")
        self.bench.path("secret").write_text("hunter2")
        words = ("--web", str(web), "--web-auth", "--auth-plugin=BasicHTTPAuth", "--auth-source=user:hush-hush")
        self.secrets.add("hush-hush")
        ports = await self.both(*words, f"127.0.0.1:{a}")
        right = b"Authorization: Basic " + b64encode(b"user:hush-hush") + b"\r\n"
        wrong = b"Authorization: Basic " + b64encode(b"user:hush") + b"\r\n"
        upgrade = (
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyBvaw==\r\nSec-WebSocket-Protocol: binary\r\n"
        )
        for path, fields, status in (
            (b"/", b"", b"401"),
            (b"/", wrong, b"401"),
            (b"/", right, b"200"),
            (b"/../secret", right, b"404"),
            (b"/absent", right, b"404"),
            (b"/x", upgrade, b"401"),
            (b"/x", upgrade + wrong, b"401"),
        ):
            request = b"GET %s HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n%s\r\n" % (path, fields)
            if fields.startswith(b"Upgrade"):
                request = b"GET %s HTTP/1.1\r\nHost: proxy\r\n%s\r\n" % (path, fields)
            for port in ports:
                answer = await tell(self.bench, port, request, closeHalf=True)
                self.assertEqual(answer[9:12], status, (path, fields, answer))
                self.assertEqual(b"hello" in answer, status == b"200")
                if status == b"401":
                    self.assertIn(b'www-authenticate: basic realm="websockify"', answer.lower())

    async def test_tls(self) -> None:
        """
        With a certificate TLS and plain text go through one port.
        """
        a = self.console("a")
        certificate, key = selfSigned(self.bench.directory, [])
        ports = await self.both(f"--cert={certificate}", f"--key={key}", f"127.0.0.1:{a}")
        for port in ports:
            self.assertEqual(await self.reach(port, "x"), "a")
            self.assertEqual(await self.reach(port, "x", Path(certificate)), "a")

    async def test_clientCertificates(self) -> None:
        """
        A certificate of the right authority, in the right name, is needed; without TLS there is none to show.
        """
        a = self.console("a")
        server, key = selfSigned(self.bench.directory, [])
        client, clientKey = _clientCertificate(self.bench, "ann")
        words = (f"--cert={server}", f"--key={key}", "--verify-client", f"--cafile={client}")
        for names, status in (("bob ann", b"101"), ("bob eve", b"403")):
            ports = await self.both(
                *words, "--auth-plugin=ClientCertCNAuth", f"--auth-source={names}", f"127.0.0.1:{a}"
            )
            self.assertEqual([await self.reach(port, "x") for port in ports], ["refused"] * 2)
            heads = [await self._head(port, server, client, clientKey) for port in ports]
            self.assertEqual([head[9:12] for head in heads], [status] * 2, heads)

    async def _head(self, port: int, trusted: str, certificate: str, key: str) -> bytes:
        """
        How an opening under TLS is answered, with a certificate of the client's own.
        """
        context = ssl.create_default_context(cafile=trusted)
        context.load_cert_chain(certificate, key)

        def ask() -> bytes:
            with socket.create_connection(("127.0.0.1", port), 10) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as tls:
                    tls.sendall(
                        b"GET /x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcyBvaw==\r\n\r\n"
                    )
                    return tls.recv(4096)

        answer: bytes = await deferToThread(ask)
        return answer

    async def test_daemon(self) -> None:
        """
        It goes to the background, logs to a file, and ends at SIGTERM without leaving anything behind.
        """
        a = self.console("a")
        log = self.bench.path("log")
        words = ["vncproxy", "websockify", "-D", "--log-file", str(log)]
        port = freePort()
        temporary = self.bench.path("tmp")
        temporary.mkdir()
        argv = [str(BIN / words[0]), *words[1:], f"127.0.0.1:{port}", f"127.0.0.1:{a}"]
        # Not on the bench, which waits for the end of whatever holds its pipes.
        environ = {**os.environ, "TMPDIR": str(temporary)}
        done = subprocess.run(argv, env=environ, cwd=temporary, stdout=subprocess.DEVNULL, timeout=30, check=False)
        self.assertEqual(done.returncode, 0)
        await self.bench.until(lambda: log.exists() and "web listening on" in log.read_text(), "it listened", 20)
        (pid,) = await self.bench.until(lambda: _listeners(port), "its process")
        self.bench.atEnd(lambda: _end(pid))
        self.assertEqual(await self.reach(port, "x"), "a")
        os.kill(pid, 15)
        await self.bench.until(lambda: not Path(f"/proc/{pid}").exists(), "its end")
        self.assertEqual(list(temporary.iterdir()), [])


class BrowserTests(BesideCase):
    """
    noVNC as Debian ships it, served and connected by C{vncproxy websockify}.
    """

    async def test_desktop(self) -> None:
        """
        Its page logs in to the console itself, through us, and shows the desktop.
        """
        desktop = await startXvnc(self.bench, password=PASSWORD)
        path = self.bench.path("tokens")
        path.write_text(f"tok-1: {desktop.url.removeprefix('vnc://')}\n")
        words = ("--token-plugin=TokenFile", f"--token-source={path}", "--web=/usr/share/novnc")
        port, _ = await self.start("vncproxy", *words, "--file-only")
        browser = await startBrowser(self.bench)
        tab = await browser.newTab()
        query = f"autoconnect=1&resize=scale&password={PASSWORD}&path=websockify%3Ftoken%3Dtok-1"
        await tab.open(f"http://127.0.0.1:{port}/vnc.html?{query}")

        async def shows() -> bool:
            if await tab.eval("document.querySelector('canvas')?.width") != WIDTH:
                return False
            return bool(await tab.canvasPixel(*BARE) == BACKGROUND)

        await self.bench.untilAsync(shows, "the desktop in noVNC's page", 20)


class ProxyTests(BesideCase):
    """
    Sources behind a whole proxy.
    """

    async def test_chain(self) -> None:
        """
        Tokens of the API, and of two sources behind them, each lead where they should; a source that is down hinders
        nobody who needs it not.
        """
        a, b = self.console("a"), self.console("b")
        path = self.bench.path("tokens")
        path.write_text(f"tok-file: 127.0.0.1:{b}\n")
        gone = f"127.0.0.1:{freePort()}"
        proxy = await runVNCProxy(
            self.bench, {"tokens": {"plugin": ["TokenRedis", "TokenFile"], "source": [gone, str(path)]}}
        )
        proxy.secrets.add("tok-file")
        await proxy.addConsole("vm", f"tcp://127.0.0.1:{a}")
        token = tokenOf(await proxy.accessURL("vm"))
        port = proxy.port("web")
        self.assertEqual([await self.reach(port, each) for each in (token, "tok-file")], ["a", "b"])
        url = f"http://127.0.0.1:{port}/?token=tok-none"
        socket_ = WebSocketEndpoint(self.bench, url)
        await self.bench.within(10, socket_.connect(Factory.forProtocol(Looking)), "the WebSocket")
        self.assertEqual(await socket_.closed(), (1013, "tokens_unreachable"))

    async def test_javaAndHost(self) -> None:
        """
        A raw TCP viewer may bring such a token as well; and hosts can be tokens.
        """
        a = self.console("a")
        path = self.bench.path("tokens")
        path.write_text(f"127.0.0.1: 127.0.0.1:{a}\ntok-file: 127.0.0.1:{a}\n")
        tokens = {"plugin": "TokenFile", "source": str(path), "host_token": True}
        proxy = await runVNCProxy(self.bench, {"tokens": tokens})
        request = b"CONNECT /console?token=tok-file HTTP/1.0\r\n\r\nleave"
        answer = await tell(self.bench, proxy.port("java"), request)
        self.assertEqual(answer, b"HTTP/1.1 200 OK\r\n\r\na\n")
        socket_ = WebSocketEndpoint(self.bench, f"http://127.0.0.1:{proxy.port('web')}/")
        viewer: Looking = await self.bench.within(10, socket_.connect(Factory.forProtocol(Looking)), "the WebSocket")
        await self.bench.until(lambda: viewer.heard == b"a\n", "the console")
        await socket_.leave()


def _clientCertificate(bench: Bench, name: str) -> tuple[str, str]:
    """
    A certificate of somebody, signed by himself, and its key: paths of PEM files.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = bench.path(f"{name}.pem"), bench.path(f"{name}.key")
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(paths[0]), str(paths[1])


def _end(pid: int) -> None:
    if Path(f"/proc/{pid}").exists():
        os.kill(pid, 9)


def _listeners(port: int) -> list[int]:
    """
    The processes that listen on a port of 127.0.0.1.
    """
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{line[9]}]" for line in lines if line[3] == "0A" and int(line[1].split(":")[1], 16) == port}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(each) in inodes for each in (entry / "fd").iterdir()):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
