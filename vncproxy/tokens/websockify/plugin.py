"""
Token classes of other people, as websockify takes them: C{Class(source)} with C{lookup(token) -> (host, port) | None}.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, cast

from vncproxy.errors import ConfigError
from vncproxy.model import Target
from vncproxy.tokens.websockify.formats import BadEntry, makeTarget


def loadClass(dotted: str) -> type[Any]:
    """
    The class that C{package.module.Class} names.

    @raise ConfigError: there is none, or its module cannot be imported.
    """
    name, _, attribute = dotted.rpartition(".")
    try:
        found = getattr(import_module(name), attribute)
    except Exception as error:
        # It is other people's code: anything may come out of it.
        raise ConfigError(
            f"the plugin {dotted} cannot be loaded ({type(error).__name__}: {error}). Name package.module.Class, and "
            "see that its package can be imported."
        ) from error
    return cast("type[Any]", found)


class ClassPlugin:
    """
    An instance of such a class. It runs in a thread, and has to cope with several at a time.
    """

    def __init__(self, dotted: str, source: str) -> None:
        """
        @param source: what its constructor is given; websockify gives L{None} where there is none.

        @raise ConfigError: it cannot be loaded or made.
        """
        plugin = loadClass(dotted)
        try:
            self._plugin = plugin(source or None)
        except Exception as error:
            raise ConfigError(f"the plugin {dotted} does not take its source ({type(error).__name__}).") from error

    def look(self, token: str) -> Target | None:
        """
        What it says of a token.

        @raise BadEntry: it says something else than a host and a port.
        """
        found = self._plugin.lookup(token)
        if found is None:
            return None
        if isinstance(found, str | bytes) or not isinstance(found, Sequence) or len(found) != 2:
            raise BadEntry("it is no pair of a host and a port")
        return makeTarget(*found)
