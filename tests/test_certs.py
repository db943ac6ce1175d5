"""
TLS contexts that follow their files, and certificates of our own making: L{vncproxy.certs}.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.webworld import TLSClient, Wire, clientContext
from vncproxy import certs
from vncproxy.certs import (
    SELF_SIGNED_DAYS,
    SPARE_DAYS,
    ClientCertificates,
    FollowedCertificate,
    makeContext,
    selfSigned,
    validityWarning,
    writePrivate,
)
from vncproxy.errors import ConfigError
from vncproxy.frontends.tlsport import TLSPortFactory

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class FilesTestCase(SynchronousTestCase):
    """
    A directory of its own.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def pair(self, name: str) -> tuple[str, str]:
        """
        Another certificate and its key.
        """
        directory = self.directory / name
        directory.mkdir()
        return selfSigned(directory, [])


class MakeContextTests(FilesTestCase):
    def assertFails(self, certificate: str, key: str, *words: str, ciphers: str | None = None) -> None:
        """
        These files are refused, in words that name what is wrong.
        """
        error = self.assertRaises(ConfigError, makeContext, certificate, key, "1.2", ciphers)
        for word in words:
            self.assertIn(word, str(error))

    def test_ciphers(self) -> None:
        """
        The ciphers of TLS 1.2 can be chosen; what names none is refused.
        """
        certificate, key = self.pair("a")
        makeContext(certificate, key, "1.2", "ECDHE+AESGCM")
        for wrong in ("NONSENSE", "ä"):
            self.assertFails(certificate, key, "[tls] ciphers", wrong, ciphers=wrong)

    def test_oneFile(self) -> None:
        """
        Certificate and key may stand in one file.
        """
        certificate, key = self.pair("a")
        both = self.directory / "both.pem"
        both.write_bytes(Path(key).read_bytes() + Path(certificate).read_bytes())
        makeContext(str(both), str(both), "1.3", None)

    def test_noCertificate(self) -> None:
        """
        A certificate that is missing, empty, or none is refused.
        """
        _, key = self.pair("a")
        empty = self.directory / "empty.pem"
        empty.touch()
        for wrong in (str(self.directory / "missing.pem"), str(empty), str(self.directory), key):
            self.assertFails(wrong, key, "[tls] certificate", wrong)

    def test_noKey(self) -> None:
        """
        A key that is missing, none, or that of another certificate is refused.
        """
        certificate, _ = self.pair("a")
        _, other = self.pair("b")
        for wrong in (str(self.directory / "missing.pem"), certificate, other):
            self.assertFails(certificate, wrong, "[tls] key", wrong, certificate)

    def test_encryptedKey(self) -> None:
        """
        A key behind a passphrase is refused; nobody is asked for it.
        """
        certificate, key = self.pair("a")
        plain = serialization.load_pem_private_key(Path(key).read_bytes(), None)
        Path(key).write_bytes(
            plain.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        self.assertFails(certificate, key, "[tls] key", "is encrypted")
        other, _ = self.pair("b")
        for password, told in (("wrong", "is encrypted"), ("secret", f"does not hold the PEM key of {other}")):
            error = self.assertRaises(ConfigError, makeContext, other, key, "1.2", None, None, password)
            self.assertIn(told, str(error))
        makeContext(certificate, key, "1.2", None, password="secret")
        makeContext(certificate, key, "1.2", None, password="secret")
        error = self.assertRaises(ConfigError, makeContext, certificate, key, "1.2", None, None, "hunter2")
        self.assertNotIn("hunter2", str(error))

    def test_clients(self) -> None:
        """
        Clients are asked for a certificate, and may be made to show one; authorities that are none are refused.
        """
        certificate, key = self.pair("a")
        for required, mode in ((False, SSL.VERIFY_PEER), (True, SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)):
            clients = ClientCertificates(certificate, required)
            self.assertEqual(makeContext(certificate, key, "1.2", None, clients).get_verify_mode(), mode)
        wrong = ClientCertificates(key, True, "[consoleauth] client_ca")
        error = self.assertRaises(ConfigError, makeContext, certificate, key, "1.2", None, wrong)
        self.assertEqual(str(error), f"[consoleauth] client_ca: {key} holds no usable PEM certificates")


class Greeter(Protocol):
    """
    Sends back what it gets.
    """

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class FollowedCertificateTests(FilesTestCase):
    """
    Through real handshakes.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        # The certificates are good as of today.
        self.clock.advance(datetime.now(UTC).timestamp())
        self.certificate, self.key = self.pair("live")
        self.first = Path(self.certificate).read_bytes()
        creator = FollowedCertificate(self.clock, self.certificate, self.key, "1.2", None)
        self.port = TLSPortFactory(self.clock, creator, Factory.forProtocol(Greeter), 15.0)
        self.events: list[tuple[LogLevel, str]] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: dict[str, object]) -> None:
        """
        What L{vncproxy.certs} logs.
        """
        if event.get("log_namespace") == certs.__name__:
            self.events.append((event["log_level"], str(event.get("error", ""))))  # type: ignore[arg-type]

    def connect(self) -> TLSClient:
        """
        A client that has the handshake behind it.
        """
        client = TLSClient(Wire(self.port), self.clock, clientContext())
        client.handshake()
        return client

    def shown(self) -> bytes:
        """
        The certificate that a new connection sees, in PEM.
        """
        return ssl.DER_cert_to_PEM_cert(self.connect().tls.getpeercert(True) or b"").encode()

    def replace(self, source: str, target: str) -> None:
        """
        Put another file in the place of one, as renewal programs do.
        """
        shutil.copyfile(source, f"{target}.new")
        os.replace(f"{target}.new", target)

    def test_replaced(self) -> None:
        """
        When the files change, new connections see the new certificate, and those that are up go on.
        """
        up = self.connect()
        self.assertEqual(self.shown(), self.first)
        certificate, key = self.pair("next")
        self.replace(key, self.key)
        self.replace(certificate, self.certificate)
        self.clock.advance(1)
        self.assertEqual(self.shown(), Path(certificate).read_bytes())
        self.assertEqual(self.events, [(LogLevel.info, "")])
        up.send(b"still here")
        self.assertEqual(up.taken(), b"still here")

    def test_lookedAtRarely(self) -> None:
        """
        Within a second the files are not looked at again.
        """
        certificate, key = self.pair("next")
        self.replace(key, self.key)
        self.replace(certificate, self.certificate)
        self.clock.advance(0.9)
        self.assertEqual(self.shown(), self.first)

    def test_oneAfterTheOther(self) -> None:
        """
        A certificate whose key is not there yet is kept out, which is logged once; it is used as soon as the key comes.
        """
        certificate, key = self.pair("next")
        self.replace(certificate, self.certificate)
        for _ in range(3):
            self.clock.advance(1)
            self.assertEqual(self.shown(), self.first)
        ((level, words),) = self.events
        self.assertEqual(level, LogLevel.error)
        self.assertIn("[tls] key", words)
        self.replace(key, self.key)
        self.clock.advance(1)
        self.assertEqual(self.shown(), Path(certificate).read_bytes())

    def test_broken(self) -> None:
        """
        Nonsense in place of the certificate is kept out, and logged.
        """
        Path(self.certificate).write_bytes(b"nonsense")
        self.clock.advance(1)
        self.assertEqual(self.shown(), self.first)
        self.assertEqual([level for level, _ in self.events], [LogLevel.error])

    def test_missing(self) -> None:
        """
        While a file is missing nothing changes.
        """
        os.rename(self.key, self.key + ".old")
        self.clock.advance(1)
        self.assertEqual(self.shown(), self.first)
        self.assertEqual(self.events, [])

    def test_untouched(self) -> None:
        """
        Files that stay as they are stay in use without a word; so sessions can be resumed.
        """
        self.clock.advance(10)
        self.assertEqual(self.shown(), self.first)
        self.assertEqual(self.events, [])

    def test_nothingToBeginWith(self) -> None:
        """
        Without files that can be used there is no beginning.
        """
        self.assertRaises(ConfigError, FollowedCertificate, self.clock, "/missing", self.key, "1.2", None)


class ValidityTests(FilesTestCase):
    def test_warning(self) -> None:
        """
        It is told before a certificate is good, shortly before its end and after it, and at no other time.
        """
        certificate, key = selfSigned(self.directory, [], NOW)
        for days, words in (
            (-1, "is not valid before 2026-11-19 23:00 UTC"),
            (1, None),
            (SELF_SIGNED_DAYS - SPARE_DAYS - 1, None),
            (SELF_SIGNED_DAYS - SPARE_DAYS + 1, "expires on 2027-11-20 00:00 UTC"),
            (SELF_SIGNED_DAYS + 1, "has expired on 2027-11-20 00:00 UTC"),
        ):
            warning = validityWarning(certificate, NOW + timedelta(days=days))
            self.assertEqual(warning, words and f"{certificate} {words}")
        self.assertIsNone(validityWarning(key, NOW))
        self.assertIsNone(validityWarning("/missing", NOW))

    def test_logged(self) -> None:
        """
        Whoever follows a certificate that is not good now says so in the log when it is taken up.
        """
        warnings: list[str] = []

        def observe(event: LogEvent) -> None:
            if event.get("log_level") is LogLevel.warn:
                warnings.append(event["complaint"])

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        clock = Clock()
        clock.advance(NOW.timestamp())
        certificate, key = selfSigned(self.directory, [], NOW - timedelta(days=SELF_SIGNED_DAYS))
        FollowedCertificate(clock, certificate, key, "1.2", None)
        self.assertEqual(warnings, [f"{certificate} expires on 2026-11-20 00:00 UTC"])


class SelfSignedTests(FilesTestCase):
    def made(self, names: list[str], now: datetime = NOW) -> x509.Certificate:
        """
        The certificate for these names.
        """
        certificate, _ = selfSigned(self.directory, names, now)
        return x509.load_pem_x509_certificate(Path(certificate).read_bytes())

    def test_names(self) -> None:
        """
        It is for this machine and for the names that are asked for, each once; a name that is not in ASCII takes its
        other form, and one that cannot be a name is left out.
        """
        names = ["proxy.example", "192.0.2.7", "2001:db8::7", "localhost", "bücher.example", "", "x" * 64]
        held = self.made(names).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = held.get_values_for_type(x509.DNSName)
        self.assertEqual(set(hosts), {"localhost", socket.gethostname(), "proxy.example", "xn--bcher-kva.example"})
        self.assertEqual(len(hosts), len(set(hosts)))
        addresses = {str(address) for address in held.get_values_for_type(x509.IPAddress)}
        self.assertEqual(addresses, {"127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"})

    def test_form(self) -> None:
        """
        It is of an elliptic curve, for a server, no authority, and lasts a year.
        """
        found = self.made([])
        self.assertIsInstance(found.public_key(), ec.EllipticCurvePublicKey)
        self.assertEqual(found.not_valid_after_utc, NOW + timedelta(days=SELF_SIGNED_DAYS))
        self.assertLess(found.not_valid_before_utc, NOW)
        self.assertFalse(found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)

    def test_madeOnce(self) -> None:
        """
        The next start finds it, also when it asks for less.
        """
        first = self.made(["proxy.example"])
        self.assertEqual(self.made(["proxy.example"]), first)
        self.assertEqual(self.made([]), first)

    def test_private(self) -> None:
        """
        Nobody but the owner can read the key.
        """
        _, key = selfSigned(self.directory, [])
        self.assertEqual(os.stat(key).st_mode & 0o777, 0o600)

    def test_madeAnew(self) -> None:
        """
        It is made anew for another name and when it ends soon.
        """
        first = self.made([])
        second = self.made(["proxy.example"])
        self.assertNotEqual(second, first)
        third = self.made(["proxy.example"], NOW + timedelta(days=SELF_SIGNED_DAYS - 30))
        self.assertNotEqual(third, second)

    def test_damaged(self) -> None:
        """
        It is made anew when one of the files is missing, broken, or does not belong to the other.
        """
        certificate, key = map(Path, selfSigned(self.directory, [], NOW))
        other = Path(self.pair("other")[1]).read_bytes()
        for damage in (
            certificate.unlink,
            key.unlink,
            lambda: certificate.write_bytes(b"nonsense"),
            lambda: key.write_bytes(b""),
            lambda: key.write_bytes(other),
        ):
            before = certificate.read_bytes()
            damage()
            self.assertNotEqual(self.made([]).public_bytes(serialization.Encoding.PEM), before)
            makeContext(str(certificate), str(key), "1.2", None)


class WritePrivateTests(FilesTestCase):
    def test_written(self) -> None:
        """
        The file holds the data, for its owner alone, whatever the umask.
        """
        path = self.directory / "key"
        self.addCleanup(os.umask, os.umask(0))
        writePrivate(path, b"data")
        self.assertEqual((path.read_bytes(), path.stat().st_mode & 0o777), (b"data", 0o600))

    def test_replaced(self) -> None:
        """
        What was there before, readable by all, is replaced as a whole; no other file is left.
        """
        path = self.directory / "key"
        path.write_bytes(b"old and longer")
        path.chmod(0o644)
        with path.open("rb") as old:
            writePrivate(path, b"new")
            self.assertEqual(old.read(), b"old and longer")
        self.assertEqual((path.read_bytes(), path.stat().st_mode & 0o777), (b"new", 0o600))
        self.assertEqual(list(self.directory.iterdir()), [path])

    def test_leftOver(self) -> None:
        """
        What a write that was cut short has left is in nobody's way, nor followed if it is a link.
        """
        path, elsewhere = self.directory / "key", self.directory / "elsewhere"
        elsewhere.write_bytes(b"untouched")
        (self.directory / "key.new").symlink_to(elsewhere)
        writePrivate(path, b"data")
        self.assertEqual((path.read_bytes(), elsewhere.read_bytes()), (b"data", b"untouched"))
        self.assertFalse(path.is_symlink())

    def test_failed(self) -> None:
        """
        When it cannot be written, what was there stays.
        """
        path = self.directory / "key"
        path.write_bytes(b"old")
        self.assertRaises(TypeError, writePrivate, path, "no bytes")  # type: ignore[arg-type]
        self.assertEqual(path.read_bytes(), b"old")
