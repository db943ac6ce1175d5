"""
The consoles that were registered over the API.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.storesuite import console
from vncproxy.directory import StoredDirectory
from vncproxy.errors import ConsoleUnknown, TokensUnreachable
from vncproxy.interfaces import IDirectory
from vncproxy.stores.memory import MemoryStore


class StoredDirectoryTests(SynchronousTestCase):
    """
    Tests for L{StoredDirectory}.
    """

    def setUp(self) -> None:
        """
        A directory over an empty store.
        """
        self.store = MemoryStore()
        self.directory = StoredDirectory(self.store)

    def resolve(self, consoleID: str) -> Deferred[object]:
        """
        Begin to ask.
        """
        return Deferred.fromCoroutine(self.directory.resolve(consoleID))

    def test_resolve(self) -> None:
        """
        It knows what is in the store at that moment.
        """
        self.assertTrue(verifyObject(IDirectory, self.directory))
        self.failureResultOf(self.resolve("a"), ConsoleUnknown)
        self.successResultOf(Deferred.fromCoroutine(self.store.putConsole(console("a"))))
        self.assertEqual(self.successResultOf(self.resolve("a")), console("a"))

    def test_outOfReach(self) -> None:
        """
        A store that does not serve is not the same as a console that is not there.
        """
        self.successResultOf(Deferred.fromCoroutine(self.store.close()))
        self.failureResultOf(self.resolve("a"), TokensUnreachable)
