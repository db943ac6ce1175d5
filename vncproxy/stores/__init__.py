"""
Stores: where consoles and tokens live. One behaviour, whatever is underneath.
"""

from __future__ import annotations

from typing import Any

from vncproxy.config import StoreSection
from vncproxy.config.stores import BadStore, SQLitePlace, parseStore
from vncproxy.errors import ConfigError
from vncproxy.interfaces import IStore
from vncproxy.stores.redis import RedisStore
from vncproxy.stores.sqlite import SQLiteStore


def makeStore(settings: StoreSection, reactor: Any, proxy: str = "") -> IStore:
    """
    The store that C{[store]} names. Nothing is opened before its C{open}.

    @param proxy: what this proxy signs its sessions with, where the store is shared.

    @raise ConfigError: the URL names no store.
    """
    try:
        place = parseStore(settings.url or "")
    except BadStore as error:
        raise ConfigError(f"store.url: {error}") from error
    if isinstance(place, SQLitePlace):
        return SQLiteStore(place.path, reactor)
    return RedisStore(reactor, place, settings, proxy)
