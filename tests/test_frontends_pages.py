"""
What the C{web} frontend serves: L{vncproxy.frontends.pages}.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.errors import ConfigError
from vncproxy.frontends.pages import ALIASES, PAGE, Body, Page, loadPages

FORMS = Page("text/html", 'W/"a"', False, (Body("br", b"BR"), Body("gzip", b"GZIP"), Body("", b"plain")))


class BodyTests(SynchronousTestCase):
    def test_table(self) -> None:
        """
        Brotli before gzip before the plain form, of those that the client takes (RFC 9110 section 12.5.3).
        """
        for accepted, encoding in (
            ("", ""),
            ("gzip, deflate, br, zstd", "br"),
            ("gzip", "gzip"),
            ("GZIP", "gzip"),
            ("deflate", ""),
            ("identity", ""),
            ("br;q=0, gzip", "gzip"),
            ("br;q=0.0,gzip;q=0", ""),
            ("br ; q=0.000, gzip", "gzip"),
            ("br;Q=0, gzip", "gzip"),
            ("br;q=0.001", "br"),
            ("gzip;q=1.0, br;q=0.5", "br"),
            ("br;q=x", "br"),
            ("*", "br"),
            ("*;q=0", ""),
            ("*, br;q=0", "gzip"),
            ("gzip;q=0, *", "br"),
        ):
            self.assertEqual(FORMS.body(accepted).encoding, encoding, accepted)

    def test_plainOnly(self) -> None:
        """
        What was not worth compressing comes as it is.
        """
        page = Page("image/png", 'W/"a"', True, (Body("", b"plain"),))
        self.assertEqual(page.body("br, gzip"), Body("", b"plain"))

    @given(st.text())
    def test_anyText(self, accepted: str) -> None:
        """
        Whatever the header holds, there is a form to send.
        """
        self.assertIn(FORMS.body(accepted), FORMS.bodies)


class IsHeldTests(SynchronousTestCase):
    def test_table(self) -> None:
        """
        The tag is held if it is among those sent, weak or strong (RFC 9110 section 13.1.2).
        """
        for sent, expected in (
            ('W/"a"', True),
            ('"a"', True),
            ('"b", W/"a"', True),
            ('"b","a"', True),
            ("*", True),
            ("", False),
            ('"b"', False),
            ("a", False),
            ('W/"A"', False),
        ):
            self.assertIs(FORMS.isHeld(sent), expected, sent)


class LoadPagesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        (self.directory / "assets" / "deep").mkdir(parents=True)
        (self.directory / PAGE).write_bytes(b"<html>")

    def write(self, name: str, data: bytes = b"x") -> None:
        """
        One more file.
        """
        (self.directory / name).write_bytes(data)

    def test_names(self) -> None:
        """
        The page has several names, one of them empty; the rest have their own.
        """
        self.write("assets/console-1.js")
        self.write("favicon.ico")
        pages = loadPages(self.directory)
        self.assertEqual(set(pages), {*ALIASES, "assets/console-1.js", "favicon.ico"})
        for alias in ALIASES:
            self.assertIs(pages[alias], pages[PAGE])

    def test_forms(self) -> None:
        """
        The compressed forms beside a file are its forms, not files of their own; the tag is that of the plain one.
        """
        self.write(f"{PAGE}.br", b"BR")
        self.write(f"{PAGE}.gz", b"GZIP")
        page = loadPages(self.directory)[PAGE]
        self.assertEqual(page.bodies, (Body("br", b"BR"), Body("gzip", b"GZIP"), Body("", b"<html>")))
        self.assertEqual(page.etag, f'W/"{hashlib.sha256(b"<html>").hexdigest()[:32]}"')
        self.assertFalse(page.forever)

    def test_noAssets(self) -> None:
        """
        A page that links to nothing is one.
        """
        (self.directory / "assets" / "deep").rmdir()
        (self.directory / "assets").rmdir()
        self.assertEqual(set(loadPages(self.directory)), set(ALIASES))

    def test_types(self) -> None:
        """
        Each file is served under its type, and under assets for good.
        """
        for name, contentType in (
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.svg", "image/svg+xml"),
            ("a.png", "image/png"),
            ("a.webmanifest", "application/manifest+json"),
        ):
            self.write(f"assets/{name}")
            page = loadPages(self.directory)[f"assets/{name}"]
            self.assertEqual((page.contentType, page.forever), (contentType, True))

    def test_nothingElse(self) -> None:
        """
        Files of other types, directories, and what lies deeper are not served.
        """
        for name in ("secret.pem", "noending", ".js", "assets/deep/a.js", "a.js.map"):
            self.write(name)
        (self.directory / "directory.js").mkdir()
        self.assertEqual(set(loadPages(self.directory)), set(ALIASES))

    def test_notBuilt(self) -> None:
        """
        Without the page there is nothing to serve, and the words say how to make it.
        """
        (self.directory / PAGE).unlink()
        error = self.assertRaises(ConfigError, loadPages, self.directory)
        self.assertIn("make pages", str(error))

    def test_repr(self) -> None:
        """
        A representation does not hold the whole page.
        """
        self.assertNotIn("<html>", repr(loadPages(self.directory)))
