"""
X displays: a virtual one for viewers to run on, and what any of them shows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from twisted.internet.utils import getProcessOutputAndValue

from tests.integration.peers.bench import Bench, Program
from tests.integration.peers.picture import Picture, pictureWhere

WIDTH: Final = 800
HEIGHT: Final = 600


class Display:
    """
    An X server that runs.

    @ivar name: for the environment variable C{DISPLAY}.
    """

    def __init__(self, bench: Bench, program: Program, name: str) -> None:
        self.bench = bench
        self.program = program
        self.name = name

    async def picture(self) -> Picture:
        """
        What its whole screen shows now.
        """
        argv = ["-silent", "-window", "root", "-depth", "8", "rgb:-"]
        env = {**os.environ, "DISPLAY": self.name}
        running = getProcessOutputAndValue("/usr/bin/import", argv, env, reactor=self.bench.reactor)
        rgb, complaint, status = await self.bench.within(20, running, f"a picture of display {self.name}")
        if status:
            raise AssertionError(f"no picture of display {self.name}: {complaint.decode(errors='replace')}")
        return Picture(WIDTH, HEIGHT, rgb)

    async def pictureWhere(self, looksRight: Callable[[Picture], bool], what: str, timeout: float = 20.0) -> Picture:
        """
        The first picture that C{looksRight}; see L{pictureWhere<tests.integration.peers.picture.pictureWhere>}.
        """
        return await pictureWhere(self.bench, self.picture, looksRight, what, timeout)

    async def press(self, *chords: str) -> None:
        """
        Press keys by their X names (C{"a"}, C{"Return"}, C{"ctrl+alt+Delete"}), as the person at this display would.
        """
        await self._xdotool("key", "--delay", "30", *chords)

    async def click(self, x: int, y: int) -> None:
        """
        Move the pointer there and click.
        """
        await self._xdotool("mousemove", str(x), str(y), "click", "1")

    async def focus(self, title: str) -> None:
        """
        Give the keyboard to the window whose title holds C{title}: there is no window manager here to do that.
        """
        await self._xdotool("search", "--sync", "--onlyvisible", "--name", title, "windowfocus", "--sync")

    async def _xdotool(self, *words: str) -> None:
        program = await self.bench.run("xdotool", "xdotool", *words, env={"DISPLAY": self.name})
        if await program.ends():
            raise AssertionError(f"xdotool failed:\n{program.output()}")


async def startXvfb(bench: Bench) -> Display:
    """
    A display that nobody sees, for viewers to run on.
    """
    screen = f"{WIDTH}x{HEIGHT}x24"
    return await startDisplay(bench, "xvfb", "Xvfb", "-screen", "0", screen, "-nolisten", "tcp")


async def startDisplay(bench: Bench, name: str, *argv: str) -> Display:
    """
    Start an X server; it picks a number that is free and says so when it is ready (C{-displayfd}).
    """
    program = await bench.run(name, *argv, "-displayfd", str(Program.NOTICES))
    await program.until(lambda: program.notices.endswith(b"\n"), "its display number")
    return Display(bench, program, f":{int(program.notices)}")
