"""
Whose key a secret is.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.apiworld import waitFor
from vncproxy.errors import TokensUnreachable
from vncproxy.interfaces import IKeyRing
from vncproxy.keys import BOOTSTRAP, PREFIX, KeyRing, bootstrapKey, keyHash, mintSecret
from vncproxy.model import APIKey, Role
from vncproxy.stores.memory import MemoryStore

OWN = b"sesame"


class CountingStore(MemoryStore):
    """
    A store that counts how often it is asked for a key, and can be slow about it.

    @ivar gate: what asking waits for, after the answer is known.
    @ivar down: nothing can be had.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.gate: Deferred[None] | None = None
        self.down = False

    def _check(self) -> None:
        super()._check()
        if self.down:
            raise TokensUnreachable("out of order")

    async def key(self, hash_: str) -> APIKey | None:
        """
        See L{IStore.key<vncproxy.interfaces.IStore.key>}.
        """
        self.asked += 1
        found = await super().key(hash_)
        if self.gate is not None:
            gate, self.gate = self.gate, None
            await gate
        return found


class KeyRingTests(SynchronousTestCase):
    """
    A ring over a store.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.store = CountingStore()
        self.ring = KeyRing(self.store, self.clock, [bootstrapKey(OWN + b"\n")])

    def add(
        self, name: str = "portal", role: Role = Role.ISSUER, consoles: str | None = "vm-*"
    ) -> tuple[APIKey, bytes]:
        """
        A key and its secret.
        """
        made = waitFor(self.ring.add(name, role, consoles))
        assert made is not None
        return made[0], made[1].encode()

    def test_interface(self) -> None:
        """
        It provides what it says.
        """
        self.assertTrue(verifyObject(IKeyRing, self.ring))

    def test_own(self) -> None:
        """
        The key of this process may do everything, and is good while the store is down.
        """
        self.store.down = True
        key = waitFor(self.ring.whose(b" sesame\n"))
        assert key is not None
        self.assertEqual((key.name, key.role, key.consoles), (BOOTSTRAP, Role.ADMIN, None))
        self.assertEqual(self.store.asked, 0)

    def test_minted(self) -> None:
        """
        A key that was added is known by its secret, and kept as a hash only.
        """
        key, secret = self.add()
        self.assertEqual(key, APIKey("portal", keyHash(secret), Role.ISSUER, "vm-*", created=1000.0))
        self.assertEqual(waitFor(self.ring.whose(secret)), key)
        self.assertTrue(secret.startswith(PREFIX.encode()))
        self.assertNotIn(secret.decode(), repr(vars(self.store)) + repr(key))
        self.assertNotIn(key.hash, repr(key))

    def test_secrets(self) -> None:
        """
        No secret comes twice, and each holds 256 bits.
        """
        made = {mintSecret() for _ in range(100)}
        self.assertEqual({len(each) for each in made}, {len(PREFIX) + 43})
        self.assertEqual(len(made), 100)

    def test_nobody(self) -> None:
        """
        What is no key's secret is nobody's, every time anew: a key that is made meanwhile is good at once.
        """
        for secret in (b"", b"wrong", b"sesame2", b"\xff"):
            self.assertIsNone(waitFor(self.ring.whose(secret)))
        _, secret = self.add()
        other = KeyRing(self.store, self.clock, [])
        waitFor(other.remove("portal"))
        self.assertIsNone(waitFor(other.whose(secret)))
        waitFor(self.store.addKey(APIKey("again", keyHash(secret), Role.VIEWER)))
        self.assertIsNotNone(waitFor(other.whose(secret)))

    def test_unreachable(self) -> None:
        """
        While the store is down it cannot be known whose a secret is, unless that was known a moment ago.
        """
        _, secret = self.add()
        self.assertIsNotNone(waitFor(self.ring.whose(secret)))
        self.store.down = True
        self.assertIsNotNone(waitFor(self.ring.whose(secret)))
        self.clock.advance(5)
        self.failureResultOf(Deferred.fromCoroutine(self.ring.whose(secret)), TokensUnreachable)

    def test_lookedUpOnce(self) -> None:
        """
        A key that is in use is looked up every few seconds, not for each request.
        """
        _, secret = self.add()
        for _ in range(10):
            self.assertIsNotNone(waitFor(self.ring.whose(secret)))
        self.assertEqual(self.store.asked, 1)
        self.clock.advance(5)
        self.assertIsNotNone(waitFor(self.ring.whose(secret)))
        self.assertEqual(self.store.asked, 2)

    def test_removed(self) -> None:
        """
        A key that is removed is nobody's at once; there is nothing left to remove.
        """
        _, secret = self.add()
        self.assertIsNotNone(waitFor(self.ring.whose(secret)))
        self.assertTrue(waitFor(self.ring.remove("portal")))
        self.assertIsNone(waitFor(self.ring.whose(secret)))
        self.assertFalse(waitFor(self.ring.remove("portal")))

    def test_removedElsewhere(self) -> None:
        """
        A key that another process removes is nobody's within seconds.
        """
        _, secret = self.add()
        self.assertIsNotNone(waitFor(self.ring.whose(secret)))
        waitFor(KeyRing(self.store, self.clock, []).remove("portal"))
        self.clock.advance(5)
        self.assertIsNone(waitFor(self.ring.whose(secret)))

    def test_removedMeanwhile(self) -> None:
        """
        A key that is removed while it is being looked up is nobody's.
        """
        _, secret = self.add()
        self.store.gate = gate = Deferred()
        looking = Deferred.fromCoroutine(self.ring.whose(secret))
        waitFor(self.ring.remove("portal"))
        self.assertNoResult(looking)
        gate.callback(None)
        self.assertIsNone(self.successResultOf(looking))

    def test_names(self) -> None:
        """
        A name is given once, and that of a key of this process never.
        """
        self.add()
        for name in ("portal", BOOTSTRAP):
            self.assertIsNone(waitFor(self.ring.add(name, Role.VIEWER)))
        self.assertTrue(self.ring.owns(BOOTSTRAP))
        self.assertFalse(self.ring.owns("portal"))

    def test_bound(self) -> None:
        """
        Of however many keys only so many are held in memory, those that were used last.
        """
        secrets = [self.add(f"k{number}")[1] for number in range(300)]
        for secret in secrets:
            waitFor(self.ring.whose(secret))
        self.assertEqual(self.store.asked, 300)
        waitFor(self.ring.whose(secrets[-256]))
        self.assertEqual(self.store.asked, 300)
        waitFor(self.ring.whose(secrets[0]))
        self.assertEqual(self.store.asked, 301)


class LastUseTests(SynchronousTestCase):
    """
    When keys were last used.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.store = CountingStore()
        self.ring = KeyRing(self.store, self.clock, [bootstrapKey(OWN)])
        made = waitFor(self.ring.add("portal", Role.ISSUER))
        assert made is not None
        self.key, self.secret = made[0], made[1].encode()

    def kept(self) -> list[float | None]:
        """
        What the store knows.
        """
        return [key.lastUsed for key in waitFor(self.store.keys())]

    def listed(self) -> list[float | None]:
        """
        What the ring tells.
        """
        return [key.lastUsed for key in waitFor(self.ring.keys())]

    def use(self) -> None:
        """
        Somebody shows the secret.
        """
        self.assertEqual(waitFor(self.ring.whose(self.secret)), self.key)

    def test_everyMinute(self) -> None:
        """
        The list knows the last use at once, the store within a minute.
        """
        self.ring.start()
        self.addCleanup(lambda: waitFor(self.ring.stop()))
        self.clock.advance(30)
        self.use()
        self.assertEqual((self.listed(), self.kept()), ([None, 1030.0], [None]))
        self.clock.advance(30)
        self.assertEqual((self.listed(), self.kept()), ([None, 1030.0], [1030.0]))

    def test_atTheEnd(self) -> None:
        """
        When the service stops the store is told.
        """
        self.ring.start()
        self.use()
        waitFor(self.ring.stop())
        self.assertEqual(self.kept(), [1000.0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_notStarted(self) -> None:
        """
        One that was never started has nothing to stop.
        """
        waitFor(self.ring.stop())

    def test_later(self) -> None:
        """
        What cannot be told to the store is told later, and a log line says so.
        """
        self.ring.start()
        self.use()
        self.store.down = True
        with capturedLogs() as events:
            self.clock.advance(60)
        self.assertEqual([event["log_format"] for event in events], ["the last use of API keys was not noted: {error}"])
        self.store.down = False
        self.clock.advance(60)
        self.assertEqual(self.kept(), [1000.0])
        waitFor(self.ring.stop())

    def test_broken(self) -> None:
        """
        A fault is logged in full, and the next minute comes all the same.
        """

        async def fail(used: object) -> None:
            raise ZeroDivisionError

        self.ring.start()
        self.use()
        self.patch(self.store, "touchKeys", fail)
        self.clock.advance(60)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        waitFor(self.ring.stop())

    def test_stale(self) -> None:
        """
        An earlier use than the store knows of does not turn its clock back.
        """
        waitFor(self.store.touchKeys({self.key.hash: 2000.0}))
        self.ring = KeyRing(self.store, self.clock, [])
        self.assertEqual(waitFor(self.ring.whose(self.secret)), attrs.evolve(self.key, lastUsed=2000.0))
        self.assertEqual(self.listed(), [2000.0])
