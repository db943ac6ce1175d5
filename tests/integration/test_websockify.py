"""
Beside the real websockify, with the same command line, the same sources and the same tokens: who reaches what.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from tests.integration.peers import Bench, Program, Refused, WebSocketEndpoint, startRedis, tell
from tests.integration.peers.bench import freePort
from vncproxy.certs import selfSigned

_BIN: Final = Path(sys.executable).parent

_PLUGIN: Final = """
class Reversing:
    def __init__(self, source):
        self.source = source

    def lookup(self, token):
        return ("127.0.0.1", self.source) if token == "nekot" else None
"""


class Naming(Protocol):
    """
    A console that says its name, and then sends back what it gets.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def connectionMade(self) -> None:
        self.transport.write(self._name.encode() + b"\n")  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        if data == b"leave":
            self.transport.loseConnection()  # type: ignore[union-attr]
        else:
            self.transport.write(data)  # type: ignore[union-attr]


class Looking(Protocol):
    """
    A viewer that hears who is there. A refusal in RFB it hears to its end.
    """

    def __init__(self) -> None:
        self.heard = b""

    def dataReceived(self, data: bytes) -> None:
        before, self.heard = self.heard, self.heard + data
        if before[:12] != b"RFB 003.008\n" == self.heard[:12]:
            self.transport.write(b"RFB 003.008\n")  # type: ignore[union-attr]


class TokenService(Resource):
    """
    An HTTP service that knows tokens.
    """

    isLeaf = True

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__()
        self._answers = answers

    def render_GET(self, request: Request) -> bytes:
        answer = self._answers.get(request.postpath[-1].decode())
        if answer is None:
            request.setResponseCode(404)
            return b"nobody"
        return answer.encode()


