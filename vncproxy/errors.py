"""
The exceptions of vncproxy, each with one stable reason word.

::

    VNCProxyError
    ├── ConfigError             config              a configuration file or option is wrong
    ├── RequestError            bad_request         what a client asked for makes no sense
    ├── StreamEnded             stream_ended        a peer hung up while we waited for bytes of it
    ├── WaitTimeout             timeout             a peer said nothing for too long
    ├── ProtocolError           protocol            bytes that break the protocol they claim to speak
    │   └── UnparseableInput    unparseable         a policy needs a message that cannot be parsed
    ├── TokenError              (refusals, told to the viewer, close code 1008)
    │   ├── TokenMissing        token_missing
    │   ├── TokenUnknown        token_unknown
    │   ├── TokenExpired        token_expired
    │   ├── TokenUsed           token_used
    │   ├── TokenWrongType      token_wrong_type
    │   └── TokenWrongAddress   token_wrong_address
    ├── OriginRefused           origin_refused      close code 1008
    ├── TooManyAttempts         too_many_attempts   HTTP 429
    ├── ServiceUnavailable      (close code 1013, HTTP 503)
    │   ├── TokensUnreachable   tokens_unreachable
    │   ├── AtCapacity          at_capacity
    │   ├── ConsoleBusy         console_busy        as many viewers as it may have
    │   ├── AddressBusy         address_busy        as many sessions from one address as there may be
    │   ├── OwnerBusy           owner_busy          as many sessions by one owner's tokens as there may be
    │   └── Draining            draining            close code 1001
    └── BackendError            (close code 1011, HTTP 502)
        ├── ConsoleUnknown      console_unknown     no directory knows the console; close code 1008
        ├── ConsoleForbidden    console_forbidden   its address lies outside the allowed networks; 1008
        ├── ConsoleUnreachable  console_unreachable nobody answers at its address
        ├── ConsoleSilent       console_silent      it accepts the connection but says nothing
        ├── ConsoleRefused      console_refused     its RFB security turns us away
        └── ConsoleBroken       console_broken      it does not speak the protocol that its target names

The word stands alike in close frames, HTTP bodies, metrics and logs. Every class also carries the WebSocket close
code (RFC 6455 section 7.4.1) and the HTTP status with which it is told, and a sentence for the person at the viewer.
"""

from __future__ import annotations

from typing import ClassVar


class VNCProxyError(Exception):
    """
    What went wrong, in words an operator understands.

    @cvar reason: the stable reason word.
    @cvar closeCode: the WebSocket close code that tells it.
    @cvar httpStatus: the HTTP status that tells it.
    @cvar told: the sentence for the person at the viewer; it names no address, host or secret.
    """

    reason: ClassVar[str] = "error"
    closeCode: ClassVar[int] = 1011
    httpStatus: ClassVar[int] = 500
    told: ClassVar[str] = "Something went wrong on the console proxy."


class ConfigError(VNCProxyError):
    """
    A configuration file or option is wrong: the text names the file, the key, the cause and the cure.
    """

    reason = "config"


class RequestError(VNCProxyError):
    """
    What a client asked for makes no sense: its text may be shown to that client.
    """

    reason = "bad_request"
    closeCode = 1008
    httpStatus = 400
    told = "The request could not be understood."


class StreamEnded(VNCProxyError):
    """
    A peer hung up while we waited for bytes of it.
    """

    reason = "stream_ended"
    told = "The connection ended too early."


class WaitTimeout(VNCProxyError):
    """
    A peer said nothing for longer than the configured time.
    """

    reason = "timeout"
    httpStatus = 408
    told = "Nothing was heard for too long."


class ProtocolError(VNCProxyError):
    """
    Bytes that break the protocol they claim to speak.
    """

    reason = "protocol"
    closeCode = 1002
    httpStatus = 400
    told = "The connection broke the rules of its protocol."


class UnparseableInput(ProtocolError):
    """
    A policy needs the viewer's messages parsed, and one cannot be: nothing of it is passed on.
    """

    reason = "unparseable"
    closeCode = 1008
    told = "The viewer sent something that this restricted session cannot let through."


class TokenError(VNCProxyError):
    """
    A token that cannot be redeemed.
    """

    reason = "token_refused"
    closeCode = 1008
    httpStatus = 401
    told = "This console link is not valid. Ask for a new one."


