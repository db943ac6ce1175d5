"""
A token authority that asks a controller: what it asks, what it makes of the answers, and what it does without any.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.consoleauthworld import KEY, ControllerCase, Peer
from tests.streams import Loop, MemoryTransport
from vncproxy.consoleauth.client import (
    CHANCE_SECONDS,
    FIRST_RETRY_SECONDS,
    LONGEST_RETRY_SECONDS,
    ConsoleAuthAuthority,
)
from vncproxy.errors import (
    ConfigError,
    ConsoleUnknown,
    RequestError,
    TokenMissing,
    TokensUnreachable,
    TokenUnknown,
    TokenUsed,
    TokenWrongAddress,
    TokenWrongType,
    VNCProxyError,
)
from vncproxy.interfaces import ITokenAuthority
from vncproxy.model import Console, ConsoleType, Grant, Target, TargetKind, ViewerFacts

_T = TypeVar("_T")

_TIMEOUT = 5.0


class Cord:
    """
    Two transports without sockets, end to end. What one side writes, the other reads when the cord is pulled.

    @ivar cut: nothing passes any more, and nobody is told.
    """

    def __init__(self, client: MemoryTransport, server: MemoryTransport) -> None:
        self.client = client
        self.server = server
        self.cut = False

    def pull(self) -> bool:
        """
        Pass on what was written. False if there was nothing.
        """
        if self.cut:
            return False
        busy = False
        for source, sink in ((self.client, self.server), (self.server, self.client)):
            if source.taken and sink.lostWith is None:
                sink.say(bytes(source.taken))
                source.taken.clear()
                busy = True
            if source.lostWith is not None and sink.lostWith is None and not sink.readable:
                # Who hangs up in good order is read to the end.
                (sink.finish if source.lostWith is ConnectionDone else sink.vanish)()
                busy = True
        return busy


@implementer(IStreamClientEndpoint)
class Door:
    """
    An endpoint that leads to the controller in memory.

    @ivar shut: nobody can connect; L{None} is nobody is even answered.
    @ivar tried: when it was tried to connect.
    """

    def __init__(self, loop: Loop, serve: Any) -> None:
        self._loop = loop
        self._serve = serve
        self.shut: bool | None = False
        self.tried: list[float] = []
        self.cords: list[Cord] = []

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint.connect}.
        """
        self.tried.append(self._loop.seconds())
        connecting: Deferred[Any] = Deferred()
        if self.shut:
            connecting.errback(Refused())
        elif self.shut is False:
            protocol = protocolFactory.buildProtocol(None)
            assert protocol is not None
            client = MemoryTransport(self._loop, protocol)
            self.cords.append(Cord(client, Peer(self._loop, self._serve())))
            connecting.callback(protocol)
        return connecting


