"""
The configuration as values: what each key means, its unit and its default. This is the one place for the defaults.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import zip_longest
from typing import Annotated, Literal

import msgspec

from vncproxy.addresses import TrustedPeers
from vncproxy.config import shapes
from vncproxy.config.controller import DEFAULT_LISTEN
from vncproxy.model import Clipboard, SessionLimits, SessionRules, Sharing

Endpoints = Annotated[tuple[str, ...], shapes.ENDPOINTS]
Seconds = Annotated[float, shapes.SECONDS]
SecondsOrNone = Annotated[float, shapes.SECONDS_OR_NONE]
Count = Annotated[int, shapes.COUNT]
BaseURL = Annotated[str | None, shapes.BASE_URL]
Path = Annotated[str | None, shapes.PATH]
ServiceURL = Annotated[str | None, shapes.SERVICE_URL]
Name = Annotated[str | None, shapes.LINE]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A table of the configuration file.
    """


class WebSection(Section, frozen=True, kw_only=True):
    """
    The frontend for browsers: the page and its WebSocket.

    @ivar listen: endpoint strings; none of them switches the frontend off.
    @ivar novncproxy_base_url: what access URLs begin with; L{None} is made from C{listen}.
    @ivar allowed_origins: further origins, or host names, whose pages may open consoles.
    @ivar frame_ancestors: sources that may show the page in a frame (C{Content-Security-Policy}).
    @ivar heartbeat: seconds between WebSocket pings; 0 sends none.
    @ivar trusted_proxies: networks in CIDR notation, and C{"unix"}, of those who forward for others: what they say of
        their clients is believed, on every port.
    @ivar proxy_protocol: they begin each connection with a header of the PROXY protocol.
    @ivar page: our page is served.
    @ivar directory: files that are served in place of our page.
    @ivar auth_plugin: what decides who may open a WebSocket, before its token is looked at.
    @ivar auth_source: what that plugin is given.
    @ivar web_auth: it decides who may have pages, too.
    """

    listen: Endpoints = ("tcp:6080:interface=127.0.0.1",)
    novncproxy_base_url: BaseURL = None
    allowed_origins: Annotated[tuple[str, ...], shapes.ORIGINS] = ()
    frame_ancestors: Annotated[tuple[str, ...], shapes.SOURCES] = ("'self'",)
    heartbeat: SecondsOrNone = 30.0
    trusted_proxies: Annotated[tuple[str, ...], shapes.PEERS] = ()
    proxy_protocol: Annotated[bool, shapes.SWITCH] = False
    page: Annotated[bool, shapes.SWITCH] = True
    directory: Annotated[str | None, shapes.DIRECTORY] = None
    auth_plugin: Annotated[str | None, shapes.AUTH_PLUGIN] = None
    auth_source: Annotated[str | None, shapes.SECRET] = None
    web_auth: Annotated[bool, shapes.SWITCH] = False

    def __repr__(self) -> str:
        """
        What may stand in a log: C{auth_source} is a secret.
        """
        return f"WebSection(listen={self.listen!r})"

    @property
    def trusted(self) -> TrustedPeers:
        """
        C{trusted_proxies}, parsed.
        """
        return TrustedPeers.parse(self.trusted_proxies)


class JavaSection(Section, frozen=True, kw_only=True):
    """
    The frontend for Java and raw TCP viewers.

    @ivar listen: endpoint strings; none of them switches the frontend off.
    @ivar xvpvncproxy_base_url: what access URLs begin with; L{None} is made from C{listen}.
    @ivar proxy_protocol: as in C{[web]}.
    """

    listen: Endpoints = ("tcp:6081:interface=127.0.0.1",)
    xvpvncproxy_base_url: BaseURL = None
    proxy_protocol: Annotated[bool, shapes.SWITCH] = False


