"""
Native viewers, each on a display of its own choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.integration.peers.bench import Bench, Program
from tests.integration.peers.display import Display
from tests.integration.peers.picture import Picture, pictureWhere
from tests.integration.peers.xvnc import passwordFile

TIGHTVNC_JAR: Final = "/usr/share/java/tightvncviewer.jar"
# A point of the button "Refresh" of TightVNC's viewer and of its applet.
_REFRESH: Final = (428, 11)


async def startTigerVNC(bench: Bench, display: Display, where: str, password: str | None = None) -> Program:
    """
    TigerVNC's viewer.

    @param where: C{"127.0.0.1::PORT"}.
    """
    secret = [] if password is None else ["-passwd", str(passwordFile(bench, password))]
    return await bench.run(
        "tigervnc", "xtigervncviewer", "-Log", "*:stderr:30", "-ReconnectOnError=0", "-AlertOnFatalError=0",
        *secret, where, env={"DISPLAY": display.name, "HOME": str(bench.directory)},
    )  # fmt: skip


async def startTightVNC(
    bench: Bench,
    display: Display,
    host: str,
    port: int,
    proxyPort: int | None = None,
    password: str | None = None,
) -> Program:
    """
    TightVNC's Java viewer.

    @param host: of the console; behind a proxy it is sent as it stands, so that it may be a token.
    @param proxyPort: of 127.0.0.1; the viewer asks there for C{CONNECT host:port HTTP/1.0}. L{None} connects directly.
    """
    parameters = ["HOST", host, "PORT", str(port)]
    if password is not None:
        parameters += ["PASSWORD", password]
    if proxyPort is not None:
        # Debian moved the classes into a package, and the parameter names a class in full.
        parameters += ["SocketFactory", "tightvncviewer.HTTPConnectSocketFactory"]
        parameters += ["PROXYHOST1", "127.0.0.1", "PROXYPORT1", str(proxyPort)]
    return await bench.run(
        "tightvnc", "java", "-cp", TIGHTVNC_JAR, "tightvncviewer.VncViewer", *parameters,
        env={"DISPLAY": display.name},
    )  # fmt: skip


async def tightVNCShows(display: Display, looksRight: Callable[[Picture], bool], what: str) -> None:
    """
    Wait until TightVNC's viewer, or its applet, shows what C{looksRight}.

    Where no window manager is, Java may forget to paint what came while its window was being laid out. A person would
    press Refresh then, which has everything sent again; so does this.

    @param what: completes the sentence C{"waited N s for …"}.
    """

    async def look() -> Picture:
        picture = await display.picture()
        if not looksRight(picture):
            await display.click(*_REFRESH)
        return picture

    await pictureWhere(display.bench, look, looksRight, what, 30)
