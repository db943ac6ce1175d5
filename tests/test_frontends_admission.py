"""
What a request has to bring.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, cast

from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.test_tokens_websockify import InPlace
from tests.test_tokens_websockify_formats import tcp
from tests.webworld import WebWorld, Wire, openingRequest, unframed
from vncproxy.attempts import Attempts
from vncproxy.errors import TokenMissing, TokensUnreachable
from vncproxy.frontends.admission import Admission, hostToken, lookBy
from vncproxy.frontends.authentication import Refusal, makeCheck
from vncproxy.interfaces import IDirectory, ITokenAuthority
from vncproxy.model import Console, ConsoleType, Grant, ViewerFacts

_GUARD = "tests.test_frontends_authentication.Guard"
_FACTS = ViewerFacts("web", ConsoleType.NOVNC, "203.0.113.9", "T")


def named(name: str) -> X509:
    """
    A certificate of somebody.
    """
    certificate = X509()
    certificate.get_subject().commonName = name
    return certificate


def brokenTLS() -> X509:
    """
    A connection whose TLS is no more.
    """
    raise SSL.Error


class TokenTests(SynchronousTestCase):
    """
    Tests for L{hostToken} and L{Admission.token}.
    """

    def test_host(self) -> None:
        """
        A host's name is its token, without port and brackets.
        """
        for host, token in (("vm7.example:6080", "vm7.example"), ("vm7", "vm7"), ("[::1]:6080", "::1"), ("", "")):
            self.assertEqual(hostToken(host), token)

    def test_token(self) -> None:
        """
        What is shown goes before the host; without either there is none, which may be right.
        """
        self.assertEqual(Admission().token("T", "h"), "T")
        self.assertRaises(TokenMissing, Admission().token, "", "h")
        self.assertEqual(Admission(byHost=True).token("", "h:1"), "h")
        self.assertEqual(Admission(byHost=True).token("T", "h:1"), "h")
        self.assertRaises(TokenMissing, Admission(byHost=True).token, "T", "")
        self.assertEqual(Admission(needsToken=False).token("", "h"), "")


class LookTests(SynchronousTestCase):
    """
    Tests for L{lookBy}.
    """

    def look(self, grant: Grant | None) -> Any:
        """
        Where a token leads to.
        """

        class Known:
            async def checkToken(self, token: str, consoleType: ConsoleType | None = None) -> Grant | None:
                return grant

            async def resolve(self, consoleID: str) -> Console:
                return Console(consoleID, consoleID, tcp("directory", 1))

        known = Known()
        look = lookBy(cast(ITokenAuthority, known), cast(IDirectory, known))
        return self.successResultOf(Deferred.fromCoroutine(cast(Any, look(_FACTS))))

    def test_look(self) -> None:
        """
        The grant itself knows, or the directory does; an unknown token leads nowhere.
        """
        grant = Grant("0" * 64, "vm7", ConsoleType.NOVNC, 0.0)
        self.assertEqual(self.look(grant), tcp("directory", 1))
        own = Grant("0" * 64, "vm7", ConsoleType.NOVNC, 0.0, console=Console("x", "x", tcp("own", 1)))
        self.assertEqual(self.look(own), tcp("own", 1))
        self.assertIsNone(self.look(None))


class DoorTests(SynchronousTestCase):
    """
    Requests at a frontend with such rules.
    """

    right = f"Basic {b64encode(b'u:p').decode()}"

    def world(self, **rules: Any) -> WebWorld:
        """
        A frontend.
        """
        return WebWorld(admission=Admission(**rules))

    def basic(self, **rules: Any) -> WebWorld:
        """
        A frontend with BasicHTTPAuth.
        """
        return self.world(check=makeCheck("BasicHTTPAuth", "u:p", InPlace(), Clock(), 5.0), **rules)

    def test_socket(self) -> None:
        """
        Who may not come in is told so in HTTP, and the broker never hears of him; the connection ends.
        """
        world = self.basic()
        wire = world.connect()
        response = wire.taken()
        self.assertTrue(response.startswith(b"HTTP/1.1 401 Unauthorized\r\n"), response)
        self.assertIn(b'WWW-Authenticate: Basic realm="Websockify"\r\n', response)
        self.assertEqual((world.broker.viewers, wire.disconnecting), ([], True))
        wire.hangUp()
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_socketStays(self) -> None:
        """
        One who does not hang up is cut off.
        """
        world = self.basic()
        wire = world.connect()
        world.clock.advance(5)
        self.assertTrue(wire.aborted)

    def test_socketLetIn(self) -> None:
        """
        Who may come in does, and is cancelled at the broker when he goes.
        """
        world = self.basic()
        wire = world.connect(openingRequest(Authorization=self.right))
        self.assertEqual(len(world.broker.viewers), 1)
        wire.hangUp()
        self.assertEqual(len(world.broker.gone), 1)

    def test_guessing(self) -> None:
        """
        Wrong credentials are counted as wrong tokens are, on sockets and on pages; to show none is no guess.
        """
        clock = Clock()
        admission = Admission(check=makeCheck("BasicHTTPAuth", "u:p", InPlace(), Clock(), 5.0), guardsPages=True)
        world = WebWorld(admission=admission, attempts=Attempts(3, clock.seconds))
        wrong = f"Basic {b64encode(b'u:x').decode()}"
        self.assertEqual([world.get("/").status for _ in range(5)], [401] * 5)
        self.assertEqual([world.get("/", Authorization=wrong).status for _ in range(2)], [401, 401])
        self.assertEqual(world.connect(openingRequest(Authorization=wrong)).taken()[9:12], b"401")
        answer = world.get("/", Authorization=self.right)
        self.assertEqual((answer.status, answer.headers["retry-after"]), (429, "20"))
        self.assertEqual(world.connect(openingRequest(Authorization=self.right)).taken()[9:12], b"429")
        clock.advance(20)
        self.assertEqual(world.get("/", Authorization=self.right).status, 200)

    def test_certificate(self) -> None:
        """
        The name is that in the viewer's certificate, where there is one.
        """
        world = self.world(check=makeCheck("ClientCertCNAuth", "ann", InPlace(), Clock(), 5.0))
        for ask, status in (
            (lambda: X509(), b"403"),
            (lambda: named("ann"), b""),
            (lambda: named("eve"), b"403"),
            (lambda: None, b"403"),
            (brokenTLS, b"403"),
        ):
            wire = Wire(world.site)
            wire.getPeerCertificate = ask  # type: ignore[attr-defined]
            wire.deliver(openingRequest())
            self.assertEqual(wire.taken()[9:12], status)
        self.assertEqual(len(world.broker.viewers), 1)

    def test_leftMeanwhile(self) -> None:
        """
        Nothing is said to one who has gone.
        """

        async def check(headers: Any, target: Any) -> Refusal:
            wires[0].hangUp()
            return Refusal(403, "no")

        wires: list[Wire] = []
        world = self.world(check=check)
        wires.append(Wire(world.site))
        wires[0].deliver(openingRequest())
        self.assertEqual(wires[0].taken(), b"")
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_pages(self) -> None:
        """
        Pages are for everybody, or guarded as well.
        """
        self.assertEqual(self.basic().get("/").status, 200)
        guarded = self.basic(guardsPages=True)
        refused = guarded.get("/")
        self.assertEqual((refused.status, refused.body), (401, b"Unauthorized\n"))
        self.assertEqual(refused.headers["www-authenticate"], 'Basic realm="Websockify"')
        allowed = guarded.get("/", Authorization=self.right)
        self.assertEqual((allowed.status, allowed.body), (200, b"<html>"))
        self.assertEqual(guarded.get("/", "HEAD", Authorization=self.right).status, 200)
        etag = {"If_None_Match": allowed.headers["etag"]}
        self.assertEqual(guarded.get("/", Authorization=self.right, **etag).status, 304)
        self.assertEqual(guarded.get("/absent", Authorization=self.right).status, 404)

    def test_target(self) -> None:
        """
        A class of somebody's hears where the token leads to; where that is nowhere the broker has the word.
        """
        for target, status, viewers in ((tcp("h", 1), b"403", 0), (None, b"", 1)):
            check = makeCheck(_GUARD, "s", InPlace(), Clock(), 5.0)
            world = self.world(check=check, look=lambda facts, target=target: succeed(target))
            wire = world.connect(openingRequest(X_Wish="target"))
            response = wire.taken()
            self.assertEqual((response[9:12], len(world.broker.viewers)), (status, viewers))
            self.assertEqual(b"h 1 s" in response, target is not None)

    def test_waits(self) -> None:
        """
        Who hangs up while it is being decided is forgotten.
        """
        waiting: Deferred[Any] = Deferred()
        world = self.world(check=makeCheck(_GUARD, "s", InPlace(), Clock(), 5.0), look=lambda facts: waiting)
        wire = world.connect()
        wire.hangUp()
        self.assertEqual(world.broker.viewers, [])
        self.assertTrue(waiting.called)

    def test_pageWaits(self) -> None:
        """
        The same holds for a page.
        """
        waiting: Deferred[Any] = Deferred()

        async def check(headers: Any, target: Any) -> Any:
            return await waiting

        world = self.world(check=check, guardsPages=True)
        wire = Wire(world.site)
        wire.deliver(b"GET / HTTP/1.1\r\nHost: proxy:6080\r\n\r\n")
        self.assertEqual(wire.taken(), b"")
        wire.hangUp()
        self.assertTrue(waiting.called)

    def test_broken(self) -> None:
        """
        A check that breaks lets nobody in, and is logged.
        """

        async def check(headers: Any, target: Any) -> Any:
            raise ZeroDivisionError

        world = self.world(check=check)
        self.assertTrue(world.connect().taken().startswith(b"HTTP/1.1 500 "))
        self.assertEqual(world.broker.viewers, [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_unreachable(self) -> None:
        """
        Where it cannot be known where a token leads to, that is told as the broker would.
        """

        async def look(facts: ViewerFacts) -> None:
            raise TokensUnreachable("down")

        world = self.world(check=makeCheck(_GUARD, "s", InPlace(), Clock(), 5.0), look=look)
        wire = world.connect()
        wire.deliver(b"")
        self.assertTrue(wire.taken().startswith(b"HTTP/1.1 101 "))
        world.clock.advance(15)
        (first, payload), *_ = [frame for frame in unframed(wire.taken()) if frame[0] == 0x88]
        self.assertEqual((first, payload[2:]), (0x88, b"tokens_unreachable"))

    def test_pageUnreachable(self) -> None:
        """
        A page that nobody can decide about is not given out.
        """

        async def check(headers: Any, target: Any) -> None:
            raise TokensUnreachable("down")

        self.assertEqual(self.world(check=check, guardsPages=True).get("/").status, 503)
        self.assertEqual(self.world(guardsPages=True).get("/").status, 200)

    def test_brokenPage(self) -> None:
        """
        Whatever goes wrong with a page that is guarded, its request is answered.
        """

        class Broken(dict[str, Any]):
            def get(self, key: str, default: Any = None) -> Any:
                raise ZeroDivisionError

        admission = Admission(check=makeCheck("BasicHTTPAuth", "u:p", InPlace(), Clock(), 5.0), guardsPages=True)
        answer = WebWorld(pages=Broken(), admission=admission).get("/", Authorization=self.right)
        self.assertEqual(answer.status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_byHost(self) -> None:
        """
        Where hosts are tokens, nothing else is one.
        """
        world = self.world(byHost=True)
        world.connect(openingRequest("/websockify", Host="vm7.example:6080", Cookie="token=other"))
        world.connect(openingRequest("/websockify?token=T", Host="vm7.example:6080"))
        self.assertEqual([viewer.facts.token for viewer in world.broker.viewers], ["vm7.example"] * 2)
