"""
What L{vncproxy.api.bodies} makes of a body, and how it tells a fault.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.api.bodies import decodeBody
from vncproxy.errors import RequestError


class Colour(StrEnum):
    """
    Something with choices.
    """

    RED = "red"
    BLUE = "blue"


class Paint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A body of every kind of key.
    """

    name: Annotated[str, msgspec.Meta(max_length=5)]
    colour: Colour = Colour.RED
    litres: Annotated[int, msgspec.Meta(ge=1)] | None = None
    glossy: bool = False
    opened: datetime | None = None


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A body that may be absent.
    """

    colour: Colour | None = None


class DecodeBodyTests(SynchronousTestCase):
    def told(self, data: bytes) -> str:
        with self.assertRaises(RequestError) as caught:
            decodeBody(Paint, data)
        return str(caught.exception)

    def test_good(self) -> None:
        """
        A good body becomes its value, with defaults where keys are absent.
        """
        self.assertEqual(decodeBody(Paint, b'{"name": "x", "litres": 2}'), Paint(name="x", litres=2))

    def test_wholeNumber(self) -> None:
        """
        A whole number may be written with a fraction of nothing, as JSON has it.
        """
        self.assertEqual(decodeBody(Paint, b'{"name": "x", "litres": 2.0}').litres, 2)
        self.assertEqual(self.told(b'{"name": "x", "litres": 1e999}')[:7], "litres:")

    def test_absent(self) -> None:
        """
        No body at all stands for an object without keys.
        """
        self.assertEqual(decodeBody(Wish, b""), Wish())
        self.assertEqual(self.told(b""), "name: this key is needed.")

    def test_nearKey(self) -> None:
        """
        A slip in a key is told with the key that was probably meant.
        """
        self.assertEqual(self.told(b'{"nmae": "x"}'), "nmae: there is no such key; did you mean name?")

    def test_strangeKey(self) -> None:
        """
        A key that resembles none is told with those that there are.
        """
        self.assertEqual(
            self.told(b'{"name": "x", "zzz": 1}'),
            "zzz: there is no such key; the keys are name, colour, litres, glossy, opened.",
        )

    def test_wrongType(self) -> None:
        """
        A value of the wrong type is told with its key and both types, in plain words.
        """
        self.assertEqual(self.told(b'{"name": 5}'), "name: must be text, not a whole number.")
        self.assertEqual(
            self.told(b'{"name": "x", "litres": 1.5}'), "litres: must be a whole number or null, not a number."
        )
        self.assertEqual(self.told(b'{"name": "x", "glossy": "no"}'), "glossy: must be true or false, not text.")

    def test_bounds(self) -> None:
        """
        A value out of its bounds is told with the bound.
        """
        self.assertEqual(self.told(b'{"name": "x", "litres": 0}'), "litres: must be a whole number at least 1.")
        self.assertEqual(self.told(b'{"name": "xxxxxx"}'), "name: must be text of length at most 5.")

    def test_choices(self) -> None:
        """
        A value that is none of the choices is told with the choices.
        """
        for value in (b'"green"', b"1"):
            self.assertEqual(self.told(b'{"name": "x", "colour": %s}' % value), "colour: must be one of red, blue.")
        with self.assertRaises(RequestError) as caught:
            decodeBody(Wish, b'{"colour": "green"}')
        self.assertEqual(str(caught.exception), "colour: must be one of red, blue.")

    def test_otherFaults(self) -> None:
        """
        A value that is wrong in a way of its own is told with its key.
        """
        self.assertEqual(self.told(b'{"name": "x", "opened": "today"}'), "opened: is not valid.")

    def test_notAnObject(self) -> None:
        """
        JSON that is no object is told so.
        """
        for data in (b"[]", b"null", b'"text"', b"1"):
            self.assertEqual(self.told(data), "The body must be a JSON object.")

    def test_notJSON(self) -> None:
        """
        What is not JSON, or not UTF-8, is told so.
        """
        for data in (b"{", b'{"name": "x"}x', b'{"name": "\xff"}', b"url=x", b'{"name": "\\ud800"}'):
            self.assertEqual(self.told(data), "The body is not JSON in UTF-8.")

    def test_deep(self) -> None:
        """
        A body nested beyond reason is refused like any other.
        """
        self.told(b'{"name": ' + b"[" * 30_000)

    def test_noValues(self) -> None:
        """
        No fault repeats a value, which may be a secret.
        """
        self.assertNotIn("hunter2", self.told(b'{"name": "hunter2hunter2"}'))
        self.assertNotIn("hunter2", self.told(b'{"name": "x", "colour": "hunter2"}'))

    @given(st.binary(max_size=200))
    @example(b'{"a`b": 1}')
    @example(b'{"\\n": 1}')
    def test_anyBytes(self, data: bytes) -> None:
        """
        Whatever comes, it is a value or a refusal in words.
        """
        try:
            decodeBody(Paint, data)
        except RequestError as error:
            self.assertTrue(str(error).endswith((".", "?")), error)
