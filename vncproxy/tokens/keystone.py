"""
A login to OpenStack's Keystone (API v3), kept and renewed, and where the compute API is.

::

    POST /v3/auth/tokens  {"auth": {"identity": {…}, "scope": {…}}}      ──►
        ◄── 201  X-Subject-Token: TOKEN
                 {"token": {"expires_at": …, "catalog": [{"type": "compute", "endpoints": […]}]}}

Source: the Identity API v3 reference, "Password authentication with scoped authorization" and "Authenticating with an
application credential".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from vncproxy.config import NovaSection
from vncproxy.errors import TokensUnreachable
from vncproxy.tokens.jsonhttp import JSONClient, JSONReply

_log = Logger()

_EARLY: Final = 60.0
"""
So many seconds before its end a login is renewed.
"""

_VERSIONED: Final = re.compile(r"/v2(\.[0-9]+)?(/|$)")


@attrs.frozen
class Access:
    """
    What a login gives.

    @ivar token: opens the compute API.
    @ivar endpoint: of the compute API, without a slash at its end.
    @ivar until: when it is to be renewed, in seconds since the epoch.
    """

    token: str = attrs.field(repr=False)
    endpoint: str
    until: float


class Cloud(Protocol):
    """
    Where the compute API is, and what opens it.
    """

    async def access(self) -> Access:
        """
        @raise TokensUnreachable: there is no login to be had.
        """

    def forget(self, access: Access) -> None:
        """
        C{access} does not open anything any more.
        """

    def stop(self) -> None:
        """
        Give up what is under way.
        """


@attrs.frozen
class FixedCloud:
    """
    A compute API with a token that never ends.
    """

    fixed: Access

    async def access(self) -> Access:
        """
        See L{Cloud.access}.
        """
        return self.fixed

    def forget(self, access: Access) -> None:
        """
        There is no other.
        """

    def stop(self) -> None:
        """
        Nothing is under way.
        """


class Keystone:
    """
    A cloud that is logged in to by need. All who wait, wait for one login.
    """

    def __init__(
        self, client: JSONClient, clock: IReactorTime, settings: NovaSection, secret: str, seconds: float
    ) -> None:
        """
        @param clock: its seconds are those since the epoch.
        @param secret: the password, or that of the application credential.
        @param seconds: for a login.
        """
        self._client = client
        self._clock = clock
        self._settings = settings
        self._body = loginBody(settings, secret)
        self._seconds = seconds
        self._access: Access | None = None
        self._login: Deferred[Access] | None = None
        self._waiting: list[Deferred[Access]] = []

    async def access(self) -> Access:
        """
        See L{Cloud.access}.
        """
        if self._access is not None and self._clock.seconds() < self._access.until:
            return self._access
        # Whoever waits may be cancelled without the others.
        waiting: Deferred[Access] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        if self._login is None:
            self._login = Deferred.fromCoroutine(self._logIn())
            self._login.addTimeout(self._seconds, self._clock)
            self._login.addBoth(self._tell)
        return await waiting

    def forget(self, access: Access) -> None:
        """
        See L{Cloud.forget}.
        """
        if self._access is access:
            self._access = None

    def stop(self) -> None:
        """
        See L{Cloud.stop}.
        """
        if self._login is not None:
            self._login.cancel()

    def _tell(self, outcome: Access | Failure) -> None:
        self._login = None
        waiting, self._waiting = self._waiting, []
        if isinstance(outcome, Access):
            self._access = outcome
        elif not outcome.check(TokensUnreachable):
            outcome = Failure(TokensUnreachable(f"no login at Keystone: {outcome.getErrorMessage() or 'too late'}"))
        for each in waiting:
            each.callback(outcome)

    async def _logIn(self) -> Access:
        settings = self._settings
        url = re.sub(r"(/v3)?/*$", "", settings.auth_url or "") + "/v3/auth/tokens"
        try:
            reply = await self._client.ask("POST", url, {}, self._body)
        except TokensUnreachable as error:
            raise TokensUnreachable(f"Keystone: {error}") from error
        access = readLogin(reply, settings, self._clock.seconds())
        _log.info("logged in at Keystone; nova is at {endpoint}", endpoint=access.endpoint)
        return access


def loginBody(settings: NovaSection, secret: str) -> dict[str, Any]:
    """
    What a login sends: an application credential where there is one, else a user's password for a project.
    """
    if settings.application_credential_id is not None:
        credential = {"id": settings.application_credential_id, "secret": secret}
        return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": credential}}}
    user = {"name": settings.username, "domain": {"name": settings.user_domain_name}, "password": secret}
    project = {"name": settings.project_name, "domain": {"name": settings.project_domain_name}}
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, "scope": {"project": project}}}


def readLogin(reply: JSONReply, settings: NovaSection, now: float) -> Access:
    """
    What a login has given.

    @raise TokensUnreachable: nothing that could be used; the text says why.
    """
    if reply.status in (401, 403):
        raise TokensUnreachable("Keystone refuses our user or application credential: see [nova]")
    if reply.status not in (200, 201):
        raise TokensUnreachable(f"Keystone answers a login with the status {reply.status}")
    (subject,) = reply.headers.getRawHeaders("x-subject-token", [""])[-1:]
    told = _table(_table(reply.value).get("token"))
    if not subject or not told:
        raise TokensUnreachable("what Keystone answers is no login: see [nova] auth_url")
    endpoint = settings.endpoint_override or findEndpoint(told, settings.region_name, settings.interface)
    if endpoint is None:
        where = f" in the region {settings.region_name}" if settings.region_name else ""
        raise TokensUnreachable(f"Keystone's catalog names no {settings.interface} compute API{where}: see [nova]")
    return Access(subject, versioned(endpoint), _end(told.get("expires_at"), now) - _EARLY)


def findEndpoint(token: Mapping[str, Any], region: str | None, interface: str) -> str | None:
    """
    The URL of the compute API in a token's catalog; the first that fits.
    """
    for service in _tables(token.get("catalog")):
        if service.get("type") != "compute":
            continue
        for endpoint in _tables(service.get("endpoints")):
            fits = region is None or region in (endpoint.get("region_id"), endpoint.get("region"))
            url = endpoint.get("url")
            if fits and endpoint.get("interface") == interface and isinstance(url, str) and _proper(url):
                return url
    return None


def versioned(url: str) -> str:
    """
    The URL of a compute API with its version, and without a slash at its end.
    """
    url = url.rstrip("/")
    return url if _VERSIONED.search(url) else f"{url}/v2.1"


def _proper(url: str) -> bool:
    return re.fullmatch(r"https?://[!-~]+", url) is not None


def _end(text: object, now: float) -> float:
    """
    When a login ends; at once where it does not say, so that the next one who asks logs in again.
    """
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return now
    return moment.timestamp() if moment.tzinfo is not None else now


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))
