"""
L{vncproxy.tokens.nova}, against as much of a cloud as it meets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from zope.interface.verify import verifyObject

from tests.openstackstub import CONSOLE, CREDENTIAL, PASSWORD, PROJECT, TOKEN, USER, MemoryAgent, OpenStackStub
from vncproxy.config import NovaSection
from vncproxy.errors import ConfigError, ConsoleBroken, TokensUnreachable, TokenUnknown
from vncproxy.interfaces import ITokenSource
from vncproxy.model import Console, ConsoleType, Grant, Target, TargetKind, ViewerFacts
from vncproxy.targets import isHost
from vncproxy.tokens.jsonhttp import JSONClient, JSONReply
from vncproxy.tokens.keystone import Access, FixedCloud, Keystone
from vncproxy.tokens.nova import NovaSource, makeNovaSource, readConsole

NOW = 1_795_187_669.0

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*CONSOLE, "console", "x"]), inner),
    max_leaves=8,
)
LOOK = f"GET /v2.1/os-console-auth-tokens/{TOKEN}"
LOGIN = "POST /v3/auth/tokens"


class NovaSourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.stub = OpenStackStub(self.clock, "http://cloud")
        self.agent = MemoryAgent(self.stub, self.clock)
        settings = NovaSection(auth_url="http://cloud/v3", username=USER, project_name=PROJECT)
        client = JSONClient(self.agent)
        self.source = NovaSource(Keystone(client, self.clock, settings, PASSWORD, 5), client, self.clock)

    def redeeming(self, token: str = TOKEN, kind: ConsoleType = ConsoleType.NOVNC) -> Deferred[Grant]:
        """
        A viewer who shows a token.
        """
        facts = ViewerFacts("web", kind, "203.0.113.9", token, resume="r" * 43)
        return Deferred.fromCoroutine(self.source.redeemToken(facts))

    def cause(self) -> str:
        """
        Why nova cannot say.
        """
        words = self.failureResultOf(self.redeeming(), TokensUnreachable).getErrorMessage()
        self.assertNotIn(TOKEN, words)
        return words

    def test_interface(self) -> None:
        """
        It is a token source.
        """
        verifyObject(ITokenSource, self.source)

    def test_redeem(self) -> None:
        """
        A token leads where nova says, as often as one likes, for the viewer that shows it; nothing is to be resumed.
        """
        for kind in ConsoleType:
            grant = self.successResultOf(self.redeeming(kind=kind))
            target = Target(TargetKind.VNC, host="10.0.0.5", port=5901)
            self.assertEqual(grant.console, Console("vm-1", "vm-1", target))
            self.assertEqual((grant.consoleID, grant.consoleType, grant.resumeHash), ("vm-1", kind, None))
            self.assertGreater(grant.expires, NOW + 365 * 86400)
        self.assertEqual(self.stub.asked, [LOGIN, LOOK, LOOK])

    def test_check(self) -> None:
        """
        A look says the same, and nothing of a token that is none.
        """
        grant = self.successResultOf(Deferred.fromCoroutine(self.source.checkToken(TOKEN)))
        self.assertEqual(grant, self.successResultOf(self.redeeming()))
        for token in ("x", "0" * 36):
            self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(self.source.checkToken(token))))

    def test_unknown(self) -> None:
        """
        A token that nova does not know is unknown. One that could be none of nova's is not asked for.
        """
        self.failureResultOf(self.redeeming("0" * 36), TokenUnknown)
        asked = len(self.stub.asked)
        for token in ("", "short", "../../servers/detail", "a" * 256, "ä" * 36, "1fbb6f84-9c03-4c9b-b68e-4cdb56ea5a4?"):
            self.failureResultOf(self.redeeming(token), TokenUnknown)
        self.assertEqual(len(self.stub.asked), asked)

    def test_renewed(self) -> None:
        """
        A login that is over is renewed, and the token asked for once more.
        """
        self.successResultOf(self.redeeming())
        self.stub.valid.clear()
        self.successResultOf(self.redeeming())
        self.assertEqual(self.stub.asked, [LOGIN, LOOK, LOOK, LOGIN, LOOK])

    def test_renewedOnce(self) -> None:
        """
        It is not asked for a third time.
        """
        self.stub.instead = (401, {})
        self.assertIn("does not take our login", self.cause())
        self.assertEqual(self.stub.asked, [LOGIN, LOOK, LOGIN, LOOK])

    def test_notAdmin(self) -> None:
        """
        A user who may not look is told as such.
        """
        self.stub.admin = False
        self.assertIn("only administrators", self.cause())

    def test_faults(self) -> None:
        """
        Whatever else nova answers, it cannot say.
        """
        for status, body, words in (
            (500, {"computeFault": {}}, "status 500"),
            (503, b"<html>", "status 503"),
            (302, {}, "status 302"),
            (400, {"badRequest": {}}, "status 400"),
            (404, b"404 page not found", "no compute API"),
            (404, {"message": "Not Found"}, "no compute API"),
            (406, {"computeFault": {}}, "too old"),
            (200, b"welcome", "no console"),
            (200, {"console": None}, "no console"),
        ):
            self.stub.instead = (status, body)
            self.assertIn(words, self.cause())

    def test_unreachable(self) -> None:
        """
        A nova that does not answer is named, and the way back is open.
        """
        self.successResultOf(self.redeeming())
        self.agent.fault = OSError(111, "Connection refused")
        self.assertEqual(self.cause(), "nova: Connection refused")
        self.agent.fault = None
        self.successResultOf(self.redeeming())

    def test_cancelled(self) -> None:
        """
        Whoever waits too long is let go, and the request with it.
        """
        self.successResultOf(self.redeeming())
        self.stub.silent = True
        redeeming = self.redeeming()
        redeeming.cancel()
        self.failureResultOf(redeeming)
        self.assertEqual(self.agent.cancelled, 1)

    def test_connect(self) -> None:
        """
        A console that is reached by CONNECT is refused in words; a look says nothing of it.
        """
        self.stub.consoles[TOKEN] = {**CONSOLE, "internal_access_path": "/console?ref=1&session_id=2"}
        words = self.failureResultOf(self.redeeming(), ConsoleBroken).getErrorMessage()
        self.assertIn("vm-1 is reached by CONNECT", words)
        self.assertNotIn("session_id", words)
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(self.source.checkToken(TOKEN))))

    def test_stop(self) -> None:
        """
        At the end nothing is under way any more.
        """
        self.stub.silent = True
        redeeming = self.redeeming()
        self.successResultOf(Deferred.fromCoroutine(self.source.stop()))
        self.failureResultOf(redeeming, TokensUnreachable)


class ReadConsoleTests(SynchronousTestCase):
    def read(self, **changes: Any) -> Console:
        """
        The console of an answer that is changed.
        """
        return readConsole(JSONReply(200, Headers(), {"console": {**CONSOLE, **changes}}))

    def test_good(self) -> None:
        """
        A port may be a number or a text of one, a path that is empty is none, and a key that is new does not matter.
        """
        for changes in ({}, {"port": "5901"}, {"internal_access_path": ""}, {"tls_port": None}):
            target = self.read(**changes).target
            self.assertEqual((target.host, target.port), ("10.0.0.5", 5901))

    def test_nonsense(self) -> None:
        """
        What could not be dialled is no console.
        """
        for changes in (
            {"port": 0},
            {"port": 65536},
            {"port": None},
            {"port": "5901x"},
            {"port": -1},
            {"port": 59.5},
            {"host": ""},
            {"host": None},
            {"host": "a b"},
            {"host": "h/x"},
            {"instance_uuid": None},
        ):
            self.assertRaises(TokensUnreachable, self.read, **changes)

    @given(JSON)
    def test_anything(self, value: Any) -> None:
        """
        Whatever nova answers, it is a console that can be dialled, or it is refused.
        """
        for told in (value, {"console": value}, {"console": {**CONSOLE, **(value if isinstance(value, dict) else {})}}):
            try:
                console = readConsole(JSONReply(200, Headers(), told))
            except (TokensUnreachable, ConsoleBroken):
                continue
            self.assertTrue(0 < console.target.port < 65536 and isHost(console.target.host))


class MakeNovaSourceTests(SynchronousTestCase):
    def secret(self, text: str) -> str:
        """
        A file with a secret.
        """
        path = Path(self.mktemp())
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def make(self, **settings: Any) -> NovaSource:
        """
        The source of a configuration.
        """
        return makeNovaSource(MemoryReactorClock(), NovaSection(**settings), 5)

    def test_fixed(self) -> None:
        """
        A token in a file is used where the configuration says, as it is.
        """
        source = self.make(endpoint_override="https://nova:8774", token_file=self.secret("sesame\n"))
        self.assertEqual(source._cloud, FixedCloud(Access("sesame", "https://nova:8774/v2.1", float("inf"))))
        self.successResultOf(Deferred.fromCoroutine(source.stop()))

    def test_logins(self) -> None:
        """
        A password, or the secret of an application credential, is read from its file.
        """
        for settings in (
            {"username": USER, "password_file": self.secret("one-sesame"), "project_name": PROJECT},
            {
                "application_credential_id": CREDENTIAL,
                "application_credential_secret_file": self.secret("one-sesame"),
            },
        ):
            source = self.make(auth_url="https://keystone/v3", **settings)
            self.assertIsInstance(source._cloud, Keystone)
            self.assertIn("one-sesame", str(vars(source._cloud)["_body"]))

    def test_noSecret(self) -> None:
        """
        A file that is not there, or that others may read, ends the start, by the name of its key.
        """
        for key, settings in (
            ("token_file", {"endpoint_override": "https://n", "token_file": "/nothing"}),
            ("password_file", {"auth_url": "https://k", "username": "u", "password_file": "/nothing"}),
            (
                "application_credential_secret_file",
                {
                    "auth_url": "https://k",
                    "application_credential_id": "i",
                    "application_credential_secret_file": "/nothing",
                },
            ),
            ("ca_certs", {"endpoint_override": "https://n", "token_file": "/nothing", "ca_certs": "/nothing"}),
        ):
            error = self.assertRaises(ConfigError, self.make, **settings)
            self.assertTrue(str(error).startswith(f"[nova] {key}: /nothing cannot be read"), str(error))
