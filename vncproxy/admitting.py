"""
A part of the composition root: who comes in by what, as C{[tokens]} and C{[web]} say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vncproxy.config import Config, WebSection
from vncproxy.config.openstack import NOVA_PLUGIN
from vncproxy.config.shapes import FIXED_TARGET
from vncproxy.frontends.admission import Admission, lookBy
from vncproxy.frontends.authentication import ClassCheck, makeCheck
from vncproxy.frontends.directory import DirectoryPages
from vncproxy.frontends.pages import Page, loadPages
from vncproxy.interfaces import IDirectory, ITokenAuthority, ITokenSource
from vncproxy.tokens.chained import ChainedAuthority
from vncproxy.tokens.nova import makeNovaSource
from vncproxy.tokens.websockify import makeSource
from vncproxy.tokens.websockify.workers import Workers


def withSources(
    own: ITokenAuthority, config: Config, reactor: Any, atEnd: Callable[[Callable[[], Any]], None]
) -> ITokenAuthority:
    """
    An authority, and behind it the sources that the configuration names.

    @param atEnd: takes what is to be done when the service stops.

    @raise ConfigError: one of them cannot be used.
    """
    tokens, seconds = config.tokens, config.consoleauth.timeout
    sources: list[ITokenSource] = []
    for plugin, source in tokens.sources:
        if plugin == NOVA_PLUGIN:
            nova = makeNovaSource(reactor, config.nova, seconds)
            atEnd(nova.stop)
            sources.append(nova)
        else:
            workers = Workers(reactor)
            atEnd(workers.stop)
            sources.append(makeSource(plugin, source, reactor, workers, seconds, tokens.mediate))
    return ChainedAuthority(own, sources, reactor, seconds) if sources else own


def makeAdmission(
    config: Config,
    authority: ITokenAuthority,
    directory: IDirectory,
    reactor: Any,
    atEnd: Callable[[Callable[[], Any]], None],
) -> Admission:
    """
    The rules at the door for browsers.

    @param atEnd: see L{withSources}.

    @raise ConfigError: there is no such plugin.
    """
    web, tokens = config.web, config.tokens
    check = None
    if web.auth_plugin is not None:
        workers = Workers(reactor)
        atEnd(workers.stop)
        check = makeCheck(web.auth_plugin, web.auth_source, workers, reactor, config.consoleauth.timeout)
    return Admission(
        byHost=tokens.host_token,
        needsToken=FIXED_TARGET not in tokens.plugin,
        check=check,
        # Only somebody's own class is told where a token leads to; to the others it makes no difference whether it is
        # good, and so nobody learns it from them.
        look=lookBy(authority, directory) if isinstance(check, ClassCheck) else None,
        guardsPages=web.web_auth,
    )


def webPages(web: WebSection) -> Mapping[str, Page]:
    """
    What browsers may have beside WebSockets.

    @raise ConfigError: it is not there.
    """
    if web.directory is not None:
        return DirectoryPages(web.directory)
    return loadPages() if web.page else {}