class TLSSection(Section, frozen=True, kw_only=True):
    """
    TLS of all frontends.

    @ivar certificate: PEM file with the certificate and its chain; L{None} serves without TLS.
    @ivar key: PEM file with the private key; L{None} where the certificate's file holds it.
    @ivar minimum_version: the oldest version of TLS that is spoken.
    @ivar ciphers: OpenSSL's list for TLS 1.2; L{None} is our choice.
    @ivar self_signed: make a certificate where none is named.
    @ivar key_password: decrypts the private key.
    @ivar client_ca: PEM file of the authorities whose certificates viewers must show; L{None} asks for none.
    @ivar ssl_only: who speaks without TLS is sent to where it is spoken; else both are served on one port.
    """

    certificate: Path = None
    key: Path = None
    minimum_version: Annotated[Literal["1.2", "1.3"], shapes.TLS_VERSION] = "1.2"
    ciphers: Annotated[str | None, shapes.CIPHERS] = None
    self_signed: Annotated[bool, shapes.SWITCH] = False
    key_password: Annotated[str | None, shapes.SECRET] = None
    client_ca: Path = None
    ssl_only: Annotated[bool, shapes.SWITCH] = True

    def __repr__(self) -> str:
        """
        What may stand in a log: C{key_password} is a secret.
        """
        return f"TLSSection(certificate={self.certificate!r}, key={self.key!r})"


class APISection(Section, frozen=True, kw_only=True):
    """
    The HTTP API.

    @ivar listen: endpoint strings.
    @ivar allow_unauthenticated_loopback: programs on this machine need no key for nova's dialect.
    @ivar proxy_protocol: as in C{[web]}.
    """

    listen: Endpoints = ("tcp:8774:interface=127.0.0.1",)
    allow_unauthenticated_loopback: Annotated[bool, shapes.SWITCH] = False
    proxy_protocol: Annotated[bool, shapes.SWITCH] = False


class ConsoleAuthSection(Section, frozen=True, kw_only=True):
    """
    Tokens, and the protocol by which proxies ask a controller about them.

    @ivar listen: endpoint strings of the controller; none of them switches it off, and so does C{connect}.
    @ivar server_certificate: PEM file with the certificate that a controller shows, and its chain; L{None} serves
        without TLS. UNIX sockets always do.
    @ivar server_key: PEM file with its private key; L{None} where the certificate's file holds it.
    @ivar client_ca: PEM file with the authorities whose certificates let peers in; L{None} lets nobody in by one.
    @ivar connect: where the controller is that a proxy asks (L{vncproxy.config.controller}); L{None} is none, the proxy
        is its own.
    @ivar key_file: file with the API key that the controller lets us in by.
    @ivar client_certificate: PEM file with a certificate that the controller lets us in by.
    @ivar client_key: PEM file with its private key; L{None} where the certificate's file holds it.
    @ivar ca_certs: PEM file with the authorities that may have signed the controller's certificate; L{None} is those
        that the host trusts.
    @ivar token_ttl: for how many seconds a token may be redeemed.
    @ivar uses: how often a token may be redeemed; 0 is any number of times.
    @ivar timeout: after how many seconds a silent token service counts as out of reach.
    @ivar resume_window: for how many seconds a browser that was cut off may come back with a token that is used up; 0
        ends that right at once.
    @ivar enforce_session_timeout: a session ends when its token expires.
    @ivar proxy_protocol: as in C{[web]}.
    """

    listen: Endpoints = DEFAULT_LISTEN
    server_certificate: Path = None
    server_key: Path = None
    client_ca: Path = None
    connect: Annotated[str | None, shapes.CONTROLLER] = None
    key_file: Path = None
    client_certificate: Path = None
    client_key: Path = None
    ca_certs: Path = None
    token_ttl: Seconds = 600.0
    uses: Count = 1
    timeout: Seconds = 5.0
    resume_window: SecondsOrNone = 60.0
    enforce_session_timeout: Annotated[bool, shapes.SWITCH] = False
    proxy_protocol: Annotated[bool, shapes.SWITCH] = False


