"""
Tokens that say themselves where their console is: JWS, or a JWS inside a JWE (RFC 7515, 7516, 7519).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from vncproxy.errors import TokenExpired
from vncproxy.model import Target
from vncproxy.tokens.websockify.formats import BadEntry, makeTarget

_JWE_PARTS: Final = 5


@attrs.frozen
class SignedTarget:
    """
    What a token says.

    @ivar expires: seconds since the epoch, L{None} where it does not say.
    """

    target: Target
    expires: float | None


def readKey(data: bytes) -> JWK:
    """
    The key in a file: PEM, else the base64url text of a shared secret.

    @raise ValueError: it is neither.
    """
    try:
        return JWK.from_pem(data)
    except (ValueError, TypeError, JWException):
        pass
    try:
        return JWK(kty="oct", k=data.decode("ascii").strip())
    except (UnicodeError, ValueError, JWException) as error:
        raise ValueError("it holds neither a PEM key nor a secret in base64url") from error


def readSigned(token: str, key: JWK, now: float) -> SignedTarget | None:
    """
    What a token says, L{None} if it was not made with this key, or not for this time yet.

    @param key: decrypts a JWE, and verifies the JWS.
    @param now: seconds since the epoch.

    @raise TokenExpired: its time is over.
    @raise BadEntry: it was made with this key and says nothing sound.
    """
    try:
        if token.count(".") == _JWE_PARTS - 1:
            token = _opened(token, key)
        signed = JWS()
        signed.deserialize(token, key)
        claims = msgspec.json.decode(signed.payload, type=dict[str, Any])
    except (JWException, ValueError, TypeError, RecursionError):
        return None
    expires, begins = (_moment(claims, name) for name in ("exp", "nbf"))
    if begins is not None and now < begins:
        return None
    if expires is not None and now > expires:
        raise TokenExpired("its exp is over")
    return SignedTarget(makeTarget(claims.get("host"), claims.get("port")), expires)


def _opened(token: str, key: JWK) -> str:
    sealed = JWE()
    sealed.deserialize(token, key)
    payload: bytes = sealed.payload
    return payload.decode("ascii")


def _moment(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadEntry(f"its {name} is no number of seconds")
    return float(value)


class JWTTokenApi:
    """
    Tokens made with the key in a file, which is read anew at each look. It runs in a thread.
    """

    def __init__(self, source: str, seconds: Callable[[], float]) -> None:
        """
        @param seconds: the time, in seconds since the epoch.
        """
        self._path = Path(source)
        self._seconds = seconds

    def look(self, token: str) -> SignedTarget | None:
        """
        See L{readSigned}.

        @raise OSError: the key cannot be read.
        @raise ValueError: it is none.
        """
        return readSigned(token, readKey(self._path.read_bytes()), self._seconds())
