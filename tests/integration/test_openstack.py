"""
OpenStack on both sides of us: the real C{openstack} client opens consoles through our API, and nova's tokens open them
through our frontends.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.ssl import PrivateCertificate
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

from tests.integration.peers import (
    Bench,
    Desktop,
    Refused,
    WebSocketEndpoint,
    connectRFB,
    runVNCProxy,
    startScripted,
    startXvnc,
)
from tests.integration.peers.clouds import runOpenStack, urlIn
from tests.integration.peers.raw import originForm, tell, tokenOf
from tests.openstackstub import CONSOLE, CREDENTIAL, PASSWORD, PROJECT, SECRET, TOKEN, USER, OpenStackStub
from vncproxy.certs import selfSigned

UUID = "8a6e5d1c-6f0e-4f2b-9d3c-0b7c1a2f4e5d"


class ClientTests(TestCase):
    """
    C{openstack console url show}, unchanged.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)

    async def start(self) -> None:
        """
        A proxy with one console, which has a name.
        """
        self.server = startScripted(self.bench)
        self.proxy = await runVNCProxy(self.bench, {"api": {"allow_unauthenticated_loopback": True}})
        await self.proxy.addConsole(UUID, self.server.url, name="web-1")
        self.endpoint = f"{self.proxy.endpoints['api'][0]}/v2.1"

    async def openstack(self, auth: Sequence[str], *words: str, endpoint: str | None = None) -> tuple[int, str]:
        """
        Run the client: its exit status, and what it said.
        """
        where = ("--os-endpoint", endpoint or self.endpoint)
        return await runOpenStack(self.bench, *auth, *where, *words)

    async def assertOpens(self, auth: Sequence[str], *words: str, endpoint: str | None = None) -> str:
        """
        The client prints a URL, and a viewer gets in by it. Returns the URL.
        """
        status, said = await self.openstack(auth, *words, endpoint=endpoint)
        self.assertEqual(status, 0, said)
        url = urlIn(said)
        self.proxy.secrets.add(tokenOf(url))
        viewer = await connectRFB(self.bench, WebSocketEndpoint(self.bench, url))
        self.assertEqual(viewer.name, "web-1")
        return url

    @property
    def token(self) -> Sequence[str]:
        """
        The words of an administrator's token.
        """
        return ("--os-auth-type", "admin_token", f"--os-token={self.proxy.key}")

    @property
    def basic(self) -> Sequence[str]:
        """
        The words of a user with a password.
        """
        return ("--os-auth-type", "http_basic", "--os-username", "admin", f"--os-password={self.proxy.key}")

    async def test_authentication(self) -> None:
        """
        It opens a console with each kind of authentication, by id and by name.
        """
        await self.start()
        show = ("console", "url", "show", "--novnc")
        await self.assertOpens(self.token, *show, UUID)
        await self.assertOpens(self.basic, *show, "web-1")
        await self.assertOpens(("--os-auth-type", "none"), *show, UUID)

    async def test_ways(self) -> None:
        """
        It opens one in the older way, too, at an endpoint without a version, and for Java viewers. It shows where a
        token leads, and the token stays good.
        """
        await self.start()
        show = ("console", "url", "show")
        await self.assertOpens(self.token, "--os-compute-api-version", "2.1", *show, "--novnc", UUID)
        await self.assertOpens(self.basic, *show, UUID, endpoint=self.proxy.endpoints["api"][0])
        status, said = await self.openstack(self.token, *show, "--xvpvnc", UUID)
        self.assertEqual(status, 0, said)
        url = urlIn(said)
        # A token may begin with a hyphen, as an option does.
        words = ("console", "connection", "show", "-f", "json", "--", tokenOf(url))
        status, said = await self.openstack(self.token, *words)
        self.assertEqual(status, 0, said)
        shown = json.loads(said)
        self.assertEqual((shown["host"], shown["port"]), ("127.0.0.1", self.server.port))
        answer = await tell(self.bench, self.proxy.port("java"), originForm(url), closeHalf=True)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n\r\nRFB 003.008\n"), answer)

    async def test_refused(self) -> None:
        """
        It tells a wrong key, and a name that is not there.
        """
        await self.start()
        show = ("console", "url", "show")
        wrong = ("--os-auth-type", "admin_token", "--os-token", "wrong")
        for auth, words, told in (
            (wrong, (*show, UUID), "401"),
            (self.token, (*show, "web-2"), "No Server found for web-2"),
        ):
            status, said = await self.openstack(auth, *words)
            self.assertEqual(status, 1, said)
            self.assertIn(told, said)
            self.assertNotIn("token=", said)


