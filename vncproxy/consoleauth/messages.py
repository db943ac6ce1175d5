"""
The messages of the token-check protocol, bytes to values and back: JSON-RPC 2.0, one object a line.

::

    peer ──► {"jsonrpc":"2.0","id":1,"method":"authenticate","params":{"key":"…"}}
         ◄── {"jsonrpc":"2.0","id":1,"result":{"version":1}}
         ──► {"jsonrpc":"2.0","id":2,"method":"redeem_token","params":{…}}
         ──► {"jsonrpc":"2.0","id":3,"method":"ping"}
         ◄── {"jsonrpc":"2.0","id":3,"result":{"version":1,…}}
         ◄── {"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"…","data":{"reason":"token_used"}}}

The numbers of errors below -32000 are those of JSON-RPC 2.0 section 5.1. What an error is about stands in the stable
word at C{data.reason}, which is one of L{vncproxy.errors}.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

LINE_LIMIT: Final = 64 * 1024
"""
The longest line, in bytes, without its end.
"""

VERSION: Final = 1
"""
Of the protocol. Answers may gain members without a new one.
"""

_T = TypeVar("_T")

ID = int | float | str | None


class Code(IntEnum):
    """
    What kind of error it is.
    """

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    REFUSED = -32000
    UNAUTHENTICATED = -32001


class Fault(Exception):
    """
    A request is answered with an error.

    @ivar reason: the stable reason word, where there is one.
    @ivar id: of the request, as far as that is known.
    """

    def __init__(self, code: Code, message: str, reason: str | None = None, id: ID = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.id = id


class Lines:
    """
    Cuts what comes into lines.

    @ivar tooLong: a line is longer than L{LINE_LIMIT}; nothing can be understood any more.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self.tooLong = False

    def feed(self, data: bytes) -> list[bytes]:
        """
        The lines that C{data} completes, without their ends. Those before one that is too long are still among them.
        """
        if self.tooLong:
            return []
        self._rest += data
        # Most of what is long comes in many pieces, and only a piece with an end in it is worth a look at the whole.
        if b"\n" not in data:
            self.tooLong = len(self._rest) > LINE_LIMIT
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        for index, line in enumerate((*lines, rest)):
            if len(line) > LINE_LIMIT:
                self.tooLong = True
                return lines[:index]
        return lines


class Request(msgspec.Struct, frozen=True):
    """
    A request; without an id it wants no answer (JSON-RPC 2.0 section 4.1).

    @ivar params: as they came; for the method to decode.
    """

    jsonrpc: Literal["2.0"]
    method: str
    id: ID | UnsetType = UNSET
    params: Raw = Raw(b"{}")

    def __repr__(self) -> str:
        """
        Nothing of the parameters, which may hold secrets.
        """
        return f"Request(method={self.method!r}, id={self.id!r})"


class _Identified(msgspec.Struct):
    id: ID = None


class Detail(msgspec.Struct, frozen=True):
    """
    C{data} of an error.
    """

    reason: str


class ErrorObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    C{error} of an answer.
    """

    code: int
    message: str
    data: Detail | None = None

    @property
    def reason(self) -> str:
        """
        The reason word; empty where there is none.
        """
        return self.data.reason if self.data is not None else ""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    An answer, either with a result or with an error.
    """

    jsonrpc: Literal["2.0"]
    id: ID
    result: Raw | UnsetType = UNSET
    error: ErrorObject | UnsetType = UNSET

    def __repr__(self) -> str:
        """
        Nothing of the result, which may hold secrets.
        """
        return f"Answer(id={self.id!r}, error={self.error!r})"


def decodeRequest(line: bytes) -> Request:
    """
    Read a line of a client.

    @raise Fault: it is no request; with its id, if it has one.
    """
    try:
        return msgspec.json.decode(line, type=Request)
    except msgspec.ValidationError as error:
        raise Fault(Code.INVALID_REQUEST, f"This is no JSON-RPC 2.0 request: {error}.", id=_idOf(line)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Fault(Code.PARSE_ERROR, "This line is no JSON.") from error


def encodeRequest(id: ID, method: str, params: msgspec.Struct | None = None) -> bytes:
    """
    Write a request, with the end of its line.
    """
    fields: dict[str, Any] = {"jsonrpc": "2.0", "id": id, "method": method}
    if params is not None:
        fields["params"] = params
    return msgspec.json.encode(fields) + b"\n"


def decodeAnswer(line: bytes) -> Answer:
    """
    Read a line of a server.

    @raise Fault: it is no answer.
    """
    try:
        answer = msgspec.json.decode(line, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Fault(Code.INVALID_REQUEST, "it is no JSON-RPC 2.0 answer") from error
    if (answer.result is UNSET) is (answer.error is UNSET):
        raise Fault(Code.INVALID_REQUEST, "it holds neither a result nor an error, or both")
    return answer


def encodeResult(id: ID, result: msgspec.Struct | None) -> bytes:
    """
    Write the answer to a request that went well, with the end of its line.
    """
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id, "result": result}) + b"\n"


def encodeFault(id: ID, fault: Fault) -> bytes:
    """
    Write the answer to a request that did not, with the end of its line.
    """
    detail = Detail(fault.reason) if fault.reason else None
    error = ErrorObject(fault.code, fault.message, detail)
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id, "error": error}) + b"\n"


def decodeParams(raw: Raw, kind: type[_T]) -> _T:
    """
    Read the parameters of a request.

    @raise Fault: they are not what the method takes.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Fault(Code.INVALID_PARAMS, f"The parameters are wrong: {error}.") from error


def _idOf(line: bytes) -> ID:
    """
    The id of something that is no request, so that whoever waits for the answer gets one.
    """
    try:
        return msgspec.json.decode(line, type=_Identified).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
