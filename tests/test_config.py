"""
The example file, C{conf/vncproxy.toml}: it is the documentation of the configuration, and so must not lie.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.config import Config, StaticConsole
from vncproxy.config.checks import readConfig, sections

EXAMPLE: Final = Path(__file__).parents[1] / "conf" / "vncproxy.toml"


class ExampleTests(SynchronousTestCase):
    """
    The example file.
    """

    def setUp(self) -> None:
        """
        Read it.
        """
        self.text = EXAMPLE.read_text(encoding="utf-8")

    def uncommented(self, unset: bool) -> str:
        """
        The text with its keys in force: those that have a default, and, if C{unset}, those that have none, too.
        """
        lines = []
        described = ""
        for line in self.text.splitlines():
            key = re.fullmatch(r"#((?:\[\[)?\w+(?: = .*|\]\]))", line)
            described = "" if not line else described + line
            isDefault = "Default:" not in described
            lines.append(key[1] if key and (isDefault or unset) else line)
        return "\n".join(lines)

    def test_asItIs(self) -> None:
        """
        As it is it changes nothing.
        """
        reading = readConfig(self.text, "example")
        self.assertEqual((reading.problems, reading.config), ((), Config()))

    def test_defaults(self) -> None:
        """
        The values that stand there as defaults are the defaults.
        """
        reading = readConfig(self.uncommented(unset=False).split("\n[[console]]")[0], "example")
        self.assertEqual((reading.problems, reading.config), ((), Config()))

    def test_everyKey(self) -> None:
        """
        Each key of each section stands there once, commented out, with a value that passes, below a comment.
        """
        reading = readConfig(self.uncommented(unset=True), "example")
        self.assertEqual(reading.problems, ())
        for name, section in [*sections().items(), ("console", StaticConsole)]:
            part = re.split(rf"^#?\[+{name}\]+$", self.text, flags=re.MULTILINE)[1]
            part = re.split(r"^#?\[", part, flags=re.MULTILINE)[0]
            keys = re.findall(r"^#(\w+) = ", part, flags=re.MULTILINE)
            self.assertEqual(sorted(keys), sorted(section.__struct_fields__), name)
            for key in keys:
                self.assertRegex(part, rf"(?m)^# .+\n#{key} = ")

    def test_withoutDefault(self) -> None:
        """
        The comment of a key says what its default is exactly where the value that stands there is not.
        """
        for name, section in sections().items():
            for field in msgspec.structs.fields(section):
                comment = re.search(rf"\n\n((?:# .+\n)+)#{field.name} = ", self.text.split(f"\n[{name}]")[1])
                assert comment is not None
                self.assertEqual("Default:" in comment[1], field.default is None, f"{name}.{field.name}")

    def test_width(self) -> None:
        """
        It fits a terminal.
        """
        self.assertLessEqual(max(map(len, self.text.splitlines())), 120)
