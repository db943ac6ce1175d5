"""
The composition root: the only place that builds the parts and wires them to each other.

Everything begins in C{startService} and ends in C{stopService}. What cannot work (a port that is taken, a certificate
that cannot be read) ends the program at its start, in words.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IOpenSSLServerConnectionCreator, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from vncproxy.api import makeAPIResource
from vncproxy.api.http import keyDigest
from vncproxy.api.site import makeSite
from vncproxy.api.v1 import accessURL
from vncproxy.backends.dial import Dialler
from vncproxy.backends.login import Backend
from vncproxy.broker import Broker
from vncproxy.certs import FollowedCertificate, selfSigned, writePrivate
from vncproxy.config import Config
from vncproxy.demo import DemoFactory
from vncproxy.directory import ChainedDirectory, StaticDirectory, StoredDirectory
from vncproxy.errors import ConfigError, VNCProxyError
from vncproxy.frontends.java import JavaFactory
from vncproxy.frontends.pages import PAGE, loadPages
from vncproxy.frontends.tlsport import TLSPortFactory
from vncproxy.frontends.web import WebResource
from vncproxy.model import Console, ConsoleType, Target, TargetKind
from vncproxy.sessions import Sessions
from vncproxy.stores import makeStore
from vncproxy.targets import parseTarget
from vncproxy.tokens.authority import StoreAuthority

_log = Logger()

API_KEY_FILE: Final = "api.key"

ENDPOINTS_FILE: Final = "endpoints.json"
"""
Where the addresses that are really listened on stand while the service is up: C{{"web": ["http://…"], "java": …}}.
"""

_DEMO_CONSOLE: Final = "demo"

_DEMO_SECONDS: Final = 24 * 3600.0


def readAPIKey(directory: Path) -> bytes:
    """
    The API key in C{directory}, made on the first start, at mode 600.
    """
    path = directory / API_KEY_FILE
    if not path.exists():
        writePrivate(path, secrets.token_urlsafe(32).encode("ascii") + b"\n")
        _log.info("made an API key in {path}", path=str(path))
    key = path.read_bytes().strip()
    if not key:
        raise ConfigError(f"{path} is empty: remove it, and the next start makes a new key")
    return key


class ProxyService(Service):
    """
    A controller and a proxy in one process.
    """

    def __init__(
        self, reactor: Any, config: Config, directory: Path, tlsSelfSigned: bool = False, demo: bool = False
    ) -> None:
        """
        @param directory: where state is kept; it exists.
        @param tlsSelfSigned: make a certificate where the configuration names none.
        @param demo: serve a demo desktop too, and print a URL that opens it.
        """
        self._reactor = reactor
        self._config = config
        self._directory = directory
        self._tlsSelfSigned = tlsSelfSigned
        self._demo = demo
        self._ports: dict[str, list[IListeningPort]] = {}
        self._starting: Deferred[None] | None = None

    # Building.

    def startService(self) -> None:
        """
        Build every part, open the store, listen.
        """
        super().startService()
        try:
            self._build()
        except VNCProxyError as error:
            raise SystemExit(f"vncproxy: {error}") from error
        self._starting = Deferred.fromCoroutine(self._open())
        self._starting.addErrback(self._giveUp)

    def _build(self) -> None:
        """
        Make every part.
        """
        config, reactor = self._config, self._reactor
        key = readAPIKey(self._directory)
        creator = self._certificate()
        self._scheme = "http" if creator is None else "https"
        fixed = [
            Console(each.id, each.name or each.id, parseTarget(each.url, each.password)) for each in config.console
        ]
        if self._demo:
            fixed.append(self._startDemo())
        self._store = makeStore(config.store.url or "", reactor)
        self._authority = StoreAuthority(self._store, reactor, config.consoleauth)
        sessions = Sessions(config.proxy.id or socket.gethostname(), config.proxy.capacity)
        catalog = ChainedDirectory([StaticDirectory(fixed), StoredDirectory(self._store)])
        seconds = config.limits.handshake_seconds
        dialler = Dialler(reactor, config.backend.connect_timeout, config.backend.networks)
        self._broker = Broker(
            clock=reactor,
            authority=self._authority,
            directory=catalog,
            backend=Backend(dialler, seconds),
            sessions=sessions,
            makeID=lambda: str(uuid4()),
            handshakeSeconds=seconds,
            halfClosedSeconds=config.limits.half_closed_seconds,
        )
        web: IProtocolFactory = makeSite(self._webResource(), reactor)
        java: IProtocolFactory = JavaFactory(reactor, self._broker, seconds, halfCloseable=creator is None)
        if creator is not None:
            web = TLSPortFactory(reactor, creator, web, seconds)
            java = TLSPortFactory(reactor, creator, java, seconds)
        api = makeAPIResource(
            store=self._store,
            authority=self._authority,
            directory=catalog,
            sessions=sessions,
            fixed=fixed,
            keyDigests=[keyDigest(key)],
            baseURL=self._baseURL,
            problems=lambda: (),
            clock=reactor,
            timeout=config.consoleauth.timeout * 2,
        )
        self._doors = (
            ("web", config.web.listen, web),
            ("java", config.java.listen, java),
            ("api", config.api.listen, makeSite(api, reactor)),
        )

    def _webResource(self) -> WebResource:
        web = self._config.web
        published = web.novncproxy_base_url
        return WebResource(
            self._reactor,
            self._broker,
            loadPages(),
            makeSecret=lambda: secrets.token_urlsafe(32),
            heartbeat=web.heartbeat,
            handshakeSeconds=self._config.limits.handshake_seconds,
            publishedScheme=None if published is None else urlsplit(published).scheme,
            allowedOrigins=web.allowed_origins,
            frameAncestors=web.frame_ancestors,
        )

    def _certificate(self) -> IOpenSSLServerConnectionCreator | None:
        """
        The certificate to serve, L{None} for none.
        """
        tls = self._config.tls
        if tls.certificate is not None:
            certificate, key = tls.certificate, tls.key or tls.certificate
        elif self._tlsSelfSigned or tls.self_signed:
            published = urlsplit(self._config.web.novncproxy_base_url or "").hostname
            names = [name for name in (self._config.proxy.public_address, published) if name]
            certificate, key = selfSigned(self._directory, names)
        else:
            return None
        return FollowedCertificate(self._reactor, certificate, key, tls.minimum_version, tls.ciphers)

    def _startDemo(self) -> Console:
        """
        A demo desktop on a port of its own.
        """
        port: Any = self._port("demo", "tcp:0:interface=127.0.0.1", DemoFactory(self._reactor))
        return Console(_DEMO_CONSOLE, "Demo desktop", Target(TargetKind.VNC, "127.0.0.1", port.getHost().port))

    def _listen(self, name: str, endpoints: Sequence[str], factory: IProtocolFactory) -> None:
        for endpoint in endpoints:
            port = self._port(name, endpoint, factory)
            _log.info("{name} listening on {url}", name=name, url=self._address(name, port))

    def _port(self, name: str, endpoint: str, factory: IProtocolFactory) -> IListeningPort:
        """
        Listen, now.
        """
        listening: list[IListeningPort] = []
        failed: list[Failure] = []
        serverFromString(self._reactor, endpoint).listen(factory).addCallbacks(listening.append, failed.append)
        if failed:
            raise ConfigError(
                f"[{name}] listen: cannot listen on {endpoint}: {failed[0].getErrorMessage()} "
                "Name another one in the configuration, or stop whoever holds it."
            )
        self._ports.setdefault(name, []).extend(listening)
        return listening[0]

    # Addresses.

    def _address(self, name: str, port: IListeningPort) -> str:
        """
        The URL of a port, as one on this machine would write it.
        """
        host: Any = port.getHost()
        if not hasattr(host, "port"):
            return f"unix:{os.fsdecode(host.name)}"
        address = (
            host.host if host.host not in ("0.0.0.0", "::", "") else self._config.proxy.public_address or "127.0.0.1"
        )
        scheme = self._scheme if name in ("web", "java") else "http"
        return f"{scheme}://[{address}]:{host.port}" if ":" in address else f"{scheme}://{address}:{host.port}"

    def _baseURL(self, kind: ConsoleType) -> str | None:
        """
        Where viewers of a type connect to, L{None} where nothing listens for them.
        """
        ways: dict[ConsoleType, tuple[str, str | None, str]] = {
            ConsoleType.NOVNC: ("web", self._config.web.novncproxy_base_url, f"/{PAGE}"),
            ConsoleType.XVPVNC: ("java", self._config.java.xvpvncproxy_base_url, "/console"),
        }
        name, published, page = ways[kind]
        if published is not None:
            return published
        ports = self._ports.get(name)
        return self._address(name, ports[0]) + page if ports else None

    # Running.

    async def _open(self) -> None:
        """
        Take up what an earlier run has left, and only then let viewers in.
        """
        await self._store.open()
        await self._authority.start()
        for door in self._doors:
            self._listen(*door)
        if self._demo:
            await self._showDemo()
        urls = {name: [self._address(name, port) for port in ports] for name, ports in self._ports.items()}
        writePrivate(self._directory / ENDPOINTS_FILE, json.dumps(urls).encode("utf-8"))

    async def _showDemo(self) -> None:
        """
        Print a URL. It goes past the log, which never holds a token.
        """
        issued = await self._authority.authorizeConsole(_DEMO_CONSOLE, ConsoleType.NOVNC, ttl=_DEMO_SECONDS, uses=0)
        url = accessURL(self._baseURL(ConsoleType.NOVNC) or "", token=issued.token)
        print(f"\n  A live console, for a day:\n\n    {url}\n", file=sys.__stdout__, flush=True)

    def _giveUp(self, failure: Failure) -> None:
        """
        The start failed after the reactor had begun to turn.
        """
        if failure.check(VNCProxyError):
            _log.critical("cannot start: {error}", error=failure.getErrorMessage())
        else:
            _log.failure("cannot start", failure)
        self._reactor.stop()
        # twistd ends with status 0 whatever happened; whoever restarts us on failure has to learn of it.
        atexit.register(os._exit, 1)

    async def _stop(self) -> None:
        """
        Close the doors, tell those inside, write everything down.
        """
        (self._directory / ENDPOINTS_FILE).unlink(missing_ok=True)
        for ports in self._ports.values():
            for port in ports:
                await maybeDeferred(port.stopListening)
        await self._broker.stop()
        await self._authority.stop()
        await self._store.close()

    def stopService(self) -> Deferred[None]:
        """
        End every session, with the reason C{draining}, and let go of everything.
        """
        super().stopService()
        if self._starting is not None:
            self._starting.cancel()
        return Deferred.fromCoroutine(self._stop())
