"""
L{vncproxy.api.nova}, through real HTTP in memory.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from tests.apiworld import FIXED, KEY, World, waitFor
from tests.memoryhttp import Connection, Reply
from vncproxy.addresses import TrustedPeers
from vncproxy.errors import TokensUnreachable
from vncproxy.model import Console, ConsoleType, Role, Target, TargetKind

WEB = Console("vm-1", "Web server", Target(TargetKind.VNC, host="10.0.0.5", port=5901, password="hunter2"))
MAIL = Console("vm-2", "Mail server", Target(TargetKind.VNC_UNIX, path="/run/vm-2.sock"))

WISH = {"remote_console": {"protocol": "vnc", "type": "novnc"}}


BODIES = st.dictionaries(
    st.sampled_from(["remote_console", "os-getVNCConsole", "os-getSPICEConsole", "x"]),
    st.none() | st.text() | st.dictionaries(
        st.sampled_from(["type", "protocol", "x"]), st.none() | st.sampled_from(["vnc", "novnc", "spice-html5", ""])
    ),
)  # fmt: skip

GUEST = {"X-Auth-Token": "notused", "Host": "127.0.0.1:8774"}


class NovaCase(SynchronousTestCase):
    """
    An API with two consoles beside the one of the configuration file.

    @cvar guests: whether it serves programs on this machine without a key.
    """

    guests = False

    def setUp(self) -> None:
        self.world = World(guests=self.guests)
        for console in (WEB, MAIL):
            waitFor(self.world.store.putConsole(console))

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        version: str | None = "compute 2.96",
        headers: dict[str, str] | None = None,
        address: str = "203.0.113.9",
    ) -> Reply:
        """
        The reply to one request.
        """
        connection = Connection(self.world.site, IPv4Address("TCP", address, 50000))
        fields = {"X-Auth-Token": KEY} if headers is None else headers
        fields = fields if version is None else fields | {"OpenStack-API-Version": version}
        connection.request(method, path, b"" if body is None else msgspec.json.encode(body), fields)
        return connection.reply()

    def assertFault(self, reply: Reply, status: int, name: str, words: str = "") -> None:
        """
        The reply is a fault of nova's.
        """
        self.assertEqual(reply.status, status, reply.body)
        self.assertEqual(list(reply.json), [name])
        self.assertEqual(reply.json[name]["code"], status)
        self.assertIn(words, reply.json[name]["message"])


class VersionTests(NovaCase):
    def test_versions(self) -> None:
        """
        Everybody may see which versions there are, and where.
        """
        version = {
            "id": "v2.1",
            "status": "CURRENT",
            "version": "2.99",
            "min_version": "2.1",
            "updated": "2013-07-23T11:33:21Z",
            "links": [{"rel": "self", "href": "http://proxy/v2.1/"}],
        }
        one: dict[str, object] = {"version": version}
        for path, document in {"/": {"versions": [version]}, "/v2.1": one, "/v2.1/": one}.items():
            reply = self.ask("GET", path, headers={})
            self.assertEqual((reply.status, reply.json), (200, document))

    def test_host(self) -> None:
        """
        A host's name that is none is not repeated.
        """
        for host, base in (("[::1]:8774", "http://[::1]:8774"), ('"><script>', ""), ("a/b", "")):
            reply = self.ask("GET", "/v2.1", headers={"Host": host})
            self.assertEqual(reply.json["version"]["links"][0]["href"], f"{base}/v2.1/")

    def test_forwarded(self) -> None:
        """
        Behind somebody who is trusted to forward, it is known by what his client asked for; the word of others does not
        count.
        """
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "nova.example", "X-Forwarded-For": "198.51.100.7"}
        for networks, base in (([], "http://proxy"), (["203.0.113.0/24"], "https://nova.example")):
            self.world = World(trusted=TrustedPeers.parse(networks))
            reply = self.ask("GET", "/v2.1", headers=headers)
            self.assertEqual(reply.json["version"]["links"][0]["href"], f"{base}/v2.1/")

    def test_echo(self) -> None:
        """
        Each answer says in both headers in which version it was given, a refusal, too.
        """
        for path in ("/v2.1/servers/vm-1", "/v2.1/servers/nothing", "/v2.1"):
            for asked, told in (("compute 2.31", "2.31"), (None, "2.1"), ("compute latest", "2.99")):
                headers = self.ask("GET", path, version=asked).headers
                self.assertEqual(headers["openstack-api-version"], f"compute {told}")
                self.assertEqual(headers["x-openstack-nova-api-version"], told)
                self.assertEqual(headers["vary"], "OpenStack-API-Version, X-OpenStack-Nova-API-Version")

    def test_oldHeader(self) -> None:
        """
        The older header is understood.
        """
        headers = {"X-Auth-Token": KEY, "X-OpenStack-Nova-API-Version": "2.8"}
        reply = self.ask("GET", "/v2.1/servers/vm-1", version=None, headers=headers)
        self.assertEqual(reply.headers["x-openstack-nova-api-version"], "2.8")

    def test_refused(self) -> None:
        """
        A version that is not served is refused with 406, what is none with 400, and neither is echoed.
        """
        for version, status, name in (("compute 2.100", 406, "computeFault"), ("compute x", 400, "badRequest")):
            for path in ("/v2.1/servers", "/v2.1/servers/vm-1"):
                reply = self.ask("GET", path, version=version)
                self.assertFault(reply, status, name)
                self.assertNotIn("openstack-api-version", reply.headers)
                self.assertIn("vary", reply.headers)


class KeyTests(NovaCase):
    def test_refused(self) -> None:
        """
        Without a good key nothing is told but that one is needed.
        """
        wrong = b64encode(b"admin:wrong").decode()
        for headers in (
            {},
            {"X-Auth-Token": "wrong"},
            {"X-Auth-Token": "notused"},
            {"Authorization": f"Basic {wrong}"},
        ):
            for method, path in (
                ("GET", "/v2.1/servers/vm-1"),
                ("GET", "/v2.1/servers/nothing"),
                ("GET", "/v2.1/nothing"),
                ("POST", "/v2.1/servers/vm-1/remote-consoles"),
                ("GET", "/servers/detail"),
                ("GET", "/os-console-auth-tokens/x"),
            ):
                reply = self.ask(method, path, headers=headers, address="127.0.0.1")
                self.assertFault(reply, 401, "unauthorized")
                self.assertEqual(reply.headers["www-authenticate"], 'Basic realm="vncproxy"')

    def test_accepted(self) -> None:
        """
        A key comes as a token, as a bearer's, or as the password of anybody.
        """
        basic = b64encode(f"admin:{KEY}".encode()).decode()
        for headers in ({"X-Auth-Token": KEY}, {"Authorization": f"Bearer {KEY}"}, {"Authorization": f"Basic {basic}"}):
            self.assertEqual(self.ask("GET", "/v2.1/servers/vm-1", headers=headers).status, 200)


class RightTests(NovaCase):
    """
    What keys may do and see.
    """

    def asKey(self, role: Role, consoles: str | None = None) -> dict[str, str]:
        """
        The headers of a client with another key.
        """
        return {"X-Auth-Token": self.world.addKey(role, consoles, name=f"{role}-{consoles}")}

    def test_roles(self) -> None:
        """
        A role that may not make links, or may not see where consoles are, is told so in nova's way.
        """
        viewer, issuer = self.asKey(Role.VIEWER), self.asKey(Role.ISSUER)
        access = "/servers/vm-1/remote-consoles"
        self.assertEqual(self.ask("GET", "/servers/vm-1", headers=viewer).status, 200)
        self.assertFault(self.ask("POST", access, WISH, headers=viewer), 403, "forbidden", "may not do that")
        self.assertEqual(self.ask("POST", access, WISH, headers=issuer).status, 200)
        self.assertFault(self.ask("GET", "/os-console-auth-tokens/x", headers=issuer), 403, "forbidden")
        (record,) = self.world.records()
        self.assertEqual(record.owner, "issuer-None")

    def test_patterns(self) -> None:
        """
        What a key may not see is not there for it, in lists and by itself, word for word.
        """
        bound = self.asKey(Role.ISSUER, "vm-?")
        listed = self.ask("GET", "/servers/detail", headers=bound).json["servers"]
        self.assertEqual([server["id"] for server in listed], ["vm-1", "vm-2"])
        for method, path, body in (("GET", "{}", None), ("POST", "{}/remote-consoles", WISH)):
            hidden, absent = (
                self.ask(method, "/servers/" + path.format(name), body, headers=bound) for name in (FIXED.id, "absent")
            )
            self.assertFault(hidden, 404, "itemNotFound")
            self.assertEqual((hidden.body, hidden.headers), (absent.body, absent.headers))
        self.assertEqual(self.world.records(), [])


class ServerTests(NovaCase):
    def test_one(self) -> None:
        """
        A console is a server, with or without the prefix; one of the configuration file is, too.
        """
        for path in ("/v2.1/servers/vm-1", "/servers/vm-1"):
            self.assertEqual(
                self.ask("GET", path).json,
                {
                    "server": {
                        "id": "vm-1",
                        "name": "Web server",
                        "status": "ACTIVE",
                        "links": [
                            {"rel": "self", "href": "http://proxy/v2.1/servers/vm-1"},
                            {"rel": "bookmark", "href": "http://proxy/servers/vm-1"},
                        ],
                    }
                },
            )
        self.assertEqual(self.ask("GET", f"/v2.1/servers/{FIXED.id}").json["server"]["name"], FIXED.name)

    def test_unknown(self) -> None:
        """
        What is no console is no server, and a path where nothing answers is as unknown.
        """
        self.assertFault(self.ask("GET", "/v2.1/servers/Web%20server"), 404, "itemNotFound", "Instance")
        self.assertFault(self.ask("GET", "/v2.1/flavors"), 404, "itemNotFound")

    def test_method(self) -> None:
        """
        A method that is not taken is told in nova's way.
        """
        reply = self.ask("DELETE", "/v2.1/servers/vm-1")
        self.assertFault(reply, 405, "badMethod")
        self.assertEqual(reply.headers["allow"], "GET, HEAD")

    def listed(self, query: str, path: str = "/v2.1/servers/detail") -> list[str]:
        """
        The ids of the servers that a query finds.
        """
        return [server["id"] for server in self.ask("GET", f"{path}{query}").json["servers"]]

    def test_list(self) -> None:
        """
        All consoles are listed under each of the paths, with names and links.
        """
        for path in ("/v2.1/servers", "/v2.1/servers/detail", "/servers", "/servers/detail"):
            self.assertEqual(self.listed("", path), [FIXED.id, "vm-1", "vm-2"])
        (server,) = self.ask("GET", "/v2.1/servers/detail?name=Web").json["servers"]
        self.assertEqual(server, self.ask("GET", "/v2.1/servers/vm-1").json["server"])

    def test_name(self) -> None:
        """
        A name finds what holds it in either case, between anchors only what begins or ends so. It is no pattern beyond
        that.
        """
        for name, found in {
            "Web%20server": ["vm-1"],
            "SERVER": ["vm-1", "vm-2"],
            "^Web%20server$": ["vm-1"],
            "^server": [],
            "^Mail": ["vm-2"],
            "web$": [],
            "server$": ["vm-1", "vm-2"],
            "W.b": [],
            "(a%2B)%2B$": [],
            "": [FIXED.id, "vm-1", "vm-2"],
            "x&name=Mail": ["vm-2"],
            "%FF": [],
        }.items():
            self.assertEqual(self.listed(f"?name={name}"), found, name)

    def test_pages(self) -> None:
        """
        A client that reads page by page comes to the end.
        """
        self.assertEqual(self.listed("?limit=2"), [FIXED.id, "vm-1"])
        self.assertEqual(self.listed("?limit=2&marker=vm-1"), ["vm-2"])
        self.assertEqual(self.listed("?limit=2&marker=vm-2"), [])
        self.assertEqual(self.listed("?limit=0"), [])
        for limit in ("-1", "x", "", "1" * 10):
            self.assertFault(self.ask("GET", f"/servers?limit={limit}"), 400, "badRequest", "limit")


class RemoteConsoleTests(NovaCase):
    def tokenIn(self, url: str) -> str:
        """
        The token of an access URL.
        """
        (token,) = parse_qs(urlsplit(url).query)["token"]
        return token

    def test_opens(self) -> None:
        """
        The URL of either type opens the console, once, for a viewer of that type.
        """
        for kind, base in (
            ("novnc", "http://127.0.0.1:6080/vnc_auto.html"),
            ("xvpvnc", "http://127.0.0.1:6081/console"),
        ):
            for prefix in ("/v2.1", ""):
                body = {"remote_console": {"protocol": "vnc", "type": kind}}
                reply = self.ask("POST", f"{prefix}/servers/vm-1/remote-consoles", body)
                self.assertEqual(reply.status, 200)
                console = reply.json["remote_console"]
                self.assertEqual((console["protocol"], console["type"]), ("vnc", kind))
                self.assertEqual(console["url"].partition("?")[0], base)
                grant = self.world.checkToken(self.tokenIn(console["url"]))
                assert grant is not None
                self.assertEqual((grant.consoleID, grant.consoleType), ("vm-1", ConsoleType(kind)))

    def test_action(self) -> None:
        """
        Up to 2.5 it is asked for by an action.
        """
        for version in (None, "compute 2.5"):
            for kind in ("novnc", "xvpvnc"):
                reply = self.ask(
                    "POST", "/v2.1/servers/vm-1/action", {"os-getVNCConsole": {"type": kind}}, version=version
                )
                self.assertEqual(reply.status, 200)
                console = reply.json["console"]
                self.assertEqual(console["type"], kind)
                grant = self.world.checkToken(self.tokenIn(console["url"]))
                assert grant is not None
                self.assertEqual((grant.consoleID, grant.consoleType), ("vm-1", ConsoleType(kind)))

    def test_otherVersion(self) -> None:
        """
        Each way is there in its own versions only, and no token is minted in the others.
        """
        self.assertFault(
            self.ask("POST", "/v2.1/servers/vm-1/remote-consoles", WISH, version="compute 2.5"), 404, "itemNotFound"
        )
        action = {"os-getVNCConsole": {"type": "novnc"}}
        self.assertFault(
            self.ask("POST", "/v2.1/servers/vm-1/action", action, version="compute 2.6"), 404, "itemNotFound"
        )
        self.assertEqual(self.world.records(), [])

    def test_unavailable(self) -> None:
        """
        Consoles of other kinds are unavailable.
        """
        for protocol, kind in (("spice", "spice-html5"), ("vnc", "spice-html5"), ("serial", "serial"), ("vnc", "x")):
            body = {"remote_console": {"protocol": protocol, "type": kind}}
            self.assertFault(
                self.ask("POST", "/v2.1/servers/vm-1/remote-consoles", body), 400, "badRequest", "Unavailable console"
            )
        for action in ({"os-getSPICEConsole": {"type": "spice-html5"}}, {"os-getVNCConsole": {"type": "rdp"}}):
            self.assertFault(
                self.ask("POST", "/servers/vm-1/action", action, version=None), 400, "badRequest", "Unavailable console"
            )

    def test_notServed(self) -> None:
        """
        So is one whose frontend is off.
        """
        self.world.baseURLs[ConsoleType.NOVNC] = None
        self.assertFault(
            self.ask("POST", "/servers/vm-1/remote-consoles", WISH), 400, "badRequest", "Unavailable console type novnc"
        )

    def test_badBody(self) -> None:
        """
        A body that is not of the kind is told with its fault.
        """
        for path, version, body, words in (
            ("remote-consoles", "compute 2.6", {}, "remote_console: this key is needed"),
            ("remote-consoles", "compute 2.6", {"remote_console": {"type": "novnc"}}, "protocol: this key is needed"),
            ("action", None, {}, "exactly one action"),
            ("action", None, {"reboot": {"type": "SOFT"}}, "reboot: there is no such key"),
            (
                "action",
                None,
                {"os-getVNCConsole": {"type": "novnc"}, "os-getSerialConsole": {"type": "serial"}},
                "exactly one action",
            ),
        ):
            reply = self.ask("POST", f"/v2.1/servers/vm-1/{path}", body, version=version)
            self.assertFault(reply, 400, "badRequest", words)

    @given(st.binary(max_size=200) | BODIES.map(msgspec.json.encode))
    def test_anything(self, body: bytes) -> None:
        """
        Whatever is sent, it is an access URL that is answered, or a fault of nova's.
        """
        for path, version in (("remote-consoles", "compute 2.6"), ("action", "compute 2.1")):
            connection = Connection(self.world.site)
            headers = {"X-Auth-Token": KEY, "OpenStack-API-Version": version}
            connection.request("POST", f"/v2.1/servers/vm-1/{path}", body, headers)
            reply = connection.reply()
            if reply.status != 200:
                self.assertFault(reply, 400, "badRequest")

    def test_unknown(self) -> None:
        """
        A console that is not there has no URL.
        """
        self.assertFault(self.ask("POST", "/v2.1/servers/nothing/remote-consoles", WISH), 404, "itemNotFound")

    def test_unreachable(self) -> None:
        """
        A store that does not answer is told as a service that is unavailable.
        """

        async def fail(record: Any) -> None:
            raise TokensUnreachable("the store at 10.0.0.1 is down")

        self.patch(self.world.store, "addToken", fail)
        reply = self.ask("POST", "/v2.1/servers/vm-1/remote-consoles", WISH)
        self.assertFault(reply, 503, "serviceUnavailable")
        self.assertNotIn(b"10.0.0.1", reply.body)


class TokenTests(NovaCase):
    def mint(self, console: Console, **wishes: Any) -> str:
        """
        A token of a console.
        """
        return waitFor(self.world.authority.authorizeConsole(console.id, ConsoleType.NOVNC, **wishes)).token

    def test_look(self) -> None:
        """
        A token tells where it leads as often as one looks, and no use of it is spent.
        """
        token = self.mint(WEB)
        for path in (f"/v2.1/os-console-auth-tokens/{token}", f"/os-console-auth-tokens/{token}"):
            self.assertEqual(
                self.ask("GET", path, version="compute 2.31").json,
                {"console": {"instance_uuid": "vm-1", "host": "10.0.0.5", "port": 5901, "internal_access_path": None}},
            )
        self.assertIsNotNone(self.world.checkToken(token))

    def test_socket(self) -> None:
        """
        A console behind a UNIX socket has no address that nova's clients know.
        """
        console = self.ask("GET", f"/os-console-auth-tokens/{self.mint(MAIL)}").json["console"]
        self.assertEqual((console["instance_uuid"], console["host"], console["port"]), ("vm-2", None, None))

    def test_unknown(self) -> None:
        """
        A token that is none, or whose console is gone, is not found.
        """
        token = self.mint(WEB)
        self.assertFault(self.ask("GET", "/os-console-auth-tokens/x"), 404, "itemNotFound", "Token not found")
        waitFor(self.world.store.deleteConsole("vm-1"))
        self.assertFault(self.ask("GET", f"/os-console-auth-tokens/{token}"), 404, "itemNotFound")

    def test_versions(self) -> None:
        """
        Before 2.31 there were such looks for RDP alone; from 2.99 on they take no query.
        """
        path = f"/os-console-auth-tokens/{self.mint(WEB)}"
        self.assertFault(self.ask("GET", path, version="compute 2.30"), 400, "badRequest")
        self.assertEqual(self.ask("GET", path + "?x=1", version="compute 2.98").status, 200)
        self.assertFault(self.ask("GET", path + "?x=1", version="compute 2.99"), 400, "badRequest")
        self.assertEqual(self.ask("GET", path, version="compute 2.99").status, 200)


class GuestTests(NovaCase):
    guests = True

    def test_served(self) -> None:
        """
        Where it is allowed, a program on this machine needs no key for nova's dialect.
        """
        reply = self.ask("POST", "/servers/vm-1/remote-consoles", WISH, headers=GUEST, address="127.0.0.1")
        self.assertEqual(reply.status, 200)

    def test_rights(self) -> None:
        """
        Such a program may open consoles, and not see where they are, unless it shows a key after all.
        """
        path = (
            f"/os-console-auth-tokens/{waitFor(self.world.authority.authorizeConsole('vm-1', ConsoleType.NOVNC)).token}"
        )
        self.assertFault(self.ask("GET", path, headers=GUEST, address="127.0.0.1"), 403, "forbidden")
        basic = {"Authorization": f"Basic {b64encode(f'u:{KEY}'.encode()).decode()}"}
        self.assertEqual(self.ask("GET", path, headers=GUEST | basic, address="127.0.0.1").status, 200)

    def test_refused(self) -> None:
        """
        One from elsewhere does, and so does everybody for API v1.
        """
        self.assertEqual(self.ask("GET", "/servers", headers=GUEST).status, 401)
        self.assertEqual(self.ask("GET", "/v1/consoles", headers=GUEST, address="127.0.0.1").status, 401)