class NovaTokenTests(TestCase):
    """
    Nova's tokens, where we stand in place of nova-novncproxy. The cloud is a stub; the consoles are real.
    """

    def setUp(self) -> None:
        self.bench = Bench(self)
        # The files of the cloud's certificate and of its key, if it has one.
        self.certificate: tuple[str, str] | None = None

    async def start(self, **settings: str) -> None:
        """
        A cloud, and a proxy that asks it.

        @param settings: of C{[nova]}; the secrets themselves in place of their files.
        """
        self.stub = OpenStackStub(self.bench.reactor, "")
        factory: IProtocolFactory = Site(self.stub)
        if self.certificate is not None:
            options = PrivateCertificate.loadPEM("".join(Path(path).read_text() for path in self.certificate)).options()
            factory = TLSMemoryBIOFactory(options, False, factory)
        port = await TCP4ServerEndpoint(self.bench.reactor, 0, interface="127.0.0.1").listen(factory)
        self.bench.atEnd(port.stopListening)
        scheme = "http" if self.certificate is None else "https"
        self.stub.base = f"{scheme}://127.0.0.1:{port.getHost().port}"
        nova = {key: self.secret(value) if key.endswith("_file") else value for key, value in settings.items()}
        if "token_file" in nova:
            self.stub.valid.add(settings["token_file"])
            nova["endpoint_override"] = self.stub.base
        else:
            nova["auth_url"] = f"{self.stub.base}/v3"
        config = {"tokens": {"plugin": "nova"}, "nova": nova, "consoleauth": {"timeout": 2}}
        self.proxy = await runVNCProxy(self.bench, config)
        self.proxy.secrets |= {TOKEN, *(value for key, value in settings.items() if key.endswith("_file"))}

    def secret(self, text: str) -> str:
        """
        A file with a secret.
        """
        path = self.bench.path("secret")
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def socket(self, token: str = TOKEN) -> WebSocketEndpoint:
        """
        The way of a viewer that shows a token.
        """
        return WebSocketEndpoint(self.bench, f"{self.proxy.endpoints['web'][0]}/vnc_auto.html?token={token}")

    async def assertRefused(self, reason: str, token: str = TOKEN) -> None:
        """
        A viewer that shows this token is told this reason.
        """
        socket = self.socket(token)
        with self.assertRaises(Refused):
            await connectRFB(self.bench, socket)
        self.assertEqual((await socket.closed())[1], reason)

    async def test_desktop(self) -> None:
        """
        A token of nova's opens a desktop, more than once, for Java, too; one that is none of nova's does not. Our own
        are as good as ever. All that takes one login.
        """
        desktop = await startXvnc(self.bench)
        await self.start(username=USER, password_file=PASSWORD, project_name=PROJECT)
        self.stub.consoles[TOKEN] = {**CONSOLE, "host": "127.0.0.1", "port": desktop.port}
        for _ in range(2):
            viewer = await connectRFB(self.bench, self.socket())
            await viewer.pictureWhere(Desktop.isSeenIn, "the desktop")
            self.assertEqual(viewer.name, "vm-1")
        request = f"CONNECT /console?token={TOKEN} HTTP/1.0\r\n\r\n".encode()
        answer = await tell(self.bench, self.proxy.port("java"), request, closeHalf=True)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n\r\nRFB 003.008\n"), answer)
        await self.assertRefused("token_unknown", "0" * 36)
        await self.proxy.addConsole("own", desktop.url, name="Our own")
        viewer = await connectRFB(self.bench, WebSocketEndpoint(self.bench, await self.proxy.accessURL("own")))
        self.assertEqual(viewer.name, "Our own")
        self.assertEqual(self.stub.asked.count("POST /v3/auth/tokens"), 1)

    async def test_login(self) -> None:
        """
        A login that nova does not take any more is renewed, here that of an application credential.
        """
        server = startScripted(self.bench)
        await self.start(application_credential_id=CREDENTIAL, application_credential_secret_file=SECRET)
        self.stub.consoles[TOKEN] = {**CONSOLE, "host": "127.0.0.1", "port": server.port}
        await connectRFB(self.bench, self.socket())
        self.stub.valid.clear()
        await connectRFB(self.bench, self.socket())
        self.assertEqual(self.stub.asked.count("POST /v3/auth/tokens"), 2)

    async def test_outage(self) -> None:
        """
        A cloud that is silent is told within the time, one whose console cannot be had in its own words; when it speaks
        again, so do we. Here with a token that never ends.
        """
        server = startScripted(self.bench)
        await self.start(token_file="fixed-sesame")
        self.stub.silent = True
        began = self.bench.reactor.seconds()
        await self.assertRefused("tokens_unreachable")
        self.assertLess(self.bench.reactor.seconds() - began, 4)
        self.stub.silent = False
        self.stub.consoles[TOKEN] = {**CONSOLE, "internal_access_path": "/console?ref=1"}
        await self.assertRefused("console_broken")
        self.assertIn("reached by CONNECT", self.proxy.log())
        self.stub.consoles[TOKEN] = {**CONSOLE, "host": "127.0.0.1", "port": server.port}
        await connectRFB(self.bench, self.socket())

    async def test_TLS(self) -> None:
        """
        A cloud whose certificate is not to be trusted is told nothing, no secret and no token; one whose authority is
        named is asked.
        """
        server = startScripted(self.bench)
        self.certificate = selfSigned(self.bench.directory, [])
        await self.start(username=USER, password_file=PASSWORD, project_name=PROJECT)
        await self.assertRefused("tokens_unreachable")
        self.assertIn("tokens_unreachable: Keystone: TLS: certificate verify failed", self.proxy.log())
        self.assertEqual(self.stub.asked, [])
        authority = self.certificate[0]
        await self.start(username=USER, password_file=PASSWORD, project_name=PROJECT, ca_certs=authority)
        self.stub.consoles[TOKEN] = {**CONSOLE, "host": "127.0.0.1", "port": server.port}
        await connectRFB(self.bench, self.socket())
