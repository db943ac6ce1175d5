"""
Other ways to a controller than TCP with a key, peers of it that are not ours, and what it withstands.
"""

from __future__ import annotations

import json
import random
import re
import socket
import stat
import sys
import time
from pathlib import Path
from typing import Any, Final

from twisted.internet.threads import deferToThread

from tests.integration.peers import Authority, VNCProxy, runVNCProxy, startScripted
from tests.integration.test_consoleauth import TIMEOUT, ControllerCase, at

_DOCUMENT: Final = Path(__file__).parents[2] / "docs/consoleauth.rst"


class WayTests(ControllerCase):
    """
    Other ways to a controller than TCP with a key.
    """

    async def assertServed(self, controller: VNCProxy, proxy: VNCProxy) -> None:
        """
        A token of the controller opens its console at the proxy.
        """
        await controller.addConsole("vm", startScripted(self.bench).url)
        await self.open(at(proxy, await controller.accessURL("vm")))

    async def test_TLS(self) -> None:
        """
        Over TLS with a certificate, no key is needed; without either nobody is let in, and a controller whose
        certificate is another's is none.
        """
        authority, other = Authority(self.bench), Authority(self.bench)
        certificate, key = authority.issue("localhost")
        own, ownKey = authority.issue("proxy-1", client=True)
        controller = await self.control(
            server_certificate=str(certificate), server_key=str(key), client_ca=str(authority.certificate)
        )
        way = {
            "connect": f"tls:localhost:{controller.port('consoleauth')}",
            "ca_certs": str(authority.certificate),
            "client_certificate": str(own),
            "client_key": str(ownKey),
        }
        proxy = await self.proxy(controller, **way)
        await self.assertServed(controller, proxy)

        stranger, strangersKey = other.issue("proxy-1", client=True)
        for wrong in (
            {"client_certificate": str(stranger), "client_key": str(strangersKey)},
            {"ca_certs": str(other.certificate)},
            {"connect": f"tls:127.0.0.1:{controller.port('consoleauth')}"},
        ):
            with self.subTest(wrong=wrong):
                refused = await runVNCProxy(self.bench, {"consoleauth": {"timeout": TIMEOUT, **way, **wrong}})
                await refused.program.says("the token service is out of reach")
                self.assertEqual((await refused.call("GET", "/readyz"))[0], 503)

    async def test_TLSWithKey(self) -> None:
        """
        Over TLS a key will do, if it is the right one.
        """
        authority = Authority(self.bench)
        certificate, key = authority.issue("localhost")
        controller = await self.control(server_certificate=str(certificate), server_key=str(key))
        wrong = self.bench.path("wrong.key")
        wrong.touch(mode=0o600)
        wrong.write_text("nonsense\n")
        way = {
            "connect": f"tls:localhost:{controller.port('consoleauth')}",
            "ca_certs": str(authority.certificate),
            "key_file": str(wrong),
        }
        proxy = await runVNCProxy(self.bench, {"consoleauth": {"timeout": TIMEOUT, **way}})
        await proxy.program.says("the token service is out of reach: This key is not good here")
        # It is mended while the proxy runs.
        wrong.write_text(controller.key)
        await self.untilReady(proxy, 5)
        await self.assertServed(controller, proxy)

    async def test_UNIX(self) -> None:
        """
        Who may reach the UNIX socket is in.
        """
        path = self.bench.path("controller.sock")
        controller = await self.control(listen=f"unix:{path}:mode=600")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        await self.assertServed(controller, await self.proxy(controller, connect=f"unix:{path}"))


