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
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha1
from typing import Final
from urllib.parse import parse_qsl, quote

from vncproxy.errors import ConfigError, RequestError

MOST_PARAMETERS: Final = 100

_SHORTEST_SECRET: Final = 16

_VERSION: Final = "3"
_EXPIRES: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", re.ASCII)


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


def parseKeys(text: str, name: str) -> dict[str, str]:
    """
    The API keys and their secrets that a file holds: a key, white space and its secret on a line; C{#} begins a
    comment.

    @param name: what complaints call the file.

    @raise ConfigError: a line is not so, or a key stands twice. The text names the line, and nothing that stands in it.
    """
    secrets: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or len(words[1]) < _SHORTEST_SECRET:
            raise ConfigError(
                f"{name}, line {number}: write an API key, a blank and its secret of 16 characters or more."
            )
        if words[0] in secrets:
            raise ConfigError(f"{name}, line {number}: the API key stands there twice. Leave one of the two out.")
        secrets[words[0]] = words[1]
    return secrets


def verify(parameters: Mapping[str, str], secrets: Mapping[str, str], now: float) -> str:
    """
    The API key with which a request was signed.

    @param parameters: as L{parseParameters} returns them.
    @param secrets: of each API key.
    @param now: seconds since the epoch.

    @raise SignatureRefused: it was not signed with a known key, its signature is over, or of a version without an end.
    """
    key = parameters.get("apikey", "")
    # A key that is unknown takes as long as one that is known.
    secret = secrets.get(key, "")
    good = _matches(parameters, secret) and key in secrets
    if not good or parameters.get("signatureversion") != _VERSION or not _lasts(parameters.get("expires", ""), now):
        raise SignatureRefused()
    return key


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
