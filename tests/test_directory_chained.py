"""
Several directories, asked in turn.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.storesuite import console
from vncproxy.directory import ChainedDirectory, StaticDirectory
from vncproxy.errors import BackendError, ConsoleUnknown
from vncproxy.interfaces import IDirectory
from vncproxy.model import Console


@implementer(IDirectory)
class SilentDirectory:
    """
    A directory that cannot say.
    """

    async def resolve(self, consoleID: str) -> Console:
        """
        See L{IDirectory.resolve}.
        """
        raise BackendError("out of order")


class ChainedDirectoryTests(SynchronousTestCase):
    """
    Tests for L{ChainedDirectory}.
    """

    def resolve(self, directory: IDirectory, consoleID: str) -> Deferred[Console]:
        """
        Begin to ask.
        """
        return Deferred.fromCoroutine(directory.resolve(consoleID))

    def test_firstWins(self) -> None:
        """
        The first that knows the console answers, whatever the others would say.
        """
        other = attrs.evolve(console("a"), name="another")
        directory = ChainedDirectory(
            [StaticDirectory([console("a")]), StaticDirectory([other, console("b")]), SilentDirectory()]
        )
        self.assertTrue(verifyObject(IDirectory, directory))
        self.assertEqual(self.successResultOf(self.resolve(directory, "a")), console("a"))
        self.assertEqual(self.successResultOf(self.resolve(directory, "b")), console("b"))

    def test_nobodyKnows(self) -> None:
        """
        A console that nobody knows is unknown; so is every console where nobody is asked.
        """
        directory = ChainedDirectory([StaticDirectory([]), StaticDirectory([])])
        self.failureResultOf(self.resolve(directory, "a"), ConsoleUnknown)
        self.failureResultOf(self.resolve(ChainedDirectory([]), "a"), ConsoleUnknown)

    def test_whoCannotSay(self) -> None:
        """
        Nobody is asked behind a directory that cannot say.
        """
        directory = ChainedDirectory([SilentDirectory(), StaticDirectory([console("a")])])
        failure = self.failureResultOf(self.resolve(directory, "a"), BackendError)
        self.assertEqual(failure.getErrorMessage(), "out of order")
