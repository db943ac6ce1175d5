"""
Rules on sessions, and who viewers are behind load balancers, seen with the real proxy over sockets.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.peers import (
    Bench,
    Refused,
    RFBViewer,
    VNCProxy,
    WebSocketEndpoint,
    connectRFB,
    endpointOf,
    originForm,
    runVNCProxy,
    startScripted,
    tell,
    tokenOf,
)

CLIENT = "198.51.100.1"
FRONT = {"trusted_proxies": ["127.0.0.0/8"]}
LINE = f"PROXY TCP4 {CLIENT} 192.0.2.1 50000 6080\r\n".encode()
BINARY = (
    bytes.fromhex("0d0a0d0a000d0a515549540a 2111")
    + struct.pack("!H", 12 + 4)
    + ip_address(CLIENT).packed
    + ip_address("192.0.2.1").packed
    + struct.pack("!HH", 50000, 6080)
    # An extension that says nothing (PP2_TYPE_NOOP).
    + b"\x04\0\x01x"
)


class RulesTestCase(TestCase):
    """
    A proxy with a console.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def start(self, config: dict[str, Any], arguments: Sequence[str] = ()) -> VNCProxy:
        """
        Start the proxy, and define a console.
        """
        self.console = startScripted(self.bench)
        self.proxy = await runVNCProxy(self.bench, config, arguments=arguments)
        await self.proxy.addConsole("vm", self.console.url)
        return self.proxy

    async def open(self, **how: Any) -> tuple[WebSocketEndpoint, RFBViewer]:
        """
        A viewer of the console that is in.
        """
        socket = WebSocketEndpoint(self.bench, await self.proxy.accessURL("vm"), **how)
        return socket, await connectRFB(self.bench, socket)

    async def clients(self) -> list[str]:
        """
        The addresses of the viewers that are in.
        """
        sessions = (await self.proxy.mustCall("GET", "/v1/sessions"))["sessions"]
        return [session["client"] for session in sessions]


class SessionTests(RulesTestCase):
    """
    Tests for sessions that a rule ends.
    """

    async def test_takeover(self) -> None:
        """
        Whoever opens a console takes it over: the one before is told so, and has no connection to it any more.
        """
        await self.start({"limits": {"sharing": "takeover"}})
        first, _ = await self.open()
        second, viewer = await self.open()
        self.assertEqual(await first.closed(), (1000, "taken_over"))
        before, after = self.console.protocols
        await self.bench.until(lambda: before.over, "the first connection to the console to end")
        viewer.key(0x61, True)
        await self.bench.until(lambda: after.heard.endswith(b"\x04\x01\0\0\0\0\0a"), "the second viewer's key")
        self.assertEqual((second.over, len(await self.clients())), (False, 1))

    async def test_refuse(self) -> None:
        """
        Where a console is not shared the second viewer is turned away in words.
        """
        await self.start({"limits": {"sharing": "refuse"}})
        first, _ = await self.open()
        with self.assertRaisesRegex(Refused, "Somebody else is using this console"):
            await self.open()
        self.assertFalse(first.over)

    async def test_idle(self) -> None:
        """
        A viewer whose program asks for pictures all the time, while nobody types, is put out; one at which somebody
        types is not.
        """
        await self.start({"limits": {"idle_seconds": 1}})
        idle, program = await self.open()
        busy, person = await self.open()
        while not idle.over:
            program.send(struct.pack(">BBHHHH", 3, 1, 0, 0, 64, 48))
            person.type("a")
            await self.bench.pause(0.1)
        self.assertEqual(idle.told, (1000, "session_idle"))
        self.assertFalse(busy.over)

    async def test_lifetimes(self) -> None:
        """
        A session ends with its token where that is wished, and else when it is old enough.
        """
        await self.start({"consoleauth": {"enforce_session_timeout": True}, "limits": {"session_seconds": 2}})
        brief = WebSocketEndpoint(self.bench, await self.proxy.accessURL("vm", ttl=1))
        await connectRFB(self.bench, brief)
        long, _ = await self.open()
        self.assertEqual(await brief.closed(), (1000, "session_expired"))
        self.assertEqual(await long.closed(), (1000, "session_too_long"))

    async def test_revoked(self) -> None:
        """
        Revoking a console's tokens ends what they have opened, and so does forgetting the console.
        """
        await self.start({})
        for path in ("/v1/consoles/vm/tokens", "/v1/consoles/vm"):
            socket, _ = await self.open()
            await self.proxy.mustCall("DELETE", path)
            self.assertEqual(await socket.closed(), (1000, "revoked"))

    async def test_clipboard(self) -> None:
        """
        A clipboard that may not reach the console does not; keys do.
        """
        await self.start({"limits": {"clipboard": "from-console"}})
        _, viewer = await self.open()
        viewer.send(b"\x06\0\0\0\0\0\0\x06secret")
        viewer.key(0x61, True)
        heard = self.console.protocols[0]
        await self.bench.until(lambda: heard.heard.endswith(b"\x04\x01\0\0\0\0\0a"), "the key")
        self.assertNotIn(b"secret", heard.heard)


