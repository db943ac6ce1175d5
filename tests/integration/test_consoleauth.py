"""
Proxies that ask one controller, as processes: what they share, what happens when the controller goes and comes, over
TCP, TLS and a UNIX socket; and what the controller withstands.
"""

from __future__ import annotations

import json
import random
import re
import signal
import socket
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.internet.threads import deferToThread

from tests.integration.peers import (
    Authority,
    Refused,
    Server,
    VNCProxy,
    WebSocketEndpoint,
    connectRFB,
    originForm,
    runVNCProxy,
    startScripted,
    startXvnc,
    tell,
)
from tests.integration.test_service import ProxyCase, resumeCookie

_DOCUMENT: Final = Path(__file__).parents[2] / "docs/consoleauth.rst"

_TIMEOUT: Final = 1.5
_RECOVERY: Final = 2.0
"""
Seconds within which a proxy serves again once its controller is back.
"""

_BASES: Final[Mapping[str, Mapping[str, Any]]] = {
    "web": {"novncproxy_base_url": "http://proxy.example/vnc_auto.html"},
    "java": {"xvpvncproxy_base_url": "http://proxy.example/console"},
}


class ControllerCase(ProxyCase):
    """
    A controller alone, and proxies that ask it.
    """

    async def control(self, **settings: Any) -> VNCProxy:
        """
        A controller.
        """
        return await runVNCProxy(self.bench, {**_BASES, "consoleauth": settings}, plugin="consoleauth")

    async def proxy(self, controller: VNCProxy, **settings: Any) -> VNCProxy:
        """
        A proxy that asks it; over TCP, unless C{settings} say otherwise.
        """
        if "connect" not in settings:
            settings["connect"] = f"tcp:127.0.0.1:{controller.port('consoleauth')}"
            settings["key_file"] = str(controller.state / "api.key")
        proxy = await runVNCProxy(self.bench, {"consoleauth": {"timeout": _TIMEOUT, **settings}})
        # None of them may hold what is the other's.
        controller.secrets = proxy.secrets = controller.secrets | proxy.secrets | {controller.key}
        await self.untilReady(proxy, 10)
        return proxy

    async def untilReady(self, proxy: VNCProxy, timeout: float) -> float:
        """
        Wait until a proxy reaches its controller; how many seconds that took.
        """
        begun = time.monotonic()

        async def ready() -> bool:
            return (await proxy.call("GET", "/readyz"))[0] == 200

        await self.bench.untilAsync(ready, "the controller to be in reach", timeout)
        return time.monotonic() - begun

    async def assertUnreachable(self, proxy: VNCProxy, url: str, javaURL: str, seconds: float) -> None:
        """
        Viewers of both kinds are told within so many seconds that there is no token service.
        """
        begun = time.monotonic()
        viewer = WebSocketEndpoint(self.bench, at(proxy, url))
        with self.assertRaises(Refused):
            await connectRFB(self.bench, viewer)
        self.assertEqual(await viewer.closed(), (1013, "tokens_unreachable"))
        self.assertLess(time.monotonic() - begun, seconds)
        begun = time.monotonic()
        answer = await tell(self.bench, proxy.port("java"), originForm(javaURL))
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
        self.assertLess(time.monotonic() - begun, seconds)


def at(proxy: VNCProxy, url: str) -> str:
    """
    An access URL at this proxy.
    """
    return f"{proxy.endpoints['web'][0]}/vnc_auto.html?{urlsplit(url).query}"


