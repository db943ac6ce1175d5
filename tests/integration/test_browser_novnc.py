"""
noVNC's own pages, as Debian ships them (1.3.0), on a web server elsewhere: what links to them today goes on working.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import Page
from twisted.trial.unittest import TestCase
from twisted.web.server import Site
from twisted.web.static import Data, File

from tests.integration.consolepage import CONSOLE, NAME, PASSWORD, WHITE, typeKeys
from tests.integration.peers import Bench, Tab, runVNCProxy, startBrowser, startXvnc
from tests.integration.peers.display import WIDTH
from tests.integration.peers.xvnc import BACKGROUND, BARE, TERMINAL

_NOVNC: Final = "/usr/share/novnc"
_RULES: Final = "--host-resolver-rules=MAP *.example.test 127.0.0.1"
# The pages, each with the words to begin at once and to fit the picture to the window.
_FULL: Final = "vnc.html?autoconnect=1&resize=scale"
_LITE: Final = "vnc_lite.html?scale=true"


class NoVNCTests(TestCase):
    """
    The pages at C{http://dashboard.example.test}, allowed in C{[web] allowed_origins}, and the proxy at another host.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def _open(self) -> None:
        pages = File(_NOVNC)
        pages.putChild(b"favicon.ico", Data(b"", "image/x-icon"))
        site = self.bench.reactor.listenTCP(0, Site(pages), interface="127.0.0.1")
        self.bench.atEnd(site.stopListening)
        self.port: int = site.getHost().port
        origin = f"http://dashboard.example.test:{self.port}"
        self.desktop = await startXvnc(self.bench, password=PASSWORD)
        self.proxy = await runVNCProxy(self.bench, {"web": {"allowed_origins": [origin]}})
        await self.proxy.addConsole(CONSOLE, self.desktop.url, name=NAME, password=PASSWORD)
        self.browser = await startBrowser(self.bench, _RULES)

    async def _token(self) -> str:
        (token,) = parse_qs(urlsplit(await self.proxy.accessURL(CONSOLE)).query)["token"]
        return token

    def _page(
        self, name: str, path: str, page: str = "dashboard.example.test", proxy: str = "proxy.example.test"
    ) -> str:
        """
        The URL of a page of noVNC's that is told where the proxy is.
        """
        query = urlencode({"host": proxy, "port": self.proxy.port("web"), "path": path})
        return f"http://{page}:{self.port}/{name}&{query}"

    async def _shows(self, tab: Tab) -> None:
        async def look() -> bool:
            width = await tab.eval("document.querySelector('canvas')?.width")
            if width != WIDTH:
                return False
            seen = await tab.canvasPixel(*BARE), await tab.canvasPixel(*TERMINAL)
            return seen == (BACKGROUND, WHITE)

        await self.bench.untilAsync(look, "the desktop in noVNC's page")

    async def test_tokenInPath(self) -> None:
        """
        Both pages show the desktop and take keys when C{path} holds the token.
        """
        await self._open()
        for name in (_FULL, _LITE):
            tab = await self.browser.newTab()
            await tab.open(self._page(name, f"websockify?token={await self._token()}"))
            await self._shows(tab)
            await self._type(tab, "typed ")
            (session,) = (await self.proxy.mustCall("GET", "/v1/sessions"))["sessions"]
            self.assertEqual((session["frontend"], session["console_name"]), ("web", NAME))
            await tab.screenshot(name.partition(".")[0])
            await tab.close()
        await self.desktop.hasTyped("typed typed ")

    async def test_tokenInCookie(self) -> None:
        """
        A page on the proxy's host, at another port, is no stranger, and the cookie that nova's dashboards set will do.
        """
        await self._open()
        tab = await self.browser.newTab()
        cookie: Any = {"name": "token", "value": await self._token(), "url": f"http://127.0.0.1:{self.port}"}
        await tab.do(lambda page: page.context.add_cookies([cookie]))
        await tab.open(self._page(_LITE, "websockify", "127.0.0.1", "127.0.0.1"))
        await self._shows(tab)
        await self._type(tab, "cookie")
        await self.desktop.hasTyped("cookie")
        self.assertEqual(await tab.eval("document.getElementById('status').innerText"), f"Connected to {NAME}")

    async def test_refused(self) -> None:
        """
        A page of a site that is not allowed gets nothing, and spends nothing; that a link is spent already is told in
        the proxy's words.
        """
        await self._open()
        path = f"websockify?token={await self._token()}"
        stranger, first, second = [await self.browser.newTab() for _ in range(3)]
        await stranger.open(self._page(_FULL, path, "stranger.example.test"))
        await self._says(stranger, "Failed to connect to server")
        await first.open(self._page(_FULL, path))
        await self._shows(first)
        await second.open(self._page(_FULL, path))
        await self._says(second, "This console link was already used. Ask for a new one.")
        await second.screenshot("refused")

    async def _type(self, tab: Tab, text: str) -> None:
        def act(page: Page) -> None:
            box = page.locator("canvas").bounding_box()
            assert box is not None
            scale = box["width"] / WIDTH
            page.mouse.click(box["x"] + TERMINAL[0] * scale, box["y"] + TERMINAL[1] * scale)
            typeKeys(page, text)

        await tab.do(act)

    async def _says(self, tab: Tab, words: str) -> None:
        async def look() -> bool:
            return words in await tab.eval("document.getElementById('noVNC_status').textContent")

        await self.bench.untilAsync(look, f"noVNC to say {words!r}")
        # It has come in from above, and stays.
        await tab.do(lambda page: page.click("#noVNC_status.noVNC_status_error", trial=True))
