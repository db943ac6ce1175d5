"""
Token sources that are files.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.test_tokens_websockify_formats import tcp
from vncproxy.model import Target, TargetKind
from vncproxy.tokens.websockify.files import ReadOnlyTokenFile, TokenFile, TokenFileName, UnixDomainSocketDirectory
from vncproxy.tokens.websockify.formats import BadEntry


class FileCase(SynchronousTestCase):
    """
    A directory, whose path is short enough for a UNIX socket.
    """

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="vncproxy-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def write(self, name: str, text: str) -> Path:
        """
        Put a file there.
        """
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class TokenFileTests(FileCase):
    """
    Tests for L{TokenFile} and L{ReadOnlyTokenFile}.
    """

    def test_followed(self) -> None:
        """
        A change of the file counts at once for the one, and never for the other.
        """
        path = self.write("tokens", "a: h:1")
        follows, keeps = TokenFile(str(path)), ReadOnlyTokenFile(str(path))
        self.assertEqual((follows.look("a"), keeps.look("a")), (tcp("h", 1), tcp("h", 1)))
        path.write_text("b: h:2")
        self.assertEqual((follows.look("b"), keeps.look("b")), (tcp("h", 2), None))
        self.assertEqual((follows.look("a"), keeps.look("a")), (None, tcp("h", 1)))

    def test_directory(self) -> None:
        """
        All the files of a directory count, in the order of their names; what lies deeper does not.
        """
        self.write("tokens/2", "a: h:2\n")
        self.write("tokens/1", "a: h:1\nb: h:3\n")
        self.write("tokens/sub/3", "c: h:4\n")
        source = TokenFile(str(self.directory / "tokens"))
        self.assertEqual([source.look(token) for token in "abc"], [tcp("h", 2), tcp("h", 3), None])

    def test_missing(self) -> None:
        """
        A file that is not there, or no file at all, is no answer.
        """
        for path in (str(self.directory / "absent"), "/dev/zero"):
            self.assertRaises(OSError, TokenFile(path).look, "a")

    def test_faults(self) -> None:
        """
        A line that makes no sense is logged by its number, and not a word of it.
        """
        path = self.write("tokens", "ok: h:1\nhunter2 h:1\n")
        with capturedLogs() as events:
            self.assertEqual(TokenFile(str(path)).look("ok"), tcp("h", 1))
        (line,) = [formatEvent(event) for event in events]
        self.assertIn(f"{path}:2: ", line)
        self.assertNotIn("hunter2", str(events))


class TokenFileNameTests(FileCase):
    """
    Tests for L{TokenFileName}.
    """

    def test_names(self) -> None:
        """
        The file of the token's name holds the address; nothing beside the directory is reached.
        """
        self.write("tokens/a", "[::1]:1\n")
        self.write("b", "h:2")
        source = TokenFileName(str(self.directory / "tokens"))
        self.assertEqual(source.look("a"), tcp("::1", 1))
        # As in websockify, the last part of what is a path counts.
        self.assertEqual(source.look("../tokens/a"), tcp("::1", 1))
        for token in ("", ".", "..", "../b", "b", str(self.directory / "b"), "a\0", "x" * 256, "ü" * 128, "x" * 5000):
            self.assertIsNone(source.look(token), token)

    def test_nonsense(self) -> None:
        """
        A file that holds no address is told as such.
        """
        self.write("a", "nothing")
        self.assertRaises(BadEntry, TokenFileName(str(self.directory)).look, "a")


class SocketTests(FileCase):
    """
    Tests for L{UnixDomainSocketDirectory}.
    """

    def listen(self, name: str) -> str:
        """
        Make a socket there.
        """
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        self.addCleanup(server.close)
        return str(path)

    def test_inside(self) -> None:
        """
        Sockets within the directory are found, also in directories below it.
        """
        source: Any = UnixDomainSocketDirectory(str(self.directory / "in"))
        for name in ("a", "sub/b"):
            path = os.path.realpath(self.listen(f"in/{name}"))
            self.assertEqual(source.look(name), Target(TargetKind.UNIX, path=path))

    def test_outside(self) -> None:
        """
        Nothing outside is reached: not by dots, by whole paths, by a sibling of the same beginning, by symbolic links.
        """
        self.listen("in/a")
        self.write("in/file", "")
        outside, sibling = self.listen("s"), self.listen("inside/s")
        os.symlink(outside, self.directory / "in/link")
        source = UnixDomainSocketDirectory(str(self.directory / "in"))
        for token in ("../s", "../inside/s", outside, sibling, "link", "", ".", "..", "file", "absent", "a/b", "a\0"):
            self.assertIsNone(source.look(token), token)

    def test_noDirectory(self) -> None:
        """
        Where there is no directory nobody knows any token.
        """
        self.assertIsNone(UnixDomainSocketDirectory(str(self.directory / "absent")).look("a"))
