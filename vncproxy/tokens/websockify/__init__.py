"""
The token sources that websockify's users have, by the names that they know them by (C{[tokens] plugin, source}).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS

from vncproxy.config.shapes import FIXED_TARGET
from vncproxy.errors import ConfigError, RequestError
from vncproxy.interfaces import ITokenSource
from vncproxy.model import Target
from vncproxy.targets import parseTarget
from vncproxy.tokens.websockify import files
from vncproxy.tokens.websockify.formats import parseRedisSource
from vncproxy.tokens.websockify.plugin import ClassPlugin
from vncproxy.tokens.websockify.redis import TokenRedis
from vncproxy.tokens.websockify.signed import JWTTokenApi
from vncproxy.tokens.websockify.sources import Finding, WebsockifySource
from vncproxy.tokens.websockify.web import PARSERS, TokenAPI, makeAgent
from vncproxy.tokens.websockify.workers import Workers

_OWN_PREFIX: Final = "websockify.token_plugins."

_FILES: Final[dict[str, Callable[[str], Any]]] = {
    "TokenFile": files.TokenFile,
    "ReadOnlyTokenFile": files.ReadOnlyTokenFile,
    "TokenFileName": files.TokenFileName,
    "UnixDomainSocketDirectory": files.UnixDomainSocketDirectory,
}


def makeSource(
    plugin: str, source: str, reactor: Any, workers: Workers, seconds: float, mediate: bool = False
) -> ITokenSource:
    """
    The token source that a name means.

    @param plugin: a class of websockify's, with its module in front or not; C{FixedTarget}; or another class by its
        full name.
    @param seconds: for a look.
    @param mediate: see L{WebsockifySource}.

    @raise ConfigError: there is no such plugin, or the source is none for it.
    """
    name = plugin.removeprefix(_OWN_PREFIX)
    try:
        find = _finding(name, source, reactor, workers, seconds)
    except ConfigError:
        raise
    except (ValueError, RequestError) as error:
        raise ConfigError(f"tokens.source: what {name} is given cannot be used: {error}") from error
    # What a fixed target's URL says of RFB is meant.
    return WebsockifySource(name, find, reactor, mediate and name != FIXED_TARGET)


def _finding(name: str, source: str, reactor: Any, workers: Workers, seconds: float) -> Finding:
    if name == FIXED_TARGET:
        return partial(_fixed, parseTarget(source))
    if name in PARSERS:
        return TokenAPI(source, makeAgent(reactor, seconds), PARSERS[name]).find
    if name == "TokenRedis":
        place = parseRedisSource(source)
        endpoint: IStreamClientEndpoint = HostnameEndpoint(reactor, place.host, place.port, seconds)
        if place.secure:
            endpoint = wrapClientTLS(optionsForClientTLS(place.host), endpoint)
        return TokenRedis(place, endpoint, reactor, seconds).find
    if name in _FILES:
        look = _FILES[name](source).look
    elif name == "JWTTokenApi":
        look = JWTTokenApi(source, reactor.seconds).look
    else:
        look = ClassPlugin(name, source).look
    return lambda token: workers.run(partial(look, token))


async def _fixed(target: Target, token: str) -> Target:
    return target
