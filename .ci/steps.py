"""
One step of the gate: a command that is timed, kept quiet while it goes well, and shown whole when it fails.

    python3 .ci/steps.py NAME COMMAND...

No step may leave a process behind. While it runs, this program takes in the orphans of its descendants (prctl(2),
PR_SET_CHILD_SUBREAPER), so that whatever is still there when the command has ended is a child of this one: it is named,
ended, and the step has failed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "test-output"

_PR_SET_CHILD_SUBREAPER = 36
# What was told to end may take this long about it, in seconds, before it counts as left behind.
_GRACE = 2.0
# A step that takes longer hangs.
_LIMIT = 720.0


@dataclass(frozen=True)
class Outcome:
    """
    How a step went.

    @ivar ok: the command succeeded and left nothing behind.
    @ivar log: where everything that it said is.
    """

    name: str
    ok: bool
    seconds: float
    log: Path


def run(name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> Outcome:
    """
    Run a command in the root of the tree, say in one line how it went, and show all of its output if it failed.
    """
    _adoptOrphans()
    OUTPUT.mkdir(exist_ok=True)
    log = OUTPUT / f"{name.replace(' ', '-')}.log"
    print(f"{name:<24}", end="", flush=True)
    started = time.monotonic()
    with log.open("wb") as sink:
        status = _finish(command, {**os.environ, **(environ or {})}, sink.fileno())
        left = _leftovers()
        for line in left:
            sink.write(f"left behind: {line}\n".encode())
    seconds = time.monotonic() - started
    ok = status == 0 and not left
    print(f"{'ok' if ok else 'FAILED':<8}{seconds:6.1f} s", flush=True)
    if not ok:
        print(f"--- {' '.join(command)}\n{log.read_text(errors='replace').rstrip()}", flush=True)
        print(f"--- {name}: {_verdict(status, left)}", flush=True)
    return Outcome(name, ok, seconds, log)


def _adoptOrphans() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _finish(command: Sequence[str], environ: Mapping[str, str], sink: int) -> int | None:
    """
    The exit status of the command, L{None} if it had to be ended. Orphans that end meanwhile are buried at once: who
    waits for one of them to be gone looks for its number.
    """
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
    )
    deadline = time.monotonic() + _LIMIT
    try:
        while time.monotonic() < deadline:
            for pid, status in _reaped():
                if pid == process.pid:
                    process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode is not None:
                return process.returncode
            time.sleep(0.02)
        return None
    finally:
        # On an interrupt too, nothing stays.
        if process.returncode is None:
            _end(process.pid)
            process.wait()


def _verdict(status: int | None, left: Sequence[str]) -> str:
    if status is None:
        return f"did not end within {_LIMIT:.0f} s"
    return f"exit status {status}" if status else f"left {len(left)} process(es) behind"


def _leftovers() -> list[str]:
    """
    The descendants that are still there after a grace time, in words; they are ended.
    """
    deadline = time.monotonic() + _GRACE
    while (found := list(_descendants(os.getpid()))) and time.monotonic() < deadline:
        time.sleep(0.05)
    words = [f"pid {pid}: {_commandLine(pid)}" for pid in found]
    for pid in found:
        _end(pid)
    while list(_descendants(os.getpid())):
        time.sleep(0.05)
    return words


def _descendants(ancestor: int) -> Iterator[int]:
    for _ in _reaped():
        pass
    parents = {pid: parent for pid in _pids() if (parent := _parent(pid))}
    kin = {ancestor}
    # A child may have a lower number than its parent, so one pass is not enough.
    while more := {pid for pid, parent in parents.items() if parent in kin} - kin:
        kin |= more
    yield from sorted(kin - {ancestor})


def _reaped() -> Iterator[tuple[int, int]]:
    """
    The children that have ended, each with its wait status.
    """
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended
    except ChildProcessError:
        return


def _pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def _parent(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The name in parentheses may hold blanks and parentheses of its own (proc(5)).
    return int(text.rpartition(")")[2].split()[1])


def _commandLine(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "(gone)"


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    try:
        sys.exit(not run(sys.argv[1], sys.argv[2:]).ok)
    except KeyboardInterrupt:
        sys.exit(130)