class BesideCase(TestCase):
    """
    Both programs, and consoles behind them.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)
        self.secrets: set[str] = set()

    def console(self, name: str, unix: bool = False, host: str = "127.0.0.1") -> str:
        """
        Start a console; its port, or the path of its socket.
        """
        factory = Factory.forProtocol(lambda: Naming(name))
        if unix:
            path = str(self.bench.path(f"{name}.sock"))
            port = self.bench.reactor.listenUNIX(path, factory)
        else:
            port = self.bench.reactor.listenTCP(0, factory, interface=host)
        self.bench.atEnd(port.stopListening)
        return path if unix else str(port.getHost().port)

    def service(self, answers: Mapping[str, str]) -> str:
        """
        Start an HTTP service that knows tokens; its URL, with a place for one.
        """
        port = self.bench.reactor.listenTCP(0, Site(TokenService(answers)), interface="127.0.0.1")
        self.bench.atEnd(port.stopListening)
        address: IPv4Address = port.getHost()
        return f"http://127.0.0.1:{address.port}/tokens/%s"

    async def start(self, program: str, *words: str, port: int | None = None) -> tuple[int, Program]:
        """
        Start one of the two programs, and wait until it listens.
        """
        port = freePort() if port is None else port
        command = ["vncproxy", "websockify"] if program == "vncproxy" else ["websockify"]
        path = f"{self.bench.directory}:{os.environ.get('PYTHONPATH', '')}"
        argv = [str(_BIN / command[0]), *command[1:], *words[:-1]]
        where = f"127.0.0.1:{port}"
        running = await self.bench.run(program, *argv, where, *words[-1:], env={"PYTHONPATH": path})

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        await running.until(listens, "it listened", 20)
        return port, running

    async def both(self, *words: str) -> tuple[int, int]:
        """
        Start both with the same command line: the ports of websockify and of vncproxy. The last of C{words} comes
        behind the address, and may be empty.
        """
        last = [words[-1]] if words[-1] else []
        starts = [
            self.start(program, *words[:-1], *(last or ["--file-only"])) for program in ("websockify", "vncproxy")
        ]
        (theirs, _), (ours, running) = await self.bench.within(
            30, gatherResults([Deferred.fromCoroutine(each) for each in starts]), "both"
        )
        self.bench.atEnd(lambda: self.checkLog(running))
        return theirs, ours

    def checkLog(self, program: Program) -> None:
        """
        Its log holds no secret and no surprise. What it was started with is in its first line.
        """
        said = program.output().partition("\n")[2]
        for word in (*self.secrets, "Traceback", "Unhandled"):
            self.assertNotIn(word, said)

    async def reach(self, port: int, token: str, trust: Path | None = None) -> str:
        """
        Who answers to a token: a console's name, or C{"refused"}.
        """
        scheme = "http" if trust is None else "https"
        socket = WebSocketEndpoint(self.bench, f"{scheme}://127.0.0.1:{port}/?token={quote(token, safe='')}", trust)
        try:
            connecting = socket.connect(Factory.forProtocol(Looking))
            viewer: Looking = await self.bench.within(10, connecting, "an answer")
        except (Refused, ConnectError):
            return "refused"
        await self.bench.until(lambda: viewer.heard.endswith(b"\n") or socket.over, "a console")
        if viewer.heard.startswith(b"RFB"):
            await self.bench.until(lambda: socket.over, "the end")
            return "refused"
        await socket.leave()
        return viewer.heard.decode().strip() or "refused"

    async def compare(self, ports: tuple[int, int], tokens: Mapping[str, str]) -> None:
        """
        Each token leads both to the same console.
        """
        self.secrets |= {token for token in tokens if len(token) > 3}
        for token, expected in tokens.items():
            outcomes = [await self.reach(port, token) for port in ports]
            self.assertEqual(outcomes, [expected, expected], token)


class SourceTests(BesideCase):
    """
    Every kind of token source.
    """

    async def test_files(self) -> None:
        """
        TokenFile: comments, blanks, empty lines, tokens with colons, IPv6, UNIX sockets, lines that make no sense; a
        change counts at once.
        """
        a, b, six, unix = self.console("a"), self.console("b"), self.console("six", host="::1"), self.console("u", True)
        path = self.bench.path("tokens")
        path.write_text(
            f"# tok-0: 127.0.0.1:{a}\n\n  tok-1: 127.0.0.1:{a}  \ntok:2:\t127.0.0.1:{b}\ntok-3:127.0.0.1:{a}\n"
            f"tok-4: 127.0.0.1: {a}\ntok-5: ::1:{six}\ntok-6: unix_socket:{unix}\ntok-7: localhost:{b}\n"
            f"tok-8: 127.0.0.1:{a}\ntok-8: 127.0.0.1:{b}\ntok-9: [::1]:{six}\n"
        )
        ports = await self.both("--token-plugin=TokenFile", f"--token-source={path}", "")
        known = {"tok-1": "a", "tok:2": "b", "tok-5": "six", "tok-6": "u", "tok-7": "b", "tok-8": "b", "tok-1\n": "a"}
        unknown = dict.fromkeys(("tok-0", "# tok-0", "tok-3", "tok-4", "other", "TOK-1"), "refused")
        await self.compare(ports, known | unknown)
        # What websockify cannot do: an address in brackets.
        self.assertEqual([await self.reach(port, "tok-9") for port in ports], ["refused", "six"])
        path.write_text(f"tok-1: 127.0.0.1:{b}\n")
        await self.compare(ports, {"tok-1": "b", "tok-8": "refused"})

    async def test_names(self) -> None:
        """
        TokenFileName: the file named like the token; what is outside of the directory is not reached.
        """
        a = self.console("a")
        directory = self.bench.path("names")
        directory.mkdir()
        (directory / "tok-1").write_text(f"127.0.0.1:{a}\n")
        self.bench.path("outside").write_text(f"127.0.0.1:{a}\n")
        ports = await self.both("--token-plugin=TokenFileName", f"--token-source={directory}", "")
        await self.compare(ports, {"tok-1": "a", "x/tok-1": "a", "../outside": "refused", "other": "refused"})

    async def test_sockets(self) -> None:
        """
        UnixDomainSocketDirectory: by name; but not, as in websockify, by way of a sibling directory.
        """
        inside, outside = self.bench.path("in"), self.bench.path("in-between")
        for directory in (inside, outside):
            directory.mkdir()
            factory = Factory.forProtocol(lambda name=directory.name: Naming(name))
            port = self.bench.reactor.listenUNIX(str(directory / "tok-1"), factory)
            self.bench.atEnd(port.stopListening)
        ports = await self.both("--token-plugin=UnixDomainSocketDirectory", f"--token-source={inside}", "")
        await self.compare(ports, {"tok-1": "in", "other": "refused", "..": "refused"})
        escape = [await self.reach(port, "../in-between/tok-1") for port in ports]
        self.assertEqual(escape, ["in-between", "refused"])

    async def test_services(self) -> None:
        """
        BaseTokenAPI and JSONTokenApi: the body names the target, a status from 400 on means nobody.
        """
        a, b = self.console("a"), self.console("b")
        plain = self.service({"tok-1": f"127.0.0.1:{a}", "tok-2": f"localhost:{b}"})
        objects = {"tok-1": {"host": "127.0.0.1", "port": a}, "tok-2": {"host": "127.0.0.1", "port": int(b), "x": 1}}
        rich = self.service({token: json.dumps(fields) for token, fields in objects.items()})
        for plugin, url in (("BaseTokenAPI", plain), ("JSONTokenApi", rich)):
            ports = await self.both(f"--token-plugin={plugin}", f"--token-source={url}", "")
            await self.compare(ports, {"tok-1": "a", "tok-2": "b", "other": "refused"})

    async def test_signed(self) -> None:
        """
        JWTTokenApi: a signature by the key, and times that are kept.
        """
        a = self.console("a")
        key = JWK.generate(kty="oct", size=256)
        path = self.bench.path("key")
        path.write_text(key.export(as_dict=True)["k"])

        def sign(with_: JWK = key, **claims: Any) -> str:
            signed = JWS(json.dumps({"host": "127.0.0.1", "port": a} | claims).encode())
            signed.add_signature(with_, protected='{"alg": "HS256"}')
            text: str = signed.serialize(compact=True)
            return text

        ports = await self.both("--token-plugin=JWTTokenApi", f"--token-source={path}", "")
        now = int(self.bench.reactor.seconds())
        good = {sign(): "a", sign(port=int(a)): "a", sign(exp=now + 600, nbf=now - 600): "a"}
        bad = (sign(exp=now - 3600), sign(nbf=now + 3600), sign(JWK.generate(kty="oct", size=256)), "x.y.z", "x")
        await self.compare(ports, good | dict.fromkeys(bad, "refused"))

    async def test_redis(self) -> None:
        """
        TokenRedis: plain values and objects, under a namespace, behind a password, in another database.
        """
        a, b = self.console("a"), self.console("b")
        redis = await startRedis(self.bench, "--requirepass", "hush-hush")
        self.secrets.add("hush-hush")
        values = {
            "ns:tok-1": f" 127.0.0.1:{a}\n",
            "ns:tok-2": json.dumps({"host": f"127.0.0.1:{b}", "x": 1}),
            "tok-3": "x",
        }
        values["ns:tok-4"] = "nonsense"
        for name, value in values.items():
            await redis.command("-a", "hush-hush", "-n", "1", "set", name, value)
        source = f"127.0.0.1:{redis.port}:1:hush-hush:ns"
        ports = await self.both("--token-plugin=TokenRedis", f"--token-source={source}", "")
        refused = dict.fromkeys(("tok-3", "ns:tok-1", "tok-4", "other"), "refused")
        await self.compare(ports, {"tok-1": "a", "tok-2": "b"} | refused)

    async def test_class(self) -> None:
        """
        A class of somebody's, found on the path of Python.
        """
        a = self.console("a")
        (self.bench.directory / "ownplugins.py").write_text(_PLUGIN)
        ports = await self.both("--token-plugin=ownplugins.Reversing", f"--token-source={a}", "")
        await self.compare(ports, {"nekot": "a", "tekon": "refused"})


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
        argv = [str(_BIN / words[0]), *words[1:], f"127.0.0.1:{port}", f"127.0.0.1:{a}"]
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
