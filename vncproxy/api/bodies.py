"""
JSON bodies into typed, frozen values, with faults told in words: which key, what is wrong with it, what would be right.

No fault repeats a value: it may be a password.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import Enum
from typing import Final, TypeVar, get_args
from urllib.parse import parse_qsl

import msgspec

from vncproxy.errors import RequestError

_S = TypeVar("_S", bound=msgspec.Struct)

# What msgspec says, and what we make of it. (msgspec 0.19–0.22: `Object contains unknown field `x``, …)
_PLACE: Final = re.compile(r" - at `\$\.?(?P<place>[^`]*)`$")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<key>.*)`$", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(?P<key>.*)`$")
_WORDS: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


# For JSON 600.0 is a whole number (JSON Schema 2020-12, section 4.2.3), and some languages write it so.
_JSON: Final = msgspec.json.Decoder(float_hook=_number)


def decodeBody(kind: type[_S], data: bytes) -> _S:
    """
    One JSON object as C{kind}. No bytes at all stand for an object without keys.

    @raise RequestError: it is not JSON, or not of this kind; the text names the key, the cause and the cure.
    """
    try:
        return msgspec.convert(_JSON.decode(data or b"{}"), kind)
    except msgspec.ValidationError as error:
        raise RequestError(_tell(kind, str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RequestError("The body is not JSON in UTF-8.") from None
    except RecursionError:
        raise RequestError("The body is nested too deeply.") from None


def decodeQuery(kind: type[_S], query: bytes) -> _S:
    """
    What stands behind the question mark of a URL as C{kind}.

    @raise RequestError: it is not of this kind; the text names the key, the cause and the cure.
    """
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise RequestError("The query is not UTF-8, escaped.") from None
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise RequestError(f"{key}: it must not be given twice.")
    try:
        # All of it is text, numbers too.
        return msgspec.convert(dict(pairs), kind, strict=False)
    except msgspec.ValidationError as error:
        raise RequestError(_tell(kind, str(error))) from None


def _tell(kind: type[msgspec.Struct], fault: str) -> str:
    known = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    place = _PLACE.search(fault)
    key = place["place"] if place else ""
    fault = fault[: place.start()] if place else fault
    if unknown := _UNKNOWN.match(fault):
        near = get_close_matches(unknown["key"], known, n=1)
        cure = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}."
        return f"{unknown['key']}: there is no such key; {cure}"
    if missing := _MISSING.match(fault):
        return f"{missing['key']}: this key is needed."
    if not key:
        return "The body must be a JSON object."
    choices = _choices(known.get(key))
    wanted = f"must be one of {', '.join(choices)}" if choices else _plain(fault)
    return f"{key}: {wanted}."


def _choices(annotation: object) -> list[str]:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, Enum):
            return [str(choice.value) for choice in part]
    return []


def _plain(fault: str) -> str:
    # "Expected `int | null`, got `str`", "Expected `int` >= 1", "Expected `str` of length <= 256"
    expected = re.match(r"Expected `(?P<kinds>[^`]*)`(, got `(?P<got>[^`]*)`)?(?P<rule>.*)$", fault)
    if expected is None:
        return "is not valid"
    kinds = " or ".join(_WORDS.get(kind, kind) for kind in expected["kinds"].split(" | "))
    got = f", not {_WORDS.get(expected['got'], expected['got'])}" if expected["got"] else ""
    rule = expected["rule"].replace(">=", "at least").replace("<=", "at most")
    return f"must be {kinds}{rule}{got}"
