"""
The composition root: the only place that builds the parts and wires them to each other.

Everything begins in C{startService} and ends in C{stopService}, in the reverse order. What cannot work (a port that is
taken, a certificate that cannot be read) ends the program at its start, in words.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IOpenSSLServerConnectionCreator, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from vncproxy.admitting import makeAdmission, webPages, withSources
from vncproxy.announcing import commandPath, demoWords, formatListening, formatURL, takenWords
from vncproxy.api import makeAPIResource
from vncproxy.api.signature import SigningKey, parseKeys
from vncproxy.api.site import makeSite
from vncproxy.api.v1 import accessURL
from vncproxy.attempts import Attempts
from vncproxy.audit import AuditTrail
from vncproxy.backends.dial import Dialler
from vncproxy.backends.login import Backend
from vncproxy.broker import Broker
from vncproxy.certs import ClientCertificates, FollowedCertificate, selfSigned, writePrivate
from vncproxy.config import Config, makeStateDirectory
from vncproxy.config.controller import parseController
from vncproxy.consoleauth import ConsoleAuthAuthority, ConsoleAuthFactory, Methods, Terms
from vncproxy.controlling import Door, askController, controllerDoors
from vncproxy.demo import DemoFactory
from vncproxy.directory import ChainedDirectory, StaticDirectory, StoredDirectory
from vncproxy.errors import ConfigError, VNCProxyError
from vncproxy.frontends.java import JavaFactory
from vncproxy.frontends.pages import PAGE
from vncproxy.frontends.proxied import ProxiedPortFactory
from vncproxy.frontends.tlsport import TLSPortFactory
from vncproxy.frontends.web import WebResource
from vncproxy.interfaces import IDirectory, IStore, ITokenAuthority
from vncproxy.keys import KeyRing, bootstrapKey, mintSecret
from vncproxy.model import Console, ConsoleType, Target, TargetKind
from vncproxy.secretfile import readSecretFile
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

    @raise ConfigError: there is a file, but no key in it, or not one that a header could carry.
    @raise OSError: it cannot be read, or not be made.
    """
    path = directory / API_KEY_FILE
    if not path.exists():
        writePrivate(path, mintSecret().encode("ascii") + b"\n")
        _log.info("made an API key in {path}", path=str(path))
    key = path.read_bytes().strip()
    if not key:
        raise ConfigError(f"{path} is empty: remove it, and the next start makes a new key")
    if re.fullmatch(rb"[!-~]+", key) is None:
        raise ConfigError(
            f"{path} holds more than one line, or what no key may hold: leave one word of letters, digits and signs in "
            "it, or remove it, and the next start makes a new key"
        )
    return key


