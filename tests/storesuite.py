"""
What every store must do, whatever is underneath: one suite, mixed into one test case per store.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.errors import TokenExpired, TokensUnreachable, TokenUnknown, TokenUsed
from vncproxy.interfaces import IStore
from vncproxy.model import (
    APIKey,
    AuditEntry,
    AuditEvent,
    AuditQuery,
    Console,
    ConsoleType,
    Resume,
    Role,
    Target,
    TargetKind,
    TokenRecord,
    ViewerFacts,
    formatMoment,
)
from vncproxy.rights import matches
from vncproxy.stores.sqlite import SQLiteStore
from vncproxy.tokens.rules import spend

_T = TypeVar("_T")

VIEWER = ViewerFacts(frontend="web", consoleType=ConsoleType.NOVNC, address="10.0.0.9", token="T")


def console(consoleID: str, password: str | None = None) -> Console:
    """
    A console at an address of its own.
    """
    target = Target(TargetKind.VNC, host=f"{consoleID}.example", port=5900, password=password)
    return Console(consoleID, f"Name of {consoleID}", target)


def token(number: int, consoleID: str = "vm7", expires: float = 1000.0, uses: int | None = 1) -> TokenRecord:
    """
    A fresh token of a made-up hash.
    """
    return TokenRecord(f"{number:064x}", consoleID, ConsoleType.NOVNC, expires, usesLeft=uses)


def key(name: str, role: Role = Role.VIEWER, consoles: str | None = None) -> APIKey:
    """
    An API key of a made-up hash.
    """
    return APIKey(name, name.encode().hex().rjust(64, "0"), role, consoles, created=7.5)


def entry(number: int, consoleID: str = "", at: float = 1000.0) -> AuditEntry:
    """
    An entry of the audit trail; of those at the same moment a greater number is younger.
    """
    return AuditEntry(AuditEvent.OPENED, f"{formatMoment(at)}-{number:06x}", at, console=consoleID)


NOBODY = "0" * 64
"""
The hash of a token that no test adds.
"""

_HASHES = st.integers(0, 2**256 - 1).map("{:064x}".format)
_TIMES = st.floats(0, 4e9)
_RESUMES = st.builds(Resume, _HASHES, st.integers(0, 9), _TIMES, st.sampled_from(("", "p1", "p2")))
_TOKENS = st.builds(
    TokenRecord,
    hash=_HASHES.filter(lambda text: text != NOBODY),
    consoleID=st.text(st.characters(exclude_categories=("Cs",)), min_size=1),
    consoleType=st.sampled_from(ConsoleType),
    expires=_TIMES,
    usesLeft=st.none() | st.integers(0, 2**31),
    viewOnly=st.booleans(),
    clientAddress=st.none() | st.ip_addresses().map(str),
    resumes=st.lists(_RESUMES, max_size=4).map(tuple),
    owner=st.text(st.characters(exclude_categories=("Cs",))),
)
_WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=9)
_ENTRIES = st.builds(
    AuditEntry,
    st.sampled_from(AuditEvent),
    id=st.integers(0, 2**64 - 2).map("{:016x}".format),
    at=_TIMES,
    key=_WORDS,
    client=_WORDS,
    console=_WORDS,
    consoleType=st.none() | st.sampled_from(ConsoleType),
    session=_WORDS,
    reason=_WORDS,
    bytesIn=st.none() | st.integers(0, 2**60),
    seconds=st.none() | _TIMES,
)


class ThreadReactor:
    """
    As much of a reactor as a thread needs that gives results: its calls wait until the test makes them.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Any, tuple[Any, ...]]] = SimpleQueue()

    def callFromThread(self, function: Any, *args: Any) -> None:
        """
        Called in a thread.
        """
        self._calls.put((function, args))

    def runUntil(self, done: Deferred[Any]) -> None:
        """
        Make the calls that come from threads until C{done} has fired.
        """
        while not done.called:
            self.runOne()

    def runOne(self) -> None:
        """
        Make the next call that comes from a thread.
        """
        try:
            function, args = self._calls.get(timeout=10)
        except Empty:
            raise AssertionError("nothing came from the thread for 10 s") from None
        function(*args)


