"""
A console that comes back by itself, and one that stays away: our page when something in the middle breaks.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.integration.consolepage import CONSOLE, openWorld, throughPort
from tests.integration.peers import Bench, startCable


class ReconnectTests(TestCase):
    """
    A page in front of a desktop, each opened with a link for one use.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_networkCut(self) -> None:
        """
        When the network is gone the page keeps the last picture and says what is up; when the network is back so is the
        console, with the session taken up again.
        """
        world = await openWorld(self.bench)
        cable = await startCable(self.bench, world.proxy.port("web"))
        page = await world.newPage()
        await page.open(throughPort(await world.link(), cable.port))
        await page.showsDesktop()
        await page.type("before")
        await world.desktop.hasTyped("before")

        await cable.unplug()
        await page.has("reconnecting", "proxy_unreachable")
        self.assertEqual(
            await page.diary(),
            ["connecting", "connected", "reconnecting network_lost", "reconnecting proxy_unreachable"],
        )
        self.assertEqual((await page.words())[0], "The console service cannot be reached")
        self.assertEqual(await page.tab.do(lambda each: each.is_visible("#snapshot")), True)
        await page.tab.screenshot("reconnecting")
        await world.hasSessions(0)

        await cable.plug()
        await page.press("notice-go")
        await page.showsDesktop()
        await page.type("after")
        await world.desktop.hasTyped("beforeafter")
        (session,) = await world.sessions()
        self.assertTrue(session["resumed"])

    async def test_silence(self) -> None:
        """
        Of a network that swallows everything nobody is told. The proxy finds out by its heartbeat, the page when the
        browser says that the network has changed.
        """
        world = await openWorld(self.bench, {"web": {"heartbeat": 1}})
        cable = await startCable(self.bench, world.proxy.port("web"))
        page = await world.newPage()
        await page.open(throughPort(await world.link(), cable.port))
        await page.showsDesktop()
        cable.freeze()
        await page.tab.eval("window.dispatchEvent(new Event('online'))")
        await world.hasSessions(0)
        await page.has("reconnecting", "network_lost")
        cable.thaw()
        await page.showsDesktop()
        self.assertEqual(await page.diary(), ["connecting", "connected", "reconnecting network_lost", "connected"])

    async def test_operator(self) -> None:
        """
        A session that an operator ended stays ended: the page says so and does not knock again, and its link is spent.
        """
        world = await openWorld(self.bench)
        page = await world.openConsole()
        (session,) = await world.sessions()
        await world.proxy.mustCall("DELETE", f"/v1/sessions/{session['id']}")
        await page.has("ended", "ended_by_operator")
        self.assertEqual((await page.words())[0], "Session ended")
        await page.tab.screenshot("ended")
        # A page that meant to come back would do so within 0.5 s.
        await self.bench.pause(1.5)
        self.assertEqual(await page.diary(), ["connecting", "connected", "ended ended_by_operator"])
        await page.press("notice-go")
        await page.has("refused", "token_used")
        self.assertEqual((await page.words())[0], "This session cannot be resumed")
        await page.reload()
        await page.has("refused", "token_used")
        self.assertEqual(await world.sessions(), [])

    async def test_consoleDies(self) -> None:
        """
        The console of a machine that crashed comes back when the machine does.
        """
        world = await openWorld(self.bench)
        page = await world.openConsole()
        await world.desktop.program.kill()
        await page.has("reconnecting", "console_unreachable")
        self.assertIn((await page.diary())[2], ("reconnecting console_closed", "reconnecting console_lost"))
        again = await world.startAnother(world.desktop.port)
        await page.showsDesktop()
        await page.type("awake")
        await again.hasTyped("awake")
        (session,) = await world.sessions()
        self.assertEqual((session["console"], session["resumed"]), (CONSOLE, True))

    async def test_proxyRestarts(self) -> None:
        """
        The console comes back when the proxy was restarted, and when it crashed.
        """
        world = await openWorld(self.bench)
        page = await world.openConsole()
        for crash in (False, True):
            await world.proxy.restart(crash)
            await page.showsDesktop()
            await page.type("restarted")
            await world.desktop.hasTyped("restarted" * (crash + 1))
            (session,) = await world.sessions()
            self.assertTrue(session["resumed"])
        diary = [line for line in await page.diary() if line != "reconnecting proxy_unreachable"]
        self.assertEqual(
            diary,
            ["connecting", "connected", "reconnecting draining", "connected", "reconnecting network_lost", "connected"],
        )
