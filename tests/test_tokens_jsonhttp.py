"""
L{vncproxy.tokens.jsonhttp}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from OpenSSL.SSL import Error as TLSError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed, ResponseNeverReceived
from twisted.web.resource import Resource
from twisted.web.server import Request

from tests.openstackstub import MemoryAgent
from vncproxy.certs import selfSigned
from vncproxy.errors import ConfigError, TokensUnreachable
from vncproxy.tokens.jsonhttp import JSONClient, JSONReply, makeAgent


class Service(Resource):
    """
    Answers with what a test wants, and remembers what it was asked.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.body = b'{"word": 1}'
        self.asked: list[tuple[bytes, bytes, bytes]] = []
        self.headers: dict[str, str | None] = {}

    def render(self, request: Request) -> bytes:
        """
        Answer.
        """
        assert request.content is not None
        self.asked.append((request.method, request.uri, request.content.read()))
        for name in ("accept", "content-type", "x-auth-token"):
            self.headers[name] = request.getHeader(name)
        request.setResponseCode(203)
        request.setHeader("x-told", "yes")
        return self.body


class JSONClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.service = Service()
        self.agent = MemoryAgent(self.service, Clock())
        self.client = JSONClient(self.agent)

    def ask(self, *arguments: Any) -> JSONReply:
        """
        The reply to a request.
        """
        return self.successResultOf(Deferred.fromCoroutine(self.client.ask(*arguments)))

    def cause(self) -> str:
        """
        Why there is no reply.
        """
        asking = Deferred.fromCoroutine(self.client.ask("GET", "http://h/secret-path", {"X-Auth-Token": "sesame"}))
        words = self.failureResultOf(asking, TokensUnreachable).getErrorMessage()
        self.assertNotIn("secret-path", words)
        self.assertNotIn("sesame", words)
        return words

    def test_get(self) -> None:
        """
        What is answered comes back as status, headers and value; what is asked goes out as it is.
        """
        reply = self.ask("GET", "http://h/a/b?c=d", {"X-Auth-Token": "sesame"})
        self.assertEqual((reply.status, reply.value), (203, {"word": 1}))
        self.assertEqual(reply.headers.getRawHeaders("x-told"), ["yes"])
        self.assertEqual(self.service.asked, [(b"GET", b"/a/b?c=d", b"")])
        self.assertEqual(
            self.service.headers, {"accept": "application/json", "content-type": None, "x-auth-token": "sesame"}
        )
        self.assertNotIn("word", repr(reply))

    def test_post(self) -> None:
        """
        A body goes out as JSON.
        """
        self.ask("POST", "http://h/", {}, {"a": [1]})
        self.assertEqual(self.service.asked, [(b"POST", b"/", b'{"a":[1]}')])
        self.assertEqual(self.service.headers["content-type"], "application/json")

    def test_noJSON(self) -> None:
        """
        A body that is no JSON has no value.
        """
        for body in (b"<html>", b"", b"\xff", b"[" * 100_000):
            self.service.body = body
            self.assertIsNone(self.ask("GET", "http://h/", {}).value)

    def test_long(self) -> None:
        """
        A body that does not end is given up.
        """
        self.service.body = b" " * (1024 * 1024) + b"1"
        self.assertIn("longer than 1048576 bytes", self.cause())

    def test_cut(self) -> None:
        """
        A body that breaks off is none, however it ends.
        """
        self.agent.cut = ConnectionRefusedError()
        self.assertEqual(self.cause(), "its answer broke off")

    def test_faults(self) -> None:
        """
        What goes wrong on the way is told by its innermost cause.
        """
        inner = Failure(TimeoutError("too late"))
        for fault, words in (
            (ConnectionRefusedError(), "Connection was refused by other side"),
            (ResponseFailed([inner]), "too late"),
            (ResponseNeverReceived([inner]), "too late"),
            (OSError(113, "No route to host"), "No route to host"),
            (ResponseFailed([]), "its answer broke off"),
            (ValueError(), "ValueError"),
            (ResponseFailed([Failure(TLSError([("SSL routines", "", "certificate verify failed")]))]), "TLS: cert"),
            (TLSError(), "Error"),
        ):
            self.agent.fault = fault
            self.assertIn(words, self.cause())


class MakeAgentTests(SynchronousTestCase):
    def test_authorities(self) -> None:
        """
        A file with authorities is read at once, one without them is refused in words.
        """
        certificate, _ = self.certificate()
        makeAgent(MemoryReactorClock(), certificate, 5, "[x] ca")
        text = Path(certificate).read_text()
        for content, words in (
            ("", "holds no certificate"),
            (text.replace("MII", "XXX", 1), "is damaged"),
            (None, "cannot be read (No such file or directory)"),
        ):
            path = Path(self.mktemp())
            if content is not None:
                path.write_text(content)
            error = self.assertRaises(ConfigError, makeAgent, MemoryReactorClock(), str(path), 5, "[x] ca")
            self.assertTrue(str(error).startswith(f"[x] ca: {path} "), str(error))
            self.assertIn(words, str(error))

    def certificate(self) -> tuple[str, str]:
        """
        A certificate and its key.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        return selfSigned(directory, ["h"])

    def test_closes(self) -> None:
        """
        The connections that it keeps can be closed.
        """
        _, pool = makeAgent(MemoryReactorClock(), None, 5, "")
        self.successResultOf(pool.closeCachedConnections())