class StoreCase(SynchronousTestCase):
    """
    Asking stores that answer from threads, or at once.
    """

    def setUp(self) -> None:
        """
        Make what threads call.
        """
        self.reactor = ThreadReactor()

    def results(self, work: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        """
        Begin all of C{work} at once, wait for it, and give what each returned or raised.
        """
        begun = [Deferred.fromCoroutine(each) for each in work]
        settled = DeferredList(begun, consumeErrors=True)
        self.reactor.runUntil(settled)
        return [outcome if done else outcome.value for done, outcome in self.successResultOf(settled)]

    def result(self, work: Coroutine[Any, Any, _T]) -> _T:
        """
        What C{work} returns; what it raises is raised.
        """
        [outcome] = self.results([work])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome  # type: ignore[no-any-return]


class SQLiteCase(StoreCase):
    """
    Stores over one file.
    """

    def setUp(self) -> None:
        """
        Choose the file.
        """
        super().setUp()
        self.path = os.path.abspath(self.mktemp())

    def makeStore(self) -> SQLiteStore:
        """
        A store over the test's file, closed when the test ends.
        """
        store = SQLiteStore(self.path, self.reactor)  # type: ignore[arg-type]
        self.addCleanup(lambda: self.result(store.close()))
        return store

    def execute(self, *statements: str) -> None:
        """
        Do something to the file behind the store's back.
        """
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def hold(self, lock: str) -> sqlite3.Connection:
        """
        Lock the file as another process would, until C{ROLLBACK} or the end of the test.
        """
        holder = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(holder.close)
        holder.execute(f"BEGIN {lock}")
        return holder


if TYPE_CHECKING:
    _Case = StoreCase
else:
    # Not a test case by itself: trial would run it wherever it is imported.
    _Case = object


class StoreSuite(_Case):
    """
    The behaviour of L{IStore}, to be mixed into a L{StoreCase}.

    @ivar makeStore: gives a store that holds nothing.
    """

    makeStore: Callable[[], IStore]

    def setUp(self) -> None:
        """
        Make the store.
        """
        super().setUp()
        self.store = self.makeStore()
        self.result(self.store.open())

    def test_consoles(self) -> None:
        """
        A console is kept whole, password and all, and replaced by the next one of its id.
        """
        self.assertIsNone(self.result(self.store.console("a")))
        self.assertTrue(self.result(self.store.putConsole(console("a", "secret"))))
        self.assertEqual(self.result(self.store.console("a")), console("a", "secret"))
        moved = Console("a", "moved", Target(TargetKind.VNC_UNIX, path="/run/a b.sock"))
        self.assertFalse(self.result(self.store.putConsole(moved)))
        self.assertEqual(self.result(self.store.console("a")), moved)

    def test_consolesInOrder(self) -> None:
        """
        All consoles come ordered by id.
        """
        self.assertEqual(list(self.result(self.store.consoles())), [])
        for consoleID in ("b", "c", "a"):
            self.result(self.store.putConsole(console(consoleID)))
        listed = self.result(self.store.consoles())
        self.assertEqual([each.id for each in listed], ["a", "b", "c"])

    def test_deleteConsole(self) -> None:
        """
        A console goes with its tokens and with no one else's; deleting it again says that it was not there.
        """
        self.result(self.store.putConsole(console("vm7")))
        self.result(self.store.addToken(token(1)))
        self.result(self.store.addToken(token(2, consoleID="vm8")))
        self.assertTrue(self.result(self.store.deleteConsole("vm7")))
        self.assertFalse(self.result(self.store.deleteConsole("vm7")))
        self.assertIsNone(self.result(self.store.console("vm7")))
        self.assertIsNone(self.result(self.store.token(token(1).hash)))
        self.assertEqual(self.result(self.store.token(token(2).hash)), token(2, consoleID="vm8"))

    def test_tokens(self) -> None:
        """
        Whatever a token's record says, it comes back the same.
        """

        @settings(max_examples=25, deadline=None)
        @given(_TOKENS)
        def roundTrip(record: TokenRecord) -> None:
            self.result(self.store.addToken(record))
            self.assertEqual(self.result(self.store.token(record.hash)), record)

        roundTrip()
        self.assertIsNone(self.result(self.store.token(NOBODY)))

    def test_amend(self) -> None:
        """
        A rule's record takes the place of the old one, whichever of its fields differ.
        """
        self.result(self.store.addToken(token(1)))
        for changes in (
            {"usesLeft": 0, "resumes": (Resume("a" * 64, 1, 2.5),)},
            {"usesLeft": None},
            {"expires": 5.0, "viewOnly": True, "clientAddress": "::1", "consoleID": "vm8", "owner": "portal"},
        ):
            before = self.result(self.store.token(token(1).hash))
            assert before is not None
            after = attrs.evolve(before, **changes)  # type: ignore[arg-type]
            self.assertEqual(self.result(self.store.amendToken(before.hash, _always(after))), after)
            self.assertEqual(self.result(self.store.token(before.hash)), after)

    def test_amendUnknown(self) -> None:
        """
        There is nothing to amend under a hash that is not there, and the rule is not asked.
        """
        asked: list[TokenRecord] = []
        rule = asked.append
        self.assertRaises(TokenUnknown, self.result, self.store.amendToken(NOBODY, rule))  # type: ignore[arg-type]
        self.assertEqual(asked, [])

    def test_amendRefused(self) -> None:
        """
        What a rule raises reaches the caller, and the record stays.
        """
        self.result(self.store.addToken(token(1)))

        def refuse(record: TokenRecord) -> TokenRecord:
            raise TokenExpired("over")

        self.assertRaises(TokenExpired, self.result, self.store.amendToken(token(1).hash, refuse))
        self.assertEqual(self.result(self.store.token(token(1).hash)), token(1))

    def test_oneWins(self) -> None:
        """
        Of fifty who redeem a token of one use at the same time, exactly one succeeds.
        """
        self.result(self.store.addToken(token(1)))
        outcomes = self.results([self.store.amendToken(token(1).hash, spendOne) for _ in range(50)])
        won = [each for each in outcomes if isinstance(each, TokenRecord)]
        lost = [each for each in outcomes if isinstance(each, TokenUsed)]
        self.assertEqual((len(won), len(lost)), (1, 49))

    def test_neighboursAreSpared(self) -> None:
        """
        A rule that fails in whatever way spoils nothing for those that run beside it.
        """
        for number in (1, 2, 3):
            self.result(self.store.addToken(token(number)))

        def fail(record: TokenRecord) -> TokenRecord:
            raise ZeroDivisionError

        rules = (spendOne, fail, spendOne)
        outcomes = self.results(
            [self.store.amendToken(token(number).hash, rule) for number, rule in enumerate(rules, 1)]
        )
        self.assertIsInstance(outcomes[1], ZeroDivisionError)
        self.assertEqual([outcomes[0].usesLeft, outcomes[2].usesLeft], [0, 0])
        kept = self.results([self.store.token(token(number).hash) for number in (1, 2, 3)])
        self.assertEqual([each.usesLeft for each in kept], [0, 1, 0])

    def test_deleteTokens(self) -> None:
        """
        Revoking takes a console's tokens, counts them, and leaves the console and everyone else's.
        """
        self.result(self.store.putConsole(console("vm7")))
        for number in (1, 2):
            self.result(self.store.addToken(token(number)))
        self.result(self.store.addToken(token(3, consoleID="vm8")))
        self.assertEqual(self.result(self.store.deleteTokens("vm7")), 2)
        self.assertEqual(self.result(self.store.deleteTokens("vm7")), 0)
        self.assertIsNone(self.result(self.store.token(token(2).hash)))
        self.assertIsNotNone(self.result(self.store.token(token(3).hash)))
        self.assertIsNotNone(self.result(self.store.console("vm7")))

    def test_abandonSessions(self) -> None:
        """
        After a restart no browser has a session; those that had one may resume until the given time.
        """
        live, idle = Resume("a" * 64, 2), Resume("b" * 64, 0, 40.0)
        self.result(self.store.addToken(attrs.evolve(token(1), resumes=(live, idle))))
        self.result(self.store.addToken(attrs.evolve(token(2), resumes=(idle,))))
        self.result(self.store.addToken(token(3)))
        self.assertEqual(self.result(self.store.abandonSessions(90.0)), 1)
        kept = self.results([self.store.token(token(number).hash) for number in (1, 2)])
        self.assertEqual([each.resumes for each in kept], [(Resume("a" * 64, 0, 90.0), idle), (idle,)])
        self.assertEqual(self.result(self.store.abandonSessions(95.0)), 0)

    def test_abandonOwnSessions(self) -> None:
        """
        Where several proxies sign their sessions, a restart of one ends its own, and none of the others'.
        """
        mine, theirs = Resume("a" * 64, 1, proxy="p1"), Resume("a" * 64, 1, proxy="p2")
        self.result(self.store.addToken(token(1)))
        self.result(self.store.amendToken(token(1).hash, _always(attrs.evolve(token(1), resumes=(mine, theirs)))))
        self.result(self.store.addToken(attrs.evolve(token(2), resumes=(theirs,))))
        self.assertEqual(self.result(self.store.abandonSessions(90.0)), 0)
        self.assertEqual(self.result(self.store.abandonSessions(90.0, "p1")), 1)
        self.assertEqual(self.result(self.store.abandonSessions(95.0, "p1")), 0)
        kept = self.results([self.store.token(token(number).hash) for number in (1, 2)])
        idle = attrs.evolve(mine, live=0, until=90.0)
        self.assertEqual([each.resumes for each in kept], [(idle, theirs), (theirs,)])

    def test_purge(self) -> None:
        """
        Purging forgets what nobody can redeem at that moment, and only that.
        """
        for record in (
            token(1, expires=50.0),
            token(2, expires=51.0),
            attrs.evolve(token(3, expires=1.0), resumes=(Resume("a" * 64, 1),)),
            attrs.evolve(token(4, expires=1.0), resumes=(Resume("a" * 64, 0, 50.0),)),
            attrs.evolve(token(5, expires=1.0), resumes=(Resume("a" * 64, 0, 49.0),)),
            token(6, expires=99.0, uses=0),
        ):
            self.result(self.store.addToken(record))
        self.assertEqual(self.result(self.store.purge(50.0)), 2)
        kept = self.results([self.store.token(token(number).hash) for number in range(1, 7)])
        self.assertEqual([each is not None for each in kept], [False, True, True, True, False, True])

    def test_keys(self) -> None:
        """
        A key is found by its hash, and listed by its name; once removed it is neither.
        """
        kept = [key("a", Role.ADMIN), key("b", consoles="vm-*")]
        for each in reversed(kept):
            self.assertTrue(self.result(self.store.addKey(each)))
        self.assertEqual(self.result(self.store.key(kept[1].hash)), kept[1])
        self.assertIsNone(self.result(self.store.key(NOBODY)))
        self.assertEqual(list(self.result(self.store.keys())), kept)
        self.assertTrue(self.result(self.store.deleteKey("a")))
        self.assertFalse(self.result(self.store.deleteKey("a")))
        self.assertIsNone(self.result(self.store.key(kept[0].hash)))
        self.assertEqual(list(self.result(self.store.keys())), kept[1:])

    def test_keyNames(self) -> None:
        """
        Of those who add a key of one name at the same time one succeeds, and no other takes its place later.
        """
        rivals = [attrs.evolve(key("a"), hash=f"{number:064x}") for number in range(1, 6)]
        outcomes = self.results([self.store.addKey(each) for each in rivals])
        self.assertEqual(sorted(outcomes), [False] * 4 + [True])
        self.assertEqual(list(self.result(self.store.keys())), [rivals[outcomes.index(True)]])
        self.assertFalse(self.result(self.store.addKey(attrs.evolve(key("a"), hash="f" * 64))))
        self.assertIsNone(self.result(self.store.key("f" * 64)))

    def test_touchKeys(self) -> None:
        """
        The last use of a key only moves forward; a key that is gone does not come back by it.
        """
        self.result(self.store.addKey(key("a")))
        for at, known in ((20.0, 20.0), (10.0, 20.0), (30.0, 30.0)):
            self.result(self.store.touchKeys({key("a").hash: at, NOBODY: at}))
            self.assertEqual(list(self.result(self.store.keys())), [attrs.evolve(key("a"), lastUsed=known)])

    def test_audit(self) -> None:
        """
        Whatever an entry says, it comes back the same.
        """

        @settings(max_examples=25, deadline=None)
        @given(_ENTRIES)
        def roundTrip(each: AuditEntry) -> None:
            self.result(self.store.purgeAudit(1e14))
            self.result(self.store.addAudit([each]))
            self.assertEqual(list(self.result(self.store.audit(AuditQuery(9)))), [each])

        roundTrip()

    def test_auditAgain(self) -> None:
        """
        An entry that is written again changes nothing; without entries nothing is written.
        """
        self.result(self.store.addAudit([]))
        self.result(self.store.addAudit([entry(1), entry(2)]))
        self.result(self.store.addAudit([entry(2), entry(3)]))
        self.assertEqual(list(self.result(self.store.audit(AuditQuery(9)))), [entry(3), entry(2), entry(1)])

    def test_auditQueries(self) -> None:
        """
        The newest entries that are wanted come, the newest first, by time, console, pattern and place.
        """
        trail = [
            entry(1, "vm-1", at=10.0),
            entry(2, "vm-2", at=20.0),
            entry(3, "", at=20.0),
            entry(4, "rack-1", at=30.0),
            entry(5, "vm-1", at=40.0),
        ]
        self.result(self.store.addAudit(trail[::2]))
        self.result(self.store.addAudit(trail[1::2]))
        for query, numbers in (
            (AuditQuery(9), "54321"),
            (AuditQuery(2), "54"),
            (AuditQuery(2, before=trail[3].id), "32"),
            (AuditQuery(9, since=20.0), "5432"),
            (AuditQuery(9, until=20.0), "1"),
            (AuditQuery(9, since=20.0, until=40.0), "432"),
            (AuditQuery(9, until=20.0, before=trail[4].id), "1"),
            (AuditQuery(9, until=40.0, before=trail[1].id), "1"),
            (AuditQuery(9, console="vm-1"), "51"),
            (AuditQuery(1, console="vm-1", before=trail[4].id), "1"),
            (AuditQuery(9, console="vm-*"), ""),
            (AuditQuery(9, consoles="vm-*"), "521"),
            (AuditQuery(9, consoles="*"), "54321"),
            (AuditQuery(1, consoles="?m-?", since=15.0, until=35.0), "2"),
            (AuditQuery(9, console="rack-1", consoles="vm-*"), ""),
        ):
            found = self.result(self.store.audit(query))
            self.assertEqual(list(found), [trail[int(number) - 1] for number in numbers], query)

    def test_auditPatterns(self) -> None:
        """
        A pattern means to every store what it means to the rules.
        """
        ids = ["", "a", "ab", "aab", "b.a", "a-b", "abab", "A"]
        self.result(self.store.addAudit([entry(number, each) for number, each in enumerate(ids)]))
        for pattern in ("*", "?", "a*", "*b", "a*b", "*a*b*", "a?b", "??", "A", "**", "a.b", "*?b", "~"):
            found = {each.console for each in self.result(self.store.audit(AuditQuery(99, consoles=pattern)))}
            self.assertEqual(found, {each for each in ids if matches(pattern, each)}, pattern)

    def test_purgeAudit(self) -> None:
        """
        Purging the trail forgets what is older than a moment, and counts it.
        """
        self.result(self.store.addAudit([entry(1, at=10.0), entry(2, at=20.0), entry(3, at=30.0)]))
        self.assertEqual(self.result(self.store.purgeAudit(20.0)), 1)
        self.assertEqual(self.result(self.store.purgeAudit(20.0)), 0)
        found = self.result(self.store.audit(AuditQuery(9)))
        self.assertEqual([each.at for each in found], [30.0, 20.0])

    def test_afterClosing(self) -> None:
        """
        A closed store refuses everything, and may be closed again.
        """
        self.result(self.store.close())
        self.result(self.store.close())
        for work in (
            self.store.open(),
            self.store.putConsole(console("a")),
            self.store.console("a"),
            self.store.consoles(),
            self.store.deleteConsole("a"),
            self.store.addToken(token(1)),
            self.store.token("a"),
            self.store.amendToken("a", spendOne),
            self.store.deleteTokens("a"),
            self.store.abandonSessions(0.0),
            self.store.purge(0.0),
            self.store.addKey(key("a")),
            self.store.key("a"),
            self.store.keys(),
            self.store.deleteKey("a"),
            self.store.touchKeys({"a": 1.0}),
            self.store.addAudit([entry(1)]),
            self.store.audit(AuditQuery(1)),
            self.store.purgeAudit(0.0),
        ):
            self.assertRaises(TokensUnreachable, self.result, work)


def _always(record: TokenRecord) -> Callable[[TokenRecord], TokenRecord]:
    return lambda old: record


def spendOne(record: TokenRecord) -> TokenRecord:
    """
    The rule of a viewer that comes at the beginning of time.
    """
    return spend(record, VIEWER, 0.0, None)
