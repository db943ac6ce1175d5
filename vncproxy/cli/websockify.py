"""
C{vncproxy websockify}: websockify's own command line, so that a unit file changes one word.

What its flags say becomes a configuration as everybody could write one, and C{twistd} runs it. A flag that asks for
what is not done here is refused by its name: nobody should find out later that it did nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

Tables = dict[str, dict[str, Any]]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_REFUSED: Final = {
    "record": "Sessions are not recorded here.",
    "traffic": "Frames are not shown one by one.",
    "run_once": "It serves until it is stopped.",
    "timeout": "It serves until it is stopped.",
    "idle_timeout": "It serves until it is stopped.",
    "inetd": "It does not take a socket from inetd. Let systemd start the proxy with [web] listen = systemd:….",
    "libserver": "There is one engine, and it needs no threads.",
    "ssl_target": "TLS towards the target is not spoken. Put something in front of the target that ends TLS.",
}
"""
By the flag's name, why it is refused.
"""

_VERSIONS: Final = {"default": "1.2", "tlsv1_2": "1.2", "tlsv1_3": "1.3"}

_MAGIC_LOG: Final = "/dev/log"


class _WithoutWrapping(click.Command):
    """
    Behind C{--} websockify takes a command to wrap.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            raise click.UsageError("A command behind -- is not wrapped here. Start it apart, and name its port.", ctx)
        return super().parse_args(ctx, args)


def _flag(*names: str, words: str) -> Callable[[_Command], _Command]:
    return click.option(*names, is_flag=True, help=words)


@click.command("websockify", cls=_WithoutWrapping, short_help="Stand in for websockify, with its own command line.")
@_flag("--verbose", "-v", words="Taken, and needs nothing: sessions are always logged.")
@_flag("--traffic", words="Refused.")
@click.option("--record", metavar="FILE", help="Refused.")
@_flag("--daemon", "-D", words="Go to the background.")
@_flag("--run-once", words="Refused.")
@click.option("--timeout", type=int, default=0, help="Refused, but for 0.")
@click.option("--idle-timeout", type=int, default=0, help="Refused, but for 0.")
@click.option("--cert", metavar="FILE", help="PEM file with the certificate.  [default: self.pem, if it is there]")
@click.option("--key", metavar="FILE", help="PEM file with the private key, if that is apart.")
@click.option("--key-password", help="Decrypts the private key.")
@_flag("--ssl-only", words="Send those who come without TLS to where it is spoken.")
@_flag("--ssl-target", words="Refused.")
@_flag("--verify-client", words="Ask clients for a certificate.")
@click.option("--cafile", metavar="FILE", help="Who has to have signed it.  [default: whom this machine trusts]")
@click.option(
    "--ssl-version",
    type=click.Choice(["default", "tlsv1_1", "tlsv1_2", "tlsv1_3"]),
    default="default",
    help="The oldest TLS spoken; tlsv1_1 is refused.",
)
@click.option("--ssl-ciphers", help="Ciphers of TLS 1.2, as OpenSSL writes them.")
@click.option("--unix-listen", metavar="FILE", help="Listen on a UNIX socket.")
@click.option("--unix-listen-mode", metavar="MODE", help="Its mode.  [default: 0600]")
@click.option("--unix-target", metavar="FILE", help="Connect to a UNIX socket.")
@_flag("--inetd", words="Refused.")
@click.option("--web", metavar="DIR", help="Serve the files of DIR on the same port, without listings.")
@_flag("--web-auth", words="Let the auth plugin decide about them, too.")
@click.option("--wrap-mode", metavar="MODE", help="Refused.")
@_flag("--prefer-ipv6", "-6", words="Listen on the IPv6 address of a name.")
@_flag("--libserver", words="Refused.")
@click.option("--target-config", metavar="FILE", help="The same as --token-plugin TokenFile --token-source FILE.")
@click.option("--token-plugin", metavar="CLASS", help="Where targets come from.")
@click.option("--token-source", metavar="ARG", help="What the token plugin is given.")
@_flag("--host-token", words="The host that is asked for is the token.")
@click.option("--auth-plugin", metavar="CLASS", help="Who may come in.")
@click.option("--auth-source", metavar="ARG", help="What the auth plugin is given.")
@click.option("--heartbeat", type=int, default=0, metavar="SECONDS", help="Between two pings; 0 sends none.")
@click.option("--log-file", metavar="FILE", help="Log there.")
@click.option("--syslog", metavar="SERVER", help="Log to the local syslog: /dev/log.")
@_flag("--legacy-syslog", words="Taken, and needs nothing.")
@_flag("--file-only", words="Taken, and needs nothing: directories are never listed.")
@click.argument("addresses", nargs=-1, metavar="[[ADDRESS:]PORT] [HOST:PORT]")
def standIn(addresses: tuple[str, ...], **options: Any) -> None:
    """
    Stand in for websockify: pass on what comes in WebSockets as it is, over TCP.

    \b
    Examples:
      vncproxy websockify 6080 localhost:5901
      vncproxy websockify --token-plugin TokenFile --token-source /etc/tokens --web /usr/share/novnc 6080
    """
    tables = makeTables(addresses, options, os.getcwd())
    text = formatTables(tables)
    _check(text)
    _run(text, twistdWords(options), options["unix_listen"])


