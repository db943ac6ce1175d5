"""
The configuration: a TOML text becomes frozen, typed values, or a list of all that is wrong with it.

::

    file ──► text ──tomllib──► tables ──► each key: its type, then what it means ──► Config
                    lines: key path ──► line number ──► Problem(file, line, key, message, cure)
"""

from __future__ import annotations

from vncproxy.config.checks import checkConfig
from vncproxy.config.files import checkFile, loadConfig, makeStateDirectory, stateDirectory
from vncproxy.config.problems import Problem
from vncproxy.config.sections import (
    APISection,
    BackendSection,
    CloudStackSection,
    Config,
    ConsoleAuthSection,
    JavaSection,
    LimitsSection,
    NovaSection,
    ProxySection,
    StaticConsole,
    StoreSection,
    TLSSection,
    TokensSection,
    WebSection,
)

__all__ = [
    "APISection",
    "BackendSection",
    "CloudStackSection",
    "Config",
    "ConsoleAuthSection",
    "JavaSection",
    "LimitsSection",
    "NovaSection",
    "Problem",
    "ProxySection",
    "StaticConsole",
    "StoreSection",
    "TLSSection",
    "TokensSection",
    "WebSection",
    "checkConfig",
    "checkFile",
    "loadConfig",
    "makeStateDirectory",
    "stateDirectory",
]
