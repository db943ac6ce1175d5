"""
L{vncproxy.tokens.keystone}.
"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from tests.openstackstub import CREDENTIAL, PASSWORD, PROJECT, SECRET, USER, MemoryAgent, OpenStackStub
from vncproxy.config import NovaSection
from vncproxy.errors import TokensUnreachable
from vncproxy.tokens.jsonhttp import JSONClient, JSONReply
from vncproxy.tokens.keystone import Access, FixedCloud, Keystone, findEndpoint, readLogin, versioned

NOW = 1_795_187_669.0

SETTINGS = NovaSection(auth_url="http://cloud/v3", username=USER, project_name=PROJECT)
LOGIN = "POST /v3/auth/tokens"


def branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """
    Lists and tables of what is given, with the names that a catalog has.
    """
    names = st.sampled_from(["catalog", "endpoints", "type", "url", "interface", "region", "expires_at"])
    words = st.sampled_from(["compute", "public", "https://nova/v2.1"])
    return st.lists(inner | words, max_size=3) | st.dictionaries(names, inner | words)


class KeystoneTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.stub = OpenStackStub(self.clock, "http://cloud")
        self.agent = MemoryAgent(self.stub, self.clock)
        self.cloud = self.make(SETTINGS, PASSWORD)

    def make(self, settings: NovaSection, secret: str) -> Keystone:
        """
        A cloud to be logged in to.
        """
        return Keystone(JSONClient(self.agent), self.clock, settings, secret, 5)

    def asking(self) -> Deferred[Access]:
        """
        Somebody who wants access.
        """
        return Deferred.fromCoroutine(self.cloud.access())

    def cause(self) -> str:
        """
        Why there is no access.
        """
        return self.failureResultOf(self.asking(), TokensUnreachable).getErrorMessage()

    def test_password(self) -> None:
        """
        A user logs in with a password, to the compute API of the catalog.
        """
        access = self.successResultOf(self.asking())
        self.assertEqual(access, Access("login-1", "http://cloud/v2.1", NOW + 3540))
        self.assertNotIn("login-1", repr(access))

    def test_credential(self) -> None:
        """
        So does an application credential.
        """
        settings = NovaSection(auth_url="http://cloud", application_credential_id=CREDENTIAL)
        self.cloud = self.make(settings, SECRET)
        self.assertEqual(self.successResultOf(self.asking()).endpoint, "http://cloud/v2.1")

    def test_paths(self) -> None:
        """
        Keystone is found with its version in the URL and without, and below a path.
        """
        for url, path in (
            ("http://cloud", "/v3/auth/tokens"),
            ("http://cloud/v3/", "/v3/auth/tokens"),
            ("http://cloud/identity", "/identity/v3/auth/tokens"),
            ("http://cloud/identity/v3", "/identity/v3/auth/tokens"),
        ):
            self.cloud = self.make(msgspec.structs.replace(SETTINGS, auth_url=url), PASSWORD)
            self.asking().addErrback(lambda failure: None)
            self.assertEqual(self.stub.asked[-1], f"POST {path}")

    def test_kept(self) -> None:
        """
        A login is kept until shortly before its end, or until it is found to be none; then there is a new one.
        """
        first = self.successResultOf(self.asking())
        self.clock.advance(3539)
        self.assertIs(self.successResultOf(self.asking()), first)
        self.clock.advance(1)
        second = self.successResultOf(self.asking())
        self.assertNotEqual(second.token, first.token)
        self.cloud.forget(first)
        self.assertIs(self.successResultOf(self.asking()), second)
        self.cloud.forget(second)
        self.assertNotEqual(self.successResultOf(self.asking()).token, second.token)
        self.assertEqual(self.stub.asked, [LOGIN] * 3)

    def test_shared(self) -> None:
        """
        All who wait, wait for one login; one who goes does not take the others along.
        """
        self.stub.silent = True
        asking = [self.asking() for _ in range(3)]
        asking[1].cancel()
        self.failureResultOf(asking[1])
        self.assertEqual((self.stub.asked, self.agent.cancelled), ([LOGIN], 0))
        self.clock.advance(5)
        for each in (asking[0], asking[2]):
            self.assertIn("no login", self.failureResultOf(each, TokensUnreachable).getErrorMessage())
        self.assertEqual(self.agent.cancelled, 1)
        self.stub.silent = False
        self.successResultOf(self.asking())

    def test_stop(self) -> None:
        """
        A login that is under way is given up at the end; without one there is nothing to give up.
        """
        self.cloud.stop()
        self.stub.silent = True
        asking = self.asking()
        self.cloud.stop()
        self.failureResultOf(asking, TokensUnreachable)
        self.assertEqual((self.agent.cancelled, self.clock.getDelayedCalls()[1:]), (1, []))

    def test_refused(self) -> None:
        """
        A wrong password is told as what it is, and nothing of it; the next one who asks tries again.
        """
        self.cloud = self.make(SETTINGS, "wrong-sesame")
        for _ in range(2):
            words = self.cause()
            self.assertIn("refuses our user", words)
            self.assertNotIn("wrong-sesame", words)
        self.assertEqual(self.stub.asked, [LOGIN] * 2)

    def test_unreachable(self) -> None:
        """
        A Keystone that does not answer is named.
        """
        self.agent.fault = OSError(111, "Connection refused")
        self.assertEqual(self.cause(), "Keystone: Connection refused")

    def test_region(self) -> None:
        """
        The catalog may hold several regions and interfaces; one that it does not hold is told.
        """
        for settings, endpoint in (
            ({"region_name": "RegionTwo"}, "http://nowhere.invalid/v2.1"),
            ({"interface": "internal"}, "http://nowhere.invalid/v2.1"),
            ({"region_name": "RegionOne"}, "http://cloud/v2.1"),
            ({"endpoint_override": "http://other:8774/", "region_name": "RegionNine"}, "http://other:8774/v2.1"),
        ):
            self.cloud = self.make(msgspec.structs.replace(SETTINGS, **settings), PASSWORD)
            self.assertEqual(self.successResultOf(self.asking()).endpoint, endpoint)
        self.cloud = self.make(msgspec.structs.replace(SETTINGS, region_name="RegionNine", interface="admin"), PASSWORD)
        self.assertIn("no admin compute API in the region RegionNine", self.cause())
        self.cloud = self.make(msgspec.structs.replace(SETTINGS, interface="admin"), PASSWORD)
        self.assertIn("no admin compute API: ", self.cause())


class ReadLoginTests(SynchronousTestCase):
    def read(self, status: int, value: Any, token: str | None = "t") -> Access:
        """
        What an answer gives.
        """
        headers = Headers({} if token is None else {"X-Subject-Token": [token]})
        return readLogin(JSONReply(status, headers, value), SETTINGS, NOW)

    def good(self, **changes: Any) -> dict[str, Any]:
        """
        A good answer, changed.
        """
        endpoint = {"interface": "public", "region": "R", "url": "https://nova/v2.1"}
        catalog = [{"type": "compute", "endpoints": [endpoint]}]
        return {"token": {"expires_at": "2026-11-20T16:14:29.000000Z", "catalog": catalog, **changes}}

    def test_end(self) -> None:
        """
        The end of a login is what it says; one that does not say it is used once.
        """
        for text, until in (
            ("2026-11-20T16:14:29.000000Z", NOW + 3540),
            ("2026-11-20T16:14:29+00:00", NOW + 3540),
            ("2026-11-20T16:14:29", NOW - 60),
            ("never", NOW - 60),
            (None, NOW - 60),
        ):
            self.assertEqual(self.read(201, self.good(expires_at=text)).until, until)

    def test_nonsense(self) -> None:
        """
        Whatever else an answer holds, it is no login.
        """
        for status, value, token in (
            (500, self.good(), "t"),
            (300, self.good(), "t"),
            (403, self.good(), "t"),
            (201, self.good(), None),
            (201, self.good(), ""),
            (201, None, "t"),
            (201, [], "t"),
            (201, {"token": None}, "t"),
            (201, self.good(catalog=None), "t"),
            (201, self.good(catalog=[1, {}, {"type": "compute"}, {"type": "compute", "endpoints": [1]}]), "t"),
        ):
            self.assertRaises(TokensUnreachable, self.read, status, value, token)

    @given(st.recursive(st.none() | st.text() | st.integers(), branches, max_leaves=12))
    def test_anything(self, value: Any) -> None:
        """
        Whatever Keystone answers, it is a login with a URL, or it is refused.
        """
        for told in (value, {"token": value}, self.good(catalog=value)):
            try:
                access = self.read(201, told)
            except TokensUnreachable:
                continue
            self.assertRegex(access.endpoint, r"\Ahttps?://[!-~]+\Z")

    def test_endpoints(self) -> None:
        """
        An endpoint is found by either name of its region, and none that is no URL.
        """

        def find(wanted: str | None, **endpoint: Any) -> str | None:
            entry = {"interface": "public", "url": "http://n/", **endpoint}
            return findEndpoint({"catalog": [{"type": "compute", "endpoints": [entry]}]}, wanted, "public")

        self.assertEqual(find("R", region="R"), "http://n/")
        self.assertEqual(find("R", region_id="R", region="other"), "http://n/")
        self.assertIsNone(find("R"))
        for url in (None, "", "ftp://n/", "http://n/\r\nX: y", "http://n/ü"):
            self.assertIsNone(find(None, url=url))

    def test_versioned(self) -> None:
        """
        A compute API is asked in its version 2.1, or in the one that it names.
        """
        for url, whole in (
            ("http://n", "http://n/v2.1"),
            ("http://n/compute/", "http://n/compute/v2.1"),
            ("http://n/v2.1/", "http://n/v2.1"),
            ("http://n/compute/v2.1/project", "http://n/compute/v2.1/project"),
            ("http://n/v2/x", "http://n/v2/x"),
            ("http://v2.example", "http://v2.example/v2.1"),
        ):
            self.assertEqual(versioned(url), whole)


class FixedCloudTests(SynchronousTestCase):
    def test_fixed(self) -> None:
        """
        A token that never ends is what it is, whatever becomes of it.
        """
        access = Access("t", "http://n/v2.1", float("inf"))
        cloud = FixedCloud(access)
        cloud.forget(access)
        cloud.stop()
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(cloud.access())), access)
