"""
Real peers to test against: servers, guests, viewers, a browser, a cable. Each is started for one test and ends with it.

A test makes a L{Bench} in C{setUp} and starts on it what it needs::

    class ConsoleTests(TestCase):
        def setUp(self) -> None:
            self.bench = Bench(self)

        async def test_typing(self) -> None:
            desktop = await startXvnc(self.bench, password="secret12")
            viewer = await connectRFB(self.bench, desktop.port, password="secret12")

Everything listens on 127.0.0.1 or on a UNIX socket, on a port that was free a moment ago. Each wait ends by itself.
Each program is ended by its pid when the test is over; what it said stays in C{test-output/peers/}.
"""

from tests.integration.peers.applet import startApplet
from tests.integration.peers.authority import Authority
from tests.integration.peers.bench import Bench, Program
from tests.integration.peers.browser import Browser, Tab, startBrowser
from tests.integration.peers.cable import Cable, startCable
from tests.integration.peers.display import Display, startXvfb
from tests.integration.peers.picture import Picture
from tests.integration.peers.proxy import VNCProxy, runVNCProxy
from tests.integration.peers.qemu import Guest, startQEMU
from tests.integration.peers.raw import originForm, tell, tokenOf
from tests.integration.peers.redis import Redis, startRedis
from tests.integration.peers.rfb import Refused, RFBViewer, connectRFB
from tests.integration.peers.scripted import Flood, Patient, Saying, ScriptedRFB, Server, startScripted
from tests.integration.peers.viewers import startTigerVNC, startTightVNC, tightVNCShows
from tests.integration.peers.websocket import WebSocketEndpoint, endpointOf
from tests.integration.peers.xvnc import Desktop, startXvnc

__all__ = [
    "Authority",
    "Bench",
    "Browser",
    "Cable",
    "Desktop",
    "Display",
    "Flood",
    "Guest",
    "Patient",
    "Picture",
    "Program",
    "RFBViewer",
    "Redis",
    "Refused",
    "Saying",
    "ScriptedRFB",
    "Server",
    "Tab",
    "VNCProxy",
    "WebSocketEndpoint",
    "connectRFB",
    "endpointOf",
    "originForm",
    "runVNCProxy",
    "startApplet",
    "startBrowser",
    "startCable",
    "startQEMU",
    "startRedis",
    "startScripted",
    "startTigerVNC",
    "startTightVNC",
    "startXvfb",
    "startXvnc",
    "tell",
    "tightVNCShows",
    "tokenOf",
]
