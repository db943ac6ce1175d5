"""
The store in memory.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from tests.storesuite import StoreCase, StoreSuite
from vncproxy.interfaces import IStore
from vncproxy.stores.memory import MemoryStore


class MemoryStoreTests(StoreSuite, StoreCase):
    """
    L{MemoryStore} behaves as a store.
    """

    makeStore = MemoryStore

    def test_interface(self) -> None:
        """
        It provides what it says.
        """
        self.assertTrue(verifyObject(IStore, self.store))
