"""
The real websockify and ours, side by side: both started with one command line, and consoles behind them.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from tests.integration.peers import (
    Bench,
    Program,
    Refused,
    WebSocketEndpoint,
)
from tests.ports import freePort

BIN: Final = Path(sys.executable).parent


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

    async def start(
        self, program: str, *words: str, port: int | None = None, env: Mapping[str, str] | None = None
    ) -> tuple[int, Program]:
        """
        Start one of the two programs, and wait until it listens.
        """
        port = freePort() if port is None else port
        command = ["vncproxy", "websockify"] if program == "vncproxy" else ["websockify"]
        path = f"{self.bench.directory}:{os.environ.get('PYTHONPATH', '')}"
        argv = [str(BIN / command[0]), *command[1:], *words[:-1]]
        where = f"127.0.0.1:{port}"
        running = await self.bench.run(program, *argv, where, *words[-1:], env={"PYTHONPATH": path, **(env or {})})

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
