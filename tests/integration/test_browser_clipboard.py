"""
Consoles whose clipboard may not leave them, in the browser: everything else is as ever.
"""

from __future__ import annotations

from playwright.sync_api import Page
from twisted.trial.unittest import TestCase

from tests.integration.consolepage import FIRST_LINE, ConsolePage, openWorld, pointTo, typeKeys
from tests.integration.peers import Bench, runVNCProxy, startBrowser, startQEMU
from tests.integration.peers.xvnc import TERMINAL


class ClosedClipboardTests(TestCase):
    """
    The real page and real servers, with the proxy reading along.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_Xvnc(self) -> None:
        """
        A desktop is seen, moves and hears keys; a text goes to its clipboard, and what is marked there does not come
        back.
        """
        world = await openWorld(self.bench, {"limits": {"clipboard": "to-console"}})
        page = await world.openConsole()
        await page.moves()

        def paste(tab: Page) -> None:
            tab.click("#open-clip")
            tab.fill("#clip-text", "pasted")
            tab.click("#clip-send")
            tab.click("#clip .close")
            tab.mouse.click(*pointTo(tab.main_frame, *TERMINAL), button="middle")

        await page.tab.do(paste)
        await world.desktop.hasTyped("pasted")
        x, y, _width, height = FIRST_LINE
        await page.tab.do(lambda tab: tab.mouse.dblclick(*pointTo(tab.main_frame, x + 3, y + height // 2)))
        # The desktop has a clipboard now; had it passed, it would be on the page before what comes after it.
        await page.type("after")
        await world.desktop.hasTyped("after")
        await page.moves()
        self.assertEqual(await page.tab.eval("document.getElementById('clip-text').value"), "pasted")
        self.assertEqual(page.tab.complaints, [])
        self.assertEqual(len(await world.sessions()), 1)

    async def test_QEMU(self) -> None:
        """
        A guest is seen and hears keys, also when it starts again and changes the size of its screen.
        """
        guest = await startQEMU(self.bench)
        proxy = await runVNCProxy(self.bench, {"limits": {"clipboard": "none"}})
        await proxy.addConsole("guest", guest.url)
        tab = await (await startBrowser(self.bench)).newTab()
        page = ConsolePage(self.bench, tab)
        await page.open(await proxy.accessURL("guest"))
        await page.has("connected")
        await tab.do(lambda each: typeKeys(each, "Typed"))
        await guest.hasTyped("Typed")
        line = (await guest.text()).count("\n")
        await page.hasInk(20, 0, 16 * line, 9 * 5, 16)
        await page.press("ctrl-alt-del")

        async def startsAgain() -> bool:
            return "Typed" not in await guest.text()

        await self.bench.untilAsync(startsAgain, "the guest to start again")
        await guest.hasTyped("Booting from Floppy...")
        await tab.do(lambda each: typeKeys(each, "Again"))
        await guest.hasTyped("Again")
        (session,) = (await proxy.mustCall("GET", "/v1/sessions"))["sessions"]
        self.assertFalse(session["resumed"], "it is the session that was opened first")
        self.assertEqual(tab.complaints, [])