class ProxyService(Service):
    """
    A controller and a proxy in one process.
    """

    def __init__(
        self,
        reactor: Any,
        config: Config,
        directory: Path,
        *,
        giveUp: Callable[[], None],
        show: Callable[[str], None],
        tlsSelfSigned: bool = False,
        demo: bool = False,
        carries: bool = True,
    ) -> None:
        """
        @param directory: where state is kept; made when the service starts.
        @param giveUp: called when it cannot start, after the log was told why: ends the program.
        @param show: tells the person who has started it something that the log must not hold.
        @param tlsSelfSigned: make a certificate where the configuration names none.
        @param demo: serve a demo desktop too, and show a URL that opens it.
        @param carries: carry sessions; else it is a controller alone, for proxies elsewhere.
        """
        self._reactor = reactor
        self._config = config
        self._directory = directory
        self._giveUp = giveUp
        self._show = show
        self._tlsSelfSigned = tlsSelfSigned
        self._demo = demo
        self._carries = carries
        self._schemes = {"web": "http", "java": "http", "api": "http", "consoleauth": "tcp", "demo": "vnc"}
        self._proxyID = config.proxy.id or socket.gethostname()
        self._ports: dict[str, list[IListeningPort]] = {}
        self._consoleauth: ConsoleAuthFactory | None = None
        # What undoes the start, as far as that has come; the last is done first.
        self._undoing: list[Callable[[], Any]] = []
        self._attempts = Attempts(config.limits.bad_tokens_per_minute, reactor.seconds)
        self._starting: Deferred[None] | None = None

    # The start, and the end.

    def startService(self) -> None:
        """
        Build every part, open the store, and only then let viewers in.
        """
        super().startService()
        self._starting = Deferred.fromCoroutine(self._start())
        self._starting.addErrback(self._failed)

    def stopService(self) -> Deferred[None]:
        """
        Close the doors, end every session with the reason C{draining}, write everything down, let go of everything.
        """
        super().stopService()
        if self._starting is not None:
            self._starting.cancel()
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        key, creator = self._readState()
        fixed = [
            Console(each.id, each.name or each.id, parseTarget(each.url, each.password))
            for each in self._config.console
        ]
        if self._demo:
            fixed.append(self._startDemo())
        store = makeStore(self._config.store, self._reactor, self._proxyID)
        self._undoing.append(store.close)
        self._keys = KeyRing(store, self._reactor, [bootstrapKey(key)])
        self._trail = AuditTrail(store, self._reactor, self._proxyID, self._config.audit.retention_days)
        authority = self._authority(store)
        doors = self._build(store, authority, fixed, creator)
        await store.open()
        for each in (self._keys, self._trail):
            each.start()
            self._undoing.append(each.stop)
        # It takes up what an earlier run has left before anybody comes.
        self._undoing.append(authority.stop)
        await authority.start()
        self._undoing.append(self._broker.stop)
        if self._consoleauth is not None:
            self._undoing.append(self._consoleauth.stop)
        for name, endpoints, factory in map(self._proxied, doors):
            for endpoint in endpoints:
                address = self._listen(name, endpoint, factory).getHost()
                _log.info("{name} listening on {url}", name=name, url=formatListening(self._schemes[name], address))
        if self._demo:
            await self._showDemo(authority)
        self._tellEndpoints()

    def _failed(self, failure: Failure) -> None:
        if not self.running:
            # It was stopped before it had come up: nobody waits for it any more.
            return
        if failure.check(VNCProxyError):
            _log.critical("cannot start: {error}", error=failure.getErrorMessage())
        else:
            _log.failure("cannot start", failure)
        self._giveUp()

    async def _stop(self) -> None:
        while self._undoing:
            await maybeDeferred(self._undoing.pop())

    # Building.

    def _readState(self) -> tuple[bytes, IOpenSSLServerConnectionCreator | None]:
        """
        What has to be in the state directory: the API key, and perhaps a certificate.
        """
        try:
            makeStateDirectory(str(self._directory))
            return readAPIKey(self._directory), self._certificate()
        except OSError as error:
            raise ConfigError(
                f"--state-dir: {error.filename} cannot be used ({error.strerror}). Name a directory that is ours, and "
                "that we may write to."
            ) from error

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
        self._schemes |= {"web": "https", "java": "https"}
        clients = None if tls.client_ca is None else ClientCertificates(tls.client_ca, required=True)
        return FollowedCertificate(
            self._reactor, certificate, key, tls.minimum_version, tls.ciphers, clients, tls.key_password
        )

    def _authority(self, store: IStore) -> StoreAuthority | ConsoleAuthAuthority:
        """
        Who knows what a token is worth: we, or a controller elsewhere.
        """
        settings = self._config.consoleauth
        controller = None if settings.connect is None else parseController(settings.connect)
        if controller is None:
            proxy = self._proxyID if store.shared else ""
            return StoreAuthority(store, self._reactor, settings, proxy=proxy, trail=self._trail)
        if self._demo:
            raise ConfigError("--demo: consoles are those of the controller. Leave out [consoleauth] connect.")
        return askController(self._reactor, controller, settings, self._proxyID)

    def _build(
        self,
        store: IStore,
        authority: StoreAuthority | ConsoleAuthAuthority,
        fixed: Sequence[Console],
        creator: IOpenSSLServerConnectionCreator | None,
    ) -> Sequence[Door]:
        """
        Make every part. Returns the doors: name, endpoint strings, and who serves behind them.
        """
        config, reactor = self._config, self._reactor
        sessions = Sessions(self._proxyID, config.proxy.capacity, config.limits.sessions)
        catalog = ChainedDirectory([StaticDirectory(fixed), StoredDirectory(store)])
        redeeming = withSources(authority, config, reactor, self._undoing.append)
        self._admission = makeAdmission(config, redeeming, catalog, reactor, self._undoing.append)
        self._broker = self._makeBroker(redeeming, catalog, sessions)
        api = makeAPIResource(
            store=store,
            authority=authority,
            directory=catalog,
            sessions=sessions,
            fixed=fixed,
            keys=self._keys,
            trail=self._trail,
            baseURL=self._baseURL,
            problems=authority.problems if isinstance(authority, ConsoleAuthAuthority) else tuple,
            clock=reactor,
            timeout=config.consoleauth.timeout * 2,
            trusted=config.web.trusted,
            attempts=self._attempts,
            guests=config.api.allow_unauthenticated_loopback,
            cloudStackKeys=self._cloudStackKeys(),
        )
        doors: list[Door] = []
        if self._carries:
            doors += self._viewerDoors(creator)
        if isinstance(authority, StoreAuthority):
            methods = Methods(authority, catalog, store, self._trail, {console.id for console in fixed})
            self._consoleauth = ConsoleAuthFactory(
                Terms(reactor, methods, self._keys, config.limits.handshake_seconds, self._attempts)
            )
            doors += controllerDoors(reactor, config.consoleauth, self._consoleauth)
        doors.append(("api", config.api.listen, makeSite(api, reactor, config.web.trusted)))
        return doors

    def _cloudStackKeys(self) -> dict[str, SigningKey] | None:
        """
        The keys that CloudStack's requests are signed with, L{None} where its dialect is not spoken.
        """
        path = self._config.cloudstack.keys_file
        return None if path is None else parseKeys(readSecretFile(path, "[cloudstack] keys_file"), path)

    def _viewerDoors(self, creator: IOpenSSLServerConnectionCreator | None) -> Sequence[Door]:
        config, reactor = self._config, self._reactor
        seconds = config.limits.handshake_seconds
        web: IProtocolFactory = makeSite(self._webResource(), reactor, config.web.trusted)
        java: IProtocolFactory = JavaFactory(reactor, self._broker, seconds, creator is None, self._attempts)
        if creator is not None:
            alsoPlain = not config.tls.ssl_only
            web = TLSPortFactory(reactor, creator, web, seconds, alsoPlain)
            java = TLSPortFactory(reactor, creator, java, seconds, alsoPlain)
        return (("web", config.web.listen, web), ("java", config.java.listen, java))

    def _proxied(self, door: Door) -> Door:
        """
        A door, behind the headers of the PROXY protocol where that is asked for.
        """
        name, endpoints, factory = door
        if getattr(self._config, name).proxy_protocol:
            seconds = self._config.limits.handshake_seconds
            factory = ProxiedPortFactory(self._reactor, self._config.web.trusted, factory, seconds)
        return name, endpoints, factory

    def _makeBroker(self, authority: ITokenAuthority, catalog: IDirectory, sessions: Sessions) -> Broker:
        config = self._config
        seconds = config.limits.handshake_seconds
        dialler = Dialler(self._reactor, config.backend.connect_timeout, config.backend.networks)
        return Broker(
            clock=self._reactor,
            authority=authority,
            directory=catalog,
            backend=Backend(dialler, seconds),
            sessions=sessions,
            trail=self._trail,
            makeID=lambda: str(uuid4()),
            handshakeSeconds=seconds,
            halfClosedSeconds=config.limits.half_closed_seconds,
            rules=config.rules,
            attempts=self._attempts,
        )

    def _webResource(self) -> WebResource:
        web = self._config.web
        published = web.novncproxy_base_url
        return WebResource(
            self._reactor,
            self._broker,
            webPages(web),
            makeSecret=lambda: secrets.token_urlsafe(32),
            heartbeat=web.heartbeat,
            handshakeSeconds=self._config.limits.handshake_seconds,
            publishedScheme=None if published is None else urlsplit(published).scheme,
            allowedOrigins=web.allowed_origins,
            frameAncestors=web.frame_ancestors,
            trusted=web.trusted,
            attempts=self._attempts,
            admission=self._admission,
            ownPages=web.directory is None,
        )

    # The demo.

    def _startDemo(self) -> Console:
        """
        A demo desktop on a port of its own.
        """
        port = self._listen("demo", "tcp:0:interface=127.0.0.1", DemoFactory(self._reactor))
        address: Any = port.getHost()
        return Console(_DEMO_CONSOLE, "Demo desktop", Target(TargetKind.VNC, address.host, address.port))

    async def _showDemo(self, authority: ITokenAuthority) -> None:
        issued = await authority.authorizeConsole(_DEMO_CONSOLE, ConsoleType.NOVNC, ttl=_DEMO_SECONDS, uses=0)
        base = self._baseURL(ConsoleType.NOVNC)
        if base is None:
            raise ConfigError("--demo: there is no frontend for browsers. Name an endpoint in [web] listen.")
        key = self._directory / API_KEY_FILE
        self._show(demoWords(accessURL(base, token=issued.token), key, commandPath()))

    # Ports and their addresses.

    def _listen(self, name: str, endpoint: str, factory: IProtocolFactory) -> IListeningPort:
        """
        Listen, now.
        """
        listening: list[IListeningPort] = []
        failed: list[Failure] = []
        serverFromString(self._reactor, endpoint).listen(factory).addCallbacks(listening.append, failed.append)
        if failed:
            program = "twistd -n vncproxy" if self._carries else "twistd -n consoleauth"
            program = "vncproxy quickstart" if self._demo else program
            words = takenWords(name, endpoint, failed[0].getErrorMessage(), program)
            raise ConfigError(words) from failed[0].value
        (port,) = listening
        self._ports.setdefault(name, []).append(port)
        self._undoing.append(port.stopListening)
        return port

    def _tellEndpoints(self) -> None:
        path = self._directory / ENDPOINTS_FILE
        urls = {
            name: [formatURL(self._schemes[name], port.getHost()) for port in ports]
            for name, ports in self._ports.items()
        }
        writePrivate(path, json.dumps(urls).encode("utf-8"))
        self._undoing.append(lambda: path.unlink(missing_ok=True))

    def _baseURL(self, kind: ConsoleType) -> str | None:
        """
        Where viewers of a type connect to, L{None} where nothing listens that they could reach.
        """
        ways: dict[ConsoleType, tuple[str, str | None, str]] = {
            ConsoleType.NOVNC: ("web", self._config.web.novncproxy_base_url, f"/{PAGE}"),
            ConsoleType.XVPVNC: ("java", self._config.java.xvpvncproxy_base_url, "/console"),
        }
        name, published, page = ways[kind]
        if published is not None:
            return published
        for port in self._ports.get(name, ()):
            # Whoever stands before a UNIX socket has an address of his own, and no one has told us of it.
            if isinstance(port.getHost(), IPv4Address | IPv6Address):
                return formatURL(self._schemes[name], port.getHost(), self._config.proxy.public_address) + page
        return None
