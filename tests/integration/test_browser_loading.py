"""
How our page comes to the browser: what it asks for, how much of it goes over the wire, and what a second visit costs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Page
from twisted.trial.unittest import TestCase

from tests.integration.consolepage import openWorld, throughPort
from tests.integration.peers import Bench, startCable
from vncproxy.frontends.pages import STATIC

# A head, and the framing of its body, in bytes, at most.
_HEAD: Final = 1200


@dataclass
class Answer:
    """
    Something that a page is made of.

    @ivar status: with which the server answered; 0 where it was not asked.
    @ivar size: bytes that came over the wire for it, its head included.
    """

    url: str = ""
    kind: str = ""
    encoding: str = ""
    status: int = 0
    size: int = 0


class Recorder:
    """
    Notes what a page is made of, other than data that it holds itself.
    """

    def __init__(self, page: Page) -> None:
        self._answers: defaultdict[str, Answer] = defaultdict(Answer)
        session = page.context.new_cdp_session(page)
        session.on("Network.responseReceived", self._received)
        session.on("Network.responseReceivedExtraInfo", self._answered)
        session.on("Network.loadingFinished", self._finished)
        session.send("Network.enable")

    def _received(self, event: Mapping[str, Any]) -> None:
        answer, response = self._answers[event["requestId"]], event["response"]
        headers = {name.lower(): value for name, value in response["headers"].items()}
        answer.url = response["url"]
        answer.kind = response["mimeType"].partition("/")[2]
        answer.encoding = headers.get("content-encoding", "")

    def _answered(self, event: Mapping[str, Any]) -> None:
        # What the server said, where the other event tells what the cache made of it.
        self._answers[event["requestId"]].status = event["statusCode"]

    def _finished(self, event: Mapping[str, Any]) -> None:
        self._answers[event["requestId"]].size = int(event["encodedDataLength"])

    def take(self) -> list[Answer]:
        """
        What came since it was last asked.
        """
        taken = [answer for answer in self._answers.values() if answer.url and not answer.url.startswith("data:")]
        self._answers.clear()
        return taken


class LoadingTests(TestCase):
    """
    A console that is opened, and opened again.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_visits(self) -> None:
        """
        A first visit takes a page, a stylesheet and a script, each in its smallest form, and nothing else from
        anywhere. Another link takes the page alone; a reload asks only whether that has changed.
        """
        world = await openWorld(self.bench)
        cable = await startCable(self.bench, world.proxy.port("web"))
        page = await world.newPage()
        recorder = await page.tab.do(Recorder)

        await page.open(throughPort(await world.link(), cable.port))
        await page.showsDesktop()
        first = recorder.take()
        self.assertEqual(sorted(answer.kind for answer in first), ["css", "html", "javascript"])
        for answer in first:
            self.assertEqual((answer.status, answer.encoding), (200, "br"))
            smallest = STATIC / f"{urlsplit(answer.url).path.removeprefix('/')}.br"
            self.assertLess(answer.size, smallest.stat().st_size + _HEAD)
        # Two connections for what the page is made of, one for the console.
        self.assertLessEqual(len(cable.ends) // 2, 3)

        await page.open(throughPort(await world.link(), cable.port))
        await page.showsDesktop()
        self.assertEqual(_statuses(recorder.take()), {"html": 200, "css": 0, "javascript": 0})

        # The first reload is the first without the token in the page's address.
        for status in (200, 304):
            await page.reload()
            await page.showsDesktop()
            self.assertEqual(_statuses(recorder.take()), {"html": status, "css": 0, "javascript": 0})
        self.assertEqual(page.tab.complaints, [])


def _statuses(answers: list[Answer]) -> dict[str, int]:
    return {answer.kind: answer.status for answer in answers}
