"""
On which line of a TOML text each key stands: what L{tomllib} does not tell.

The text has been read by L{tomllib} before, so this only walks over it: statement by statement, past strings, arrays
and comments.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final, cast

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART: Final = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*')[ \t]*""")
_VALUE_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|\#[^\n]*"
    r"|(?P<open>[\[{])"
    r"|(?P<close>[\]}])"
    r"|(?P<newline>\n)"
    r"|[^\"'\#\[\]{}\n]+",
    re.DOTALL,
)

KeyPath = tuple[str | int, ...]
"""
Names of tables and keys; an integer counts the tables of an array, from 0.
"""


class Lines:
    """
    The lines of the keys of one text.
    """

    def __init__(self, text: str) -> None:
        """
        @param text: valid TOML.
        """
        self._text = text
        self._position = 0
        self._line = 1
        self._lines: dict[KeyPath, int] = {}
        self._arrays: dict[KeyPath, int] = {}
        self._table: KeyPath = ()
        while self._skip(_BLANK) < len(text):
            self._readStatement()

    def of(self, path: KeyPath) -> int:
        """
        The line of a key or table, or of the nearest one around it; 0 where nothing of it is in the text.
        """
        while path not in self._lines:
            if not path:
                return 0
            path = path[:-1]
        return self._lines[path]

    def _skip(self, pattern: re.Pattern[str]) -> int:
        """
        Go behind what C{pattern} matches here, and give that place.
        """
        end = cast(re.Match[str], pattern.match(self._text, self._position)).end()
        self._line += self._text.count("\n", self._position, end)
        self._position = end
        return end

    def _readStatement(self) -> None:
        line = self._line
        if self._text[self._position] != "[":
            path = self._table + self._readKey()
            self._skipValue()
        else:
            isArray = self._text.startswith("[[", self._position)
            self._position += 2 if isArray else 1
            path = self._table = self._tablePath(self._readKey(), isArray)
            self._position += 2 if isArray else 1
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], line)

    def _readKey(self) -> tuple[str, ...]:
        """
        A dotted key, and the equals sign behind it where there is one.
        """
        parts: list[str] = []
        while True:
            match = cast(re.Match[str], _KEY_PART.match(self._text, self._position))
            parts.append(_plain(match[1]))
            self._position = match.end()
            after = self._text[self._position]
            if after != "]":
                self._position += 1
            if after != ".":
                return tuple(parts)

    def _tablePath(self, parts: tuple[str, ...], isArray: bool) -> KeyPath:
        path: KeyPath = ()
        for part in parts[:-1]:
            path += (part,)
            if path in self._arrays:
                path += (self._arrays[path],)
        path += parts[-1:]
        if not isArray:
            return path
        self._arrays[path] = self._arrays.get(path, -1) + 1
        return (*path, self._arrays[path])

    def _skipValue(self) -> None:
        """
        Go behind a value: to the first end of a line outside strings and brackets.
        """
        depth = 0
        while self._position < len(self._text):
            token = cast(re.Match[str], _VALUE_TOKEN.match(self._text, self._position))
            if token["newline"] and not depth:
                return
            depth += bool(token["open"]) - bool(token["close"])
            self._skip(_VALUE_TOKEN)


def _plain(part: str) -> str:
    if part[0] not in "\"'":
        return part
    return cast(str, tomllib.loads(f"key = {part}")["key"])
