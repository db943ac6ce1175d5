"""
The real proxy as a process of its own: C{twistd -n vncproxy}, on free ports and with a state directory of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers

from tests.integration.peers.bench import Bench, Program
from tests.ports import freePort

# A table of the configuration, or an array of tables.
Section = Mapping[str, Any] | Sequence[Mapping[str, Any]]
_LISTENING: Final = ("web", "java", "api", "consoleauth")


class VNCProxy:
    """
    A proxy that runs.

    @ivar program: its process; replaced by L{restart}.
    @ivar state: its state directory.
    @ivar endpoints: where it listens: C{"web"}, C{"java"}, C{"api"}, each a list of URLs.
    @ivar secrets: what none of its logs may hold: the tokens and passwords of the calls made here; a test adds its own.
    """

    def __init__(
        self,
        bench: Bench,
        twistd: Path,
        config: Mapping[str, Section],
        state: Path,
        arguments: Sequence[str],
        plugin: str = "vncproxy",
    ) -> None:
        self._bench = bench
        self._twistd = twistd
        self._arguments = arguments
        self._plugin = plugin
        self._config = dict(config)
        self.state = state
        self.program: Program
        self.endpoints: dict[str, list[str]] = {}
        self.secrets: set[str] = set()
        self._programs: list[Program] = []

    def port(self, frontend: str) -> int:
        """
        The TCP port of its first listener of C{frontend}.
        """
        port = urlsplit(self.endpoints[frontend][0]).port
        assert port is not None
        return port

    @property
    def key(self) -> str:
        """
        The API key that it made on its first start.
        """
        return (self.state / "api.key").read_text().strip()

    async def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        """
        Call its HTTP API.

        @param body: sent as JSON.
        @param key: in place of the right one; empty to send none.
        @return: the status, and what the answer's JSON says (L{None} where it has no body).
        """
        headers = Headers()
        if key != "":
            headers.addRawHeader("Authorization", f"Bearer {key or self.key}")
        producer = None
        if body is not None:
            headers.addRawHeader("Content-Type", "application/json")
            producer = FileBodyProducer(BytesIO(json.dumps(body).encode()))
        pool = HTTPConnectionPool(self._bench.reactor, persistent=False)
        agent = Agent(self._bench.reactor, connectTimeout=5, pool=pool)
        url = self.endpoints["api"][0] + path
        asking = agent.request(method.encode(), url.encode(), headers, producer)
        response = await self._bench.within(10, asking, f"the answer to {method} {path}")
        answer = await self._bench.within(10, readBody(response), f"the body of {method} {path}")
        told = json.loads(answer) if answer else None
        for words in (body, told):
            if isinstance(words, dict):
                self.secrets |= {words[name] for name in ("token", "password") if words.get(name)}
        return response.code, told

    async def mustCall(self, method: str, path: str, body: Any = None) -> Any:
        """
        Like L{call}, for calls that must succeed: only what the answer says.
        """
        status, answer = await self.call(method, path, body)
        if status >= 300:
            raise AssertionError(f"{method} {path} was answered {status}: {answer}")
        return answer

    async def addConsole(self, consoleID: str, url: str, **more: Any) -> None:
        """
        Register a console; C{more} are further keys of the API (C{name}, C{password}).
        """
        await self.mustCall("PUT", f"/v1/consoles/{consoleID}", {"url": url, **more})

    async def accessURL(self, consoleID: str, consoleType: str = "novnc", **more: Any) -> str:
        """
        An access URL to a console; C{more} are further keys of the API (C{view_only}, C{ttl}, C{uses} …).
        """
        access = await self.mustCall("POST", f"/v1/consoles/{consoleID}/access", {"type": consoleType, **more})
        url: str = access["url"]
        return url

    async def start(self, ports: Mapping[str, Sequence[str]] | None = None) -> None:
        """
        Start it, and wait until it listens.

        @param ports: the endpoint strings to listen on; free ports where there is none.
        """
        config = dict(self._config)
        for name in _LISTENING:
            section = config.get(name, {})
            assert isinstance(section, Mapping)
            listen = (ports or {}).get(name) or [f"tcp:{freePort()}:interface=127.0.0.1"]
            # Who asks a controller is none.
            config[name] = section if "connect" in section else {"listen": listen, **section}
        path = self._bench.path("vncproxy.toml")
        path.write_text(formatTOML(config))
        # The file may hold passwords.
        path.chmod(0o600)
        told = self.state / "endpoints.json"
        told.unlink(missing_ok=True)
        words: list[str | Path] = [
            "-n",
            "--pidfile=",
            self._plugin,
            "--config",
            path,
            "--state-dir",
            self.state,
            *self._arguments,
        ]
        self.program = await self._bench.run("vncproxy", self._twistd, *words)
        self._programs.append(self.program)
        self.endpoints = await self.program.until(lambda: _read(told), "it listened", 20)

    def log(self) -> str:
        """
        What it said so far, in all its runs.
        """
        return "".join(program.output() for program in self._programs)

    def checkLog(self) -> None:
        """
        Require that it kept its secrets, and that nothing happened that its authors did not foresee.
        """
        log = self.log()
        secrets = self.secrets | ({self.key} if (self.state / "api.key").exists() else set())
        for secret in secrets:
            if secret in log:
                raise AssertionError(f"the secret {secret!r} stands in a log in {self._bench.logs}")
        for sign in ("Traceback (most recent call last)", "Unhandled"):
            if sign in log:
                raise AssertionError(f"{sign!r} stands in a log in {self._bench.logs}:\n{log[-2000:]}")

    async def restart(self, crash: bool = False) -> None:
        """
        Stop it and start it again on the same ports, with the same state.

        @param crash: end it with no warning.
        """
        ports = {
            name: [f"tcp:{urlsplit(url).port}:interface=127.0.0.1" for url in urls]
            for name, urls in self.endpoints.items()
        }
        await (self.program.kill() if crash else self.program.stop())
        await self.start(ports)


async def runVNCProxy(
    bench: Bench,
    config: Mapping[str, Section] | None = None,
    state: Path | None = None,
    arguments: Sequence[str] = (),
    twistd: Path | None = None,
    plugin: str = "vncproxy",
) -> VNCProxy:
    """
    Start a proxy. Its log is looked through when the test is over, see L{VNCProxy.checkLog}.

    @param config: tables of the configuration by name; an array of tables (C{console}) is a list. Where a table does
        not say C{listen}, a free port is taken.
    @param state: the state directory of an earlier proxy; a new one by default.
    @param arguments: of C{twistd vncproxy}, on top: C{--demo}, C{--tls-self-signed}.
    @param twistd: the C{twistd} of another virtual environment; by default the one that runs the tests.
    @param plugin: C{"consoleauth"} for a controller without a proxy.
    """
    state = state or bench.path("state")
    state.mkdir(mode=0o700, exist_ok=True)
    proxy = VNCProxy(bench, twistd or Path(sys.executable).with_name("twistd"), config or {}, state, arguments, plugin)
    # It is done after what is arranged later: by then the proxy has ended, and its log is whole.
    bench.atEnd(proxy.checkLog)
    await proxy.start()
    return proxy


def formatTOML(config: Mapping[str, Section]) -> str:
    """
    A configuration as TOML. JSON writes strings, numbers, truth values and lists of them in the way that TOML does.
    """
    lines: list[str] = []
    for name, section in config.items():
        array = not isinstance(section, Mapping)
        for table in section if array else [section]:
            assert isinstance(table, Mapping)
            lines.append(f"[[{name}]]" if array else f"[{name}]")
            lines.extend(f"{key} = {json.dumps(value)}" for key, value in table.items())
    return "\n".join(lines) + "\n"


def _read(path: Path) -> dict[str, list[str]] | None:
    # The proxy may be in the middle of writing it.
    try:
        endpoints: dict[str, list[str]] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return endpoints
