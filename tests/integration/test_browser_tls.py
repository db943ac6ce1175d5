"""
Consoles over TLS, each under a host name of its own, and in the frame of a dashboard.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Error, Page
from twisted.trial.unittest import TestCase
from twisted.web.server import Site
from twisted.web.static import Data

from tests.integration.consolepage import CONSOLE, World, openWorld, throughPort
from tests.integration.peers import Authority, Bench
from tests.ports import freePort

_RULES: Final = "--host-resolver-rules=MAP *.example.test 127.0.0.1, MAP *.foreign.test 127.0.0.1"
_WILDCARD: Final = "*.console.example.test"
_DASHBOARD: Final = b"<!doctype html><link rel=icon href=data:,><title>Dashboard</title><h1>Your machine</h1>"


class TLSTests(TestCase):
    """
    A proxy with a certificate for L{_WILDCARD}, and a browser that trusts its authority.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def _openWorld(self, **web: Any) -> World:
        authority = Authority(self.bench)
        certificate, key = authority.issue(_WILDCARD)
        port = freePort()
        config = {
            "web": {
                "listen": [f"tcp:{port}:interface=127.0.0.1"],
                "novncproxy_base_url": f"https://vm.console.example.test:{port}/vnc_auto.html",
                **web,
            },
            "tls": {"certificate": str(certificate), "key": str(key)},
        }
        return await openWorld(self.bench, config, _RULES, home=await authority.trustedHome())

    async def test_wildcardHostName(self) -> None:
        """
        Under any name of the wildcard the console opens without a warning, its WebSocket over TLS too; who comes
        without TLS is sent to it; a name that the certificate does not cover is not taken.
        """
        world = await self._openWorld()
        link = await world.link(uses=0)
        port = world.proxy.port("web")
        for url in (
            link,
            throughPort(link, port, "other.console.example.test"),
            throughPort(link, port).replace("https://127.0.0.1", "http://plain.console.example.test"),
        ):
            page = await world.newPage(ignore_https_errors=False)
            sockets: list[str] = []
            await page.tab.do(_listSockets(sockets))
            await page.open(url)
            await page.showsDesktop()
            self.assertEqual(await page.tab.eval("location.protocol"), "https:")
            self.assertEqual([socket.partition("?")[0] for socket in sockets], [_socketURL(url)])
            self.assertEqual(page.tab.complaints, [])
            await page.type("over TLS, ")
            # The right to come back is in a cookie.
            await page.reload()
            await page.showsDesktop()
            await page.tab.close()
        await world.desktop.hasTyped("over TLS, " * 3)
        page = await world.newPage(ignore_https_errors=False)
        with self.assertRaisesRegex(Error, "ERR_CERT_COMMON_NAME_INVALID"):
            await page.open(throughPort(link, port, "not.for.console.example.test"))

    async def test_frames(self) -> None:
        """
        A dashboard of an allowed origin shows the console in a frame, where it works, F5 and all, though the browser
        takes it for a stranger there; in the frame of any other site nothing opens, and the link is not spent.
        """
        root = Data(b"", "text/html")
        root.putChild(b"", Data(_DASHBOARD, "text/html"))
        site = self.bench.reactor.listenTCP(0, Site(root), interface="127.0.0.1")
        self.bench.atEnd(site.stopListening)
        dashboard = f"http://dashboard.example.test:{site.getHost().port}"
        world = await self._openWorld(frame_ancestors=["'self'", dashboard])
        link = await world.link()
        page = await world.newPage(ignore_https_errors=False)

        await page.open(dashboard.replace("example", "foreign"))
        await page.tab.do(_embed(link))
        await page.complains("frame-ancestors")
        self.assertEqual(await world.sessions(), [])
        page.tab.complaints.clear()

        await page.open(dashboard)
        await page.tab.do(_embed(link))
        page.tab.frame = "iframe"
        await page.showsDesktop()
        await page.type("framed")
        await world.desktop.hasTyped("framed")
        self.assertEqual(await page.tab.eval("[innerWidth, innerHeight]"), [720, 430])
        await page.tab.screenshot("frame")
        await page.tab.do(lambda each: page.tab.place(each).evaluate("location.reload()"))
        await world.hasResumed()
        await page.showsDesktop()
        (session,) = await world.sessions()
        self.assertEqual(session["console"], CONSOLE)
        # A frame of a page without TLS is no secure context, whatever it holds; noVNC notes that, and works.
        self.assertEqual([each for each in page.tab.complaints if "secure context" not in each], [])


def _socketURL(url: str) -> str:
    return f"wss://{urlsplit(url).netloc}/websockify"


def _listSockets(sockets: list[str]) -> Any:
    return lambda page: page.on("websocket", lambda socket: sockets.append(socket.url))


def _embed(link: str) -> Any:
    def act(page: Page) -> None:
        page.evaluate(
            """(link) => {
                const frame = document.createElement("iframe");
                Object.assign(frame, { width: 720, height: 430, src: link });
                frame.style.border = 0;
                document.body.append(frame);
            }""",
            link,
        )

    return act
