"""
The RFB handshake, on both sides of the proxy: straight-line conversations over L{IStream<vncproxy.interfaces.IStream>}.

Towards the server we are a viewer (L{logIn}, L{openDesktop}); towards the viewer we are a server (L{greet}, L{refuse},
L{readClientInit})::

    server                     proxy                      viewer
      │ RFB 003.008 ─────────────►│                          │
      │◄───────────── RFB 003.008 │                          │
      │ security types ──────────►│                          │
      │◄───────────── one of them │                          │
      │ (challenge, response)     │                          │
      │ SecurityResult ──────────►│ RFB 003.008 ────────────►│
      │                           │◄──────────── RFB 003.00x │
      │                           │ [None] ─────────────────►│
      │                           │◄─────────────────── None │
      │                           │ SecurityResult OK ──────►│
      │◄────────────── ClientInit │◄───────────── ClientInit │
      │ ServerInit ──────────────►│ ServerInit, our name ───►│

Sources: RFC 6143 sections 7.1 to 7.3 and its appendix A for 3.3 and 3.7. Nothing here knows a socket or a clock.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

import attrs

from vncproxy.errors import ConsoleBroken, ConsoleRefused, ProtocolError, StreamEnded, WaitTimeout
from vncproxy.interfaces import IStream
from vncproxy.rfb import vncauth


class Version(IntEnum):
    """
    The protocol versions that exist; every other number is read as one of these (RFC 6143 section 7.1.1).
    """

    V3_3 = 3
    V3_7 = 7
    V3_8 = 8

    @property
    def line(self) -> bytes:
        """
        The 12 bytes that announce it.
        """
        return b"RFB 003.%03d\n" % self


class SecurityType(IntEnum):
    """
    Security types by number (RFC 6143 section 7.2 and the IANA registry of RFB security types).
    """

    INVALID = 0
    NONE = 1
    VNC_AUTHENTICATION = 2
    RA2 = 5
    RA2NE = 6
    TIGHT = 16
    ULTRA = 17
    TLS = 18
    VENCRYPT = 19
    SASL = 20
    XVP = 22
    DIFFIE_HELLMAN = 30
    MS_LOGON_II = 113


class SecurityResult(IntEnum):
    """
    The server's verdict (RFC 6143 section 7.1.3).
    """

    OK = 0
    FAILED = 1
    TOO_MANY = 2


@attrs.frozen
class ServerInit:
    """
    What a server says of its desktop (RFC 6143 section 7.3.2).

    @ivar width: pixels.
    @ivar height: pixels.
    @ivar pixelFormat: the 16 bytes of section 7.4, untouched.
    @ivar name: the desktop's name, UTF-8.
    """

    width: int
    height: int
    pixelFormat: bytes
    name: bytes

    def encode(self) -> bytes:
        """
        The message as it goes on the wire.
        """
        head = struct.pack(">HH", self.width, self.height)
        return head + self.pixelFormat + struct.pack(">I", len(self.name)) + self.name


_VERSION_LENGTH: Final = 12
_REASON_LIMIT: Final = 1024
_NAME_LIMIT: Final = 64 * 1024


def _parseVersion(line: bytes) -> Version | None:
    """
    What a version line announces, L{None} if it is none.

    Minor numbers below 7 mean 3.3 (RFC 6143 section 7.1.1); larger ones, such as Apple's 3.889 or 4.1, speak 3.8.
    """
    if not (line.startswith(b"RFB ") and line[7:8] == b"." and line.endswith(b"\n")):
        return None
    major, minor = line[4:7], line[8:11]
    if not (major.isdigit() and minor.isdigit()) or int(major) < 3:
        return None
    if (int(major), int(minor)) >= (3, 8):
        return Version.V3_8
    return Version.V3_7 if int(minor) == 7 else Version.V3_3


async def _readReason(stream: IStream) -> str:
    """
    A length and as many bytes of text (RFC 6143 section 7.1.2), of which at most 1024 bytes are read.

    The length may lie and the server may hang up in the middle: what came is what is told. Control characters, QEMU's
    closing NUL among them, are left out.
    """
    text = bytearray()
    try:
        (length,) = struct.unpack(">I", await stream.read(4))
        while len(text) < min(length, _REASON_LIMIT):
            text += await stream.read(1)
    except (StreamEnded, WaitTimeout):
        pass
    words = "".join(c for c in text.decode("utf-8", "replace") if c.isprintable())
    return words.strip() or "no reason given"


def _typeName(number: int) -> str:
    """
    A security type for an operator to read.
    """
    try:
        return f"{SecurityType(number).name} ({number})"
    except ValueError:
        return str(number)


async def logIn(server: IStream, password: str | None) -> None:
    """
    Be the viewer of a VNC server, up to and with its SecurityResult.

    @param password: for VNC authentication; L{None} when there is none. With one, VNC authentication is chosen before
        None where the server offers both.

    @raise ConsoleRefused: the server turns us away, or asks for what we cannot give.
    @raise ConsoleBroken: it does not speak RFB.
    @raise StreamEnded: it hung up.
    @raise WaitTimeout: it fell silent.
    """
    line = await server.read(_VERSION_LENGTH)
    version = _parseVersion(line)
    if version is None:
        raise ConsoleBroken(f"it opened with {line!r}, which is no RFB version")
    server.write(version.line)
    chosen = await _agreeOnSecurity(server, version, password)
    if chosen is SecurityType.VNC_AUTHENTICATION:
        challenge = await server.read(vncauth.CHALLENGE_LENGTH)
        server.write(vncauth.response(challenge, password or ""))
    elif version is not Version.V3_8:
        return  # before 3.8, None has no SecurityResult
    (result,) = struct.unpack(">I", await server.read(4))
    if result == SecurityResult.OK:
        return
    if version is Version.V3_8:
        raise ConsoleRefused(f"it refused the login: {await _readReason(server)}")
    many = " (too many attempts)" if result == SecurityResult.TOO_MANY else ""
    raise ConsoleRefused(f"it refused the password{many}")


async def _agreeOnSecurity(server: IStream, version: Version, password: str | None) -> SecurityType:
    """
    Learn what the server offers and choose. In 3.3 the server itself has chosen (RFC 6143 appendix A.1).
    """
    if version is Version.V3_3:
        (number,) = struct.unpack(">I", await server.read(4))
        offered = [] if number == SecurityType.INVALID else [number]
    else:
        (count,) = await server.read(1)
        offered = list(await server.read(count)) if count else []
    if not offered:
        raise ConsoleRefused(f"it refused the connection: {await _readReason(server)}")
    chosen = _choose(offered, password)
    if version is not Version.V3_3:
        server.write(bytes([chosen]))
    return chosen


def _choose(offered: list[int], password: str | None) -> SecurityType:
    """
    The strongest security type that we can do, VNC authentication before None.
    """
    if SecurityType.VNC_AUTHENTICATION in offered and password is not None:
        return SecurityType.VNC_AUTHENTICATION
    if SecurityType.NONE in offered:
        return SecurityType.NONE
    if SecurityType.VNC_AUTHENTICATION in offered:
        raise ConsoleRefused("it asks for a password and the console has none: set the console's password")
    raise ConsoleRefused(f"it offers only security types we do not speak: {', '.join(map(_typeName, offered))}")


async def openDesktop(server: IStream, shared: bool) -> ServerInit:
    """
    Send ClientInit to a server that has let us in, and read its ServerInit.

    @param shared: leave the server's other viewers connected.

    @raise ConsoleBroken: the desktop's name is longer than 64 KiB.
    @raise StreamEnded: it hung up.
    @raise WaitTimeout: it fell silent.
    """
    server.write(b"\1" if shared else b"\0")
    width, height, pixelFormat, length = struct.unpack(">HH16sI", await server.read(24))
    if length > _NAME_LIMIT:
        raise ConsoleBroken(f"it claims a desktop name of {length} bytes")
    return ServerInit(width, height, pixelFormat, await server.read(length) if length else b"")


async def _readViewerVersion(viewer: IStream) -> Version:
    """
    Announce 3.8 and hear what the viewer chose.
    """
    viewer.write(Version.V3_8.line)
    line = await viewer.read(_VERSION_LENGTH)
    version = _parseVersion(line)
    if version is None:
        raise ProtocolError(f"the viewer answered with {line!r}, which is no RFB version")
    return version


async def greet(viewer: IStream) -> None:
    """
    Be the server of a viewer, up to its ClientInit: security None, whatever the console itself asked for.

    @raise ProtocolError: the viewer does not speak RFB, or insists on another security type.
    @raise StreamEnded: it hung up.
    @raise WaitTimeout: it fell silent.
    """
    version = await _readViewerVersion(viewer)
    if version is Version.V3_3:
        viewer.write(struct.pack(">I", SecurityType.NONE))
        return
    viewer.write(bytes([1, SecurityType.NONE]))
    (choice,) = await viewer.read(1)
    if choice == SecurityType.NONE:
        if version is Version.V3_8:
            viewer.write(struct.pack(">I", SecurityResult.OK))
        return
    viewer.write(struct.pack(">I", SecurityResult.FAILED))
    if version is Version.V3_8:
        viewer.write(_encodeReason("This console proxy offers only the security type None."))
    raise ProtocolError(f"the viewer chose security type {_typeName(choice)}, which was not offered")


async def readClientInit(viewer: IStream) -> bool:
    """
    The viewer's ClientInit: whether it leaves other viewers connected (RFC 6143 section 7.3.1).

    @raise StreamEnded: it hung up.
    @raise WaitTimeout: it fell silent.
    """
    return await viewer.read(1) != b"\0"


def _encodeReason(reason: str) -> bytes:
    text = reason.encode("utf-8")
    return struct.pack(">I", len(text)) + text


async def refuse(viewer: IStream, reason: str) -> None:
    """
    Tell a viewer in RFB why it gets nothing: no security types, and a reason that noVNC and native viewers show
    (RFC 6143 section 7.1.2).

    @raise ProtocolError: the viewer does not speak RFB.
    @raise StreamEnded: it hung up.
    @raise WaitTimeout: it fell silent.
    """
    version = await _readViewerVersion(viewer)
    none = struct.pack(">I", 0) if version is Version.V3_3 else b"\0"
    viewer.write(none + _encodeReason(reason))
