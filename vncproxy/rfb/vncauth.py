"""
VNC authentication: a challenge of 16 bytes, answered under the password (RFC 6143 section 7.2.2).
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

CHALLENGE_LENGTH: Final = 16

_PASSWORD_LENGTH: Final = 8


def response(challenge: bytes, password: str) -> bytes:
    """
    Answer a challenge.

    @param challenge: 16 bytes.
    @param password: only its first 8 bytes (UTF-8) count; every VNC server has this limit.

    @return: 16 bytes.
    """
    key = password.encode("utf-8")[:_PASSWORD_LENGTH].ljust(_PASSWORD_LENGTH, b"\0")
    # The DES key is the password with the bits of each byte mirrored: a slip of the first VNC that became the protocol.
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in key)
    # Three equal keys make triple DES the single DES that is asked for.
    encryptor = Cipher(TripleDES(mirrored * 3), modes.ECB()).encryptor()
    return encryptor.update(challenge) + encryptor.finalize()
