"""
Keys with rights and the audit trail, with the real proxy: over its API, its consoleauth port and its log.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.trial.unittest import TestCase

from tests.integration.peers import (
    Bench,
    Refused,
    VNCProxy,
    WebSocketEndpoint,
    connectRFB,
    runVNCProxy,
    startScripted,
)
from tests.integration.peers.rfb import Incoming


class RightsTests(TestCase):
    """
    A proxy with consoles of two customers.
    """

    async def start(self) -> VNCProxy:
        """
        Start it.
        """
        self.bench = Bench(self)
        self.proxy = await runVNCProxy(self.bench, {})
        console = startScripted(self.bench)
        for consoleID in ("red-1", "blue-1"):
            await self.proxy.addConsole(consoleID, console.url)
        return self.proxy

    async def key(self, name: str, role: str, consoles: str | None = None) -> str:
        """
        A new key's secret.
        """
        wish = {"name": name, "role": role, **({"consoles": consoles} if consoles else {})}
        secret = str((await self.proxy.mustCall("POST", "/v1/keys", wish))["key"])
        self.proxy.secrets.add(secret)
        return secret

    def lines(self) -> list[dict[str, Any]]:
        """
        The audit trail's lines in the log.
        """
        found = [line.partition("[audit#info] ")[2] for line in self.proxy.log().splitlines()]
        return [json.loads(line) for line in found if line]

    async def test_sessionOfAPortal(self) -> None:
        """
        A portal opens its customer's console and no other one; the whole way stands in the trail and in the log, with
        the portal's name, also after a restart.
        """
        proxy = await self.start()
        portal = await self.key("portal", "issuer", "red-*")
        self.assertEqual((await proxy.call("POST", "/v1/consoles/blue-1/access", {}, key=portal))[0], 404)
        self.assertEqual((await proxy.call("DELETE", "/v1/consoles/red-1", key=portal))[0], 403)
        status, access = await proxy.call("POST", "/v1/consoles/red-1/access", {}, key=portal)
        self.assertEqual(status, 201)
        socket = WebSocketEndpoint(self.bench, access["url"])
        viewer = await connectRFB(self.bench, socket)
        (session,) = (await proxy.mustCall("GET", "/v1/sessions"))["sessions"]
        self.assertEqual(session["owner"], "portal")
        self.assertEqual((await proxy.call("GET", "/v1/sessions", key=portal))[0], 403)
        await viewer.close()
        await self.bench.until(lambda: [line for line in self.lines() if line["event"] == "ended"] or None, "the end")
        with self.assertRaises(Refused):
            await connectRFB(self.bench, WebSocketEndpoint(self.bench, access["url"]))
        page = await proxy.mustCall("GET", "/v1/audit?console=red-1&limit=4")
        told = [(each["event"], each.get("key"), each.get("client")) for each in reversed(page["entries"])]
        self.assertEqual(
            told,
            [
                ("console_defined", "api.key", "127.0.0.1"),
                ("token_minted", "portal", "127.0.0.1"),
                ("opened", "portal", "127.0.0.1"),
                ("ended", "portal", "127.0.0.1"),
            ],
        )
        ended = page["entries"][0]
        self.assertEqual((ended["session"], ended["token"]), (session["id"], session["token"]))
        self.assertEqual(ended["reason"], "viewer_closed")
        everything = (await proxy.mustCall("GET", "/v1/audit"))["entries"]
        self.assertEqual((everything[0]["event"], everything[0]["reason"]), ("refused", "token_used"))
        self.assertEqual([line["id"] for line in self.lines()], [each["id"] for each in reversed(everything)])
        await proxy.restart()
        self.assertEqual((await proxy.mustCall("GET", "/v1/audit"))["entries"], everything)
        self.assertEqual((await proxy.call("GET", "/v1/consoles", key=portal))[1]["consoles"][0]["id"], "red-1")
        listed = {each["name"]: each["last_used"] for each in (await proxy.mustCall("GET", "/v1/keys"))["keys"]}
        self.assertIsNotNone(listed["portal"])

    async def test_removed(self) -> None:
        """
        A key is taken at the API and at the consoleauth port alike, and is good for nothing from the moment on that it
        is removed.
        """
        proxy = await self.start()
        secret = await self.key("second", "admin")
        self.assertEqual((await proxy.call("GET", "/v1/keys", key=secret))[0], 200)
        self.assertIn("result", await self.authenticate(secret))
        await proxy.mustCall("DELETE", "/v1/keys/second")
        self.assertEqual((await proxy.call("GET", "/v1/keys", key=secret))[0], 401)
        self.assertIn("error", await self.authenticate(secret))

    async def authenticate(self, secret: str) -> Any:
        """
        What consoleauth answers to a key.
        """
        where = HostnameEndpoint(self.bench.reactor, "127.0.0.1", self.proxy.port("consoleauth"))
        wire = Incoming()
        await self.bench.within(5, connectProtocol(where, wire), "the connection")
        assert wire.transport is not None
        request = {"jsonrpc": "2.0", "id": 1, "method": "authenticate", "params": {"key": secret}}
        wire.transport.write(json.dumps(request).encode() + b"\n")
        answer = json.loads(await self.bench.within(5, wire.readTo(b"\n"), "the answer"))
        wire.transport.loseConnection()
        await self.bench.within(5, wire.end(), "the end")
        return answer
