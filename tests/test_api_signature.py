"""
L{vncproxy.api.signature}.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from urllib.parse import quote, urlencode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.api.signature import (
    MOST_PARAMETERS,
    ParametersMalformed,
    SignatureRefused,
    parseKeys,
    parseParameters,
    sign,
    verify,
)
from vncproxy.errors import ConfigError
from vncproxy.model import Role

#: 2026-11-20T15:14:29Z
NOW = 1_795_187_669.0

SECRETS = {"key-1": "sesame-sesame-sesame", "key-2": "other-other-other-other"}
KEYS = parseKeys("".join(f"{key} {secret}\n" for key, secret in SECRETS.items()), "file")

WISH = {
    "apikey": "key-1",
    "command": "listConsoleSessions",
    "response": "json",
    "signatureversion": "3",
    "expires": "2026-11-20T15:14:29+0000",
}


def signed(secret: str = SECRETS["key-1"], **changes: str | None) -> dict[str, str]:
    """
    Parameters with their signature. What a change sets to L{None} is left out.
    """
    parameters = {name: value for name, value in {**WISH, **changes}.items() if value is not None}
    return parameters | {"signature": b64encode(sign(parameters, secret)).decode()}


def javaSigned(parameters: dict[str, str]) -> bytes:
    """
    The signature of a client that escapes a tilde.
    """
    text = "&".join(f"{name}={quote(value, safe='*')}" for name, value in sorted(parameters.items()))
    return hmac.digest(SECRETS["key-1"].encode(), text.replace("~", "%7E").lower().encode(), "sha1")


class ParseParametersTests(SynchronousTestCase):
    def test_parse(self) -> None:
        """
        The parameters of all texts are taken together, decoded, under names in lower case.
        """
        self.assertEqual(
            parseParameters("apiKey=k&Empty=&text=a+b%26%C3%A4", "Signature=s"),
            {"apikey": "k", "empty": "", "text": "a b&ä", "signature": "s"},
        )

    def test_twice(self) -> None:
        """
        A parameter that stands twice, in either text and in any case, means nothing certain.
        """
        for texts in (("a=1&a=2", ""), ("a=1", "A=1")):
            error = self.assertRaises(ParametersMalformed, parseParameters, *texts)
            self.assertEqual(error.httpStatus, 430)

    def test_malformed(self) -> None:
        """
        So do bytes that are no text, and more parameters than anybody needs.
        """
        for text in ("a=%FF", "&".join(f"a{number}=1" for number in range(MOST_PARAMETERS + 1))):
            self.assertRaises(ParametersMalformed, parseParameters, text)

    @given(st.dictionaries(st.text(min_size=1).filter(lambda name: name == name.lower()), st.text(), max_size=9))
    def test_roundTrip(self, parameters: dict[str, str]) -> None:
        """
        What is percent-encoded comes out as it was.
        """
        self.assertEqual(parseParameters(urlencode(parameters)), parameters)


class VerifyTests(SynchronousTestCase):
    def test_known(self) -> None:
        """
        A signature that CloudStack's C{cs} 5.2.0 made is good.
        """
        parameters = {
            "virtualmachineid": "vm-1",
            "token": "a b~*/é",
            "command": "createConsoleEndpoint",
            "apikey": "key-1",
            "response": "json",
            "signatureversion": "3",
            "expires": "2026-11-20T15:14:29+0000",
            "signature": "jUs9g4/wCGMjo+SB0slYAIlqrm8=",
        }
        self.assertEqual(verify(parameters, KEYS, NOW), KEYS["key-1"].key)

    def test_good(self) -> None:
        """
        A request says which key has signed it, until it expires, in the time zone that it names.
        """
        self.assertEqual(verify(signed(), KEYS, NOW), KEYS["key-1"].key)
        self.assertEqual(verify(signed(SECRETS["key-2"], apikey="key-2"), KEYS, NOW), KEYS["key-2"].key)
        self.assertEqual(verify(signed(expires="2026-11-20T17:14:29+0200"), KEYS, NOW), KEYS["key-1"].key)

    def test_tilde(self) -> None:
        """
        A tilde may be escaped, as Java does it, or not, as RFC 3986 has it.
        """
        plain = signed(name="a~b")
        self.assertEqual(verify(plain, KEYS, NOW), KEYS["key-1"].key)
        # What is signed is in lower case, so this is what a client signs that escapes it.
        java = plain | {"signature": b64encode(javaSigned({**WISH, "name": "a~b"})).decode()}
        self.assertNotEqual(java["signature"], plain["signature"])
        self.assertEqual(verify(java, KEYS, NOW), KEYS["key-1"].key)

    def test_refused(self) -> None:
        """
        A request is refused, and all in the same words, whose key is unknown, whose signature is another's, is no
        signature or is over, or that has no end.
        """
        refused = {
            "unknown key": signed(apikey="key-3"),
            "unknown key, no secret": signed("", apikey="key-3"),
            "no key": signed(apikey=None),
            "another's secret": signed(SECRETS["key-2"]),
            "changed": signed() | {"command": "createConsoleEndpoint"},
            "added to": signed() | {"more": ""},
            "no signature": {name: value for name, value in signed().items() if name != "signature"},
            "no base64": signed() | {"signature": "*"},
            "odd base64": signed() | {"signature": "abc"},
            "no ASCII": signed() | {"signature": "ä"},
            "over": signed(expires="2026-11-20T15:14:28+0000"),
            "over elsewhere": signed(expires="2026-11-20T16:14:28+0100"),
            "no end": signed(expires=None, signatureversion=None),
            "older version": signed(signatureversion="2"),
            "end in no version": signed(signatureversion=None),
            "no moment": signed(expires="tomorrow"),
            "no such day": signed(expires="2026-13-20T15:14:29+0000"),
            "no zone": signed(expires="2026-11-20T15:14:29"),
        }
        for what, parameters in refused.items():
            error = self.assertRaises(SignatureRefused, verify, parameters, KEYS, NOW)
            self.assertEqual((str(error), error.httpStatus), ("", 401), what)

    @given(st.dictionaries(st.sampled_from([*WISH, "signature", "more"]), st.text()))
    def test_anything(self, changes: dict[str, str]) -> None:
        """
        Whatever stands in the parameters, it is refused unless it is what was signed.
        """
        good = signed()
        parameters = good | changes
        if parameters == good:
            return
        self.assertRaises(SignatureRefused, verify, parameters, KEYS, NOW)


class ParseKeysTests(SynchronousTestCase):
    def test_parse(self) -> None:
        """
        Each line holds a key and its secret, perhaps a role and a pattern; empty lines and comments hold nothing.
        """
        text = (
            "# of the cloud\n\nkey-1 sesame-sesame-sesame\r\n"
            "  key-2\tother-other-other-other issuer \nkey-number-3 third-third-third viewer lab-*\n"
        )
        keys = parseKeys(text, "file")
        self.assertEqual(
            [(name, each.secret, each.key.name, each.key.role, each.key.consoles) for name, each in keys.items()],
            [
                ("key-1", "sesame-sesame-sesame", "cloudstack:key-1", Role.ADMIN, None),
                ("key-2", "other-other-other-other", "cloudstack:key-2", Role.ISSUER, None),
                ("key-number-3", "third-third-third", "cloudstack:key-numb", Role.VIEWER, "lab-*"),
            ],
        )
        self.assertNotIn("sesame", repr(keys))

    def test_refused(self) -> None:
        """
        A line that is anything else is named by its number, and not shown.
        """
        secret = "secret-secret-secret"
        for line in (
            "key-3",
            "key-3 short",
            f"key-3 {secret} king",
            f"key-3 {secret} issuer lab/*",
            f"key-3 {secret} issuer lab-* more",
            f"key-1 {secret}",
        ):
            error = self.assertRaises(ConfigError, parseKeys, f"key-1 sesame-sesame-sesame\n{line}", "file")
            self.assertTrue(str(error).startswith("file, line 2: "), str(error))
            for word in ("key-3", "short", secret, "king", "lab/*"):
                self.assertNotIn(word, str(error))
