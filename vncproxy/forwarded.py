"""
Who the client is, where something in front of us forwards for it (C{X-Forwarded-For}, C{-Proto}, C{-Host}). Pure.

Anybody can send these headers, so only the word of peers that the configuration trusts is taken. Each of them writes
behind what it was told the address that it was told it by::

    client ──────────► somebody ──────────► trusted ──────────► us
                       X-Forwarded-For:     X-Forwarded-For:
                       whatever             whatever, client, somebody

From the right, the first address that is not trusted is the client's: left of it stands what it has made up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import attrs

from vncproxy.addresses import TrustedPeers, parseAddress

_SCHEMES: Final = ("http", "https", "ws", "wss")

_DRESSED: Final = re.compile(r"\[([^]]*)\](?::[0-9]+)?|([0-9.]+):[0-9]+", re.ASCII)
"""
An address as some write it: in brackets, or with the port behind.
"""


@attrs.frozen
class Client:
    """
    A client of ours.

    @ivar address: in words, as L{peerAddress<vncproxy.stream.peerAddress>} has it.
    @ivar scheme: in lower case, by which it came to whom it knows; L{None} if nobody we trust has said.
    @ivar host: that it asked for, with the port if it named one; L{None} if nobody we trust has said.
    """

    address: str
    scheme: str | None = None
    host: str | None = None

    @property
    def isSecure(self) -> bool:
        """
        Whether it came over TLS to somebody we trust.
        """
        return self.scheme in ("https", "wss")


def clientBehind(peer: str, trusted: TrustedPeers, header: Callable[[str], str | None]) -> Client:
    """
    Who asks.

    @param peer: the address of whoever is connected to us, in words.
    @param header: the value of a header by its name in lower case, those of one that repeats joined by commas.
    """
    if peer not in trusted:
        return Client(peer)
    scheme = _first(header("x-forwarded-proto"))
    return Client(
        _behind(peer, trusted, header("x-forwarded-for") or ""),
        scheme.lower() if scheme and scheme.lower() in _SCHEMES else None,
        _first(header("x-forwarded-host")),
    )


def _behind(peer: str, trusted: TrustedPeers, told: str) -> str:
    """
    The client's address as far as it is known for sure.
    """
    address = peer
    for text in reversed(told.split(",")):
        if address not in trusted:
            break
        dressed = _DRESSED.fullmatch(text.strip())
        read = parseAddress(dressed[1] or dressed[2] if dressed else text.strip())
        if read is None:
            # Somebody we trust does not know it, or does not tell.
            break
        address = str(read)
    return address


def _first(told: str | None) -> str | None:
    """
    The first of several words, which is what the client itself asked for; L{None} without one.
    """
    return (told or "").partition(",")[0].strip() or None
