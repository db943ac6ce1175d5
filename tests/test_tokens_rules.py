"""
What a token is worth.
"""

from __future__ import annotations

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.errors import TokenError, TokenExpired, TokenUsed, TokenWrongAddress, TokenWrongType
from vncproxy.model import ConsoleType, Grant, Resume, TokenRecord, ViewerFacts
from vncproxy.tokens.rules import (
    MOST_RESUMES,
    abandoned,
    dead,
    ended,
    granted,
    redeemable,
    sameAddress,
    spend,
    undone,
)

_WINDOW = 60.0
_FRESH = TokenRecord(hash="f" * 64, consoleID="vm7", consoleType=ConsoleType.NOVNC, expires=1000.0)
_VIEWER = ViewerFacts(frontend="web", consoleType=ConsoleType.NOVNC, address="203.0.113.9", token="T")
_PROXIES = st.sampled_from(("", "p1", "p2"))


def _hash(number: int) -> str:
    return f"{number:064x}"


class SpendTests(SynchronousTestCase):
    """
    Tests for L{spend} and L{granted}.
    """

    def test_oneUse(self) -> None:
        """
        A token of one use is honoured once; the second viewer is told that it was used.
        """
        spent = spend(_FRESH, _VIEWER, 0, None)
        self.assertEqual(spent, attrs.evolve(_FRESH, usesLeft=0))
        self.assertEqual(granted(spent, None), Grant(_FRESH.hash, "vm7", ConsoleType.NOVNC, 1000.0, resumeHash=None))
        self.assertRaises(TokenUsed, spend, spent, _VIEWER, 1, None)

    def test_anyNumberOfUses(self) -> None:
        """
        A token without a number of uses is honoured until its time is over, and not at that moment.
        """
        record = attrs.evolve(_FRESH, usesLeft=None)
        self.assertEqual(spend(record, _VIEWER, 999.9, None), record)
        self.assertRaises(TokenExpired, spend, record, _VIEWER, 1000.0, None)

    def test_usedAndExpired(self) -> None:
        """
        Of a token that is both used up and expired, the viewer hears that it was used.
        """
        self.assertRaises(TokenUsed, spend, attrs.evolve(_FRESH, usesLeft=0), _VIEWER, 2000, None)

    def test_owner(self) -> None:
        """
        A grant tells whose token it was.
        """
        spent = spend(attrs.evolve(_FRESH, owner="portal"), _VIEWER, 0, None)
        self.assertEqual(granted(spent, None).owner, "portal")

    def test_wrongType(self) -> None:
        """
        A token for one kind of viewer is refused to another.
        """
        viewer = attrs.evolve(_VIEWER, consoleType=ConsoleType.XVPVNC)
        self.assertRaises(TokenWrongType, spend, _FRESH, viewer, 0, None)

    def test_pinned(self) -> None:
        """
        A pinned token is honoured from its address alone, however that is written.
        """
        record = attrs.evolve(_FRESH, clientAddress="203.0.113.9")
        for address in ("203.0.113.9", "::ffff:203.0.113.9"):
            spend(record, attrs.evolve(_VIEWER, address=address), 0, None)
        for address in ("203.0.113.10", "::1", "unix", ""):
            viewer = attrs.evolve(_VIEWER, address=address)
            self.assertRaises(TokenWrongAddress, spend, record, viewer, 0, None)

    def test_pinnedResume(self) -> None:
        """
        The right to resume lifts neither the pinned address nor the kind of viewer.
        """
        record = attrs.evolve(_FRESH, clientAddress="203.0.113.9", resumes=(Resume(_hash(1), 1),))
        elsewhere = attrs.evolve(_VIEWER, address="203.0.113.10")
        self.assertRaises(TokenWrongAddress, spend, record, elsewhere, 0, _hash(1))

    def test_resume(self) -> None:
        """
        The browser that spent the use comes back while its session is up and until the window ends, without spending
        anything; another browser does not.
        """
        spent = spend(_FRESH, _VIEWER, 0, _hash(1))
        first = granted(spent, _hash(1))
        self.assertEqual((first.resumeHash, first.resumed), (_hash(1), False))
        again = spend(spent, _VIEWER, 5, _hash(1))
        self.assertEqual(again.resumes, (Resume(_hash(1), 2),))
        self.assertTrue(granted(again, _hash(1)).resumed)
        idle = ended(ended(again, _hash(1), 10, _WINDOW), _hash(1), 20, _WINDOW)
        back = spend(idle, _VIEWER, 80, _hash(1))
        self.assertTrue(granted(back, _hash(1)).resumed)
        self.assertRaises(TokenUsed, spend, idle, _VIEWER, 80.1, _hash(1))
        self.assertRaises(TokenUsed, spend, idle, _VIEWER, 30, _hash(2))
        self.assertRaises(TokenUsed, spend, idle, _VIEWER, 30, None)

    def test_resumeAfterExpiry(self) -> None:
        """
        A browser with a session may come back though the token's own time is over.
        """
        spent = spend(_FRESH, _VIEWER, 0, _hash(1))
        self.assertTrue(granted(spend(spent, _VIEWER, 5000, _hash(1)), _hash(1)).resumed)

    def test_staleRightCostsAUse(self) -> None:
        """
        A browser whose window is over pays with a use like anyone else, and is bound anew, once.
        """
        record = attrs.evolve(_FRESH, resumes=(Resume(_hash(1), 0, 10.0),))
        spent = spend(record, _VIEWER, 11, _hash(1))
        self.assertEqual((spent.usesLeft, spent.resumes), (0, (Resume(_hash(1), 1),)))
        self.assertFalse(granted(spent, _hash(1)).resumed)

    def test_boundIsBounded(self) -> None:
        """
        When the token remembers its most browsers, the oldest without a session makes room, after all stale ones.
        """
        idle = Resume(_hash(3), 0, 100.0)
        live = tuple(Resume(_hash(each), 1) for each in range(100, 100 + MOST_RESUMES - 1))
        record = attrs.evolve(_FRESH, usesLeft=None, resumes=(*live, idle))
        full = spend(record, _VIEWER, 50, _hash(1))
        self.assertEqual(full.resumes, (*live, Resume(_hash(1), 1)))
        unbound = spend(full, _VIEWER, 50, _hash(2))
        self.assertEqual(unbound, full)
        self.assertIsNone(granted(unbound, _hash(2)).resumeHash)
        stale = attrs.evolve(_FRESH, resumes=(idle, Resume(_hash(4), 0, 40.0)))
        self.assertEqual(spend(stale, _VIEWER, 50, _hash(1)).resumes, (idle, Resume(_hash(1), 1)))

    def test_grantSaysWhatTheRecordSays(self) -> None:
        """
        A grant carries the console, the kind, the time and the view-only mark of its token.
        """
        record = attrs.evolve(_FRESH, viewOnly=True, expires=77.0)
        grant = granted(record, _hash(1))
        self.assertEqual(grant, Grant(_FRESH.hash, "vm7", ConsoleType.NOVNC, 77.0, viewOnly=True))


