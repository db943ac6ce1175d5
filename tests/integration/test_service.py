"""
The proxy as a process: its start and its end, what it keeps, what an operator can do, and what it withstands.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import ssl
import stat
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from cryptography.x509 import load_pem_x509_certificate
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, readBody

from tests.integration.peers import (
    Bench,
    Desktop,
    Flood,
    Program,
    Refused,
    RFBViewer,
    Server,
    VNCProxy,
    WebSocketEndpoint,
    connectRFB,
    endpointOf,
    originForm,
    runVNCProxy,
    startScripted,
    startXvnc,
)
from tests.integration.peers.proxy import Section, formatTOML
from vncproxy.certs import selfSigned

T = TypeVar("T")

_TWISTD = Path(sys.executable).with_name("twistd")
_QUICKSTART = Path(sys.executable).with_name("vncproxy")
_FREE_PORTS: dict[str, Section] = {
    name: {"listen": "tcp:0:interface=127.0.0.1"} for name in ("web", "java", "api", "consoleauth")
}
_MEGABYTE = 1024 * 1024


class Drain(Protocol):
    """
    A viewer that says everything at once, and counts what it hears without looking at it.
    """

    transport: Any

    def __init__(self, request: bytes = b"") -> None:
        self._request = request
        self.heard = 0
        self.over = False

    def connectionMade(self) -> None:
        # Version, choice of security, ClientInit.
        self.transport.write(self._request + b"RFB 003.008\n\x01\x01")

    def dataReceived(self, data: bytes) -> None:
        self.heard += len(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over = True


class ProxyCase(TestCase):
    """
    A proxy, a console behind it, and viewers.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def start(self, server: Server, **config: Section) -> VNCProxy:
        """
        A proxy that knows the console C{vm}.
        """
        proxy = await runVNCProxy(self.bench, config)
        await proxy.addConsole("vm", server.url)
        return proxy

    async def open(self, url: str, cookie: str = "") -> tuple[WebSocketEndpoint, RFBViewer]:
        """
        A viewer at an access URL, and its WebSocket.
        """
        socket = WebSocketEndpoint(self.bench, url, cookie=cookie)
        return socket, await connectRFB(self.bench, socket)

    async def assertRefused(self, url: str, code: int, reason: str, cookie: str = "") -> WebSocketEndpoint:
        """
        A viewer at an access URL is turned away for this reason. Its WebSocket.
        """
        socket = WebSocketEndpoint(self.bench, url, cookie=cookie)
        with self.assertRaises(Refused):
            await connectRFB(self.bench, socket)
        self.assertEqual(await socket.closed(), (code, reason))
        return socket

    async def sessions(self, proxy: VNCProxy) -> list[dict[str, Any]]:
        """
        Those that are up.
        """
        listed: list[dict[str, Any]] = (await proxy.mustCall("GET", "/v1/sessions"))["sessions"]
        return listed

    async def untilSessions(self, proxy: VNCProxy, count: int, timeout: float = 10.0) -> None:
        """
        Wait until so many sessions are up.
        """

        async def look() -> bool:
            return len(await self.sessions(proxy)) == count

        await self.bench.untilAsync(look, f"{count} sessions", timeout)

    async def drain(self, url: str, trust: Path | None = None) -> tuple[WebSocketEndpoint, Drain]:
        """
        A viewer that does not look, and its WebSocket.
        """
        socket = WebSocketEndpoint(self.bench, url, trust)
        viewer = await self.bench.within(20, socket.connect(Factory.forProtocol(Drain)), "a WebSocket")
        self.bench.atEnd(socket.leave)
        return socket, viewer


def resumeCookie(proxy: VNCProxy, socket: WebSocketEndpoint) -> str:
    """
    The cookie that a viewer was given to come back with.
    """
    found = re.search(r"(?im)^set-cookie: (vncproxy_resume=([^;]+))", socket.head)
    assert found is not None, socket.head
    proxy.secrets.add(found[2])
    return found[1]


