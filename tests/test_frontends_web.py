"""
The C{web} frontend: L{vncproxy.frontends.web}.
"""

from __future__ import annotations

import gc
import struct
import weakref
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor  # noqa: TID251 - one test here runs over real sockets
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.server import Request

from tests.webworld import (
    CLIENT,
    GRANT,
    SECRET,
    Answer,
    RecordingProducer,
    RecordingSink,
    TLSClient,
    WebWorld,
    Wire,
    admitted,
    certificate,
    clientContext,
    closeFrame,
    masked,
    openingRequest,
    unframed,
)
from vncproxy.addresses import TrustedPeers
from vncproxy.attempts import Attempts
from vncproxy.errors import (
    AtCapacity,
    ConsoleUnknown,
    ConsoleUnreachable,
    Draining,
    TokensUnreachable,
    TokenUsed,
    VNCProxyError,
)
from vncproxy.frontends.tlsport import TLSPortFactory
from vncproxy.frontends.web import findToken
from vncproxy.model import ConsoleType
from vncproxy.stream import CLOSING_SECONDS

_TOKENS = st.from_regex(r"[A-Za-z0-9_-]{1,50}", fullmatch=True)


class FindTokenTests(SynchronousTestCase):
    def test_table(self) -> None:
        """
        The query before C{path} before the cookie; of several the last; an empty one is none.
        """
        for uri, cookies, token in (
            ("/", {}, ""),
            ("/?token=T", {}, "T"),
            ("/any/path/at/all?a=b&token=T", {}, "T"),
            ("/?token=A&token=B", {}, "B"),
            ("/?token=A&token=", {}, "A"),
            ("/?token=a%2Bb", {}, "a+b"),
            ("/?path=websockify%3Ftoken%3DT", {}, "T"),
            ("/?path=%3Ftoken%3DT", {}, "T"),
            ("/?path=websockify%253Ftoken%253DT", {}, "T"),
            ("/?path=websockify%3Ftoken%3DA%26token%3DB", {}, "B"),
            ("/?path=websockify%3Ftoken%3DA&path=websockify%3Ftoken%3DB", {}, "B"),
            ("/?path=websockify%3Ftoken%3DA&path=websockify", {}, "A"),
            ("/?path=websockify", {}, ""),
            ("/?token=A&path=websockify%3Ftoken%3DB", {"token": "C"}, "A"),
            ("/?path=websockify%3Ftoken%3DB", {"token": "C"}, "B"),
            ("/websockify", {"token": "C"}, "C"),
            ("/?token=", {"token": "C"}, "C"),
            ("/websockify", {"token": '"C"'}, "C"),
            ("/?path=//[&token=", {"token": "C"}, "C"),
            ("//[?token=T", {}, "T"),
        ):
            self.assertEqual(findToken(uri, cookies), token, (uri, cookies))

    @given(_TOKENS)
    def test_eachPlace(self, token: str) -> None:
        """
        Each place brings any token of ours through, however often noVNC has escaped it.
        """
        path = quote(f"websockify?token={token}", safe="")
        for uri in (f"/?token={token}", f"/?path={path}", f"/?path={quote(path, safe='')}"):
            self.assertEqual(findToken(uri, {}), token)
        self.assertEqual(findToken("/", {"token": token}), token)

    @given(st.text())
    def test_anyText(self, text: str) -> None:
        """
        Whatever the request holds, looking for a token does not fail.
        """
        for uri in (text, f"/?{text}", f"/?path={text}", f"/?path={quote(text)}"):
            self.assertIsInstance(findToken(uri, {}), str)


class PageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = WebWorld()

    def test_page(self) -> None:
        """
        The page comes with its type and its tag, to be asked for anew each time and by this browser alone.
        """
        answer = self.world.get("/?token=T")
        self.assertEqual((answer.status, answer.body), (200, b"<html>"))
        self.assertEqual(answer.headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(answer.headers["etag"], 'W/"page"')
        self.assertEqual(answer.headers["cache-control"], "private, no-cache")
        self.assertEqual(answer.headers["vary"], "Accept-Encoding")

    def test_asset(self) -> None:
        """
        What has a hash in its name is kept for good, by everybody, and brings no cookie.
        """
        answer = self.world.get("/assets/console-1.js")
        self.assertEqual(answer.headers["cache-control"], "public, max-age=31536000, immutable")
        self.assertNotIn("set-cookie", answer.headers)

    def test_encodings(self) -> None:
        """
        The best form that the browser takes is sent as it is.
        """
        for accepted, encoding, body in (("gzip, deflate, br", "br", b"BR"), ("gzip", "gzip", b"GZIP")):
            answer = self.world.get(Accept_Encoding=accepted)
            self.assertEqual((answer.headers["content-encoding"], answer.body), (encoding, body))
        self.assertNotIn("content-encoding", self.world.get(Accept_Encoding="identity").headers)

    def test_head(self) -> None:
        """
        HEAD is answered with the headers of GET, and with nothing behind them.
        """
        got, asked = self.world.get(), self.world.get(method="HEAD")
        self.assertEqual((asked.status, asked.body), (200, b""))
        self.assertEqual(asked.headers["content-length"], "6")
        self.assertEqual({**got.headers, "date": ""}, {**asked.headers, "date": ""})

    def test_notModified(self) -> None:
        """
        A browser that has the page gets 304: no body, no length, the same tag and rules.
        """
        for method in ("GET", "HEAD"):
            answer = self.world.get(method=method, If_None_Match='W/"old", W/"page"')
            self.assertEqual((answer.status, answer.body), (304, b""))
            self.assertNotIn("content-length", answer.headers)
            self.assertEqual(answer.headers["etag"], 'W/"page"')
            self.assertEqual(answer.headers["cache-control"], "private, no-cache")
            self.assertEqual(answer.headers["vary"], "Accept-Encoding")

    def test_nothingElse(self) -> None:
        """
        Only what was loaded can be had: no directory, no listing, no way around, whatever the path.
        """
        for path in (
            "/assets",
            "/assets/",
            "/assets/../",
            "/assets/../assets/console-1.js",
            "/%61ssets/console-1.js",
            "//assets/console-1.js",
            "//evil.example/..",
            "//evil.example/%2e%2e",
            "/../etc/passwd",
            "/..%2f..%2fetc%2fpasswd",
            "/.git",
            "/%00",
            "/websockify",
        ):
            answer = self.world.get(path)
            self.assertEqual(answer.status, 404, path)
            self.assertNotIn("location", answer.headers)
            self.assertNotIn(b"assets", answer.body)

    def test_method(self) -> None:
        """
        Pages can only be read.
        """
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "NONSENSE"):
            answer = self.world.get(method=method)
            self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET, HEAD"), method)

    def test_securityHeaders(self) -> None:
        """
        Every answer keeps scripts, frames, types and referrers in check, caches nothing that it should not, and does
        not tell what it is made of.
        """
        for answer in (
            self.world.get(),
            self.world.get(method="HEAD"),
            self.world.get(If_None_Match="*"),
            self.world.get("/nothing"),
            self.world.get("/nothing", method="HEAD"),
            self.world.get(method="POST"),
            self.world.ask(openingRequest("/")),
            self.world.ask(openingRequest(Origin="http://evil")),
            self.world.ask(openingRequest(Sec_WebSocket_Key="")),
        ):
            self.assertEqual(
                answer.headers["content-security-policy"],
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
                "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
            )
            self.assertEqual(answer.headers["referrer-policy"], "no-referrer")
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
            self.assertIn(answer.headers["cache-control"], ("no-store", "private, no-cache"))
            self.assertNotIn("server", answer.headers)

    def test_foreignPages(self) -> None:
        """
        Of pages that are not ours nobody here knows what they load; who may frame them is still said.
        """
        headers = WebWorld(ownPages=False, frameAncestors=["*"]).get().headers
        self.assertEqual(headers["content-security-policy"], "frame-ancestors *")

    def test_frameAncestors(self) -> None:
        """
        The configuration says who may show the page in a frame; without a word it is nobody.
        """
        for sources, told in (((), "'none'"), (("'self'", "https://dash"), "'self' https://dash")):
            policy = WebWorld(frameAncestors=sources).get().headers["content-security-policy"]
            self.assertTrue(policy.endswith(f"; frame-ancestors {told}"), policy)

    def test_foreignBytes(self) -> None:
        """
        Headers that are not UTF-8 are no reason to fail.
        """
        answer = self.world.ask(
            b"GET / HTTP/1.1\r\nHost: \xff\r\nCookie: a=\xff; vncproxy_resume=\xff\r\n"
            b"Accept-Encoding: \xff\r\nIf-None-Match: \xff\r\nUpgrade: \xff\r\n\r\n"
        )
        self.assertEqual(answer.status, 200)


