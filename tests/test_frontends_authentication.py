"""
Authentication plugins.
"""

from __future__ import annotations

from base64 import b64encode
from http.client import HTTPMessage
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from websockify.auth_plugins import AuthenticationError

from tests.test_tokens_websockify import InPlace
from tests.test_tokens_websockify_formats import tcp
from vncproxy.errors import ConfigError, TokensUnreachable
from vncproxy.frontends.authentication import COMMON_NAME, Refusal, makeCheck, makeHeaders
from vncproxy.model import Target, TargetKind


class Guard:
    """
    A plugin as people write them.
    """

    def __init__(self, source: str | None) -> None:
        self.source = source

    def authenticate(self, headers: HTTPMessage, target_host: str | None, target_port: int | None) -> None:
        """
        Decide by what a header says.
        """
        wish = headers.get("x-wish")
        if wish == "target":
            raise AuthenticationError(response_msg=f"{target_host} {target_port} {self.source}")
        if wish == "ask":
            raise AuthenticationError(response_code=401, response_headers={"X-A": "b", "X-Bad": "a\r\nSet-Cookie: x"})
        if wish == "odd":
            raise AuthenticationError(response_code=200)
        if wish == "fail":
            raise RuntimeError("hunter2")


class CheckTests(SynchronousTestCase):
    """
    Tests for L{makeCheck}.
    """

    def check(
        self, plugin: str, source: str | None, target: Target | None = None, name: str | None = None, **headers: str
    ) -> Refusal | None:
        """
        What a plugin decides, by headers with underscores for dashes.
        """
        fields = {key.replace("_", "-"): value for key, value in headers.items()}
        work: Any = makeCheck(plugin, source, InPlace(), Clock(), 5.0)(makeHeaders(fields, name), target)
        return self.successResultOf(Deferred.fromCoroutine(work))

    def basic(self, source: str | None, shown: str) -> Refusal | None:
        """
        What BasicHTTPAuth decides.
        """
        return self.check("BasicHTTPAuth", source, authorization=f"Basic {b64encode(shown.encode()).decode()}")

    def test_basic(self) -> None:
        """
        The right user with the right password comes in; all others are asked.
        """
        self.assertIsNone(self.basic("u:p:q", "u:p:q"))
        self.assertIsNone(self.check("websockify.auth_plugins.BasicHTTPAuth", "u:p", Authorization="basic dTpw"))
        refusals = [self.basic("u:p", shown) for shown in ("u:x", "x:p", "u", "", ":")]
        refusals += [self.check("BasicHTTPAuth", "u:p"), self.check("BasicHTTPAuth", "u:p", authorization="Basic ü%")]
        refusals.append(self.check("BasicHTTPAuth", "u:p", authorization="Bearer dTpw"))
        for refusal in refusals:
            assert refusal is not None
            self.assertEqual((refusal.status, refusal.headers["WWW-Authenticate"]), (401, 'Basic realm="Websockify"'))

    def test_basicNothing(self) -> None:
        """
        Where nothing is expected, nothing is right.
        """
        for shown in ("", ":", "u:p"):
            self.assertIsNotNone(self.basic(None, shown))

    def test_origin(self) -> None:
        """
        A page's origin has to be one of those named, exactly so.
        """
        source = "https://a.example https://b.example:8443"
        self.assertIsNone(self.check("ExpectOrigin", source, origin="https://b.example:8443"))
        for headers in ({}, {"origin": "https://b.example"}, {"origin": source}):
            refusal = self.check("ExpectOrigin", source, **headers)
            assert refusal is not None
            self.assertEqual((refusal.status, refusal.words), (403, "Invalid Origin"))
        self.assertIsNotNone(self.check("ExpectOrigin", None))

    def test_commonName(self) -> None:
        """
        The name is that of the certificate, never one that a viewer claims.
        """
        self.assertIsNone(self.check("ClientCertCNAuth", "ann bob", name="bob"))
        claims = {"SSL_CLIENT_S_DN_CN": "bob"}
        for name in (None, "eve", "ann bob"):
            self.assertIsNotNone(self.check("ClientCertCNAuth", "ann bob", name=name, **claims))
        self.assertIsNotNone(makeCheck("ClientCertCNAuth", None, InPlace(), Clock(), 5.0))
        self.assertEqual(
            makeHeaders({"SSL_CLIENT_S_DN_CN": "bob", "ssl-x": "y", "X": "y"}, "ann").items(),
            [
                ("X", "y"),
                (COMMON_NAME, "ann"),
            ],
        )

    def test_class(self) -> None:
        """
        A class of somebody's is told the target and its source; what it raises is told as it wants.
        """
        name = f"{__name__}.Guard"
        self.assertIsNone(self.check(name, "s", x_wish="nothing"))
        for target, words in (
            (tcp("h", 1), "h 1 s"),
            (Target(TargetKind.UNIX, path="/run/a"), "None None s"),
            (None, "None None s"),
        ):
            refusal = self.check(name, "s", target, x_wish="target")
            self.assertEqual(refusal, Refusal(403, "the plugin refuses", {}, words))
        refusal = self.check(name, None, x_wish="ask")
        self.assertEqual(refusal, Refusal(401, "the plugin refuses", {"X-A": "b"}))

    def test_broken(self) -> None:
        """
        A plugin that fails lets nobody in; its words are not told.
        """
        for wish, kind in (("fail", "RuntimeError"), ("odd", "AuthenticationError")):
            refusal = self.check(f"{__name__}.Guard", None, x_wish=wish)
            self.assertEqual(refusal, Refusal(500, f"the plugin fails: {kind}"))
        self.assertRaises(ConfigError, makeCheck, "absent.Class", None, InPlace(), Clock(), 5.0)

    def test_response(self) -> None:
        """
        A refusal is a whole response, whatever its status.
        """
        response = Refusal(401, "", {"X-A": "b"}, "Who are you?").encode()
        self.assertTrue(response.startswith(b"HTTP/1.1 401 Unauthorized\r\n"))
        self.assertTrue(response.endswith(b"\r\nX-A: b\r\n\r\nWho are you?\n"))
        self.assertTrue(Refusal(499, "").encode().startswith(b"HTTP/1.1 499 Refused\r\n"))

    def test_silent(self) -> None:
        """
        A class that says nothing is not waited for beyond its time.
        """

        class Silent(InPlace):
            async def run(self, work: Any) -> Any:
                await Deferred[None]()

        clock = Clock()
        work: Any = makeCheck(f"{__name__}.Guard", None, Silent(), clock, 5.0)(makeHeaders({}, None), None)
        waiting = Deferred.fromCoroutine(work)
        clock.advance(4.9)
        self.assertNoResult(waiting)
        clock.advance(0.2)
        self.failureResultOf(waiting, TokensUnreachable)
