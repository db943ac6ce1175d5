"""
Token checks a second, and how long one takes, through each kind of store::

    .venv/bin/python benchmarks/token_checks.py [--tokens 20000] [--at-once 64] [STORE...]

STORE is C{memory}, what C{[store] url} takes, or C{consoleauth}, which is a controller in a process of its own with an
SQLite file, asked over TCP; without one, memory, an SQLite file, a Redis that is started for it, and C{consoleauth}.
A check is what a proxy does for each viewer: the token is redeemed, one use is spent and written. Each token is of one
use and is redeemed once. The time of one check is that of a viewer who comes alone, and of one of many at once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.internet import reactor  # noqa: TID251
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from vncproxy.config import ConsoleAuthSection, StoreSection
from vncproxy.config.controller import parseController
from vncproxy.consoleauth import ConsoleAuthAuthority
from vncproxy.controlling import askController
from vncproxy.interfaces import IStore, ITokenAuthority
from vncproxy.model import ConsoleType, ViewerFacts
from vncproxy.stores import makeStore
from vncproxy.stores.memory import MemoryStore
from vncproxy.tokens.authority import StoreAuthority


def percentile(times: list[float], share: float) -> float:
    """
    The time that C{share} of all did not exceed, in milliseconds.
    """
    return sorted(times)[min(int(len(times) * share), len(times) - 1)] * 1000


class Measurement:
    """
    One store.
    """

    def __init__(self, name: str, authority: Any, opened: IStore | ConsoleAuthAuthority) -> None:
        """
        @param opened: what is opened before, and closed after.
        """
        self.name = name
        self._authority: ITokenAuthority = authority
        self._opened = opened

    async def run(self, count: int, atOnce: int) -> str:
        """
        Measure, and say what came out.
        """
        await (self._opened.start() if isinstance(self._opened, ConsoleAuthAuthority) else self._opened.open())
        alone = await self._mint(min(count, 2000))
        _, single = await self._redeem(alone, 1)
        many = await self._mint(count)
        seconds, times = await self._redeem(many, atOnce)
        await (self._opened.stop() if isinstance(self._opened, ConsoleAuthAuthority) else self._opened.close())
        return (
            f"{self.name:<28}{count / seconds:>10,.0f}{percentile(single, 0.5):>10.2f}{percentile(single, 0.99):>10.2f}"
            f"{percentile(times, 0.5):>10.2f}{percentile(times, 0.99):>10.2f}"
        )

    async def _mint(self, count: int) -> list[str]:
        minted = []
        for begin in range(0, count, 500):
            mints = [
                Deferred.fromCoroutine(self._authority.authorizeConsole(f"vm{number % 100}", ConsoleType.NOVNC))
                for number in range(begin, min(begin + 500, count))
            ]
            minted += [issued.token for _, issued in await DeferredList(mints, fireOnOneErrback=True)]
        return minted

    async def _redeem(self, tokens: list[str], atOnce: int) -> tuple[float, list[float]]:
        """
        Redeem tokens, so many at a time; the seconds that it took, and those of each.
        """
        waiting, times = iter(tokens), list[float]()

        async def viewer() -> None:
            for token in waiting:
                begun = time.perf_counter()
                await self._authority.redeemToken(ViewerFacts("web", ConsoleType.NOVNC, "10.0.0.9", token, "cookie"))
                times.append(time.perf_counter() - begun)
                if len(times) % 50 == 0:
                    # A store that answers at once would keep the others from coming.
                    await deferLater(reactor, 0)  # type: ignore[arg-type]

        begun = time.perf_counter()
        viewers = [Deferred.fromCoroutine(viewer()) for _ in range(atOnce)]
        await DeferredList(viewers, fireOnOneErrback=True)
        return time.perf_counter() - begun, times


@contextmanager
def redis(directory: Path) -> Iterator[str]:
    """
    A Redis in memory; its URL.
    """
    socket = directory / "redis.sock"
    words = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(directory)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(0.01)
        yield f"redis+unix://{socket}"
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def controller() -> Iterator[ConsoleAuthAuthority]:
    """
    A controller; the authority that asks it.
    """
    with tempfile.TemporaryDirectory(prefix="vncproxy-controller-") as name:
        config, told = Path(name) / "controller.toml", Path(name) / "state" / "endpoints.json"
        consoles = "".join(f'[[console]]\nid = "vm{number}"\nurl = "vnc://127.0.0.1"\n' for number in range(100))
        listen = 'listen = "tcp:0:interface=127.0.0.1"\n'
        config.write_text(f"[api]\n{listen}[consoleauth]\n{listen}{consoles}")
        words = ["-n", "--pidfile=", "consoleauth", "--config", str(config), "--state-dir", str(told.parent)]
        process = subprocess.Popen([str(Path(sys.executable).with_name("twistd")), *words], stdout=subprocess.DEVNULL)
        try:
            while not told.exists():
                time.sleep(0.05)
            port = urlsplit(json.loads(told.read_text())["consoleauth"][0]).port
            place = parseController(f"tcp:127.0.0.1:{port}")
            assert place is not None
            settings = ConsoleAuthSection(timeout=30, key_file=str(told.parent / "api.key"))
            yield askController(reactor, place, settings, "benchmark")
        finally:
            process.terminate()
            process.wait(20)


async def measure(stores: list[str], arguments: argparse.Namespace) -> None:
    """
    Measure one store after the other.
    """
    print(f"{'':<28}{'checks':>10}{'alone, ms':>20}{f'{arguments.at_once} at once, ms':>20}")
    print(f"{'store':<28}{'a second':>10}{'median':>10}{'p99':>10}{'median':>10}{'p99':>10}")
    for name in stores:
        with ExitStack() as ending:
            if name == "consoleauth":
                authority: Any = ending.enter_context(controller())
                opened: Any = authority
            else:
                opened = MemoryStore() if name == "memory" else makeStore(StoreSection(url=name, timeout=30), reactor)
                authority = StoreAuthority(opened, reactor, ConsoleAuthSection(timeout=30))  # type: ignore[arg-type]
            measurement = Measurement(name.partition(":")[0], authority, opened)
            print(await measurement.run(arguments.tokens, arguments.at_once), flush=True)


def main() -> None:
    """
    Read the options, and measure.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("store", nargs="*")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vncproxy-checks-") as name, redis(Path(name)) as url:
        stores = arguments.store or ["memory", f"sqlite:{name}/tokens.sqlite", url, "consoleauth"]
        loop: Any = reactor
        work = Deferred.fromCoroutine(measure(stores, arguments))
        work.addErrback(lambda failure: failure.printTraceback()).addBoth(lambda result: loop.stop())
        loop.run()


if __name__ == "__main__":
    main()
