"""
Directories: console id → console, as it is now.
"""

from __future__ import annotations

from vncproxy.directory.chained import ChainedDirectory
from vncproxy.directory.static import StaticDirectory
from vncproxy.directory.stored import StoredDirectory

__all__ = ["ChainedDirectory", "StaticDirectory", "StoredDirectory"]
