"""
The composition root, on a reactor in memory: what listens where, what viewers are sent to, and what happens when it
cannot be. What it carries is tested with real peers, in C{tests.integration}.
"""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from tests.memoryhttp import Connection, Reply
from tests.storesuite import ThreadReactor
from vncproxy.config import (
    APISection,
    CloudStackSection,
    Config,
    ConsoleAuthSection,
    JavaSection,
    ProxySection,
    StoreSection,
    TLSSection,
    WebSection,
)
from vncproxy.errors import ConfigError
from vncproxy.frontends.tlsport import TLSPortFactory
from vncproxy.service import ProxyService, readAPIKey
from vncproxy.stores import schema

_MANY = 1000


class MemoryPort:
    """
    A port that is listened on, or was.
    """

    def __init__(self, address: IAddress, factory: IProtocolFactory) -> None:
        self.address = address
        self.factory = factory
        self.listening = True

    def getHost(self) -> IAddress:
        """
        Where.
        """
        return self.address

    def stopListening(self) -> Deferred[None] | None:
        """
        It is over at once.
        """
        self.listening = False
        return None


class ServiceReactor(MemoryReactorClock, ThreadReactor):
    """
    A reactor whose ports are in memory, and which takes calls from the store's thread.

    @ivar ports: all that were ever listened on.
    @ivar taken: port numbers that somebody else holds.
    """

    def __init__(self) -> None:
        MemoryReactorClock.__init__(self)
        ThreadReactor.__init__(self)
        self.ports: list[MemoryPort] = []
        self.taken: set[int] = set()

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """
        See L{IReactorTCP.listenTCP<twisted.internet.interfaces.IReactorTCP.listenTCP>}.
        """
        if port in self.taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        kind = IPv6Address if ":" in interface else IPv4Address
        self.ports.append(MemoryPort(kind("TCP", interface or "0.0.0.0", port or 40001), factory))
        return self.ports[-1]

    def listenUNIX(self, address: Any, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: int = 0) -> Any:
        """
        See L{IReactorUNIX.listenUNIX<twisted.internet.interfaces.IReactorUNIX.listenUNIX>}.
        """
        self.ports.append(MemoryPort(UNIXAddress(address), factory))
        return self.ports[-1]


class StateCase(SynchronousTestCase):
    """
    A state directory that is not there yet.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute() / "state"

    def write(self, name: str, text: str) -> Path:
        """
        Put a file there.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / name
        path.write_text(text)
        return path

    def assertPrivate(self, path: Path, mode: int = 0o600) -> None:
        """
        Nobody but its owner may do anything with it.
        """
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode, path)


class APIKeyTests(StateCase):
    """
    Tests for L{readAPIKey}.
    """

    def test_made(self) -> None:
        """
        On the first start a key is made that nobody can guess or read, and later starts find it.
        """
        self.directory.mkdir(parents=True)
        key = readAPIKey(self.directory)
        self.assertGreaterEqual(len(key), 43)
        self.assertPrivate(self.directory / "api.key")
        self.assertEqual(readAPIKey(self.directory), key)

    def test_own(self) -> None:
        """
        A key of one's own may stand in the file, with a line end behind it or without.
        """
        for text in ("sesame", "sesame\n"):
            self.write("api.key", text)
            self.assertEqual(readAPIKey(self.directory), b"sesame")

    def test_empty(self) -> None:
        """
        An empty key would let everybody in.
        """
        path = self.write("api.key", " \n")
        error = self.assertRaises(ConfigError, readAPIKey, self.directory)
        self.assertEqual(str(error), f"{path} is empty: remove it, and the next start makes a new key")

    def test_notOneLine(self) -> None:
        """
        Of what no header could carry nobody could ever show the whole; it is not repeated.
        """
        for text in ("sesame\nsesame\n", "sesa me", "sesame\x1bsesame", "sesäme"):
            path = self.write("api.key", text)
            error = self.assertRaises(ConfigError, readAPIKey, self.directory)
            self.assertIn(f"{path} holds more than one line", str(error))
            self.assertNotIn("sesa", str(error))


