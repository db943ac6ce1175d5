"""
The layout of the package: what may import what, and that each module has its test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from tests.layout import Rules, complaints, mentions

ROOT: Final = Path(__file__).parents[1]

RULES: Final = Rules(
    package="vncproxy",
    levels={
        "errors": 0,
        "model": 0,
        "interfaces": 0,
        "addresses": 1,
        "attempts": 1,
        "config": 1,
        "forwarded": 1,
        "proxyprotocol": 1,
        "httphead": 1,
        "origin": 1,
        "rfb": 1,
        "rights": 1,
        "secretfile": 1,
        "targets": 1,
        "patience": 2,
        "consoleauth": 2,
        "stream": 2,
        "curfew": 2,
        "relay": 2,
        "pump": 2,
        "stores": 3,
        "tokens": 3,
        "backends": 3,
        "directory": 3,
        "certs": 3,
        "audit": 3,
        "keys": 3,
        "broker": 4,
        "sessions": 4,
        "frontends": 5,
        "demo": 5,
        "api": 6,
        "admitting": 7,
        "announcing": 7,
        "controlling": 7,
        "service": 7,
        "tap": 8,
        "controllertap": 8,
        "cli": 8,
    },
    beside={
        # What rules on client addresses go by.
        ("config", "addresses"),
        ("attempts", "addresses"),
        ("forwarded", "addresses"),
        # Interfaces speak of values and of errors.
        ("interfaces", "errors"),
        ("interfaces", "model"),
        # The configuration names consoles by target URL.
        ("config", "targets"),
        # A check of the configuration looks at the files with secrets that it names.
        ("config", "secretfile"),
        # The pump is the fast path of streams, and of the relay between two.
        ("stream", "pump"),
        ("relay", "pump"),
        # The token-check protocol knows its peers by their addresses, tunes their sockets, and waits for answers.
        ("consoleauth", "stream"),
        ("consoleauth", "patience"),
        # A store forgets what the rules on tokens, which are pure, call dead.
        ("stores", "tokens"),
        # All of them are the composition root.
        ("service", "admitting"),
        ("service", "announcing"),
        ("service", "controlling"),
        # Two command lines of one service.
        ("controllertap", "tap"),
        # The broker puts what it relays among the sessions.
        ("broker", "sessions"),
    },
    reactor={"tap"},
    # Prose and signatures: there is nothing to run. The tests of what implements them verify the signatures.
    untested={"interfaces"},
)

# In pieces, so that this file does not name them itself.
FOREIGN: Final = {
    "/".join(("..", "shared")): "the project must stand without it",
    "/".join(("", "work", "shared")): "the project must stand without it",
    ".".join(("pypi", "org")): "where packages come from is the machine's business, not the project's",
    ".".join(("pythonhosted", "org")): "where packages come from is the machine's business, not the project's",
    ".".join(("registry", "npmjs", "org")): "where packages come from is the machine's business, not the project's",
    ".".join(("deb", "debian", "org")): "where packages come from is the machine's business, not the project's",
}


class LayoutTests(SynchronousTestCase):
    """
    This tree.
    """

    def test_layout(self) -> None:
        """
        The package keeps to its layout.
        """
        self.assertNothing(complaints(ROOT, RULES))

    def test_foreignNames(self) -> None:
        """
        No file names a place that a user of the project does not have.
        """
        self.assertNothing(mentions(ROOT, FOREIGN))

    def assertNothing(self, found: list[str]) -> None:
        """
        There is no complaint.
        """
        if found:
            self.fail("\n" + "\n".join(found))


class RulesTests(SynchronousTestCase):
    """
    The rules themselves, on small trees made up for the purpose.
    """

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.rules = Rules("pkg", {"low": 0, "mid": 1, "peer": 1, "top": 2}, reactor={"top"})
        for name in ("low", "mid", "peer", "top"):
            self.write(f"pkg/{name}.py", "")

    def write(self, path: str, text: str) -> None:
        """
        Write a module and, beside a module of the package, its test.
        """
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if path.startswith("pkg/"):
            self.write(f"tests/test_{path.removeprefix('pkg/').replace('/', '_')}", "")

    def assertComplains(self, *beginnings: str) -> None:
        """
        There are exactly these complaints, in this order.
        """
        found = complaints(self.root, self.rules)
        self.assertEqual(len(beginnings), len(found), found)
        for beginning, complaint in zip(beginnings, found, strict=True):
            self.assertTrue(complaint.startswith(beginning), complaint)

    def test_sound(self) -> None:
        """
        A tree that keeps to the rules raises no complaint, whatever it imports from elsewhere.
        """
        self.write("pkg/top.py", "import os\nfrom pkg import low, mid\nfrom pkg.peer import x\nimport pkg.low\n")
        self.assertComplains()

    def test_upward(self) -> None:
        """
        An import of a higher level is found in each of its forms, also within a function.
        """
        for statement in ("import pkg.top", "from pkg import top", "from pkg.top import x"):
            self.write("pkg/low.py", f"def f():\n    {statement}\n")
            self.assertComplains("pkg/low.py:2: low (level 0) imports top (level 2)")

    def test_fromTheRoot(self) -> None:
        """
        The package's own C{__init__} is on the lowest level.
        """
        self.write("pkg/__init__.py", "from pkg.mid import x\n")
        self.assertComplains("pkg/__init__.py:1: pkg (level 0) imports mid (level 1)")

    def test_sameLevel(self) -> None:
        """
        An import on the same level is found unless the pair is listed, and then in that direction only.
        """
        self.rules = Rules("pkg", self.rules.levels, beside={("mid", "peer")})
        self.write("pkg/mid.py", "import pkg.peer\n")
        self.write("pkg/peer.py", "import pkg.mid\n")
        self.assertComplains("pkg/peer.py:1: peer imports mid on the same level 1")

    def test_withinAPackage(self) -> None:
        """
        Modules of one package may import each other.
        """
        (self.root / "pkg/mid.py").unlink()
        self.write("pkg/mid/__init__.py", "")
        self.write("pkg/mid/one.py", "from pkg.mid.two import x\n")
        self.write("pkg/mid/two.py", "from pkg.mid import one\n")
        self.assertComplains()

    def test_relative(self) -> None:
        """
        A relative import is found.
        """
        self.write("pkg/top.py", "from . import low\n")
        self.assertComplains("pkg/top.py:1: relative import")

    def test_reactor(self) -> None:
        """
        An import of the global reactor is found in each of its forms, wherever it stands.
        """
        imports = ("import twisted.internet.reactor", "from twisted.internet import reactor")
        for statement in (*imports, "from twisted.internet.reactor import callLater"):
            self.write("pkg/mid.py", f"{statement}\n")
            self.assertComplains("pkg/mid.py:1: imports the global reactor: take")
            self.write("pkg/mid.py", f"async def f():\n    {statement}\n")
            self.assertComplains("pkg/mid.py:2: imports the global reactor: take")

    def test_reactorWhereAllowed(self) -> None:
        """
        The module that may ask for the global reactor does so within a function only.
        """
        self.write("pkg/top.py", "def f():\n    from twisted.internet import reactor\n")
        self.assertComplains()
        self.write("pkg/top.py", "from twisted.internet import reactor\n")
        self.assertComplains("pkg/top.py:1: imports the global reactor at its top")

    def test_untested(self) -> None:
        """
        A module without its test is found, one that was exempted is not.
        """
        self.write("pkg/mid.py", "")
        (self.root / "tests/test_mid.py").unlink()
        self.assertComplains("pkg/mid.py has no test: write tests/test_mid.py")
        self.rules = Rules("pkg", self.rules.levels, untested={"mid"})
        self.assertComplains()

    def test_untestedWithinAPackage(self) -> None:
        """
        The test of a module in a package is named after its whole path; an C{__init__} needs none.
        """
        (self.root / "pkg/mid.py").unlink()
        self.write("pkg/mid/__init__.py", "")
        self.write("pkg/mid/one.py", "")
        (self.root / "tests/test_mid_one.py").unlink()
        (self.root / "tests/test_mid___init__.py").unlink()
        self.assertComplains("pkg/mid/one.py has no test: write tests/test_mid_one.py")

    def test_unknownPart(self) -> None:
        """
        A module that the table does not name is found, and a name in the table without its module.
        """
        self.write("pkg/new.py", "")
        (self.root / "pkg/peer.py").unlink()
        self.assertComplains("pkg/new has no level", "pkg/peer is gone")

    def test_banned(self) -> None:
        """
        Names that say nothing are found, whole words only.
        """
        self.write("pkg/mid.py", "class FooManager: pass\nclass Managerial: pass\ndef myUtils(): pass\n")
        self.assertComplains("pkg/mid.py:1: the name FooManager", "pkg/mid.py:3: the name myUtils")

    def test_bannedModule(self) -> None:
        """
        A module of such a name is found.
        """
        self.rules = Rules("pkg", {**self.rules.levels, "helpers": 0})
        self.write("pkg/helpers.py", "")
        self.assertComplains("pkg/helpers.py: the name helpers")

    def test_mentions(self) -> None:
        """
        A forbidden word is found in any text file of ours, with its line; not in what is fetched or made.
        """
        self.write("docs/page.rst", "one\ntwo secret.place\n")
        self.write("node_modules/x/y.js", "secret.place")
        self.write(".venv/z.py", "secret.place")
        found = mentions(self.root, {"secret.place": "because"})
        self.assertEqual(["docs/page.rst:2: names secret.place: because"], found)
