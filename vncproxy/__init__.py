"""
vncproxy: people reach the consoles of their virtual machines through one public, token-guarded address.

How the modules stand to one another is drawn in C{docs/architecture.rst}.
"""

from __future__ import annotations

from importlib.metadata import version

__version__: str = version("vncproxy")
