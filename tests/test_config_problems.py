"""
What problems look like.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.config import Problem


class ProblemTests(SynchronousTestCase):
    """
    Tests for L{Problem}.
    """

    def test_text(self) -> None:
        """
        A problem is one line, which begins as editors and compilers expect it.
        """
        problem = Problem("a.toml", 3, "web.listn", "there is no such key", 'Did you mean "listen"?')
        self.assertEqual(str(problem), 'a.toml:3: web.listn: there is no such key. Did you mean "listen"?')

    def test_wholeFile(self) -> None:
        """
        A problem of the file as a whole names neither line nor key.
        """
        self.assertEqual(str(Problem("a.toml", 0, "", "it is empty", "Fill it.")), "a.toml: it is empty. Fill it.")
