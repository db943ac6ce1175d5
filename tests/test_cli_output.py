"""
How answers look on a terminal and in a pipe.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from io import StringIO

import click
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.cli.output import age, printable, printTable, shortened, size


class PrintTableTests(SynchronousTestCase):
    def printed(self, rows: list[tuple[str, ...]]) -> Result:
        command = click.Command("x", callback=lambda: printTable(("ID", "Name", "Bytes>"), rows, "Nothing."))
        result = CliRunner().invoke(command)
        self.assertEqual(result.exit_code, 0, result.output)
        return result

    def test_columns(self) -> None:
        """
        Columns stand under their headings, numbers at the right.
        """
        lines = self.printed([("a", "one", "1"), ("bb", "two", "1000")]).stdout.splitlines()
        self.assertEqual([line.split() for line in lines[::2][:1]], [["ID", "Name", "Bytes"]])
        self.assertEqual([line.rstrip() for line in lines[-2:]], ["a   one       1", "bb  two    1000"])

    def test_pipe(self) -> None:
        """
        In a pipe nothing is cut or folded, however long it is.
        """
        name = "long " * 100
        self.assertIn(name.strip(), self.printed([("a", name, "1")]).stdout)

    def test_markup(self) -> None:
        """
        What looks like markup is text, and what a terminal would obey is not printed.
        """
        out = self.printed([("a", "[red]x[/red] \x1b[2J", "1")]).stdout
        self.assertIn("[red]x[/red] \ufffd[2J", out)
        self.assertNotIn("\x1b", out)

    def test_narrow(self) -> None:
        """
        On a terminal that is too narrow long cells are folded, and neither short words nor the first column.
        """
        stream = StringIO()
        stream.isatty = lambda: True  # type: ignore[method-assign]
        self.patch(sys, "stdout", stream)
        before = dict(os.environ)
        self.addCleanup(os.environ.update, before)
        self.addCleanup(os.environ.clear)
        os.environ |= {"COLUMNS": "80", "TERM": "dumb"}
        identity = "8c9a90f0-6e5c-4050-b14c-94dde139b44a"
        printTable(
            ("ID", "Name", "Client"), [(identity, "a name that is longer than it should be", "203.0.113.199")], ""
        )
        lines = stream.getvalue().splitlines()
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertGreater(len(lines), 3)
        for word in (identity, "203.0.113.199"):
            self.assertIn(word, stream.getvalue())

    def test_nothing(self) -> None:
        """
        Without rows there is no table on standard output, but a sentence beside it.
        """
        result = self.printed([])
        self.assertEqual((result.stdout, result.stderr), ("", "Nothing.\n"))


class WordsTests(SynchronousTestCase):
    def test_size(self) -> None:
        """
        Sizes are in decimal units, with one digit behind the point.
        """
        for count, words in (
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (1_500_000, "1.5 MB"),
            (2_000_000_000, "2.0 GB"),
            (3 * 10**12, "3.0 TB"),
            (5 * 10**15, "5000.0 TB"),
        ):
            self.assertEqual(size(count), words)

    def test_age(self) -> None:
        """
        An age is in the largest unit that it fills; what lies ahead, by clocks that differ, is of no age.
        """
        now = datetime(2026, 11, 20, 15, 0, 0, tzinfo=UTC)
        for started, words in (
            ("2026-11-20T15:00:09Z", "0 s"),
            ("2026-11-20T14:59:01Z", "59 s"),
            ("2026-11-20T14:59:00Z", "1 min"),
            ("2026-11-20T14:00:01Z", "59 min"),
            ("2026-11-20T14:00:00Z", "1 h"),
            ("2026-11-18T14:00:00Z", "2 d"),
        ):
            self.assertEqual(age(started, now), words)

    def test_shortened(self) -> None:
        """
        Ids are shortened to 8 characters, or to as many more as tell them apart.
        """
        self.assertEqual(shortened(["0123456789", "abcdefghij", "s1"]), ["01234567", "abcdefgh", "s1"])
        self.assertEqual(shortened(["0123456789", "012345678a", "s1"]), ["0123456789", "012345678a", "s1"])
        self.assertEqual(shortened([]), [])

    def test_printable(self) -> None:
        """
        Letters of all scripts stay; what steers a terminal or turns the direction of writing does not.
        """
        self.assertEqual(printable("Büro 東京"), "Büro 東京")
        self.assertEqual(printable("a\x1b\x9b\n\u202eb"), "a\ufffd\ufffd\ufffd\ufffdb")
