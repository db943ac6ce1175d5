"""
C{twistd -n consoleauth}: a controller without a proxy.
"""

from __future__ import annotations

from twisted.application.service import IService
from twisted.python.usage import Options as TwistedOptions

from vncproxy import tap


class Options(TwistedOptions):
    """
    The command line of C{twistd consoleauth}.
    """

    synopsis = "[--config FILE] [--state-dir DIR]"

    longdesc = (
        "A controller without a proxy: it mints tokens, and tells proxies elsewhere what they are worth. With no "
        "option at all it listens on loopback: for proxies on port 8788, the API on 8774. A proxy is let in with "
        "an API key; the one that is made at the first start is in the state directory (api.key)."
    )

    optParameters = tap.Options.optParameters

    def parseArgs(self, *arguments: str) -> None:
        """
        There are no arguments beside the options.
        """
        tap.refuseArguments(arguments)


def makeService(options: Options) -> IService:
    """
    The service that C{twistd consoleauth} runs. A configuration that cannot be used ends the program in words.
    """
    return tap.buildService(options, carries=False)
