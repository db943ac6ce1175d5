"""
On which line of a TOML text each key stands.
"""

from __future__ import annotations

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.config.lines import KeyPath, Lines

_TEXT = r'''
# a comment = with an equals sign
top = 1
dotted.key . "with \"quotes\"" = 2

[table]    # [not.a.table]
multi = """
[no.table]
no = "key"
"""" # four quotes end it
literal = \'\'\'
no = 'key' \'\'\'
array = [
  "]", # ]
  { inline = "}" },
]
last = 3
[table.sub]
key = "\""

[[list]]
key = 1
[list.sub]
deep = 1
[[list.inner]]
x = 1
[[list.inner]]
x = 2
[[list]]
'no bare' = 1
[[list.inner]]
x = 3'''.replace("\\'", "'")


class LinesTests(SynchronousTestCase):
    """
    Tests for L{Lines}.
    """

    def test_everyKind(self) -> None:
        """
        Every kind of key is found, and nothing that only looks like one.
        """
        tomllib.loads(_TEXT)
        lines = Lines(_TEXT)
        for path, line in (
            (("top",), 3),
            (("dotted",), 4),
            (("dotted", "key", 'with "quotes"'), 4),
            (("table",), 6),
            (("table", "multi"), 7),
            (("table", "literal"), 11),
            (("table", "array"), 13),
            (("table", "last"), 17),
            (("table", "sub"), 18),
            (("table", "sub", "key"), 19),
            (("list",), 21),
            (("list", 0), 21),
            (("list", 0, "key"), 22),
            (("list", 0, "sub", "deep"), 24),
            (("list", 0, "inner", 1, "x"), 28),
            (("list", 1), 29),
            (("list", 1, "no bare"), 30),
            (("list", 1, "inner", 0, "x"), 32),
        ):
            self.assertEqual(lines.of(path), line, path)

    def test_nearest(self) -> None:
        """
        What does not stand in the text is where the table around it is; nothing at all is on line 0.
        """
        lines = Lines(_TEXT)
        self.assertEqual(lines.of(("table", "array", 1, "inline")), 13)
        self.assertEqual(lines.of(("list", 0, "missing")), 21)
        self.assertEqual(lines.of(("nowhere", "x")), 0)

    def test_windows(self) -> None:
        """
        Lines that end as on Windows are counted alike.
        """
        lines = Lines(_TEXT.replace("\n", "\r\n"))
        self.assertEqual(lines.of(("list", 1, "inner", 0, "x")), 32)

    @settings(deadline=None)
    @given(st.data())
    def test_made(self, data: st.DataObject) -> None:
        """
        Of any text that is put together at random, every key is found on the line on which it was put.
        """
        written: list[str] = []
        expected: dict[KeyPath, int] = {}

        def put(text: str, path: KeyPath | None = None) -> None:
            if path is not None:
                expected[path] = sum(each.count("\n") + 1 for each in written) + 1
            written.append(text)

        for number in range(data.draw(st.integers(0, 4))):
            table: KeyPath = (f"table{number}",)
            isArray = data.draw(st.booleans())
            put(f"[[table{number}]]" if isArray else f" [ table{number} ] # [x]", table)
            for key in data.draw(st.lists(_KEYS, unique=True, max_size=4)):
                filler = data.draw(st.sampled_from(["", "# x = 1", "\t", "\r"]))
                if filler:
                    put(filler)
                value = data.draw(_VALUES)
                put(f"{_quoted(key)} = {value}", (*table, 0, key) if isArray else (*table, key))
        text = "\n".join(written)
        tomllib.loads(text)
        lines = Lines(text)
        self.assertEqual({path: lines.of(path) for path in expected}, expected)


_KEYS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6)
_STRINGS = st.text(st.sampled_from("a\"'#[]{}=,\n\\ "), max_size=12)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _multiline(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"""', '""\\"')
    return f'"""{escaped}"""' if not escaped.endswith('"') else f'"""{escaped}\n"""'


def _literal(text: str) -> str:
    return f"'''{text.replace(chr(39), '')}'''"


_SCALARS = st.one_of(
    st.integers().map(str),
    st.sampled_from(["true", "1979-05-27T07:32:00Z", "inf", "0x1f"]),
    _STRINGS.map(_quoted),
    _STRINGS.map(_multiline),
    _STRINGS.map(_literal),
)
_VALUES = st.one_of(
    _SCALARS,
    st.lists(_SCALARS, max_size=3).map(lambda each: "[ # ]\n" + ",\n".join(each) + "\n]"),
    st.integers().map(lambda number: f"{{ a = {number}, b.c = ['}}'] }}"),
)
