"""
A live console in the browser: our page in Chromium, in front of real servers.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page
from twisted.trial.unittest import TestCase

from tests.integration.consolepage import CONSOLE, FIRST_LINE, NAME, PICTURE, ConsolePage, openWorld, pointTo, typeKeys
from tests.integration.peers import Bench, runVNCProxy, startBrowser, startQEMU, startXvnc
from tests.integration.peers.xvnc import TERMINAL


class DesktopTests(TestCase):
    """
    Consoles on Xvnc.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_securityNoneAndVNCAuth(self) -> None:
        """
        A desktop without security and one behind a password look alike: pixels arrive, and the keyboard is the
        console's without a click.
        """
        world = await openWorld(self.bench)
        bare = await startXvnc(self.bench)
        await world.proxy.addConsole("bare", bare.url)
        for console, desktop in ((CONSOLE, world.desktop), ("bare", bare)):
            page = await world.newPage()
            await page.open(await world.proxy.accessURL(console))
            await page.showsDesktop()
            await page.type("Hello, World! ~{}|\\ 42\n")
            await desktop.hasTyped("Hello, World! ~{}|\\ 42\n")
            (session,) = await world.sessions()
            self.assertEqual((session["console"], session["frontend"]), (console, "web"))
            self.assertGreater(session["bytes_in"], 0)
            self.assertGreater(session["bytes_out"], 800 * 600 // 100)
            # A breach of the page's Content-Security-Policy would stand here too.
            self.assertEqual(page.tab.complaints, [])
            await page.tab.close()
            await world.hasSessions(0)

    async def test_surroundings(self) -> None:
        """
        What moves on the desktop moves in the page; the page wears the console's name, and its address shows no token;
        the keyboard finds the way from the console to the toolbar.
        """
        world = await openWorld(self.bench)
        page = await world.openConsole()
        await page.moves()
        self.assertEqual(await page.tab.eval("document.title"), f"{NAME} – console")
        self.assertEqual(await page.tab.eval("document.getElementById('name').innerText"), NAME)
        self.assertNotIn("token", await page.tab.eval("location.href"))
        self.assertEqual(await page.tab.do(_wayOut), "Ctrl+Alt+Del")

    async def test_tools(self) -> None:
        """
        A text is typed into the console from the panel for it; hanging up ends the session, and connecting again opens
        it anew with a link that may be used often.
        """
        world = await openWorld(self.bench)
        page = await world.openConsole(uses=0)

        def typeText(tab: Page) -> None:
            pointTo(tab.main_frame, *TERMINAL)
            tab.click("#open-type")
            tab.fill("#type-text", "pasted: A$b")
            tab.check("#type-enter")
            # The pointer has to be where the keys shall go: the desktop has no window manager.
            pointTo(tab.main_frame, *TERMINAL)
            tab.locator("#type-go").press("Enter")

        await page.tab.do(typeText)
        await world.desktop.hasTyped("pasted: A$b\n")
        await page.press("hangup")
        await page.has("disconnected", "viewer_closed")
        await world.hasSessions(0)
        self.assertEqual((await page.words())[0], "Disconnected")
        await page.press("notice-go")
        await page.showsDesktop()
        self.assertEqual(page.tab.complaints, [])

    async def test_clipboard(self) -> None:
        """
        A text goes to the console's clipboard, where the middle button pastes it, and what is marked there comes back.
        """
        world = await openWorld(self.bench)
        page = await world.openConsole()

        def paste(tab: Page) -> None:
            tab.click("#open-clip")
            tab.fill("#clip-text", "pasted")
            tab.click("#clip-send")
            tab.click("#clip .close")
            tab.mouse.click(*pointTo(tab.main_frame, *TERMINAL), button="middle")

        await page.tab.do(paste)
        await world.desktop.hasTyped("pasted")
        x, y, _width, height = FIRST_LINE

        def mark(tab: Page) -> None:
            tab.mouse.dblclick(*pointTo(tab.main_frame, x + 3, y + height // 2))

        async def look() -> bool:
            await page.tab.do(mark)
            # Clicks that follow each other at once would count as three.
            await self.bench.pause(0.4)
            # The terminal shows the text twice: as it was typed, and as the program in it repeats it.
            return sorted(await page.tab.eval("document.getElementById('clip-text').value")) == sorted("pasted" * 2)

        await self.bench.untilAsync(look, "the text that is marked on the desktop")
        self.assertEqual(page.tab.complaints, [])

    async def test_phone(self) -> None:
        """
        On a phone a tap is a click there where the finger is, and the phone's own keyboard types into the console.
        """
        world = await openWorld(self.bench)
        page = await world.newPage(width=390, height=844, has_touch=True, is_mobile=True)
        await page.open(await world.link())
        await page.showsDesktop()

        def typeSoftly(tab: Page) -> None:
            canvas = tab.locator(PICTURE).bounding_box()
            assert canvas is not None
            scale = canvas["width"] / 800
            tab.touchscreen.tap(canvas["x"] + TERMINAL[0] * scale, canvas["y"] + TERMINAL[1] * scale)
            tab.tap("#softkeys")
            # As phones do it, which name no keys.
            for text in ("Tapped", " it"):
                tab.keyboard.insert_text(text)

        await page.tab.do(typeSoftly)
        await world.desktop.hasTyped("Tapped it")
        self.assertEqual(page.tab.complaints, [])

    async def test_viewOnly(self) -> None:
        """
        With a view-only link the picture is live, and what a page sends that believes that it may type is dropped on
        the way. The page of the link as it was given knows better: it says so, and sends nothing.
        """
        world = await openWorld(self.bench)
        link = await world.link(view_only=True, uses=2)
        watchers = [await world.newPage(), await world.newPage()]
        keysSent = []
        for watcher, url in zip(watchers, (link, link.replace("&view_only=true", "")), strict=True):
            await watcher.open(url)
            await watcher.showsDesktop()
            before = await watcher.sent()
            await watcher.type("forbidden")
            keysSent.append(await watcher.sent() - before >= 2 * len("forbidden"))
        self.assertEqual(keysSent, [False, True])
        # Typed later by one who may: the other would stand before it.
        writer = await world.openConsole()
        blank = [await watcher.ink(*FIRST_LINE) for watcher in watchers]
        await writer.type("allowed")
        await world.desktop.hasTyped("allowed")
        self.assertEqual(world.desktop.typed(), "allowed")
        for watcher, ink in zip(watchers, blank, strict=True):
            await watcher.hasInk(ink + 40, *FIRST_LINE)
        self.assertEqual([each["view_only"] for each in await world.sessions()], [True, True, False])
        self.assertEqual(await watchers[0].tab.do(_tools), ["view-only", "shot"])
        self.assertEqual(await writer.tab.do(_tools), ["ctrl-alt-del", "open-keys", "open-type", "shot"])
        self.assertEqual([page.tab.complaints for page in (*watchers, writer)], [[], [], []])


class GuestTests(TestCase):
    """
    Consoles on QEMU.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_echo(self) -> None:
        """
        A guest that writes what is typed shows it in its memory and in the page, also when it
        is reached through a UNIX socket. The button for Ctrl+Alt+Del makes it start again.
        """
        guest = await startQEMU(self.bench, unix=True, password=True)
        await guest.setPassword("guest-pw")
        proxy = await runVNCProxy(self.bench)
        await proxy.addConsole("guest", guest.url, name="Guest", password="guest-pw")
        url = await proxy.accessURL("guest")
        self.assertEqual(list(parse_qs(urlsplit(url).query)), ["token"])
        tab = await (await startBrowser(self.bench)).newTab()
        page = ConsolePage(self.bench, tab)
        await page.open(url)
        await page.has("connected")
        await tab.do(lambda each: typeKeys(each, "Typed in Chromium"))
        await guest.hasTyped("Typed in Chromium")
        # Its letters are 9 pixels wide and 16 high.
        line = (await guest.text()).count("\n")
        await page.hasInk(200, 0, 16 * line, 9 * 18, 16)
        await page.press("ctrl-alt-del")

        async def startsAgain() -> bool:
            return "Typed" not in await guest.text()

        await self.bench.untilAsync(startsAgain, "the guest to start again")
        self.assertEqual(tab.complaints, [])


def _wayOut(page: Page) -> str:
    for key in ("Control", "Alt", "Shift"):
        page.keyboard.down(key)
    for key in ("Shift", "Alt", "Control"):
        page.keyboard.up(key)
    found: str = page.evaluate("document.activeElement.innerText")
    return found


def _tools(page: Page) -> list[str]:
    ids = ("view-only", "ctrl-alt-del", "open-keys", "open-type", "shot")
    return [each for each in ids if page.is_visible(f"#{each}")]
