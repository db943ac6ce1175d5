"""
What C{twistd} finds of vncproxy.
"""

from __future__ import annotations

from twisted.application.service import ServiceMaker

vncproxy = ServiceMaker(
    "vncproxy",
    "vncproxy.tap",
    "The VNC console proxy: browsers, Java and raw TCP viewers reach consoles with a token.",
    "vncproxy",
)

consoleauth = ServiceMaker(
    "consoleauth",
    "vncproxy.controllertap",
    "The controller of several VNC console proxies: it mints tokens and says what they are worth.",
    "consoleauth",
)