class QuickstartTests(ProxyCase):
    """
    C{vncproxy quickstart}.
    """

    async def test_url(self) -> None:
        """
        It keeps its state where the XDG specification puts it, for nobody else to read, and prints a URL whose page
        is served and whose console is live.
        """
        config = self.bench.path("ports.toml")
        config.write_text(formatTOML(_FREE_PORTS))
        home = self.bench.path("home")
        program = await self.bench.run(
            "quickstart", _QUICKSTART, "quickstart", "--config", config, env={"XDG_STATE_HOME": str(home)}
        )
        url = (await program.says(r"http://127\.0\.0\.1:\d+/vnc_auto\.html\?token=\S+"))[0]
        state = home / "vncproxy"
        self.assertMode(state, 0o700)
        for name in ("api.key", "vncproxy.sqlite"):
            self.assertMode(state / name, 0o600)

        response = await self.bench.within(10, Agent(self.bench.reactor).request(b"GET", url.encode()), "the page")
        page = await self.bench.within(10, readBody(response), "the page's body")
        self.assertEqual(response.code, 200)
        self.assertIn(b"<!doctype html>", page.lower())
        _, viewer = await self.open(url)
        self.assertEqual(viewer.name, "Demo desktop")
        await viewer.pictureWhere(lambda picture: len(picture.colours()) > 10, "a colourful desktop")

        program.signal(signal.SIGINT)
        self.assertEqual(await program.ends(), -signal.SIGINT)
        log = program.output()
        self.assertEqual(log.count(url.partition("?token=")[2]), 1, "the log holds the token")
        self.assertNotIn((state / "api.key").read_text().strip(), log)

    def assertMode(self, path: Path, mode: int) -> None:
        """
        Nobody but its owner may do anything with it.
        """
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode, path)


class RestartTests(ProxyCase):
    """
    What a proxy knows again after its end.
    """

    async def test_asked(self) -> None:
        """
        After an end in good order, of which viewers are told, and a new start: consoles, links that were not used, and
        the right of a browser to come back.
        """
        await self.restart(crash=False)

    async def test_crash(self) -> None:
        """
        After a crash: the same.
        """
        await self.restart(crash=True)

    async def restart(self, crash: bool) -> None:
        """
        Use one link, restart, and use another and the same again.
        """
        proxy = await self.start(startScripted(self.bench))
        fresh, used = await proxy.accessURL("vm"), await proxy.accessURL("vm")
        socket, _ = await self.open(used)
        cookie = resumeCookie(proxy, socket)
        await proxy.restart(crash)
        if not crash:
            self.assertEqual(await socket.closed(), (1001, "draining"))
        await self.assertRefused(used, 1008, "token_used")
        await self.open(used, cookie)
        await self.open(fresh)
        await self.assertRefused(fresh, 1008, "token_used")
        self.assertEqual([each["resumed"] for each in await self.sessions(proxy)], [True, False])

    async def test_window(self) -> None:
        """
        The right to come back ends after its time, which the restart has begun.
        """
        proxy = await self.start(startScripted(self.bench), consoleauth={"resume_window": 0.2})
        url = await proxy.accessURL("vm")
        socket, _ = await self.open(url)
        cookie = resumeCookie(proxy, socket)
        await proxy.restart(crash=True)
        await self.bench.pause(0.3)
        await self.assertRefused(url, 1008, "token_used", cookie)


