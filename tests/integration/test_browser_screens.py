"""
How our page looks: at the size of a desktop's window, of a dashboard's frame and of a phone. The pictures stay beside
the logs, for people to look at.
"""

from __future__ import annotations

import subprocess
from typing import Any, Final

from twisted.trial.unittest import TestCase

from tests.integration.consolepage import ConsolePage, openWorld
from tests.integration.peers import Bench
from tests.integration.peers.picture import Picture
from tests.integration.peers.xvnc import BACKGROUND

_DESKTOP: Final[dict[str, Any]] = {"width": 1280, "height": 800}
_FRAME: Final[dict[str, Any]] = {"width": 720, "height": 430}
_PHONE: Final[dict[str, Any]] = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}
_SIZES: Final[dict[str, dict[str, Any]]] = {
    "desktop": _DESKTOP,
    "frame": _FRAME,
    "phone": _PHONE,
    "phone-turned": {**_PHONE, "width": 844, "height": 390},
    "desktop-dark": {**_DESKTOP, "color_scheme": "dark"},
}
# What of the page lies outside of its window, or makes it scroll. A panel may scroll by itself.
_OUTSIDE: Final = """(() => {
    const root = document.documentElement;
    const scrolls = root.scrollWidth > innerWidth || root.scrollHeight > innerHeight ? ["scrolls"] : [];
    const seen = [...document.querySelectorAll("#bar *, #handle, .card *, .panel, #screen canvas")];
    return scrolls.concat(seen.filter((each) => each.checkVisibility({ visibilityProperty: true })).filter((each) => {
        const { left, top, right, bottom } = each.getBoundingClientRect();
        return left < 0 || top < 0 || right > innerWidth + 0.5 || bottom > innerHeight + 0.5;
    }).map((each) => each.id || each.className || each.tagName));
})()"""


class ScreenTests(TestCase):
    """
    The page, in each of the sizes.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def _look(self, page: ConsolePage, name: str) -> Picture:
        """
        Nothing lies outside of the window, whatever is shown.
        """
        png = await page.tab.screenshot(name)
        self.assertEqual(await page.tab.eval(_OUTSIDE), [], name)
        return _decode(png)

    async def test_looks(self) -> None:
        """
        At every size the console fills its place, the toolbar and its panels are all there, and nothing lies outside.
        """
        world = await openWorld(self.bench)
        link = await world.link(uses=0)
        for name, options in _SIZES.items():
            page = await world.newPage(**options)
            await page.open(link)
            await page.showsDesktop()
            picture = await self._look(page, f"{name}-console")
            # It is scaled to fit; a third of it is clock, terminal and seams.
            width, height = options["width"], options["height"]
            fitted = min(width / 800, (height - 60) / 600)
            self.assertGreater(picture.share(BACKGROUND) * width * height, 0.6 * fitted**2 * 800 * 600, name)
            for panel in ("keys", "type", "clip", "view"):
                await _openPanel(page, panel)
                await self._look(page, f"{name}-{panel}")
                await page.press(f"{panel} .close")
            self.assertEqual(page.tab.complaints, [])
            await page.tab.close()

    async def test_refusals(self) -> None:
        """
        So it is with what the page has to say when there is no console.
        """
        world = await openWorld(self.bench)
        link = (await world.link(ttl=1)).replace("?", "?name=Build+server&")
        await self.bench.pause(1)
        for name, options in _SIZES.items():
            page = await world.newPage(**options)
            await page.open(link)
            await page.has("refused", "token_expired")
            await self._look(page, f"{name}-refused")
            await page.tab.close()


async def _openPanel(page: ConsolePage, panel: str) -> None:
    """
    Open a panel as a person would: its button may be behind the handle, and behind the one for more.
    """

    def act(tab: Any) -> None:
        for button in ("#handle", "#more", f"#open-{panel}"):
            if not tab.is_visible(f"#open-{panel}") or button == f"#open-{panel}":
                if tab.is_visible(button):
                    tab.click(button)

    await page.tab.do(act)


def _decode(png: bytes) -> Picture:
    done = subprocess.run(
        ["convert", "png:-", "-depth", "8", "-print", "%w %h\\n", "rgb:-"],
        input=png,
        stdout=subprocess.PIPE,
        check=True,
        timeout=20,
    )
    size, _, rgb = done.stdout.partition(b"\n")
    width, height = map(int, size.split())
    return Picture(width, height, rgb)
