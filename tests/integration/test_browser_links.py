"""
What a link is worth in the browser: who may come in with it, who may come back, and what the others are told.
"""

from __future__ import annotations

import secrets
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.consolepage import PASSWORD, openWorld
from tests.integration.peers import Bench
from tests.ports import freePort


class LinkTests(TestCase):
    """
    Links to a desktop.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_oneUse(self) -> None:
        """
        A link for one use is spent by the first browser: a second one is turned away in words, while F5 in the first
        takes its session up again.
        """
        world = await openWorld(self.bench)
        link = await world.link()
        first, second = await world.newPage(), await world.newPage()
        await first.open(link)
        await first.showsDesktop()
        await second.open(link)
        await second.has("refused", "token_used")
        self.assertEqual((await second.words())[0], "This link was already used")
        # Nobody knocks again with a link that is spent.
        self.assertEqual(await second.diary(), ["connecting", "refused token_used"])
        await second.tab.screenshot("refused")

        await first.reload()
        await first.showsDesktop()
        await first.type("again")
        await world.desktop.hasTyped("again")
        await world.hasSessions(1)
        (session,) = await world.sessions()
        self.assertTrue(session["resumed"])
        # Pressed in haste, it counts no less.
        for _ in range(3):
            await first.reload()
        await first.showsDesktop()
        await world.hasSessions(1)
        self.assertEqual(first.tab.complaints, [])

    async def test_refusals(self) -> None:
        """
        A link that cannot be honoured is refused once, in words that say what is wrong with it.
        """
        world = await openWorld(self.bench)
        proxy = world.proxy
        expired = await world.link(ttl=1)
        await proxy.addConsole("other", world.desktop.url)
        revoked = await proxy.accessURL("other")
        await proxy.mustCall("DELETE", "/v1/consoles/other/tokens")
        pinned = await world.link(client_address="192.0.2.7")
        await proxy.addConsole("gone", world.desktop.url)
        gone = await proxy.accessURL("gone")
        await proxy.mustCall("DELETE", "/v1/consoles/gone")
        await proxy.addConsole("locked", world.desktop.url, password="not this")
        locked = await proxy.accessURL("locked")
        page = pinned.partition("?")[0]
        await self.bench.pause(1)
        for url, reason, title in (
            (expired, "token_expired", "This link has expired"),
            (revoked, "token_unknown", "This link is not valid"),
            (f"{page}?token={secrets.token_urlsafe(32)}", "token_unknown", "This link is not valid"),
            (pinned, "token_wrong_address", "This link is for another computer"),
            # Its links went with the console.
            (gone, "token_unknown", "This link is not valid"),
            (locked, "console_refused", "The console refused the connection"),
            (page, "token_missing", "No console link"),
        ):
            visitor = await world.newPage()
            await visitor.open(url)
            await visitor.has("refused", reason)
            told, text = await visitor.words()
            self.assertEqual(told, title)
            self.assertTrue(text.endswith("."))
            self.assertEqual(await visitor.diary(), ["connecting", f"refused {reason}"])
            # noVNC itself notes a refusal there.
            self.assertNotIn("Content Security Policy", "".join(visitor.tab.complaints))
            await visitor.tab.close()
        self.assertEqual(await world.sessions(), [])

    async def test_consoleOff(self) -> None:
        """
        A link to a machine that is off is not spent on that: the page says so, and shows the console once it is there.
        """
        world = await openWorld(self.bench)
        port = freePort()
        await world.proxy.addConsole("off", f"vnc://127.0.0.1:{port}", password=PASSWORD)
        page = await world.newPage()
        await page.open(await world.proxy.accessURL("off"))
        await page.has("reconnecting", "console_unreachable")
        self.assertEqual((await page.words())[0], "The console cannot be reached")
        await page.tab.screenshot("off")
        await world.startAnother(port)
        await page.showsDesktop()
        self.assertEqual(await page.diary(), ["connecting", "reconnecting console_unreachable", "connected"])

    async def test_formsOfLinks(self) -> None:
        """
        Links in the forms that noVNC's pages and nova's dashboards have made open the console too, and so does one that
        no server gets to see.
        """
        world = await openWorld(self.bench)
        link = await world.link(uses=0)
        base, _, token = link.partition("/vnc_auto.html?token=")
        page = await world.newPage()
        for form in (
            f"vnc_auto.html?path=%3Ftoken%3D{token}",
            f"vnc.html?path=websockify%3Ftoken%3D{token}&autoconnect=true",
            f"vnc_lite.html?path=websockify/?token={token}",
            f"#token={token}",
        ):
            await page.open(f"{base}/{form}")
            await page.showsDesktop()
            self.assertNotIn(token, await page.tab.eval("location.href"))
        cookie: Any = {"name": "token", "value": token, "url": base}
        visitor = await world.newPage()
        await visitor.tab.do(lambda each: each.context.add_cookies([cookie]))
        await visitor.open(f"{base}/vnc_auto.html")
        await visitor.showsDesktop()
        self.assertEqual(page.tab.complaints + visitor.tab.complaints, [])
