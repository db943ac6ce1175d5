"""
The gates of L{vncproxy.api.http}, in their order, through real HTTP in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request, Site
from zope.interface import implementer

from tests.apiworld import waitFor
from tests.memoryhttp import Connection, Reply
from vncproxy.addresses import TrustedPeers
from vncproxy.api.http import BODY_LIMIT, Answer, APIResource, Call, Dialect, Operation, keyOf, loggedPath, shownKeys
from vncproxy.api.v1 import tell
from vncproxy.attempts import Attempts
from vncproxy.errors import ConsoleUnreachable, TokensUnreachable, VNCProxyError
from vncproxy.interfaces import IKeyRing
from vncproxy.keys import KeyRing, bootstrapKey
from vncproxy.model import APIKey, Role
from vncproxy.rights import Right
from vncproxy.stores.memory import MemoryStore

KEY = {"Authorization": "Bearer sesame"}


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    A body.
    """

    word: str = ""


@attrs.define
class Table:
    """
    Operations that do what a test wants.
    """

    pending: list[Deferred[None]] = attrs.field(factory=list)
    cancelled: int = 0

    async def show(self, call: Call[None]) -> Answer:
        """
        Answers with what stands in the path.
        """
        return Answer(200, Thing(word=call.parameters["name"]))

    async def keep(self, call: Call[Thing]) -> Answer:
        """
        Answers with the body.
        """
        return Answer(201, call.body, {"X-Extra": "1"})

    async def echo(self, call: Call[Thing]) -> Answer:
        """
        Answers with the query.
        """
        return Answer(200, call.body)

    async def drop(self, call: Call[None]) -> Answer:
        """
        Answers with nothing.
        """
        return Answer(204)

    async def wait(self, call: Call[None]) -> Answer:
        """
        Answers when the test lets it.
        """
        waiting: Deferred[None] = Deferred(self._cancelled)
        self.pending.append(waiting)
        await waiting
        return Answer(200, Thing(word="done"))

    def _cancelled(self, waiting: Deferred[None]) -> None:
        self.cancelled += 1

    async def break_(self, call: Call[None]) -> Answer:
        """
        Has a fault of its own.
        """
        raise ZeroDivisionError("the secret is 42")

    async def refuse(self, call: Call[None]) -> Answer:
        """
        Says no, with words for the log only.
        """
        raise ConsoleUnreachable("10.0.0.5:5901 does not answer")

    def operations(self) -> tuple[Operation, ...]:
        """
        The table.
        """
        good: dict[int, Any] = {200: ("", Thing)}
        return (
            Operation("GET", "/things/{name}", self.show, "", good, needs=Right.LOOK),
            Operation("PUT", "/things/{name}", self.keep, "", good, body=Thing, needs=Right.DEFINE),
            Operation("DELETE", "/things/{name}", self.drop, "", good, needs=Right.LOOK),
            Operation("GET", "/wait", self.wait, "", good, needs=Right.LOOK),
            Operation("GET", "/break", self.break_, "", good, needs=Right.LOOK),
            Operation("GET", "/refuse", self.refuse, "", good, needs=Right.LOOK),
            Operation("GET", "/search", self.echo, "", good, query=Thing, needs=Right.LOOK),
            Operation("GET", "/open", self.drop, "", good, needs=None),
        )


def knowing(*secrets: bytes) -> Callable[[Request], Awaitable[APIKey | None]]:
    """
    What a dialect goes by that knows these keys.
    """
    ring = KeyRing(MemoryStore(), Clock(), [bootstrapKey(secret) for secret in secrets])

    async def whose(request: Request) -> APIKey | None:
        return await keyOf(ring, shownKeys(request))

    return whose


async def anybody(request: Request) -> APIKey:
    """
    What a dialect goes by that lets everybody in.
    """
    return APIKey("anybody", "", Role.VIEWER)


def otherTell(error: VNCProxyError) -> Answer:
    """
    An error in another dialect.
    """
    return Answer(418, Thing(word=error.reason))


def dressed(request: Request, answer: Answer) -> Answer:
    """
    An answer as the other dialect sends it.
    """
    return attrs.evolve(answer, headers={"X-Method": request.method.decode()})


class APIResourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.table = Table()
        own = Dialect("", self.table.operations(), knowing(b"sesame", b"second"), tell)
        other = Dialect("/other", (), anybody, otherTell, dressed, frozenset({"/alone"}))
        # A plain site on purpose: nothing here may depend on the bounded one.
        self.site = Site(APIResource([own, other], 10, self.clock), reactor=self.clock)

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        connection = Connection(self.site)
        connection.request(method, path, body, KEY if headers is None else headers)
        return connection.reply()

    def reason(self, reply: Reply) -> str:
        error = reply.json["error"]
        self.assertEqual(error["code"], reply.status)
        return str(error["reason"])

    def test_answer(self) -> None:
        """
        An answer is JSON, with its length, and is kept by no cache.
        """
        reply = self.ask("GET", "/things/apple")
        self.assertEqual((reply.status, reply.json), (200, {"word": "apple"}))
        self.assertEqual(reply.headers["content-type"], "application/json")
        self.assertEqual(reply.headers["cache-control"], "no-store")
        self.assertEqual(reply.headers["x-content-type-options"], "nosniff")

    def test_emptyAnswer(self) -> None:
        """
        An answer without a body has none, and no type of it.
        """
        reply = self.ask("DELETE", "/things/apple")
        self.assertEqual((reply.status, reply.body), (204, b""))
        self.assertNotIn("content-type", reply.headers)

    def test_body(self) -> None:
        """
        The decoded body comes to the operation, and the operation's headers to the client.
        """
        reply = self.ask("PUT", "/things/apple", b'{"word": "red"}')
        self.assertEqual((reply.status, reply.json, reply.headers["x-extra"]), (201, {"word": "red"}, "1"))

    def test_head(self) -> None:
        """
        HEAD is answered as GET, without the body.
        """
        get, head = self.ask("GET", "/things/apple"), self.ask("HEAD", "/things/apple")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["content-length"], get.headers["content-length"])

    def test_escapedPath(self) -> None:
        """
        A segment is decoded after the path is cut, so that an escaped slash is no border.
        """
        self.assertEqual(self.ask("GET", "/things/a%2Fb%20%C3%A4?query=x").json, {"word": "a/b ä"})

    def test_noKey(self) -> None:
        """
        Without a good key nothing is told, not even which paths and methods there are.
        """
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic sesame"}, {"X-Auth-Token": ""}):
            for method, path in (("GET", "/things/a"), ("POST", "/things/a"), ("GET", "/nothing"), ("BREW", "/")):
                reply = self.ask(method, path, headers=headers)
                self.assertEqual((reply.status, self.reason(reply)), (401, "key_refused"))
                self.assertEqual(reply.headers["www-authenticate"], 'Bearer realm="vncproxy"')

    def test_keys(self) -> None:
        """
        Each key is good, in either header, beside a wrong one too.
        """
        for headers in (
            {"authorization": "bearer sesame"},
            {"Authorization": "Bearer   second "},
            {"X-Auth-Token": "second"},
            {"X-Auth-Token": "wrong", "Authorization": "Bearer sesame"},
        ):
            self.assertEqual(self.ask("GET", "/things/a", headers=headers).status, 200)

    def test_noKeysAtAll(self) -> None:
        """
        An API without keys admits nobody.
        """
        dialect = Dialect("", self.table.operations(), knowing(), tell)
        self.site = Site(APIResource([dialect], 10, self.clock), reactor=self.clock)
        self.assertEqual(self.ask("GET", "/things/a", headers={"X-Auth-Token": ""}).status, 401)

    def test_tooManyAttempts(self) -> None:
        """
        An address that showed too many wrong keys is told to wait, even with the right one, until the time is over;
        another one, told by somebody who is trusted, is served, and what needs no key is served to all.
        """
        dialect = Dialect("", self.table.operations(), knowing(b"sesame"), tell)
        trusted, attempts = TrustedPeers.parse(["203.0.113.9"]), Attempts(1, self.clock.seconds)
        self.site = Site(APIResource([dialect], 10, self.clock, trusted, attempts), reactor=self.clock)

        def status(address: str, key: str, path: str = "/things/a") -> int:
            return self.ask("GET", path, headers={"X-Forwarded-For": address, "X-Auth-Token": key}).status

        self.assertEqual(status("198.51.100.1", "wrong"), 401)
        reply = self.ask("GET", "/things/a", headers={"X-Forwarded-For": "198.51.100.1", **KEY})
        self.assertEqual((reply.status, self.reason(reply)), (429, "too_many_attempts"))
        self.assertEqual(reply.headers["retry-after"], "60")
        self.assertEqual(status("198.51.100.1", "", "/open"), 204)
        self.assertEqual(status("198.51.100.2", "sesame"), 200)
        self.clock.advance(60)
        self.assertEqual(status("198.51.100.1", "sesame"), 200)

    def test_rights(self) -> None:
        """
        A key whose role lacks the right of an operation is refused, whatever the path names; which paths and methods
        there are it may know.
        """
        issuer = APIKey("portal", "", Role.ISSUER)

        async def whose(request: Request) -> APIKey:
            return issuer

        dialect = Dialect("", self.table.operations(), whose, tell)
        self.site = Site(APIResource([dialect], 10, self.clock), reactor=self.clock)
        for name in ("a", "b"):
            reply = self.ask("GET", f"/things/{name}")
            self.assertEqual((reply.status, reply.json), (200, {"word": name}))
            reply = self.ask("PUT", f"/things/{name}", b"no JSON")
            self.assertEqual((reply.status, self.reason(reply)), (403, "right_missing"))
            self.assertIn("lacks the right `define`", reply.json["error"]["message"])
        self.assertEqual(self.ask("BREW", "/things/a").status, 405)
        self.assertEqual(self.ask("GET", "/nothing").status, 404)

    def test_mostShown(self) -> None:
        """
        Of however many keys that one request shows only a few are looked at.
        """
        asked: list[bytes] = []

        @implementer(IKeyRing)
        class Ring:
            async def whose(self, secret: bytes) -> None:
                asked.append(secret)

        self.assertIsNone(waitFor(keyOf(Ring(), [b"a"] * 100)))
        self.assertEqual(asked, [b"a"] * 4)

    def test_keysOutOfReach(self) -> None:
        """
        Where it cannot be known whose a key is, the client is told to try again.
        """

        async def whose(request: Request) -> APIKey:
            raise TokensUnreachable("out of order")

        dialect = Dialect("", self.table.operations(), whose, tell)
        self.site = Site(APIResource([dialect], 10, self.clock), reactor=self.clock)
        reply = self.ask("GET", "/things/a")
        self.assertEqual((reply.status, self.reason(reply)), (503, "tokens_unreachable"))

    def test_keysSlow(self) -> None:
        """
        The time of a request runs while its key is looked up, too.
        """
        never: Deferred[APIKey] = Deferred()

        async def whose(request: Request) -> APIKey:
            return await never

        dialect = Dialect("", self.table.operations(), whose, tell)
        self.site = Site(APIResource([dialect], 10, self.clock), reactor=self.clock)
        connection = Connection(self.site)
        connection.request("GET", "/things/a", b"", KEY)
        self.assertFalse(connection.answered)
        self.clock.advance(10)
        self.assertEqual(connection.reply().status, 503)

    def test_query(self) -> None:
        """
        An operation is given the query that it describes; one that makes no sense is refused with the key.
        """
        for query, status, words in (
            ("", 200, ""),
            ("?word=a%20b", 200, "a b"),
            ("?word=", 200, ""),
            ("?worm=a", 400, "worm: there is no such key; did you mean word?"),
            ("?word=a&word=b", 400, "word: it must not be given twice."),
            ("?word=%FF", 400, "The query is not UTF-8, escaped."),
        ):
            reply = self.ask("GET", f"/search{query}")
            self.assertEqual(reply.status, status, query)
            self.assertIn(words, reply.json["word"] if status == 200 else reply.json["error"]["message"])

    def test_open(self) -> None:
        """
        An open operation needs no key, and its path says which methods it takes.
        """
        self.assertEqual(self.ask("GET", "/open", headers={}).status, 204)
        reply = self.ask("POST", "/open", headers={})
        self.assertEqual((reply.status, reply.headers["allow"]), (405, "GET, HEAD"))

    def test_unknownPath(self) -> None:
        """
        With a key, a path where nothing answers is told so, whatever is odd about it.
        """
        for path in ("/", "/things", "/things/", "/things/a/b", "/things/%FF", "//things/a", "*/"):
            reply = self.ask("GET", path)
            self.assertEqual((reply.status, self.reason(reply)), (404, "path_unknown"), path)

    def test_wrongMethod(self) -> None:
        """
        A method that the path does not take is told with those that it takes.
        """
        reply = self.ask("POST", "/things/a", b"{}")
        self.assertEqual((reply.status, self.reason(reply)), (405, "method_not_allowed"))
        self.assertEqual(reply.headers["allow"], "DELETE, GET, HEAD, PUT")
        self.assertIn("DELETE, GET, HEAD, PUT", reply.json["error"]["message"])

    def test_bodyLimit(self) -> None:
        """
        A body of exactly the limit is read, one byte more is refused.
        """
        space = b" " * (BODY_LIMIT - 2)
        self.assertEqual(self.ask("PUT", "/things/a", b"{}" + space).status, 201)
        reply = self.ask("PUT", "/things/a", b"{} " + space)
        self.assertEqual((reply.status, self.reason(reply)), (413, "body_too_large"))

    def test_contentType(self) -> None:
        """
        A body that says it is something else is refused, one that says nothing is taken for JSON.
        """
        for kind in ("application/json", "Application/JSON; charset=utf-8", None):
            headers = KEY | ({} if kind is None else {"Content-Type": kind})
            self.assertEqual(self.ask("PUT", "/things/a", b"{}", headers).status, 201)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            reply = self.ask("PUT", "/things/a", b"{}", KEY | {"Content-Type": kind})
            self.assertEqual((reply.status, self.reason(reply)), (415, "body_not_json"))

    def test_badBody(self) -> None:
        """
        A fault in the body is told with its key.
        """
        reply = self.ask("PUT", "/things/a", b'{"word": 1}')
        self.assertEqual((reply.status, self.reason(reply)), (400, "bad_request"))
        self.assertEqual(reply.json["error"]["message"], "word: must be text, not a whole number.")

    def test_refusal(self) -> None:
        """
        What an operation raises is told with its status and reason, without the words that are for the log.
        """
        reply = self.ask("GET", "/refuse")
        self.assertEqual((reply.status, self.reason(reply)), (502, "console_unreachable"))
        self.assertEqual(reply.json["error"]["message"], ConsoleUnreachable.told)

    def test_fault(self) -> None:
        """
        A fault of ours is logged in full and told in general words.
        """
        reply = self.ask("GET", "/break")
        self.assertEqual((reply.status, self.reason(reply)), (500, "error"))
        self.assertNotIn(b"42", reply.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_waiting(self) -> None:
        """
        An operation may take its time.
        """
        connection = Connection(self.site)
        connection.request("GET", "/wait", headers=KEY)
        self.clock.advance(9)
        self.assertFalse(connection.answered)
        self.table.pending[0].callback(None)
        self.assertEqual(connection.reply().json, {"word": "done"})

    def test_timeout(self) -> None:
        """
        An operation that takes too long is given up and told as unavailable.
        """
        connection = Connection(self.site)
        connection.request("GET", "/wait", headers=KEY)
        self.clock.advance(10)
        reply = connection.reply()
        self.assertEqual((reply.status, self.reason(reply)), (503, "unavailable"))
        self.assertEqual(self.table.cancelled, 1)

    def test_hangUp(self) -> None:
        """
        When the client goes away its operation is given up, quietly.
        """
        connection = Connection(self.site)
        connection.request("GET", "/wait", headers=KEY)
        connection.hangUp()
        self.assertEqual(self.table.cancelled, 1)
        self.assertFalse(connection.answered)

    def test_otherDialect(self) -> None:
        """
        The dialect of the longest prefix answers, with its own key and its own errors.
        """
        reply = self.ask("GET", "/other/things", headers={})
        self.assertEqual((reply.status, reply.json), (418, {"word": "path_unknown"}))

    def test_alone(self) -> None:
        """
        A path that a dialect names is its own, whatever its prefix; what lies below that path is not.
        """
        self.assertEqual(self.ask("GET", "/alone").status, 418)
        self.assertEqual(self.ask("GET", "/alone/below").status, 404)

    def test_dress(self) -> None:
        """
        A dialect sees the request when its answer goes out, and adds to that what it wants.
        """
        self.assertEqual(self.ask("POST", "/other").headers["x-method"], "POST")


class OperationTests(SynchronousTestCase):
    def test_refusals(self) -> None:
        """
        An operation names every status that its gates and it itself may answer.
        """
        show, keep, *_, open_ = Table().operations()
        self.assertEqual({error.httpStatus for error in show.refusals}, {401, 403, 404, 429, 500, 503})
        self.assertEqual({error.httpStatus for error in keep.refusals}, {400, 401, 403, 404, 413, 415, 429, 500, 503})
        self.assertEqual({error.httpStatus for error in open_.refusals}, {500, 503})


class LoggedPathTests(SynchronousTestCase):
    def test_tokens(self) -> None:
        """
        A token in a path is kept out of logs, however the path before it is written; other paths are as they were.
        """
        hidden = b"os-console-auth-tokens"
        for path, logged in (
            (b"/v2.1/%s/sesame" % hidden, b"/v2.1/%s/***" % hidden),
            (b"/%s//sesame/x" % hidden, b"/%s/***" % hidden),
            (b"/OS-console%2Dauth-tokens/sesame", b"/OS-console%2Dauth-tokens/***"),
            (b"/v1/consoles/vm-1", b"/v1/consoles/vm-1"),
            (b"*", b"*"),
        ):
            self.assertEqual(loggedPath(path), logged)
