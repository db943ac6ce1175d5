"""
The HTTP API: what clouds, dashboards and the C{vncproxy} command speak to, each in its own dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from twisted.internet.interfaces import IReactorTime

from vncproxy.addresses import TrustedPeers
from vncproxy.api.cloudstack import CloudStack, cloudStackDialect
from vncproxy.api.http import APIResource
from vncproxy.api.nova import Nova, novaDialects
from vncproxy.api.signature import SigningKey
from vncproxy.api.table import v1Dialect
from vncproxy.api.v1 import V1
from vncproxy.attempts import ANY_NUMBER, Attempts
from vncproxy.audit import AuditTrail
from vncproxy.interfaces import IDirectory, ISessions, IStore, ITokenAuthority
from vncproxy.keys import KeyRing
from vncproxy.model import Console, ConsoleType

_NOBODY: Final = TrustedPeers()


def makeAPIResource(
    *,
    store: IStore,
    authority: ITokenAuthority,
    directory: IDirectory,
    sessions: ISessions,
    fixed: Sequence[Console],
    keys: KeyRing,
    trail: AuditTrail,
    baseURL: Callable[[ConsoleType], str | None],
    problems: Callable[[], Sequence[str]],
    clock: IReactorTime,
    timeout: float = 10.0,
    guests: bool = False,
    cloudStackKeys: Mapping[str, SigningKey] | None = None,
    trusted: TrustedPeers = _NOBODY,
    attempts: Attempts = ANY_NUMBER,
) -> APIResource:
    """
    The API, ready for L{makeSite<vncproxy.api.site.makeSite>}. What the collaborators are is said at
    L{V1<vncproxy.api.v1.V1>}.

    @param timeout: seconds that one request may take; more than the token authority waits itself.
    @param guests: whether nova's dialect serves clients on this machine without a key.
    @param cloudStackKeys: those that CloudStack's requests are signed with; L{None} does not speak its dialect.
    @param trusted: those that forward for others, and whose C{X-Forwarded-For} counts.
    @param attempts: the wrong keys that clients have shown.
    """
    v1 = V1(
        store=store,
        authority=authority,
        directory=directory,
        sessions=sessions,
        fixed=fixed,
        baseURL=baseURL,
        problems=problems,
        keys=keys,
        trail=trail,
    )
    dialects = [v1Dialect(v1), *novaDialects(Nova(v1, trusted), keys, guests)]
    if cloudStackKeys is not None:
        dialects.append(cloudStackDialect(CloudStack(v1, cloudStackKeys, clock, attempts)))
    return APIResource(dialects, timeout, clock, trusted, attempts)