class EndTests(SynchronousTestCase):
    """
    Tests for L{ended}, L{undone} and L{abandoned}.
    """

    def test_lastSessionStartsTheWindow(self) -> None:
        """
        The window begins when the last session of the browser ends, and no earlier.
        """
        record = attrs.evolve(_FRESH, resumes=(Resume(_hash(1), 2), Resume(_hash(2), 1)))
        once = ended(record, _hash(1), 10, _WINDOW)
        self.assertEqual(once.resumes, (Resume(_hash(1), 1), Resume(_hash(2), 1)))
        twice = ended(once, _hash(1), 20, _WINDOW)
        self.assertEqual(twice.resumes, (Resume(_hash(1), 0, 80.0), Resume(_hash(2), 1)))

    def test_neverBelowNone(self) -> None:
        """
        An ending that is told twice does not count below no session.
        """
        record = attrs.evolve(_FRESH, resumes=(Resume(_hash(1), 0, 5.0),))
        self.assertEqual(ended(record, _hash(1), 10, _WINDOW).resumes[0].live, 0)

    def test_noWindowEndsTheRight(self) -> None:
        """
        With no window the browser is forgotten; others are not.
        """
        record = attrs.evolve(_FRESH, resumes=(Resume(_hash(1), 2), Resume(_hash(2), 1)))
        self.assertEqual(ended(record, _hash(1), 10, 0).resumes, (Resume(_hash(2), 1),))

    def test_unknownBrowser(self) -> None:
        """
        The end of a session whose browser is not remembered changes nothing.
        """
        self.assertIs(ended(_FRESH, _hash(1), 10, _WINDOW), _FRESH)

    def test_undoneGivesTheUseBack(self) -> None:
        """
        A redemption that reached nobody gives its use back where no browser was bound by it.
        """
        spent = spend(_FRESH, _VIEWER, 0, None)
        self.assertEqual(undone(spent, granted(spent, None), 1, _WINDOW), _FRESH)
        unlimited = attrs.evolve(_FRESH, usesLeft=None)
        self.assertEqual(undone(unlimited, granted(unlimited, None), 1, _WINDOW), unlimited)

    def test_undoneLeavesTheRight(self) -> None:
        """
        A redemption that reached nobody, but bound a browser, leaves it the right to come back.
        """
        spent = spend(_FRESH, _VIEWER, 0, _hash(1))
        record = undone(spent, granted(spent, _hash(1)), 5, _WINDOW)
        self.assertEqual((record.usesLeft, record.resumes), (0, (Resume(_hash(1), 0, 65.0),)))

    def test_abandoned(self) -> None:
        """
        After a restart those that had sessions may come back until the given time; for the others nothing changes.
        """
        idle = Resume(_hash(2), 0, 7.0)
        record = attrs.evolve(_FRESH, resumes=(Resume(_hash(1), 3), idle))
        self.assertEqual(abandoned(record, 90.0).resumes, (Resume(_hash(1), 0, 90.0), idle))
        quiet = attrs.evolve(_FRESH, resumes=(idle,))
        self.assertIs(abandoned(quiet, 90.0), quiet)


