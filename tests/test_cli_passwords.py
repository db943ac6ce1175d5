"""
How passwords come in, and which URLs are refused.
"""

from __future__ import annotations

from io import BytesIO, TextIOWrapper

import click
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.cli.passwords import readPassword, refuseCredentials


class ReadPasswordTests(SynchronousTestCase):
    def read(self, data: bytes) -> str:
        file = TextIOWrapper(BytesIO(data), encoding="utf-8")
        file.buffer.name = "secret.txt"  # type: ignore[attr-defined]  # as an open file has it
        return readPassword(file)

    def test_firstLine(self) -> None:
        """
        It is the first line without its end, with its blanks.
        """
        for data in (b" p\xc3\xa4ss ", b" p\xc3\xa4ss \n", b" p\xc3\xa4ss \r\nmore\n"):
            self.assertEqual(self.read(data), " päss ")

    def test_none(self) -> None:
        """
        A file without a password is told by name.
        """
        for data in (b"", b"\nsecond", b"\xff\xfe"):
            with self.assertRaises(click.ClickException) as caught:
                self.read(data)
            self.assertIn("secret.txt holds no password", caught.exception.message)


class RefuseCredentialsTests(SynchronousTestCase):
    def test_refused(self) -> None:
        """
        Credentials in a URL are refused, without being repeated.
        """
        for url in ("vnc://:hunter2@h", "vnc://user:hunter2@h:5900", "vnc://hunter2@[::1]", "vnc://[hunter2@h"):
            with self.assertRaises(click.BadParameter) as caught:
                refuseCredentials(url)
            self.assertNotIn("hunter2", caught.exception.message)

    def test_passed(self) -> None:
        """
        Every other URL is left for the API to judge.
        """
        for url in ("vnc://h:5900", "vnc+unix:///run/a@b.sock", "nonsense", "vnc://[::1"):
            refuseCredentials(url)
