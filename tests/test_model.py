"""
Tests for L{vncproxy.model}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.model import (
    APIKey,
    AuditQuery,
    ConsoleType,
    EndReason,
    Grant,
    IssuedToken,
    Role,
    Target,
    TargetKind,
    ViewerFacts,
    formatMoment,
)


class SecretTests(SynchronousTestCase):
    """
    Values that hold secrets.
    """

    def test_silent(self) -> None:
        """
        No password, token or resume secret shows in what a log or a traceback prints of a value.
        """
        for value in (
            Target(TargetKind.VNC, "10.0.0.5", 5901, password="hush"),
            IssuedToken("hush", 0.0),
            ViewerFacts("web", ConsoleType.NOVNC, "203.0.113.9", token="hush", resume="hush"),
        ):
            self.assertNotIn("hush", f"{value!r} {value}")

    def test_tokenID(self) -> None:
        """
        A token is named by the first 8 digits of its hash.
        """
        self.assertEqual(Grant("0123456789abcdef", "vm", ConsoleType.NOVNC, 0.0).tokenID, "01234567")


class AuditTests(SynchronousTestCase):
    """
    The audit trail's ids, and which of them a query wants.
    """

    def test_moments(self) -> None:
        """
        Moments as texts have the order of time, and are of one length whatever they are.
        """
        moments = [-5.0, 0.0, 1e-6, 1.0, 1_795_187_669.5, 1_795_187_669.500001, 4e9, 1e30]
        texts = [formatMoment(moment) for moment in moments]
        self.assertEqual(texts, sorted(texts))
        self.assertEqual({len(text) for text in texts}, {16})
        self.assertEqual(len(set(texts)), len(texts) - 1)

    def test_bounds(self) -> None:
        """
        A query without bounds wants every id; of two upper bounds the lower one counts.
        """
        self.assertTrue(AuditQuery(1).lowest <= formatMoment(0.0) < formatMoment(1e30) + "-f" < AuditQuery(1).below)
        cursor = formatMoment(5.0) + "-000001"
        for query, below in (
            (AuditQuery(1, before=cursor), cursor),
            (AuditQuery(1, until=4.0), formatMoment(4.0)),
            (AuditQuery(1, until=4.0, before=cursor), formatMoment(4.0)),
            (AuditQuery(1, until=6.0, before=cursor), cursor),
        ):
            self.assertEqual((query.lowest, query.below), ("", below))
        self.assertEqual(AuditQuery(1, since=3.0).lowest, formatMoment(3.0))

    def test_silent(self) -> None:
        """
        Not even the hash of a key shows.
        """
        self.assertNotIn("hush", repr(APIKey("portal", "hush", Role.VIEWER)))


class EndReasonTests(SynchronousTestCase):
    """
    Endings.
    """

    def test_closeCodes(self) -> None:
        """
        An ending is normal, unless the console was lost, the viewer broke a rule, or the proxy is going.
        """
        codes = {reason.value: reason.closeCode for reason in EndReason if reason.closeCode != 1000}
        self.assertEqual(
            codes, {"console_lost": 1011, "unparseable": 1008, "console_unparseable": 1008, "draining": 1001}
        )

    def test_resumable(self) -> None:
        """
        Whom an operator or a rule has put out may not come back with a used token; all others may.
        """
        final = {reason.value for reason in EndReason if not reason.resumable}
        self.assertEqual(
            final,
            {
                "ended_by_operator",
                "unparseable",
                "session_expired",
                "session_too_long",
                "session_idle",
                "revoked",
                "console_unparseable",
            },
        )
