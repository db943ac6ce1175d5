"""
L{vncproxy.api.cloudstack}, through real HTTP in memory.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.apiworld import FIXED, KEY, NOW, World, makeSession, waitFor
from tests.memoryhttp import Connection, Reply
from vncproxy.api.http import BODY_LIMIT
from vncproxy.api.signature import parseKeys, sign
from vncproxy.attempts import Attempts
from vncproxy.errors import TokensUnreachable
from vncproxy.model import Console, ConsoleType, Target, TargetKind

SECRET = "sesame-sesame-sesame"

KEYS = f"key-1 {SECRET}\nissuer {SECRET} issuer rack-*\nviewer {SECRET} viewer vm-?\n"

CREATE = "createConsoleEndpoint"
LIST = "listConsoleSessions"


class CloudStackCase(SynchronousTestCase):
    """
    An API that speaks CloudStack's dialect, too.
    """

    def setUp(self) -> None:
        self.world = World(cloudStackKeys=parseKeys(KEYS, "keys"))

    def signed(self, command: str, secret: str = SECRET, **parameters: str) -> str:
        """
        A signed request as a query or a form.
        """
        whole = {
            "command": command,
            "apiKey": "key-1",
            "response": "json",
            "signatureVersion": "3",
            "expires": "2026-11-20T15:24:29+0000",
            **parameters,
        }
        signature = b64encode(sign({name.lower(): value for name, value in whole.items()}, secret)).decode()
        return urlencode(whole | {"signature": signature})

    def send(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        """
        The reply to one request.
        """
        connection = Connection(self.world.site)
        connection.request(method, path, body, headers)
        return connection.reply()

    def ask(self, command: str, secret: str = SECRET, **parameters: str) -> Reply:
        """
        The reply to a signed request.
        """
        return self.send("GET", f"/client/api?{self.signed(command, secret, **parameters)}")

    def assertFault(self, reply: Reply, code: int, envelope: str, words: str = "") -> None:
        """
        The reply is an error of CloudStack's.
        """
        self.assertEqual(reply.status, code, reply.body)
        self.assertEqual(list(reply.json), [envelope])
        fault = reply.json[envelope]
        self.assertEqual((fault["errorcode"], fault["uuidList"]), (code, []))
        self.assertIn(words, fault["errortext"])


class RequestTests(CloudStackCase):
    def test_post(self) -> None:
        """
        The parameters may come as a form, or in part.
        """
        form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        whole = self.signed(LIST)
        command, _, rest = whole.partition("&")
        for path, body in (("/client/api", whole), (f"/client/api?{command}", rest)):
            reply = self.send("POST", path, body.encode(), form)
            self.assertEqual((reply.status, reply.json), (200, {"listconsolesessionsresponse": {}}))

    def test_anyCase(self) -> None:
        """
        Commands and the names of parameters are the same in any case.
        """
        self.assertEqual(self.ask("LISTCONSOLESESSIONS").status, 200)
        self.assertEqual(self.ask(CREATE, virtualMachineId=FIXED.id).status, 200)

    def test_unsigned(self) -> None:
        """
        A request that is not signed well is refused, whatever it asks for, and even with a key of API v1.
        """
        for command, envelope in ((CREATE, "createconsoleendpointresponse"), ("other", "errorresponse")):
            for query in (
                f"command={command}",
                self.signed(command, "another-another-another", virtualmachineid=FIXED.id),
                self.signed(command, virtualmachineid=FIXED.id) + "&more=1",
            ):
                reply = self.send("GET", f"/client/api?{query}", headers={"X-Auth-Token": KEY})
                self.assertFault(reply, 401, envelope, "unable to verify user credentials")
        self.assertEqual(self.world.records(), [])

    def test_over(self) -> None:
        """
        A signature is good until it expires.
        """
        query = self.signed(LIST)
        self.world.clock.advance(599)  # type: ignore[attr-defined]
        self.assertEqual(self.send("GET", f"/client/api?{query}").status, 200)
        self.world.clock.advance(1)  # type: ignore[attr-defined]
        self.assertFault(self.send("GET", f"/client/api?{query}"), 401, "listconsolesessionsresponse")

    def test_guessing(self) -> None:
        """
        Who guesses is not heard for a while, however good the next request is.
        """
        self.world = World(cloudStackKeys=parseKeys(KEYS, "keys"), attempts=Attempts(1, lambda: NOW))
        self.assertEqual(self.ask(LIST).status, 200)
        self.assertEqual(self.ask(LIST, "another-another-another").status, 401)
        reply = self.ask(LIST)
        self.assertFault(reply, 429, "errorresponse")
        self.assertGreater(int(reply.headers["retry-after"]), 0)

    def test_rights(self) -> None:
        """
        A key does what its role may, with the consoles that it may see; others are not there for it.
        """
        issuer, viewer = {"apiKey": "issuer"}, {"apiKey": "viewer"}
        self.world.sessions.up = [makeSession("s1", "vm-1"), makeSession("s2", "other-1")]
        self.assertEqual(self.ask(CREATE, virtualmachineid=FIXED.id, **issuer).status, 200)
        self.assertFault(self.ask(LIST, **issuer), 432, "listconsolesessionsresponse", "not available for user")
        (session,) = self.ask(LIST, **viewer).json["listconsolesessionsresponse"]["consolesession"]
        self.assertEqual(session["virtualmachineid"], "vm-1")
        self.assertFault(self.ask(CREATE, virtualmachineid="vm-1", **viewer), 432, "createconsoleendpointresponse")
        waitFor(self.world.store.putConsole(Console("hidden-1", "Hidden", Target(TargetKind.VNC, "10.0.0.2", 5900))))
        hidden = self.ask(CREATE, virtualmachineid="hidden-1", **issuer)
        self.assertEqual(hidden.body, self.ask(CREATE, virtualmachineid="nothing", **issuer).body)
        self.assertFault(hidden, 431, "createconsoleendpointresponse")
        (record,) = self.world.records()
        self.assertEqual(record.owner, "cloudstack:issuer")

    def test_unknownCommand(self) -> None:
        """
        A command that is not there is told as such, to those who sign.
        """
        self.assertFault(self.ask("deployVirtualMachine"), 432, "errorresponse", "does not exist")
        self.assertFault(self.ask(""), 432, "errorresponse")

    def test_malformed(self) -> None:
        """
        Parameters that cannot be told apart are refused before anything else.
        """
        for query in (f"command={LIST}&command={CREATE}", "command=%FF"):
            self.assertFault(self.send("GET", f"/client/api?{query}"), 430, "errorresponse")
        self.assertFault(self.send("POST", "/client/api", b"command=\xff"), 430, "errorresponse")

    def test_badForm(self) -> None:
        """
        A body of another type, or one that is too long, is refused.
        """
        query = self.signed(LIST)
        reply = self.send("POST", f"/client/api?{query}", b"{}", {"Content-Type": "application/json"})
        self.assertFault(reply, 415, "errorresponse", "application/x-www-form-urlencoded")
        reply = self.send("POST", f"/client/api?{query}", b"a" * (BODY_LIMIT + 1))
        self.assertFault(reply, 413, "errorresponse")

    @given(st.binary(max_size=200) | st.text(max_size=200).map(quote).map(str.encode))
    def test_anything(self, form: bytes) -> None:
        """
        Whatever is sent, it is answered in CloudStack's way, and nothing comes of it.
        """
        reply = self.send("POST", "/client/api", form)
        (envelope,) = reply.json
        self.assertFault(reply, reply.json[envelope]["errorcode"], envelope)
        self.assertIn(reply.status, (401, 430))

    def test_json(self) -> None:
        """
        Another form of response than JSON is refused.
        """
        self.assertFault(self.ask(LIST, response="xml"), 431, "listconsolesessionsresponse", "json")

    def test_otherParameter(self) -> None:
        """
        A parameter that is not understood is refused: it may have been meant to narrow the answer.
        """
        for command in (LIST, CREATE):
            reply = self.ask(command, virtualmachineid=FIXED.id, domainid="x")
            self.assertFault(reply, 431, f"{command.lower()}response", "domainid")

    def test_path(self) -> None:
        """
        Other paths and methods are told in CloudStack's way.
        """
        self.assertFault(self.send("GET", "/client/api/x"), 404, "errorresponse")
        reply = self.send("PUT", "/client/api")
        self.assertFault(reply, 405, "errorresponse")
        self.assertEqual(reply.headers["allow"], "GET, HEAD, POST")

    def test_off(self) -> None:
        """
        Without keys the dialect is not spoken.
        """
        self.world = World()
        self.assertEqual(self.ask(LIST).json["error"]["reason"], "key_refused")


class CreateConsoleEndpointTests(CloudStackCase):
    def assertOpens(self, base: str, host: str, port: str, path: str) -> None:
        """
        The endpoint leads to C{base}, and its parts to the same place.
        """
        self.world.baseURLs[ConsoleType.NOVNC] = base
        reply = self.ask(CREATE, virtualmachineid=FIXED.id)
        self.assertEqual(reply.status, 200)
        self.assertEqual(list(reply.json), ["createconsoleendpointresponse"])
        endpoint = reply.json["createconsoleendpointresponse"]["consoleendpoint"]
        self.assertIs(endpoint["success"], True)
        self.assertEqual(endpoint["url"].partition("?")[0], base)
        (token,) = parse_qs(urlsplit(endpoint["url"]).query)["token"]
        self.assertEqual(endpoint["websocket"], {"token": token, "host": host, "port": port, "path": path})
        grant = self.world.checkToken(token)
        assert grant is not None
        self.assertEqual((grant.consoleID, grant.consoleType), (FIXED.id, ConsoleType.NOVNC))

    def test_opens(self) -> None:
        """
        The endpoint opens the console, at whatever address the page has.
        """
        self.assertOpens("http://127.0.0.1:6080/vnc_auto.html", "127.0.0.1", "6080", "websockify")
        self.assertOpens("https://console.example/a/b/", "console.example", "443", "a/b/websockify")
        self.assertOpens("http://[2001:db8::9]/vnc.html", "2001:db8::9", "80", "websockify")

    def test_unknown(self) -> None:
        """
        A machine that is not known is a parameter that is wrong.
        """
        reply = self.ask(CREATE, virtualmachineid="nothing")
        self.assertFault(reply, 431, "createconsoleendpointresponse", "entity does not exist")
        self.assertFault(self.ask(CREATE), 431, "createconsoleendpointresponse", "virtualmachineid")

    def test_secondSecret(self) -> None:
        """
        A second secret would not be checked, so none is taken.
        """
        reply = self.ask(CREATE, virtualmachineid=FIXED.id, token="abc")
        self.assertFault(reply, 431, "createconsoleendpointresponse", "second secret")
        self.assertEqual(self.world.records(), [])
        self.assertEqual(self.ask(CREATE, virtualmachineid=FIXED.id, token="").status, 200)

    def test_notServed(self) -> None:
        """
        Without a frontend for browsers there are no endpoints.
        """
        self.world.baseURLs[ConsoleType.NOVNC] = None
        reply = self.ask(CREATE, virtualmachineid=FIXED.id)
        self.assertFault(reply, 431, "createconsoleendpointresponse", "frontend")

    def test_unreachable(self) -> None:
        """
        A store that does not answer is a resource that is unavailable, and a fault of ours an internal one.
        """

        async def fail(record: Any) -> None:
            raise TokensUnreachable("the store at 10.0.0.1 is down")

        self.patch(self.world.store, "addToken", fail)
        reply = self.ask(CREATE, virtualmachineid=FIXED.id)
        self.assertFault(reply, 534, "createconsoleendpointresponse")
        self.assertNotIn(b"10.0.0.1", reply.body)
        self.patch(self.world.store, "addToken", None)
        self.assertFault(self.ask(CREATE, virtualmachineid=FIXED.id), 530, "errorresponse")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)


class ListConsoleSessionsTests(CloudStackCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.sessions.up = [
            makeSession("s1", "vm-1"),
            makeSession("s2", "vm-2", client="2001:db8::9", started=NOW - 3600),
            makeSession("s3", "vm-1", started=NOW - 86400),
        ]

    def listed(self, **parameters: str) -> list[str]:
        """
        The ids of the sessions that are found.
        """
        response = self.ask(LIST, **parameters).json["listconsolesessionsresponse"]
        return [session["id"] for session in response.get("consolesession", [])]

    def test_list(self) -> None:
        """
        Each session is told with the machine, its viewer's address and its begin.
        """
        response = self.ask(LIST).json["listconsolesessionsresponse"]
        self.assertEqual(response["count"], 3)
        self.assertEqual(
            response["consolesession"][1],
            {
                "id": "s2",
                "created": "2026-11-20T14:14:29+0000",
                "acquired": "2026-11-20T14:14:29+0000",
                "virtualmachineid": "vm-2",
                "virtualmachinename": "Name of vm-2",
                "clientaddress": "2001:db8::9",
            },
        )

    def test_filters(self) -> None:
        """
        Each parameter narrows the list; an empty one does not.
        """
        for parameters, found in (
            ({"id": "s2"}, ["s2"]),
            ({"virtualmachineid": "vm-1"}, ["s1", "s3"]),
            ({"virtualmachineid": "vm-1", "clientaddress": "2001:db8::9"}, []),
            ({"startdate": "2026-11-20"}, ["s1", "s2"]),
            ({"startdate": "2026-11-20T14:14:29+0000"}, ["s1", "s2"]),
            ({"startdate": "2026-11-20 15:00:00"}, ["s1"]),
            ({"enddate": "2026-11-19"}, ["s3"]),
            ({"enddate": "2026-11-20T15:14:28+0100"}, ["s3"]),
            ({"startdate": "2026-11-20", "enddate": "2026-11-20", "activeonly": "true"}, ["s1", "s2"]),
            ({"id": "", "startdate": "", "activeonly": "false", "acquired": "true"}, ["s1", "s2", "s3"]),
        ):
            self.assertEqual(self.listed(**parameters), found, parameters)

    def test_pages(self) -> None:
        """
        The list comes in pages, each of which counts the whole.
        """
        self.assertEqual(self.listed(page="1", pagesize="2"), ["s1", "s2"])
        self.assertEqual(self.listed(page="2", pagesize="2"), ["s3"])
        self.assertEqual(self.listed(page="3", pagesize="2"), [])
        self.assertEqual(self.ask(LIST, pagesize="1").json["listconsolesessionsresponse"]["count"], 3)

    def test_bad(self) -> None:
        """
        A value that is not understood is told with its parameter.
        """
        for name, value in (("page", "0"), ("pagesize", "x"), ("page", "1" * 10), ("startdate", "yesterday")):
            self.assertFault(self.ask(LIST, **{name: value}), 431, "listconsolesessionsresponse", f"{name}: ")