class TokensSection(Section, frozen=True, kw_only=True):
    """
    Further sources of tokens, in websockify's manner. Tokens that our own API has made are always good.

    @ivar plugin: the sources, in the order in which they are asked.
    @ivar source: what each of them is given.
    @ivar host_token: the host that a browser's request is sent to is its token, and nothing else is.
    @ivar mediate: the proxy speaks RFB with what such a token leads to; else it passes on the bytes as they are.
    """

    plugin: Annotated[tuple[str, ...], shapes.TOKEN_PLUGIN] = ()
    source: Annotated[tuple[str, ...], shapes.SECRETS] = ()
    host_token: Annotated[bool, shapes.SWITCH] = False
    mediate: Annotated[bool, shapes.SWITCH] = False

    def __repr__(self) -> str:
        """
        What may stand in a log: C{source} may hold passwords.
        """
        return f"TokensSection(plugin={self.plugin!r})"

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """
        The plugins, each with what it is given; nothing where there is nothing.
        """
        return tuple(zip_longest(self.plugin, self.source[: len(self.plugin)], fillvalue=""))


class CloudStackSection(Section, frozen=True, kw_only=True):
    """
    CloudStack's dialect of the API.

    @ivar keys_file: file with API keys and their secrets; L{None} does not speak it.
    """

    keys_file: Path = None


class NovaSection(Section, frozen=True, kw_only=True):
    """
    Whom the token plugin C{nova} asks. What must stand together is said in L{vncproxy.config.openstack}.

    @ivar auth_url: of Keystone, with its C{/v3} or without.
    @ivar username: with which we log in there, with C{user_domain_name}.
    @ivar password_file: file with its password.
    @ivar project_name: the project that we log in to, with C{project_domain_name}.
    @ivar application_credential_id: with which we log in instead.
    @ivar application_credential_secret_file: file with its secret.
    @ivar region_name: whose compute API is asked; L{None} is the first of the catalog.
    @ivar interface: which of its endpoints is asked.
    @ivar endpoint_override: where the compute API is, in place of what the catalog says.
    @ivar token_file: file with a token that is good for ever, in place of a login.
    @ivar ca_certs: PEM file with the authorities that may have signed their certificates; L{None} is those that the
        host trusts.
    """

    auth_url: ServiceURL = None
    username: Name = None
    user_domain_name: Name = "Default"
    password_file: Path = None
    project_name: Name = None
    project_domain_name: Name = "Default"
    application_credential_id: Name = None
    application_credential_secret_file: Path = None
    region_name: Name = None
    interface: Annotated[Literal["public", "internal", "admin"], shapes.INTERFACE] = "public"
    endpoint_override: ServiceURL = None
    token_file: Path = None
    ca_certs: Path = None


class StoreSection(Section, frozen=True, kw_only=True):
    """
    Where consoles and tokens are kept.

    @ivar url: see L{vncproxy.config.stores}; L{None} is a file in the state directory.
    @ivar password_file: file with the password of a Redis.
    @ivar prefix: what all keys in a Redis begin with.
    @ivar timeout: for how many seconds a Redis is waited for; what it has not answered by then counts as out of reach.
    @ivar ca_certs: PEM file with the authorities that may have signed the certificate of a Redis; L{None} is those that
        the host trusts.
    @ivar client_certificate: PEM file with the certificate that is shown to a Redis, and its chain.
    @ivar client_key: PEM file with its private key; L{None} where the certificate's file holds it.
    """

    url: Annotated[str | None, shapes.STORE] = None
    password_file: Path = None
    prefix: Annotated[str, shapes.PREFIX] = "vncproxy:"
    timeout: Seconds = 4.0
    ca_certs: Path = None
    client_certificate: Path = None
    client_key: Path = None

    def __repr__(self) -> str:
        """
        No URL: there may be a password in it.
        """
        return f"StoreSection(prefix={self.prefix!r}, timeout={self.timeout!r}, …)"


class AuditSection(Section, frozen=True, kw_only=True):
    """
    The audit trail.

    @ivar retention_days: for how many days entries are kept in the store; 0 is for ever.
    """

    retention_days: Annotated[float, shapes.DAYS] = 90.0


class ProxySection(Section, frozen=True, kw_only=True):
    """
    This proxy.

    @ivar id: what lists call it; L{None} is the name of the host.
    @ivar public_address: under which viewers reach it; L{None} is 127.0.0.1.
    @ivar capacity: how many sessions it carries at most; 0 is no limit.
    """

    id: Annotated[str | None, shapes.ID] = None
    public_address: Annotated[str | None, shapes.HOST] = None
    capacity: Count = 0


