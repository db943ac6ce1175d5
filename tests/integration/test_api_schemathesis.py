"""
The API against its own description, by a program that reads the description and tries to catch it lying.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.apiworld import KEY

_ROOT = Path(__file__).parent.parent.parent
_SECONDS = 90


@contextmanager
def runningAPI() -> Iterator[str]:
    """
    The URL of an API that runs in a process of its own.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.apiserver"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.stdout.close()


class SchemathesisTests(SynchronousTestCase):
    def run_(self, examples: int, *options: str) -> Counter[tuple[str, str, int]]:
        """
        Run all checks of all phases; they must find nothing. Returns how often each operation answered which status.
        """
        # It keeps notes where it runs.
        place = Path(self.mktemp()).absolute()
        place.mkdir()
        report = place / "report.har"
        program = Path(sys.executable).with_name("schemathesis")
        with runningAPI() as url:
            command = [program, "run", f"{url}/v1/openapi.json", "--checks", "all", "--seed", "7", "--no-color"]
            command += ["--max-examples", str(examples), "--continue-on-failure", *options]
            command += ["--report", "har", "--report-har-path", report]
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=_SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return Counter(map(_outcome, json.loads(report.read_text())["log"]["entries"]))

    def test_withKey(self) -> None:
        """
        With the key the API answers as described, and the checks get through to what matters.
        """
        outcomes = self.run_(60, "--header", f"Authorization: Bearer {KEY}")
        for method, path, status in (
            ("PUT", "/v1/consoles/*", 201),
            ("PUT", "/v1/consoles/*", 400),
            ("POST", "/v1/consoles/*/access", 201),
            ("DELETE", "/v1/consoles/*", 204),
            ("GET", "/v1/sessions", 200),
            ("POST", "/v1/keys", 201),
            ("POST", "/v1/keys", 400),
            ("DELETE", "/v1/keys/*", 404),
            ("GET", "/v1/audit", 200),
            ("GET", "/v1/audit", 400),
        ):
            self.assertIn((method, path, status), outcomes)

    def test_withoutKey(self) -> None:
        """
        Without the key the API answers as described, and nothing but the open operations is had.
        """
        outcomes = self.run_(10)
        had = {path for _, path, status in outcomes if status < 300}
        self.assertEqual(had, {"/healthz", "/readyz"})


def _outcome(entry: dict[str, dict[str, object]]) -> tuple[str, str, int]:
    path = re.sub(r"^https?://[^/]+|\?.*$", "", str(entry["request"]["url"]))
    path = re.sub(r"(/consoles/|/sessions/|/keys/)[^/]+", r"\1*", path)
    return str(entry["request"]["method"]), path, int(str(entry["response"]["status"]))
