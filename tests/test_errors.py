"""
Tests for L{vncproxy.errors}: the words that others build on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from vncproxy import errors
from vncproxy.errors import VNCProxyError
from vncproxy.model import EndReason

OUTSIDE = {
    "token_missing": (1008, 400),
    "token_unknown": (1008, 401),
    "token_expired": (1008, 401),
    "token_used": (1008, 401),
    "token_wrong_type": (1008, 401),
    "token_wrong_address": (1008, 401),
    "origin_refused": (1008, 403),
    "tokens_unreachable": (1013, 503),
    "at_capacity": (1013, 503),
    "console_busy": (1013, 503),
    "address_busy": (1013, 503),
    "owner_busy": (1013, 503),
    "too_many_attempts": (1013, 429),
    "draining": (1001, 503),
    "console_unknown": (1008, 502),
    "console_forbidden": (1008, 502),
    "console_unreachable": (1011, 502),
    "console_silent": (1011, 502),
    "console_refused": (1011, 502),
    "console_broken": (1011, 502),
}
"""
The close code and the HTTP status of each refusal: a contract with pages, clients and dashboards.
"""


def tree(kind: type[VNCProxyError] = VNCProxyError) -> Iterator[type[VNCProxyError]]:
    """
    An error of the module, and all below it there.
    """
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below)


class TreeTests(SynchronousTestCase):
    """
    All errors together.
    """

    def test_wordsAreTheirOwn(self) -> None:
        """
        No two errors share a word, and each word is one that may stand in a close frame.
        """
        words = [kind.reason for kind in tree()]
        self.assertEqual(sorted(words), sorted(set(words)))
        for word in words:
            self.assertRegex(word, re.compile(r"[a-z_]{1,40}\Z"))

    def test_contract(self) -> None:
        """
        Refusals are told with the close codes and statuses that others rely on.
        """
        found = {kind.reason: (kind.closeCode, kind.httpStatus) for kind in tree()}
        self.assertEqual({word: found.get(word) for word in OUTSIDE}, OUTSIDE)

    def test_told(self) -> None:
        """
        What a viewer is told is a sentence, and fits the reason of an RFB refusal.
        """
        for kind in tree():
            self.assertRegex(kind.told, r"^[A-Z].{10,200}\.$")

    def test_drawn(self) -> None:
        """
        The tree at the top of the module shows every error with its word.
        """
        drawing = errors.__doc__ or ""
        for kind in tree():
            self.assertRegex(drawing, rf"\b{kind.__name__}\b")
            if kind.__name__ not in ("VNCProxyError", "TokenError", "ServiceUnavailable", "BackendError"):
                self.assertRegex(drawing, rf"\b{kind.__name__} +{kind.reason}\b")

    def test_apartFromEndings(self) -> None:
        """
        Only what is both a refusal and an ending stands in both lists of words.
        """
        shared = {kind.reason for kind in tree()} & {reason.value for reason in EndReason}
        self.assertEqual(shared, {"draining", "unparseable"})
