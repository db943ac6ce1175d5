"""
Every kind of token source beside the real websockify: the same sources and the same tokens lead to the same consoles.
"""

from __future__ import annotations

import json
from typing import Any, Final

from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from twisted.internet.protocol import Factory

from tests.integration.peers import (
    startRedis,
)
from tests.integration.websockifyworld import BesideCase, Naming
from tests.ports import freePort
from vncproxy.certs import selfSigned

_PLUGIN: Final = """
class Reversing:
    def __init__(self, source):
        self.source = source

    def lookup(self, token):
        return ("127.0.0.1", self.source) if token == "nekot" else None
"""


class SourceTests(BesideCase):
    """
    Every kind of token source.
    """

    async def test_files(self) -> None:
        """
        TokenFile: comments, blanks, empty lines, tokens with colons, IPv6, UNIX sockets, lines that make no sense; a
        change counts at once.
        """
        a, b, six, unix = self.console("a"), self.console("b"), self.console("six", host="::1"), self.console("u", True)
        path = self.bench.path("tokens")
        path.write_text(
            f"# tok-0: 127.0.0.1:{a}\n\n  tok-1: 127.0.0.1:{a}  \ntok:2:\t127.0.0.1:{b}\ntok-3:127.0.0.1:{a}\n"
            f"tok-4: 127.0.0.1: {a}\ntok-5: ::1:{six}\ntok-6: unix_socket:{unix}\ntok-7: localhost:{b}\n"
            f"tok-8: 127.0.0.1:{a}\ntok-8: 127.0.0.1:{b}\ntok-9: [::1]:{six}\n"
        )
        ports = await self.both("--token-plugin=TokenFile", f"--token-source={path}", "")
        known = {"tok-1": "a", "tok:2": "b", "tok-5": "six", "tok-6": "u", "tok-7": "b", "tok-8": "b", "tok-1\n": "a"}
        unknown = dict.fromkeys(("tok-0", "# tok-0", "tok-3", "tok-4", "other", "TOK-1"), "refused")
        await self.compare(ports, known | unknown)
        # What websockify cannot do: an address in brackets.
        self.assertEqual([await self.reach(port, "tok-9") for port in ports], ["refused", "six"])
        path.write_text(f"tok-1: 127.0.0.1:{b}\n")
        await self.compare(ports, {"tok-1": "b", "tok-8": "refused"})

    async def test_names(self) -> None:
        """
        TokenFileName: the file named like the token; what is outside of the directory is not reached.
        """
        a = self.console("a")
        directory = self.bench.path("names")
        directory.mkdir()
        (directory / "tok-1").write_text(f"127.0.0.1:{a}\n")
        self.bench.path("outside").write_text(f"127.0.0.1:{a}\n")
        ports = await self.both("--token-plugin=TokenFileName", f"--token-source={directory}", "")
        await self.compare(ports, {"tok-1": "a", "x/tok-1": "a", "../outside": "refused", "other": "refused"})

    async def test_sockets(self) -> None:
        """
        UnixDomainSocketDirectory: by name; but not, as in websockify, by way of a sibling directory.
        """
        inside, outside = self.bench.path("in"), self.bench.path("in-between")
        for directory in (inside, outside):
            directory.mkdir()
            factory = Factory.forProtocol(lambda name=directory.name: Naming(name))
            port = self.bench.reactor.listenUNIX(str(directory / "tok-1"), factory)
            self.bench.atEnd(port.stopListening)
        ports = await self.both("--token-plugin=UnixDomainSocketDirectory", f"--token-source={inside}", "")
        await self.compare(ports, {"tok-1": "in", "other": "refused", "..": "refused"})
        escape = [await self.reach(port, "../in-between/tok-1") for port in ports]
        self.assertEqual(escape, ["in-between", "refused"])

    async def test_services(self) -> None:
        """
        BaseTokenAPI and JSONTokenApi: the body names the target, a status from 400 on means nobody.
        """
        a, b = self.console("a"), self.console("b")
        plain = self.service({"tok-1": f"127.0.0.1:{a}", "tok-2": f"localhost:{b}"})
        objects = {"tok-1": {"host": "127.0.0.1", "port": a}, "tok-2": {"host": "127.0.0.1", "port": int(b), "x": 1}}
        rich = self.service({token: json.dumps(fields) for token, fields in objects.items()})
        for plugin, url in (("BaseTokenAPI", plain), ("JSONTokenApi", rich)):
            ports = await self.both(f"--token-plugin={plugin}", f"--token-source={url}", "")
            await self.compare(ports, {"tok-1": "a", "tok-2": "b", "other": "refused"})

    async def test_signed(self) -> None:
        """
        JWTTokenApi: a signature by the key, and times that are kept.
        """
        a = self.console("a")
        key = JWK.generate(kty="oct", size=256)
        path = self.bench.path("key")
        path.write_text(key.export(as_dict=True)["k"])

        def sign(with_: JWK = key, **claims: Any) -> str:
            signed = JWS(json.dumps({"host": "127.0.0.1", "port": a} | claims).encode())
            signed.add_signature(with_, protected='{"alg": "HS256"}')
            text: str = signed.serialize(compact=True)
            return text

        ports = await self.both("--token-plugin=JWTTokenApi", f"--token-source={path}", "")
        now = int(self.bench.reactor.seconds())
        good = {sign(): "a", sign(port=int(a)): "a", sign(exp=now + 600, nbf=now - 600): "a"}
        bad = (sign(exp=now - 3600), sign(nbf=now + 3600), sign(JWK.generate(kty="oct", size=256)), "x.y.z", "x")
        await self.compare(ports, good | dict.fromkeys(bad, "refused"))

    async def test_redis(self) -> None:
        """
        TokenRedis: plain values and objects, under a namespace, behind a password, in another database.
        """
        a, b = self.console("a"), self.console("b")
        redis = await startRedis(self.bench, "--requirepass", "hush-hush")
        self.secrets.add("hush-hush")
        values = {
            "ns:tok-1": f" 127.0.0.1:{a}\n",
            "ns:tok-2": json.dumps({"host": f"127.0.0.1:{b}", "x": 1}),
            "tok-3": "x",
        }
        values["ns:tok-4"] = "nonsense"
        for name, value in values.items():
            await redis.command("-a", "hush-hush", "-n", "1", "set", name, value)
        source = f"127.0.0.1:{redis.port}:1:hush-hush:ns"
        ports = await self.both("--token-plugin=TokenRedis", f"--token-source={source}", "")
        refused = dict.fromkeys(("tok-3", "ns:tok-1", "tok-4", "other"), "refused")
        await self.compare(ports, {"tok-1": "a", "tok-2": "b"} | refused)

    async def test_secureRedis(self) -> None:
        """
        What websockify cannot do: a Redis over TLS, whose certificate has to be one that the machine trusts.
        """
        a = self.console("a")
        certificate, key = selfSigned(self.bench.directory, [])
        secure = freePort()
        files = ("--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate)
        redis = await startRedis(self.bench, "--tls-port", str(secure), "--tls-auth-clients", "no", *files)
        await redis.command("set", "tok-1", f"127.0.0.1:{a}")
        words = ("--token-plugin=TokenRedis", f"--token-source=rediss://localhost:{secure}", "--file-only")
        for env, outcome in (({"SSL_CERT_FILE": certificate}, "a"), ({}, "refused")):
            port, program = await self.start("vncproxy", *words, env=env)
            self.assertEqual(await self.reach(port, "tok-1"), outcome)
            self.assertEqual("tokens_unreachable" in program.output(), outcome == "refused")
            await program.stop()

    async def test_class(self) -> None:
        """
        A class of somebody's, found on the path of Python.
        """
        a = self.console("a")
        (self.bench.directory / "ownplugins.py").write_text(_PLUGIN)
        ports = await self.both("--token-plugin=ownplugins.Reversing", f"--token-source={a}", "")
        await self.compare(ports, {"nekot": "a", "tekon": "refused"})