class SharingTests(ControllerCase):
    """
    Two proxies, one controller, no store between them.
    """

    async def test_sharing(self) -> None:
        """
        A token minted at the controller opens its console at either proxy, with the password that only the controller
        was told; its one use is honoured once in all, and the browser that had it may come back to either.
        """
        controller = await self.control(resume_window=5)
        one, two = await self.proxy(controller), await self.proxy(controller)
        desktop = await startXvnc(self.bench, password="secret12")
        await controller.addConsole("vm", desktop.url, name="Shared", password="secret12")
        one.secrets = two.secrets = controller.secrets = controller.secrets | {"secret12"}
        first, second = await controller.accessURL("vm"), await controller.accessURL("vm")

        viewer, rfb = await self.open(at(one, first))
        self.assertEqual(rfb.name, "Shared")
        cookie = resumeCookie(one, viewer)
        await self.open(at(two, second))
        for proxy in (one, two):
            await self.assertRefused(at(proxy, first), 1008, "token_used")
        (session,) = await self.sessions(one)
        self.assertEqual((session["console"], session["resumed"]), ("vm", False))

        await viewer.leave()
        await self.untilSessions(one, 0)
        await self.open(at(two, first), cookie)
        self.assertEqual([each["resumed"] for each in await self.sessions(two)], [False, True])
        await controller.mustCall("DELETE", "/v1/consoles/vm/tokens")
        await self.assertRefused(at(two, first), 1008, "token_unknown", cookie)

    async def test_java(self) -> None:
        """
        Java viewers are served, too, and refused as ever.
        """
        controller = await self.control()
        proxy = await self.proxy(controller)
        await controller.addConsole("vm", startScripted(self.bench).url)
        url = await controller.accessURL("vm", "xvpvnc")
        answer = await tell(self.bench, proxy.port("java"), originForm(url), closeHalf=True)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
        answer = await tell(self.bench, proxy.port("java"), originForm(url))
        self.assertTrue(answer.startswith(b"HTTP/1.1 401 "), answer)


class OutageTests(ControllerCase):
    """
    The controller goes, and comes back.
    """

    async def outage(self, server: Server | None = None) -> tuple[VNCProxy, VNCProxy, list[str], str]:
        """
        A controller, a proxy, three access URLs and one for Java.
        """
        controller = await self.control()
        proxy = await self.proxy(controller)
        await controller.addConsole("vm", (server or startScripted(self.bench)).url)
        urls = [await controller.accessURL("vm") for _ in range(3)]
        return controller, proxy, urls, await controller.accessURL("vm", "xvpvnc")

    async def test_crash(self) -> None:
        """
        A controller that is killed is told to viewers within the time of a call; sessions that are up go on. When it is
        back, so are tokens, within two seconds, and the end of a session that it missed is told.
        """
        server = startScripted(self.bench)
        controller, proxy, (up, later, never), java = await self.outage(server)
        viewer, rfb = await self.open(at(proxy, up))
        cookie = resumeCookie(proxy, viewer)
        await controller.program.kill()
        await self.assertUnreachable(proxy, never, java, _TIMEOUT + 1)
        await self.bench.pause(_TIMEOUT)
        # By now nobody is made to wait.
        await self.assertUnreachable(proxy, never, java, 1)
        self.assertEqual(len(await self.sessions(proxy)), 1)
        rfb.type("hello")
        await self.bench.until(lambda: server.protocols[0].heard, "what was typed")
        await viewer.leave()
        await self.untilSessions(proxy, 0)
        await controller.restart()
        self.assertLess(await self.untilReady(proxy, _RECOVERY), _RECOVERY)
        await self.open(at(proxy, later))
        await self.open(at(proxy, up), cookie)

    async def test_silence(self) -> None:
        """
        One that says nothing any more, and hangs up on nobody, is treated alike; no use is lost that a viewer had
        asked for meanwhile.
        """
        controller, proxy, (up, _, never), java = await self.outage()
        controller.program.signal(signal.SIGSTOP)
        await self.assertUnreachable(proxy, never, java, _TIMEOUT + 1)
        controller.program.signal(signal.SIGCONT)
        self.assertLess(await self.untilReady(proxy, _RECOVERY), _RECOVERY)
        await self.open(at(proxy, up))

    async def test_notThereYet(self) -> None:
        """
        A proxy may start before its controller.
        """
        controller, proxy, (up, *_), java = await self.outage()
        await controller.program.stop()
        await proxy.restart()
        await self.assertUnreachable(proxy, up, java, _TIMEOUT + 1)
        await controller.restart()
        self.assertLess(await self.untilReady(proxy, _RECOVERY), _RECOVERY)
        await self.open(at(proxy, up))


