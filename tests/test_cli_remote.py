"""
The way to the API: the key, and the words for each way in which it cannot be had.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import httpx
from twisted.trial.unittest import SynchronousTestCase

from tests.apiworld import KEY
from tests.cliharness import CLITestCase
from vncproxy.cli.remote import Key, Remote, defaultKeyFile


class KeyTests(CLITestCase):
    def test_stateDirectory(self) -> None:
        """
        Without any word the key is the one that a proxy of this user makes.
        """
        self.run_("console", "list")
        self.assertEqual(defaultKeyFile({"XDG_STATE_HOME": "/s"}), Path("/s/vncproxy/api.key"))
        for environ in ({}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative"}):
            self.assertEqual(defaultKeyFile(environ), Path.home() / ".local/state/vncproxy/api.key")

    def test_order(self) -> None:
        """
        A file named on the command line goes before the variable, the variable before the file that another names.
        """
        wrong = Path(self.mktemp())
        wrong.write_text("wrong")
        self.environ |= {"VNCPROXY_KEY": KEY, "VNCPROXY_KEY_FILE": str(wrong)}
        self.run_("console", "list")
        self.assertIn(str(wrong), self.fails("--key-file", str(wrong), "console", "list"))
        self.environ["VNCPROXY_KEY"] = None
        self.assertIn(str(wrong), self.fails("console", "list"))
        self.environ["VNCPROXY_KEY_FILE"] = str(self.keyFile)
        self.run_("console", "list")

    def test_wrong(self) -> None:
        """
        A key that the proxy refuses is told with where it was taken from, and not repeated.
        """
        self.environ["VNCPROXY_KEY"] = "hunter2"
        words = self.fails("console", "list")
        self.assertIn("refuses the API key from the variable VNCPROXY_KEY", words)
        self.assertNotIn("hunter2", words)

    def test_missing(self) -> None:
        """
        A key file that is missing, empty, no file or no text is told with the cure.
        """
        self.keyFile.write_bytes(b"\xff\xfe")
        self.assertIn("holds no API key", self.fails("console", "list"))
        self.keyFile.write_text("\n")
        self.assertIn("is empty", self.fails("console", "list"))
        self.keyFile.unlink()
        self.assertIn("--key-file", self.fails("console", "list"))
        self.keyFile.mkdir()
        self.assertIn("cannot be read", self.fails("console", "list"))

    def test_notOneLine(self) -> None:
        """
        What is more than one line, or holds what no header may, is told with where it stands, and not repeated.
        """
        for wrong in ("sesame\nsesame2", "sesa\x1bme", "sesäme"):
            self.environ["VNCPROXY_KEY"] = wrong
            words = self.fails("console", "list")
            self.assertIn("The variable VNCPROXY_KEY holds more than one line", words)
            self.assertNotIn("sesame", words)
        self.environ["VNCPROXY_KEY"] = None
        self.keyFile.write_text("sesame\nsesame\n")
        words = self.fails("console", "list")
        self.assertIn(f"{self.keyFile} holds more than one line", words)
        self.assertNotIn("sesame", words)

    def test_endpoint(self) -> None:
        """
        The proxy's own note beside the key says where its API listens; without one that can be used it is not known.
        """
        key = Key(self.keyFile, {})
        note = self.keyFile.with_name("endpoints.json")
        self.assertIsNone(key.endpoint())
        for told, found in (
            ('{"web": ["http://a:1"], "api": ["unix:/x", "http://127.0.0.1:9999"]}', "http://127.0.0.1:9999"),
            ('{"api": []}', None),
            ('{"api": [3]}', None),
            ('{"api": null}', None),
            ("[]", None),
            ("{", None),
        ):
            note.write_text(told)
            self.assertEqual(key.endpoint(), found)

    def test_repr(self) -> None:
        """
        The key does not stand in a repr.
        """
        self.assertNotIn("hunter2", repr(Key(None, {"VNCPROXY_KEY": "hunter2"})))


class RemoteTests(SynchronousTestCase):
    def told(self, answer: Callable[[httpx.Request], httpx.Response]) -> str:
        key = Key(None, {"VNCPROXY_KEY": KEY})
        remote = Remote("http://127.0.0.1:8774", key, httpx.MockTransport(answer))
        with self.assertRaises(click.ClickException) as caught:
            remote.ask("GET", "consoles")
        self.assertEqual(caught.exception.exit_code, 1)
        return caught.exception.message

    def failing(self, error: httpx.TransportError) -> str:
        def answer(request: httpx.Request) -> httpx.Response:
            raise error

        return self.told(answer)

    def test_nobody(self) -> None:
        """
        Where nobody answers, it is told how to start a proxy.
        """
        self.assertEqual(
            self.failing(httpx.ConnectError("refused")),
            "No proxy answers at http://127.0.0.1:8774. Is it running? Start it with: twistd -n vncproxy. One that "
            "listens elsewhere is named by --api URL, or by the variable VNCPROXY_API.",
        )

    def test_silence(self) -> None:
        """
        A proxy that does not answer in time is told as such.
        """
        self.assertIn("does not answer within 15 s", self.failing(httpx.ReadTimeout("slow")))

    def test_tls(self) -> None:
        """
        Where TLS fails it is told why, with the cure.
        """
        for fault in ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "[SSL] record layer failure"):
            words = self.failing(httpx.ConnectError(fault))
            self.assertIn(fault, words)
            self.assertIn("SSL_CERT_FILE", words)

    def test_impossibleURL(self) -> None:
        """
        A URL that only httpx finds wrong is a wrong call too.
        """
        remote = Remote("http://xn--\u2028", Key(None, {"VNCPROXY_KEY": KEY}))
        with self.assertRaises(click.BadParameter) as caught:
            remote.ask("GET", "consoles")
        self.assertIn("is not a URL", caught.exception.message)

    def test_somebodyElse(self) -> None:
        """
        What does not answer as our API does is told as something else.
        """
        for status, body in (
            (200, b"<html>"),
            (404, b"<html>"),
            (404, b"{}"),
            (500, b'{"error": "x"}'),
            (502, b"\xff"),
        ):
            words = self.told(lambda request, status=status, body=body: httpx.Response(status, content=body))
            self.assertIn("is not the API of vncproxy", words)

    def test_refusal(self) -> None:
        """
        A refusal is told in the API's own words.
        """
        body = {"error": {"code": 503, "reason": "unavailable", "message": "Try again."}}
        self.assertEqual(self.told(lambda request: httpx.Response(503, json=body)), "Try again.")
