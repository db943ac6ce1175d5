"""
Tests for L{vncproxy.model}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.model import ConsoleType, EndReason, Grant, IssuedToken, Target, TargetKind, ViewerFacts


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
