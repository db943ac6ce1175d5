"""
A small VNC server of our own: something to see, to click and to type on, where no virtual machine is at hand.

::

    font ──► ink ──► canvas ──► landscape, panels ──► scene      the picture
                                       state ───────────┘        what has happened on it
    service ──► greeting ──► viewer ──► desktop ──► scene        the connections, and the pace

All viewers share one desktop. As a target in tests, L{DemoDesktop} tells what has reached it.
"""

from __future__ import annotations

from vncproxy.demo.desktop import DemoDesktop
from vncproxy.demo.service import DemoFactory, DemoService, makeDemoService

__all__ = ["DemoDesktop", "DemoFactory", "DemoService", "makeDemoService"]
