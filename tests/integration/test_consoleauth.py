"""
Proxies that ask one controller, as processes: what they share, and what happens when the controller goes and comes.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from tests.integration.peers import (
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

TIMEOUT: Final = 1.5
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

    proxies = 0

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
        self.proxies += 1
        config = {"consoleauth": {"timeout": TIMEOUT, **settings}, "proxy": {"id": f"p{self.proxies}"}}
        proxy = await runVNCProxy(self.bench, config)
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
        await self.assertUnreachable(proxy, never, java, TIMEOUT + 1)
        await self.bench.pause(TIMEOUT)
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
        await self.assertUnreachable(proxy, never, java, TIMEOUT + 1)
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
        await self.assertUnreachable(proxy, up, java, TIMEOUT + 1)
        await controller.restart()
        self.assertLess(await self.untilReady(proxy, _RECOVERY), _RECOVERY)
        await self.open(at(proxy, up))