class WayTests(ControllerCase):
    """
    Other ways to a controller than TCP with a key.
    """

    async def assertServed(self, controller: VNCProxy, proxy: VNCProxy) -> None:
        """
        A token of the controller opens its console at the proxy.
        """
        await controller.addConsole("vm", startScripted(self.bench).url)
        await self.open(at(proxy, await controller.accessURL("vm")))

    async def test_TLS(self) -> None:
        """
        Over TLS with a certificate, no key is needed; without either nobody is let in, and a controller whose
        certificate is another's is none.
        """
        authority, other = Authority(self.bench), Authority(self.bench)
        certificate, key = authority.issue("localhost")
        own, ownKey = authority.issue("proxy-1", client=True)
        controller = await self.control(
            server_certificate=str(certificate), server_key=str(key), client_ca=str(authority.certificate)
        )
        way = {
            "connect": f"tls:localhost:{controller.port('consoleauth')}",
            "ca_certs": str(authority.certificate),
            "client_certificate": str(own),
            "client_key": str(ownKey),
        }
        proxy = await self.proxy(controller, **way)
        await self.assertServed(controller, proxy)

        stranger, strangersKey = other.issue("proxy-1", client=True)
        for wrong in (
            {"client_certificate": str(stranger), "client_key": str(strangersKey)},
            {"ca_certs": str(other.certificate)},
            {"connect": f"tls:127.0.0.1:{controller.port('consoleauth')}"},
        ):
            with self.subTest(wrong=wrong):
                refused = await runVNCProxy(self.bench, {"consoleauth": {"timeout": _TIMEOUT, **way, **wrong}})
                await refused.program.says("the token service is out of reach")
                self.assertEqual((await refused.call("GET", "/readyz"))[0], 503)

    async def test_TLSWithKey(self) -> None:
        """
        Over TLS a key will do, if it is the right one.
        """
        authority = Authority(self.bench)
        certificate, key = authority.issue("localhost")
        controller = await self.control(server_certificate=str(certificate), server_key=str(key))
        wrong = self.bench.path("wrong.key")
        wrong.touch(mode=0o600)
        wrong.write_text("nonsense\n")
        way = {
            "connect": f"tls:localhost:{controller.port('consoleauth')}",
            "ca_certs": str(authority.certificate),
            "key_file": str(wrong),
        }
        proxy = await runVNCProxy(self.bench, {"consoleauth": {"timeout": _TIMEOUT, **way}})
        await proxy.program.says("the token service is out of reach: This key is not good here")
        # It is mended while the proxy runs.
        wrong.write_text(controller.key)
        await self.untilReady(proxy, 5)
        await self.assertServed(controller, proxy)

    async def test_UNIX(self) -> None:
        """
        Who may reach the UNIX socket is in.
        """
        path = self.bench.path("controller.sock")
        controller = await self.control(listen=f"unix:{path}:mode=600")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        await self.assertServed(controller, await self.proxy(controller, connect=f"unix:{path}"))


