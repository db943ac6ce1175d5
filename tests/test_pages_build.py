"""
The browser page as it is built: what its assets are called, what it may not hold, and that it knows our words.

Needs node and the modules that C{npm ci} in C{vncproxy/pages} brings.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import vncproxy
from vncproxy import errors
from vncproxy.model import EndReason

PAGES = Path(vncproxy.__file__).parent / "pages"

#: How long node may take, in seconds.
PATIENCE = 120


def node(*arguments: str) -> str:
    """
    Run node in the directory of the page's sources and return what it prints.
    """
    return subprocess.run(
        ["node", *arguments], cwd=PAGES, timeout=PATIENCE, check=True, capture_output=True, text=True
    ).stdout


def leaves(base: type[errors.VNCProxyError]) -> Iterator[type[errors.VNCProxyError]]:
    """
    The errors below C{base} that are raised, not the ones that group them.
    """
    below = [error for error in base.__subclasses__() if error.__module__ == errors.__name__]
    if not below:
        yield base
    for error in below:
        yield from leaves(error)


class PageReader(HTMLParser):
    """
    Collects what a page refers to, and what a strict Content-Security-Policy would block.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.blocked: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.blocked += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        if tag in ("style", "base") or (tag == "script" and "src" not in given):
            self.blocked.append(tag)
        for name in ("src", "href"):
            value = given.get(name) or ""
            if value and not value.startswith(("#", "data:")):
                self.references.append(value)


class BuildTests(SynchronousTestCase):
    """
    C{node build.mjs DIRECTORY}.
    """

    def build(self) -> Path:
        """
        Build into a fresh directory that an earlier build has left something in.
        """
        directory = Path(self.mktemp()).absolute()
        (directory / "assets").mkdir(parents=True)
        (directory / "assets" / "console-000000000000.js").write_text("old")
        node("build.mjs", str(directory))
        return directory

    def test_assets(self) -> None:
        """
        The page refers to one stylesheet and one script, relatively, by names that hold the hash of their content, and
        nothing of an earlier build is left beside them.
        """
        directory = self.build()
        page = PageReader((directory / "vnc_auto.html").read_text("utf-8"))
        self.assertEqual(len(page.references), 2)
        for reference in page.references:
            digest = hashlib.sha256((directory / reference).read_bytes()).hexdigest()
            self.assertRegex(reference, rf"^assets/console-{digest[:12]}\.(css|js)$")
        kept = {f"{name}{form}" for name in page.references for form in ("", ".br", ".gz")}
        self.assertEqual({f"assets/{path.name}" for path in (directory / "assets").iterdir()}, kept)

    def test_strictPolicy(self) -> None:
        """
        The page needs no inline script or style, and neither it nor its stylesheet asks for anything elsewhere.
        """
        directory = self.build()
        page = PageReader((directory / "vnc_auto.html").read_text("utf-8"))
        self.assertEqual(page.blocked, [])
        (style,) = (name for name in page.references if name.endswith(".css"))
        self.assertNotIn("url(", (directory / style).read_text("utf-8"))

    def test_compressed(self) -> None:
        """
        Every file lies there as gzip and Brotli too, with the same content.
        """
        directory = self.build()
        plain = [path for path in directory.rglob("*") if path.is_file() and path.suffix not in (".br", ".gz")]
        self.assertEqual(len(plain), 4)
        read = "process.stdout.write(require('zlib').brotliDecompressSync(require('fs').readFileSync(process.argv[1])))"
        for path in plain:
            content = path.read_text("utf-8")
            self.assertEqual(gzip.decompress(Path(f"{path}.gz").read_bytes()).decode(), content)
            self.assertEqual(node("-e", read, f"{path}.br"), content)

    def test_reproducible(self) -> None:
        """
        Two builds of the same sources are the same, byte for byte.
        """
        one, two = self.build(), self.build()
        names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
        self.assertEqual(names, sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file()))
        for name in names:
            self.assertEqual((one / name).read_bytes(), (two / name).read_bytes())

    def test_licences(self) -> None:
        """
        The licences of what is inside lie beside the page, with the place where its sources are.
        """
        text = (self.build() / "LICENSES.txt").read_text("utf-8")
        self.assertIn("Mozilla Public License Version 2.0", text)
        self.assertIn("Vitaly Puzrin", text)
        version = json.loads((PAGES / "package.json").read_text("utf-8"))["devDependencies"]["@novnc/novnc"]
        self.assertIn(f"github.com/novnc/noVNC/tree/v{version}", text)


class WordTests(SynchronousTestCase):
    """
    The page's C{reasons.js} against our errors and endings.
    """

    def setUp(self) -> None:
        script = 'import("./src/reasons.js").then(({ tellings }) => console.log(JSON.stringify(tellings)))'
        self.tellings: dict[str, dict[str, object]] = json.loads(node("-e", script))

    def course(self, reason: str) -> object:
        """
        What the page does after C{reason}.
        """
        self.assertIn(reason, self.tellings)
        return self.tellings[reason]["course"]

    def test_refusals(self) -> None:
        """
        Every refusal is told in words; one that may pass is tried again, a token's never.
        """
        for error in leaves(errors.TokenError):
            self.assertEqual(self.course(error.reason), "refused", error)
        # Rules on sessions: somebody has to end another one first, or leave off.
        held = (errors.ConsoleBusy, errors.AddressBusy, errors.OwnerBusy, errors.TooManyAttempts)
        for error in leaves(errors.ServiceUnavailable):
            self.assertEqual(self.course(error.reason), "refused" if error in held else "retry", error)
        for error in leaves(errors.BackendError):
            self.assertIn(self.course(error.reason), ("refused", "retry"), error)
        self.assertEqual(self.course(errors.OriginRefused.reason), "refused")

    def test_endings(self) -> None:
        """
        Every ending is told in words, and a retry follows it only where the browser may come back.
        """
        for reason in EndReason:
            course = self.course(reason.value)
            if not reason.resumable or reason is EndReason.TAKEN_OVER:
                # Two who take a console over from each other by themselves would never stop.
                self.assertEqual(course, "ended", reason)
            elif reason is EndReason.VIEWER_CLOSED:
                self.assertEqual(course, "disconnected")
            else:
                self.assertEqual(course, "retry", reason)


class SourceTests(SynchronousTestCase):
    """
    What the build starts from.
    """

    def test_pinned(self) -> None:
        """
        Every package is pinned to one version and one hash, and the lock names no place to get it from.
        """
        package = json.loads((PAGES / "package.json").read_text("utf-8"))
        for version in package["devDependencies"].values():
            self.assertRegex(version, r"^\d+\.\d+\.\d+$")
        lock = json.loads((PAGES / "package-lock.json").read_text("utf-8"))
        for name, locked in lock["packages"].items():
            self.assertNotIn("resolved", locked, name)
            if name:
                self.assertTrue(re.match(r"sha512-", locked["integrity"]), name)

    def test_unitTests(self) -> None:
        """
        The page's own unit tests pass.
        """
        report = node("--test", "--test-reporter=tap", "test/")
        self.assertRegex(report, r"(?m)^# pass [1-9]\d*$")
        self.assertRegex(report, r"(?m)^# fail 0$")
        self.assertRegex(report, r"(?m)^# skipped 0$")
