"""
The command as it is installed, against an API behind a real socket.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.apiworld import KEY
from tests.integration.test_api_schemathesis import runningAPI

_SECONDS = 30


class CommandTests(SynchronousTestCase):
    def run_(self, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("vncproxy")
        # A proxy for the outside world must not stand between us and this machine.
        environ = os.environ | {"VNCPROXY_API": url, "VNCPROXY_KEY": KEY, "HTTP_PROXY": "http://127.0.0.1:9"}
        return subprocess.run(
            [program, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def test_wayToConsole(self) -> None:
        """
        From a definition to a URL, and back to nothing.
        """
        with runningAPI() as url:
            self.assertEqual(self.run_(url, "console", "add", "vm-1", "vnc://10.0.0.5:5901").returncode, 0)
            listed = json.loads(self.run_(url, "console", "list", "--json").stdout)["consoles"]
            self.assertEqual([each["id"] for each in listed], ["rack-1", "vm-1"])
            self.assertIn("?token=", self.run_(url, "url", "vm-1").stdout)
            self.assertEqual(self.run_(url, "session", "kill", "s1").returncode, 0)
            self.assertEqual(self.run_(url, "console", "rm", "vm-1").returncode, 0)
            gone = self.run_(url, "url", "vm-1")
        self.assertEqual((gone.returncode, gone.stdout), (1, ""))
        self.assertEqual(gone.stderr, "Error: There is no console vm-1. See: vncproxy console list\n")

    def test_nobody(self) -> None:
        """
        Where nobody listens it is told how to start a proxy, without a traceback.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
        told = self.run_(url, "console", "list")
        self.assertEqual((told.returncode, told.stdout), (1, ""))
        self.assertEqual(
            told.stderr,
            f"Error: No proxy answers at {url}. Is it running? Start it with: twistd -n vncproxy. One that listens "
            "elsewhere is named by --api URL, or by the variable VNCPROXY_API.\n",
        )