class ClientCase(ControllerCase):
    """
    A proxy's authority and its controller.
    """

    def setUp(self) -> None:
        super().setUp()
        self.door = Door(self.loop, lambda: self.factory.buildProtocol(None))
        self.key: Any = KEY
        self.client = ConsoleAuthAuthority(self.door, self.loop, self.readKey, _TIMEOUT, lambda: 1.0, "p1")

    def readKey(self) -> str | None:
        """
        The key, or what is wrong with it.
        """
        if isinstance(self.key, Exception):
            raise self.key
        return str(self.key)

    def start(self) -> None:
        """
        Connect.
        """
        self.result(self.client.start())
        self.settle()

    def settle(self) -> None:
        """
        Turn until nothing happens any more at this moment.
        """
        self.loop.settle()
        while any([cord.pull() for cord in self.door.cords]):
            self.loop.settle()

    def advance(self, seconds: float) -> None:
        """
        Let time pass, in small steps.
        """
        end = self.loop.seconds() + seconds
        while self.loop.seconds() < end:
            self.loop.advance(min(0.05, end - self.loop.seconds()))
            self.settle()

    def begin(self, work: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        """
        Begin a call, and let it come as far as it does.
        """
        begun = Deferred.fromCoroutine(work)
        self.settle()
        return begun

    def done(self, work: Coroutine[Any, Any, _T]) -> _T:
        """
        What a call returns.
        """
        return self.successResultOf(self.begin(work))

    def refused(self, work: Coroutine[Any, Any, Any], error: type[Exception]) -> str:
        """
        What a call is refused with, in words.
        """
        return self.failureResultOf(self.begin(work), error).getErrorMessage()

    def minted(self, **wishes: Any) -> str:
        """
        A token of the controller's own making.
        """
        return self.result(self.authority.authorizeConsole("vm7", ConsoleType.NOVNC, **wishes)).token

    def viewer(self, token: str, resume: str | None = None, **facts: Any) -> ViewerFacts:
        """
        A browser that shows a token.
        """
        plain: dict[str, Any] = {"consoleType": ConsoleType.NOVNC, "address": "203.0.113.9", **facts}
        return ViewerFacts(frontend="web", token=token, resume=resume, **plain)

    def usesLeft(self) -> int | None:
        """
        Of the one token that there is.
        """
        (record,) = self.store._tokens.values()
        return record.usesLeft

    @property
    def cord(self) -> Cord:
        """
        The connection that was made last.
        """
        return self.door.cords[-1]


class CallTests(ClientCase):
    """
    Calls that the controller answers.
    """

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def test_interface(self) -> None:
        """
        It provides what it says.
        """
        self.assertTrue(verifyObject(ITokenAuthority, self.client))

    def test_redeem(self) -> None:
        """
        A token is honoured once, with its console and what logs in to it; no log holds any of that.
        """
        token = self.minted(viewOnly=True, owner="dashboard")
        grant = self.done(self.client.redeemToken(self.viewer(token)))
        self.assertEqual((grant.consoleID, grant.viewOnly, grant.owner), ("vm7", True, "dashboard"))
        self.assertEqual(
            grant.console, Console("vm7", "Seven", Target(TargetKind.VNC, "10.0.0.5", 5901, password="hush"))
        )
        self.refused(self.client.redeemToken(self.viewer(token)), TokenUsed)
        said = "".join(self.events) + repr(grant)
        for secret in (token, "hush", KEY):
            self.assertNotIn(secret, said)

    def test_resume(self) -> None:
        """
        A browser comes back within the window of the controller, until its session ends for good.
        """
        token = self.minted()
        grant = self.done(self.client.redeemToken(self.viewer(token, "secret")))
        self.done(self.client.endSession(grant, resumable=True))
        self.advance(50)
        again = self.done(self.client.redeemToken(self.viewer(token, "secret")))
        self.assertTrue(again.resumed)
        self.done(self.client.endSession(again, resumable=False))
        self.refused(self.client.redeemToken(self.viewer(token, "secret")), TokenUsed)

    def test_noResume(self) -> None:
        """
        The end of a session that nobody can come back to is not told.
        """
        self.cord.cut = True
        self.done(self.client.endSession(Grant("a" * 64, "vm7", ConsoleType.XVPVNC, 5.0), resumable=True))

    def test_refusals(self) -> None:
        """
        Each refusal of the controller is one here, by its word.
        """
        token = self.minted(clientAddress="10.0.0.1")
        for viewer, error in (
            (self.viewer(""), TokenMissing),
            (self.viewer("T" * 43), TokenUnknown),
            (self.viewer(token), TokenWrongAddress),
            (self.viewer(token, consoleType=ConsoleType.XVPVNC), TokenWrongType),
        ):
            self.refused(self.client.redeemToken(viewer), error)
        self.store._consoles.clear()
        self.refused(self.client.redeemToken(self.viewer(token, address="10.0.0.1")), ConsoleUnknown)

    def test_mint(self) -> None:
        """
        What is minted here is minted there, with every wish; what makes no sense is told in the controller's words.
        """
        issued = self.done(
            self.client.authorizeConsole(
                "vm7", ConsoleType.XVPVNC, 5, 0, viewOnly=True, clientAddress="10.0.0.1", owner="x", askedFrom="y"
            )
        )
        (record,) = self.store._tokens.values()
        self.assertEqual((record.usesLeft, record.expires, record.owner), (None, issued.expires, "x"))
        self.assertEqual((record.viewOnly, record.clientAddress), (True, "10.0.0.1"))
        words = self.refused(self.client.authorizeConsole("vm7", ConsoleType.NOVNC, ttl=-1), RequestError)
        self.assertIn("ttl: it must be", words)
        self.refused(self.client.authorizeConsole("vm8", ConsoleType.NOVNC), ConsoleUnknown)

    def test_check(self) -> None:
        """
        To look is to look as the controller does.
        """
        token = self.minted()
        grant = self.done(self.client.checkToken(token, ConsoleType.NOVNC))
        self.assertEqual(grant, self.result(self.authority.checkToken(token)))
        self.assertIsNone(self.done(self.client.checkToken("T" * 43)))

    def test_delete(self) -> None:
        """
        Tokens are revoked there.
        """
        self.minted()
        self.assertEqual(self.done(self.client.deleteTokensForInstance("vm7")), 1)
        self.assertEqual(self.done(self.client.deleteTokensForInstance("vm7")), 0)

    def test_unknownWord(self) -> None:
        """
        A refusal by a word that is not known here means that there is no answer to be had; the link stays.
        """

        class Strange(VNCProxyError):
            reason = "strange"

        async def fail(facts: ViewerFacts) -> Grant:
            raise Strange()

        self.patch(self.authority, "redeemToken", fail)
        self.refused(self.client.redeemToken(self.viewer("T" * 43)), TokensUnreachable)
        self.assertTrue(self.client.connected)

    def test_strangeTarget(self) -> None:
        """
        A console of a kind that is not known here spends no use.
        """
        token = self.minted()
        self.patch(_params(), "formatTarget", lambda target: "smoke://vm7")
        self.refused(self.client.redeemToken(self.viewer(token)), TokensUnreachable)
        self.settle()
        self.assertEqual(self.usesLeft(), 1)

    def test_nonsense(self) -> None:
        """
        So does an answer that is not what was asked for; that of a redemption cannot be undone.
        """
        gone = self.begin(self.client.deleteTokensForInstance("vm7"))
        self.successResultOf(gone)
        asked = Deferred.fromCoroutine(self.client.checkToken("T" * 43))
        self.cord.client.say(b'{"jsonrpc":"2.0","id":3,"result":{"owner":5}}\n')
        self.loop.settle()
        self.failureResultOf(asked, TokensUnreachable)


class OutageTests(ClientCase):
    """
    A controller that is slow, silent, or away.
    """

    def test_early(self) -> None:
        """
        Who comes before there is a connection waits for it.
        """
        self.door.shut = True
        self.start()
        token = self.minted()
        asked = self.begin(self.client.redeemToken(self.viewer(token)))
        self.advance(1)
        self.assertNoResult(asked)
        self.door.shut = False
        self.advance(LONGEST_RETRY_SECONDS + CHANCE_SECONDS)
        self.assertEqual(self.successResultOf(asked).consoleID, "vm7")

    def test_away(self) -> None:
        """
        A call waits no longer than it may; when the controller has been away for longer than that, none waits.
        """
        self.door.shut = True
        self.start()
        self.advance(2)
        first = self.begin(self.client.redeemToken(self.viewer("T" * 43)))
        self.advance(_TIMEOUT - 2)
        self.failureResultOf(first, TokensUnreachable)
        self.assertIn("refused", self.refused(self.client.checkToken("T" * 43), TokensUnreachable))
        self.assertEqual(list(self.client.problems()), ["The token service is out of reach."])
        self.door.shut = False
        self.advance(LONGEST_RETRY_SECONDS + CHANCE_SECONDS)
        self.assertEqual(list(self.client.problems()), [])
        self.refused(self.client.redeemToken(self.viewer("T" * 43)), TokenUnknown)

    def test_impatient(self) -> None:
        """
        Who goes while waiting for a connection has asked nothing.
        """
        self.door.shut = True
        self.start()
        token = self.minted()
        asked = self.begin(self.client.redeemToken(self.viewer(token)))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.door.shut = False
        self.advance(2)
        self.assertEqual(self.usesLeft(), 1)

    def test_backOff(self) -> None:
        """
        Attempts to connect become rarer, up to a limit; what came about by chance is on top. The log tells once.
        """
        self.door.shut = True
        self.start()
        self.advance(20)
        gaps = [later - sooner for sooner, later in zip(self.door.tried, self.door.tried[1:], strict=False)]
        self.assertApproximates(gaps[0], FIRST_RETRY_SECONDS * 1.7 + CHANCE_SECONDS, 0.06)
        self.assertApproximates(gaps[-1], LONGEST_RETRY_SECONDS + CHANCE_SECONDS, 0.06)
        self.assertEqual(sorted(round(gap, 1) for gap in gaps), [round(gap, 1) for gap in gaps])
        self.assertEqual(sum("out of reach" in event for event in self.events), 1)

    def test_restarted(self) -> None:
        """
        The first that a proxy tells is that the sessions of an earlier run are gone; after a lost connection it does
        not, as they are up. Nobody is served before the controller has heard it.
        """
        told: list[str] = []
        abandon = self.authority.abandonSessions

        async def count(proxy: str) -> int:
            told.append(proxy)
            if len(told) == 1:
                raise TokensUnreachable("the disk is slow")
            return await abandon(proxy)

        self.patch(self.authority, "abandonSessions", count)
        self.start()
        self.assertEqual((told, self.client.connected), (["p1"], False))
        self.advance(1)
        self.assertEqual((told, self.client.connected), (["p1", "p1"], True))
        self.cord.server.vanish()
        self.advance(1)
        self.assertEqual((len(told), self.client.connected), (2, True))

    def test_again(self) -> None:
        """
        After a connection was lost, the first attempt comes soon.
        """
        self.start()
        for _ in range(3):
            self.cord.server.vanish()
            self.settle()
            self.assertFalse(self.client.connected)
            self.advance(FIRST_RETRY_SECONDS * 1.7 + CHANCE_SECONDS + 0.1)
            self.assertTrue(self.client.connected)

    def test_lostMeanwhile(self) -> None:
        """
        A redemption whose answer was lost is not made again: it may have been made.
        """
        self.start()
        token = self.minted()
        self.cord.cut = True
        asked = self.begin(self.client.redeemToken(self.viewer(token)))
        self.cord.client.vanish()
        self.cord.server.vanish()
        self.settle()
        self.failureResultOf(asked, TokensUnreachable)
        self.advance(2)
        self.assertEqual(self.usesLeft(), 1)
        self.done(self.client.redeemToken(self.viewer(token)))

    def test_silent(self) -> None:
        """
        A controller that says nothing is told within the time of a call, and left for a new connection.
        """
        self.start()
        token = self.minted()
        self.cord.cut = True
        asked = self.begin(self.client.redeemToken(self.viewer(token)))
        self.advance(_TIMEOUT)
        self.failureResultOf(asked, TokensUnreachable)
        self.advance(1)
        self.assertEqual(len(self.door.cords), 2)
        self.done(self.client.redeemToken(self.viewer(token)))

    def test_tooLate(self) -> None:
        """
        A redemption that comes after its caller was told otherwise is taken back.
        """
        self.start()
        token = self.minted()
        gate = self.directory.gate = Deferred()
        asked = self.begin(self.client.redeemToken(self.viewer(token)))
        # Something else is answered meanwhile, so the link is not to blame.
        self.directory.gate = None
        self.done(self.client.deleteTokensForInstance("vm8"))
        self.advance(_TIMEOUT)
        self.failureResultOf(asked, TokensUnreachable)
        self.assertEqual(self.usesLeft(), 0)
        gate.callback(None)
        self.settle()
        self.assertEqual(self.usesLeft(), 1)

    def test_viewerGoes(self) -> None:
        """
        So is one whose viewer has gone.
        """
        self.start()
        token = self.minted()
        gate = self.directory.gate = Deferred()
        asked = self.begin(self.client.redeemToken(self.viewer(token)))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        gate.callback(None)
        self.directory.gate = None
        self.settle()
        self.assertEqual(self.usesLeft(), 1)

    def test_untold(self) -> None:
        """
        The end of a session that the controller could not be told is told when it is back.
        """
        self.start()
        token = self.minted()
        grant = self.done(self.client.redeemToken(self.viewer(token, "secret")))
        self.door.shut = True
        self.cord.server.vanish()
        self.settle()
        ending = self.begin(self.client.endSession(grant, resumable=False))
        self.advance(_TIMEOUT)
        self.failureResultOf(ending, TokensUnreachable)
        self.door.shut = False
        self.advance(2)
        self.refused(self.client.redeemToken(self.viewer(token, "secret")), TokenUsed)

    def test_untoldStill(self) -> None:
        """
        If it cannot be told then either, that is worth a line, and it is kept further.
        """
        self.start()
        grant = self.done(self.client.redeemToken(self.viewer(self.minted(), "secret")))
        self.door.shut = True
        self.cord.server.vanish()
        self.settle()
        ending = self.begin(self.client.endSession(grant, resumable=True))
        self.advance(_TIMEOUT)
        self.failureResultOf(ending, TokensUnreachable)
        self.result(self.store.close())
        self.door.shut = False
        self.advance(2)
        self.assertEqual(sum("is not told yet" in event for event in self.events), 1)
        self.assertEqual(len(self.client._untold), 1)


class AdmissionTests(ClientCase):
    """
    Being let in, and leaving.
    """

    def test_wrongKey(self) -> None:
        """
        A wrong key is told in the log, once, without the key; it is asked for anew each time, so that it can be mended.
        """
        self.key = "wrong-one"
        self.start()
        self.advance(10)
        said = [event for event in self.events if "out of reach" in event]
        self.assertEqual(len(said), 1)
        self.assertIn("This key is not good here.", said[0])
        self.assertNotIn("wrong-one", "".join(self.events))
        self.key = KEY
        self.advance(2)
        self.assertTrue(self.client.connected)

    def test_noKey(self) -> None:
        """
        A key that cannot be read is no reason to give up.
        """
        self.key = ConfigError("it is empty")
        self.start()
        self.advance(3)
        self.assertEqual(self.door.tried, [])
        self.key = KEY
        self.advance(2)
        self.assertTrue(self.client.connected)

    def test_stop(self) -> None:
        """
        At the end nothing is left: of a connection, an attempt, or a wait between two. Calls fail.
        """
        for shut in (False, True, None):
            self.setUp()
            self.door.shut = shut
            self.start()
            waiting = [] if shut is False else [self.begin(self.client.checkToken("T" * 43))]
            self.done(self.client.stop())
            self.settle()
            for each in waiting:
                self.failureResultOf(each, TokensUnreachable)
            self.refused(self.client.checkToken("T" * 43), TokensUnreachable)
            self.assertEqual(self.loop.getDelayedCalls(), [])

    def test_neverStarted(self) -> None:
        """
        One that was never started can be stopped.
        """
        self.done(self.client.stop())

    def test_unforeseen(self) -> None:
        """
        What nobody foresaw is logged in full.
        """
        self.key = ZeroDivisionError()
        self.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


def _params() -> Any:
    from vncproxy.consoleauth import params

    return params
