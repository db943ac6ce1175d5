"""
vncproxy beside websockify 0.13 with TokenFile, in one run on one machine::

    .venv/bin/python benchmarks/against_websockify.py [--gigabytes 2] [--sessions 200] [--set-ups 400]

Both relay between the same client and the same target. Measured are: complete session set-ups a second (token, target,
RFB handshake, hang-up) and the CPU time of each, the memory that a session adds, CPU seconds per GB through one session
and through many. Look at the ratios: the absolute figures are this machine's, at this moment.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from client import Viewer
from measure import cpuSeconds, memoryKB

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent


@dataclass
class Contender:
    """
    A proxy under test.
    """

    name: str
    port: int
    pid: int
    tokens: list[str]


@contextmanager
def program(*command: object, **options: object) -> Iterator[subprocess.Popen[str]]:
    """
    Run a program, and end it at the end.
    """
    process = subprocess.Popen([str(part) for part in command], text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def waitFor(what: Callable[[], object], seconds: float = 20) -> None:
    """
    Wait until C{what} is true.
    """
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            raise TimeoutError("a contender did not come up")
        time.sleep(0.05)


def startVNCProxy(stack: ExitStack, directory: Path, target: int, count: int) -> Contender:
    """
    Ours, with its defaults: SQLite store, one token of many uses for each session.
    """
    config = directory / "vncproxy.toml"
    config.write_text(
        "\n".join(f'[{name}]\nlisten = "tcp:0:interface=127.0.0.1"' for name in ("web", "java", "api"))
        + f'\n[[console]]\nid = "bench"\nname = "bench"\nurl = "vnc://127.0.0.1:{target}"\n'
    )
    log = stack.enter_context((directory / "vncproxy.log").open("w"))
    command = (BIN / "twistd", "-n", "--pidfile=", "vncproxy", "--config", config, "--state-dir", directory)
    process = stack.enter_context(program(*command, stdout=log, stderr=log))
    endpoints = directory / "endpoints.json"
    waitFor(endpoints.exists)
    urls = json.loads(endpoints.read_text())
    key = (directory / "api.key").read_text().strip()
    tokens = []
    for _ in range(count):
        request = urllib.request.Request(
            urls["api"][0] + "/v1/consoles/bench/access",
            json.dumps({"type": "novnc", "uses": 0}).encode(),
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            tokens.append(json.load(response)["token"])
    return Contender("vncproxy", int(urls["web"][0].rpartition(":")[2]), process.pid, tokens)


def startWebsockify(stack: ExitStack, directory: Path, target: int, count: int) -> Contender:
    """
    websockify with TokenFile; its log goes nowhere, as ours would in production go to the journal.
    """
    tokens = [f"token{number}" for number in range(count)]
    (directory / "tokens").write_text("".join(f"{token}: 127.0.0.1:{target}\n" for token in tokens))
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = stack.enter_context((directory / "websockify.log").open("w"))
    command = (BIN / "websockify", "--token-plugin", "TokenFile", "--token-source", directory / "tokens")
    process = stack.enter_context(program(*command, f"127.0.0.1:{port}", stdout=log, stderr=log))

    def answers() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    waitFor(answers)
    return Contender("websockify", port, process.pid, tokens)


def measureSetUps(contender: Contender, rounds: int) -> dict[str, float]:
    """
    Two clients open and close sessions as fast as they can.
    """
    cpu, began = cpuSeconds(contender.pid), time.monotonic()
    command = [sys.executable, str(HERE / "client.py"), "setups", str(contender.port), str(rounds // 2)]
    clients = [
        subprocess.Popen([*command, *half], stdout=subprocess.DEVNULL)
        for half in (contender.tokens[::2], contender.tokens[1::2])
    ]
    if any([client.wait(600) for client in clients]):
        raise RuntimeError("a client failed")
    seconds = time.monotonic() - began
    time.sleep(0.5)
    return {
        "set-ups/s": rounds / seconds,
        "CPU ms/set-up": 1000 * (cpuSeconds(contender.pid) - cpu) / rounds,
    }


def measureThroughput(contender: Contender, sessions: int, gigabytes: float) -> dict[str, float]:
    """
    Sessions that receive C{gigabytes} between them, at the same time; and what they hold while nothing happens.
    """
    idle = memoryKB(contender.pid)
    viewers = []
    for token in contender.tokens[:sessions]:
        viewers.append(Viewer(contender.port, token))
        viewers[-1].open()
    time.sleep(1)
    held = (memoryKB(contender.pid) - idle) / sessions
    share = int(gigabytes * 1e9 / sessions)
    cpu = cpuSeconds(contender.pid)
    began = time.monotonic()
    turn = 256 * 1024 if sessions > 1 else share
    left = share
    while left > 0:
        part = min(turn, left)
        for viewer in viewers:
            viewer.ask(part)
        for viewer in viewers:
            viewer.take(part)
        left -= part
    seconds = time.monotonic() - began
    spent = cpuSeconds(contender.pid) - cpu
    for viewer in viewers:
        viewer.close()
    time.sleep(1)
    return {
        f"KB/session ({sessions})": held,
        f"CPU s/GB ({sessions})": spent / gigabytes,
        f"MB/s ({sessions})": gigabytes * 1000 / seconds,
    }


def main() -> None:
    """
    Run both, print a table.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("::")[0])
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--set-ups", type=int, default=400)
    arguments = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target = stack.enter_context(program(sys.executable, HERE / "target.py", stdout=subprocess.PIPE))
        assert target.stdout is not None
        port = int(target.stdout.readline())
        for start in (startVNCProxy, startWebsockify):
            with ExitStack() as own:
                contender = start(own, directory, port, arguments.sessions)
                print(f"measuring {contender.name} …", file=sys.stderr, flush=True)
                measureSetUps(contender, 20)  # warm up
                results[contender.name] = (
                    measureSetUps(contender, arguments.set_ups)
                    | measureThroughput(contender, 1, arguments.gigabytes)
                    | measureThroughput(contender, arguments.sessions, arguments.gigabytes)
                )
    ours, theirs = results["vncproxy"], results["websockify"]
    print(f"{'':20}{'vncproxy':>12}{'websockify':>12}{'ratio':>8}")
    for key, value in ours.items():
        print(f"{key:20}{value:12.2f}{theirs[key]:12.2f}{value / theirs[key]:8.2f}")


if __name__ == "__main__":
    main()
