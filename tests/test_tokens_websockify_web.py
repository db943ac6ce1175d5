"""
Token sources that are asked over HTTP.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent
from zope.interface import implementer

from tests.test_tokens_websockify_formats import tcp
from vncproxy.errors import ConfigError, TokensUnreachable
from vncproxy.model import Target
from vncproxy.tokens.websockify.formats import BadEntry
from vncproxy.tokens.websockify.web import PARSERS, TokenAPI


@implementer(IAgent)
class FakeAgent:
    """
    Answers every request alike.

    @ivar asked: method, URL and headers of each.
    @ivar body: who gathers the last answer's body.
    """

    def __init__(self, code: int = 200) -> None:
        self.code = code
        self.asked: list[tuple[bytes, bytes, Headers | None]] = []
        self.body: Any = None

    def request(self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: Any = None) -> Any:
        self.asked.append((method, uri, headers))
        return succeed(self)

    def deliverBody(self, body: Any) -> None:
        """
        See L{twisted.web.iweb.IResponse.deliverBody}.
        """
        self.body = body
        body.makeConnection(StringTransport())


class TokenAPITests(SynchronousTestCase):
    """
    Tests for L{TokenAPI}.
    """

    def setUp(self) -> None:
        self.agent = FakeAgent()

    def ask(self, source: str = "http://api/t/%s", token: str = "T", plugin: str = "BaseTokenAPI") -> Deferred[Any]:
        """
        Look a token up.
        """
        api = TokenAPI(source, cast(Any, self.agent), PARSERS[plugin])
        return Deferred.fromCoroutine(api.find(token))

    def answer(self, data: bytes, reason: type[Exception] = ResponseDone) -> None:
        """
        The body comes, in pieces, and ends.
        """
        for at in range(0, len(data), 3):
            self.agent.body.dataReceived(data[at : at + 3])
        self.agent.body.connectionLost(Failure(reason()))

    def test_formats(self) -> None:
        """
        The one answers with an address, the other with an object; where HTTP is old, the connection's end is theirs.
        """
        for plugin, data in (("BaseTokenAPI", b"h:1\n"), ("JSONTokenApi", b'{"host": "h", "port": 1}')):
            for reason in (ResponseDone, PotentialDataLoss):
                asking = self.ask(plugin=plugin)
                self.answer(data, reason)
                found: Target = self.successResultOf(asking)
                self.assertEqual(found, tcp("h", 1))

    def test_url(self) -> None:
        """
        The token goes in the place that is marked, and cannot become anything but a token there.
        """
        for source, token, url in (
            ("http://api/t/%s", "T", b"http://api/t/T"),
            ("https://api:8/?a=%%20&t=%s", "T-1_~.", b"https://api:8/?a=%20&t=T-1_~."),
            ("http://api/t/%s", "../x?y#z%/ü", b"http://api/t/..%2Fx%3Fy%23z%25%2F%C3%BC"),
        ):
            self.ask(source, token)
            method, asked, _ = self.agent.asked[-1]
            self.assertEqual((method, asked), (b"GET", url))

    def test_credentials(self) -> None:
        """
        Credentials of the URL go into the header that is for them.
        """
        self.ask("http://u:p@api/%s")
        _, url, headers = self.agent.asked[-1]
        assert headers is not None
        self.assertEqual(url, b"http://api/T")
        self.assertEqual(headers.getRawHeaders("authorization"), ["Basic dTpw"])

    def test_statuses(self) -> None:
        """
        A fault of the asker is a token that nobody knows, a fault of the service is no answer.
        """
        for code in (400, 401, 404, 410):
            self.agent.code = code
            asking = self.ask()
            self.answer(b"<html>")
            self.assertIsNone(self.successResultOf(asking))
        self.agent.code = 503
        asking = self.ask()
        self.answer(b"h:1")
        self.failureResultOf(asking, TokensUnreachable)

    def test_nonsense(self) -> None:
        """
        A body that names no target is told as such.
        """
        asking = self.ask()
        self.answer(b"<html>")
        self.failureResultOf(asking, BadEntry)

    def test_broken(self) -> None:
        """
        A body that breaks off, or does not end, is no answer.
        """
        asking = self.ask()
        self.answer(b"h:1", ConnectionLost)
        self.failureResultOf(asking, TokensUnreachable)
        asking = self.ask()
        self.agent.body.dataReceived(b"x" * 65537)
        self.failureResultOf(asking, TokensUnreachable)
        self.assertTrue(self.agent.body.transport.disconnecting)
        self.answer(b"more", ConnectionLost)

    def test_cancelled(self) -> None:
        """
        Whoever does not wait any more lets go of the connection.
        """
        asking = self.ask().addErrback(lambda failure: None)
        asking.cancel()
        self.assertTrue(self.agent.body.transport.disconnecting)

    def test_wrong(self) -> None:
        """
        What is no URL with a place for a token is refused, without being quoted.
        """
        for source in ("", "http://api/", "ftp://api/%s", "http:///%s", "http://hunter2@api/%s/%s", "http://api/%d"):
            error = self.assertRaises(ConfigError, self.ask, source)
            self.assertNotIn("hunter2", str(error))
