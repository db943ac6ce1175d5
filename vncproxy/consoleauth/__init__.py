"""
The token-check protocol: how proxies ask a controller what a token is worth. C{docs/consoleauth.rst} specifies it.
"""

from __future__ import annotations

from vncproxy.consoleauth.client import ConsoleAuthAuthority
from vncproxy.consoleauth.endpoint import TLSFiles, makeEndpoint
from vncproxy.consoleauth.methods import Methods
from vncproxy.consoleauth.server import ConsoleAuthFactory, Terms

__all__ = ["ConsoleAuthAuthority", "ConsoleAuthFactory", "Methods", "TLSFiles", "Terms", "makeEndpoint"]
