"""
The opening of an RFB connection, as the demo's server holds it: security None, or VNC authentication when there is a
password (RFC 6143 sections 7.1 and 7.2, its appendix A for 3.3 and 3.7).
"""

from __future__ import annotations

import struct
from hmac import compare_digest

from vncproxy.errors import ProtocolError
from vncproxy.interfaces import IStream
from vncproxy.rfb import handshake, vncauth
from vncproxy.rfb.handshake import SecurityResult, SecurityType, Version

_REFUSAL = b"Wrong password"


async def greet(viewer: IStream, password: str | None, challenge: bytes) -> None:
    """
    Let a viewer in, up to its ClientInit.

    @param password: what it must know, L{None} if nothing.
    @param challenge: 16 bytes that were never used before; needed only with a password.

    @raise ProtocolError: the viewer does not speak RFB, or its password is wrong. Where its version has a way for it,
        it has been told why.
    @raise StreamEnded: it hung up.
    @raise WaitTimeout: it fell silent.
    """
    if password is None:
        await handshake.greet(viewer)
        return
    version = await _agreeOnVersion(viewer)
    if version is Version.V3_3:
        viewer.write(struct.pack("!I", SecurityType.VNC_AUTHENTICATION))
    else:
        viewer.write(bytes([1, SecurityType.VNC_AUTHENTICATION]))
        (choice,) = await viewer.read(1)
        if choice != SecurityType.VNC_AUTHENTICATION:
            raise ProtocolError(f"the viewer chose security type {choice}, which was not offered")
    viewer.write(challenge)
    answer = await viewer.read(vncauth.CHALLENGE_LENGTH)
    if compare_digest(answer, vncauth.response(challenge, password)):
        viewer.write(struct.pack("!I", SecurityResult.OK))
        return
    viewer.write(struct.pack("!I", SecurityResult.FAILED))
    if version is Version.V3_8:
        viewer.write(struct.pack("!I", len(_REFUSAL)) + _REFUSAL)
    raise ProtocolError("the viewer's password is wrong")


async def _agreeOnVersion(viewer: IStream) -> Version:
    """
    Announce 3.8 and hear what the viewer chose. A version that does not exist is taken for 3.3, as the RFC has it.
    """
    viewer.write(Version.V3_8.line)
    line = await viewer.read(len(Version.V3_8.line))
    if not line.startswith(b"RFB "):
        raise ProtocolError(f"the viewer answered with {line!r}, which is no RFB version")
    return next((version for version in Version if version.line == line), Version.V3_3)
