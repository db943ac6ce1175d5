"""
What a request has to bring before the broker is asked: a token of some kind, and whatever a plugin wants to see.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.web.server import Request

from vncproxy.errors import TokenMissing, VNCProxyError
from vncproxy.frontends.authentication import Check, Refusal, makeHeaders
from vncproxy.interfaces import IDirectory, ITokenAuthority
from vncproxy.model import Target, ViewerFacts

_log = Logger()

Look = Callable[[ViewerFacts], Awaitable[Target | None]]
"""
Where a viewer's token leads to, without spending it; L{None} for nowhere.
"""


def hostToken(host: str) -> str:
    """
    The name in a C{Host} header, as a token: without port and brackets.
    """
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def lookBy(authority: ITokenAuthority, directory: IDirectory) -> Look:
    """
    A look at what an authority and a directory would say.
    """

    async def look(facts: ViewerFacts) -> Target | None:
        grant = await authority.checkToken(facts.token, facts.consoleType)
        if grant is None:
            return None
        console = grant.console or await directory.resolve(grant.consoleID)
        return console.target

    return look


@attrs.frozen
class Admission:
    """
    The rules at the door.

    @ivar byHost: the host that a request is sent to is its token, and nothing else is: what stands in front may decide
        by host names who may have which console.
    @ivar needsToken: who has no token at all is turned away.
    @ivar check: decides by the request's headers.
    @ivar look: tells C{check} where the token leads to; without it, it is told nothing.
    @ivar guardsPages: C{check} is asked for pages, too.
    """

    byHost: bool = False
    needsToken: bool = True
    check: Check | None = None
    look: Look | None = None
    guardsPages: bool = False

    def token(self, shown: str, host: str) -> str:
        """
        The token of a request.

        @param shown: what it shows, empty for nothing.
        @param host: its C{Host} header.

        @raise TokenMissing: it has none and needs one.
        """
        token = hostToken(host) if self.byHost else shown
        if not token and self.needsToken:
            raise TokenMissing("the request holds no token")
        return token

    async def refusal(self, request: Request, facts: ViewerFacts | None) -> Refusal | None:
        """
        Why somebody may not come in; L{None} if he may.

        @param facts: of a viewer; L{None} for a page.

        @raise VNCProxyError: it cannot be known where the token leads to.
        """
        if self.check is None:
            return None
        target = None
        if facts is not None and self.look is not None:
            target = await self.look(facts)
            if target is None:
                # The broker says so, in its own words.
                return None
        fields = {
            name.decode("latin-1"): b", ".join(values).decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        try:
            refusal = await self.check(makeHeaders(fields, _commonName(request)), target)
        except (VNCProxyError, CancelledError):
            raise
        except Exception:
            _log.failure("an authentication plugin failed")
            refusal = Refusal(500, "the plugin fails")
        if refusal is not None:
            _log.info(
                "refused {what} with status {status}: {cause}",
                what="a page" if facts is None else f"{facts.frontend} viewer at {facts.address}",
                status=refusal.status,
                cause=refusal.cause,
            )
        return refusal


ANYBODY: Final = Admission()
"""
Everybody who shows a token.
"""


def _commonName(request: Request) -> str | None:
    """
    The common name of the certificate that a client has shown, L{None} without one.
    """
    channel: Any = request.channel
    ask = getattr(channel.transport, "getPeerCertificate", None)
    try:
        certificate = None if ask is None else ask()
    except SSL.Error:
        return None
    if certificate is None:
        return None
    name: str | None = certificate.get_subject().commonName
    return name
