"""
The messages of the token-check protocol.
"""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.consoleauth.messages import (
    LINE_LIMIT,
    Code,
    Fault,
    Lines,
    decodeAnswer,
    decodeParams,
    decodeRequest,
    encodeFault,
    encodeRequest,
    encodeResult,
)
from vncproxy.consoleauth.params import Authenticate, Deleted, DeleteTokens, Nothing

_DEEP = b'{"jsonrpc":"2.0","method":"m","id":1,"params":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
_IDS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=("Cs",)))


class LinesTests(SynchronousTestCase):
    """
    Tests for L{Lines}.
    """

    @given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))), st.data())
    def test_chunks(self, lines: list[bytes], data: st.DataObject) -> None:
        """
        However the bytes are cut on their way, the lines are the same.
        """
        text = b"".join(line + b"\n" for line in lines) + b"rest"
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
        cutter, found = Lines(), []
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            found += cutter.feed(text[start:end])
        self.assertEqual((found, cutter.tooLong), (lines, False))

    def test_limit(self) -> None:
        """
        A line of the greatest length is one; of a longer one nothing is taken, nor of what follows it.
        """
        longest = b"x" * LINE_LIMIT
        for pieces, expected in (
            ((longest + b"\n",), ([longest], False)),
            ((longest, b"\n"), ([longest], False)),
            ((longest + b"x",), ([], True)),
            ((b"a\n" + longest + b"x\nb\n",), ([b"a"], True)),
            ((b"a\n" + longest, b"x", b"\nb\n"), ([b"a"], True)),
        ):
            cutter, found = Lines(), []
            for piece in pieces:
                found += cutter.feed(piece)
            self.assertEqual((found, cutter.tooLong), expected)


class RequestTests(SynchronousTestCase):
    """
    Tests for L{decodeRequest} and L{encodeRequest}.
    """

    @given(_IDS, st.text(st.characters(exclude_categories=("Cs",))))
    def test_roundTrip(self, id: int | str | None, key: str) -> None:
        """
        What is written is read back, on one line.
        """
        line = encodeRequest(id, "authenticate", Authenticate(key=key))
        self.assertEqual((line.count(b"\n"), line[-1:]), (1, b"\n"))
        request = decodeRequest(line)
        self.assertEqual((request.id, request.method), (id, "authenticate"))
        self.assertEqual(decodeParams(request.params, Authenticate).key, key)

    def test_parts(self) -> None:
        """
        Parameters and id may be left out; white space and a carriage return do not matter.
        """
        request = decodeRequest(b' {"method":"ping", "jsonrpc":"2.0", "more":[]}\r')
        self.assertEqual(
            (request.method, request.id, decodeParams(request.params, Nothing)), ("ping", UNSET, Nothing())
        )

    def test_secrets(self) -> None:
        """
        Nothing shows the parameters.
        """
        line = encodeRequest(1, "authenticate", Authenticate(key="hush"))
        request = decodeRequest(line)
        self.assertNotIn("hush", repr(request) + repr(decodeParams(request.params, Authenticate)))

    def test_wrong(self) -> None:
        """
        Each fault is told apart, with the request's id where there is one.
        """
        for line, code, id in (
            (b"", Code.PARSE_ERROR, None),
            (b"nonsense", Code.PARSE_ERROR, None),
            (b'{"jsonrpc":"2.0","id":1,"method":"m"} x', Code.PARSE_ERROR, None),
            (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', Code.PARSE_ERROR, None),
            (_DEEP, Code.PARSE_ERROR, None),
            (b"[]", Code.INVALID_REQUEST, None),
            (b'[{"jsonrpc":"2.0","id":1,"method":"m"}]', Code.INVALID_REQUEST, None),
            (b'{"jsonrpc":"2.0","id":7}', Code.INVALID_REQUEST, 7),
            (b'{"jsonrpc":"2.0","id":"a","method":5}', Code.INVALID_REQUEST, "a"),
            (b'{"jsonrpc":"1.0","id":7,"method":"m"}', Code.INVALID_REQUEST, 7),
            (b'{"id":7,"method":"m"}', Code.INVALID_REQUEST, 7),
            (b'{"jsonrpc":"2.0","id":[],"method":"m"}', Code.INVALID_REQUEST, None),
        ):
            fault = self.assertRaises(Fault, decodeRequest, line)
            self.assertEqual((fault.code, fault.id), (code, id), line[:80])

    @given(st.binary(max_size=100) | st.from_regex(rb'\{"jsonrpc":"2\.0","id":.{0,5},"method":.{0,9}\}'))
    def test_anything(self, line: bytes) -> None:
        """
        Whatever comes is a request or a fault.
        """
        try:
            decodeRequest(line)
        except Fault as fault:
            self.assertIn(fault.code, (Code.PARSE_ERROR, Code.INVALID_REQUEST))

    def test_parameters(self) -> None:
        """
        Parameters that a method does not take are told with their place; none are read off a list.
        """
        for raw, words in (
            (b"{}", "missing required field `instance_uuid`"),
            (b'{"instance_uuid":5}', "$.instance_uuid"),
            (b'{"instance_uuid":"vm","x":1}', "unknown field `x`"),
            (b'{"instance_uuid":"a/b"}', "$.instance_uuid"),
            (b'["vm"]', "Expected `object`"),
        ):
            fault = self.assertRaises(Fault, decodeParams, Raw(raw), DeleteTokens)
            self.assertEqual(fault.code, Code.INVALID_PARAMS)
            self.assertIn(words, fault.message)


class AnswerTests(SynchronousTestCase):
    """
    Tests for L{decodeAnswer}, L{encodeResult} and L{encodeFault}.
    """

    @given(_IDS)
    def test_result(self, id: int | str | None) -> None:
        """
        A result is read back, be it none.
        """
        answer = decodeAnswer(encodeResult(id, Deleted(deleted=3)))
        assert answer.result is not UNSET
        self.assertEqual((answer.id, msgspec.json.decode(answer.result)), (id, {"deleted": 3}))
        answer = decodeAnswer(encodeResult(id, None))
        self.assertEqual(answer.result, Raw(b"null"))
        self.assertNotIn("deleted", repr(answer))

    def test_fault(self) -> None:
        """
        An error has the form that JSON-RPC gives it, and is read back.
        """
        line = encodeFault(5, Fault(Code.REFUSED, "It was used.", "token_used"))
        self.assertEqual(
            json.loads(line),
            {
                "jsonrpc": "2.0",
                "id": 5,
                "error": {"code": -32000, "message": "It was used.", "data": {"reason": "token_used"}},
            },
        )
        answer = decodeAnswer(line)
        assert answer.error is not UNSET
        self.assertEqual((answer.error.code, answer.error.reason), (-32000, "token_used"))
        plain = decodeAnswer(encodeFault(None, Fault(Code.PARSE_ERROR, "This is none.")))
        assert plain.error is not UNSET
        self.assertEqual((plain.id, plain.error.reason), (None, ""))

    def test_wrong(self) -> None:
        """
        What is no answer is none.
        """
        for line in (
            b"",
            b"x",
            b"[]",
            b'{"jsonrpc":"2.0","id":1}',
            b'{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":"m"}}',
            b'{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":"m"}}',
            b'{"id":1,"result":1}',
        ):
            self.assertRaises(Fault, decodeAnswer, line)