class PeerTests(ControllerCase):
    """
    Peers that are not ours.
    """

    async def test_document(self) -> None:
        """
        The client in the specification, which has 30 lines at most and needs nothing but Python, mints a token.
        """
        controller = await self.control()
        await controller.addConsole("vm", startScripted(self.bench).url)
        (block,) = re.findall(r"^\.\. code-block:: python\n\n((?:(?: {4}.*)?\n)+)", _DOCUMENT.read_text(), re.MULTILINE)
        lines = [line[4:] for line in block.splitlines()]
        self.assertLessEqual(len([line for line in lines if line]), 30)
        path = self.bench.path("client.py")
        path.write_text("\n".join(lines))
        words = ["127.0.0.1", str(controller.port("consoleauth")), str(controller.state / "api.key")]
        program = await self.bench.run("client", sys.executable, "-I", path, *words, "vm")
        self.assertEqual(await program.ends(), 0, program.output())
        token = program.output().split()[-1]
        proxy = await self.proxy(controller)
        proxy.secrets.add(token)
        await self.open(f"{proxy.endpoints['web'][0]}/?token={token}")
        program = await self.bench.run("client", sys.executable, "-I", path, *words, "nobody")
        self.assertEqual(await program.ends(), 1)
        self.assertIn("no directory knows the console nobody", program.output())

    async def test_fuzz(self) -> None:
        """
        Seconds of nonsense, from strangers and from peers that are in, on many connections at once, break nothing: a
        peer that behaves is served meanwhile and after.
        """
        controller = await self.control()
        await controller.addConsole("vm", startScripted(self.bench).url)
        proxy = await self.proxy(controller)
        port, key = controller.port("consoleauth"), controller.key
        fuzzing = [deferToThread(_fuzz, port, key if seed % 2 else "", seed, 2.0) for seed in range(4)]
        while not all(each.called for each in fuzzing):
            viewer, _ = await self.open(at(proxy, await controller.accessURL("vm")))
            await viewer.leave()
        rounds = [await self.bench.within(10, each, "the fuzzing to end") for each in fuzzing]
        self.assertGreater(min(rounds), 3)
        await self.untilReady(proxy, 1)
        self.assertEqual((await controller.call("GET", "/readyz"))[0], 200)


def _fuzz(port: int, key: str, seed: int, seconds: float) -> int:
    """
    Say nonsense for a while, each connection until it is hung up on or has said enough; how many there were.
    """
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
        with socket.create_connection(("127.0.0.1", port), timeout=1) as peer:
            try:
                if key:
                    peer.sendall(_line(1, "authenticate", {"key": key}))
                    peer.recv(1000)
                for _ in range(chance.randrange(1, 60)):
                    peer.sendall(_nonsense(chance))
                    if chance.random() < 0.3:
                        _listen(peer)
            except (ConnectionError, TimeoutError):
                # It has hung up, or does not read any more.
                continue
    return rounds


def _listen(peer: socket.socket) -> None:
    """
    Take what the server has said; every whole line of it is JSON.
    """
    peer.settimeout(0.02)
    try:
        said = peer.recv(65536)
    except TimeoutError:
        return
    finally:
        peer.settimeout(1)
    lines = said.split(b"\n")[:-1]
    for line in lines[1:]:
        json.loads(line)


def _nonsense(chance: random.Random) -> bytes:
    methods = [
        "authorize_console",
        "check_token",
        "redeem_token",
        "end_session",
        "undo_redeem",
        "report_load",
        "ping",
        "",
    ]
    names = ["token", "console_type", "instance_uuid", "host", "port", "resume", "proxy", "sessions", "token_hash", "x"]
    values = ["", "vm", "novnc", "T" * 43, 0, -1, 2**63, 1e300, None, True, [], {}, "\0\u2028\U0001f5a5", "a" * 64]
    whole = _line(
        chance.choice(values),
        chance.choice(methods),
        {n: chance.choice(values) for n in names if chance.random() < 0.5},
    )
    at = chance.randrange(len(whole))
    return chance.choice(
        [
            whole,
            whole[:at],
            whole[:at] + chance.randbytes(3) + whole[at:],
            chance.randbytes(chance.randrange(200)),
            b"\n" * chance.randrange(50),
            b"[" * chance.randrange(5000) + b"\n",
            b"x" * chance.randrange(100_000),
            _line(1, "ping", {}) * chance.randrange(500),
        ]
    )


def _line(id: Any, method: str, params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode() + b"\n"
