"""
The gate: its steps fail when they should, leave nothing behind, and its count of tests is exact.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

from twisted.trial.unittest import SynchronousTestCase

_CI: Final = Path(__file__).parents[1] / ".ci"


def load(name: str) -> Any:
    """
    One of the gate's modules: they are programs, outside any package.
    """
    sys.path.insert(0, str(_CI))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(_CI))


class CountTests(SynchronousTestCase):
    """
    The counts that are read off what test runners say.
    """

    def setUp(self) -> None:
        self.gate = load("gate")

    def test_trial(self) -> None:
        """
        All tests of a run count, also those that were skipped, and each once however many errors it brings.
        """
        for verdict, passed, failed in (
            ("PASSED (successes=7)", 7, 0),
            ("PASSED (skips=2, successes=5)", 5, 2),
            ("FAILED (failures=1, errors=9, successes=4)", 4, 3),
            ("FAILED (errors=7)", 0, 7),
            ("PASSED (skips=7)", 0, 7),
            ("FAILED (errors=1, successes=7)", 7, 1),
        ):
            output = f"noise\nRan 7 tests in 1.002s\n\n{verdict}\n"
            self.assertEqual(self.gate.trialCount(output), self.gate.Count(passed, failed), verdict)

    def test_trialItself(self) -> None:
        """
        The count is right for what trial of today says.
        """
        module = "from twisted.trial.unittest import *\nclass T(SynchronousTestCase):\n"
        module += " def test_a(self): pass\n def test_b(self): self.fail()\n def test_c(self): raise SkipTest('no')\n"
        module += " def test_d(self): pass\n"
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "test_few.py").write_text(module)
        command = [sys.executable, "-m", "twisted.trial", "test_few"]
        ran = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60)
        self.assertEqual(self.gate.trialCount(ran.stdout), self.gate.Count(2, 2), ran.stdout)

    def test_trialBroken(self) -> None:
        """
        A run without an end has no count.
        """
        self.assertIs(self.gate.trialCount("Traceback …"), None)
        self.assertIs(self.gate.trialCount("Ran 7 tests in 1.002s\n"), None)

    def test_node(self) -> None:
        """
        Both of Node's ways to sum up are understood; what neither passed nor failed has failed.
        """
        for mark in ("#", "\u2139"):
            output = f"{mark} tests 9\n{mark} suites 2\n{mark} pass 6\n{mark} fail 1\n{mark} skipped 2\n"
            self.assertEqual(self.gate.nodeCount(output), self.gate.Count(6, 3))
        self.assertIs(self.gate.nodeCount("npm error\n"), None)


class StepTests(SynchronousTestCase):
    """
    One step. Each runs in a process of its own, as it does in the gate: it takes in orphans.
    """

    def step(self, script: str) -> tuple[int, str]:
        """
        The exit status and the output of a step that runs a shell script.
        """
        # The log is named after the step, and tests run side by side.
        command = [sys.executable, str(_CI / "steps.py"), self.id().rpartition(".")[2], "sh", "-c", script]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return ran.returncode, ran.stdout

    def test_quiet(self) -> None:
        """
        A step that succeeds is one line with the time it took.
        """
        status, output = self.step("echo noise")
        self.assertEqual(status, 0)
        self.assertRegex(output, r"\Atest_quiet +ok +\d+\.\d s\n\Z")

    def test_failure(self) -> None:
        """
        A step that fails is shown whole.
        """
        status, output = self.step("echo one; echo two >&2; exit 4")
        self.assertEqual(status, 1)
        for part in ("FAILED", "one\n", "two\n", "exit status 4"):
            self.assertIn(part, output)

    def test_leftBehind(self) -> None:
        """
        A process that outlives its step is named and ended, and the step fails, also when it is a daemon that left its
        session.
        """
        status, output = self.step("setsid sh -c 'sleep 567 & sleep 0.1' & wait; exit 0")
        self.assertEqual(status, 1)
        left = re.search(r"left behind: pid (\d+): sleep 567", output)
        assert left is not None, output
        self.assertFalse(os.path.exists(f"/proc/{left[1]}"))

    def test_shortGrace(self) -> None:
        """
        A process that is about to end is waited for.
        """
        status, output = self.step("sleep 0.5 & exit 0")
        self.assertEqual(status, 0, output)


class GateTests(SynchronousTestCase):
    """
    The sequence of steps.
    """

    def test_sum(self) -> None:
        """
        All steps run, whatever fails; the last line sums up, and a run with no count is one failure.
        """
        script = f"""
            import sys
            from pathlib import Path
            sys.path.insert(0, {str(_CI)!r})
            import gate

            def step(text, status=0, counted=gate.nodeCount):
                return gate.Step(["sh", "-c", f"echo '{{text}}'; exit {{status}}"], counted)

            gate.steps.OUTPUT = Path({self.mktemp()!r})
            gate.STEPS = {{
                "fine": step("# tests 3\\n# pass 3"),
                "bad": step("# tests 5\\n# pass 3", 1),
                "none": step(""),
                "lint": step("", 1, None),
            }}
            sys.exit(gate.main(list(gate.STEPS)))
        """
        ran = subprocess.run([sys.executable, "-c", dedent(script)], capture_output=True, text=True, timeout=60)
        self.assertEqual(ran.returncode, 1, ran.stderr)
        self.assertEqual(ran.stdout.splitlines()[-2:], ["failed: bad, none, lint", "6 passed, 3 failed"])
