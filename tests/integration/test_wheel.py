"""
The wheel: built from the tree, installed where nothing else is, and run there.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from zipfile import ZipFile

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, readBody

from tests.integration.peers import Bench, runVNCProxy
from tests.integration.peers.bench import ROOT

# What a build leaves or needs not; git knows none of it but the built page.
_LEFT_OUT = shutil.ignore_patterns(
    ".*", "node_modules", "build", "dist", "test-output", "*.egg-info", "__pycache__", "_trial_temp*", "benchmarks"
)
_OURS = (r"vncproxy/([a-z0-9]+/)*[a-z0-9_]+\.py", r"vncproxy/py\.typed", r"vncproxy/static/[^/]+")
_ASSET = r"vncproxy/static/assets/[^/]+"
_PLUGIN = r"twisted/plugins/vncproxy_plugin\.py"
_METADATA = r"vncproxy-[^/]+\.dist-info/.+"


class WheelTests(TestCase):
    """
    The wheel that C{make wheel} builds.
    """

    timeout = 300

    def setUp(self) -> None:
        self.bench = Bench(self)
        self.tree = self.bench.path("tree")
        shutil.copytree(ROOT, self.tree, ignore=_LEFT_OUT)

    async def build(self) -> tuple[int, str, list[Path]]:
        """
        Build a wheel; the exit status, what the build said, and the wheels that there are now.
        """
        words = [sys.executable, "-m", "build", "--wheel", "--outdir", "dist"]
        build = await self.bench.run("build", *words, cwd=self.tree)
        status = await build.ends(120)
        return status, build.output(), list(self.tree.glob("dist/*.whl"))

    async def test_installed(self) -> None:
        """
        The wheel holds the package, the built page and the plugin, and nothing more; installed in a fresh virtual
        environment, C{twistd} knows the plugin, and the proxy serves the page with its assets.
        """
        status, output, wheels = await self.build()
        self.assertEqual((status, len(wheels)), (0, 1), output)
        self.assertContents(ZipFile(wheels[0]).namelist())

        programs = await self.install(wheels[0])
        command = await self.bench.run("command", programs / "vncproxy", "--help")
        self.assertEqual(await command.ends(), 0, command.output())
        proxy = await runVNCProxy(self.bench, twistd=programs / "twistd")
        base = proxy.endpoints["web"][0]
        page = await self.fetch(f"{base}/vnc_auto.html")
        assets = re.findall(rb'(?:src|href)="(assets/[^"]+)"', page)
        self.assertEqual({Path(asset.decode()).suffix for asset in assets} & {".js", ".css"}, {".js", ".css"})
        for asset in assets:
            self.assertTrue(await self.fetch(f"{base}/{asset.decode()}"))

    async def test_unbuiltPage(self) -> None:
        """
        Without the built page there is no wheel, and the build says what to do.
        """
        shutil.rmtree(self.tree / "vncproxy" / "static")
        status, output, wheels = await self.build()
        self.assertEqual((status, wheels), (1, []), output)
        self.assertIn("Run `make pages` first.", output)

    def assertContents(self, names: list[str]) -> None:
        """
        The wheel holds what it should.
        """
        allowed = (*_OURS, _ASSET, _PLUGIN, _METADATA)
        self.assertEqual([name for name in names if not any(re.fullmatch(each, name) for each in allowed)], [])
        for needed in (*_OURS, _ASSET, _PLUGIN):
            self.assertTrue(any(re.fullmatch(needed, name) for name in names), f"nothing matches {needed}")

    async def install(self, wheel: Path) -> Path:
        """
        Install the wheel in a virtual environment of its own; the directory of its programs.
        """
        directory = self.bench.path("venv")
        make = await self.bench.run("venv", sys.executable, "-m", "venv", directory)
        self.assertEqual(await make.ends(60), 0, make.output())
        pip = await self.bench.run("pip", directory / "bin" / "pip", "install", "-q", wheel)
        self.assertEqual(await pip.ends(180), 0, pip.output())
        return directory / "bin"

    async def fetch(self, url: str) -> bytes:
        """
        What is served at C{url}.
        """
        reactor = self.bench.reactor
        response = await self.bench.within(10, Agent(reactor).request(b"GET", url.encode()), url)
        self.assertEqual(response.code, 200, url)
        body: Deferred[bytes] = readBody(response)
        return await self.bench.within(10, body, f"the body of {url}")