class OperatorTests(ProxyCase):
    """
    What an operator sees and does.
    """

    async def test_endSession(self) -> None:
        """
        A session that is ended is over for both sides within a second; its viewer is told, and does not come back.
        """
        server = startScripted(self.bench)
        proxy = await self.start(server)
        url = await proxy.accessURL("vm")
        socket, _ = await self.open(url)
        (session,) = await self.sessions(proxy)
        await proxy.mustCall("DELETE", f"/v1/sessions/{session['id']}")
        self.assertEqual(await socket.closed(timeout=1), (1000, "ended_by_operator"))
        await self.bench.until(lambda: server.protocols[0].over, "the end at the console", 1)
        self.assertEqual(await self.sessions(proxy), [])
        await self.assertRefused(url, 1008, "token_used", resumeCookie(proxy, socket))

    async def test_revoke(self) -> None:
        """
        Links of a console whose tokens are revoked open nothing any more, nor do those of one that is deleted; sessions
        that are up end and say why.
        """
        proxy = await self.start(startScripted(self.bench))
        socket, _ = await self.open(await proxy.accessURL("vm"))
        revoked = await proxy.accessURL("vm")
        self.assertEqual(await proxy.mustCall("DELETE", "/v1/consoles/vm/tokens"), {"deleted": 2})
        self.assertEqual(await socket.closed(timeout=1), (1000, "revoked"))
        await self.assertRefused(revoked, 1008, "token_unknown")
        socket, _ = await self.open(await proxy.accessURL("vm"))
        orphaned = await proxy.accessURL("vm")
        await proxy.mustCall("DELETE", "/v1/consoles/vm")
        self.assertEqual(await socket.closed(timeout=1), (1000, "revoked"))
        await self.assertRefused(orphaned, 1008, "token_unknown")
        self.assertEqual(await self.sessions(proxy), [])

    async def test_counters(self) -> None:
        """
        The list of sessions says who is where, and its byte counters move with what passes.
        """
        server = startScripted(self.bench)
        proxy = await self.start(server)
        _, viewer = await self.open(await proxy.accessURL("vm"))
        (before,) = await self.sessions(proxy)
        facts = {name: before[name] for name in ("console", "frontend", "client", "resumed", "view_only")}
        self.assertEqual(
            facts,
            {"console": "vm", "frontend": "web", "client": "127.0.0.1", "resumed": False, "view_only": False},
        )
        viewer.send(b"\x06" + bytes(6) + bytes([1]) + b"x")
        server.protocols[0].transport.write(b"\x02" * 1000)

        async def passed() -> bool:
            (now,) = await self.sessions(proxy)
            moved = now["bytes_in"] - before["bytes_in"], now["bytes_out"] - before["bytes_out"]
            return moved == (9, 1000)

        await self.bench.untilAsync(passed, "the counters to have moved")

    async def test_capacity(self) -> None:
        """
        A proxy that is full turns viewers away, and takes them with the same link once there is room.
        """
        proxy = await self.start(startScripted(self.bench), proxy={"capacity": 1})
        _, first = await self.open(await proxy.accessURL("vm"))
        waiting = await proxy.accessURL("vm")
        await self.assertRefused(waiting, 1013, "at_capacity")
        await first.close()
        await self.untilSessions(proxy, 0)
        await self.open(waiting)


