"""
A directory of somebody's own files.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.errors import ConfigError
from vncproxy.frontends import directory
from vncproxy.frontends.directory import DirectoryPages


class DirectoryTests(SynchronousTestCase):
    """
    Tests for L{DirectoryPages}.
    """

    def setUp(self) -> None:
        self.outside = Path(self.mktemp())
        self.root = self.outside / "web"
        self.write("web/index.html", "start")
        self.write("web/app/a b.js", "script")
        self.write("secret", "hunter2")
        self.pages = DirectoryPages(str(self.root))

    def write(self, name: str, text: str) -> Path:
        """
        Put a file there.
        """
        path = self.outside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def test_served(self) -> None:
        """
        Files are served with their types; a directory by its index.
        """
        for path, kind, data in (
            ("", "text/html; charset=utf-8", b"start"),
            ("index.html", "text/html; charset=utf-8", b"start"),
            ("app/a%20b.js", "text/javascript; charset=utf-8", b"script"),
        ):
            page = self.pages[path]
            self.assertEqual((page.contentType, page.body("").data, page.forever), (kind, data, False))
        self.write("web/x.unheard-of", "x")
        self.assertEqual(self.pages["x.unheard-of"].contentType, "application/octet-stream")

    def test_notServed(self) -> None:
        """
        Nothing outside is served, nothing hidden, and no listing of anything.
        """
        self.write("web/.git/config", "x")
        os.mkfifo(self.root / "pipe")
        for path in (
            "../secret",
            "%2e%2e/secret",
            "app/../../secret",
            "app/..%2f..%2fsecret",
            "/etc/passwd",
            "//etc/passwd",
            "app//a b.js",
            ".git/config",
            "app",
            "app/",
            "absent",
            "index.html/x",
            "..\\secret",
            "a\0",
            "%00",
            "pipe",
            "x" * 5000,
        ):
            self.assertIsNone(self.pages.get(path), path)

    def test_followed(self) -> None:
        """
        A file is served as it is now; one that has not changed is not read anew.
        """
        before = self.pages[""]
        self.assertIs(self.pages[""], before)
        self.write("web/index.html", "another start")
        self.assertEqual(self.pages[""].body("").data, b"another start")
        self.assertNotEqual(self.pages[""].etag, before.etag)
        (self.root / "index.html").unlink()
        self.assertNotIn("", self.pages)

    def test_link(self) -> None:
        """
        Symbolic links, which packages are full of, lead where they lead.
        """
        os.symlink(self.write("elsewhere.css", "x").absolute(), self.root / "style.css")
        self.assertEqual(self.pages["style.css"].contentType, "text/css; charset=utf-8")

    def test_listed(self) -> None:
        """
        It is a mapping of all its files.
        """
        self.assertEqual((sorted(self.pages), len(self.pages)), (["app/a b.js", "index.html"], 2))

    def test_large(self) -> None:
        """
        What is too large to be held in memory is not served.
        """
        self.patch(directory, "LARGEST", 4)
        self.assertNotIn("", self.pages)

    def test_absent(self) -> None:
        """
        A directory that is not there is a fault of the configuration.
        """
        self.assertRaises(ConfigError, DirectoryPages, str(self.outside / "absent"))
