"""
Chromium, driven through Playwright.

Playwright's calls block, so they run in a thread of their own while the reactor turns: a test hands over a function of
the page and waits for what it returns. Each call within is bounded by Playwright's own timeout, so the thread always
comes back.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Frame, Page, sync_playwright
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from tests.integration.peers.bench import Bench

T = TypeVar("T")

# Root runs it here, where its sandbox refuses to; the rest keeps it from calling anybody by itself.
_OPTIONS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# The pixels are read from a copy that is made for it: Chromium warns of a page that reads its own canvas often.
_PIXELS: Final = """(() => {
    const source = document.querySelector("%s");
    const copy = new OffscreenCanvas(%d, %d).getContext("2d", { willReadFrequently: true });
    copy.drawImage(source, -%d, -%d);
    return [...copy.getImageData(0, 0, %d, %d).data];
})()"""
# Of each step within a call, in seconds.
_STEP: Final = 15.0


class Tab:
    """
    A page in a browser profile of its own: it shares no cookies with other tabs.

    @ivar complaints: what the page said on its console as warnings and errors (breaches of its CSP among them), and
        exceptions that nobody caught.
    @ivar frame: a CSS selector of the C{iframe} in which scripts are evaluated; empty for the page itself.
    """

    def __init__(self, browser: Browser, page: Page) -> None:
        self._browser = browser
        self._page = page
        self.complaints: list[str] = []
        self.frame = ""
        page.on("console", self._noteConsole)
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))

    def _noteConsole(self, message: ConsoleMessage) -> None:
        if message.type in ("warning", "error"):
            self.complaints.append(f"{message.type}: {message.text}")

    async def do(self, act: Callable[[Page], T]) -> T:
        """
        What C{act} returns of the page; it runs in the browser's thread and must touch nothing else of the test.
        """
        return await self._browser.inThread(act, self._page)

    async def open(self, url: str) -> int:
        """
        Go to C{url}; the HTTP status of the answer, 0 where HTTP was not asked.
        """

        def go(page: Page) -> int:
            response = page.goto(url)
            return response.status if response is not None else 0

        return await self.do(go)

    async def eval(self, script: str) -> Any:
        """
        The value of a JavaScript expression in the page.
        """
        return await self.do(lambda page: self.place(page).evaluate(script))

    def place(self, page: Page) -> Frame:
        """
        What of the page is meant: the one frame, or all of it. For functions that L{do} runs.
        """
        if not self.frame:
            return page.main_frame
        element = page.wait_for_selector(self.frame, state="attached")
        frame = element.content_frame() if element is not None else None
        if frame is None:
            raise AssertionError(f"{self.frame} is no frame")
        return frame

    async def hasState(self, state: str, timeout: float = 15.0) -> None:
        """
        Wait until our page says that it is in C{state} (C{data-state} of its root element).
        """
        selector = f'html[data-state="{state}"]'
        await self.do(lambda page: page.wait_for_selector(selector, state="attached", timeout=1000 * timeout))

    async def canvasHash(self, canvas: str = "canvas") -> str:
        """
        A hash of the pixels of the first element that the CSS selector C{canvas} finds: two that differ show that the
        picture moved.
        """
        url = await self.eval(f"document.querySelector('{canvas}').toDataURL()")
        return hashlib.sha256(url.encode()).hexdigest()

    async def canvasPixel(self, x: int, y: int, canvas: str = "canvas") -> tuple[int, int, int]:
        """
        The colour of one pixel of the first element that the CSS selector C{canvas} finds, in its own coordinates.
        """
        pixel = await self.canvasPixels(x, y, 1, 1, canvas)
        return pixel[0], pixel[1], pixel[2]

    async def canvasPixels(self, x: int, y: int, width: int, height: int, canvas: str = "canvas") -> bytes:
        """
        A part of the first element that the CSS selector C{canvas} finds, in its own coordinates: four bytes a pixel,
        red, green, blue and opacity, row by row from the top.
        """
        values: list[int] = await self.eval(_PIXELS % (canvas, width, height, x, y, width, height))
        return bytes(values)

    async def screenshot(self, name: str) -> bytes:
        """
        The page as PNG; kept beside the logs as C{NAME.png} too.
        """
        png = await self.do(lambda page: page.screenshot())
        (self._browser.bench.logs / f"{name}.png").write_bytes(png)
        return png

    async def close(self) -> None:
        """
        Close it as a person would, together with its profile.
        """
        await self.do(lambda page: page.context.close())


class Browser:
    """
    A browser that runs.
    """

    def __init__(self, bench: Bench, pool: ThreadPool) -> None:
        self.bench = bench
        self._pool = pool
        self._playwright: Any = None
        self._chromium: Chromium | None = None

    async def newTab(self, width: int = 1280, height: int = 800, **options: Any) -> Tab:
        """
        A tab on an empty page.

        @param options: of the browser profile (Playwright's C{new_context}): C{has_touch}, C{color_scheme} …
        """

        def make(chromium: Chromium) -> Page:
            options.setdefault("ignore_https_errors", True)
            context = chromium.new_context(viewport={"width": width, "height": height}, **options)
            context.set_default_timeout(1000 * _STEP)
            return context.new_page()

        return Tab(self, await self.inThread(make, self._chromium))

    async def inThread(self, act: Callable[..., T], *arguments: Any) -> T:
        """
        What C{act} returns; it runs in the one thread that may talk to the browser.
        """
        running = deferToThreadPool(self.bench.reactor, self._pool, act, *arguments)
        return await self.bench.within(4 * _STEP, running, "the browser")

    async def start(self, options: tuple[str, ...], home: Path | None) -> None:
        """
        Launch it.
        """
        env: dict[str, str | float | bool] = {**os.environ, "HOME": str(home or self.bench.directory)}

        def launch() -> None:
            self._playwright = sync_playwright().start()
            self._chromium = self._playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=[*_OPTIONS, *options], env=env, timeout=1000 * _STEP
            )

        await self.inThread(launch)

    async def stop(self) -> None:
        """
        Close it and everything that it started.
        """

        def close() -> None:
            if self._chromium is not None:
                self._chromium.close()
            if self._playwright is not None:
                self._playwright.stop()

        try:
            await self.inThread(close)
        finally:
            self._pool.stop()


async def startBrowser(bench: Bench, *options: str, home: Path | None = None) -> Browser:
    """
    Start Chromium.

    @param options: of Chromium, on top.
    @param home: its home directory; an empty one by default.
    """
    pool = ThreadPool(1, 1, name="browser")
    pool.start()
    browser = Browser(bench, pool)
    bench.atEnd(browser.stop)
    await browser.start(options, home)
    return browser