class StrainTests(ProxyCase):
    """
    Viewers that do not behave, and many at once.
    """

    async def test_heartbeat(self) -> None:
        """
        A viewer that is no more than an open connection is found out, and its console let go; one that answers stays.
        """
        server = startScripted(self.bench)
        proxy = await self.start(server, web={"heartbeat": 1})
        frozen, _ = await self.open(await proxy.accessURL("vm"))
        lively, _ = await self.open(await proxy.accessURL("vm"))
        frozen.answersPings = False
        await self.bench.until(lambda: frozen.over, "the frozen viewer to be found out")
        await self.bench.until(lambda: server.protocols[0].over, "its console to be let go")
        await self.bench.until(lambda: lively.answered > 3, "the other to answer on")
        self.assertFalse(lively.over)
        self.assertEqual(len(await self.sessions(proxy)), 1)
        self.assertIn(" ended: viewer_lost after ", proxy.log())

    async def test_busyStore(self) -> None:
        """
        While the store does not answer, a viewer is turned away for now; its link is good for it afterwards.
        """
        proxy = await self.start(startScripted(self.bench), consoleauth={"timeout": 1})
        url = await proxy.accessURL("vm")
        with closing(sqlite3.connect(proxy.state / "vncproxy.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            socket = await self.assertRefused(url, 1013, "tokens_unreachable")
            other.execute("ROLLBACK")
        cookie = resumeCookie(proxy, socket)

        async def letIn() -> bool:
            try:
                await self.open(url, cookie)
            except Refused:
                return False
            return True

        await self.bench.untilAsync(letIn, "the link to be good again")

    async def test_flood(self) -> None:
        """
        While a console floods viewers that read nothing, the proxy's memory stays as it is, and it serves others; once
        they read again, all goes on.
        """
        server = startScripted(self.bench, Flood)
        proxy = await self.start(server)
        request = originForm(await proxy.accessURL("vm", "xvpvnc"))
        before = memory(proxy)
        socket, _ = await self.drain(await proxy.accessURL("vm"))
        raw: Any = await self.bench.within(
            10,
            endpointOf(self.bench, proxy.endpoints["java"][0]).connect(Factory.forProtocol(lambda: Drain(request))),
            "a raw viewer",
        )
        self.bench.atEnd(lambda: raw.transport.abortConnection())
        for viewer in (socket.wire, raw.transport):
            viewer.pauseProducing()
        await self.untilSessions(proxy, 2)
        floods: list[Flood] = server.protocols
        await self.bench.until(lambda: all(flood.stuck for flood in floods), "the floods to be held back", 20)
        sent = await self.settled(lambda: [flood.sent for flood in floods])
        self.assertLess(memory(proxy) - before, 8 * _MEGABYTE)
        self.assertEqual(await proxy.call("GET", "/readyz"), (200, {"ready": True, "problems": []}))
        for viewer in (socket.wire, raw.transport):
            viewer.resumeProducing()
        await self.bench.until(
            lambda: all(flood.sent > before + 16 * _MEGABYTE for flood, before in zip(floods, sent, strict=True)),
            "the floods to go on",
            30,
        )

    async def settled(self, look: Callable[[], T]) -> T:
        """
        What C{look} returns, once it has stayed the same for a while.
        """
        last = look()
        while True:
            await self.bench.pause(0.3)
            now = look()
            if now == last:
                return now
            last = now

    async def test_many(self) -> None:
        """
        Two hundred sessions at once, again and again, leave neither descriptors nor memory behind.
        """
        server = startScripted(self.bench)
        proxy = await self.start(server)
        url = await proxy.accessURL("vm", uses=0)
        # The calls made so far leave connections, which end in a moment.
        idle = await self.settled(lambda: descriptors(proxy))
        held = []
        for _ in range(3):
            viewers = [await self.drain(url) for _ in range(200)]
            await self.untilSessions(proxy, 200, 20)
            self.assertGreaterEqual(descriptors(proxy), idle + 400)
            for socket, _ in viewers:
                socket.wire.loseConnection()
            await self.untilSessions(proxy, 0, 20)
            await self.bench.until(lambda: descriptors(proxy) <= idle, "the descriptors to be closed", 20)
            held.append(memory(proxy))
        # What the first round has made room for, the later ones find.
        self.assertLess(held[2] - held[1], 2 * _MEGABYTE, held)


class EndTests(ProxyCase):
    """
    The end that was asked for.
    """

    async def test_clear(self) -> None:
        """
        SIGTERM ends the proxy within seconds, by that signal and not by an error. Viewers are told, the busy ones too;
        raw ones are hung up on.
        """
        await self.assertDrains()

    async def test_TLS(self) -> None:
        """
        So it does when it speaks TLS.
        """
        await self.assertDrains("--tls-self-signed")

    async def assertDrains(self, *arguments: str) -> None:
        """
        Three viewers hear of the proxy's end.
        """
        quiet, flood = startScripted(self.bench), startScripted(self.bench, Flood)
        proxy = await runVNCProxy(self.bench, arguments=arguments)
        trust = proxy.state / "self-signed.pem" if arguments else None
        await proxy.addConsole("vm", quiet.url)
        await proxy.addConsole("flood", flood.url)
        idle = WebSocketEndpoint(self.bench, await proxy.accessURL("vm"), trust)
        await connectRFB(self.bench, idle)
        busy, viewer = await self.drain(await proxy.accessURL("flood"), trust)
        url = await proxy.accessURL("vm", "xvpvnc")
        raw = await connectRFB(self.bench, endpointOf(self.bench, url, trust), opening=originForm(url))
        await self.untilSessions(proxy, 3)
        await self.bench.until(lambda: viewer.heard > _MEGABYTE, "the flood")
        proxy.program.signal(signal.SIGTERM)
        self.assertEqual(await proxy.program.ends(5), -signal.SIGTERM)
        self.assertEqual(await idle.closed(), (1001, "draining"))
        self.assertEqual(await busy.closed(), (1001, "draining"))
        await raw.hungUp()
        self.assertEqual(proxy.log().count(" ended: draining after "), 3)
        self.assertFalse((proxy.state / "endpoints.json").exists())


class FailureTests(TestCase):
    """
    Starts that cannot be: the program ends with an error, and says which key is wrong and what to do.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def assertFails(self, told: str, **config: Section) -> Program:
        """
        A start with this configuration fails, and tells this.
        """
        path = self.bench.path("a.toml")
        path.write_text(formatTOML({**_FREE_PORTS, **config}))
        state = self.bench.path("state")
        program = await self.bench.run(
            "vncproxy", _TWISTD, "-n", "--pidfile=", "vncproxy", "--config", path, "--state-dir", state
        )
        self.assertEqual(await program.ends(), 1, program.output())
        self.assertIn(told, program.output())
        self.assertNotIn("Traceback", program.output())
        return program

    async def test_port(self) -> None:
        """
        A port that somebody holds.
        """
        port = startScripted(self.bench).port
        endpoint = f"tcp:{port}:interface=127.0.0.1"
        await self.assertFails(
            f"[java] listen: cannot listen on {endpoint}: Couldn't listen on 127.0.0.1:{port}: [Errno 98] Address "
            "already in use. Stop whoever holds it, or write another one into a configuration, below [java], such as",
            java={"listen": endpoint},
        )

    async def test_configuration(self) -> None:
        """
        A configuration with several mistakes, which are all told, and a password, which is not.
        """
        program = await self.assertFails(
            'web.hartbeat: there is no such key. Did you mean "heartbeat"?',
            web={"hartbeat": 5},
            limits={"handshake_seconds": "soon"},
            console=[{"id": "vm", "url": "vnc://:5900", "password": "secret12"}],
        )
        self.assertIn("limits.handshake_seconds: it must be a number", program.output())
        self.assertIn("console.url: ", program.output())
        self.assertNotIn("secret12", program.output())

    async def test_certificate(self) -> None:
        """
        A certificate that is damaged, which shows before the reactor turns.
        """
        path = self.bench.path("damaged.pem")
        path.write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n")
        await self.assertFails(
            f"cannot start: [tls] certificate: {path} holds no usable PEM certificate", tls={"certificate": str(path)}
        )

    async def test_store(self) -> None:
        """
        A store that is a directory, and one that is some other file.
        """
        path = self.bench.path("taken")
        path.mkdir()
        store = {"url": f"sqlite:{path}"}
        await self.assertFails(f"store.url: {path} is not a file. Name another path", store=store)
        path.rmdir()
        path.write_text("This is a letter, and no database at all, whatever its name may be. " * 20)
        await self.assertFails(
            f"store.url: {path} is not an SQLite database. Move it away, or name another path in [store] url.",
            store=store,
        )


class CertificateTests(ProxyCase):
    """
    Certificates that are renewed while the proxy runs.
    """

    async def test_renewed(self) -> None:
        """
        New connections get the new certificate; a session that is up goes on with the old one.
        """
        desktop = await startXvnc(self.bench)
        old, new = self.bench.path("old"), self.bench.path("new")
        for directory in (old, new):
            directory.mkdir()
            selfSigned(directory, [])
        live = self.bench.path("live")
        live.mkdir()
        self.place(old, live)
        tls = {"certificate": str(live / "self-signed.pem"), "key": str(live / "self-signed.key")}
        proxy = await runVNCProxy(self.bench, {"tls": tls})
        await proxy.addConsole("vm", desktop.url)
        socket = WebSocketEndpoint(self.bench, await proxy.accessURL("vm"), old / "self-signed.pem")
        viewer = await connectRFB(self.bench, socket)
        self.place(new, live)
        await proxy.program.until(lambda: self.served(proxy) == serial(new), "the new certificate was served")
        again = WebSocketEndpoint(self.bench, await proxy.accessURL("vm"), new / "self-signed.pem")
        for each in (viewer, await connectRFB(self.bench, again)):
            await each.pictureWhere(Desktop.isSeenIn, "the desktop")
        self.assertFalse(socket.over)

    def place(self, source: Path, live: Path) -> None:
        """
        Put a certificate and its key where the proxy looks for them, one after the other as tools do.
        """
        for name in ("self-signed.pem", "self-signed.key"):
            (live / "next").write_bytes((source / name).read_bytes())
            (live / "next").replace(live / name)

    def served(self, proxy: VNCProxy) -> int:
        """
        The serial number of the certificate that a new connection gets.
        """
        pem = ssl.get_server_certificate(("127.0.0.1", proxy.port("web")), timeout=5)
        return load_pem_x509_certificate(pem.encode()).serial_number


def serial(directory: Path) -> int:
    """
    The serial number of the certificate in a directory.
    """
    return load_pem_x509_certificate((directory / "self-signed.pem").read_bytes()).serial_number


def memory(proxy: VNCProxy) -> int:
    """
    The memory that a proxy holds resident, in bytes.
    """
    pages = int(Path(f"/proc/{proxy.program.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors(proxy: VNCProxy) -> int:
    """
    How many file descriptors it has open.
    """
    return len(os.listdir(f"/proc/{proxy.program.pid}/fd"))
