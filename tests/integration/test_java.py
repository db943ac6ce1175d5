"""
Java and raw TCP viewers on real consoles: TightVNC's Java viewer, its applet, and a viewer in nova's dialect.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from twisted.trial.unittest import TestCase
from twisted.web.server import Site
from twisted.web.static import Data, File

from tests.integration.peers import (
    Bench,
    Desktop,
    Display,
    Patient,
    Refused,
    RFBViewer,
    Saying,
    VNCProxy,
    connectRFB,
    endpointOf,
    originForm,
    runVNCProxy,
    startApplet,
    startQEMU,
    startScripted,
    startTightVNC,
    startXvfb,
    startXvnc,
    tell,
    tightVNCShows,
    tokenOf,
)
from tests.integration.peers.viewers import TIGHTVNC_JAR
from tests.integration.peers.xvnc import TERMINAL
from tests.ports import freePort


class TightVNCTests(TestCase):
    """
    TightVNC's Java viewer; its request is in authority form: C{CONNECT TOKEN:PORT HTTP/1.0}.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def test_viewer(self) -> None:
        """
        The viewer shows the desktop and passes on what is typed.
        """
        desktop = await startXvnc(self.bench, password="secret12")
        display, proxy = await startXvfb(self.bench), await runVNCProxy(self.bench)
        await proxy.addConsole("vm", desktop.url, name="desk of Java", password="secret12")
        token = tokenOf(await proxy.accessURL("vm", "xvpvnc"))
        await startTightVNC(self.bench, display, token, 5900, proxyPort=proxy.port("java"))
        await self.assertWorks(desktop, display, "desk of Java")

    async def test_applet(self) -> None:
        """
        So does the applet, loaded from a web page that carries the token.
        """
        desktop = await startXvnc(self.bench)
        display, proxy = await startXvfb(self.bench), await runVNCProxy(self.bench)
        await proxy.addConsole("vm", desktop.url)
        page = self.serveApplet(tokenOf(await proxy.accessURL("vm", "xvpvnc")), proxy.port("java"))
        applet = await startApplet(self.bench, display, page)
        await applet.says("applet started", 30)
        await self.assertWorks(desktop, display, "applet")

    async def test_refusal(self) -> None:
        """
        The viewer shows its user why the proxy turns it away.
        """
        display, proxy = await startXvfb(self.bench), await runVNCProxy(self.bench)
        viewer = await startTightVNC(self.bench, display, "no-such-token", 5900, proxyPort=proxy.port("java"))
        await viewer.says(r"401 Not Authorized: This console link is not valid\. Ask for a new one\.", 30)

    def serveApplet(self, token: str, port: int) -> str:
        """
        Serve a page with the applet on it; its URL.
        """
        parameters = {
            "HOST": token,
            "PORT": 5900,
            "SocketFactory": "tightvncviewer.HTTPConnectSocketFactory",
            "PROXYHOST1": "127.0.0.1",
            "PROXYPORT1": port,
        }
        page = (
            "<html><body><applet code=tightvncviewer.VncViewer.class archive=viewer.jar width=790 height=590>"
            + "".join(f'<param name="{name}" value="{value}">' for name, value in parameters.items())
            + "</applet></body></html>"
        )
        root = Data(b"", "text/html")
        root.putChild(b"page.html", Data(page.encode(), "text/html"))
        root.putChild(b"viewer.jar", File(TIGHTVNC_JAR))
        server = self.bench.reactor.listenTCP(0, Site(root), interface="127.0.0.1")
        self.bench.atEnd(server.stopListening)
        return f"http://127.0.0.1:{server.getHost().port}/page.html"

    async def assertWorks(self, desktop: Desktop, display: Display, title: str) -> None:
        """
        The desktop is seen in the window of this title, and what is typed there arrives.
        """
        await tightVNCShows(display, Desktop.isSeenIn, "the desktop in the viewer")
        await display.focus(title)
        await display.click(*TERMINAL)
        await display.press("j", "a", "v", "a", "Return")
        await desktop.hasTyped("java\n")
        (await display.picture()).save(self.bench.logs / "viewer.png")