class ProxiesTests(SynchronousTestCase):
    """
    Several proxies, one store.
    """

    def test_resumeElsewhere(self) -> None:
        """
        A browser may come back to another proxy, which signs the session; where it has none any more is forgotten.
        """
        spent = spend(_FRESH, _VIEWER, 0, _hash(1), "p1")
        self.assertEqual(spent.resumes, (Resume(_hash(1), 1, proxy="p1"),))
        idle = ended(spent, _hash(1), 10, _WINDOW, "p1")
        back = spend(idle, _VIEWER, 70, _hash(1), "p2")
        self.assertEqual(back.resumes, (Resume(_hash(1), 1, 70.0, "p2"),))
        self.assertTrue(granted(back, _hash(1)).resumed)
        self.assertRaises(TokenUsed, spend, idle, _VIEWER, 71, _hash(1), "p2")

    def test_sessionsOnTwo(self) -> None:
        """
        A browser with sessions on two proxies keeps its right while either is up, and each ends its own.
        """
        neighbour = Resume(_hash(2), 1, proxy="p2")
        record = attrs.evolve(spend(_FRESH, _VIEWER, 0, _hash(1), "p1"))
        record = attrs.evolve(record, resumes=(*record.resumes, neighbour))
        both = spend(record, _VIEWER, 5, _hash(1), "p2")
        one, other = Resume(_hash(1), 1, proxy="p1"), Resume(_hash(1), 1, proxy="p2")
        self.assertEqual(both.resumes, (other, one, neighbour))
        self.assertTrue(granted(both, _hash(1)).resumed)
        self.assertIs(ended(both, _hash(1), 10, _WINDOW, "p3"), both)
        half = ended(both, _hash(1), 10, _WINDOW, "p1")
        self.assertEqual(half.resumes, (other, Resume(_hash(1), 0, 70.0, "p1"), neighbour))
        self.assertTrue(granted(spend(half, _VIEWER, 500, _hash(1), "p1"), _hash(1)).resumed)
        self.assertEqual(ended(both, _hash(1), 10, 0, "p1").resumes, (neighbour,))

    def test_abandonedHere(self) -> None:
        """
        What a restart ends are the sessions of that proxy alone.
        """
        record = spend(spend(_FRESH, _VIEWER, 0, _hash(1), "p1"), _VIEWER, 0, _hash(1), "p2")
        after = abandoned(record, 90.0, "p1")
        self.assertEqual(after.resumes, (Resume(_hash(1), 1, proxy="p2"), Resume(_hash(1), 0, 90.0, "p1")))
        self.assertIs(abandoned(after, 95.0, "p1"), after)
        self.assertIs(abandoned(record, 90.0), record)

    def test_undoneHere(self) -> None:
        """
        A redemption is taken back at the proxy that made it.
        """
        spent = spend(_FRESH, _VIEWER, 0, _hash(1), "p1")
        record = undone(spent, granted(spent, _hash(1)), 5, _WINDOW, "p1")
        self.assertEqual(record.resumes, (Resume(_hash(1), 0, 65.0, "p1"),))


