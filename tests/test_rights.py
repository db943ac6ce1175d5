"""
What an API key may do.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy import rights
from vncproxy.model import APIKey, Role
from vncproxy.rights import PATTERN, RIGHTS, Right, matches, may, sees


class RoleTests(SynchronousTestCase):
    """
    Roles and their rights.
    """

    def test_everyRole(self) -> None:
        """
        Each role has its rights, and only the administrator has them all.
        """
        self.assertEqual(set(RIGHTS), set(Role))
        self.assertEqual([role for role in Role if RIGHTS[role] == set(Right)], [Role.ADMIN])

    def test_table(self) -> None:
        """
        The table at the top of the module, which people read, is what counts.
        """
        rows = [line.split() for line in (rights.__doc__ or "").splitlines()]
        (names,) = (row[1:] for row in rows if row[:1] == ["role"])
        told = {
            row[0]: {name for name, word in zip(names, row[1:], strict=True) if word == "yes"}
            for row in rows
            if row and row[0] in set(Role)
        }
        self.assertEqual(told, {role.value: {right.value for right in RIGHTS[role]} for role in Role})

    def test_may(self) -> None:
        """
        A key may do what its role may.
        """
        issuer = APIKey("portal", "0" * 64, Role.ISSUER)
        self.assertTrue(may(issuer, Right.ISSUE))
        self.assertFalse(may(issuer, Right.CONTROL))


class PatternTests(SynchronousTestCase):
    """
    Which consoles exist for a key.
    """

    def test_sees(self) -> None:
        """
        A key without a pattern sees every console, one with a pattern those that match.
        """
        self.assertTrue(sees(APIKey("a", "0" * 64, Role.VIEWER), "vm-1"))
        bound = APIKey("b", "0" * 64, Role.VIEWER, "vm-*")
        self.assertTrue(sees(bound, "vm-1"))
        self.assertFalse(sees(bound, "rack-1"))

    def test_matches(self) -> None:
        """
        A pattern is matched by a whole id, and what is no C{*} or C{?} stands for itself.
        """
        for pattern, good, bad in (
            ("vm-1", ["vm-1"], ["vm-12", "avm-1", "vm-", "VM-1", ""]),
            ("vm-*", ["vm-", "vm-1", "vm-vm-"], ["vm", "avm-1"]),
            ("*", ["", "a"], []),
            ("?", ["a", "?"], ["", "ab"]),
            ("a*b*c", ["abc", "axbxc", "abbcc"], ["acb", "ab", "ac"]),
            ("a*a", ["aa", "aba"], ["a"]),
            ("*ab*ab*", ["abab", "xabyabz"], ["aba", "bab"]),
            ("a?*", ["ab", "abc"], ["a"]),
            ("vm.1", ["vm.1"], ["vmx1"]),
        ):
            for consoleID in good:
                self.assertTrue(matches(pattern, consoleID), (pattern, consoleID))
            for consoleID in bad:
                self.assertFalse(matches(pattern, consoleID), (pattern, consoleID))

    @given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
    def test_likeShells(self, pattern: str, consoleID: str) -> None:
        """
        A pattern means what it means to a shell.
        """
        self.assertEqual(matches(pattern, consoleID), fnmatchcase(consoleID, pattern))

    def test_quick(self) -> None:
        """
        No pattern takes long, however it was thought out.
        """
        begun = perf_counter()
        self.assertFalse(matches("*a" * 63 + "b", "a" * 127))
        self.assertFalse(matches("*?a" * 42, "a" * 126 + "b"))
        self.assertLess(perf_counter() - begun, 0.5)

    def test_characters(self) -> None:
        """
        Brackets, which other patterns have, are none of ours.
        """
        self.assertIsNotNone(PATTERN.fullmatch("vm-?.*"))
        for bad in ("", "[ab]", "a b", "a" * 129, "ä"):
            self.assertIsNone(PATTERN.fullmatch(bad), bad)
