"""
Files with secrets: read once, at the start, and only if nobody else can read them.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from vncproxy.errors import ConfigError

_MOST_BYTES: Final = 64 * 1024


def readSecretFile(path: str, key: str) -> str:
    """
    What stands in a file that only its owner may read, without the white space around it.

    @param key: the key of the configuration that names it, for complaints: C{"[cloudstack] keys_file"}.

    @raise ConfigError: it cannot be read, others may read it, it is too long, empty, or not UTF-8. Nothing of what
        stands in it is told.
    """
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{key}: {path} cannot be read ({error.strerror}). Name a file that we may read.") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{key}: others than its owner may read {path}. Run: chmod 600 {path}")
    if len(data) > _MOST_BYTES:
        raise ConfigError(f"{key}: {path} is longer than 64 KiB. Name a file with secrets.")
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{key}: {path} is not UTF-8. Save it in that encoding.") from None
    if not text:
        raise ConfigError(f"{key}: {path} is empty. Write the secret into it.")
    return text