class BackendSection(Section, frozen=True, kw_only=True):
    """
    How consoles are dialled.

    @ivar connect_timeout: seconds.
    @ivar allowed_networks: where consoles may be, in CIDR notation; none of them is anywhere.
    """

    connect_timeout: Seconds = 10.0
    allowed_networks: Annotated[tuple[str, ...], shapes.NETWORKS] = ()

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """
        C{allowed_networks}, parsed.
        """
        return tuple(ip_network(each) for each in self.allowed_networks)


class LimitsSection(Section, frozen=True, kw_only=True):
    """
    Bounds on what viewers may do.

    @ivar handshake_seconds: for each step of an opening: the viewer's request, the console's login, the handshake with
        the viewer, the console's first answer after it.
    @ivar half_closed_seconds: how long a session may go on in one direction when the other has ended.
    @ivar session_seconds: how long a session may last; 0 is no limit.
    @ivar idle_seconds: how long a session may last without a key, a pointer's motion or a clipboard of its viewer; 0 is
        no limit.
    @ivar sessions_per_console: how many viewers a console may have at a time; 0 is no limit.
    @ivar sessions_per_address: how many sessions one client address may have, those that are opening included; 0 is no
        limit.
    @ivar sessions_per_owner: how many sessions the tokens made with one API key may have at a time; 0 is no limit.
    @ivar sharing: what happens when somebody opens a console that has a viewer.
    @ivar clipboard: which way clipboards may cross.
    @ivar bad_tokens_per_minute: how many wrong tokens and API keys a client address may show before it is not heard
        for a while; 0 is no limit.
    """

    handshake_seconds: Seconds = 15.0
    half_closed_seconds: Seconds = 60.0
    session_seconds: SecondsOrNone = 0.0
    idle_seconds: SecondsOrNone = 0.0
    sessions_per_console: Count = 0
    sessions_per_address: Count = 0
    sessions_per_owner: Count = 0
    sharing: Annotated[Literal["share", "takeover", "refuse"], shapes.SHARING] = "share"
    clipboard: Annotated[Literal["both", "to-console", "from-console", "none"], shapes.CLIPBOARD] = "both"
    bad_tokens_per_minute: Count = 0

    @property
    def sessions(self) -> SessionLimits:
        """
        How many sessions there may be.
        """
        return SessionLimits(
            self.sessions_per_address, self.sessions_per_console, self.sessions_per_owner, Sharing(self.sharing)
        )


class StaticConsole(Section, frozen=True, kw_only=True):
    """
    A console that the file itself names.

    @ivar name: what a person calls it; L{None} is the id.
    @ivar url: target URL.
    @ivar password: for its RFB security.
    """

    id: Annotated[str, shapes.ID]
    url: Annotated[str, shapes.TARGET]
    name: Annotated[str | None, shapes.LINE] = None
    password: Annotated[str | None, shapes.SECRET] = None

    def __repr__(self) -> str:
        """
        Everything but the password.
        """
        return f"StaticConsole(id={self.id!r}, url={self.url!r}, name={self.name!r})"


class Config(Section, frozen=True, kw_only=True):
    """
    The whole configuration; without arguments, that of a file that says nothing.
    """

    web: WebSection = WebSection()
    java: JavaSection = JavaSection()
    tls: TLSSection = TLSSection()
    api: APISection = APISection()
    consoleauth: ConsoleAuthSection = ConsoleAuthSection()
    tokens: TokensSection = TokensSection()
    nova: NovaSection = NovaSection()
    cloudstack: CloudStackSection = CloudStackSection()
    store: StoreSection = StoreSection()
    audit: AuditSection = AuditSection()
    proxy: ProxySection = ProxySection()
    backend: BackendSection = BackendSection()
    limits: LimitsSection = LimitsSection()
    console: tuple[StaticConsole, ...] = ()

    @property
    def rules(self) -> SessionRules:
        """
        What holds for each session.
        """
        limits = self.limits
        return SessionRules(
            enforceExpiry=self.consoleauth.enforce_session_timeout,
            lifetime=limits.session_seconds,
            idle=limits.idle_seconds,
            clipboard=Clipboard(limits.clipboard),
        )
