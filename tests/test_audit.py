"""
The audit trail: the log, the queue, the store.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.apiworld import NOW, waitFor
from vncproxy import audit
from vncproxy.audit import AuditTrail, describe
from vncproxy.errors import TokensUnreachable
from vncproxy.interfaces import IAuditTrail
from vncproxy.model import AuditEntry, AuditEvent, AuditQuery, ConsoleType
from vncproxy.stores.memory import MemoryStore

ENDED = AuditEntry(
    AuditEvent.ENDED,
    key="portal",
    client="203.0.113.9",
    console="vm-1",
    consoleType=ConsoleType.NOVNC,
    frontend="web",
    session="s1",
    token="0123abcd",
    reason="viewer_closed",
    bytesIn=0,
    bytesOut=1_500_000,
    seconds=12.3456,
)


class FragileStore(MemoryStore):
    """
    A store that can be down, or slow.

    @ivar down: what it raises instead of keeping entries.
    @ivar gate: what keeping waits for.
    @ivar batches: how many entries came at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down: Exception | None = None
        self.gate: Deferred[None] | None = None
        self.batches: list[int] = []

    async def addAudit(self, entries: Sequence[AuditEntry]) -> None:
        """
        See L{IStore.addAudit<vncproxy.interfaces.IStore.addAudit>}.
        """
        self.batches.append(len(entries))
        if self.gate is not None:
            await self.gate
        if self.down is not None:
            raise self.down
        await super().addAudit(entries)

    async def purgeAudit(self, before: float) -> int:
        """
        See L{IStore.purgeAudit<vncproxy.interfaces.IStore.purgeAudit>}.
        """
        if self.down is not None:
            raise self.down
        return await super().purgeAudit(before)


