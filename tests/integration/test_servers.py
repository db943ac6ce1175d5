"""
VNC servers of all kinds behind the proxy, seen through a WebSocket as a browser would: what works, and how each that
does not is told to the viewer and to the operator.
"""

from __future__ import annotations

from functools import partial

from twisted.trial.unittest import TestCase

from tests.integration.peers import (
    Bench,
    Desktop,
    Picture,
    Refused,
    RFBViewer,
    Saying,
    VNCProxy,
    WebSocketEndpoint,
    connectRFB,
    runVNCProxy,
    startQEMU,
    startScripted,
    startXvnc,
)
from tests.integration.peers.rfb import HungUp
from tests.integration.peers.scripted import ScriptedRFB
from tests.integration.peers.xvnc import TERMINAL
from tests.ports import freePort

UNREACHABLE = "The console cannot be reached. The machine may be off."
SILENT = "The console does not answer. Another viewer may be holding it."
REFUSED = "The console refused the proxy's credentials."
BROKEN = "The console does not speak VNC as it should."


class ServerTests(TestCase):
    """
    A proxy, and what makes it speak to a server.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def startProxy(self) -> VNCProxy:
        """
        A proxy that has some patience with its consoles.
        """
        return await runVNCProxy(self.bench, {"limits": {"handshake_seconds": 5}})

    async def connect(self, proxy: VNCProxy, url: str, **more: str) -> RFBViewer:
        """
        A viewer of the console at a target URL; C{more} are further keys of its definition.
        """
        await proxy.addConsole("vm", url, name="The machine", **more)
        viewer = await connectRFB(self.bench, WebSocketEndpoint(self.bench, await proxy.accessURL("vm")))
        self.assertEqual(viewer.name, "The machine")
        return viewer

    async def assertRefused(self, proxy: VNCProxy, url: str, told: str, reason: str, cause: str, **more: str) -> None:
        """
        A viewer of the console at a target URL is told C{told} in RFB, the close frame says C{reason}, and the log
        tells the operator C{cause}.
        """
        await proxy.addConsole("vm", url, **more)
        socket = WebSocketEndpoint(self.bench, await proxy.accessURL("vm"))
        with self.assertRaises(Refused) as caught:
            await connectRFB(self.bench, socket)
        self.assertEqual(str(caught.exception), told)
        self.assertEqual(await socket.closed(), (1011, reason))
        self.assertIn(f"refused web viewer at 127.0.0.1: {reason}: {cause} (console vm, token ", proxy.log())


def _differs(rgb: bytes, picture: Picture) -> bool:
    return picture.rgb != rgb


class WorkingTests(ServerTests):
    """
    Servers that work.
    """

    async def test_desktops(self) -> None:
        """
        Desktops with and without a password are seen, and hear what is typed.
        """
        proxy = await self.startProxy()
        for secret in ({}, {"password": "secret12"}):
            desktop = await startXvnc(self.bench, password=secret.get("password"))
            viewer = await self.connect(proxy, desktop.url, **secret)
            await viewer.pictureWhere(Desktop.isSeenIn, "the desktop")
            viewer.pointer(*TERMINAL)
            viewer.type("Hello!")
            await desktop.hasTyped("Hello!")

    async def test_guests(self) -> None:
        """
        What is typed stands on the screens of guests, be they on a port, behind a password or on a UNIX socket.
        """
        proxy = await self.startProxy()
        plain, locked = await startQEMU(self.bench), await startQEMU(self.bench, password=True)
        await locked.setPassword("guest-42")
        for guest, secret in (
            (plain, {}),
            (locked, {"password": "guest-42"}),
            (await startQEMU(self.bench, unix=True), {}),
        ):
            viewer = await self.connect(proxy, guest.url, **secret)
            blank = (await viewer.picture()).rgb
            viewer.type("Typed on 3")
            await guest.hasTyped("Typed on 3")
            await viewer.pictureWhere(partial(_differs, blank), "a change")

    async def test_hangsUp(self) -> None:
        """
        A server that ends in good order, and one whose machine vanishes, end the session with different words.
        """
        proxy, server = await self.startProxy(), startScripted(self.bench)
        for leave, ended in (
            ("loseConnection", (1000, "console_closed")),
            ("abortConnection", (1011, "console_lost")),
        ):
            await proxy.addConsole("vm", server.url)
            socket = WebSocketEndpoint(self.bench, await proxy.accessURL("vm"))
            await connectRFB(self.bench, socket)
            getattr(server.protocols[-1].transport, leave)()
            self.assertEqual(await socket.closed(), ended)


class RefusalTests(ServerTests):
    """
    Servers that turn the proxy away, or are none.
    """

    async def test_passwords(self) -> None:
        """
        A wrong password, a missing one, and the lock-out after many wrong ones are told to the operator in the words of
        the server, to the viewer in ours.
        """
        proxy = await self.startProxy()
        desktop = await startXvnc(self.bench, password="secret12", blacklist=True)
        missing = "it asks for a password and the console has none: set the console's password"
        await self.assertRefused(proxy, desktop.url, REFUSED, "console_refused", missing)
        wrong = "it refused the login: Authentication failure"
        locked = "it refused the connection: Too many security failures"
        for cause in (*[wrong] * 5, locked):
            await self.assertRefused(proxy, desktop.url, REFUSED, "console_refused", cause, password="mistaken")
        # Now the right one does not help either.
        await self.assertRefused(proxy, desktop.url, REFUSED, "console_refused", locked, password="secret12")

    async def test_guestPassword(self) -> None:
        """
        QEMU's reason reaches the log without the NUL at its end.
        """
        proxy, guest = await self.startProxy(), await startQEMU(self.bench, password=True)
        await guest.setPassword("guest-42")
        cause = "it refused the login: Authentication failed"
        await self.assertRefused(proxy, guest.url, REFUSED, "console_refused", cause, password="mistaken")

    async def test_noServers(self) -> None:
        """
        A port where nobody listens, a socket that is not there, a port that says nothing and one that speaks another
        protocol are told apart.
        """
        proxy = await runVNCProxy(self.bench, {"limits": {"handshake_seconds": 1}})
        free, absent = freePort(), self.bench.path("absent.sock")
        silent, secureShell = startScripted(self.bench, Saying), startScripted(self.bench, makeSecureShell)
        refused = "it cannot be connected to: Connection was refused by other side: 111: Connection refused."
        await self.assertRefused(proxy, f"vnc://127.0.0.1:{free}", UNREACHABLE, "console_unreachable", refused)
        gone = "it cannot be connected to: An error occurred while connecting: 2: No such file or directory."
        await self.assertRefused(proxy, f"vnc+unix://{absent}", UNREACHABLE, "console_unreachable", gone)
        await self.assertRefused(proxy, silent.url, SILENT, "console_silent", "it said nothing for 1 s")
        other = "it opened with b'SSH-2.0-Open', which is no RFB version"
        await self.assertRefused(proxy, secureShell.url, BROKEN, "console_broken", other)

    async def test_afterLogin(self) -> None:
        """
        Of a server that lets the proxy in and then shows no desktop the close frame tells: RFB has no word for it then.
        """
        proxy, server = await self.startProxy(), startScripted(self.bench, Reluctant)
        await proxy.addConsole("vm", server.url)
        socket = WebSocketEndpoint(self.bench, await proxy.accessURL("vm"))
        with self.assertRaises(HungUp):
            await connectRFB(self.bench, socket)
        self.assertEqual(await socket.closed(), (1011, "console_broken"))
        self.assertIn("console_broken: it hung up instead of showing its desktop (", proxy.log())


def makeSecureShell() -> Saying:
    """
    A server of another protocol.
    """
    return Saying(b"SSH-2.0-OpenSSH_9.2p1\r\n")


class Reluctant(ScriptedRFB):
    """
    Hangs up on whoever is let in.
    """

    desktop = b""

    def opened(self) -> None:
        self.transport.loseConnection()
