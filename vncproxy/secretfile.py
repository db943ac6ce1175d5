"""
Files with secrets: read once, at the start, and only if nobody else can read them.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from vncproxy.errors import ConfigError

_MOST_BYTES: Final = 64 * 1024


class BadSecretFile(ConfigError):
    """
    A file with a secret that cannot be used.

    @ivar cause: what is wrong with it; nothing of what stands in it.
    @ivar cure: what to do about it.
    """

    def __init__(self, key: str, cause: str, cure: str) -> None:
        super().__init__(f"{key}: {cause}. {cure}")
        self.cause = cause
        self.cure = cure


def readSecretFile(path: str, key: str) -> str:
    """
    What stands in a file that only its owner may read, without the white space around it.

    @param key: the key of the configuration that names it, for complaints: C{"[cloudstack] keys_file"}.

    @raise BadSecretFile: it cannot be read, others may read it, it is too long, empty, or not UTF-8.
    """
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        cause = f"{path} cannot be read ({error.strerror})"
        raise BadSecretFile(key, cause, "Name a file that we may read.") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadSecretFile(key, f"others than its owner may read {path}", f"Run: chmod 600 {path}")
    if len(data) > _MOST_BYTES:
        raise BadSecretFile(key, f"{path} is longer than 64 KiB", "Name a file with secrets.")
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise BadSecretFile(key, f"{path} is not UTF-8", "Save it in that encoding.") from None
    if not text:
        raise BadSecretFile(key, f"{path} is empty", "Write the secret into it.")
    return text