class PeerTests(ControllerCase):
    """
    Peers that are not ours.
    """

    async def test_document(self) -> None:
        """
        The client in the specification, which has 30 lines at most and needs nothing but Python, mints a token.
        """
        controller = await self.control()
        await controller.addConsole("vm", startScripted(self.bench).url)
        (block,) = re.findall(r"^\.\. code-block:: python\n\n((?:(?: {4}.*)?\n)+)", _DOCUMENT.read_text(), re.MULTILINE)
        lines = [line[4:] for line in block.splitlines()]
        self.assertLessEqual(len([line for line in lines if line]), 30)
        path = self.bench.path("client.py")
        path.write_text("\n".join(lines))
        words = ["127.0.0.1", str(controller.port("consoleauth")), str(controller.state / "api.key")]
        program = await self.bench.run("client", sys.executable, "-I", path, *words, "vm")
        self.assertEqual(await program.ends(), 0, program.output())
        token = program.output().split()[-1]
        proxy = await self.proxy(controller)
        proxy.secrets.add(token)
        await self.open(f"{proxy.endpoints['web'][0]}/?token={token}")
        program = await self.bench.run("client", sys.executable, "-I", path, *words, "nobody")
        self.assertEqual(await program.ends(), 1)
        self.assertIn("no directory knows the console nobody", program.output())

    async def test_fuzz(self) -> None:
        """
        Seconds of nonsense, from strangers and from peers that are in, on many connections at once, break nothing: a
        peer that behaves is served meanwhile and after.
        """
        controller = await self.control()
        await controller.addConsole("vm", startScripted(self.bench).url)
        proxy = await self.proxy(controller)
        port, key = controller.port("consoleauth"), controller.key
        fuzzing = [deferToThread(_fuzz, port, key if seed % 2 else "", seed, 2.0) for seed in range(4)]
        while not all(each.called for each in fuzzing):
            viewer, _ = await self.open(at(proxy, await controller.accessURL("vm")))
            await viewer.leave()
        rounds = [await self.bench.within(10, each, "the fuzzing to end") for each in fuzzing]
        self.assertGreater(min(rounds), 3)
        await self.untilReady(proxy, 1)
        self.assertEqual((await controller.call("GET", "/readyz"))[0], 200)


def _fuzz(port: int, key: str, seed: int, seconds: float) -> int:
    """
    Say nonsense for a while, each connection until it is hung up on or has said enough; how many there were.
    """
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
        with socket.create_connection(("127.0.0.1", port), timeout=1) as peer:
            try:
                if key:
                    peer.sendall(_line(1, "authenticate", {"key": key}))
                    peer.recv(1000)
                for _ in range(chance.randrange(1, 60)):
                    peer.sendall(_nonsense(chance))
                    if chance.random() < 0.3:
                        _listen(peer)
            except (ConnectionError, TimeoutError):
                # It has hung up, or does not read any more.
                continue
    return rounds


def _listen(peer: socket.socket) -> None:
    """
    Take what the server has said; every whole line of it is JSON.
    """
    peer.settimeout(0.02)
    try:
        said = peer.recv(65536)
    except TimeoutError:
        return
    finally:
        peer.settimeout(1)
    lines = said.split(b"\n")[:-1]
    for line in lines[1:]:
        json.loads(line)


def _nonsense(chance: random.Random) -> bytes:
    methods = [
        "authorize_console",
        "check_token",
        "redeem_token",
        "end_session",
        "undo_redeem",
        "report_load",
        "ping",
        "",
    ]
    names = ["token", "console_type", "instance_uuid", "host", "port", "resume", "proxy", "sessions", "token_hash", "x"]
    values = ["", "vm", "novnc", "T" * 43, 0, -1, 2**63, 1e300, None, True, [], {}, "\0\u2028\U0001f5a5", "a" * 64]
    whole = _line(
        chance.choice(values),
        chance.choice(methods),
        {n: chance.choice(values) for n in names if chance.random() < 0.5},
    )
    at = chance.randrange(len(whole))
    return chance.choice(
        [
            whole,
            whole[:at],
            whole[:at] + chance.randbytes(3) + whole[at:],
            chance.randbytes(chance.randrange(200)),
            b"\n" * chance.randrange(50),
            b"[" * chance.randrange(5000) + b"\n",
            b"x" * chance.randrange(100_000),
            _line(1, "ping", {}) * chance.randrange(500),
        ]
    )


def _line(id: Any, method: str, params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode() + b"\n"