FRONT = TrustedPeers.parse([CLIENT.host])
"""
The one who is connected forwards for others.
"""


class ResumeTests(SynchronousTestCase):
    def test_pageSetsIt(self) -> None:
        """
        The page gives a browser its resume secret, with 200 as with 304, in a cookie that no script can read.
        """
        for asked in ({}, {"If_None_Match": "*"}):
            answer = WebWorld().get(**asked)
            self.assertEqual(answer.headers["set-cookie"], f"vncproxy_resume={SECRET}; Path=/; HttpOnly; SameSite=Lax")

    def test_publishedAsSecure(self) -> None:
        """
        Where browsers come over TLS the cookie also works in a frame of another site, and stays on TLS.
        """
        for scheme in ("https", "wss"):
            answer = WebWorld(publishedScheme=scheme).get()
            self.assertEqual(
                answer.headers["set-cookie"],
                f"vncproxy_resume={SECRET}; Path=/; HttpOnly; Secure; SameSite=None; Partitioned",
            )

    def test_forwardedAsSecure(self) -> None:
        """
        The same where somebody who is trusted tells so, and nobody else.
        """
        for trusted, secure in ((FRONT, True), (TrustedPeers(), False)):
            answer = WebWorld(trusted=trusted).get(X_Forwarded_Proto="https")
            self.assertEqual("Secure" in answer.headers["set-cookie"], secure)

    def test_known(self) -> None:
        """
        A browser keeps the secret that it has; what cannot be one of ours is replaced.
        """
        other = "o" * 43
        self.assertNotIn("set-cookie", WebWorld().get(Cookie=f"a=b; vncproxy_resume={other}; c").headers)
        for wrong in ("", "short", "ö" * 43, other + "o", other[1:] + "="):
            self.assertIn(SECRET, WebWorld().get(Cookie=f"vncproxy_resume={wrong}").headers["set-cookie"])

    def test_reachesBroker(self) -> None:
        """
        The broker hears the browser's secret, be it old or new.
        """
        for cookie, secret in ((None, SECRET), (f"vncproxy_resume={'o' * 43}", "o" * 43)):
            world = WebWorld()
            world.connect(openingRequest(Cookie=cookie))
            self.assertEqual(world.broker.viewer.facts.resume, secret)


