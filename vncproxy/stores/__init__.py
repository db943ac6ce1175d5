"""
Stores: where consoles and tokens live. One behaviour, whatever is underneath.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorFromThreads

from vncproxy.errors import ConfigError
from vncproxy.interfaces import IStore
from vncproxy.stores.sqlite import SQLiteStore


def makeStore(url: str, reactor: IReactorFromThreads) -> IStore:
    """
    The store that a C{[store] url} names. Nothing is opened before its C{open}.

    @param url: C{sqlite:/absolute/path}.

    @raise ConfigError: the URL names no store.
    """
    scheme, _, path = url.partition(":")
    if scheme != "sqlite" or not path.startswith("/"):
        raise ConfigError("store.url: it names no store. Write sqlite:/ABSOLUTE/PATH.")
    return SQLiteStore(path, reactor)
