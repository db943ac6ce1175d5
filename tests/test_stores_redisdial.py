"""
The ways to a Redis.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from tests.ports import freePort
from tests.redisworld import RedisCase
from vncproxy.certs import selfSigned
from vncproxy.config import StoreSection
from vncproxy.config.stores import RedisPlace
from vncproxy.errors import ConfigError
from vncproxy.stores.redisdial import RedisDialler, WireLost, WireRefusal, readPassword
from vncproxy.stores.rediswire import RedisWire


class DialCase(RedisCase):
    """
    Dialling, and asking for an answer.
    """

    def dialler(self, place: RedisPlace, **settings: Any) -> RedisDialler:
        """
        A dialler to a place.
        """
        return RedisDialler(self.reactor, place, StoreSection(**settings))

    def dial(self, dialler: RedisDialler) -> str:
        """
        Dial and say hello; what came back. The connection is ended.
        """

        async def hello() -> str:
            wire = await dialler.dial()
            gone = wire.whenDisconnected()
            try:
                return str(await wire.ask("ECHO", "hello"))
            finally:
                wire.abort()
                await gone

        return self.result(hello())


class PlainTests(DialCase):
    """
    TCP and UNIX sockets.
    """

    def setUp(self) -> None:
        self.port = freePort()
        self.options = ("--port", str(self.port))
        super().setUp()

    def test_ways(self) -> None:
        """
        A Redis is reached at an address and at a socket.
        """
        for place in (self.place(), RedisPlace((("127.0.0.1", self.port),))):
            self.assertEqual(self.dial(self.dialler(place)), "hello")

    def test_byName(self) -> None:
        """
        A Redis is reached by the name of its host.
        """
        threads = self.reactor.getThreadPool()
        threads.start()
        self.addCleanup(threads.stop)
        self.assertEqual(self.dial(self.dialler(RedisPlace((("localhost", self.port),)))), "hello")

    def test_nobodyThere(self) -> None:
        """
        Where nobody listens, that is said.
        """
        self.server.kill()
        for place in (self.place(), RedisPlace((("127.0.0.1", self.port),)), RedisPlace((("::1", self.port),))):
            self.assertRaises(WireLost, self.dial, self.dialler(place))


def certify(directory: Path) -> tuple[str, str]:
    """
    The paths of a certificate for 127.0.0.1, good for servers and for clients, and of its key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Redis of the tests")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificate, keyFile = directory / "redis.pem", directory / "redis.key"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    keyFile.write_bytes(key.private_bytes(*pem))
    return str(certificate), str(keyFile)


class TLSTests(DialCase):
    """
    TLS, with the server's certificate verified.
    """

    def setUp(self) -> None:
        directory = Path(os.path.abspath(self.mktemp()))
        directory.mkdir()
        self.certificate, self.key = certify(directory)
        self.other = directory / "other"
        self.other.mkdir()
        self.foreign, _ = selfSigned(self.other, [])
        self.port = freePort()
        self.options = (
            *("--tls-port", str(self.port), "--tls-cert-file", self.certificate, "--tls-key-file", self.key),
            *("--tls-ca-cert-file", self.certificate, "--tls-auth-clients", "optional"),
        )
        super().setUp()
        self.tls = RedisPlace((("127.0.0.1", self.port),), tls=True)

    def test_verified(self) -> None:
        """
        A certificate of an authority that is trusted lets us in, with one of ours or without.
        """
        self.assertEqual(self.dial(self.dialler(self.tls, ca_certs=self.certificate)), "hello")
        self.execute("CONFIG", "SET", "tls-auth-clients", "yes")
        self.assertRaises(WireLost, self.dial, self.dialler(self.tls, ca_certs=self.certificate))
        ours = {"ca_certs": self.certificate, "client_certificate": self.certificate, "client_key": self.key}
        self.assertEqual(self.dial(self.dialler(self.tls, **ours)), "hello")

    def test_untrusted(self) -> None:
        """
        A certificate of anybody else does not, nor does a name that it does not hold, nor a server without TLS.
        """
        for settings in ({}, {"ca_certs": self.foreign}):
            error = self.assertRaises(WireLost, self.dial, self.dialler(self.tls, **settings))
            self.assertTrue(error.untrusted)
        elsewhere = RedisPlace((("127.0.0.2", self.port),), tls=True)
        self.execute("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2")
        error = self.assertRaises(WireLost, self.dial, self.dialler(elsewhere, ca_certs=self.certificate))
        self.assertTrue(error.untrusted)

    def test_files(self) -> None:
        """
        Files that do not hold what they should are named.
        """
        empty = self.other / "empty"
        empty.write_text("")
        spoilt = self.other / "spoilt"
        spoilt.write_text("-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n")
        for settings, key in (
            ({"ca_certs": "/nowhere"}, "ca_certs"),
            ({"ca_certs": str(empty)}, "ca_certs"),
            ({"ca_certs": str(spoilt)}, "ca_certs"),
            ({"client_certificate": "/nowhere"}, "client_certificate"),
            ({"client_certificate": str(empty)}, "client_certificate"),
            ({"client_certificate": self.certificate, "client_key": "/nowhere"}, "client_key"),
        ):
            error = self.assertRaises(ConfigError, self.dial, self.dialler(self.tls, **settings))
            self.assertTrue(str(error).startswith(f"store.{key}: "), error)
            self.assertIn(f"[store] {key}", str(error))


