"""
A desktop on TigerVNC's Xvnc, with things on it that a test can recognise.

The screen is 800x600. Its background is L{BACKGROUND}; a clock moves every second at its upper right; the terminal at
its lower left shows what is typed while the pointer is over it, and a file holds the same.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.integration.peers.bench import Bench
from tests.integration.peers.display import HEIGHT, WIDTH, Display, startDisplay
from tests.integration.peers.picture import Picture
from tests.ports import freePort

BACKGROUND: Final = (0x20, 0x40, 0x60)
# A point of the background, and one of the terminal.
BARE: Final = (4, 4)
TERMINAL: Final = (200, 480)


class Desktop:
    """
    A desktop that runs.

    @ivar port: where it speaks RFB on 127.0.0.1.
    @ivar display: the X display that it is, for more programs and for looking at it past RFB.
    """

    def __init__(self, display: Display, port: int, typed: Path) -> None:
        self.display = display
        self.program = display.program
        self.port = port
        self._typed = typed

    @property
    def url(self) -> str:
        """
        The target URL.
        """
        return f"vnc://127.0.0.1:{self.port}"

    def typed(self) -> str:
        """
        What was typed into the terminal.
        """
        return self._typed.read_text(errors="replace")

    async def hasTyped(self, text: str, timeout: float = 10.0) -> None:
        """
        Wait until C{text} was typed into the terminal.
        """
        what = f"{text!r} to be typed at the desktop"
        await self.display.bench.until(lambda: text in self.typed(), what, timeout)

    @staticmethod
    def isSeenIn(picture: Picture) -> bool:
        """
        Whether a picture of any size shows this desktop, at its own scale: a good part has the background's colour.
        """
        return picture.colours()[BACKGROUND] > WIDTH * HEIGHT // 4


async def startXvnc(
    bench: Bench,
    password: str | None = None,
    blacklist: bool = False,
    port: int = 0,
    options: Sequence[str] = (),
) -> Desktop:
    """
    Start a desktop.

    @param password: asks for VNC authentication; with L{None} the security type is None.
    @param blacklist: let Xvnc shut out addresses after five failed logins, as it does by default.
    @param port: of an earlier desktop that ended, to come back where it was; 0 takes a free one.
    @param options: of Xvnc, on top.
    """
    port = port or freePort()
    security = ["-SecurityTypes", "None"]
    if password is not None:
        security = ["-SecurityTypes", "VncAuth", "-PasswordFile", str(passwordFile(bench, password))]
    display = await startDisplay(
        bench, "xvnc", "Xvnc",
        "-interface", "127.0.0.1", "-rfbport", str(port), "-nolisten", "tcp",
        "-geometry", f"{WIDTH}x{HEIGHT}", "-depth", "24", "-desktop", "desk",
        "-AlwaysShared", f"-UseBlacklist={int(blacklist)}", *security, *options,
    )  # fmt: skip
    typed = bench.path("typed.txt")
    await _furnish(bench, display, typed)
    return Desktop(display, port, typed)


def passwordFile(bench: Bench, password: str) -> Path:
    """
    C{password} as the file that TigerVNC's programs read.
    """
    path = bench.path("vnc.pass")
    hidden = subprocess.run(
        ["tigervncpasswd", "-f"], input=password.encode() + b"\n", stdout=subprocess.PIPE, check=True, timeout=10
    )
    path.write_bytes(hidden.stdout)
    return path


async def _furnish(bench: Bench, display: Display, typed: Path) -> None:
    env = {"DISPLAY": display.name}
    colour = "#" + bytes(BACKGROUND).hex()
    painter = await bench.run("xsetroot", "xsetroot", "-solid", colour, env=env)
    if await painter.ends():
        raise AssertionError(f"xsetroot failed:\n{painter.output()}")
    await bench.run("xclock", "xclock", "-update", "1", "-geometry", "150x150+620+20", env=env)
    # Without its line discipline the terminal hands on each key at once, not each line.
    script = f"stty -icanon; exec tee {typed}"
    words = ["xterm", "-geometry", "60x8+20+430", "-bg", "white", "-fg", "black", "-e", "sh", "-c", script]
    terminal = await bench.run("xterm", *words, env=env)
    await terminal.until(typed.exists, "its shell ran")
