"""
The configuration file on the disk, the files that it names, and the state directory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

import msgspec
from twisted.logger import Logger

from vncproxy.config.checks import Reading, readConfig
from vncproxy.config.endpoints import isEverywhere
from vncproxy.config.openstack import NOVA_PLUGIN
from vncproxy.config.problems import Problem
from vncproxy.config.sections import Config, Section
from vncproxy.config.stores import RedisPlace, parseStore
from vncproxy.errors import ConfigError
from vncproxy.secretfile import BadSecretFile, readSecretFile

_log = Logger()

_S = TypeVar("_S", bound=Section)

_MOST_BYTES: Final = 1024 * 1024

_NOVA_SECRETS: Final = ("password_file", "application_credential_secret_file", "token_file")

_CLOUDSTACK_PATHS: Final = ("keys_file",)

_CONSOLEAUTH_PATHS: Final = (
    "server_certificate",
    "server_key",
    "client_ca",
    "key_file",
    "client_certificate",
    "client_key",
    "ca_certs",
)

_PEM_MARKS: Final = {"certificate": (b"-----BEGIN CERTIFICATE-----",), "key": (b"PRIVATE KEY-----",)}


def loadConfig(path: str | None, stateDir: str | None = None) -> Config:
    """
    Read a configuration file. Paths of certificates that are not absolute are taken from its directory.

    @param path: L{None} is no file: everything as it is by default.
    @param stateDir: where the store is kept if the file does not say.

    @raise ConfigError: it cannot be used; the text has one line for each problem, with file, line, key, cause and cure.
    """
    config = Config() if path is None else _usable(path)
    if stateDir is not None and config.store.url is None:
        store = msgspec.structs.replace(config.store, url=f"sqlite:{os.path.abspath(stateDir)}/vncproxy.sqlite")
        config = msgspec.structs.replace(config, store=store)
    return config


def checkFile(path: str) -> list[Problem]:
    """
    All that is wrong with a configuration file, the files that it names and its mode included. Some of the problems may
    be warnings only.
    """
    return _examine(path)[1]


def stateDirectory(option: str | None, environ: Mapping[str, str]) -> str:
    """
    The absolute path of the directory where state is kept.

    @param option: what the command line says; L{None} is C{$XDG_STATE_HOME/vncproxy}, or C{~/.local/state/vncproxy}.
    """
    return os.path.abspath(_defaultStateDirectory(environ) if option is None else option)


def makeStateDirectory(path: str) -> None:
    """
    Make the directory where state is kept, at mode 700, if it is not there.

    @raise ConfigError: it cannot be made, or is no directory.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--state-dir: {path} cannot be made ({error.strerror}). Name a directory that we may write to."
        ) from error


def _defaultStateDirectory(environ: Mapping[str, str]) -> str:
    base = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        # XDG Base Directory Specification: a relative path is to be ignored.
        base = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "vncproxy")


def _usable(path: str) -> Config:
    config, problems = _examine(path)
    fatal = [str(problem) for problem in problems if problem.fatal]
    if config is None or fatal:
        raise ConfigError("\n".join(fatal))
    for problem in problems:
        _log.warn("{problem}", problem=str(problem))
    return config


def _examine(path: str) -> tuple[Config | None, list[Problem]]:
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
            mode = os.fstat(file.fileno()).st_mode
        if len(data) > _MOST_BYTES:
            return None, [Problem(path, 0, "", "it is longer than 1 MiB", "Name a configuration file.")]
        # Some editors put a byte order mark first.
        text = data.decode("utf-8-sig")
    except OSError as error:
        return None, [Problem(path, 0, "", f"it cannot be read ({error.strerror})", "Name a file that we may read.")]
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return None, [Problem(path, line, "", "it is not UTF-8", "Save the file in that encoding.")]
    reading = readConfig(text, path)
    directory = os.path.dirname(os.path.abspath(path))
    if reading.config is None:
        partly = _withPaths(Config(tls=reading.tls), directory)
        problems = [*reading.problems, *_pemProblems(partly, reading, path)]
        return None, sorted(problems, key=lambda problem: problem.line)
    config = _withPaths(reading.config, directory)
    problems = [
        *_pemProblems(config, reading, path),
        *_secretProblems(config, reading, path),
        *_modeProblems(config, mode, path),
        *_openProblems(config, reading, path),
    ]
    return config, problems


