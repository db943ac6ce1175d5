"""
A Redis of the tests' own, and stores over it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor

from tests.storesuite import StoreCase
from vncproxy.config import StoreSection
from vncproxy.config.stores import RedisPlace, parseStore
from vncproxy.stores.redis import RedisStore


class OwnReactor(EPollReactor):
    """
    A reactor that is nobody else's. It turns while a test waits for something, and at no other time.
    """

    def runUntil(self, done: Deferred[Any], seconds: float = 20.0) -> None:
        """
        Turn until C{done} has fired.
        """
        end = time.monotonic() + seconds
        while not done.called:
            if time.monotonic() > end:
                raise AssertionError(f"it took longer than {seconds:g} s")
            self.iterate(0.02)


class RedisServer:
    """
    A Redis on a UNIX socket, in memory alone. The kernel ends it should the test runner die first.

    @ivar directory: of its own, with a path short enough for a socket.
    @ivar socket: where it listens.
    """

    def __init__(self, *options: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="vncproxy-redis-"))
        self.socket = self.directory / "s"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """
        Start it, and wait until it listens.
        """
        words = ["setpriv", "--pdeathsig", "KILL", "--", "redis-server", "--port", "0", "--save", ""]
        words += ["--unixsocket", str(self.socket), "--dir", str(self.directory), *self._options]
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 10
        while not self._listens():
            if time.monotonic() > end or self._process.poll() is not None:
                raise AssertionError(f"no redis-server: {(self.directory / 'log').read_text()[-500:]}")
            time.sleep(0.005)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(os.fspath(self.socket))
            except OSError:
                return False
            return True

    def signal(self, number: int) -> None:
        """
        Send it a signal.
        """
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """
        End it with no warning.
        """
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        # It would be found by those who look whether there is a server.
        self.socket.unlink(missing_ok=True)

    def remove(self) -> None:
        """
        End it, and take everything away.
        """
        self.kill()
        shutil.rmtree(self.directory)


class RedisCase(StoreCase):
    """
    Stores over a Redis that each test has for itself.
    """

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        """
        Start the server, and make a reactor.
        """
        super().setUp()
        self.server = RedisServer(*self.options)
        self.addCleanup(self.server.remove)
        self.server.start()
        self.reactor: Any = OwnReactor()

    def place(self, **more: Any) -> RedisPlace:
        """
        Where the server is.
        """
        place = parseStore(f"redis+unix://{self.server.socket}")
        assert isinstance(place, RedisPlace)
        return place if not more else RedisPlace(path=place.path, **more)

    def makeStore(self, proxy: str = "", **settings: Any) -> RedisStore:
        """
        A store, closed when the test ends.
        """
        section = StoreSection(**settings)
        store = RedisStore(self.reactor, self.place(), section, proxy)
        self.addCleanup(lambda: self.result(store.close()))
        self.result(store.open())
        return store

    def execute(self, *words: str) -> str:
        """
        Give the server a command behind the store's back; what it answers, as C{redis-cli} shows it.
        """
        done = subprocess.run(
            ["redis-cli", "-s", os.fspath(self.server.socket), *words], capture_output=True, check=True, timeout=10
        )
        return done.stdout.decode().strip()
