"""
CloudStack's C{cs} client, unchanged, opens consoles through our API.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.peers import Bench, WebSocketEndpoint, connectRFB, runVNCProxy, startScripted
from tests.integration.peers.clouds import runCS

KEY, SECRET = "key-of-the-cloud", "sesame-sesame-sesame"


class ClientTests(TestCase):
    """
    C{cs createConsoleEndpoint} and C{cs listConsoleSessions}.
    """

    async def start(self) -> None:
        """
        A proxy with one console.
        """
        self.bench = Bench(self)
        path = self.bench.path("cloudstack.keys")
        path.touch(mode=0o600)
        path.write_text(f"# key secret\n{KEY} {SECRET}\n")
        self.proxy = await runVNCProxy(self.bench, {"cloudstack": {"keys_file": str(path)}})
        self.proxy.secrets.add(SECRET)
        await self.proxy.addConsole("vm-1", startScripted(self.bench).url, name="web-1")

    async def cs(self, *words: str, secret: str = SECRET, method: str = "get") -> tuple[int, Any]:
        """
        Run the client: its exit status, and the JSON that it printed.
        """
        endpoint = f"{self.proxy.endpoints['api'][0]}/client/api"
        status, said = await runCS(self.bench, endpoint, KEY, secret, *words, method=method)
        return status, json.loads(said[said.index("{") : said.rindex("}") + 1])

    async def test_endpoint(self) -> None:
        """
        The endpoint opens the console, asked for in either way; both its URL and its parts do. The session is listed.
        """
        await self.start()
        viewers = []
        for method in ("get", "post"):
            status, said = await self.cs("createConsoleEndpoint", "virtualmachineid=vm-1", method=method)
            self.assertEqual((status, said["consoleendpoint"]["success"]), (0, True))
            endpoint = said["consoleendpoint"]
            parts = endpoint["websocket"]
            self.proxy.secrets.add(parts["token"])
            url = f"http://{parts['host']}:{parts['port']}/{parts['path']}?token={parts['token']}"
            socket = WebSocketEndpoint(self.bench, endpoint["url"] if method == "get" else url)
            viewers.append(await connectRFB(self.bench, socket))
        self.assertEqual([viewer.name for viewer in viewers], ["web-1", "web-1"])
        status, said = await self.cs("listConsoleSessions", "virtualmachineid=vm-1")
        self.assertEqual((status, said["count"]), (0, 2))
        for session in said["consolesession"]:
            self.assertEqual((session["virtualmachineid"], session["clientaddress"]), ("vm-1", "127.0.0.1"))

    async def test_refused(self) -> None:
        """
        The client shows what is wrong with a request.
        """
        await self.start()
        for words, secret, code in (
            (("virtualmachineid=vm-1",), "another-another-another", 401),
            (("virtualmachineid=vm-2",), SECRET, 431),
            (("virtualmachineid=vm-1", "token=abc"), SECRET, 431),
        ):
            status, said = await self.cs("createConsoleEndpoint", *words, secret=secret)
            self.assertEqual((status, said["createconsoleendpointresponse"]["errorcode"]), (1, code))