class Sentinel(Protocol):
    """
    Says where a master is, whatever it is asked.
    """

    transport: Any

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(self._answer)


class SentinelTests(DialCase):
    """
    The master of some Sentinels.
    """

    def setUp(self) -> None:
        self.port = freePort()
        self.options = ("--port", str(self.port))
        super().setUp()

    def sentinel(self, answer: bytes) -> tuple[str, int]:
        """
        The address of a Sentinel that answers so.
        """
        port = self.reactor.listenTCP(0, Factory.forProtocol(lambda: Sentinel(answer)), interface="127.0.0.1")
        self.addCleanup(lambda: self.reactor.runUntil(deferLater(self.reactor, 0)))
        self.addCleanup(port.stopListening)
        return "127.0.0.1", port.getHost().port

    def test_master(self) -> None:
        """
        The first Sentinel that knows the master is believed, and asked first from then on; those that are gone, that do
        not know it, or that answer nothing are passed over.
        """
        gone = ("127.0.0.1", freePort())
        knows = self.sentinel(b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(str(self.port)), self.port))
        others = [gone, self.sentinel(b"*-1\r\n"), self.sentinel(b"-ERR what\r\n"), self.sentinel(b"")]
        dialler = self.dialler(RedisPlace((*others, knows), master="m"))
        self.assertEqual(self.dial(dialler), "hello")
        self.assertEqual(dialler._sentinels, [knows, *others])

    def test_nobodyKnows(self) -> None:
        """
        Without a Sentinel that knows it there is no master.
        """
        dialler = self.dialler(RedisPlace((self.sentinel(b"*-1\r\n"), ("127.0.0.1", freePort())), master="m"))
        error = self.assertRaises(WireLost, self.dial, dialler)
        self.assertIn("no Sentinel", str(error))
        self.assertFalse(error.untrusted)


class PasswordTests(RedisCase):
    """
    Tests for L{readPassword}.
    """

    def test_places(self) -> None:
        """
        The password is that of the URL, the first line of the file, or none.
        """
        path = self.server.directory / "password"
        path.write_bytes(b" s\xff \r\nsecond")
        self.assertIsNone(readPassword(RedisPlace(), StoreSection()))
        self.assertEqual(readPassword(RedisPlace(password="p"), StoreSection()), "p")
        self.assertEqual(readPassword(RedisPlace(), StoreSection(password_file=str(path))), "s\udcff")


class RefusalTests(RedisCase):
    """
    Tests for L{WireRefusal}.
    """

    def test_code(self) -> None:
        """
        Only a word that cannot be anything else is taken for a code.
        """
        for said, code in (("READONLY You can't", "READONLY"), ("wrong number", "ERR"), ("", "ERR"), ("A1 b", "ERR")):
            self.assertEqual(str(WireRefusal(said)), code)

    def test_wires(self) -> None:
        """
        What a dialler gives is a wire.
        """
        wire = self.result(RedisDialler(self.reactor, self.place(), StoreSection()).dial())
        self.assertIsInstance(wire, RedisWire)
        gone = wire.whenDisconnected()
        wire.abort()
        self.reactor.runUntil(gone)