def _withPaths(config: Config, directory: str) -> Config:
    """
    The configuration with its paths taken from a directory.
    """
    tls = _joined(config.tls, ("certificate", "key", "client_ca"), directory)
    web = _joined(config.web, ("directory",), directory)
    store = _joined(config.store, ("password_file", "ca_certs", "client_certificate", "client_key"), directory)
    consoleauth = _joined(config.consoleauth, _CONSOLEAUTH_PATHS, directory)
    nova = _joined(config.nova, (*_NOVA_SECRETS, "ca_certs"), directory)
    cloudstack = _joined(config.cloudstack, _CLOUDSTACK_PATHS, directory)
    return msgspec.structs.replace(
        config, tls=tls, store=store, web=web, consoleauth=consoleauth, nova=nova, cloudstack=cloudstack
    )


def _joined(section: _S, keys: Iterable[str], directory: str) -> _S:
    named = {key: path for key in keys if (path := getattr(section, key)) is not None}
    return msgspec.structs.replace(section, **{key: os.path.join(directory, path) for key, path in named.items()})


def _pemProblems(config: Config, reading: Reading, name: str) -> Iterator[Problem]:
    tls = config.tls
    if tls.certificate is None:
        return
    holders = {"certificate": ("certificate", tls.certificate), "key": ("key", tls.key)}
    if tls.key is None:
        holders["key"] = ("certificate", tls.certificate)
    # A file that cannot be read is told once, though it be wanted for both.
    told = set()
    for wanted, (key, path) in holders.items():
        message = _pemFault(str(path), wanted)
        if message is not None and message not in told:
            told.add(message)
            line = reading.lines.of(("tls", key))
            yield Problem(name, line, f"tls.{key}", message, f"Name a PEM file that holds the {wanted}.")


def _pemFault(path: str, wanted: str) -> str | None:
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    held = any(mark in data for mark in _PEM_MARKS[wanted])
    return None if held else f"{path} holds no {'certificate' if wanted == 'certificate' else 'private key'} in PEM"


def _secretProblems(config: Config, reading: Reading, name: str) -> Iterator[Problem]:
    """
    Files with secrets that the start could not use. Those that nobody asks for are not looked at.
    """
    keys: dict[str, tuple[str, ...]] = {"cloudstack": _CLOUDSTACK_PATHS}
    if NOVA_PLUGIN in config.tokens.plugin:
        keys["nova"] = _NOVA_SECRETS
    for section, each in keys.items():
        for key in each:
            path = getattr(getattr(config, section), key)
            try:
                if path is not None:
                    readSecretFile(path, key)
            except BadSecretFile as error:
                yield Problem(name, reading.lines.of((section, key)), f"{section}.{key}", error.cause, error.cure)


def _openProblems(config: Config, reading: Reading, name: str) -> Iterator[Problem]:
    """
    The API's key and all that it is told go in clear.
    """
    if any(isEverywhere(endpoint) for endpoint in config.api.listen):
        yield Problem(
            name,
            reading.lines.of(("api", "listen")),
            "api.listen",
            "everyone who reaches this machine reaches the API, which speaks no TLS",
            'Write "tcp:8774:interface=ADDRESS" with an address of a network of your own.',
            fatal=False,
        )


def _modeProblems(config: Config, mode: int, name: str) -> Iterator[Problem]:
    place = parseStore(config.store.url) if config.store.url is not None else None
    secrets = {
        "console.password": any(console.password is not None for console in config.console),
        "store.url": isinstance(place, RedisPlace) and place.password is not None,
    }
    for key, stands in secrets.items():
        if mode & stat.S_IROTH and stands:
            yield Problem(name, 0, key, "everyone on this machine can read it", f"Run: chmod 600 {name}", fatal=False)
