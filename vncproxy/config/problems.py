"""
What can be wrong with a configuration.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Fault:
    """
    What is wrong with a value, wherever it stands. It never quotes what may be a secret.

    @ivar message: what is wrong, without a full stop.
    @ivar cure: what to write instead, whole sentences.
    """

    message: str
    cure: str


@attrs.frozen
class Problem:
    """
    What is wrong with a configuration, and where.

    @ivar file: as the user named it.
    @ivar line: counted from 1; 0 where it is about the file as a whole.
    @ivar key: dotted, as C{web.listen}; empty where it is about no key.
    @ivar message: what is wrong, without a full stop.
    @ivar cure: what to do, whole sentences.
    @ivar fatal: whether the configuration cannot be used; otherwise it is a warning.
    """

    file: str
    line: int
    key: str
    message: str
    cure: str
    fatal: bool = True

    def __str__(self) -> str:
        """
        One line: C{FILE:LINE: KEY: MESSAGE. CURE}.
        """
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        return f"{place}: {key}{self.message}. {self.cure}"
