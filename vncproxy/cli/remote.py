"""
The way to a proxy's API, and in which words it is told that it cannot be had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import attrs
import click

from vncproxy.cli.output import printable

if TYPE_CHECKING:
    import httpx

#: Seconds that the proxy may take to answer; more than it gives itself.
_TIMEOUT: Final = 15.0

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@attrs.frozen
class Key:
    """
    The API key, looked for when it is needed: a file named on the command line, else the variable C{VNCPROXY_KEY},
    else the file of C{VNCPROXY_KEY_FILE}, else the one that a proxy of this user makes.

    @ivar file: the key file that the user named, or L{None}.
    @ivar named: it was named on the command line.
    """

    file: Path | None
    environ: Mapping[str, str] = attrs.field(repr=False)
    named: bool = False

    @property
    def origin(self) -> str:
        """
        Where the key is taken from, in words.
        """
        return "the variable VNCPROXY_KEY" if self._inEnvironment() else str(self._path())

    def read(self) -> str:
        """
        The key.

        @raise click.ClickException: there is none to be had.
        """
        key = self.environ["VNCPROXY_KEY"].strip() if self._inEnvironment() else self._readFile()
        if not (key.isascii() and key.isprintable()):
            raise click.ClickException(
                f"{self.origin[0].upper()}{self.origin[1:]} holds more than one line, or characters that no API key "
                "has. A key is one line of letters, digits and signs."
            )
        return key

    def endpoint(self) -> str | None:
        """
        Where the proxy that keeps its key there says that its API listens; L{None} if it does not say.
        """
        try:
            told = json.loads(self._path().with_name("endpoints.json").read_bytes())["api"]
            return next((url for url in told if url.startswith(("http://", "https://"))), None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _readFile(self) -> str:
        path = self._path()
        try:
            key = path.read_text("ascii").strip()
        except FileNotFoundError:
            raise click.ClickException(
                f"There is no API key at {path}. A proxy makes one in its state directory when it first starts. Name "
                f"the file with --key-file (a proxy under systemd: /var/lib/vncproxy/api.key)."
            ) from None
        except UnicodeDecodeError:
            raise click.ClickException(f"{path} holds no API key. Name the right file with --key-file.") from None
        except OSError as error:
            raise click.ClickException(
                f"The API key at {path} cannot be read: {error.strerror}. It belongs to the user who runs the proxy."
            ) from None
        if not key:
            raise click.ClickException(f"The key file {path} is empty. Name the right file with --key-file.")
        return key

    def _inEnvironment(self) -> bool:
        return bool(self.environ.get("VNCPROXY_KEY")) and not self.named

    def _path(self) -> Path:
        return self.file or defaultKeyFile(self.environ)


def defaultKeyFile(environ: Mapping[str, str]) -> Path:
    """
    Where a proxy of this user makes its key.
    """
    state = Path(environ.get("XDG_STATE_HOME", ""))
    # XDG Base Directory Specification: a relative path is to be ignored.
    return (state if state.is_absolute() else Path.home() / ".local" / "state") / "vncproxy" / "api.key"


@attrs.frozen
class Remote:
    """
    The API of one proxy.

    @ivar url: without a slash at its end.
    @ivar command: how our command is called for it: C{"vncproxy"} and the options that lead there.
    @ivar transport: in place of the network, or L{None}.
    """

    url: str
    key: Key
    transport: httpx.BaseTransport | None = None
    command: str = "vncproxy"

    def ask(
        self,
        method: str,
        *path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """
        Ask, and return the decoded answer; L{None} when it has no body.

        @param path: the segments behind C{/v1}.

        @raise click.ClickException: the answer is no, or there is none.
        """
        where = "/v1/" + "/".join(quote(segment, safe="") for segment in path)
        answer = self._send(method, where + (f"?{urlencode(query)}" if query else ""), body)
        if answer.status_code == 204:
            return None
        try:
            told = json.loads(answer.content)
            if answer.is_success:
                return told
            message = str(told["error"]["message"])
        except (ValueError, KeyError, TypeError):
            raise click.ClickException(
                f"What answers at {self.url} is not the API of vncproxy (HTTP status {answer.status_code}). The API "
                f"has a port of its own, 8774 by default: see --api."
            ) from None
        if told["error"].get("reason") == "console_unknown" and path[0] == "consoles":
            message = f"There is no console {printable(path[1])}. See: {self.command} console list"
        if answer.status_code == 401:
            message = f"The proxy refuses the API key from {self.key.origin}. Name the right one with --key-file."
        raise click.ClickException(message)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        # Imported here, because `vncproxy --help` should not wait for it.
        import httpx

        # A proxy of the environment is for the outside world, not for this machine.
        outside = urlsplit(self.url).hostname not in _LOOPBACK
        headers = {"Authorization": f"Bearer {self.key.read()}"}
        try:
            with httpx.Client(transport=self.transport, timeout=_TIMEOUT, trust_env=outside) as client:
                return client.request(method, self.url + path, json=body, headers=headers)
        except httpx.TimeoutException:
            raise click.ClickException(f"The proxy at {self.url} does not answer within {_TIMEOUT:.0f} s.") from None
        except httpx.InvalidURL as error:
            raise click.BadParameter(f"{self.url!r} is not a URL: {error}", param_hint="--api") from None
        except httpx.TransportError as error:
            if "ssl" in str(error).lower():
                raise click.ClickException(
                    f"TLS with {self.url} fails: {error}. An authority of your own is named by the variable "
                    f"SSL_CERT_FILE; an API without TLS has a URL that begins with http://."
                ) from None
            raise click.ClickException(
                f"No proxy answers at {self.url}. Is it running? Start it with: twistd -n vncproxy. One that listens "
                f"elsewhere is named by --api URL, or by the variable VNCPROXY_API."
            ) from None
