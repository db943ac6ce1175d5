"""
The gate: everything that must hold before a change is let in.

    .venv/bin/python .ci/gate.py [STEP...]

Runs the steps named, or all of them, one after the other; a failure does not keep the later ones from running. The last
line sums up the tests that ran, C{N passed, M failed}; the exit status is 0 only if every step succeeded.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import steps

_BIN = Path(sys.executable).parent
# What touches no socket and no clock, and so has no excuse for a branch that no test takes.
_PURE = ",".join(
    f"vncproxy/{part}"
    for part in (
        "addresses.py",
        "attempts.py",
        "api/microversion.py",
        "api/novaquery.py",
        "api/signature.py",
        "config/*",
        "consoleauth/messages.py",
        "consoleauth/params.py",
        "errors.py",
        "forwarded.py",
        "httphead.py",
        "model.py",
        "origin.py",
        "proxyprotocol.py",
        "rfb/*",
        "rights.py",
        "targets.py",
        "tokens/rules.py",
        "tokens/websockify/formats.py",
    )
)


@dataclass(frozen=True)
class Count:
    """
    How many tests ran well, and how many did not: one that was skipped did not.
    """

    passed: int = 0
    failed: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed)


def trialCount(output: str) -> Count | None:
    """
    The count in what trial says at its end (C{Ran 3 tests in …}, C{FAILED (errors=2, successes=1)}); L{None} if there
    is no end.

    One test may bring several errors, so only the successes are read there.
    """
    ran = re.findall(r"^Ran (\d+) tests? in", output, re.MULTILINE)
    verdict = re.findall(r"^(PASSED|FAILED)(?: \(.*?(?:successes=(\d+))?\))?$", output, re.MULTILINE)
    if not ran or not verdict:
        return None
    word, successes = verdict[-1]
    passed = int(successes or 0)
    return Count(passed, max(int(ran[-1]) - passed, int(word == "FAILED")))


def nodeCount(output: str) -> Count | None:
    """
    The count in what Node's test runner says at its end (C{# tests 3}, C{# pass 3}); L{None} if there is no end.
    """
    told = dict(re.findall(r"^(?:#|\u2139) (tests|pass) (\d+)$", output, re.MULTILINE))
    if set(told) != {"tests", "pass"}:
        return None
    return Count(int(told["pass"]), int(told["tests"]) - int(told["pass"]))


@dataclass(frozen=True)
class Step:
    """
    @ivar counted: finds the count of tests in the output, for a step that runs tests.
    """

    command: Sequence[str]
    counted: Callable[[str], Count | None] | None = None
    environ: dict[str, str] = field(default_factory=dict)


def _tool(name: str, *words: str) -> list[str]:
    return [str(_BIN / name), *words]


def _trial(name: str, *words: str) -> list[str]:
    return ["-m", "twisted.trial", f"--temp-directory=test-output/trial-{name}", *words]


def _testModules(directory: str) -> list[str]:
    paths = sorted((steps.ROOT / directory).glob("test_*.py"))
    return [f"{directory.replace('/', '.')}.{path.stem}" for path in paths]


STEPS = {
    "lint": Step(_tool("ruff", "check", "--no-cache", ".")),
    "format": Step(_tool("ruff", "format", "--check", "--no-cache", ".")),
    "types": Step(_tool("mypy")),
    "unit tests": Step(
        [*_tool("coverage", "run"), *_trial("unit", "-j2", *_testModules("tests"))],
        trialCount,
    ),
    "coverage": Step(
        ["sh", "-c", f"{_BIN}/coverage combine -q && {_BIN}/coverage report --include='{_PURE}' --fail-under=100"]
    ),
    "page tests": Step(["npm", "--prefix", "vncproxy/pages", "test"], nodeCount),
    "docs": Step(_tool("pydoctor"), environ={"PYTHONPATH": "docs"}),
    "integration tests": Step(
        [sys.executable, *_trial("integration", "-j2", *_testModules("tests/integration"))],
        trialCount,
    ),
}
# The last line once more, for whoever has to say it after make has had its own last word.
SUMMARY = "summary"
QUICK = ("lint", "format", "types", "unit tests", "coverage")


def main(names: Sequence[str]) -> int:
    """
    Run the steps of these names; the exit status.
    """
    total = Count()
    failed = []
    # What an earlier run that was broken off has left would be counted in.
    for stale in steps.OUTPUT.glob(".coverage*"):
        stale.unlink()
    for name in names:
        step = STEPS[name]
        outcome = steps.run(name, step.command, step.environ)
        count = Count()
        if step.counted is not None:
            count = step.counted(outcome.log.read_text(errors="replace")) or Count()
            # A run that never came to its end, or found no tests, is one failure.
            count = count if count != Count() else Count(0, 1)
            total += count
            if outcome.ok and count.failed:
                # The runner is content with tests that it skipped, or with none at all; we are not.
                print(
                    f"--- {name}: {count.passed} passed, {count.failed} failed, skipped or not found; see {outcome.log}"
                )
        if not outcome.ok or count.failed:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    summary = f"{total.passed} passed, {total.failed} failed"
    (steps.OUTPUT / SUMMARY).write_text(summary + "\n")
    print(summary)
    return int(bool(failed))


if __name__ == "__main__":
    wanted = sys.argv[1:]
    try:
        sys.exit(main(QUICK if wanted == ["quick"] else wanted or list(STEPS)))
    except KeyboardInterrupt:
        sys.exit(130)