class GuessingTests(RulesTestCase):
    """
    Tests for clients that try wrong tokens and keys.
    """

    async def test_guessing(self) -> None:
        """
        After as many as are allowed an address is answered 429 on every port, while its session goes on and others are
        served.
        """
        proxy = await self.start({"web": FRONT, "limits": {"bad_tokens_per_minute": 2}})
        good = await proxy.accessURL("vm")
        socket, _ = await self.open()
        for status in (b"401", b"401", b"429"):
            answer = await tell(self.bench, proxy.port("java"), b"CONNECT /console?token=guess HTTP/1.0\r\n\r\n")
            self.assertEqual(answer.split(b" ")[1], status)
        self.assertIn(b"\r\nRetry-After: 30\r\n", answer)
        opening = f"GET /websockify?token={tokenOf(good)} HTTP/1.1\r\nHost: proxy\r\nUpgrade: websocket\r\n"
        opening += "Connection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n"
        answer = await tell(self.bench, proxy.port("web"), opening.encode())
        self.assertTrue(answer.startswith(b"HTTP/1.1 429 "), answer)
        self.assertEqual((await proxy.call("GET", "/v1/sessions"))[0], 429)
        self.assertEqual((await proxy.call("GET", "/healthz", key=""))[0], 200)
        other = WebSocketEndpoint(self.bench, good, headers=[f"X-Forwarded-For: {CLIENT}"])
        await connectRFB(self.bench, other)
        self.assertFalse(socket.over)


class ForwardedTests(RulesTestCase):
    """
    Tests for viewers that come through somebody else.
    """

    async def test_headers(self) -> None:
        """
        What a trusted reverse proxy says of its client is believed, whatever the client has made up before; a token may
        be pinned to that address.
        """
        await self.start({"web": FRONT})
        told = [f"X-Forwarded-For: 10.9.9.9, {CLIENT}"]
        await self.open(headers=told)
        self.assertEqual(await self.clients(), [CLIENT])
        url = await self.proxy.accessURL("vm", client_address=CLIENT)
        with self.assertRaisesRegex(Refused, "may only be used from the address"):
            await connectRFB(self.bench, WebSocketEndpoint(self.bench, url))
        await connectRFB(self.bench, WebSocketEndpoint(self.bench, url, headers=told))

    async def test_untrusted(self) -> None:
        """
        Nobody else is believed.
        """
        await self.start({})
        await self.open(headers=[f"X-Forwarded-For: {CLIENT}"])
        self.assertEqual(await self.clients(), ["127.0.0.1"])

    async def test_proxyProtocol(self) -> None:
        """
        Headers of both versions give viewers in browsers and of Java their addresses, also where they come in pieces;
        who is trusted and brings none is cut off.
        """
        config = {"web": {**FRONT, "proxy_protocol": True}, "java": {"proxy_protocol": True}}
        proxy = await self.start(config)
        for count, header in enumerate((LINE, BINARY), 1):
            await self.open(preamble=[header[:1], header[1:9], header[9:]])
            url = await proxy.accessURL("vm", "xvpvnc")
            java = endpointOf(self.bench, url, preamble=[header])
            await connectRFB(self.bench, java, opening=originForm(url))
            self.assertEqual(await self.clients(), [CLIENT] * 2 * count)
        self.assertEqual(await tell(self.bench, proxy.port("web"), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), b"")

    async def test_beforeTLS(self) -> None:
        """
        So do headers that stand before TLS.
        """
        config = {"web": {**FRONT, "proxy_protocol": True}, "java": {"proxy_protocol": True}}
        proxy = await self.start(config, ["--tls-self-signed"])
        trust = proxy.state / "self-signed.pem"
        await self.open(trust=trust, preamble=[BINARY])
        url = await proxy.accessURL("vm", "xvpvnc")
        java = endpointOf(self.bench, url, trust, preamble=[LINE[:3], LINE[3:]])
        await connectRFB(self.bench, java, opening=originForm(url))
        self.assertEqual(await self.clients(), [CLIENT] * 2)
