"""
L{vncproxy.api.microversion}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.api.microversion import (
    NEWEST,
    OLDEST,
    Microversion,
    VersionUnknown,
    requestedVersion,
    versionHeaders,
)
from vncproxy.errors import RequestError


class RequestedVersionTests(SynchronousTestCase):
    def test_silent(self) -> None:
        """
        A request that says nothing, or speaks of other services only, speaks the oldest version.
        """
        for new in ((), ("",), ("volume 3.50",), ("compute3 2.50, identity 3.1",)):
            self.assertEqual(requestedVersion(new, ()), OLDEST)

    def test_named(self) -> None:
        """
        Either header names the version; the newer header counts before the older one, and its last word before others.
        """
        table: list[tuple[tuple[str, ...], tuple[str, ...], Microversion]] = [
            (("compute 2.72",), (), Microversion(2, 72)),
            (("COMPUTE  2.72 ",), (), Microversion(2, 72)),
            ((), ("2.5",), Microversion(2, 5)),
            (("compute 2.72",), ("2.5",), Microversion(2, 72)),
            (("volume 3.0",), ("2.5",), Microversion(2, 5)),
            (("volume 3.0,compute 2.10",), (), Microversion(2, 10)),
            (("compute 2.10", "compute 2.11"), (), Microversion(2, 11)),
            (("compute latest",), (), NEWEST),
            ((), ("Latest",), NEWEST),
            ((f"compute {OLDEST}",), (), OLDEST),
            ((f"compute {NEWEST}",), (), NEWEST),
        ]
        for new, old, version in table:
            self.assertEqual(requestedVersion(new, old), version, (new, old))

    def test_order(self) -> None:
        """
        Versions are ordered by number, not as texts.
        """
        self.assertLess(Microversion(2, 6), Microversion(2, 31))

    def test_notServed(self) -> None:
        """
        A version outside those that are served is told with their bounds.
        """
        for text in ("2.0", "2.100", "1.9", "3.1", "9999.9999"):
            with self.assertRaisesRegex(VersionUnknown, f"^Version {text} .* Minimum is 2.1 and maximum is 2.99.$"):
                requestedVersion((f"compute {text}",), ())

    def test_malformed(self) -> None:
        """
        What is no version is a fault of the request.
        """
        for text in ("", "2", "2.", ".1", "2.01", "02.1", "2.1.1", "-2.1", "2.1x", "newest", "2.12345", "\u0662.1"):
            for new, old in (((f"compute {text}",), ()), ((), (text,))):
                error = self.assertRaises(RequestError, requestedVersion, new, old)
                self.assertEqual(error.httpStatus, 400)

    @given(st.lists(st.text()), st.lists(st.text()))
    def test_anything(self, new: list[str], old: list[str]) -> None:
        """
        Whatever a request says, it speaks a version that is served, or is refused.
        """
        try:
            version = requestedVersion(new, old)
        except RequestError:
            return
        self.assertTrue(OLDEST <= version <= NEWEST)

    @given(st.integers(1, 99))
    def test_roundTrip(self, minor: int) -> None:
        """
        What an answer says is understood as a request, in either header.
        """
        version = Microversion(2, minor)
        headers = versionHeaders(version)
        new, old = headers["OpenStack-API-Version"], headers["X-OpenStack-Nova-API-Version"]
        self.assertEqual(requestedVersion((new,), ()), version)
        self.assertEqual(requestedVersion((), (old,)), version)


class VersionHeadersTests(SynchronousTestCase):
    def test_agreed(self) -> None:
        """
        An answer names its version in both headers, and what caches must heed.
        """
        self.assertEqual(
            versionHeaders(Microversion(2, 31)),
            {
                "OpenStack-API-Version": "compute 2.31",
                "X-OpenStack-Nova-API-Version": "2.31",
                "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
            },
        )

    def test_none(self) -> None:
        """
        Where no version could be agreed on, none is named.
        """
        self.assertEqual(list(versionHeaders(None)), ["Vary"])