class RefusedRequestTests(SynchronousTestCase):
    def assertRefused(self, request: bytes, status: int, words: str, world: WebWorld | None = None) -> Answer:
        """
        The request is refused in HTTP, with these words; the broker hears nothing of it.
        """
        world = world or WebWorld()
        answer = world.ask(request)
        self.assertEqual(answer.status, status)
        self.assertIn(words, answer.body.decode())
        self.assertEqual(answer.headers["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(world.broker.viewers, [])
        return answer

    def test_noToken(self) -> None:
        """
        Without a token there is nothing to open: 400.
        """
        self.assertRefused(openingRequest("/websockify"), 400, "This address needs a token.")

    def test_openings(self) -> None:
        """
        An opening handshake that is not in order is refused with 400 and does not cost the token a use; the answer
        names the versions that are spoken.
        """
        for request in (
            openingRequest(Upgrade=None),
            openingRequest(Connection=None),
            openingRequest(Connection="keep-alive"),
            openingRequest(Sec_WebSocket_Version=None),
            openingRequest(Sec_WebSocket_Version="12"),
            openingRequest(Sec_WebSocket_Key=None),
            openingRequest(Sec_WebSocket_Key="short"),
            openingRequest(Sec_WebSocket_Protocol="base64"),
            openingRequest(Content_Length="4") + b"body",
            openingRequest(Transfer_Encoding="chunked") + b"0\r\n\r\n",
            openingRequest().replace(b"GET", b"POST", 1),
        ):
            answer = self.assertRefused(request, 400, "WebSocket")
            self.assertEqual(answer.headers["sec-websocket-version"], "13, 8, 7")

    def test_oldHTTP(self) -> None:
        """
        HTTP/1.0 knows no WebSocket.
        """
        self.assertRefused(openingRequest().replace(b"HTTP/1.1", b"HTTP/1.0", 1), 400, "HTTP/1.1")

    def test_origins(self) -> None:
        """
        A page of another origin is refused with 403; the page that we serve ourselves, and whoever is no browser, not.
        """
        for origin in ("http://evil", "https://proxy:6080", "null", "", "http://proxy:6080, http://evil", "\xff"):
            self.assertRefused(openingRequest(Origin=origin), 403, "its origin is not allowed")
        for allowed in ("http://proxy:6080", "http://proxy", None):
            world = WebWorld()
            world.connect(openingRequest(Origin=allowed))
            self.assertEqual(len(world.broker.viewers), 1)

    def test_draftOrigin(self) -> None:
        """
        The drafts of WebSocket have another name for the origin.
        """
        request = openingRequest(Sec_WebSocket_Version="8", Sec_WebSocket_Origin="http://evil")
        self.assertRefused(request, 403, "its origin is not allowed")

    def test_publishedScheme(self) -> None:
        """
        Behind something that speaks TLS for us, pages of https may connect, and no others.
        """
        for scheme in ("https", "wss"):
            world = WebWorld(publishedScheme=scheme)
            self.assertRefused(openingRequest(Origin="http://proxy"), 403, "origin", world)
            world.connect(openingRequest(Origin="https://proxy"))
            self.assertEqual(len(world.broker.viewers), 1)

    def test_allowedOrigins(self) -> None:
        """
        The configuration may let further sites in.
        """
        world = WebWorld(allowedOrigins=["https://dash", "lab"])
        for origin in ("https://dash", "http://lab:8080"):
            world.connect(openingRequest(Origin=origin))
        self.assertEqual(len(world.broker.viewers), 2)
        self.assertRefused(openingRequest(Origin="http://evil"), 403, "origin", WebWorld(allowedOrigins=["lab"]))

    def test_forwarded(self) -> None:
        """
        What stands in front may tell how the page came, and to which host, if it is trusted.
        """
        told = openingRequest(Origin="http://proxy", X_Forwarded_Proto="https")
        world = WebWorld(publishedScheme="https", trusted=FRONT)
        world.connect(told)
        self.assertEqual(len(world.broker.viewers), 1)
        self.assertRefused(told, 403, "origin", WebWorld(publishedScheme="https"))
        told = openingRequest(Origin="https://cloud", X_Forwarded_Proto="https", X_Forwarded_Host="cloud")
        world = WebWorld(trusted=FRONT)
        world.connect(told)
        self.assertEqual(len(world.broker.viewers), 1)
        self.assertRefused(told, 403, "origin")

    def test_tooManyAttempts(self) -> None:
        """
        An address that showed too many wrong tokens is answered 429 with the time to wait, before anything else of its
        request is looked at; others, and the page, are served.
        """
        attempts = Attempts(2, lambda: 0.0)
        world = WebWorld(trusted=FRONT, attempts=attempts)
        for _ in range(2):
            attempts.failed("198.51.100.1")
        for request in (
            openingRequest(X_Forwarded_For="198.51.100.1"),
            openingRequest("/", X_Forwarded_For="198.51.100.1", Sec_WebSocket_Version="1"),
        ):
            answer = self.assertRefused(request, 429, "Too many wrong links", world)
            self.assertEqual(answer.headers["retry-after"], "30")
        self.assertEqual(world.get(X_Forwarded_For="198.51.100.1").status, 200)
        world.connect()
        self.assertEqual(len(world.broker.viewers), 1)


class FactsTests(SynchronousTestCase):
    def test_forwardedAddress(self) -> None:
        """
        The client's address is what a trusted peer tells; anybody else's word does not count. Headers that repeat are
        one.
        """
        told = openingRequest(X_Forwarded_For="192.0.2.1").replace(b"X-F", b"X-Forwarded-For: 192.0.2.7\r\nX-F")
        for trusted, address in ((FRONT, "192.0.2.1"), (TrustedPeers(), CLIENT.host)):
            world = WebWorld(trusted=trusted)
            world.connect(told)
            self.assertEqual(world.broker.viewer.facts.address, address)

    def test_facts(self) -> None:
        """
        The broker hears of frontend, kind, address and token.
        """
        world = WebWorld()
        world.connect(openingRequest("/a/b?token=A&token=T"))
        facts = world.broker.viewer.facts
        self.assertEqual((facts.frontend, facts.consoleType), ("web", ConsoleType.NOVNC))
        self.assertEqual((facts.address, facts.token), (CLIENT.host, "T"))

    def test_cookies(self) -> None:
        """
        The token may stand in a cookie, among others and among what is none.
        """
        world = WebWorld()
        world.connect(openingRequest("/websockify", Cookie="a; =b; c=d=e; token=T;"))
        self.assertEqual(world.broker.viewer.facts.token, "T")

    def test_addresses(self) -> None:
        """
        An address of IPv6 is told as one, a UNIX socket has none.
        """
        for address, told in ((IPv6Address("TCP", "2001:db8::9", 5), "2001:db8::9"), (UNIXAddress(b"/s"), "unix")):
            world = WebWorld()
            Wire(world.site, address).deliver(openingRequest())
            self.assertEqual(world.broker.viewer.facts.address, told)


class RefusedViewerTests(SynchronousTestCase):
    """
    What a viewer hears when its token or its console is no good.
    """

    def refused(self, error: VNCProxyError, version: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
        """
        What is sent to a viewer of this version of RFB: the bytes before the close frame, and that.
        """
        world = WebWorld()
        wire = world.connect()
        world.broker.viewer.refuse(error)
        (hello,) = unframed(Answer(wire.taken()).rest)
        self.assertEqual(hello, (0x82, b"RFB 003.008\n"))
        wire.deliver(masked(version))
        *frames, last = unframed(wire.taken())
        self.assertEqual({first for first, _ in frames}, {0x82})
        wire.deliver(masked(last[1][:2], opcode=8))
        self.assertTrue(wire.disconnecting)
        wire.hangUp()
        self.assertEqual(world.clock.getDelayedCalls(), [])
        return b"".join(payload for _, payload in frames), [last]

    def test_versions(self) -> None:
        """
        A viewer of any version is told the reason in RFB (RFC 6143 section 7.1.2), then in the close frame.
        """
        told = TokenUsed.told.encode()
        reason = struct.pack(">I", len(told)) + told
        for version, none in (
            (b"RFB 003.003\n", b"\0\0\0\0"),
            (b"RFB 003.007\n", b"\0"),
            (b"RFB 003.008\n", b"\0"),
            (b"RFB 003.889\n", b"\0"),
        ):
            self.assertEqual(self.refused(TokenUsed("x"), version), (none + reason, [closeFrame(1008, "token_used")]))

    def test_closeCodes(self) -> None:
        """
        Code and word of the close frame are those of the error.
        """
        for error, code, word in (
            (ConsoleUnknown("x"), 1008, "console_unknown"),
            (ConsoleUnreachable("x"), 1011, "console_unreachable"),
            (AtCapacity("x"), 1013, "at_capacity"),
            (Draining("x"), 1001, "draining"),
            (VNCProxyError("x"), 1011, "error"),
        ):
            self.assertEqual(self.refused(error, b"RFB 003.008\n")[1], [closeFrame(code, word)])

    def test_cookie(self) -> None:
        """
        A browser that is turned away has its resume secret from then on: what it spent may come back to it alone.
        """
        world = WebWorld()
        wire = world.connect()
        world.broker.viewer.refuse(TokensUnreachable("x"))
        cookie = Answer(wire.taken()).headers["set-cookie"]
        self.assertTrue(cookie.startswith(f"vncproxy_resume={world.broker.viewer.facts.resume};"), cookie)

    def test_admittedBefore(self) -> None:
        """
        A viewer that was let in before its console failed hears it in RFB too.
        """
        world = WebWorld()
        wire, _ = world.opened()
        world.broker.viewer.refuse(ConsoleUnreachable("x"))
        self.assertEqual(unframed(wire.taken()), [(0x82, b"RFB 003.008\n")])

    def test_reached(self) -> None:
        """
        Once RFB has begun only the close frame is left.
        """
        world = WebWorld()
        wire, _ = world.opened()
        world.broker.viewer.reached()
        world.broker.viewer.refuse(ConsoleUnreachable("x"))
        self.assertEqual(unframed(wire.taken()), [closeFrame(1011, "console_unreachable")])

    def test_noRFB(self) -> None:
        """
        Who does not speak RFB gets the close frame alone.
        """
        world = WebWorld()
        wire, _ = world.opened()
        world.broker.viewer.refuse(TokenUsed("x"))
        wire.deliver(masked(b"GET / HTTP/1.1\r\n"))
        self.assertEqual(unframed(wire.taken()), [(0x82, b"RFB 003.008\n"), closeFrame(1008, "token_used")])

    def test_silent(self) -> None:
        """
        A viewer that says nothing gets the close frame when its time is over, and is cut off when it ignores that.
        """
        world = WebWorld()
        wire, _ = world.opened()
        world.broker.viewer.refuse(TokenUsed("x"))
        wire.clear()
        world.clock.advance(15)
        self.assertEqual(unframed(wire.taken()), [closeFrame(1008, "token_used")])
        world.clock.advance(CLOSING_SECONDS)
        self.assertTrue(wire.aborted)

    def test_goneMeanwhile(self) -> None:
        """
        A viewer that leaves while it is told, or before, leaves nothing behind.
        """
        for hangUpFirst in (True, False):
            world = WebWorld()
            wire = world.connect()
            if hangUpFirst:
                wire.hangUp()
            world.broker.viewer.refuse(TokenUsed("x"))
            if not hangUpFirst:
                wire.hangUp()
            self.assertEqual(world.broker.gone, [world.broker.viewer])
            self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_goneAfterAdmission(self) -> None:
        """
        To refuse a viewer that was let in and has left does nothing.
        """
        for reached in (True, False):
            world = WebWorld()
            wire, _ = world.opened()
            if reached:
                world.broker.viewer.reached()
            wire.hangUp()
            wire.clear()
            world.broker.viewer.refuse(Draining("x"))
            self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_bug(self) -> None:
        """
        What should not happen while a refusal is told is logged, and the viewer closed all the same.
        """
        world = WebWorld()
        wire, _ = world.opened()
        error = TokenUsed("x")
        error.told = 5  # type: ignore[assignment, misc]
        world.broker.viewer.refuse(error)
        wire.clear()
        wire.deliver(masked(b"RFB 003.008\n"))
        self.assertEqual(unframed(wire.taken()), [closeFrame(1008, "token_used")])
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)


class HandOverTests(SynchronousTestCase):
    def test_timers(self) -> None:
        """
        None of the timers of HTTP goes on once a WebSocket has the connection.
        """
        world = WebWorld()
        wire, stream = world.opened()
        self.assertEqual(world.clock.getDelayedCalls(), [])
        world.clock.advance(86400)
        stream.write(b"still here")
        self.assertEqual(unframed(wire.taken()), [(0x82, b"still here")])

    def test_memory(self) -> None:
        """
        The request and its channel, with the token in them, are not kept while the session goes on.
        """
        kept: list[weakref.ref[Any]] = []

        class WatchedRequest(Request):
            def __init__(self, channel: Any, *args: Any) -> None:
                super().__init__(channel, *args)
                kept.extend((weakref.ref(self), weakref.ref(channel)))

        world = WebWorld()
        world.site.requestFactory = WatchedRequest  # type: ignore[assignment]
        wire, stream = world.opened()
        gc.collect()
        self.assertEqual([found() for found in kept], [None, None])
        stream.write(b"x")
        self.assertEqual(unframed(wire.taken()), [(0x82, b"x")])

    def test_afterPages(self) -> None:
        """
        The connection may have served pages before, even in one piece with the opening.
        """
        world = WebWorld()
        wire = Wire(world.site)
        page = b"GET / HTTP/1.1\r\nHost: proxy\r\n\r\n"
        wire.deliver(page)
        wire.deliver(page + openingRequest() + masked(b"early"))
        stream = admitted(world.broker.viewer)
        rest = Answer(Answer(wire.taken()).rest).rest
        self.assertEqual(Answer(rest).status, 101)
        sink = RecordingSink()
        stream.handOver(sink)
        self.assertEqual(sink.data, b"early")

    def test_pausedByHTTP(self) -> None:
        """
        Where the HTTP channel has stopped the reading, because its answers were not taken, it begins again.
        """
        world = WebWorld()

        wire = Wire(world.site)
        wire.pauseProducing()
        # It still has some that came before.
        wire.protocol.dataReceived(openingRequest())
        self.assertEqual(len(world.broker.viewers), 1)
        self.assertEqual(wire.producerState, "producing")

    def test_log(self) -> None:
        """
        No token comes into any log, whatever the level: neither from a page, nor a WebSocket, nor a refusal.
        """
        events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        world = WebWorld()
        world.site.startFactory()
        self.addCleanup(world.site.stopFactory)
        world.get("/?token=TOKEN")
        world.get("/nothing?token=TOKEN", method="HEAD")
        world.get("/?token=TOKEN", Cookie="token=TOKEN", Referer="http://proxy/?token=TOKEN")
        world.ask(openingRequest("/?token=TOKEN", Origin="http://evil"))
        world.ask(openingRequest("/?token=TOKEN", Sec_WebSocket_Key="TOKEN"))
        wire, _ = world.opened(openingRequest("/?token=TOKEN"))
        wire.deliver(b"TOKEN")
        wire.hangUp()
        self.assertTrue(events)
        self.assertNotIn("TOKEN", repr(events))
        # What the broker is told of refusals goes to the log, too.
        self.assertNotIn("TOKEN", repr(world.broker.turnedAway))
        self.assertEqual([told.split(": ")[1] for told in world.broker.turnedAway], ["origin_refused", "bad_request"])


class TLSTests(SynchronousTestCase):
    """
    The same over TLS.
    """

    def setUp(self) -> None:
        self.world = WebWorld()
        directory = Path(self.mktemp())
        directory.mkdir()
        creator = certificate(directory, self.world.clock)
        self.wire = Wire(TLSPortFactory(self.world.clock, creator, self.world.site, 15.0))
        self.client = TLSClient(self.wire, self.world.clock, clientContext())
        self.client.handshake()

    def opened(self) -> Any:
        """
        The stream of a WebSocket that is open.
        """
        self.client.send(openingRequest(Origin="https://proxy"))
        stream = admitted(self.world.broker.viewer)
        self.assertEqual(Answer(self.client.taken()).status, 101)
        return stream

    def test_bytes(self) -> None:
        """
        Bytes go both ways, early ones first.
        """
        self.client.send(openingRequest() + masked(b"early, "))
        self.client.send(masked(b"later"))
        stream = admitted(self.world.broker.viewer)
        sink = RecordingSink()
        stream.handOver(sink)
        self.assertEqual(sink.data, b"early, later")
        self.client.taken()
        stream.write(b"x" * 100000)
        self.assertEqual(unframed(self.client.taken()), [(0x82, b"x" * 100000)])

    def test_secure(self) -> None:
        """
        Pages of https may connect, others not; the cookie is for TLS alone.
        """
        self.client.send(openingRequest(Origin="http://proxy"))
        self.assertEqual(Answer(self.client.taken()).status, 403)
        self.client.send(openingRequest(Origin="https://proxy"))
        admitted(self.world.broker.viewer)
        self.assertIn("; Secure; ", Answer(self.client.taken()).headers["set-cookie"])

    def test_backPressure(self) -> None:
        """
        A full connection pauses the console, and a console that takes nothing stops the reading of the connection.
        """
        stream = self.opened()
        producer = RecordingProducer()
        stream.transport.registerProducer(producer, True)
        self.wire.producer.pauseProducing()
        self.wire.producer.resumeProducing()
        self.assertEqual(producer.calls, ["pause", "resume"])
        stream.transport.pauseProducing()
        self.assertEqual(self.wire.producerState, "paused")
        stream.transport.resumeProducing()
        self.assertEqual(self.wire.producerState, "producing")

    def test_ourClose(self) -> None:
        """
        The close frame comes through with a backlog before it; the answer to it ends WebSocket, TLS and connection.
        """
        stream = self.opened()
        stream.write(b"x" * 100000)
        stream.close(1011, "console_lost")
        *_, last = unframed(self.client.taken())
        self.assertEqual(last, closeFrame(1011, "console_lost"))
        self.client.send(masked(last[1], opcode=8))
        self.assertTrue(self.client.ended)
        self.client.shutDown()
        self.assertTrue(self.wire.disconnecting)
        self.assertFalse(self.wire.aborted)
        self.wire.hangUp()
        self.assertEqual(self.world.broker.gone, self.world.broker.viewers)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_theirClose(self) -> None:
        """
        A viewer's close frame is answered, and then TLS closed, even with a console that still feeds the WebSocket.
        """
        stream = self.opened()
        stream.transport.registerProducer(self.wire, True)
        self.client.send(masked(b"", opcode=8))
        self.assertEqual(unframed(self.client.taken()), [closeFrame(1000, "")])
        self.assertTrue(self.client.ended)
        # Goes on talking instead of closing.
        self.client.send(masked(b"x" * 1000))
        self.world.clock.advance(CLOSING_SECONDS)
        self.assertTrue(self.wire.aborted)

    def test_memory(self) -> None:
        """
        Nothing of the HTTP side is kept.
        """
        kept: list[weakref.ref[Any]] = []

        class WatchedRequest(Request):
            def __init__(self, channel: Any, *args: Any) -> None:
                super().__init__(channel, *args)
                kept.extend((weakref.ref(self), weakref.ref(channel)))

        self.world.site.requestFactory = WatchedRequest  # type: ignore[assignment]
        # The channel of this wire was made before.
        self.wire.protocol._inner.wrappedProtocol.requestFactory = WatchedRequest
        self.opened()
        gc.collect()
        self.assertEqual([found() for found in kept], [None, None])
        # But for the limit of the TLS handshake, which runs out in vain, no timer is left.
        self.world.clock.advance(15)
        self.assertFalse(self.wire.disconnecting)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])