class TrailCase(SynchronousTestCase):
    """
    A trail, its store, and what it logs.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.store = FragileStore()
        self.trail = AuditTrail(self.store, self.clock, "proxy-1", 90, makeTag=lambda: "feedf00d")
        logs = capturedLogs()
        self.events = logs.__enter__()
        self.addCleanup(logs.__exit__, None, None, None)

    def kept(self) -> Sequence[AuditEntry]:
        """
        What the store has, the newest first.
        """
        return waitFor(self.store.audit(AuditQuery(100_000)))

    def lines(self) -> list[dict[str, Any]]:
        """
        The lines in the log.
        """
        texts = [formatEvent(event) for event in self.events if event["log_namespace"] == "audit"]
        self.assertEqual([text for text in texts if "\n" in text], [])
        return [json.loads(text) for text in texts]

    def told(self) -> list[str]:
        """
        What else the log says.
        """
        return [formatEvent(event) for event in self.events if event["log_namespace"] != "audit"]


class NoteTests(TrailCase):
    """
    What becomes of an entry.
    """

    def test_interface(self) -> None:
        """
        It provides what it says.
        """
        self.assertTrue(verifyObject(IAuditTrail, self.trail))

    def test_line(self) -> None:
        """
        An entry is in the log at once, as one JSON object in one line, without what does not apply.
        """
        self.trail.note(ENDED)
        (line,) = self.lines()
        self.assertEqual(line.pop("id"), "000660b6b3588060-000001feedf00d")
        self.assertEqual(
            line,
            {
                "time": "2026-11-20T15:14:29.500000Z",
                "event": "ended",
                "key": "portal",
                "client": "203.0.113.9",
                "console": "vm-1",
                "type": "novnc",
                "frontend": "web",
                "session": "s1",
                "token": "0123abcd",
                "reason": "viewer_closed",
                "bytes_in": 0,
                "bytes_out": 1_500_000,
                "seconds": 12.346,
                "proxy": "proxy-1",
            },
        )

    def test_everyPart(self) -> None:
        """
        Every part of an entry has a name for programs.
        """
        whole = AuditEntry(*(AuditEvent.OPENED, "id", 1.0, "k", "c", "o", ConsoleType.NOVNC, "f", "s", "t", "u", "r"))
        self.assertEqual(len(describe(whole)), 12)
        self.assertEqual(set(audit._NAMES), {each.name for each in AuditEntry.__attrs_attrs__})

    def test_oneLine(self) -> None:
        """
        Nothing that an entry holds begins a line of its own.
        """
        self.trail.note(AuditEntry(AuditEvent.REFUSED, client="a\nb\r{c}\x1b"))
        self.assertEqual(self.lines()[0]["client"], "a\nb\r{c}\x1b")

    def test_gathered(self) -> None:
        """
        Entries come to the store in a moment, together and in their order, with the time at which they were noted.
        """
        for _ in range(3):
            self.trail.note(ENDED)
            self.clock.advance(0.05)
        self.assertEqual(self.store.batches, [])
        self.clock.advance(0.2)
        self.assertEqual(self.store.batches, [3])
        self.assertEqual([each.id[16:23] for each in self.kept()], ["-000003", "-000002", "-000001"])
        self.assertAlmostEqual(self.kept()[0].at, NOW + 0.1, 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flush(self) -> None:
        """
        What waits is written when somebody wants to read it; without anything nobody asks the store.
        """
        waitFor(self.trail.flush())
        self.trail.note(ENDED)
        waitFor(self.trail.flush())
        self.assertEqual((len(self.kept()), self.store.batches), (1, [1]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whileWriting(self) -> None:
        """
        What comes while the store is busy goes into the next batch, and a flush waits for that, too.
        """
        self.store.gate = gate = Deferred()
        self.trail.note(ENDED)
        self.clock.advance(1)
        self.trail.note(ENDED)
        self.trail.note(ENDED)
        flushing = Deferred.fromCoroutine(self.trail.flush())
        self.assertNoResult(flushing)
        self.store.gate = None
        gate.callback(None)
        self.successResultOf(flushing)
        self.assertEqual((len(self.kept()), self.store.batches), (3, [1, 2]))

    def test_batches(self) -> None:
        """
        However much waits, the store is given so much at a time.
        """
        for _ in range(1200):
            self.trail.note(ENDED)
        self.clock.advance(1)
        self.assertEqual((len(self.kept()), self.store.batches), (1200, [500, 500, 200]))

    def test_serial(self) -> None:
        """
        Of the entries of one moment no two have the same id.
        """
        for _ in range(50):
            self.trail.note(ENDED)
        self.assertEqual(len({line["id"] for line in self.lines()}), 50)


class StrangerTests(TrailCase):
    """
    Viewers whose tokens are not good.
    """

    def test_strangers(self) -> None:
        """
        Of those that come in crowds the store is given so many in a minute, the log all of them; what concerns a
        console is not counted among them.
        """
        self.clock.advance(60 - NOW % 60)
        stranger = AuditEntry(AuditEvent.REFUSED, client="203.0.113.9", reason="token_unknown")
        for _ in range(100):
            self.trail.note(stranger)
        self.trail.note(AuditEntry(AuditEvent.REFUSED, console="vm-1", reason="console_unreachable"))
        self.trail.note(ENDED)
        self.clock.advance(1)
        self.assertEqual((len(self.kept()), len(self.lines())), (62, 102))
        self.assertEqual(len(self.told()), 1)
        self.assertIn("many viewers without a good token", self.told()[0])
        self.clock.advance(59)
        self.trail.note(stranger)
        self.clock.advance(1)
        self.assertEqual((len(self.kept()), len(self.told())), (63, 1))


class OutageTests(TrailCase):
    """
    A store that is down.
    """

    def test_later(self) -> None:
        """
        What the store does not take is kept and tried again, and that is said once at each end.
        """
        self.store.down = TokensUnreachable("out of order")
        self.trail.note(ENDED)
        for _ in range(10):
            self.clock.advance(1)
            self.trail.note(ENDED)
        self.assertEqual(self.store.batches, [1, 6])
        self.assertEqual(self.told(), ["the audit trail waits for the store: out of order"])
        self.store.down = None
        self.clock.advance(5)
        self.assertEqual(len(self.kept()), 11)
        self.assertEqual(self.told()[1:], ["the audit trail is written again; 0 entries stand in the log only"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_full(self) -> None:
        """
        When the queue is full, what comes is in the log only: that is said at once, and how much when it is over.
        """
        self.patch(audit, "MOST_WAITING", 3)
        self.store.down = TokensUnreachable("out of order")
        for _ in range(5):
            self.trail.note(ENDED)
        self.clock.advance(1)
        self.assertEqual(len(self.lines()), 5)
        self.assertEqual(len([text for text in self.told() if "is full" in text]), 1)
        self.store.down = None
        self.clock.advance(5)
        self.assertEqual(len(self.kept()), 3)
        self.assertIn("the audit trail is written again; 2 entries stand in the log only", self.told())

    def test_broken(self) -> None:
        """
        A fault of the store is logged in full, once, and what it did not take is tried again.
        """
        self.store.down = ZeroDivisionError()
        self.trail.note(ENDED)
        self.clock.advance(1)
        self.clock.advance(5)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.store.down = None
        self.clock.advance(5)
        self.assertEqual(len(self.kept()), 1)


class StopTests(TrailCase):
    """
    The end, and what is too old.
    """

    def stop(self) -> Deferred[None]:
        """
        Stop, and see that nothing comes after.
        """
        return Deferred.fromCoroutine(self.trail.stop())

    def test_written(self) -> None:
        """
        At the end what waits is written.
        """
        self.trail.start()
        self.trail.note(ENDED)
        self.successResultOf(self.stop())
        self.assertEqual((len(self.kept()), self.told(), self.clock.getDelayedCalls()), (1, [], []))

    def test_down(self) -> None:
        """
        A store that is down keeps nobody, and the log says how much it lacks.
        """
        self.store.down = TokensUnreachable("out of order")
        self.trail.note(ENDED)
        self.successResultOf(self.stop())
        self.assertEqual(self.told()[-1], "1 entries of the audit trail stand in the log only")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silent(self) -> None:
        """
        A store that does not answer is waited for a few seconds.
        """
        self.store.gate = gate = Deferred()
        self.trail.note(ENDED)
        stopping = self.stop()
        self.clock.advance(4.9)
        self.assertNoResult(stopping)
        self.clock.advance(0.2)
        self.successResultOf(stopping)
        self.assertEqual(self.told()[-1], "1 entries of the audit trail stand in the log only")
        gate.callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pruned(self) -> None:
        """
        What is older than the days that are to be kept is forgotten, at the start and every hour.
        """
        self.trail.note(ENDED)
        self.clock.advance(90 * 86400 - 1)
        self.trail.start()
        self.addCleanup(self.stop)
        self.assertEqual(len(self.kept()), 1)
        self.clock.advance(3600)
        self.assertEqual(len(self.kept()), 0)

    def test_forEver(self) -> None:
        """
        With no number of days everything is kept.
        """
        self.trail = AuditTrail(self.store, self.clock, "proxy-1", 0)
        self.trail.note(ENDED)
        self.clock.advance(10_000 * 86400)
        self.trail.start()
        self.assertEqual((len(self.kept()), self.clock.getDelayedCalls()), (1, []))

    def test_notPruned(self) -> None:
        """
        Where the store is down the pruning comes an hour later, and the log says so; a fault is logged in full.
        """
        self.store.down = TokensUnreachable("out of order")
        self.trail.start()
        self.assertEqual(self.told(), ["the audit trail was not pruned: out of order"])
        self.store.down = ZeroDivisionError()
        self.clock.advance(3600)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.store.down = None
        self.successResultOf(self.stop())