def makeTables(addresses: tuple[str, ...], options: Mapping[str, Any], directory: str) -> Tables:
    """
    The configuration that a command line means.

    @param directory: where relative paths begin.

    @raise click.UsageError: it means none, or something that is not done here.
    """
    for name, reason in _REFUSED.items():
        if options[name]:
            raise click.UsageError(f"--{name.replace('_', '-')}: {reason}")
    if options["wrap_mode"] is not None:
        raise click.UsageError("--wrap-mode: commands are not wrapped here. Start them apart, and name their ports.")
    _checkTogether(options)
    rest = list(addresses)
    listen = _listening(rest, options, directory)
    tokens = _tokens(rest, options, directory)
    if rest:
        raise click.UsageError("Too many arguments.")
    tables: Tables = {
        # It asks nobody where a page came from; that is for the plugin ExpectOrigin.
        "web": {"listen": [listen], "allowed_origins": ["*"], "frame_ancestors": ["*"], "page": False},
        "java": {"listen": []},
        "api": {"listen": []},
        "consoleauth": {"listen": []},
        "tls": _tls(options, directory),
        "tokens": tokens,
    }
    tables["web"]["heartbeat"] = options["heartbeat"]
    if options["web"] is not None:
        tables["web"]["directory"] = os.path.join(directory, options["web"])
    for key in ("auth_plugin", "auth_source", "web_auth"):
        if options[key]:
            tables["web"][key] = options[key]
    return tables


def _checkTogether(options: Mapping[str, Any]) -> None:
    """
    What websockify itself refuses, and what could only refuse everybody.
    """
    for name, needed in (
        ("token_source", "token_plugin"),
        ("auth_source", "auth_plugin"),
        ("web_auth", "auth_plugin"),
        ("web_auth", "web"),
        ("legacy_syslog", "syslog"),
    ):
        if options[name] and not options[needed]:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --{needed.replace('_', '-')}.")
    if options["host_token"] and not (options["token_plugin"] or options["target_config"]):
        raise click.UsageError("--host-token needs --token-plugin.")
    if "ClientCertCNAuth" in (options["auth_plugin"] or "") and not options["verify_client"]:
        raise click.UsageError("--auth-plugin ClientCertCNAuth needs --verify-client.")
    if options["syslog"] not in (None, _MAGIC_LOG):
        raise click.UsageError(f"--syslog: logs go to the local syslog only. Write {_MAGIC_LOG}.")


def _listening(rest: list[str], options: Mapping[str, Any], directory: str) -> str:
    """
    Where to listen, as an endpoint string; the argument that says so is taken off C{rest}.
    """
    from twisted.internet.endpoints import quoteStringArgument

    if options["unix_listen"] is not None:
        mode = options["unix_listen_mode"] or "0600"
        if len(mode.lstrip("0")) > 3 or not set(mode) <= set("01234567"):
            raise click.UsageError("--unix-listen-mode: it is no octal mode such as 660.")
        path = quoteStringArgument(os.path.join(directory, options["unix_listen"]))
        return f"unix:{path}:mode={mode.lstrip('0').zfill(3)}"
    if not rest:
        raise click.UsageError("Too few arguments: write where to listen, [ADDRESS:]PORT.")
    host, port = _split(rest.pop(0), "the port to listen on")
    family, address = _resolve(host, options["prefer_ipv6"])
    kind = "tcp6" if family == socket.AF_INET6 else "tcp"
    return f"{kind}:{port}:interface={quoteStringArgument(address)}"


def _resolve(host: str, preferIPv6: bool) -> tuple[socket.AddressFamily, str]:
    """
    The address of a name to listen on: of several, the first one of the family that is preferred.
    """
    if not host:
        return (socket.AF_INET6, "::") if preferIPv6 else (socket.AF_INET, "0.0.0.0")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise click.UsageError(f"{host} has no address to listen on: {error.strerror}.") from error
    preferred = socket.AF_INET6 if preferIPv6 else socket.AF_INET
    family, _, _, _, address = sorted(found, key=lambda each: each[0] != preferred)[0]
    return family, str(address[0])


