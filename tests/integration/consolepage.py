"""
What the tests in a browser share: a desktop, a proxy and Chromium on one bench, and our page as its user meets it.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Frame, Page

from tests.integration.peers import (
    Bench,
    Browser,
    Desktop,
    Tab,
    VNCProxy,
    runVNCProxy,
    startBrowser,
    startXvnc,
)
from tests.integration.peers.picture import Colour
from tests.integration.peers.proxy import Section
from tests.integration.peers.xvnc import BACKGROUND, BARE, TERMINAL

WHITE: Final = (255, 255, 255)
PASSWORD: Final = "secret12"
CONSOLE: Final = "vm"
# The first line of the desktop's terminal: x, y, width, height.
FIRST_LINE: Final = (22, 432, 360, 13)
# Where the page has the console's picture; its only other canvas keeps the last one after the connection is lost.
PICTURE: Final = "#screen canvas"
NAME: Final = "Build server"

# Between two keys of a quick typist, in milliseconds. Guests lose keys that come faster than they look.
_PACE: Final = 10
_NEEDS_SHIFT: Final = frozenset(string.ascii_uppercase + '~!@#$%^&*()_+{}|:"<>?')
# The page may go through a state in less time than lies between two looks at it, so it keeps its own diary.
_DIARY: Final = """
    window.diary = ["connecting"];
    new MutationObserver(() => {
        const { state, reason } = document.documentElement.dataset;
        const line = `${state} ${reason}`.trim();
        if (line !== window.diary.at(-1)) window.diary.push(line);
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-state", "data-reason"] });
    window.sent = 0;
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
        window.sent += 1;
        send.call(this, data);
    };
"""


class ConsolePage:
    """
    Our page in a tab.
    """

    def __init__(self, bench: Bench, tab: Tab) -> None:
        self._bench = bench
        self.tab = tab

    async def open(self, url: str) -> None:
        """
        Open an access URL; the page itself always comes, whatever its token is worth.
        """
        status = await self.tab.open(url)
        if status != 200:
            raise AssertionError(f"the page was answered {status}")

    async def has(self, state: str, reason: str = "", timeout: float = 15.0) -> None:
        """
        Wait until the page is in C{state}, for C{reason}.
        """
        wanted = f"{state} {reason}".strip()

        async def look() -> bool:
            return await self._now() == wanted

        try:
            await self._bench.untilAsync(look, f"the page to be {wanted}", timeout)
        except AssertionError as late:
            raise AssertionError(f"{late}; it went through {await self.diary()}") from None

    async def _now(self) -> str:
        script = "(({ state, reason }) => `${state} ${reason}`.trim())(document.documentElement.dataset)"
        now: str = await self.tab.eval(script)
        return now

    async def diary(self) -> list[str]:
        """
        The states since the page was loaded, each with the word of its reason.
        """
        lines: list[str] = await self.tab.eval("window.diary")
        return lines

    async def sent(self) -> int:
        """
        How many messages the page has sent since it was loaded: one for each key that goes down or up, among others.
        """
        count: int = await self.tab.eval("window.sent")
        return count

    async def words(self) -> tuple[str, str]:
        """
        Title and text of the card that lies over the picture.
        """
        title, text = await self.tab.eval(
            "['notice-title', 'notice-text'].map((id) => document.getElementById(id).innerText)"
        )
        return title, text

    async def showsDesktop(self, timeout: float = 15.0) -> None:
        """
        Wait until the page is connected and its canvas holds the pixels of the desktop.
        """
        await self.has("connected", timeout=timeout)

        async def look() -> bool:
            return (await self.pixel(*BARE), await self.pixel(*TERMINAL)) == (BACKGROUND, WHITE)

        await self._bench.untilAsync(look, "the desktop in the page", timeout)

    async def pixel(self, x: int, y: int) -> Colour:
        """
        The colour of one pixel of the console's picture.
        """
        return await self.tab.canvasPixel(x, y, PICTURE)

    async def ink(self, x: int, y: int, width: int, height: int) -> int:
        """
        How many pixels of a part of the console's picture have another colour than its last one: those of letters.
        """
        pixels = await self.tab.canvasPixels(x, y, width, height, PICTURE)
        paper = pixels[-4:]
        return sum(pixels[at : at + 4] != paper for at in range(0, len(pixels), 4))

    async def hasInk(self, more: int, x: int, y: int, width: int, height: int) -> None:
        """
        Wait until a part of the picture has more than so much L{ink}.
        """

        async def look() -> bool:
            return await self.ink(x, y, width, height) > more

        await self._bench.untilAsync(look, "letters in the page")

    async def moves(self) -> None:
        """
        Wait until the console's picture changes.
        """
        before = await self.tab.canvasHash(PICTURE)

        async def look() -> bool:
            return await self.tab.canvasHash(PICTURE) != before

        await self._bench.untilAsync(look, "the picture to change")

    async def type(self, text: str) -> None:
        """
        Lay the pointer on the desktop's terminal and type there; nothing is clicked.
        """

        def act(page: Page) -> None:
            pointTo(self.tab.place(page), *TERMINAL)
            typeKeys(page, text)

        await self.tab.do(act)

    async def complains(self, of: str) -> None:
        """
        Wait until the browser's console holds a complaint with the word C{of}.
        """

        async def look() -> bool:
            # What the browser says is only heard while it is being asked something.
            await self.tab.eval("null")
            return any(of in complaint for complaint in self.tab.complaints)

        await self._bench.untilAsync(look, f"Chromium to complain of {of}")

    async def press(self, button: str) -> None:
        """
        Click the button of this id.
        """
        await self.tab.do(lambda page: page.click(f"#{button}"))

    async def reload(self) -> None:
        """
        Press F5.
        """
        await self.tab.do(lambda page: page.reload())


def typeKeys(page: Page, text: str) -> None:
    """
    Type as a person with a US keyboard does. Playwright alone types a capital without Shift, but a guest that is told
    of keys, and not of characters, needs it.
    """
    for character in text:
        if character in _NEEDS_SHIFT:
            page.keyboard.down("Shift")
        page.keyboard.press("Enter" if character == "\n" else character)
        if character in _NEEDS_SHIFT:
            page.keyboard.up("Shift")
        page.wait_for_timeout(_PACE)


def pointTo(place: Frame, x: int, y: int) -> tuple[float, float]:
    """
    Move the mouse to a point of the console's picture, at whatever scale it is shown; where in the page that is.
    """
    canvas = place.locator(PICTURE)
    box = canvas.bounding_box()
    assert box is not None
    scale = box["width"] / canvas.evaluate("canvas => canvas.width")
    point = box["x"] + x * scale, box["y"] + y * scale
    place.page.mouse.move(*point)
    return point


@dataclass
class World:
    """
    A desktop behind a proxy, and a browser.
    """

    bench: Bench
    desktop: Desktop
    proxy: VNCProxy
    browser: Browser

    async def link(self, **more: Any) -> str:
        """
        An access URL to the desktop; C{more} as in L{VNCProxy.accessURL}.
        """
        return await self.proxy.accessURL(CONSOLE, **more)

    async def newPage(self, **options: Any) -> ConsolePage:
        """
        A page in a browser profile of its own, not yet gone anywhere; C{options} as in L{Browser.newTab}.
        """
        tab = await self.browser.newTab(**options)
        await tab.do(lambda page: page.add_init_script(_DIARY))
        return ConsolePage(self.bench, tab)

    async def openConsole(self, **more: Any) -> ConsolePage:
        """
        A page that shows the desktop; C{more} as in L{VNCProxy.accessURL}.
        """
        page = await self.newPage()
        await page.open(await self.link(**more))
        await page.showsDesktop()
        return page

    async def startAnother(self, port: int) -> Desktop:
        """
        A desktop on a port where none is, or none any more; it takes the same password.
        """
        return await startXvnc(self.bench, password=PASSWORD, port=port)

    async def sessions(self) -> list[dict[str, Any]]:
        """
        The sessions that are up, as the proxy lists them.
        """
        listed: list[dict[str, Any]] = (await self.proxy.mustCall("GET", "/v1/sessions"))["sessions"]
        return listed

    async def hasSessions(self, count: int) -> None:
        """
        Wait until so many sessions are up.
        """

        async def look() -> bool:
            return len(await self.sessions()) == count

        await self.bench.untilAsync(look, f"{count} session(s) to be up")

    async def hasResumed(self) -> None:
        """
        Wait until one session is up, and it is one that was taken up again.
        """

        async def look() -> bool:
            return [each["resumed"] for each in await self.sessions()] == [True]

        await self.bench.untilAsync(look, "the session to be taken up again")


async def openWorld(
    bench: Bench, config: Mapping[str, Section] | None = None, *options: str, home: Path | None = None
) -> World:
    """
    Start it all; the desktop is registered as L{CONSOLE}.

    @param config: of the proxy.
    @param options: of Chromium, on top.
    @param home: of Chromium.
    """
    desktop = await startXvnc(bench, password=PASSWORD)
    proxy = await runVNCProxy(bench, config)
    await proxy.addConsole(CONSOLE, desktop.url, name=NAME, password=PASSWORD)
    return World(bench, desktop, proxy, await startBrowser(bench, *options, home=home))


def throughPort(url: str, port: int, host: str = "127.0.0.1") -> str:
    """
    The same URL at another door.
    """
    return urlsplit(url)._replace(netloc=f"{host}:{port}").geturl()
