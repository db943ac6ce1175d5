"""
What the values of the configuration may be: a shape for each kind of value, hung on the type of a key.

A shape says in words what is expected and checks what the type alone does not say. Faults never quote a value that may
be a secret.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import attrs

from vncproxy.addresses import UNIX
from vncproxy.config.controller import controllerFaults
from vncproxy.config.endpoints import endpointFaults
from vncproxy.config.openstack import NOVA_PLUGIN
from vncproxy.config.problems import Fault
from vncproxy.config.stores import BadStore, parseStore
from vncproxy.targets import BadTarget, isHost, parseTarget

LONGEST_SECONDS: Final = 10 * 365 * 86400
"""
Ten years: more than anybody means, and still a date that calendars can write.
"""

MOST_USES: Final = 1_000_000_000

CONSOLE_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:~-]{0,127}")
"""
What a console's id may be: it stands in paths and in logs, so it needs no escaping in either.
"""
"""
What names a console, in URLs and in lists.
"""

FIXED_TARGET: Final = "FixedTarget"
"""
The token plugin with which every viewer has the same target, token or not.
"""

TOKEN_PLUGINS: Final = (
    "TokenFile",
    "ReadOnlyTokenFile",
    "TokenFileName",
    "BaseTokenAPI",
    "JSONTokenApi",
    "JWTTokenApi",
    "TokenRedis",
    "UnixDomainSocketDirectory",
    FIXED_TARGET,
    NOVA_PLUGIN,
)

AUTH_PLUGINS: Final = ("BasicHTTPAuth", "ExpectOrigin", "ClientCertCNAuth")

_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CSP_SOURCE: Final = re.compile(r"[!-+\--:<-~]+")


def _nothing(value: Any) -> Iterable[Fault]:
    return ()


@attrs.frozen
class Shape:
    """
    What a value may be.

    @ivar expected: in words, after "it must be".
    @ivar example: as it stands in the file.
    @ivar faults: all that is wrong with a value of the right type.
    """

    expected: str
    example: str
    faults: Callable[[Any], Iterable[Fault]] = _nothing


def _within(expected: str, example: str, low: float, high: float, open_: bool = False) -> Shape:
    """
    The shape of a number from C{low} (or, if C{open_}, above it) to C{high}.
    """

    def faults(value: float) -> Iterator[Fault]:
        # In this form it holds for what is not a number at all, too.
        if not low <= value <= high or (open_ and value == low):
            yield Fault(f"it must be {expected}", f"Write for instance {example}.")

    return Shape(expected, example, faults)


def _each(shape: Shape) -> Shape:
    """
    The shape of a list whose members have the given one.
    """

    def faults(values: Sequence[Any]) -> Iterator[Fault]:
        for index, value in enumerate(values, 1):
            for fault in shape.faults(value):
                yield attrs.evolve(fault, message=f"in entry {index}, {fault.message}") if len(values) > 1 else fault

    return Shape(f"{shape.expected}, or a list of such", shape.example, faults)


def _networkFaults(text: str) -> Iterator[Fault]:
    try:
        ip_network(text)
    except ValueError:
        try:
            yield Fault("it names a host within a network", f'Write "{ip_network(text, strict=False)}".')
        except ValueError:
            yield Fault("it is no network", 'Write for instance "10.0.0.0/8" or "2001:db8::/32".')


def _peerFaults(text: str) -> Iterator[Fault]:
    if text != UNIX:
        yield from _networkFaults(text)


def _splitURL(text: str) -> SplitResult | None:
    """
    The parts of an http(s) URL with a proper host, or L{None}.
    """
    if re.search(r"[^!-~]", text):
        return None
    try:
        parts = urlsplit(text)
        # Reading the port raises for one that is no number.
        port = parts.port
    except ValueError:
        return None
    proper = parts.scheme in ("http", "https") and port != 0 and isHost(parts.hostname or "")
    return parts if proper else None


def _urlFaults(text: str) -> Iterator[Fault]:
    parts = _splitURL(text)
    if parts is None:
        yield Fault("it is no URL that a viewer could be sent to", "Write http:// or https://, a host and a path.")
    elif "@" in parts.netloc:
        yield Fault("it holds credentials", "Write it without them: everyone who opens a console sees it.")
    elif "#" in text:
        yield Fault('it holds a "#"', "Write it without: the token is put behind it.")


def _serviceFaults(text: str) -> Iterator[Fault]:
    parts = _splitURL(text)
    if parts is None or "#" in text or "?" in text:
        yield Fault("it is no URL of a service", "Write http:// or https://, a host and a path.")
    elif "@" in parts.netloc:
        yield Fault("it holds credentials", "Write it without them: they stand in keys of their own.")


def _originFaults(text: str) -> Iterator[Fault]:
    if text == "*" or isHost(text):
        return
    parts = _splitURL(text)
    if parts is None or text.lower() != f"{parts.scheme}://{parts.netloc.lower()}" or "@" in parts.netloc:
        yield Fault("it is no origin", 'Write for instance "https://dashboard.example" or "dashboard.example".')


def _sourceFaults(text: str) -> Iterator[Fault]:
    if text.lower() in ("self", "none"):
        yield Fault("without quotes of its own it is the name of a host", f"Write \"'{text.lower()}'\".")
    elif not _CSP_SOURCE.fullmatch(text):
        yield Fault(
            "it is no source of a Content-Security-Policy",
            'Write for instance "\'self\'" or "https://dashboard.example", one to an entry.',
        )


def _cipherFaults(text: str) -> Iterator[Fault]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(text)
    except (ssl.SSLError, ValueError):
        yield Fault("OpenSSL knows no cipher by it", 'Write a list of OpenSSL\'s, such as "ECDHE+AESGCM".')


def _targetFaults(text: str) -> Iterator[Fault]:
    try:
        parseTarget(text)
    except BadTarget as error:
        yield Fault(error.cause, error.cure)


def _storeFaults(text: str) -> Iterator[Fault]:
    try:
        parseStore(text)
    except BadStore as error:
        yield error.fault


def _prefixFaults(text: str) -> Iterator[Fault]:
    if not re.fullmatch(r"[!-~]{1,64}", text) or re.search(r"[*?\[\]\\]", text):
        yield Fault("it is no prefix", "Write 1 to 64 letters, digits and signs such as : - _, none of * ? [ ] \\.")


def _pluginFaults(names: Sequence[str], package: str) -> Callable[[str], Iterator[Fault]]:
    """
    A name of websockify's, with its module in front or not, or any other class by its full name.
    """

    def faults(text: str) -> Iterator[Fault]:
        name = text.removeprefix(f"websockify.{package}.")
        if name in names or (name == text and _DOTTED.fullmatch(text)):
            return
        close = get_close_matches(name, names, 1)
        cure = f'Did you mean "{close[0]}"?' if close else f"Write one of {', '.join(names)}, or package.module.Class."
        yield Fault("there is no such plugin", cure)

    return faults


def _hostFaults(text: str) -> Iterator[Fault]:
    if not isHost(text):
        yield Fault("it is neither a host name nor an IP address", "Write it without scheme, port and brackets.")


def _lineFaults(text: str) -> Iterator[Fault]:
    if not text.strip() or len(text) > 255 or _CONTROL.search(text):
        yield Fault("it is not a line of 1 to 255 characters", "Write a few words.")


def _idFaults(text: str) -> Iterator[Fault]:
    if not CONSOLE_ID.fullmatch(text):
        yield Fault("it is no id", "Write 1 to 128 letters, digits and . _ : ~ - with a letter, digit or _ first.")


def _pathFaults(text: str) -> Iterator[Fault]:
    if not text or "\0" in text:
        yield Fault("it is no path", "Write the path of a file.")


SECONDS: Final = _within("a number of seconds above 0", "10", 0, LONGEST_SECONDS, open_=True)
SECONDS_OR_NONE: Final = _within("a number of seconds, or 0 for none", "30", 0, LONGEST_SECONDS)
DAYS: Final = _within("a number of days, or 0 for ever", "90", 0, LONGEST_SECONDS / 86400)
COUNT: Final = _within("a whole number, or 0 for no limit", "200", 0, MOST_USES)
SWITCH: Final = Shape("true or false", "true")
TLS_VERSION: Final = Shape('"1.2" or "1.3"', '"1.2"')
SHARING: Final = Shape('"share", "takeover" or "refuse"', '"takeover"')
CLIPBOARD: Final = Shape('"both", "to-console", "from-console" or "none"', '"from-console"')
CIPHERS: Final = Shape("a string of OpenSSL ciphers", '"ECDHE+AESGCM"', _cipherFaults)
ENDPOINTS: Final = _each(Shape("an endpoint string", '"tcp:6080:interface=127.0.0.1"', endpointFaults))
INTERFACE: Final = Shape('"public", "internal" or "admin"', '"internal"')
BASE_URL: Final = Shape("a URL", '"https://console.example/vnc_auto.html"', _urlFaults)
SERVICE_URL: Final = Shape("a URL", '"https://keystone.example/v3"', _serviceFaults)
ORIGINS: Final = _each(Shape("an origin or a host name", '"https://dashboard.example"', _originFaults))
SOURCES: Final = _each(Shape("a source of a Content-Security-Policy", "\"'self'\"", _sourceFaults))
PEERS: Final = _each(Shape('a network, or "unix"', '"10.0.0.0/8"', _peerFaults))
NETWORKS: Final = _each(Shape("a network", '"10.0.0.0/8"', _networkFaults))
PATH: Final = Shape("the path of a file", '"/etc/vncproxy/tls.pem"', _pathFaults)
STORE: Final = Shape("the URL of a store", '"sqlite:/var/lib/vncproxy/vncproxy.sqlite"', _storeFaults)
PREFIX: Final = Shape("what the keys in Redis begin with", '"vncproxy:"', _prefixFaults)
CONTROLLER: Final = Shape("where a controller is", '"tls:controller.example:8788"', controllerFaults)
HOST: Final = Shape("a host name or an IP address", '"console.example"', _hostFaults)
ID: Final = Shape("an id", '"vm7"', _idFaults)
LINE: Final = Shape("a string", '"Web server"', _lineFaults)
TARGET: Final = Shape("a target URL", '"vnc://10.0.0.5:5901"', _targetFaults)
SECRET: Final = Shape("a string", '"…"')
SECRETS: Final = _each(Shape("a string", '"…"'))
DIRECTORY: Final = Shape("the path of a directory", '"/usr/share/novnc"', _pathFaults)
TOKEN_PLUGIN: Final = _each(
    Shape("the name of a token plugin", '"TokenFile"', _pluginFaults(TOKEN_PLUGINS, "token_plugins"))
)
AUTH_PLUGIN: Final = Shape(
    "the name of an authentication plugin", '"BasicHTTPAuth"', _pluginFaults(AUTH_PLUGINS, "auth_plugins")
)