class ServiceCase(StateCase):
    """
    A service on a reactor in memory.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reactor = ServiceReactor()
        self.shown: list[str] = []
        self.givenUp = 0
        self.events: list[Any] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def make(self, config: Config | None = None, show: Any = None, **flags: bool) -> ProxyService:
        """
        A service that ends with the test.
        """
        if config is None:
            config = Config()
        store = config.store
        if store.url is None:
            store = StoreSection(url=f"sqlite:{self.directory}/vncproxy.sqlite")
        service = ProxyService(
            self.reactor,
            msgspec.structs.replace(config, store=store),
            self.directory,
            giveUp=self.giveUp,
            show=show or self.shown.append,
            **flags,
        )
        self.addCleanup(self.stop, service)
        return service

    def giveUp(self) -> None:
        """
        The service cannot start.
        """
        self.givenUp += 1

    def started(self, config: Config | None = None, **flags: bool) -> ProxyService:
        """
        A service that is up.
        """
        service = self.make(config, **flags)
        service.startService()
        self.until((self.directory / "endpoints.json").exists)
        return service

    def stop(self, service: ProxyService) -> None:
        """
        Stop it, if it runs, and wait until it has.
        """
        if service.running:
            self.reactor.runUntil(service.stopService())

    def until(self, condition: Callable[[], object]) -> None:
        """
        Make the calls that come from the store until C{condition} holds.
        """
        for _ in range(_MANY):
            if condition():
                return
            self.reactor.runOne()
        self.fail("it never came about")

    def told(self) -> dict[str, list[str]]:
        """
        Where it says that it listens.
        """
        endpoints: dict[str, list[str]] = json.loads((self.directory / "endpoints.json").read_text())
        return endpoints

    def ask(self, method: str, path: str, body: object = None) -> Reply:
        """
        Call the API at the port that was opened last.
        """
        connection = Connection(cast(Site, self.reactor.ports[-1].factory))
        headers = {"X-Auth-Token": (self.directory / "api.key").read_text().strip()}
        connection.request(method, path, b"" if body is None else msgspec.json.encode(body), headers)
        self.until(lambda: connection.answered)
        return connection.reply()

    def accessURL(self, consoleType: str) -> str:
        """
        Where a viewer of this type is sent, without its token.
        """
        self.ask("PUT", "/v1/consoles/vm", {"url": "vnc://10.0.0.5"})
        url: str = self.ask("POST", "/v1/consoles/vm/access", {"type": consoleType}).json["url"]
        base, _, token = url.partition("?token=")
        self.assertEqual(len(token), 43)
        return base

    def complaint(self) -> str:
        """
        The one critical message in the log.
        """
        (event,) = (event for event in self.events if event["log_level"] is LogLevel.critical)
        return str(event["log_format"].format(**event))


class StartTests(ServiceCase):
    """
    A start that goes well, and the end after it.
    """

    def test_defaults(self) -> None:
        """
        Without a configuration everything listens on loopback, and what is kept is private.
        """
        self.started()
        self.assertEqual(
            self.told(),
            {
                "web": ["http://127.0.0.1:6080"],
                "java": ["http://127.0.0.1:6081"],
                "consoleauth": ["tcp://127.0.0.1:8788"],
                "api": ["http://127.0.0.1:8774"],
            },
        )
        self.assertPrivate(self.directory, 0o700)
        for path in self.directory.iterdir():
            self.assertPrivate(path)
        self.assertEqual(self.givenUp, 0)

    def test_storeFirst(self) -> None:
        """
        Nobody can come before the store is open.
        """
        service = self.make()
        service.startService()
        self.assertEqual(self.reactor.ports, [])
        self.until((self.directory / "endpoints.json").exists)
        self.assertEqual(len(self.reactor.ports), 4)

    def test_stop(self) -> None:
        """
        After the end nothing listens, nothing says so, and no timer is left.
        """
        self.stop(self.started(demo=True))
        self.assertEqual([port for port in self.reactor.ports if port.listening], [])
        self.assertFalse((self.directory / "endpoints.json").exists())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_again(self) -> None:
        """
        The next start finds the key, the consoles and the tokens of the one before.
        """
        service = self.started()
        self.accessURL("novnc")
        self.stop(service)
        self.started()
        self.assertEqual(self.ask("GET", "/v1/consoles/vm").status, 200)
        self.assertEqual(self.ask("DELETE", "/v1/consoles/vm/tokens").json, {"deleted": 1})

    def test_stopWhileStarting(self) -> None:
        """
        A service that is stopped before it is up goes quietly, and never listens.
        """
        service = self.make()
        service.startService()
        self.stop(service)
        self.assertEqual((self.reactor.ports, self.givenUp), ([], 0))
        self.assertEqual([event for event in self.events if event["log_level"] >= LogLevel.warn], [])

    def test_ready(self) -> None:
        """
        It says itself that it is ready.
        """
        self.started()
        self.assertEqual(self.ask("GET", "/readyz").json, {"ready": True, "problems": []})

    def test_demo(self) -> None:
        """
        With the demo a URL is shown, which opens a console of its own; the log does not hold it.
        """
        self.started(demo=True)
        (shown,) = self.shown
        self.assertIn("http://127.0.0.1:6080/vnc_auto.html?token=", shown)
        token = shown.partition("?token=")[2].split()[0]
        self.assertEqual(len(token), 43)
        self.assertNotIn(token, "".join(repr(event) for event in self.events))
        self.assertEqual(self.told()["demo"], ["vnc://127.0.0.1:40001"])
        (console,) = self.ask("GET", "/v1/consoles").json["consoles"]
        self.assertEqual((console["id"], console["url"]), ("demo", "vnc://127.0.0.1:40001"))


class ControllerTests(ServiceCase):
    """
    A controller alone, and a proxy that asks one.
    """

    def test_controller(self) -> None:
        """
        A controller takes no viewers; it mints for proxies whose address it was told.
        """
        published = WebSection(novncproxy_base_url="https://console.example/vnc_auto.html")
        self.started(Config(web=published), carries=False)
        self.assertEqual(sorted(self.told()), ["api", "consoleauth"])
        self.assertEqual(self.accessURL("novnc"), "https://console.example/vnc_auto.html")
        reply = self.ask("POST", "/v1/consoles/vm/access", {"type": "xvpvnc"})
        self.assertEqual(reply.json["error"]["reason"], "type_not_served")

    def test_proxy(self) -> None:
        """
        A proxy that asks a controller serves no other one, and says that it is not ready while that is out of reach.
        """
        self.started(Config(consoleauth=ConsoleAuthSection(connect="unix:/run/controller.sock")))
        self.assertEqual(sorted(self.told()), ["api", "java", "web"])
        self.assertEqual(self.reactor.unixClients[0][0], "/run/controller.sock")
        reply = self.ask("GET", "/readyz")
        self.assertEqual((reply.status, reply.json["problems"]), (503, ["The token service is out of reach."]))


class AddressTests(ServiceCase):
    """
    Where viewers are sent.
    """

    def assertSent(self, web: str, java: str, config: Config, **flags: bool) -> None:
        """
        Viewers of both types are sent there.
        """
        service = self.started(config, **flags)
        self.assertEqual((self.accessURL("novnc"), self.accessURL("xvpvnc")), (web, java))
        self.stop(service)

    def test_listened(self) -> None:
        """
        To the first port that they can reach: that is no UNIX socket.
        """
        self.assertSent("http://127.0.0.1:6080/vnc_auto.html", "http://127.0.0.1:6081/console", Config())
        self.assertSent(
            "http://[::1]:6080/vnc_auto.html",
            "http://127.0.0.1:7001/console",
            Config(
                web=WebSection(listen=("unix:/run/web.sock", r"tcp6:6080:interface=\:\:1", "tcp:80")),
                java=JavaSection(listen=("tcp:7001",)),
            ),
        )

    def test_public(self) -> None:
        """
        To the public address, if there is one; a published base URL goes before all else.
        """
        self.assertSent(
            "http://console.example:80/vnc_auto.html",
            "https://java.example/console",
            Config(
                web=WebSection(listen=("tcp:80",)),
                java=JavaSection(listen=("tcp:81",), xvpvncproxy_base_url="https://java.example/console"),
                proxy=ProxySection(public_address="console.example"),
            ),
        )

    def test_TLS(self) -> None:
        """
        With a certificate, one made here or one of the configuration, viewers are sent to TLS. The API stays in clear.
        """
        for selfSigned in (True, False):
            files = {name: str(self.directory / f"self-signed.{name}") for name in ("pem", "key")}
            tls = TLSSection() if selfSigned else TLSSection(certificate=files["pem"], key=files["key"])
            self.assertSent(
                "https://127.0.0.1:6080/vnc_auto.html",
                "https://127.0.0.1:6081/console",
                Config(tls=tls),
                tlsSelfSigned=selfSigned,
            )
            secured = [isinstance(port.factory, TLSPortFactory) for port in self.reactor.ports[-4:]]
            self.assertEqual(secured, [True, True, False, False])

    def test_nowhere(self) -> None:
        """
        Where nothing listens that viewers of a type could reach, there is no access for them.
        """
        self.started(Config(web=WebSection(listen=()), java=JavaSection(listen=("unix:/run/java.sock",))))
        self.ask("PUT", "/v1/consoles/vm", {"url": "vnc://10.0.0.5"})
        for consoleType in ("novnc", "xvpvnc"):
            reply = self.ask("POST", "/v1/consoles/vm/access", {"type": consoleType})
            self.assertEqual((reply.status, reply.json["error"]["reason"]), (409, "type_not_served"))


class FailureTests(ServiceCase):
    """
    A start that fails: the log says why, the program is ended, and what was begun is undone.
    """

    def assertGivenUp(self, complaint: str, config: Config | None = None, **flags: bool) -> None:
        """
        The start fails with this complaint, and nothing goes on listening.
        """
        service = self.make(config, **flags)
        service.startService()
        self.until(lambda: self.givenUp)
        self.assertEqual(self.complaint(), f"cannot start: {complaint}")
        self.stop(service)
        self.assertEqual(self.givenUp, 1)
        self.assertEqual([port for port in self.reactor.ports if port.listening], [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_portTaken(self) -> None:
        """
        A port that somebody holds is named with its section and the cure; what is told of another proxy's ports stays.
        """
        endpoints = self.write("endpoints.json", '{"web": ["of another"]}')
        self.reactor.taken = {6081}
        self.assertGivenUp(
            "[java] listen: cannot listen on tcp:6081:interface=127.0.0.1: Couldn't listen on 127.0.0.1:6081: [Errno "
            "98] Address already in use. Stop whoever holds it, or write another one into a configuration, below "
            '[java], such as listen = "tcp:16081:interface=127.0.0.1", and start with it: twistd -n vncproxy --config '
            "FILE"
        )
        self.assertEqual(endpoints.read_text(), '{"web": ["of another"]}')

    def test_noStateDirectory(self) -> None:
        """
        A state directory that cannot be made ends it.
        """
        file = self.write("file", "")
        self.directory = file / "below"
        self.assertGivenUp(
            f"--state-dir: {self.directory} cannot be made (Not a directory). Name a directory that we may write to."
        )

    def test_unusableStateDirectory(self) -> None:
        """
        So does one in which something stands in the way.
        """
        (self.directory / "api.key").mkdir(parents=True)
        self.assertGivenUp(
            f"--state-dir: {self.directory}/api.key cannot be used (Is a directory). Name a directory that is ours, "
            "and that we may write to."
        )

    def test_unusableStore(self) -> None:
        """
        So does a store that cannot be one.
        """
        path = self.directory / "db"
        path.mkdir(parents=True)
        self.assertGivenUp(
            f"store.url: {path} is not a file. Name another path in [store] url.",
            Config(store=StoreSection(url=f"sqlite:{path}")),
        )

    def test_busyStore(self) -> None:
        """
        So does one that another program keeps to itself; the log says which.
        """
        self.stop(self.started())
        self.patch(schema, "_BUSY_SECONDS", 0.01)
        self.patch(schema, "_OPENING_SECONDS", 0.01)
        path = self.directory / "vncproxy.sqlite"
        other = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        self.assertGivenUp("the store cannot be opened now")
        (event,) = (event for event in self.events if event["log_level"] is LogLevel.error)
        self.assertEqual(event["store"], str(path))

    def test_badCertificate(self) -> None:
        """
        So does a certificate that is none.
        """
        path = self.write("no.pem", "nothing")
        self.assertGivenUp(
            f"[tls] certificate: {path} holds no usable PEM certificate",
            Config(tls=TLSSection(certificate=str(path))),
        )

    def test_demoElsewhere(self) -> None:
        """
        Nor is one whose console the controller that is asked would not know.
        """
        self.assertGivenUp(
            "--demo: consoles are those of the controller. Leave out [consoleauth] connect.",
            Config(consoleauth=ConsoleAuthSection(connect="unix:/s")),
            demo=True,
        )

    def test_demoWithoutDoor(self) -> None:
        """
        A demo that no browser could reach is not begun.
        """
        self.assertGivenUp(
            "--demo: there is no frontend for browsers. Name an endpoint in [web] listen.",
            Config(web=WebSection(listen=()), api=APISection(listen=("tcp:8774",))),
            demo=True,
        )

    def test_unforeseen(self) -> None:
        """
        What nobody foresaw ends it too, and is logged with all that is known.
        """
        service = self.make(demo=True, show=partial(int, base=10))
        service.startService()
        self.until(lambda: self.givenUp)
        self.assertEqual(self.complaint(), "cannot start")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class DialectTests(ServiceCase):
    """
    The dialects of other clouds, as the configuration has them.
    """

    def test_guests(self) -> None:
        """
        Programs on this machine need a key for nova's dialect unless they are allowed to have none.
        """
        for allowed, status in ((False, 401), (True, 200)):
            service = self.started(Config(api=APISection(allow_unauthenticated_loopback=allowed)))
            connection = Connection(cast(Site, self.reactor.ports[-1].factory), IPv4Address("TCP", "127.0.0.1", 1))
            guest = {"X-Auth-Token": "notused", "Host": "127.0.0.1:8774"}
            connection.request("GET", "/v2.1/servers", b"", guest)
            self.until(connection.transport.value)
            self.assertEqual(connection.reply().status, status)
            self.stop(service)

    def test_cloudStack(self) -> None:
        """
        CloudStack's dialect is spoken where there are keys for it.
        """
        path = self.write("keys", "key-1 sesame-sesame-sesame")
        path.chmod(0o600)
        self.assertEqual(self.statusOf("/client/api", Config()), 404)
        self.assertEqual(self.statusOf("/client/api", Config(cloudstack=CloudStackSection(keys_file=str(path)))), 401)

    def statusOf(self, path: str, config: Config) -> int:
        """
        The status with which a service of this configuration answers.
        """
        service = self.started(config)
        status = self.ask("GET", path).status
        self.stop(service)
        return status

    def test_badKeys(self) -> None:
        """
        A file with keys that others may read ends the start.
        """
        path = self.write("keys", "key-1 sesame-sesame-sesame")
        path.chmod(0o644)
        self.make(Config(cloudstack=CloudStackSection(keys_file=str(path)))).startService()
        self.until(lambda: self.givenUp)
        words = f"[cloudstack] keys_file: others than its owner may read {path}. Run: chmod 600 {path}"
        self.assertEqual(self.complaint(), f"cannot start: {words}")
