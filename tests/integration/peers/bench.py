"""
The bench that a test puts its peers on, and the programs that run on it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

T = TypeVar("T")

ROOT: Final = Path(__file__).parents[3]
_OUTPUT: Final = ROOT / "test-output" / "peers"

# How often a condition is looked at, and how long a program that was asked to end may take, in seconds.
_GLANCE: Final = 0.02
_FAREWELL: Final = 5.0


class Bench:
    """
    One test's place for real programs: a scratch directory, a directory for logs, and the end of everything.

    @ivar reactor: the reactor that trial turns. The peers are real, so it is the real one; it is asked for only here.
    @ivar directory: scratch, gone after the test. Its path is short enough for a UNIX socket in it.
    @ivar logs: what the programs said; stays after the test.
    """

    def __init__(self, case: TestCase) -> None:
        from twisted.internet import reactor  # noqa: TID251

        self.case = case
        self.reactor: Any = reactor
        self.directory = Path(tempfile.mkdtemp(prefix="vncproxy-"))
        case.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.logs = _OUTPUT / case.id().removeprefix("tests.integration.")
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir(parents=True)

    def path(self, name: str) -> Path:
        """
        A path in the scratch directory that nothing has yet: C{name}, or C{name-2} and so on.
        """
        return _unused(self.directory, name)

    def atEnd(self, act: Callable[[], Any]) -> None:
        """
        Do C{act} when the test is over; what was arranged last is done first. It may return a Deferred or a coroutine.
        """
        self.case.addCleanup(act)

    async def pause(self, seconds: float) -> None:
        """
        Let C{seconds} pass. For showing that nothing happens; to wait for something there is L{until}.
        """
        await deferLater(self.reactor, seconds)

    async def until(self, look: Callable[[], T | None], what: str, timeout: float = 10.0) -> T:
        """
        Look again and again until C{look} returns something true, and return that.

        @param what: completes the sentence C{"waited N s for …"}.
        @raise AssertionError: it did not come about within C{timeout} seconds.
        """

        async def lookNow() -> T | None:
            return look()

        return await self.untilAsync(lookNow, what, timeout)

    async def untilAsync(
        self, look: Callable[[], Coroutine[Any, Any, T | None]], what: str, timeout: float = 10.0
    ) -> T:
        """
        Like L{until}, where looking takes time itself.
        """
        end = self.reactor.seconds() + timeout
        while True:
            seen = await look()
            if seen:
                return seen
            if self.reactor.seconds() > end:
                raise AssertionError(f"waited {timeout:g} s for {what}")
            await self.pause(_GLANCE)

    async def within(self, seconds: float, waiting: Deferred[T] | Coroutine[Any, Any, T], what: str) -> T:
        """
        The outcome of C{waiting}, which is cancelled after C{seconds}.

        @raise AssertionError: it took longer.
        """

        def late(_outcome: object, _seconds: float) -> NoReturn:
            raise AssertionError(f"waited {seconds:g} s for {what}")

        deferred = waiting if isinstance(waiting, Deferred) else Deferred.fromCoroutine(waiting)
        return await deferred.addTimeout(seconds, self.reactor, late)

    async def run(
        self,
        name: str,
        *argv: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Program:
        """
        Start a program; it is ended with the test.

        It leads a session of its own, and the kernel ends it should the test runner die first.

        @param name: of its log; also what errors call it.
        @param env: on top of the environment of the test.
        @raise AssertionError: the machine does not have the program.
        """
        words = [os.fspath(word) for word in argv]
        if shutil.which(words[0]) is None:
            raise AssertionError(f"{words[0]} is not installed: `make test` says which package has it")
        program = Program(self, name, _unused(self.logs, f"{name}.log"))
        words = ["setsid", "setpriv", "--pdeathsig", "TERM", "--", *words]
        with open(program.log, "wb") as log, open(os.devnull, "rb") as nothing:
            log.write((" ".join(words[5:]) + "\n").encode())
            log.flush()
            self.reactor.spawnProcess(
                program,
                words[0],
                words,
                env={**_environ(), **(env or {})},
                path=os.fspath(cwd or self.directory),
                childFDs={0: nothing.fileno(), 1: log.fileno(), 2: log.fileno(), Program.NOTICES: "r"},
            )
        self.atEnd(program.stop)
        return program


class Program(ProcessProtocol):
    """
    A program that runs.

    @ivar pid: its process, and the number of the session that it leads.
    @ivar ended: whether it is over; C{status} is its exit status then, or minus the number of the signal that ended it.
    @ivar notices: what it wrote to the file descriptor L{NOTICES}.
    """

    NOTICES: Final = 3

    transport: Any

    def __init__(self, bench: Bench, name: str, log: Path) -> None:
        self.bench = bench
        self.name = name
        self.log = log
        self.pid = 0
        self.notices = b""
        self.ended = False
        self.status = 0

    def connectionMade(self) -> None:
        self.pid = self.transport.pid

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.notices += data

    def processEnded(self, reason: Failure) -> None:
        self.ended = True
        value: Any = reason.value
        self.status = -value.signal if value.signal else value.exitCode

    def output(self) -> str:
        """
        What it said so far, on stdout and stderr.
        """
        return self.log.read_text(errors="replace")

    async def until(self, look: Callable[[], T | None], what: str, timeout: float = 10.0) -> T:
        """
        Like L{Bench.until}, but fails at once, showing what the program said last, when it ends before.
        """

        def lookOrFail() -> T | None:
            seen = look()
            if not seen and self.ended:
                tail = self.output()[-2000:]
                raise AssertionError(f"{self.name} ended with {self.status} before {what}:\n{tail}")
            return seen

        return await self.bench.until(lookOrFail, f"{what} (its log is {self.log})", timeout)

    async def says(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """
        Wait until what it says holds the regular expression C{pattern}.
        """
        found = await self.until(lambda: re.search(pattern, self.output()), f"{self.name} said {pattern!r}", timeout)
        assert found is not None
        return found

    async def ends(self, timeout: float = 10.0) -> int:
        """
        Wait until it has ended by itself; its exit status.
        """
        await self.bench.until(lambda: self.ended, f"the end of {self.name}", timeout)
        return self.status

    def signal(self, number: int) -> None:
        """
        Send a signal to the program and to whatever it started in its session. Nothing happens when it has ended.
        """
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            # It may not have come as far as leading its group.
            try:
                self.transport.signalProcess(number)
            except ProcessExitedAlready:
                return

    async def stop(self, patience: float = _FAREWELL) -> None:
        """
        End it: asked first, forced after C{patience} seconds, waited for in either case.
        """
        if not self.ended:
            # A program that was halted (SIGSTOP) hears nothing else before it may go on.
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                await self.ends(patience)
            except AssertionError:
                self.signal(signal.SIGKILL)
        await self.ends(_FAREWELL)

    async def kill(self) -> None:
        """
        End it with no warning, as a crash would.
        """
        self.signal(signal.SIGKILL)
        await self.ends(_FAREWELL)


def _environ() -> dict[str, str]:
    # Trial's workers get the runner's path in PYTHONPATH; with it, no virtual environment would stand on its own.
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _unused(directory: Path, name: str) -> Path:
    stem, dot, suffix = name.partition(".")
    path = directory / name
    count = 1
    while path.exists():
        count += 1
        path = directory / f"{stem}-{count}{dot}{suffix}"
    return path
