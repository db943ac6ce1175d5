"""
A QEMU guest without an operating system, which writes on its screen what is typed.

It boots this from a floppy image (BIOS services: INT 16h reads a key, INT 10h function 0Eh writes a character)::

    again:  xor ax, ax          31 c0
            int 16h             cd 16       wait for a key, AL = its character
            mov ah, 0Eh         b4 0e
            mov bx, 7           bb 07 00    page 0, grey
            int 10h             cd 10
            jmp again           eb f3
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from tests.integration.peers.bench import Bench, Program
from tests.ports import freePort

_ECHO: Final = bytes.fromhex("31c0 cd16 b40e bb0700 cd10 ebf3").ljust(510, b"\0") + b"\x55\xaa"
# The text screen of a PC: 25 rows of 80 cells, each a character and its colours.
_TEXT_SCREEN: Final = 0xB8000
_ROWS: Final = 25
_COLUMNS: Final = 80
# QEMU's display N is port 5900 + N.
_BASE_PORT: Final = 5900


class _QMP(LineOnlyReceiver):
    """
    QEMU's machine protocol: one JSON object a line; an answer comes for each command, events come between.
    """

    delimiter = b"\n"
    MAX_LENGTH = 1 << 20

    def __init__(self) -> None:
        self._answers: list[Deferred[Any]] = []

    def ask(self, command: str, arguments: dict[str, Any]) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self._answers.append(answer)
        self.sendLine(json.dumps({"execute": command, "arguments": arguments}).encode())
        return answer

    def lineReceived(self, line: bytes) -> None:
        told = json.loads(line)
        if "return" in told:
            self._answers.pop(0).callback(told["return"])
        elif "error" in told:
            self._answers.pop(0).errback(AssertionError(told["error"]["desc"]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        for answer in self._answers:
            answer.errback(ConnectionDone())


class Guest:
    """
    A guest that runs.

    @ivar url: its target URL.
    @ivar where: its RFB port on 127.0.0.1, or the path of its UNIX socket.
    """

    def __init__(self, bench: Bench, program: Program, where: int | str, qmp: _QMP) -> None:
        self._bench = bench
        self.program = program
        self.where = where
        self._qmp = qmp

    @property
    def url(self) -> str:
        """
        The target URL.
        """
        return f"vnc://127.0.0.1:{self.where}" if isinstance(self.where, int) else f"vnc+unix://{self.where}"

    async def ask(self, command: str, **arguments: Any) -> Any:
        """
        Have QEMU execute a QMP command; what it returns.
        """
        return await self._bench.within(10, self._qmp.ask(command, arguments), f"QEMU to answer {command}")

    async def setPassword(self, password: str) -> None:
        """
        Set the VNC password; the guest was started with C{password=True}. Before this, every login fails.
        """
        await self.ask("set_password", protocol="vnc", password=password)

    async def text(self) -> str:
        """
        The text on its screen, read from its memory; rows joined by newlines, without blanks at their ends.
        """
        dump = self._bench.path("screen")
        await self.ask("pmemsave", val=_TEXT_SCREEN, size=2 * _ROWS * _COLUMNS, filename=str(dump))
        cells = dump.read_bytes()[::2].decode("cp437").replace("\0", " ")
        dump.unlink()
        rows = (cells[start : start + _COLUMNS].rstrip() for start in range(0, len(cells), _COLUMNS))
        return "\n".join(rows).rstrip()

    async def hasTyped(self, text: str, timeout: float = 10.0) -> None:
        """
        Wait until C{text} stands on its screen.
        """

        async def look() -> bool:
            return text in await self.text()

        await self._bench.untilAsync(look, f"{text!r} on the guest's screen", timeout)


async def startQEMU(
    bench: Bench,
    password: bool = False,
    unix: bool = False,
    options: Sequence[str] = (),
) -> Guest:
    """
    Start a guest, and wait until it reads its keyboard.

    @param password: ask for VNC authentication; see L{Guest.setPassword}.
    @param unix: speak RFB on a UNIX socket, not on a TCP port.
    @param options: of QEMU, on top.
    """
    image = bench.path("echo.img")
    image.write_bytes(_ECHO)
    where = str(bench.path("vnc.sock")) if unix else freePort()
    listen = f"127.0.0.1:{where - _BASE_PORT}" if isinstance(where, int) else f"unix:{where}"
    control = bench.path("qmp.sock")
    program = await bench.run(
        "qemu", "qemu-system-x86_64", "-accel", "tcg", "-m", "16", "-net", "none", "-display", "none",
        "-drive", f"file={image},format=raw,if=floppy,readonly=on", "-boot", "a",
        "-qmp", f"unix:{control},server=on,wait=off", "-vnc", listen + (",password=on" if password else ""),
        *options,
    )  # fmt: skip
    guest = Guest(bench, program, where, await _control(bench, program, control))
    await guest.hasTyped("Booting from Floppy...")
    return guest


async def _control(bench: Bench, program: Program, path: Path) -> Any:
    endpoint = UNIXClientEndpoint(bench.reactor, str(path))

    async def connect() -> Any:
        # The socket's path is there a moment before anybody listens on it.
        try:
            return await endpoint.connect(Factory.forProtocol(_QMP))
        except ConnectError:
            return None

    await program.until(path.exists, "its control socket was there")
    qmp = await bench.untilAsync(connect, "QEMU's control socket")
    bench.atEnd(qmp.transport.loseConnection)
    await bench.within(10, qmp.ask("qmp_capabilities", {}), "QEMU to greet")
    return qmp
