"""
A place for Java applets to run in: browsers have none any more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.integration.peers.bench import Bench, Program
from tests.integration.peers.display import Display

_RUNNER: Final = Path(__file__).with_name("AppletRunner.java")


async def startApplet(bench: Bench, display: Display, page: str) -> Program:
    """
    Run the first applet of the page at the URL C{page}, with the archive and the parameters that the page names.

    The program says C{applet started} once the applet runs.
    """
    return await bench.run("applet", "java", _RUNNER, page, env={"DISPLAY": display.name})
