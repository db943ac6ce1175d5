"""
Tokens of an OpenStack cloud: each is looked at in nova, so that vncproxy stands where nova-novncproxy stood.

::

    GET {compute}/os-console-auth-tokens/{token}    X-Auth-Token, OpenStack-API-Version: compute 2.31     ──►
        ◄── 200 {"console": {"instance_uuid", "host", "port", "internal_access_path"}}
        ◄── 404 {"itemNotFound": …}                 it is none of nova's, or its time is over
        ◄── 401                                     our own login is over: once more with a new one

Nova's tokens may be used as often as one likes until their time is over; nova alone knows when that is.
Source: nova's API reference, "Show Console Connection Information" (microversion 2.31).
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.web.client import HTTPConnectionPool
from zope.interface import implementer

from vncproxy.config import NovaSection
from vncproxy.config.shapes import LONGEST_SECONDS
from vncproxy.errors import ConsoleBroken, TokenError, TokensUnreachable, TokenUnknown, VNCProxyError
from vncproxy.interfaces import ITokenSource
from vncproxy.model import Console, ConsoleType, Grant, Target, TargetKind, ViewerFacts
from vncproxy.secretfile import readSecretFile
from vncproxy.targets import isHost
from vncproxy.tokens.jsonhttp import JSONClient, JSONReply, makeAgent
from vncproxy.tokens.keystone import Access, Cloud, FixedCloud, Keystone, versioned

_MICROVERSION: Final = "2.31"

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,255}", re.ASCII)
"""
What could be one of nova's: a UUID as it has always been, or something as safe to stand in a path.
"""


@implementer(ITokenSource)
class NovaSource:
    """
    Asks nova what a token is worth.
    """

    def __init__(
        self, cloud: Cloud, client: JSONClient, clock: IReactorTime, pool: HTTPConnectionPool | None = None
    ) -> None:
        """
        @param clock: its seconds are those since the epoch.
        @param pool: the connections that are closed at the end.
        """
        self._cloud = cloud
        self._client = client
        self._clock = clock
        self._pool = pool

    async def redeemToken(self, facts: ViewerFacts) -> Grant:
        """
        See L{ITokenSource.redeemToken}.

        @raise ConsoleBroken: it leads to a console that is reached in a way that is not spoken here.
        """
        return await self._grant(facts.token, facts.consoleType)

    async def checkToken(self, token: str, consoleType: ConsoleType | None = None) -> Grant | None:
        """
        See L{ITokenSource.checkToken}.
        """
        try:
            return await self._grant(token, consoleType or ConsoleType.NOVNC)
        except (TokenError, ConsoleBroken):
            return None

    async def stop(self) -> None:
        """
        Give up what is under way, and close all connections.
        """
        self._cloud.stop()
        if self._pool is not None:
            await self._pool.closeCachedConnections()

    async def _grant(self, token: str, consoleType: ConsoleType) -> Grant:
        if not _TOKEN.fullmatch(token):
            raise TokenUnknown("it does not look like one of nova's")
        console = readConsole(await self._look(token))
        return Grant(
            tokenHash=sha256(token.encode("ascii")).hexdigest(),
            consoleID=console.id,
            consoleType=consoleType,
            expires=self._clock.seconds() + LONGEST_SECONDS,
            console=console,
        )

    async def _look(self, token: str) -> JSONReply:
        """
        What nova answers, with a new login where the old one is over.
        """
        access = await self._cloud.access()
        reply = await self._ask(access, token)
        if reply.status == 401:
            self._cloud.forget(access)
            access = await self._cloud.access()
            reply = await self._ask(access, token)
        fault = _faultOf(reply)
        if fault is not None:
            raise fault
        return reply

    async def _ask(self, access: Access, token: str) -> JSONReply:
        headers = {
            "X-Auth-Token": access.token,
            "OpenStack-API-Version": f"compute {_MICROVERSION}",
            "X-OpenStack-Nova-API-Version": _MICROVERSION,
        }
        try:
            return await self._client.ask("GET", f"{access.endpoint}/os-console-auth-tokens/{token}", headers)
        except TokensUnreachable as error:
            raise TokensUnreachable(f"nova: {error}") from error


def makeNovaSource(reactor: Any, settings: NovaSection, seconds: float) -> NovaSource:
    """
    The token source that a configuration describes.

    @param seconds: for a connection, and for a login.

    @raise ConfigError: a file that it names cannot be used.
    """
    agent, pool = makeAgent(reactor, settings.ca_certs, seconds, "[nova] ca_certs")
    client = JSONClient(agent)
    return NovaSource(_makeCloud(reactor, settings, client, seconds), client, reactor, pool)


def readConsole(reply: JSONReply) -> Console:
    """
    Where a token leads, from nova's answer.

    @raise TokensUnreachable: the answer is none of nova's.
    @raise ConsoleBroken: it is reached in a way that is not spoken here.
    """
    told = reply.value.get("console") if isinstance(reply.value, dict) else None
    if not isinstance(told, dict):
        raise TokensUnreachable("what nova answers is no console")
    consoleID, host, port = told.get("instance_uuid"), told.get("host"), told.get("port")
    if told.get("internal_access_path"):
        raise ConsoleBroken(f"the console of {consoleID} is reached by CONNECT, which is not spoken yet")
    number = int(port) if isinstance(port, int | str) and re.fullmatch(r"[0-9]{1,5}", str(port), re.ASCII) else 0
    if not isinstance(consoleID, str) or not isinstance(host, str) or not isHost(host) or not 1 <= number <= 65535:
        raise TokensUnreachable("what nova answers names no console that could be dialled")
    return Console(consoleID, consoleID, Target(TargetKind.VNC, host=host, port=number))


def _makeCloud(reactor: Any, settings: NovaSection, client: JSONClient, seconds: float) -> Cloud:
    if settings.token_file is not None:
        token = readSecretFile(settings.token_file, "[nova] token_file")
        return FixedCloud(Access(token, versioned(settings.endpoint_override or ""), float("inf")))
    if settings.application_credential_secret_file is not None:
        path, key = settings.application_credential_secret_file, "application_credential_secret_file"
    else:
        path, key = settings.password_file or "", "password_file"
    return Keystone(client, reactor, settings, readSecretFile(path, f"[nova] {key}"), seconds)


def _faultOf(reply: JSONReply) -> VNCProxyError | None:
    """
    What an answer means that is no console.
    """
    if reply.status == 200:
        return None
    if reply.status == 404 and isinstance(reply.value, dict) and "itemNotFound" in reply.value:
        return TokenUnknown("nova does not know it")
    words = {
        401: "nova does not take our login: see [nova]",
        403: "nova lets only administrators look at tokens: see [nova]",
        404: "there is no compute API at its address: see [nova]",
        406: f"nova is too old: its API must speak microversion {_MICROVERSION}",
    }
    return TokensUnreachable(words.get(reply.status, f"nova answers with the status {reply.status}"))