class TokenMissing(TokenError):
    """
    The viewer showed no token at all.
    """

    reason = "token_missing"
    httpStatus = 400
    told = "This address needs a token. Open the console from the link that you were given."


class TokenUnknown(TokenError):
    """
    Nobody minted this token, or it was revoked, or it is long past.
    """

    reason = "token_unknown"


class TokenExpired(TokenError):
    """
    The token's time is over.
    """

    reason = "token_expired"
    told = "This console link has expired. Ask for a new one."


class TokenUsed(TokenError):
    """
    All uses of the token are spent, and the viewer holds no right to resume.
    """

    reason = "token_used"
    told = "This console link was already used. Ask for a new one."


class TokenWrongType(TokenError):
    """
    The token was minted for another kind of viewer.
    """

    reason = "token_wrong_type"
    told = "This console link is for another kind of viewer."


class TokenWrongAddress(TokenError):
    """
    The token is pinned to another client address.
    """

    reason = "token_wrong_address"
    told = "This console link may only be used from the address that it was made for."


class OriginRefused(VNCProxyError):
    """
    A browser page of a foreign origin tried to open a console.
    """

    reason = "origin_refused"
    closeCode = 1008
    httpStatus = 403
    told = "This page may not open consoles here: its origin is not allowed."


class TooManyAttempts(VNCProxyError):
    """
    The client's address has shown too many bad tokens or keys, and is not heard for a while.

    @ivar retryAfter: for how many seconds.
    """

    reason = "too_many_attempts"
    closeCode = 1013
    httpStatus = 429
    told = "Too many wrong links or keys came from your address. Try again in a moment."

    def __init__(self, retryAfter: int) -> None:
        super().__init__(f"not heard for {retryAfter} s")
        self.retryAfter = retryAfter


class ServiceUnavailable(VNCProxyError):
    """
    The proxy cannot serve now, and may be able to later.
    """

    reason = "unavailable"
    closeCode = 1013
    httpStatus = 503
    told = "The console proxy is not available right now. Try again in a moment."


class TokensUnreachable(ServiceUnavailable):
    """
    The token service did not answer in time.
    """

    reason = "tokens_unreachable"
    told = "The token service is unreachable. Try again in a moment."


class AtCapacity(ServiceUnavailable):
    """
    The proxy carries as many sessions as it may.
    """

    reason = "at_capacity"
    told = "The console proxy is full right now. Try again in a moment."


class ConsoleBusy(ServiceUnavailable):
    """
    The console has as many viewers as it may have.
    """

    reason = "console_busy"
    told = "Somebody else is using this console right now. Try again later."


class AddressBusy(ServiceUnavailable):
    """
    The client's address has as many sessions as it may have.
    """

    reason = "address_busy"
    told = "Too many consoles are open from your address. Close one of them and try again."


class OwnerBusy(ServiceUnavailable):
    """
    The tokens of the same owner have as many sessions as they may have.
    """

    reason = "owner_busy"
    told = "Too many consoles are open at the place that gave you this link. Try again later."


class Draining(ServiceUnavailable):
    """
    The proxy is going away and takes no new viewers.
    """

    reason = "draining"
    closeCode = 1001
    told = "The console proxy is restarting. Try again in a moment."


class BackendError(VNCProxyError):
    """
    The console cannot be had.
    """

    reason = "console_error"
    httpStatus = 502
    told = "The console could not be opened."


class ConsoleUnknown(BackendError):
    """
    No directory knows the console any more.
    """

    reason = "console_unknown"
    closeCode = 1008
    told = "There is no such console. It may have been removed."


class ConsoleForbidden(BackendError):
    """
    The console's address lies outside the networks that the proxy may dial.
    """

    reason = "console_forbidden"
    closeCode = 1008
    told = "The proxy may not connect to this console's address."


class ConsoleUnreachable(BackendError):
    """
    Nobody answers at the console's address.
    """

    reason = "console_unreachable"
    told = "The console cannot be reached. The machine may be off."


class ConsoleSilent(BackendError):
    """
    The console accepts the connection but says nothing.
    """

    reason = "console_silent"
    told = "The console does not answer. Another viewer may be holding it."


class ConsoleRefused(BackendError):
    """
    The console's RFB security turns the proxy away.
    """

    reason = "console_refused"
    told = "The console refused the proxy's credentials."


class ConsoleBroken(BackendError):
    """
    The console does not speak the protocol that its target names.
    """

    reason = "console_broken"
    told = "The console does not speak VNC as it should."
