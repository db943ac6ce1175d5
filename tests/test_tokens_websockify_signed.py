"""
Tokens that say themselves where their console is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from twisted.trial.unittest import SynchronousTestCase

from tests.test_tokens_websockify_formats import tcp
from vncproxy.errors import TokenExpired
from vncproxy.model import Target, TargetKind
from vncproxy.tokens.websockify.formats import BadEntry
from vncproxy.tokens.websockify.signed import JWTTokenApi, SignedTarget, readKey, readSigned

_NOW = 1000.0
_SECRET = JWK(kty="oct", k="c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQt")
_RSA = JWK.generate(kty="RSA", size=2048)


def sign(claims: Any, key: JWK = _SECRET, alg: str = "HS256") -> str:
    """
    A JWS.
    """
    signed = JWS(json.dumps(claims).encode())
    signed.add_signature(key, protected=json.dumps({"alg": alg}))
    text: str = signed.serialize(compact=True)
    return text


def seal(token: str) -> str:
    """
    A JWE that holds a JWS.
    """
    sealed = JWE(token.encode(), json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM"}))
    sealed.add_recipient(_RSA)
    text: str = sealed.serialize(compact=True)
    return text


class SignedTests(SynchronousTestCase):
    """
    Tests for L{readSigned}.
    """

    def test_good(self) -> None:
        """
        A token made with the key names its target, and perhaps its end.
        """
        found = readSigned(sign({"host": "h", "port": 1}), _SECRET, _NOW)
        self.assertEqual(found, SignedTarget(tcp("h", 1), None))
        found = readSigned(sign({"host": "h", "port": "1", "exp": 1001, "nbf": 1000}, _RSA, "RS256"), _RSA, _NOW)
        self.assertEqual(found, SignedTarget(tcp("h", 1), 1001.0))
        found = readSigned(sign({"host": "unix_socket", "port": "/run/a"}), _SECRET, _NOW)
        self.assertEqual(found, SignedTarget(Target(TargetKind.UNIX, path="/run/a"), None))

    def test_sealed(self) -> None:
        """
        It may be encrypted to the same key.
        """
        token = seal(sign({"host": "h", "port": 1}, _RSA, "RS256"))
        self.assertEqual(readSigned(token, _RSA, _NOW), SignedTarget(tcp("h", 1), None))

    def test_sealedButUnsigned(self) -> None:
        """
        Anybody can encrypt to a public key: what is inside has to be signed.
        """
        self.assertIsNone(readSigned(seal('{"host": "h", "port": 1}'), _RSA, _NOW))

    def test_time(self) -> None:
        """
        What is not for this time yet is unknown, what is over has expired: to the second, with no grace.
        """
        self.assertIsNone(readSigned(sign({"host": "h", "port": 1, "nbf": 1000.5}), _SECRET, _NOW))
        self.assertIsNotNone(readSigned(sign({"host": "h", "port": 1, "exp": 1000}), _SECRET, _NOW))
        self.assertRaises(TokenExpired, readSigned, sign({"host": "h", "port": 1, "exp": 999}), _SECRET, _NOW)

    def test_foreign(self) -> None:
        """
        A token of another key, of no signature, or none at all, is unknown.
        """
        other = JWK(kty="oct", k="b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXIt")
        good = sign({"host": "h", "port": 1})
        unsigned = "eyJhbGciOiJub25lIn0.eyJob3N0IjoiaCIsInBvcnQiOjF9."
        for token in (sign({"host": "h", "port": 1}, other), unsigned, good[:-2], "", "a.b.c", "a.b.c.d.e", "ü.b.c"):
            self.assertIsNone(readSigned(token, _SECRET, _NOW), token)
        self.assertIsNone(readSigned(sign([1]), _SECRET, _NOW))

    def test_confusedKeys(self) -> None:
        """
        The public half of a key pair is no shared secret.
        """
        public = readKey(_RSA.export_to_pem())
        forged = JWK(kty="oct", k=_RSA.export_to_pem().decode().encode().hex())
        self.assertIsNone(readSigned(sign({"host": "h", "port": 1}, forged), public, _NOW))

    def test_nonsense(self) -> None:
        """
        A token that is good and names no target, or a time that is none, is told as such.
        """
        for claims in ({}, {"host": "h"}, {"host": "h", "port": 1, "exp": "x"}, {"host": "h", "port": 1, "nbf": True}):
            self.assertRaises(BadEntry, readSigned, sign(claims), _SECRET, _NOW)

    @given(st.text())
    def test_anyText(self, text: str) -> None:
        """
        Any text at all is unknown.
        """
        self.assertIsNone(readSigned(text, _SECRET, _NOW))


class KeyTests(SynchronousTestCase):
    """
    Tests for L{readKey} and L{JWTTokenApi}.
    """

    def test_kinds(self) -> None:
        """
        A key is PEM, public or private, or a secret in base64url; the line's end does not count.
        """
        token = sign({"host": "h", "port": 1}, _RSA, "RS256")
        for pem in (_RSA.export_to_pem(), _RSA.export_to_pem(private_key=True, password=None)):
            self.assertIsNotNone(readSigned(token, readKey(pem), _NOW))
        secret = readKey(b"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQt\n")
        self.assertIsNotNone(readSigned(sign({"host": "h", "port": 1}), secret, _NOW))
        self.assertRaises(ValueError, readKey, b"\xff")

    def test_file(self) -> None:
        """
        The key's file is read anew at each look.
        """
        path = Path(self.mktemp())
        source = JWTTokenApi(str(path), lambda: _NOW)
        token = sign({"host": "h", "port": 1})
        self.assertRaises(OSError, source.look, token)
        path.write_text(_SECRET.export(as_dict=True)["k"])
        self.assertEqual(source.look(token), SignedTarget(tcp("h", 1), None))
