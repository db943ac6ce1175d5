"""
The documents: what they say of commands, configuration, words and modules is so.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import click
from docutils.core import publish_string
from twisted.trial.unittest import SynchronousTestCase

from tests.test_layout import RULES
from vncproxy import api
from vncproxy.cli import main
from vncproxy.config import checkConfig
from vncproxy.config.checks import sections, shapes
from vncproxy.errors import VNCProxyError
from vncproxy.model import EndReason
from vncproxy.tap import Options

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "vncproxy"

README: Final = ROOT / "README.rst"
FAQ: Final = ROOT / "docs/faq.rst"
ARCHITECTURE: Final = ROOT / "docs/architecture.rst"
RIGHTS: Final = ROOT / "docs/rights.rst"
RULES_PAGE: Final = ROOT / "docs/rules.rst"
CONSOLEAUTH: Final = ROOT / "docs/consoleauth.rst"
WEBSOCKIFY: Final = ROOT / "docs/websockify.rst"
REDIS: Final = ROOT / "docs/redis.rst"
OPENSTACK: Final = ROOT / "docs/openstack.rst"
CLOUDSTACK: Final = ROOT / "docs/cloudstack.rst"
PAGES: Final = PACKAGE / "pages/README.rst"
DOCUMENTS: Final = (
    README,
    FAQ,
    ARCHITECTURE,
    ROOT / "docs/dependencies.rst",
    RULES_PAGE,
    CONSOLEAUTH,
    REDIS,
    WEBSOCKIFY,
    OPENSTACK,
    CLOUDSTACK,
    RIGHTS,
    PAGES,
)

_LARGEST_PICTURE: Final = 150_000

_NONE: Final = "–"


def literal(text: str) -> Iterator[str]:
    """
    The lines of literal blocks: those that are indented below C{::} or C{.. code-block::}.
    """
    for block in re.findall(r"(?:::|^\.\. code-block:: \w+)\n\n((?:(?: {4}.*)?\n)+)", text, re.MULTILINE):
        yield from block.replace("\\\n", " ").splitlines()


def commands(text: str) -> Iterator[list[str]]:
    """
    The words of each C{vncproxy …} that stands whole in a line to be typed, also within another command.
    """
    for line in literal(text):
        for found in re.findall(r"(?:^ +|bin/|\$\(|[|&] )vncproxy( [^|)&]+)", line):
            yield shlex.split(found, comments=True)


def refusal(words: list[str], whole: bool) -> str | None:
    """
    Why the command would not take these words; L{None} if it would.

    @param whole: they are all that is typed, with every argument.
    """
    command: click.Command = main
    context = click.Context(main, info_name="vncproxy")
    rest = words
    while True:
        try:
            taken, rest, _ = command.make_parser(context).parse_args(list(rest))
        except click.UsageError as error:
            return error.format_message()
        if not isinstance(command, click.Group):
            missing = [each for each in command.params if isinstance(each, click.Argument) and not _given(taken, each)]
            # What the parser has no place for is left.
            return f"arguments: {len(missing)} missing, {len(rest)} too many" if whole and (missing or rest) else None
        if not rest:
            return None if not whole else f"{command.name} wants a command"
        found = command.get_command(context, rest[0])
        if found is None:
            return f"there is no command {rest[0]}"
        command, context, rest = found, click.Context(found, parent=context), rest[1:]


def _given(taken: dict[str, Any], argument: click.Argument) -> bool:
    # What was not given is a sentinel, or None before click 8.3.
    return isinstance(taken.get(argument.name or ""), str)


def errors() -> dict[str, type[VNCProxyError]]:
    """
    The errors of the package by their words; of several with one word, the most general.
    """
    found: dict[str, type[VNCProxyError]] = {}
    waiting: list[type[VNCProxyError]] = [VNCProxyError]
    while waiting:
        error = waiting.pop(0)
        # Tests make errors of their own.
        if error.__module__.startswith("vncproxy."):
            found.setdefault(error.reason, error)
        waiting += error.__subclasses__()
    return found


def courses() -> dict[str, str]:
    """
    What the page does at each word that it knows.
    """
    source = (PACKAGE / "pages/src/reasons.js").read_text(encoding="utf-8")
    return dict(re.findall(r'^    (\w+): \{\n        course: "(\w+)"', source, re.MULTILINE))


def modules() -> set[str]:
    """
    Every module, by its path in the package; a package stands with a slash behind it.
    """
    found = set()
    for path in PACKAGE.rglob("*.py"):
        relative = path.relative_to(PACKAGE)
        if relative.parts[0] not in ("pages", "static") and relative != Path("__init__.py"):
            found.add(f"{relative.parent}/" if path.name == "__init__.py" else str(relative))
    return found


class FormTests(SynchronousTestCase):
    """
    What holds for every document.
    """

    def test_markup(self) -> None:
        """
        Each is sound reStructuredText.
        """
        for path in DOCUMENTS:
            said = StringIO()
            settings = {"warning_stream": said, "report_level": 1, "syntax_highlight": "none"}
            publish_string(path.read_text(encoding="utf-8"), str(path), settings_overrides=settings)
            self.assertEqual(said.getvalue(), "")

    def test_links(self) -> None:
        """
        Each file that one links to is there.
        """
        found = 0
        for path in DOCUMENTS:
            for link in re.findall(r"`[^`]+<([\w./-]+)>`_", path.read_text(encoding="utf-8")):
                self.assertTrue((path.parent / link).is_file(), f"{path}: {link}")
                found += 1
        self.assertTrue(found)

    def test_targets(self) -> None:
        """
        Each C{make …} that one names is a target of the Makefile.
        """
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
        for path in DOCUMENTS:
            text = path.read_text(encoding="utf-8")
            named = set(re.findall(r"(?:^ {4}|``)make (\w+)", text, re.MULTILINE))
            self.assertEqual(named - targets, set(), path)

    def test_picture(self) -> None:
        """
        The picture is there, and small enough for a page that shows it.
        """
        (name,) = re.findall(r"^\.\. image:: (\S+)$", README.read_text(encoding="utf-8"), re.MULTILINE)
        picture = ROOT / name
        self.assertEqual(picture.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        self.assertLess(picture.stat().st_size, _LARGEST_PICTURE)


class CommandTests(SynchronousTestCase):
    """
    What the documents tell people to type.
    """

    def test_typed(self) -> None:
        """
        Each C{vncproxy} command in a block is one that there is, with options and arguments that it takes.
        """
        found = [words for path in (README, FAQ, RIGHTS) for words in commands(path.read_text(encoding="utf-8"))]
        self.assertGreater(len(found), 10)
        for words in found:
            self.assertIsNone(refusal(words, whole=True), words)

    def test_named(self) -> None:
        """
        Each C{vncproxy} command that a sentence names is one that there is, with options that it takes.
        """
        for path in DOCUMENTS:
            for text in re.findall(r"``vncproxy( [^`]+)``", path.read_text(encoding="utf-8")):
                words = [word for word in shlex.split(text) if word not in ("COMMAND", "--help")]
                # An option may be named alone, without its value.
                words += ["?"] * words[-1].startswith("--") if words else []
                self.assertIsNone(refusal(words, whole=False), text)

    def test_wrong(self) -> None:
        """
        A command or an option that there is none of is found, and an argument too many or too few.
        """
        for typed in ("frob", "console frob", "url --frob vm-1", "url vm-1 vm-2", "console add vm-1", "console"):
            self.assertIsNotNone(refusal(typed.split(), whole=True), typed)

    def test_twistd(self) -> None:
        """
        C{twistd} takes the options with which the documents start it.
        """
        found = []
        for path in DOCUMENTS:
            text = path.read_text(encoding="utf-8")
            found += re.findall(r"(?:^ {4}|``)twistd -n (?:--pidfile= )?vncproxy([^`\n]*)", text, re.MULTILINE)
        self.assertGreater(len(found), 3)
        for options in found:
            Options().parseOptions(shlex.split(options))


class ConfigurationTests(SynchronousTestCase):
    """
    What the documents say of the configuration.
    """

    def test_snippets(self) -> None:
        """
        Each snippet is a configuration that can be used.
        """
        found = 0
        for path in DOCUMENTS:
            text = path.read_text(encoding="utf-8")
            for block in re.findall(r"^\.\. code-block:: toml\n\n((?:(?: {4}.*)?\n)+)", text, re.MULTILINE):
                self.assertEqual(checkConfig(dedent(block), str(path)), [])
                found += 1
        self.assertGreater(found, 4)

    def test_keys(self) -> None:
        """
        Each C{[section] key} that a sentence names is there.
        """
        found = 0
        for path in DOCUMENTS:
            for section, key in re.findall(r"``\[(\w+)\]\s+(\w+)``", path.read_text(encoding="utf-8")):
                self.assertIn(key, shapes(sections()[section]), f"{path}: [{section}] {key}")
                found += 1
        self.assertGreater(found, 5)


class WordTests(SynchronousTestCase):
    """
    The tables of reason words.
    """

    def expected(self, word: str) -> tuple[str, str, str]:
        """
        What the table has behind a word: close code, HTTP status, what the page does.
        """
        error: Any = errors().get(word)
        own = {reason.value: reason for reason in EndReason}
        close: object = _NONE
        if word in own:
            close = own[word].closeCode
        elif not error.__module__.startswith(f"{api.__name__}."):
            close = error.closeCode
        status = _NONE if error is None else error.httpStatus
        return str(close), str(status), courses().get(word, _NONE)

    def test_architecture(self) -> None:
        """
        The tables of the architecture hold every word, with its close code, its status and what the page does.
        """
        text = ARCHITECTURE.read_text(encoding="utf-8")
        rows = re.findall(r"^([a-z_]+) {2,}(\d+|–) {2,}(\d+|–) {2,}(\w+|–)$", text, re.MULTILINE)
        self.assertEqual(len({row[0] for row in rows}), len(rows))
        words = {*errors(), *(reason.value for reason in EndReason)}
        self.assertEqual({word: tuple(rest) for word, *rest in rows}, {word: self.expected(word) for word in words})

    def test_questions(self) -> None:
        """
        The questions say of every word what it means and what helps, once.
        """
        text = FAQ.read_text(encoding="utf-8")
        _, found, after = text.partition("What does the reason word mean")
        self.assertTrue(found)
        chapter = re.split(r"^-{10,}$", after, flags=re.MULTILINE)[1]
        rows = [word for word in re.findall(r"^([a-z_]+) {2,}\S.* {2,}\S", chapter, re.MULTILINE) if word != "word"]
        self.assertEqual(sorted(rows), sorted({*errors(), *(reason.value for reason in EndReason)}))


class ModuleTests(SynchronousTestCase):
    """
    The modules in C{docs/architecture.rst}.
    """

    maxDiff = None

    def test_modules(self) -> None:
        """
        Every module has its line, below the level that the layout gives it, and no line is left for one that is gone.
        """
        text = ARCHITECTURE.read_text(encoding="utf-8")
        named = {}
        for level, chapter in re.findall(r"^Level (\d).*\n~+\n((?:(?!Level ).*\n)+)", text, re.MULTILINE):
            for module in re.findall(r"^``([\w/]+(?:\.py|/))`` {2,}\S", chapter, re.MULTILINE):
                named[module] = int(level)
        parts = {module: module.split("/")[0].removesuffix(".py") for module in modules()}
        self.assertEqual(named, {module: RULES.levels[part] for module, part in parts.items()})
