"""
The harness itself: a peer that does not do what its docstring says would make every other test here worthless.
"""

from __future__ import annotations

import os
import tomllib
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.portforward import ProxyFactory, ProxyServer
from twisted.trial.unittest import TestCase
from twisted.web.server import Site
from twisted.web.static import Data, File

from tests.integration.peers import (
    Bench,
    Desktop,
    Refused,
    connectRFB,
    runVNCProxy,
    startApplet,
    startBrowser,
    startCable,
    startQEMU,
    startTigerVNC,
    startTightVNC,
    startXvfb,
    startXvnc,
    tightVNCShows,
)
from tests.integration.peers.proxy import formatTOML
from tests.integration.peers.viewers import TIGHTVNC_JAR
from tests.integration.peers.xvnc import BACKGROUND, BARE, TERMINAL
from tests.ports import freePort


class BenchTests(TestCase):
    """
    L{Bench} and L{Program}.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_programEnds(self) -> None:
        """
        A program that is stopped is gone together with what it started, even when it ignores the request.
        """
        script = "trap '' TERM; sleep 600 & echo child $!; wait; wait"
        program = await self.bench.run("stubborn", "sh", "-c", script)
        child = int((await program.says(r"child (\d+)"))[1])
        await program.stop(patience=0.1)
        self.assertEqual(program.status, -9)
        await self.bench.until(lambda: not os.path.exists(f"/proc/{child}"), "the end of the child")

    async def test_statusIsKept(self) -> None:
        """
        The exit status and the output of a program that ends by itself are known.
        """
        program = await self.bench.run("brief", "sh", "-c", "echo said; exit 3")
        self.assertEqual(await program.ends(), 3)
        self.assertIn("said", program.output())

    async def test_missingProgram(self) -> None:
        """
        A program that the machine does not have is a failure with a cure, not a skip.
        """
        with self.assertRaisesRegex(AssertionError, "make test"):
            await self.bench.run("nothing", "no-such-program-anywhere")

    async def test_earlyEnd(self) -> None:
        """
        Waiting for a program that ends before it is ready fails at once and shows what it said.
        """
        program = await self.bench.run("brief", "sh", "-c", "echo cannot; exit 1")
        with self.assertRaisesRegex(AssertionError, "(?s)ended with 1 before.*cannot"):
            await program.says("ready")

    async def test_untilGivesUp(self) -> None:
        """
        A condition that does not come about is a failure that says what was waited for.
        """
        with self.assertRaisesRegex(AssertionError, "rain"):
            await self.bench.until(lambda: False, "rain", timeout=0.05)


class XvncTests(TestCase):
    """
    The desktop on Xvnc and the tests' own viewer.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_picture(self) -> None:
        """
        The viewer sees the desktop, also in the oldest version of the protocol.
        """
        desktop = await startXvnc(self.bench)
        for version in (b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n"):
            viewer = await connectRFB(self.bench, desktop.port, version=version)
            picture = await viewer.pictureWhere(Desktop.isSeenIn, "the desktop")
            self.assertEqual((picture.width, picture.height, viewer.name), (800, 600, "desk"))
            self.assertEqual(picture.pixel(*BARE), BACKGROUND)

    async def test_typing(self) -> None:
        """
        What the viewer types comes to the terminal under the pointer, and the picture changes.
        """
        desktop = await startXvnc(self.bench, password="secret12")
        viewer = await connectRFB(self.bench, desktop.port, password="secret12")
        before = await viewer.pictureWhere(lambda picture: picture.pixel(*TERMINAL) == (255, 255, 255), "a terminal")
        viewer.pointer(*TERMINAL)
        viewer.type("Hello, Desk!\n")
        await desktop.hasTyped("Hello, Desk!\n")
        await viewer.pictureWhere(lambda picture: picture.rgb != before.rgb, "a change")

    async def test_wrongPassword(self) -> None:
        """
        A wrong password is refused with the server's words.
        """
        desktop = await startXvnc(self.bench, password="secret12")
        with self.assertRaisesRegex(Refused, "(?i)authentication"):
            await connectRFB(self.bench, desktop.port, password="wrong")

    async def test_blacklist(self) -> None:
        """
        With its blacklist on, the server shuts out an address after five failed logins.
        """
        desktop = await startXvnc(self.bench, password="secret12", blacklist=True)
        reasons = []
        for _ in range(6):
            with self.assertRaises(Refused) as caught:
                await connectRFB(self.bench, desktop.port, password="wrong")
            reasons.append(str(caught.exception))
        self.assertIn("Too many security failures", reasons[-1])

    async def test_comesBack(self) -> None:
        """
        A desktop can be ended, which hangs up on its viewers, and another started on its port.
        """
        first = await startXvnc(self.bench)
        viewer = await connectRFB(self.bench, first.port)
        await first.program.stop()
        await viewer.hungUp()
        second = await startXvnc(self.bench, port=first.port)
        await connectRFB(self.bench, second.port)


class QEMUTests(TestCase):
    """
    The guest on QEMU.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_typing(self) -> None:
        """
        What a viewer types stands on the guest's screen, in memory and in the picture.
        """
        guest = await startQEMU(self.bench)
        viewer = await connectRFB(self.bench, guest.where)
        before = await viewer.picture()
        viewer.type("Hello Guest 42")
        await guest.hasTyped("Hello Guest 42")
        await viewer.pictureWhere(lambda picture: picture.rgb != before.rgb, "a change")

    async def test_unixSocket(self) -> None:
        """
        The guest can be reached on a UNIX socket.
        """
        guest = await startQEMU(self.bench, unix=True)
        viewer = await connectRFB(self.bench, guest.where)
        viewer.type("socket")
        await guest.hasTyped("socket")
        self.assertTrue(guest.url.startswith("vnc+unix:///"))

    async def test_password(self) -> None:
        """
        The password can be set while the guest runs; any other is refused.
        """
        guest = await startQEMU(self.bench, password=True)
        with self.assertRaises(Refused):
            await connectRFB(self.bench, guest.where, password="secret12")
        await guest.setPassword("secret12")
        viewer = await connectRFB(self.bench, guest.where, password="secret12")
        self.assertEqual((viewer.width, viewer.height), (720, 400))


class _Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(data.upper())


class _Asker(Protocol):
    def __init__(self) -> None:
        self.heard = b""
        self.over = False

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: object = None) -> None:
        self.over = True


class CableTests(TestCase):
    """
    The cable, between an asker and a server that answers in capitals.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def _lay(self) -> tuple[Any, Any]:
        server = self.bench.reactor.listenTCP(0, Factory.forProtocol(_Echo), interface="127.0.0.1")
        self.bench.atEnd(server.stopListening)
        cable = await startCable(self.bench, server.getHost().port)
        return cable, await self._plugIn(cable)

    async def _plugIn(self, cable: Any) -> Any:
        endpoint = TCP4ClientEndpoint(self.bench.reactor, "127.0.0.1", cable.port)
        asker: Any = await endpoint.connect(Factory.forProtocol(_Asker))
        self.bench.atEnd(lambda: self._hangUp(asker))
        return asker

    async def _hangUp(self, asker: Any) -> None:
        asker.transport.abortConnection()
        await self.bench.until(lambda: asker.over, "the asker to hang up")

    async def test_passesOn(self) -> None:
        """
        Bytes pass both ways, and a hang-up of one side reaches the other.
        """
        cable, asker = await self._lay()
        asker.transport.write(b"abc")
        await self.bench.until(lambda: asker.heard == b"ABC", "the answer")
        self.assertEqual(cable.connections, 1)
        asker.transport.loseConnection()
        await self.bench.until(lambda: not any(end.up for end in cable.ends), "both ends to be lost")

    async def test_freeze(self) -> None:
        """
        A frozen cable passes nothing and ends nothing; thawed, it passes on what came meanwhile.
        """
        cable, asker = await self._lay()
        cable.freeze()
        asker.transport.write(b"abc")
        await self.bench.pause(0.2)
        self.assertEqual((asker.heard, asker.over), (b"", False))
        cable.thaw()
        await self.bench.until(lambda: asker.heard == b"ABC", "the answer")

    async def test_frozenHangUp(self) -> None:
        """
        A hang-up during a freeze is heard at the other side when the cable thaws, not before.
        """
        cable, asker = await self._lay()
        asker.transport.write(b"abc")
        await self.bench.until(lambda: asker.heard == b"ABC", "the answer")
        cable.freeze()
        asker.transport.loseConnection()
        await self.bench.until(lambda: asker.over, "the asker to hang up")
        await self.bench.pause(0.1)
        self.assertEqual(sum(end.up for end in cable.ends), 1)
        cable.thaw()
        await self.bench.until(lambda: not any(end.up for end in cable.ends), "the other side to hear of it")

    async def test_cut(self) -> None:
        """
        A cut ends what is up; a new connection goes through.
        """
        cable, asker = await self._lay()
        cable.cut()
        await self.bench.until(lambda: asker.over, "the cut")
        again = await self._plugIn(cable)
        again.transport.write(b"abc")
        await self.bench.until(lambda: again.heard == b"ABC", "the answer")

    async def test_unplugged(self) -> None:
        """
        An unplugged cable refuses connections until it is plugged in again, on the same port.
        """
        cable, asker = await self._lay()
        await cable.unplug()
        await self.bench.until(lambda: asker.over, "the cut")
        endpoint = TCP4ClientEndpoint(self.bench.reactor, "127.0.0.1", cable.port)
        with self.assertRaises(ConnectionRefusedError):
            await endpoint.connect(Factory.forProtocol(_Asker))
        port = cable.port
        await cable.plug()
        self.assertEqual(cable.port, port)
        await self._plugIn(cable)

    async def test_nobodyThere(self) -> None:
        """
        A cable to a port where nobody listens ends the connection.
        """
        cable = await startCable(self.bench, freePort())
        asker = await self._plugIn(cable)
        await self.bench.until(lambda: asker.over, "the end")


class BrowserTests(TestCase):
    """
    Chromium.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_page(self) -> None:
        """
        A page is shown, its scripts run, and what it complains of is known.
        """
        browser = await startBrowser(self.bench)
        tab = await browser.newTab(width=320, height=200)
        await tab.open("data:text/html,<title>here</title><body style='background:%23204060'><canvas></canvas>")
        self.assertEqual(await tab.eval("document.title"), "here")
        self.assertTrue((await tab.screenshot("page")).startswith(b"\x89PNG"))
        blank = await tab.canvasHash()
        await tab.eval("document.querySelector('canvas').getContext('2d').fillRect(0, 0, 9, 9)")
        self.assertEqual(await tab.canvasPixel(4, 4), (0, 0, 0))
        self.assertNotEqual(await tab.canvasHash(), blank)
        self.assertEqual(tab.complaints, [])
        await tab.eval("console.error('ouch')")
        self.assertEqual(tab.complaints, ["error: ouch"])

    async def test_separateTabs(self) -> None:
        """
        Two tabs share no storage, and the reactor turns while the browser works.
        """
        browser = await startBrowser(self.bench)
        root = Data(b"", "text/html")
        root.putChild(b"", Data(b"<p>served", "text/html"))
        server = self.bench.reactor.listenTCP(0, Site(root), interface="127.0.0.1")
        self.bench.atEnd(server.stopListening)
        url = f"http://127.0.0.1:{server.getHost().port}/"
        first, second = await browser.newTab(), await browser.newTab()
        self.assertEqual((await first.open(url), await second.open(url)), (200, 200))
        await first.eval("localStorage.setItem('mine', 'yes')")
        self.assertEqual(await second.eval("localStorage.getItem('mine')"), None)


class ViewerTests(TestCase):
    """
    Native viewers, looking at a desktop.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_tigerVNC(self) -> None:
        """
        TigerVNC's viewer shows the desktop and passes on what is typed.
        """
        desktop = await startXvnc(self.bench, password="secret12")
        display = await startXvfb(self.bench)
        where = f"127.0.0.1::{desktop.port}"
        await startTigerVNC(self.bench, display, where, password="secret12")
        await display.pictureWhere(Desktop.isSeenIn, "the desktop in the viewer")
        await display.focus("desk")
        await display.click(*TERMINAL)
        await display.press("h", "i")
        await desktop.hasTyped("hi")

    async def test_tightVNC(self) -> None:
        """
        TightVNC's Java viewer reaches the desktop through an HTTP proxy, which is told the host's name as it stands.
        """
        desktop = await startXvnc(self.bench)
        display = await startXvfb(self.bench)
        proxy = _ConnectProxy(self.bench.reactor, desktop.port)
        listening = self.bench.reactor.listenTCP(0, proxy, interface="127.0.0.1")
        self.bench.atEnd(listening.stopListening)
        port = listening.getHost().port
        await startTightVNC(self.bench, display, "some-token", 5900, proxyPort=port)
        await tightVNCShows(display, Desktop.isSeenIn, "the desktop in the viewer")
        self.assertEqual(proxy.requests, [b"CONNECT some-token:5900 HTTP/1.0"])

    async def test_applet(self) -> None:
        """
        An applet is loaded from a page with its archive and its parameters, and runs.
        """
        desktop = await startXvnc(self.bench)
        display = await startXvfb(self.bench)
        page = (
            "<html><body><applet code=tightvncviewer.VncViewer.class archive=viewer.jar width=790 height=590>"
            f"<param name=HOST value=127.0.0.1><param name=PORT value={desktop.port}>"
            "</applet></body></html>"
        )
        root = Data(b"", "text/html")
        root.putChild(b"page.html", Data(page.encode(), "text/html"))
        root.putChild(b"viewer.jar", File(TIGHTVNC_JAR))
        server = self.bench.reactor.listenTCP(0, Site(root), interface="127.0.0.1")
        self.bench.atEnd(server.stopListening)
        applet = await startApplet(self.bench, display, f"http://127.0.0.1:{server.getHost().port}/page.html")
        await applet.says("applet started", 20)
        await tightVNCShows(display, Desktop.isSeenIn, "the desktop in the applet")


class ProxyTests(TestCase):
    """
    The proxy as a process, and its ways to be asked and to be restarted.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_console(self) -> None:
        """
        A console that is registered over the API is live in the browser at its access URL.
        """
        desktop = await startXvnc(self.bench, password="secret12")
        proxy = await runVNCProxy(self.bench)
        await proxy.addConsole("vm", desktop.url, password="secret12")
        tab = await (await startBrowser(self.bench)).newTab()
        self.assertEqual(await tab.open(await proxy.accessURL("vm")), 200)
        await tab.hasState("connected")
        await tab.screenshot("console")
        self.assertEqual(tab.complaints, [])

    async def test_restart(self) -> None:
        """
        A proxy that crashed comes back on the same ports, with what it knew.
        """
        proxy = await runVNCProxy(self.bench, {"consoleauth": {"token_ttl": 60}})
        await proxy.addConsole("vm", "vnc://127.0.0.1:5999")
        before = proxy.endpoints
        await proxy.restart(crash=True)
        self.assertEqual(proxy.endpoints, before)
        status, told = await proxy.call("GET", "/v1/consoles")
        self.assertEqual((status, [each["id"] for each in told["consoles"]]), (200, ["vm"]))

    async def test_keys(self) -> None:
        """
        A call may be made without the key, or with a wrong one.
        """
        proxy = await runVNCProxy(self.bench)
        for key in ("", "wrong"):
            self.assertEqual((await proxy.call("GET", "/v1/consoles", key=key))[0], 401)

    async def test_wrongConfiguration(self) -> None:
        """
        A proxy that does not start is a failure that shows what it said.
        """
        with self.assertRaisesRegex(AssertionError, "(?s)ended with .*no_such_section"):
            await runVNCProxy(self.bench, {"no_such_section": {}})


class ConfigTests(TestCase):
    """
    What the harness writes for the proxy.
    """

    def test_formatTOML(self) -> None:
        """
        A configuration is read back as it was.
        """
        config: dict[str, Any] = {
            "web": {"listen": ["tcp:0"], "heartbeat": 2.5},
            "tls": {"self_signed": True, "certificate": 'a "quoted" \\ path'},
            "console": [{"id": "one", "url": "vnc://h"}, {"id": "two", "url": "vnc://h"}],
        }
        self.assertEqual(tomllib.loads(formatTOML(config)), config)


class _ConnectProxy(ProxyFactory):
    """
    An HTTP proxy of a few lines: it takes C{CONNECT} only, and connects to one port whatever is asked for.

    @ivar requests: the request lines.
    """

    def __init__(self, reactor: Any, port: int) -> None:
        super().__init__("127.0.0.1", port)
        self.reactor = reactor
        self.requests: list[bytes] = []

    def buildProtocol(self, addr: object) -> ProxyServer:
        connecting = _Connecting()
        connecting.factory = self
        connecting.reactor = self.reactor
        return connecting


class _Connecting(ProxyServer):
    factory: _ConnectProxy
    head = b""

    def connectionMade(self) -> None:
        """
        Wait for the request.
        """

    def dataReceived(self, data: bytes) -> None:
        if self.peer is not None:
            super().dataReceived(data)
            return
        self.head += data
        if self.head.endswith(b"\r\n\r\n"):
            self.factory.requests.append(self.head.split(b"\r\n")[0])
            self.transport.write(b"HTTP/1.0 200 OK\r\n\r\n")
            super().connectionMade()
