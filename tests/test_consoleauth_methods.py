"""
What each method of the token-check protocol does.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed

from tests.consoleauthworld import CONSOLE, ControllerCase
from vncproxy.consoleauth.link import PING_SECONDS
from vncproxy.consoleauth.messages import LINE_LIMIT, Code
from vncproxy.consoleauth.methods import MOST_REPORTS, faultOf
from vncproxy.consoleauth.server import IDLE_SECONDS, MOST_RUNNING, MOST_STRANGERS
from vncproxy.errors import ConsoleUnreachable, RequestError, TokensUnreachable, TokenUsed
from vncproxy.model import AuditEvent, Console, Target, TargetKind

_DOCUMENT: Final = Path(__file__).parents[1] / "docs/consoleauth.rst"

_UUID: Final = "4ad5f9cc-7c38-4d3f-8a43-8f2a3b0a6a3c"


class MethodCase(ControllerCase):
    """
    A peer that has been let in.
    """

    def setUp(self) -> None:
        super().setUp()
        self.peer = self.admitted()

    def call(self, method: str, **params: Any) -> Any:
        """
        The result of a call that goes well.
        """
        return self.ask(self.peer, method, **params)["result"]

    def refusal(self, method: str, **params: Any) -> tuple[int, str]:
        """
        The code and the word of a call that does not.
        """
        error = self.ask(self.peer, method, **params)["error"]
        return error["code"], error.get("data", {}).get("reason", "")

    def redeem(self, token: str, **more: Any) -> Any:
        """
        The answer to a viewer's token.
        """
        facts = {"token": token, "console_type": "novnc", "client_address": "203.0.113.9", **more}
        return self.ask(self.peer, "redeem_token", **facts)


class MintTests(MethodCase):
    """
    Tests for C{authorize_console}.
    """

    def test_defaults(self) -> None:
        """
        A token as it is configured, which remembers whose key it was.
        """
        self.loop.advance(100)
        minted = self.call("authorize_console", console_type="novnc", instance_uuid="vm7")
        self.assertEqual((len(minted["token"]), minted["expires"]), (43, 700.0))
        checked = self.call("check_token", token=minted["token"])
        self.assertEqual(checked["owner"], "api.key")

    def test_wishes(self) -> None:
        """
        Everything can be wished for, in nova's words.
        """
        token = self.mint(
            self.peer,
            console_type="xvpvnc",
            token=_UUID,
            ttl=5,
            uses=0,
            view_only=True,
            client_address="203.0.113.9",
            owner="dashboard",
        )
        self.assertEqual(token, _UUID)
        for _ in range(2):
            told = self.redeem(token, console_type="xvpvnc")["result"]
            self.assertEqual((told["view_only"], told["owner"], told["expires"]), (True, "dashboard", 5.0))
        self.assertEqual(self.redeem(token)["error"]["data"], {"reason": "token_wrong_type"})

    def test_unknownConsole(self) -> None:
        """
        There is no token for a console that nobody knows.
        """
        wishes = {"console_type": "novnc", "instance_uuid": "vm8"}
        self.assertEqual(self.refusal("authorize_console", **wishes), (-32000, "console_unknown"))

    def test_broughtAlong(self) -> None:
        """
        A host and a port make the console known, or say where it is now; the password of one that has not moved stays.
        """
        for console, host, port, target in (
            ("vm8", "10.0.0.8", 5908, Target(TargetKind.VNC, "10.0.0.8", 5908)),
            ("vm7", "10.0.0.5", 5901, CONSOLE.target),
            ("vm7", "2001:db8::7", 5901, Target(TargetKind.VNC, "2001:db8::7", 5901)),
        ):
            self.mint(self.peer, instance_uuid=console, host=host, port=port, internal_access_path=None)
            kept = self.result(self.store.console(console))
            assert kept is not None
            self.assertEqual(kept.target, target)
        self.assertEqual(kept.name, "Seven")

    def test_makesNoSense(self) -> None:
        """
        What makes no sense is told as wrong parameters.
        """
        for wrong in (
            {"ttl": 0},
            {"uses": -1},
            {"client_address": "here"},
            {"host": "10.0.0.5"},
            {"port": 5900},
            {"host": "a b", "port": 5900},
            {"internal_access_path": "/console"},
            {"instance_uuid": "fixed", "host": "10.0.0.5", "port": 1},
        ):
            wishes = {"console_type": "novnc", "instance_uuid": "vm7", **wrong}
            self.assertEqual(self.refusal("authorize_console", **wishes), (-32602, "bad_request"), wrong)
        self.mint(self.peer, token=_UUID)
        wishes = {"console_type": "novnc", "instance_uuid": "vm7", "token": _UUID}
        self.assertEqual(self.refusal("authorize_console", **wishes), (-32602, "bad_request"))


class CheckTests(MethodCase):
    """
    Tests for C{check_token}.
    """

    def test_looks(self) -> None:
        """
        It spends nothing, and tells no password.
        """
        token = self.mint(self.peer)
        for _ in range(2):
            told = self.call("check_token", token=token, console_type="novnc")
            self.assertEqual(
                told,
                {
                    "console_type": "novnc",
                    "instance_uuid": "vm7",
                    "name": "Seven",
                    "host": "10.0.0.5",
                    "port": 5901,
                    "internal_access_path": None,
                    "target": "vnc://10.0.0.5:5901",
                    "expires": 600.0,
                    "view_only": False,
                    "owner": "api.key",
                },
            )

    def test_nothing(self) -> None:
        """
        Of a token that opens nothing now it says null, whatever the reason.
        """
        token = self.mint(self.peer)
        self.assertIsNone(self.call("check_token", token="nonsense"))
        self.assertIsNone(self.call("check_token", token=token, console_type="xvpvnc"))
        self.patch(self.store, "console", lambda consoleID: succeed(None))
        self.assertIsNone(self.call("check_token", token=token))


class RedeemTests(MethodCase):
    """
    Tests for C{redeem_token}, and for what follows it.
    """

    def test_once(self) -> None:
        """
        A use is spent once; the password comes where it is asked for only.
        """
        told = self.redeem(self.mint(self.peer))["result"]
        self.assertEqual((told["target"], told["password"], told["resume_hash"]), ("vnc://10.0.0.5:5901", None, None))
        token = self.mint(self.peer)
        self.assertEqual(self.redeem(token, credentials=True)["result"]["password"], "hush")
        self.assertEqual(self.redeem(token)["error"]["data"], {"reason": "token_used"})

    def test_resume(self) -> None:
        """
        A browser may come back until its session has ended for good.
        """
        token = self.mint(self.peer)
        first = self.redeem(token, resume="secret")["result"]
        named = {"token_hash": first["token_hash"], "resume_hash": first["resume_hash"]}
        self.assertEqual(self.call("end_session", **named), {})
        self.loop.advance(60)
        self.assertTrue(self.redeem(token, resume="secret")["result"]["resumed"])
        self.assertEqual(self.call("end_session", **named, resumable=False), {})
        self.assertEqual(self.redeem(token, resume="secret")["error"]["data"], {"reason": "token_used"})

    def test_undone(self) -> None:
        """
        A redemption can be taken back; of a token that is gone, nothing is.
        """
        token = self.mint(self.peer)
        named = {"token_hash": self.redeem(token)["result"]["token_hash"]}
        self.assertEqual(self.call("undo_redeem", **named), {})
        self.redeem(token)["result"]
        self.assertEqual(self.call("delete_tokens_for_instance", instance_uuid="vm7"), {"deleted": 1})
        self.assertEqual(self.call("undo_redeem", **named), {})
        self.assertEqual(self.call("end_session", **named), {})

    def test_proxies(self) -> None:
        """
        Each proxy's sessions are counted apart: one that starts anew ends the right to none of another's.
        """
        token = self.mint(self.peer, uses=2)
        for proxy in ("p1", "p2"):
            told = self.redeem(token, resume="secret", proxy=proxy)["result"]
        self.assertEqual(self.call("abandon_sessions", proxy="p1"), {"abandoned": 1})
        self.assertEqual(self.call("abandon_sessions", proxy="p1"), {"abandoned": 0})
        self.loop.advance(100)
        self.assertTrue(self.redeem(token, resume="secret", proxy="p1")["result"]["resumed"])
        named = {"token_hash": told["token_hash"], "resume_hash": told["resume_hash"]}
        for proxy in ("p1", "p2"):
            self.call("undo_redeem" if proxy == "p1" else "end_session", **named, proxy=proxy)
        (record,) = self.store._tokens.values()
        self.assertEqual([(each.proxy, each.live) for each in record.resumes], [("p1", 0), ("p2", 0)])

    def test_noConsole(self) -> None:
        """
        Where there is no console any more, no use is spent.
        """
        token = self.mint(self.peer)
        console = self.store._consoles.pop("vm7")
        self.assertEqual(self.redeem(token)["error"]["data"], {"reason": "console_unknown"})
        self.store._consoles["vm7"] = console
        self.redeem(token)["result"]

    def test_callerGoes(self) -> None:
        """
        A use that was spent for somebody who has hung up is given back.
        """
        token = self.mint(self.peer)
        self.directory.gate = Deferred()
        leaving = self.admitted()
        leaving.send("redeem_token", token=token, console_type="novnc", client_address="unix")
        self.loop.settle()
        leaving.vanish()
        self.loop.settle()
        self.directory.gate.callback(None)
        self.redeem(token)["result"]


class OtherTests(MethodCase):
    """
    Tests for the other methods.
    """

    def test_ping(self) -> None:
        """
        It says what answers.
        """
        told = self.call("ping")
        self.assertEqual((told["version"], told["server"].split()[0]), (1, "vncproxy"))

    def test_reports(self) -> None:
        """
        The last report of each proxy is kept, of as many proxies as there may be.
        """
        for number in range(MOST_REPORTS + 1):
            self.call("report_load", proxy=f"p{number}", sessions=number)
        self.call("report_load", proxy="p1", sessions=5, capacity=10, address="proxy.example", state="up")
        self.assertEqual((len(self.methods.reports), "p0" in self.methods.reports), (MOST_REPORTS, False))
        report = self.methods.reports["p1"]
        self.assertEqual(
            (report.sessions, report.capacity, report.address, report.state), (5, 10, "proxy.example", "up")
        )
        self.assertEqual(next(reversed(self.methods.reports)), "p1")

    def test_noted(self) -> None:
        """
        The audit trail hears of a console that a caller moves and of tokens that it revokes, with its key and address.
        """
        where = {"console_type": "novnc", "instance_uuid": "vm7", "host": "10.0.0.6", "port": 5902}
        self.call("authorize_console", **where)
        self.call("authorize_console", **where)
        self.call("delete_tokens_for_instance", instance_uuid="vm7")
        self.assertEqual(
            [(entry.event, entry.key, entry.client, entry.console) for entry in self.trail.entries],
            [
                (AuditEvent.CONSOLE_DEFINED, "api.key", "10.0.0.99", "vm7"),
                (AuditEvent.TOKENS_REVOKED, "api.key", "10.0.0.99", "vm7"),
            ],
        )

    def test_unknown(self) -> None:
        """
        For a method that there is none of, those are named that there are.
        """
        error = self.ask(self.peer, "frob")["error"]
        self.assertEqual(error["code"], -32601)
        self.assertIn("redeem_token", error["message"])

    def test_wrongParameters(self) -> None:
        """
        Parameters are told apart from what they ask for.
        """
        self.assertEqual(self.refusal("check_token"), (-32602, ""))
        self.assertEqual(self.refusal("ping", more=1), (-32602, ""))

    def test_outOfReach(self) -> None:
        """
        A store that does not answer is told by its word.
        """
        self.result(self.store.close())
        self.assertEqual(self.refusal("check_token", token="T" * 43), (-32000, "tokens_unreachable"))

    def test_words(self) -> None:
        """
        What a caller can mend, and what befell a console, is told in full; of all else a stranger hears no more than a
        sentence.
        """
        for error, code, message in (
            (RequestError("ttl: no."), -32602, "ttl: no."),
            (ConsoleUnreachable("nobody at 10.0.0.5"), -32000, "nobody at 10.0.0.5"),
            (TokenUsed("pinned to 10.0.0.1"), -32000, TokenUsed.told),
            (TokensUnreachable("disk of db1 full"), -32000, TokensUnreachable.told),
        ):
            fault = faultOf(error)
            self.assertEqual((fault.code, fault.message, fault.reason), (code, message, error.reason))

    def test_kept(self) -> None:
        """
        What a token brings along is a console like any other.
        """
        self.mint(self.peer, instance_uuid="vm9", host="vm9.example", port=5900)
        self.assertEqual(
            self.result(self.store.console("vm9")), Console("vm9", "vm9", Target(TargetKind.VNC, "vm9.example", 5900))
        )


class DocumentTests(ControllerCase):
    """
    The specification, C{docs/consoleauth.rst}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.text = _DOCUMENT.read_text(encoding="utf-8")

    def test_examples(self) -> None:
        """
        What the server says in the examples is what it says, word for word.
        """
        said = re.findall(r"^    C: (.+)\n    S: (.+)$", self.text, re.MULTILINE)
        self.assertGreater(len(said), 10)
        self.loop.advance(1795189800)
        peer = self.connect()
        for request, expected in said:
            peer.say(request.encode() + b"\n")
            self.loop.settle()
            (answer,) = peer.answers()
            if "server" in (answer.get("result") or {}):
                answer["result"]["server"] = json.loads(expected)["result"]["server"]
            self.assertEqual(answer, json.loads(expected), request)

    def test_methods(self) -> None:
        """
        Every method has its chapter, and every parameter is named there.
        """
        chapters = dict(re.findall(r"^(\w+)\n~+\n((?:.*\n)*?)(?=\n\w+\n[~-]+\n)", self.text, re.MULTILINE))
        self.assertEqual(set(chapters), set(self.methods._table))
        for name, (kind, _) in self.methods._table.items():
            for parameter in kind.__struct_fields__:
                self.assertIn(parameter, chapters[name], name)

    def test_codes(self) -> None:
        """
        Every code stands in the table of errors, and the bounds are those that are kept.
        """
        for code in Code:
            self.assertRegex(self.text, rf"(?m)^{code.value}  ")
        for words in (
            f"at most {LINE_LIMIT:,} bytes",
            f"{MOST_RUNNING} requests are worked on",
            f"comes for {IDLE_SECONDS:.0f} seconds",
            f"``ping`` every {PING_SECONDS:.0f} seconds",
            f"up to {MOST_REPORTS:,} proxies",
            f"at most {MOST_STRANGERS} connections",
        ):
            self.assertIn(words, " ".join(self.text.split()))
