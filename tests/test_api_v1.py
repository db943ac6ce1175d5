"""
The operations of API v1, through real HTTP in memory.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.apiworld import FIXED, World, makeSession
from tests.memoryhttp import Reply
from vncproxy.api.v1 import accessURL, statusOf, tell
from vncproxy.errors import ConsoleUnknown, ConsoleUnreachable, RequestError
from vncproxy.model import Console, ConsoleType, EndReason, Role, Target, TargetKind, ViewerFacts

TARGET = Target(TargetKind.VNC, host="10.0.0.5", port=5901, password="hunter2")


class V1TestCase(SynchronousTestCase):
    """
    An API in memory.
    """

    def setUp(self) -> None:
        self.world = World()

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """
        Ask, require the status, and return the decoded body.
        """
        reply = self.world.ask(method, path, body)
        self.assertEqual(reply.status, status, reply.body)
        return reply.json if reply.body else None

    def refused(self, method: str, path: str, body: Any = None, *, status: int, reason: str) -> str:
        """
        Ask, require this refusal, and return its message.
        """
        error = self.ask(method, path, body, status)["error"]
        self.assertEqual((error["code"], error["reason"]), (status, reason))
        return str(error["message"])


class ConsoleTests(V1TestCase):
    def test_define(self) -> None:
        """
        A new console is told with 201, and kept with its password.
        """
        view = self.ask("PUT", "/v1/consoles/vm-1", {"url": "vnc://10.0.0.5:5901", "password": "hunter2"}, 201)
        self.assertEqual(
            view,
            {"id": "vm-1", "name": "vm-1", "url": "vnc://10.0.0.5:5901", "has_password": True, "source": "api"},
        )
        kept = self.successResultOf(Deferred.fromCoroutine(self.world.store.console("vm-1")))
        self.assertEqual(kept, Console("vm-1", "vm-1", TARGET))

    def test_replace(self) -> None:
        """
        A definition takes the place of the earlier one whole, of its password too.
        """
        self.ask("PUT", "/v1/consoles/vm-1", {"url": "vnc://10.0.0.5:5901", "password": "hunter2"}, 201)
        view = self.ask("PUT", "/v1/consoles/vm-1", {"url": "vnc+unix:///run/vm.sock", "name": "Mail"})
        expected = {"id": "vm-1", "name": "Mail", "url": "vnc+unix:///run/vm.sock", "has_password": False}
        self.assertEqual(view, expected | {"source": "api"})
        self.assertEqual(self.ask("GET", "/v1/consoles/vm-1"), view)

    def test_badDefinition(self) -> None:
        """
        A definition with a fault is refused with the key, and nothing is kept.
        """
        for body, words in (
            ({}, "url: this key is needed"),
            ({"url": "http://10.0.0.5"}, "url: it names no way"),
            ({"url": "vnc://:hunter2@10.0.0.5"}, "url: it holds credentials"),
            ({"url": "vnc://h", "name": "a\nb"}, "name: must not hold control characters."),
            ({"url": "vnc://h", "name": "a\x9bb"}, "name: must not hold control characters."),
            ({"url": "vnc://h", "name": ""}, "name: must be text of length at least 1."),
            ({"url": "vnc://h", "passwort": "hunter2"}, "passwort: there is no such key; did you mean password?"),
            ({"url": "vnc://h", "password": ["hunter2"]}, "password: must be text or null, not a list."),
        ):
            message = self.refused("PUT", "/v1/consoles/vm-1", body, status=400, reason="bad_request")
            self.assertIn(words, message)
            self.assertNotIn("hunter2", message)
        self.refused("GET", "/v1/consoles/vm-1", status=404, reason="console_unknown")

    def test_ids(self) -> None:
        """
        An id is of characters that need no escaping in paths and logs, and is not taken for a relative path.
        """
        for good in ("a", "A_b.c:d~e-f", "_x", "0" * 128):
            self.ask("PUT", f"/v1/consoles/{good}", {"url": "vnc://h"}, 201)
        for bad in ("0" * 129, ".", "..", "-x", "a%20b", "a%2Fb", "%C3%A4", "a%0A"):
            self.refused("PUT", f"/v1/consoles/{bad}", {"url": "vnc://h"}, status=400, reason="bad_request")

    def test_list(self) -> None:
        """
        All consoles are listed by id, those of the configuration file too, none with its password.
        """
        for consoleID in ("vm-2", "vm-1", "a"):
            self.ask("PUT", f"/v1/consoles/{consoleID}", {"url": "vnc://h", "password": "hunter2"}, 201)
        reply = self.world.ask("GET", "/v1/consoles")
        listed = [(each["id"], each["source"]) for each in reply.json["consoles"]]
        self.assertEqual(listed, [("a", "api"), ("rack-1", "config"), ("vm-1", "api"), ("vm-2", "api")])
        self.assertNotIn(b"hunter2", reply.body)

    def test_delete(self) -> None:
        """
        A console that is deleted is gone with its tokens, and there is nothing left to delete.
        """
        self.ask("PUT", "/v1/consoles/vm-1", {"url": "vnc://h"}, 201)
        token = self.ask("POST", "/v1/consoles/vm-1/access", {}, 201)["token"]
        self.assertEqual(self.ask("DELETE", "/v1/consoles/vm-1", status=204), None)
        self.refused("GET", "/v1/consoles/vm-1", status=404, reason="console_unknown")
        self.refused("DELETE", "/v1/consoles/vm-1", status=404, reason="console_unknown")
        self.assertIsNone(self.world.checkToken(token))

    def test_fixed(self) -> None:
        """
        A console of the configuration file is shown and cannot be changed.
        """
        view = self.ask("GET", "/v1/consoles/rack-1")
        self.assertEqual((view["source"], view["has_password"], view["url"]), ("config", True, "vnc://10.0.0.1:5900"))
        self.refused("PUT", "/v1/consoles/rack-1", {"url": "vnc://h"}, status=409, reason="console_fixed")
        self.refused("DELETE", "/v1/consoles/rack-1", status=409, reason="console_fixed")

    def test_fixedHidesStored(self) -> None:
        """
        A console of the configuration file hides one that was stored under its id before.
        """
        old = Console("rack-1", "Old", TARGET)
        self.successResultOf(Deferred.fromCoroutine(self.world.store.putConsole(old)))
        self.assertEqual([each["name"] for each in self.ask("GET", "/v1/consoles")["consoles"]], [FIXED.name])
        self.assertEqual(self.ask("GET", "/v1/consoles/rack-1")["name"], FIXED.name)


class AccessTests(V1TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ask("PUT", "/v1/consoles/vm-1", {"url": "vnc://10.0.0.5:5901"}, 201)

    def access(self, body: Any = None, consoleID: str = "vm-1") -> Any:
        return self.ask("POST", f"/v1/consoles/{consoleID}/access", body, 201)

    def test_defaults(self) -> None:
        """
        Without any wish it is a URL for a browser, with the configured lifetime and uses.
        """
        access = self.access()
        self.assertEqual(
            access,
            {
                "type": "novnc",
                "url": f"http://127.0.0.1:6080/vnc_auto.html?token={access['token']}",
                "token": access["token"],
                "expires": "2026-11-20T15:24:29Z",
            },
        )
        grant = self.world.checkToken(access["token"])
        assert grant is not None
        self.assertEqual((grant.consoleID, grant.consoleType, grant.viewOnly), ("vm-1", ConsoleType.NOVNC, False))

    def test_java(self) -> None:
        """
        A Java viewer's URL is the Java frontend's, and tells nothing but the token.
        """
        access = self.access({"type": "xvpvnc", "view_only": True})
        self.assertEqual(access["url"], f"http://127.0.0.1:6081/console?token={access['token']}")
        grant = self.world.checkToken(access["token"])
        assert grant is not None
        self.assertEqual((grant.consoleType, grant.viewOnly), (ConsoleType.XVPVNC, True))

    def test_wishes(self) -> None:
        """
        What is wished for is what the token is worth.
        """
        access = self.access({"view_only": True, "ttl": 60, "uses": 2, "client_address": "2001:DB8::9"})
        self.assertTrue(access["url"].endswith(f"?token={access['token']}&view_only=true"))
        self.assertEqual(access["expires"], "2026-11-20T15:15:29Z")
        (record,) = self.world.records()
        self.assertEqual((record.usesLeft, record.clientAddress, record.viewOnly), (2, "2001:db8::9", True))

    def test_anyNumberOfUses(self) -> None:
        """
        No uses at all stand for any number.
        """
        self.access({"uses": 0})
        self.assertIsNone(self.world.records()[0].usesLeft)

    def test_badWishes(self) -> None:
        """
        A wish that cannot be is refused with its key, and no token is made.
        """
        for body, words in (
            ({"type": "spice"}, "type: must be one of novnc, xvpvnc."),
            ({"ttl": 0}, "ttl: must be a whole number at least 1."),
            ({"uses": -1}, "uses: must be a whole number at least 0."),
            ({"client_address": "localhost"}, "client_address: must be an IPv4 or IPv6 address"),
            ({"viewonly": True}, "viewonly: there is no such key; did you mean view_only?"),
        ):
            message = self.refused("POST", "/v1/consoles/vm-1/access", body, status=400, reason="bad_request")
            self.assertIn(words, message)
        self.assertEqual(self.world.records(), [])

    def test_unknownConsole(self) -> None:
        """
        There is no way into a console that nobody knows.
        """
        self.refused("POST", "/v1/consoles/vm-9/access", {}, status=404, reason="console_unknown")

    def test_fixedConsole(self) -> None:
        """
        A console of the configuration file is opened like any other.
        """
        self.assertIsNotNone(self.world.checkToken(self.access(consoleID="rack-1")["token"]))

    def test_typeNotServed(self) -> None:
        """
        No token is made for viewers that the proxy does not serve.
        """
        self.world.baseURLs[ConsoleType.XVPVNC] = None
        body = {"type": "xvpvnc"}
        self.refused("POST", "/v1/consoles/vm-1/access", body, status=409, reason="type_not_served")
        self.assertEqual(self.world.records(), [])

    def test_revoke(self) -> None:
        """
        Revoking tells how many tokens there were, and none of them opens the console any more.
        """
        tokens = [self.access()["token"] for _ in range(3)]
        other = self.access(consoleID="rack-1")["token"]
        self.assertEqual(self.ask("DELETE", "/v1/consoles/vm-1/tokens"), {"deleted": 3})
        self.assertEqual(self.ask("DELETE", "/v1/consoles/vm-1/tokens"), {"deleted": 0})
        self.assertEqual([self.world.checkToken(token) for token in tokens], [None] * 3)
        self.assertIsNotNone(self.world.checkToken(other))

    def test_revokeEndsSessions(self) -> None:
        """
        The sessions of a console end when its tokens are revoked, and when it is forgotten; others go on.
        """
        for path, status in (("/v1/consoles/vm-1/tokens", 200), ("/v1/consoles/vm-1", 204)):
            self.world.sessions.ended.clear()
            self.world.sessions.up[:] = [makeSession("s1"), makeSession("s2", "rack-1"), makeSession("s3")]
            self.ask("DELETE", path, status=status)
            ended = [("s1", EndReason.REVOKED), ("s3", EndReason.REVOKED)]
            self.assertEqual(self.world.sessions.ended, ended)

    def test_revokeImpossible(self) -> None:
        """
        What cannot be a console's id has no tokens to revoke.
        """
        self.refused("DELETE", "/v1/consoles/a%20b/tokens", status=404, reason="console_unknown")

    def test_redeemable(self) -> None:
        """
        The token in the URL is one that the frontends redeem.
        """
        token = self.access()["token"]
        facts = ViewerFacts("web", ConsoleType.NOVNC, "203.0.113.9", token)
        grant = self.successResultOf(Deferred.fromCoroutine(self.world.authority.redeemToken(facts)))
        self.assertEqual(grant.consoleID, "vm-1")


class SessionTests(V1TestCase):
    def test_list(self) -> None:
        """
        The sessions that are up are shown with all that is known of them.
        """
        self.world.sessions.up += [makeSession("s1", owner="portal"), makeSession("s2", viewOnly=True, resumed=True)]
        first, second = self.ask("GET", "/v1/sessions")["sessions"]
        self.assertEqual(
            first,
            {
                "id": "s1",
                "console": "vm-1",
                "console_name": "Name of vm-1",
                "frontend": "web",
                "client": "203.0.113.9",
                "proxy": "proxy-1",
                "token": "0123abcd",
                "view_only": False,
                "resumed": False,
                "started": "2026-11-20T15:12:59Z",
                "bytes_in": 999,
                "bytes_out": 1_500_000,
                "owner": "portal",
            },
        )
        self.assertEqual((second["id"], second["view_only"], second["resumed"]), ("s2", True, True))

    def test_one(self) -> None:
        """
        One session is shown by its id.
        """
        self.world.sessions.up += [makeSession("s1"), makeSession("s2")]
        self.assertEqual(self.ask("GET", "/v1/sessions/s2")["id"], "s2")
        self.refused("GET", "/v1/sessions/s3", status=404, reason="session_unknown")

    def test_end(self) -> None:
        """
        Ending a session ends it by the operator's will; then it is not there any more.
        """
        self.world.sessions.up.append(makeSession("s1"))
        self.assertIsNone(self.ask("DELETE", "/v1/sessions/s1", status=204))
        self.assertEqual(self.world.sessions.ended, [("s1", EndReason.OPERATOR)])
        self.refused("DELETE", "/v1/sessions/s1", status=404, reason="session_unknown")


class OpenTests(V1TestCase):
    def openly(self, path: str) -> Reply:
        return self.world.ask("GET", path, key=None)

    def test_health(self) -> None:
        """
        Whoever asks learns that the process is up.
        """
        self.assertEqual((self.openly("/healthz").status, self.openly("/healthz").json), (200, {"status": "ok"}))

    def test_ready(self) -> None:
        """
        When nothing stands in the way it is ready.
        """
        reply = self.openly("/readyz")
        self.assertEqual((reply.status, reply.json), (200, {"ready": True, "problems": []}))

    def test_notReady(self) -> None:
        """
        All that stands in the way is said.
        """
        self.world.problems.append("The pages are not built.")
        self.successResultOf(Deferred.fromCoroutine(self.world.store.close()))
        reply = self.openly("/readyz")
        self.assertEqual(reply.status, 503)
        problems = ["The pages are not built.", "The store does not answer."]
        self.assertEqual(reply.json, {"ready": False, "problems": problems})

    def test_openAPI(self) -> None:
        """
        The description of the API needs no key and names every path.
        """
        reply = self.openly("/v1/openapi.json")
        self.assertEqual(reply.status, 200)
        self.assertIn("/v1/consoles/{console}/access", reply.json["paths"])

    def test_allElseNeedsTheKey(self) -> None:
        """
        Nothing else is answered without the key.
        """
        paths = self.openly("/v1/openapi.json").json["paths"]
        for path, methods in paths.items():
            for method, described in methods.items():
                status = self.world.ask(method.upper(), path, key=None).status
                self.assertEqual(status == 401, bool(described["security"]), (method, path))

    def test_storeIsDown(self) -> None:
        """
        A store that does not answer is told as a service that is not available.
        """
        self.successResultOf(Deferred.fromCoroutine(self.world.store.close()))
        for method, path in (("GET", "/v1/consoles"), ("DELETE", "/v1/consoles/vm-1/tokens")):
            self.refused(method, path, status=503, reason="tokens_unreachable")


class TellTests(SynchronousTestCase):
    def test_words(self) -> None:
        """
        A fault of the request is told in its own words; all else in words that name no address.
        """
        for error, words in (
            (RequestError("url: wrong."), "url: wrong."),
            (RequestError(), RequestError.told),
            (ConsoleUnreachable("10.0.0.5 is off"), ConsoleUnreachable.told),
        ):
            self.assertIn(words.encode(), World.encode(tell(error)))

    def test_status(self) -> None:
        """
        A status is the error's own, but that an unknown console is not found.
        """
        self.assertEqual((statusOf(ConsoleUnknown), statusOf(ConsoleUnreachable)), (404, 502))


class AccessURLTests(SynchronousTestCase):
    def test_base(self) -> None:
        """
        What the base has already stays, and what is added is escaped.
        """
        for base, expected in (
            ("https://h/vnc_auto.html", "https://h/vnc_auto.html?token=a%26b"),
            ("https://h/p?lang=de", "https://h/p?lang=de&token=a%26b"),
            ("https://h/p?", "https://h/p?token=a%26b"),
            ("https://h/p?a=1#top", "https://h/p?a=1&token=a%26b#top"),
        ):
            self.assertEqual(accessURL(base, token="a&b"), expected)


class VisibilityTests(V1TestCase):
    """
    What a key may not see does not exist for it.
    """

    def setUp(self) -> None:
        super().setUp()
        for consoleID in ("vm-1", "pc-1"):
            self.ask("PUT", f"/v1/consoles/{consoleID}", {"url": "vnc://10.0.0.5"}, 201)
        self.world.sessions.up += [makeSession("s1", "vm-1"), makeSession("s2", "pc-1")]
        self.keys = {role: self.world.addKey(role, "vm-*", role.value) for role in Role if role is not Role.ADMIN}

    def reply(self, role: Role, method: str, path: str, body: Any = None) -> Reply:
        """
        What a key of this role hears that is bound to C{vm-*}.
        """
        return self.world.ask(method, path, body, key=self.keys[role])

    def test_alike(self) -> None:
        """
        What is there for others, what is fixed for others and what is nowhere is answered to the byte alike.
        """
        for role, method, path, body in (
            (Role.VIEWER, "GET", "/v1/consoles/{}", None),
            (Role.ISSUER, "POST", "/v1/consoles/{}/access", {}),
            (Role.ISSUER, "POST", "/v1/consoles/{}/access", {"client_address": "nonsense"}),
            (Role.ISSUER, "DELETE", "/v1/consoles/{}/tokens", None),
        ):
            replies = [self.reply(role, method, path.format(name), body) for name in ("pc-1", FIXED.id, "nowhere")]
            told = {(reply.status, reply.body) for reply in replies}
            self.assertEqual(len(told), 1, told)
        for method, role in (("GET", Role.VIEWER), ("DELETE", Role.OPERATOR)):
            replies = [self.reply(role, method, f"/v1/sessions/{name}") for name in ("s2", "nowhere")]
            self.assertEqual({reply.status for reply in replies}, {404})
            self.assertEqual(replies[0].body, replies[1].body)
        self.assertEqual(len(self.world.sessions.up), 2)

    def test_sameWork(self) -> None:
        """
        The store is asked as often, and for the same things, whether a console is hidden or nowhere.
        """
        asked: list[str] = []
        for name in ("console", "deleteTokens"):
            method = getattr(self.world.store, name)

            async def count(consoleID: str, name: str = name, method: Any = method) -> Any:
                asked.append(name)
                return await method(consoleID)

            self.patch(self.world.store, name, count)
        for method, path in (("GET", "{}"), ("POST", "{}/access"), ("DELETE", "{}/tokens")):
            work = []
            for consoleID in ("pc-1", FIXED.id, "vm-nowhere"):
                asked.clear()
                role = Role.VIEWER if method == "GET" else Role.ISSUER
                self.reply(role, method, f"/v1/consoles/{path.format(consoleID)}")
                work.append(list(asked))
            self.assertEqual(work, [work[0]] * 3)
            self.assertEqual(len(work[0]), 1)

    def test_lists(self) -> None:
        """
        Lists hold what the key may see.
        """
        listed = self.reply(Role.VIEWER, "GET", "/v1/consoles").json["consoles"]
        self.assertEqual([each["id"] for each in listed], ["vm-1"])
        listed = self.reply(Role.OPERATOR, "GET", "/v1/sessions").json["sessions"]
        self.assertEqual([each["id"] for each in listed], ["s1"])

    def test_visible(self) -> None:
        """
        What the key may see it may use.
        """
        self.assertEqual(self.reply(Role.VIEWER, "GET", "/v1/consoles/vm-1").status, 200)
        access = self.reply(Role.ISSUER, "POST", "/v1/consoles/vm-1/access")
        self.assertEqual(access.status, 201)
        grant = self.world.checkToken(access.json["token"])
        assert grant is not None
        self.assertEqual(grant.owner, "issuer")
        self.assertEqual(self.reply(Role.ISSUER, "DELETE", "/v1/consoles/vm-1/tokens").json, {"deleted": 1})
        self.world.sessions.up.append(makeSession("s3", "vm-2"))
        self.assertEqual(self.reply(Role.OPERATOR, "DELETE", "/v1/sessions/s3").status, 204)

    def test_table(self) -> None:
        """
        Each role is refused what it has no right to, on what it may see and on what it may not alike.
        """
        for method, path, roles in (
            ("GET", "/v1/consoles/{}", {Role.VIEWER, Role.ISSUER, Role.OPERATOR}),
            ("PUT", "/v1/consoles/{}", set()),
            ("DELETE", "/v1/consoles/{}", set()),
            ("POST", "/v1/consoles/{}/access", {Role.ISSUER}),
            ("DELETE", "/v1/consoles/{}/tokens", {Role.ISSUER}),
            ("GET", "/v1/sessions", {Role.VIEWER, Role.OPERATOR}),
            ("DELETE", "/v1/sessions/s9", {Role.OPERATOR}),
            ("GET", "/v1/audit", {Role.OPERATOR}),
            ("GET", "/v1/keys", set()),
            ("POST", "/v1/keys", set()),
            ("DELETE", "/v1/keys/viewer", set()),
        ):
            for role in self.keys:
                replies = [self.reply(role, method, path.format(name)) for name in ("vm-1", "pc-1")]
                self.assertEqual([each.status != 403 for each in replies], [role in roles] * 2, (method, path, role))


class NotedTests(V1TestCase):
    """
    What the audit trail hears.
    """

    def test_noted(self) -> None:
        """
        Whoever changes something is noted, with what and from where; a refusal changes nothing.
        """
        self.world.sessions.up.append(makeSession("s1", "vm-1"))
        self.ask("PUT", "/v1/consoles/vm-1", {"url": "vnc://h", "password": "hunter2"}, 201)
        token = self.ask("POST", "/v1/consoles/vm-1/access", {}, 201)["token"]
        self.refused("POST", "/v1/consoles/nowhere/access", {}, status=404, reason="console_unknown")
        self.ask("DELETE", "/v1/sessions/s1", status=204)
        self.ask("DELETE", "/v1/consoles/vm-1/tokens")
        self.ask("DELETE", "/v1/consoles/vm-1", status=204)
        self.refused("DELETE", "/v1/consoles/vm-1", status=404, reason="console_unknown")
        noted = self.world.noted()
        self.assertEqual(
            [(each.event.value, each.console, each.session) for each in noted],
            [
                ("console_defined", "vm-1", ""),
                ("token_minted", "vm-1", ""),
                ("end_ordered", "vm-1", "s1"),
                ("tokens_revoked", "vm-1", ""),
                ("console_forgotten", "vm-1", ""),
            ],
        )
        self.assertEqual({(each.key, each.client) for each in noted}, {("api.key", "203.0.113.9")})
        self.assertEqual(noted[1].token, sha256(token.encode()).hexdigest()[:8])
        self.assertNotIn("hunter2", repr(noted))
        self.assertNotIn(token, repr(noted))