class NovaTests(TestCase):
    """
    A viewer of our own that asks as nova's does and is as strict with the answer.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def connect(self, proxy: VNCProxy, consoleID: str) -> RFBViewer:
        """
        A viewer of a console, let in with the very answer that nova's viewer wants.
        """
        url = await proxy.accessURL(consoleID, "xvpvnc")
        viewer = await connectRFB(self.bench, proxy.port("java"), opening=originForm(url))
        self.assertEqual(viewer.head, b"HTTP/1.1 200 OK\r\n\r\n")
        return viewer

    async def test_desktops(self) -> None:
        """
        Desktops with and without a password are seen alike, under the console's name, and hear what is typed.
        """
        proxy = await runVNCProxy(self.bench)
        for consoleID, password in (("open", None), ("locked", "secret12")):
            desktop = await startXvnc(self.bench, password=password)
            more = {} if password is None else {"password": password}
            await proxy.addConsole(consoleID, desktop.url, **more)
            viewer = await self.connect(proxy, consoleID)
            self.assertEqual(viewer.name, consoleID)
            await viewer.pictureWhere(Desktop.isSeenIn, "the desktop")
            viewer.pointer(*TERMINAL)
            viewer.type("Nova!")
            await desktop.hasTyped("Nova!")

    async def test_guest(self) -> None:
        """
        What is typed stands on a QEMU guest's screen.
        """
        guest, proxy = await startQEMU(self.bench), await runVNCProxy(self.bench)
        await proxy.addConsole("guest", guest.url)
        viewer = await self.connect(proxy, "guest")
        before = await viewer.picture()
        viewer.type("Nova types")
        await guest.hasTyped("Nova types")
        await viewer.pictureWhere(lambda picture: picture.rgb != before.rgb, "a change")

    async def test_TLS(self) -> None:
        """
        Over TLS it is all the same, and who comes without is told so.
        """
        desktop = await startXvnc(self.bench)
        proxy = await runVNCProxy(self.bench, arguments=["--tls-self-signed"])
        await proxy.addConsole("vm", desktop.url)
        url = await proxy.accessURL("vm", "xvpvnc")
        self.assertTrue(url.startswith("https://127.0.0.1:"), url)
        with self.assertRaisesRegex(Refused, "^HTTP/1.1 400 Bad Request: this port speaks TLS\r\n"):
            await connectRFB(self.bench, proxy.port("java"), opening=originForm(url))
        secure = endpointOf(self.bench, url, proxy.state / "self-signed.pem")
        viewer = await connectRFB(self.bench, secure, opening=originForm(url))
        self.assertEqual(viewer.head, b"HTTP/1.1 200 OK\r\n\r\n")
        await viewer.pictureWhere(Desktop.isSeenIn, "the desktop")

    async def test_halfClose(self) -> None:
        """
        A viewer that has said its last, and closed its half, still hears what the console answers to that; also when it
        has said everything at once, the request included.
        """
        server = startScripted(self.bench, Patient)
        proxy = await runVNCProxy(self.bench)
        await proxy.addConsole("vm", server.url)
        request = originForm(await proxy.accessURL("vm", "xvpvnc"))
        # Version, choice of security, ClientInit; then what the console is to hear.
        words = request + b"RFB 003.008\n\x01\x01" + b"last words"
        told = await tell(self.bench, proxy.port("java"), words, closeHalf=True)
        self.assertTrue(told.startswith(b"HTTP/1.1 200 OK\r\n\r\nRFB 003.008\n"), told)
        self.assertTrue(told.endswith(b"heard last words"), told)
        await self.bench.until(lambda: server.protocols[0].over, "the console's connection to end")


class RefusalTests(TestCase):
    """
    What a viewer in nova's dialect is told when there is no console for it: a status, and the reason in words.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def assertRefused(self, proxy: VNCProxy, request: str, line: str) -> None:
        """
        A request is answered by this status line, by a body with its words, and by the end of the connection.
        """
        answer = await tell(self.bench, proxy.port("java"), request.encode())
        head, _, body = answer.decode().partition("\r\n\r\n")
        self.assertEqual(head.split("\r\n")[0], line)
        self.assertEqual(body, line.partition(": ")[2] + "\n")

    async def refuse(self, proxy: VNCProxy, consoleID: str, line: str) -> None:
        """
        A fresh link to a console is answered by this status line.
        """
        request = originForm(await proxy.accessURL(consoleID, "xvpvnc")).decode()
        await self.assertRefused(proxy, request, line)

    async def test_tokens(self) -> None:
        """
        No token, an unknown, an expired, a used one and one for another kind of viewer are told apart.
        """
        server = startScripted(self.bench)
        proxy = await runVNCProxy(self.bench, {"consoleauth": {"token_ttl": 0.05}})
        await proxy.addConsole("vm", server.url)
        invalid = "401 Not Authorized: This console link is not valid. Ask for a new one."
        missing = "400 Invalid Request: This address needs a token. Open the console from the link that you were given."
        await self.assertRefused(proxy, "CONNECT /console HTTP/1.0\r\n\r\n", f"HTTP/1.1 {missing}")
        await self.assertRefused(proxy, "CONNECT /console?token=nobodys HTTP/1.0\r\n\r\n", f"HTTP/1.1 {invalid}")
        await self.assertRefused(proxy, "CONNECT nobodys:5900 HTTP/1.0\r\n\r\n", f"HTTP/1.0 {invalid}")

        brief = await proxy.accessURL("vm", "xvpvnc")
        await self.bench.pause(0.1)
        expired = "HTTP/1.1 401 Not Authorized: This console link has expired. Ask for a new one."
        await self.assertRefused(proxy, originForm(brief).decode(), expired)

        once = originForm(await proxy.accessURL("vm", "xvpvnc", ttl=60))
        await connectRFB(self.bench, proxy.port("java"), opening=once)
        used = "HTTP/1.1 401 Not Authorized: This console link was already used. Ask for a new one."
        await self.assertRefused(proxy, once.decode(), used)

        other = tokenOf(await proxy.accessURL("vm", "novnc", ttl=60))
        wrong = "HTTP/1.0 401 Not Authorized: This console link is for another kind of viewer."
        await self.assertRefused(proxy, f"CONNECT {other}:5900 HTTP/1.0\r\n\r\n", wrong)

    async def test_consoles(self) -> None:
        """
        A console that is off, that wants another password, or that says nothing is a bad gateway, told apart in words.
        """
        desktop = await startXvnc(self.bench, password="secret12")
        silent = startScripted(self.bench, Saying)
        proxy = await runVNCProxy(self.bench, {"limits": {"handshake_seconds": 2}})
        await proxy.addConsole("off", f"vnc://127.0.0.1:{freePort()}")
        await proxy.addConsole("locked", desktop.url, password="mistaken")
        await proxy.addConsole("silent", silent.url)
        gateway = "HTTP/1.1 502 Bad Gateway:"
        await self.refuse(proxy, "off", f"{gateway} The console cannot be reached. The machine may be off.")
        await self.refuse(proxy, "locked", f"{gateway} The console refused the proxy's credentials.")
        await self.refuse(proxy, "silent", f"{gateway} The console does not answer. Another viewer may be holding it.")

    async def test_capacity(self) -> None:
        """
        A proxy that is full says so, and takes the same link once there is room again.
        """
        server = startScripted(self.bench)
        proxy = await runVNCProxy(self.bench, {"proxy": {"capacity": 1}})
        await proxy.addConsole("vm", server.url)
        first = await connectRFB(
            self.bench, proxy.port("java"), opening=originForm(await proxy.accessURL("vm", "xvpvnc"))
        )
        waiting = originForm(await proxy.accessURL("vm", "xvpvnc"))
        full = "HTTP/1.1 503 Service Unavailable: The console proxy is full right now. Try again in a moment."
        await self.assertRefused(proxy, waiting.decode(), full)
        await first.close()
        await self.bench.until(lambda: server.protocols[0].over, "the first session to end")
        await connectRFB(self.bench, proxy.port("java"), opening=waiting)

    async def test_store(self) -> None:
        """
        While the store does not answer, viewers are told to come again; their links are good then.
        """
        server = startScripted(self.bench)
        proxy = await runVNCProxy(self.bench, {"consoleauth": {"timeout": 1}})
        await proxy.addConsole("vm", server.url)
        request = originForm(await proxy.accessURL("vm", "xvpvnc"))
        unreachable = "HTTP/1.1 503 Service Unavailable: The token service is unreachable. Try again in a moment."
        with closing(sqlite3.connect(proxy.state / "vncproxy.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await self.assertRefused(proxy, request.decode(), unreachable)
            other.execute("ROLLBACK")

        async def letIn() -> bool:
            try:
                await connectRFB(self.bench, proxy.port("java"), opening=request)
            except Refused:
                return False
            return True

        await self.bench.untilAsync(letIn, "the link to be good again")