class SocketTests(TestCase):
    """
    With a client and sockets that are not ours.
    """

    timeout = 20

    async def test_autobahnClient(self) -> None:
        """
        Autobahn's own client, over TCP, gets its subprotocol, no compression, the bytes, and the close frame.
        """
        world = WebWorld()
        port = reactor.listenTCP(0, world.site, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        told: list[object] = []
        opened, closed = Deferred[None](), Deferred[None]()

        class Client(WebSocketClientProtocol):  # type: ignore[misc]
            def onConnect(self, response: Any) -> None:
                told.extend((response.protocol, response.extensions))

            def onOpen(self) -> None:
                opened.callback(None)

            def onMessage(self, payload: bytes, isBinary: bool) -> None:
                told.append((payload, isBinary))

            def onClose(self, wasClean: bool, code: int, reason: str) -> None:
                told.append((wasClean, code, reason))
                closed.callback(None)

        factory = WebSocketClientFactory(
            f"ws://127.0.0.1:{port.getHost().port}/websockify?token=T", protocols=["binary"], reactor=reactor
        )
        factory.protocol = Client
        served = Deferred[Any]()
        take = world.broker.serve

        def serve(viewer: Any) -> Deferred[None]:
            served.callback(viewer)
            return take(viewer)

        world.broker.serve = serve  # type: ignore[method-assign]
        await TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port).connect(factory)
        viewer = await served
        stream = await viewer.admit(GRANT)
        await opened
        stream.write(b"x" * 70000)
        stream.close(1011, "console_lost")
        await closed
        self.assertEqual(told, ["binary", [], (b"x" * 70000, True), (True, 1011, "console_lost")])