def _split(text: str, what: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise click.UsageError(f"{port!r} is not {what}: write a number.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _tokens(rest: list[str], options: Mapping[str, Any], directory: str) -> dict[str, Any]:
    """
    Where targets come from; an argument that names one is taken off C{rest}.
    """
    if options["target_config"] is not None:
        plugin, source = "TokenFile", os.path.join(directory, options["target_config"])
    elif options["token_plugin"] is not None:
        plugin, source = options["token_plugin"], options["token_source"] or ""
    else:
        plugin, source = "FixedTarget", _target(rest, options, directory)
    return {"plugin": [plugin], "source": [source], "host_token": options["host_token"]}


def _target(rest: list[str], options: Mapping[str, Any], directory: str) -> str:
    from vncproxy.model import Target, TargetKind
    from vncproxy.targets import formatTarget

    if options["unix_target"] is not None:
        return formatTarget(Target(TargetKind.UNIX, path=os.path.join(directory, options["unix_target"])))
    if not rest:
        raise click.UsageError("Too few arguments: write what to connect to, HOST:PORT.")
    text = rest.pop(0)
    if ":" not in text:
        raise click.UsageError(f"{text!r} is no target: write HOST:PORT.")
    host, port = _split(text, "the port of a target")
    return formatTarget(Target(TargetKind.TCP, host=host, port=port))


def _tls(options: Mapping[str, Any], directory: str) -> dict[str, Any]:
    """
    TLS, if there is a certificate: beside those who speak without it, unless told otherwise.
    """
    if options["ssl_version"] not in _VERSIONS:
        raise click.UsageError("--ssl-version tlsv1_1: TLS 1.1 is not spoken here. Write tlsv1_2.")
    certificate = os.path.join(directory, options["cert"] or "self.pem")
    if not os.path.exists(certificate):
        # websockify would go on without TLS.
        if options["cert"] is not None or options["ssl_only"]:
            raise click.UsageError(f"--cert: there is no {certificate}.")
        return {}
    tls = {
        "certificate": certificate,
        "minimum_version": _VERSIONS[options["ssl_version"]],
        "ssl_only": options["ssl_only"],
    }
    if options["key"] is not None:
        tls["key"] = os.path.join(directory, options["key"])
    if options["key_password"] is not None:
        tls["key_password"] = options["key_password"]
    if options["ssl_ciphers"] is not None:
        tls["ciphers"] = options["ssl_ciphers"]
    if options["verify_client"]:
        tls["client_ca"] = os.path.join(directory, options["cafile"]) if options["cafile"] else _systemAuthorities()
    return tls


def _systemAuthorities() -> str:
    paths = (ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt")
    found = next((path for path in paths if path and os.path.exists(path)), None)
    if found is None:
        raise click.UsageError("--verify-client: this machine has no list of authorities. Name one with --cafile.")
    return found


def formatTables(tables: Tables) -> str:
    """
    A configuration as TOML. JSON writes texts, numbers, truth values and lists of them in the way that TOML does.
    """
    lines = []
    for name, keys in tables.items():
        lines.append(f"[{name}]")
        # Beyond the basic plane JSON would write pairs, which TOML does not take.
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def twistdWords(options: Mapping[str, Any]) -> list[str]:
    """
    The options of C{twistd}: where it runs, and where it logs.
    """
    words = ["--pidfile="] if options["daemon"] else ["--nodaemon", "--pidfile="]
    if options["syslog"] is not None:
        return [*words, "--syslog", "--prefix=websockify"]
    if options["log_file"] is not None:
        return [*words, f"--logfile={os.path.abspath(options['log_file'])}"]
    # In the background there is nobody to read it.
    return [*words, f"--logger={__name__}.makeSilence"] if options["daemon"] else words


def makeSilence() -> Any:
    """
    A log observer that forgets.
    """
    return lambda event: None


def _check(text: str) -> None:
    """
    Refuse in words what no configuration may say.
    """
    from vncproxy.config import checkConfig

    problems = checkConfig(text, "")
    if problems:
        raise click.UsageError("\n".join(f"{each.key}: {each.message}. {each.cure}" for each in problems))


def _run(text: str, words: list[str], unixListen: str | None) -> None:
    """
    Run C{twistd} in our place, with a directory that lasts as long as it does.
    """
    from twisted.application import app
    from twisted.scripts._twistd_unix import ServerOptions, UnixApplicationRunner

    if unixListen is not None:
        _removeSocket(unixListen)
    directory = Path(tempfile.mkdtemp(prefix="vncproxy-websockify-"))
    try:
        config = directory / "vncproxy.toml"
        config.touch(mode=0o600)
        config.write_text(text, encoding="utf-8")
        sys.argv = ["twistd", *words, "vncproxy", "--config", str(config), "--state-dir", str(directory / "state")]
        # The function of twistd itself ends with the signal that it got, and with nothing done after it.
        app.run(lambda config: UnixApplicationRunner(config).run(), ServerOptions)
    finally:
        # In the background, too: the process that leaves it there does not come here.
        shutil.rmtree(directory, ignore_errors=True)


def _removeSocket(path: str) -> None:
    """
    Remove what an earlier run has left; nothing but a socket.
    """
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
