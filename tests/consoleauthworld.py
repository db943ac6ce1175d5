"""
A controller in memory, and peers of it.
"""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.brokerworld import HeardTrail
from tests.streams import Loop, MemoryTransport
from vncproxy.config import ConsoleAuthSection
from vncproxy.consoleauth import ConsoleAuthFactory, Methods, Terms
from vncproxy.directory import ChainedDirectory, StaticDirectory, StoredDirectory
from vncproxy.errors import TokensUnreachable
from vncproxy.interfaces import IDirectory, IKeyRing
from vncproxy.keys import KeyRing, bootstrapKey
from vncproxy.model import APIKey, Console, Role, Target, TargetKind
from vncproxy.stores.memory import MemoryStore
from vncproxy.tokens.authority import StoreAuthority

T = TypeVar("T")

KEY: Final = "sesame"
OPERATOR: Final = "open-operator"
OPENING_SECONDS: Final = 15.0
CONSOLE: Final = Console("vm7", "Seven", Target(TargetKind.VNC, "10.0.0.5", 5901, password="hush"))
FIXED: Final = Console("fixed", "Fixed", Target(TargetKind.VNC_UNIX, path="/run/fixed.sock"))

SERVER: Final = IPv4Address("TCP", "127.0.0.1", 8788)
_CLIENT: Final = IPv4Address("TCP", "10.0.0.99", 50000)
_SETTINGS: Final = ConsoleAuthSection(token_ttl=600, uses=1, timeout=5, resume_window=60)


@implementer(IDirectory)
class GatedDirectory:
    """
    A directory that can be made to wait.

    @ivar gate: what it waits for, if anything.
    """

    def __init__(self, inner: IDirectory) -> None:
        self._inner = inner
        self.gate: Deferred[None] | None = None

    async def resolve(self, consoleID: str) -> Console:
        """
        See L{IDirectory.resolve}.
        """
        if self.gate is not None:
            passed: Deferred[None] = Deferred()
            self.gate.chainDeferred(passed)
            await passed
        return await self._inner.resolve(consoleID)


@implementer(IKeyRing)
class Keys(KeyRing):
    """
    The first key, and one of an operator; they can be out of reach.
    """

    broken = False

    async def whose(self, secret: bytes) -> APIKey | None:
        """
        See L{IKeyRing.whose}.
        """
        if self.broken:
            raise TokensUnreachable("out of order")
        if secret == OPERATOR.encode():
            return APIKey("operator", "0" * 64, Role.OPERATOR)
        return await super().whose(secret)


class Peer(MemoryTransport):
    """
    A connection to the controller, with both its addresses.
    """

    def __init__(self, loop: Loop, protocol: Any, host: IAddress = SERVER, certificate: object = None) -> None:
        self._host = host
        self._certificate = certificate
        self._heard = 0
        super().__init__(loop, protocol)

    def getHost(self) -> IAddress:
        """
        Where the controller listens.
        """
        return self._host

    def getPeer(self) -> IAddress:
        """
        Where the peer is.
        """
        return UNIXAddress(None) if isinstance(self._host, UNIXAddress) else _CLIENT

    def getPeerCertificate(self) -> object:
        """
        What TLS has verified.
        """
        return self._certificate

    def send(self, method: str, id: Any = 1, **params: Any) -> None:
        """
        The peer calls a method.
        """
        self.line({"jsonrpc": "2.0", "id": id, "method": method, "params": params})

    def line(self, value: Any) -> None:
        """
        The peer sends a line of JSON.
        """
        self.say(json.dumps(value).encode() + b"\n")

    def answers(self) -> list[dict[str, Any]]:
        """
        What the controller has answered since this was asked last.
        """
        *lines, rest = bytes(self.taken[self._heard :]).split(b"\n")
        self._heard = len(self.taken) - len(rest)
        return [json.loads(line) for line in lines]


class ControllerCase(SynchronousTestCase):
    """
    A controller that knows two consoles, C{vm7} of its store and C{fixed} of its configuration.
    """

    def setUp(self) -> None:
        self.loop = Loop()
        self.store = MemoryStore()
        self.result(self.store.putConsole(CONSOLE))
        self.authority = StoreAuthority(self.store, self.loop, _SETTINGS)
        self.directory = GatedDirectory(ChainedDirectory([StaticDirectory([FIXED]), StoredDirectory(self.store)]))
        self.trail = HeardTrail()
        self.methods = Methods(self.authority, self.directory, self.store, self.trail, {FIXED.id})
        self.keys = Keys(self.store, self.loop, [bootstrapKey(KEY.encode())])
        self.factory = ConsoleAuthFactory(Terms(self.loop, self.methods, self.keys, OPENING_SECONDS))
        self.events: list[str] = []

        def observe(event: Any) -> None:
            self.events.append(str(formatEvent(event)))

        observer: ILogObserver = observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def result(self, work: Coroutine[Any, Any, T]) -> T:
        """
        What C{work} returns at once.
        """
        return self.successResultOf(Deferred.fromCoroutine(work))

    def connect(self, host: IAddress = SERVER, certificate: object = None) -> Peer:
        """
        A peer that has said nothing yet.
        """
        return Peer(self.loop, self.factory.buildProtocol(None), host, certificate)

    def admitted(self) -> Peer:
        """
        A peer that has been let in.
        """
        peer = self.connect()
        self.assertEqual(self.ask(peer, "authenticate", key=KEY)["result"], {"version": 1})
        return peer

    def ask(self, peer: Peer, method: str, **params: Any) -> dict[str, Any]:
        """
        The answer to one call.
        """
        peer.send(method, **params)
        self.loop.settle()
        (answer,) = peer.answers()
        return answer

    def mint(self, peer: Peer, **wishes: Any) -> str:
        """
        A token for C{vm7}.
        """
        wishes = {"console_type": "novnc", "instance_uuid": "vm7", **wishes}
        token: str = self.ask(peer, "authorize_console", **wishes)["result"]["token"]
        return token
