"""
CloudStack's signed requests: parameters, and the proof that whoever sends them holds the secret of an API key.

::

    apiKey=K & command=createConsoleEndpoint & expires=2026-11-20T15:14:29+0000 & response=json & signatureVersion=3
      & virtualmachineid=vm-1                    & signature=base64(HMAC-SHA1(secret, text))

    text = the other parameters, each as name=value with the value percent-encoded, in the order of their names, all in
    lower case, joined by "&"

Only signatures of version 3 are taken: older ones never expire, and who has seen such a request can repeat it for ever.
Source: CloudStack's programmer guide ("signing API requests"), and what its C{cs} client sends.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha1, sha256
from typing import Final
from urllib.parse import parse_qsl, quote

import attrs

from vncproxy.errors import ConfigError, RequestError
from vncproxy.model import APIKey, Role
from vncproxy.rights import PATTERN

MOST_PARAMETERS: Final = 100

OWNER_PREFIX: Final = "cloudstack:"
"""
What the names of these keys begin with, where those who made a token are named. Eight characters of the key follow.
"""

_SHORTEST_SECRET: Final = 16

_VERSION: Final = "3"
_EXPIRES: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", re.ASCII)


@attrs.frozen
class SigningKey:
    """
    A key of CloudStack's kind.

    @ivar key: what it may do.
    """

    secret: str = attrs.field(repr=False)
    key: APIKey


class SignatureRefused(RequestError):
    """
    The request is not signed with the secret of a key that is known, or not any more. It never says which.
    """

    httpStatus = 401
    told = "unable to verify user credentials and/or request signature"


class ParametersMalformed(RequestError):
    """
    The parameters of the request cannot be told apart.
    """

    httpStatus = 430
    told = "The parameters of the request are malformed."


def parseParameters(*texts: str) -> dict[str, str]:
    """
    The parameters of a request, from its query and from its form. Names are in lower case: for CloudStack they are the
    same in any.

    @raise ParametersMalformed: there are too many, one stands twice, or they are not percent-encoded UTF-8.
    """
    found: dict[str, str] = {}
    for text in texts:
        try:
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
        except ValueError:
            raise ParametersMalformed("The parameters must be few, and percent-encoded UTF-8.") from None
        for name, value in pairs:
            if name.lower() in found:
                raise ParametersMalformed(f"The parameter {name} stands twice.")
            found[name.lower()] = value
    return found


def parseKeys(text: str, name: str) -> dict[str, SigningKey]:
    """
    The API keys that a file holds, one on a line: C{KEY SECRET [ROLE [PATTERN]]}. The role is C{admin} where none is
    named; a pattern narrows what the key may see. C{#} begins a comment.

    @param name: what complaints call the file.

    @raise ConfigError: a line is not so, or a key stands twice. The text names the line, and nothing that stands in it.
    """
    keys: dict[str, SigningKey] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        fault = _lineFault(words)
        if fault is None and words[0] in keys:
            fault = "the API key stands there twice. Leave one of the two out."
        if fault is not None:
            raise ConfigError(f"{name}, line {number}: {fault}")
        role = Role(words[2]) if len(words) > 2 else Role.ADMIN
        pattern = words[3] if len(words) > 3 else None
        hashed = sha256(words[1].encode()).hexdigest()
        keys[words[0]] = SigningKey(words[1], APIKey(f"{OWNER_PREFIX}{words[0][:8]}", hashed, role, pattern))
    return keys


def _lineFault(words: Sequence[str]) -> str | None:
    if not 2 <= len(words) <= 4 or len(words[1]) < _SHORTEST_SECRET:
        return f"write an API key, a blank and its secret of {_SHORTEST_SECRET} characters or more."
    if len(words) > 2 and words[2] not in list(Role):
        return f"the third word must be a role: {', '.join(Role)}."
    if len(words) > 3 and not PATTERN.fullmatch(words[3]):
        return "the fourth word must be a pattern of console ids, such as lab-*."
    return None


def verify(parameters: Mapping[str, str], keys: Mapping[str, SigningKey], now: float) -> APIKey:
    """
    The API key with which a request was signed.

    @param parameters: as L{parseParameters} returns them.
    @param keys: those that are known.
    @param now: seconds since the epoch.

    @raise SignatureRefused: it was not signed with a known key, its signature is over, or of a version without an end.
    """
    known = keys.get(parameters.get("apikey", ""))
    # A key that is unknown takes as long as one that is known.
    good = _matches(parameters, "" if known is None else known.secret)
    lasts = parameters.get("signatureversion") == _VERSION and _lasts(parameters.get("expires", ""), now)
    if known is None or not good or not lasts:
        raise SignatureRefused()
    return known.key


def sign(parameters: Mapping[str, str], secret: str) -> bytes:
    """
    The signature of a request: of all its parameters but the signature itself.
    """
    return _digest(secret, _text(parameters))


def _matches(parameters: Mapping[str, str], secret: str) -> bool:
    try:
        shown = b64decode(parameters.get("signature", ""), validate=True)
    except (Base64Error, ValueError):
        return False
    text = _text(parameters)
    # Java escapes a tilde, RFC 3986 and clients after it do not.
    signatures = [_digest(secret, text), _digest(secret, text.replace("~", "%7e"))]
    return any([hmac.compare_digest(shown, each) for each in signatures])


def _text(parameters: Mapping[str, str]) -> str:
    signed = sorted((name.lower(), value) for name, value in parameters.items() if name.lower() != "signature")
    return "&".join(f"{name}={quote(value, safe='*').lower()}" for name, value in signed)


def _digest(secret: str, text: str) -> bytes:
    return hmac.digest(secret.encode(), text.encode(), sha1)


def _lasts(expires: str, now: float) -> bool:
    if not _EXPIRES.fullmatch(expires):
        return False
    try:
        return now <= datetime.strptime(expires, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except (ValueError, OverflowError):
        return False