class LookTests(SynchronousTestCase):
    """
    Tests for L{redeemable}, L{dead} and L{sameAddress}.
    """

    def test_redeemable(self) -> None:
        """
        Looking tells whether a use is left for this kind of viewer now.
        """
        self.assertTrue(redeemable(_FRESH, None, 0))
        self.assertTrue(redeemable(_FRESH, ConsoleType.NOVNC, 999))
        self.assertTrue(redeemable(attrs.evolve(_FRESH, usesLeft=None), None, 0))
        self.assertFalse(redeemable(_FRESH, ConsoleType.XVPVNC, 0))
        self.assertFalse(redeemable(_FRESH, None, 1000))
        self.assertFalse(redeemable(attrs.evolve(_FRESH, usesLeft=0), None, 0))

    def test_dead(self) -> None:
        """
        A record is dead when its time is over and nobody may resume; being used up does not kill it.
        """
        self.assertFalse(dead(attrs.evolve(_FRESH, usesLeft=0), 999))
        self.assertTrue(dead(_FRESH, 1000))
        self.assertFalse(dead(attrs.evolve(_FRESH, resumes=(Resume(_hash(1), 1),)), 10**9))
        lingering = attrs.evolve(_FRESH, resumes=(Resume(_hash(1), 0, 1060.0),))
        self.assertFalse(dead(lingering, 1060))
        self.assertTrue(dead(lingering, 1060.5))

    def test_sameAddress(self) -> None:
        """
        Addresses are compared by what they mean, other words as they stand.
        """
        for one, other, same in (
            ("10.0.0.1", "10.0.0.1", True),
            ("::ffff:10.0.0.1", "10.0.0.1", True),
            ("2001:DB8::0:1", "2001:db8::1", True),
            ("2001:db8::1", "2001:db8::2", False),
            ("unix", "unix", True),
            ("unix", "10.0.0.1", False),
        ):
            self.assertIs(sameAddress(one, other), same, (one, other))


class _Life(RuleBasedStateMachine):
    """
    Everything that can happen to one token, in any order, beside a naive count of who was let in.
    """

    grants = Bundle("grants")

    def __init__(self) -> None:
        super().__init__()
        self.uses = 2
        self.record = attrs.evolve(_FRESH, usesLeft=self.uses)
        self.now = 0.0
        self.admitted = 0
        self.up: dict[int, tuple[str, Grant]] = {}
        self.serial = 0

    @rule(target=grants, browser=st.none() | st.integers(0, 4), proxy=_PROXIES)
    def redeem(self, browser: int | None, proxy: str) -> int:
        self.serial += 1
        resumeHash = None if browser is None else _hash(browser)
        mayResume = any(
            each.hash == resumeHash and (each.live or self.now <= each.until) for each in self.record.resumes
        )
        try:
            self.record = spend(self.record, _VIEWER, self.now, resumeHash, proxy)
        except TokenError:
            assert not mayResume
            assert self.now >= self.record.expires or self.admitted >= self.uses
            return 0
        grant = granted(self.record, resumeHash)
        assert grant.resumed == mayResume
        if not grant.resumed:
            assert self.now < self.record.expires
            self.admitted += 1
        self.up[self.serial] = (proxy, grant)
        return self.serial

    @rule(grant=grants, window=st.sampled_from((0.0, _WINDOW)))
    def end(self, grant: int, window: float) -> None:
        proxy, ending = self.up.pop(grant, ("", None))
        if ending is not None and ending.resumeHash is not None:
            self.record = ended(self.record, ending.resumeHash, self.now, window, proxy)

    @rule(grant=grants)
    def undo(self, grant: int) -> None:
        proxy, undoing = self.up.pop(grant, ("", None))
        if undoing is not None:
            self.admitted -= undoing.resumeHash is None
            self.record = undone(self.record, undoing, self.now, _WINDOW, proxy)

    @rule(proxy=_PROXIES)
    def restart(self, proxy: str) -> None:
        self.up = {serial: up for serial, up in self.up.items() if up[0] != proxy}
        self.record = abandoned(self.record, self.now + _WINDOW, proxy)

    @rule(seconds=st.sampled_from((1.0, _WINDOW, _WINDOW + 1, 400.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def usesAreKept(self) -> None:
        assert self.record.usesLeft is not None
        assert 0 <= self.admitted <= self.uses
        assert self.record.usesLeft == self.uses - self.admitted
        assert len(self.record.resumes) <= MOST_RESUMES

    @invariant()
    def nobodyIsForgottenTooEarly(self) -> None:
        bound = {each.hash for each in self.record.resumes if each.live}
        assert len({(each.hash, each.proxy) for each in self.record.resumes}) == len(self.record.resumes)
        assert dead(self.record, self.now) <= (not bound and self.now >= self.record.expires)


class LifeTests(SynchronousTestCase):
    """
    The rules together.
    """

    def test_neverMoreThanItsUses(self) -> None:
        """
        Whatever happens in whatever order, viewers without the right to resume are never let in more often than the
        token has uses, and a browser with that right always is.
        """
        run_state_machine_as_test(_Life, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))
