"""
L{vncproxy.secretfile}.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.errors import ConfigError
from vncproxy.secretfile import readSecretFile


class ReadSecretFileTests(SynchronousTestCase):
    def write(self, data: bytes, mode: int = 0o600) -> str:
        """
        A file with a secret.
        """
        path = Path(self.mktemp())
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    def assertRefused(self, path: str, words: str) -> None:
        """
        It is refused with these words behind the name of the key, and without the secret.
        """
        with self.assertRaises(ConfigError) as caught:
            readSecretFile(path, "[x] file")
        text = str(caught.exception)
        self.assertTrue(text.startswith("[x] file: "), text)
        self.assertIn(words, text)
        self.assertNotIn("sesame", text)

    def test_read(self) -> None:
        """
        The secret is read without the white space around it.
        """
        self.assertEqual(readSecretFile(self.write(b" open s\xc3\xa9same\n\n"), "k"), "open s\xe9same")

    def test_mode(self) -> None:
        """
        A file that others may read or write is refused, with the cure.
        """
        for mode in (0o640, 0o604, 0o620, 0o777):
            path = self.write(b"sesame", mode)
            self.assertRefused(path, f"chmod 600 {path}")

    def test_unusable(self) -> None:
        """
        So is one that is not there, is empty, too long or no text.
        """
        self.assertRefused("/nothing/here", "cannot be read (No such file or directory)")
        self.assertRefused(self.write(b" \n"), "is empty")
        self.assertRefused(self.write(b"sesame" * 12000), "longer than 64 KiB")
        self.assertRefused(self.write(b"sesame\xff"), "is not UTF-8")
