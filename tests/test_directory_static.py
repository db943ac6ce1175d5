"""
The consoles that the configuration names.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.storesuite import console
from vncproxy.directory import StaticDirectory
from vncproxy.errors import ConsoleUnknown
from vncproxy.interfaces import IDirectory


class StaticDirectoryTests(SynchronousTestCase):
    """
    Tests for L{StaticDirectory}.
    """

    def test_resolve(self) -> None:
        """
        It knows the consoles that it was given, and no others.
        """
        directory = StaticDirectory([console("a"), console("b")])
        self.assertTrue(verifyObject(IDirectory, directory))
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(directory.resolve("b"))), console("b"))
        self.failureResultOf(Deferred.fromCoroutine(directory.resolve("c")), ConsoleUnknown)
