"""
Certificates: a TLS context that follows its files, and a self-signed one where there are none yet.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from vncproxy.errors import ConfigError

_log = Logger()

_VERSIONS: Final = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}

DEFAULT_CIPHERS: Final = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)
"""
For TLS 1.2: forward secrecy and authenticated encryption, nothing else. TLS 1.3 has only such ciphers.
"""

LOOK_SECONDS: Final = 1.0
"""
How often, at most, the files are looked at.
"""

SPARE_DAYS: Final = 14
"""
Of a certificate that ends sooner we warn: whoever renews certificates does so earlier.
"""

SELF_SIGNED_DAYS: Final = 365

SELF_SIGNED_SPARE_DAYS: Final = 30
"""
A certificate that ends sooner is made anew at the next start.
"""


@attrs.frozen
class ClientCertificates:
    """
    Which certificates clients may show. One who shows another is hung up on.

    @ivar authorities: path of a PEM file with those that must have signed them.
    @ivar required: who shows none is hung up on, too.
    @ivar key: the key of the configuration that names the file.
    """

    authorities: str
    required: bool
    key: str = "[tls] client_ca"


def makeContext(
    certificate: str,
    key: str,
    minimumVersion: str,
    ciphers: str | None,
    clients: ClientCertificates | None = None,
    password: str | None = None,
) -> SSL.Context:
    """
    A server's TLS context.

    @param certificate: path of a PEM file, the server's certificate first and its chain behind it.
    @param key: path of its PEM key.
    @param minimumVersion: C{"1.2"} or C{"1.3"}.
    @param ciphers: of TLS 1.2, in OpenSSL's words; L{None} is L{DEFAULT_CIPHERS}.
    @param clients: L{None} asks clients for no certificate.
    @param password: decrypts the key.

    @raise ConfigError: a file cannot be used, or the ciphers mean nothing.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(_VERSIONS[minimumVersion])
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    # Without this OpenSSL would ask whoever sits at the terminal, and wait.
    context.set_passwd_cb(lambda *ignored: (password or "").encode())
    # Both ways to resume a session: tickets, and this cache for clients without.
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
    try:
        context.set_cipher_list((ciphers or DEFAULT_CIPHERS).encode("ascii"))
    except (SSL.Error, UnicodeEncodeError) as error:
        raise ConfigError(f"[tls] ciphers names no cipher that OpenSSL knows: {ciphers!r}") from error
    try:
        context.use_certificate_chain_file(certificate)
    except (SSL.Error, OSError) as error:
        raise ConfigError(f"[tls] certificate: {certificate} holds no usable PEM certificate") from error
    try:
        context.use_privatekey_file(key)
        context.check_privatekey()
    except (SSL.Error, OSError) as error:
        raise ConfigError(f"[tls] key: {_keyFault(key, certificate, password)}") from error
    if clients is not None:
        _askForCertificates(context, clients)
    return context


def _keyFault(key: str, certificate: str, password: str | None) -> str:
    """
    Why a file does not serve as the key of a certificate.
    """
    try:
        data = Path(key).read_bytes()
    except OSError:
        data = b""
    if _isLocked(data, password):
        return f"{key} is encrypted, and no password that is given opens it"
    return f"{key} does not hold the PEM key of {certificate}"


def _isLocked(data: bytes, password: str | None) -> bool:
    """
    Whether a PEM key is encrypted, and not with this password. What is no key at all is not.
    """
    try:
        serialization.load_pem_private_key(data, None)
    except TypeError:
        # What it raises when a password is missing.
        try:
            serialization.load_pem_private_key(data, (password or "").encode())
        except (TypeError, ValueError):
            return True
    except ValueError:
        return False
    return False


def _askForCertificates(context: SSL.Context, clients: ClientCertificates) -> None:
    try:
        context.load_verify_locations(clients.authorities)
    except SSL.Error as error:
        raise ConfigError(f"{clients.key}: {clients.authorities} holds no usable PEM certificates") from error
    context.set_verify(SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if clients.required else 0))
    # Without a name OpenSSL takes up no earlier TLS session of a client that may show a certificate, and hangs up.
    context.set_session_id(b"vncproxy")


def validityWarning(certificate: str, now: datetime) -> str | None:
    """
    What viewers may soon complain of in a certificate, or do already: that it is out of date, not yet good, or ends
    within L{SPARE_DAYS}. L{None} if nothing.

    @param certificate: path of its PEM file; one that cannot be read has no warning.
    """
    try:
        found = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
    except (OSError, ValueError):
        return None
    begin, end = found.not_valid_before_utc, found.not_valid_after_utc
    if now < begin:
        return f"{certificate} is not valid before {begin:%Y-%m-%d %H:%M} UTC"
    if end < now:
        return f"{certificate} has expired on {end:%Y-%m-%d %H:%M} UTC"
    return f"{certificate} expires on {end:%Y-%m-%d %H:%M} UTC" if end < now + timedelta(days=SPARE_DAYS) else None


def _stamp(paths: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """
    What changes when a file does; empty while one of them is missing.
    """
    try:
        return tuple((found.st_mtime_ns, found.st_size, found.st_ino) for found in map(os.stat, paths))
    except OSError:
        return ()


@implementer(IOpenSSLServerConnectionCreator)
class FollowedCertificate:
    """
    Gives each new connection the certificate that the files hold now; those that are up keep theirs.

    Files that cannot be used, such as a certificate that was replaced before its key, are passed over until they can.
    """

    def __init__(
        self,
        clock: IReactorTime,
        certificate: str,
        key: str,
        minimumVersion: str,
        ciphers: str | None,
        clients: ClientCertificates | None = None,
        password: str | None = None,
    ) -> None:
        """
        See L{makeContext}.

        @raise ConfigError: the files cannot be used to begin with.
        """
        self._clock = clock
        self._paths = (certificate, key)
        self._minimumVersion = minimumVersion
        self._ciphers = ciphers
        self._clients = clients
        self._password = password
        self._looked = clock.seconds()
        self._stamp = _stamp(self._paths)
        self._context = self._make()
        self._warn()

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """
        See L{IOpenSSLServerConnectionCreator}.
        """
        self._look()
        return SSL.Connection(self._context, None)

    def _make(self) -> SSL.Context:
        return makeContext(*self._paths, self._minimumVersion, self._ciphers, self._clients, self._password)

    def _look(self) -> None:
        now = self._clock.seconds()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        stamp = _stamp(self._paths)
        if stamp in ((), self._stamp):
            return
        self._stamp = stamp
        try:
            self._context = self._make()
        except ConfigError as error:
            _log.error("the changed certificate is not used yet: {error}", error=str(error))
        else:
            _log.info("the certificate in {path} is in use", path=self._paths[0])
            self._warn()

    def _warn(self) -> None:
        complaint = validityWarning(self._paths[0], datetime.fromtimestamp(self._clock.seconds(), UTC))
        if complaint is not None:
            _log.warn("the certificate {complaint}: viewers may refuse it. Renew it.", complaint=complaint)


def _names(extra: Sequence[str]) -> list[x509.GeneralName]:
    """
    What a self-signed certificate is for: this machine, and what the configuration calls it.
    """
    names: list[x509.GeneralName] = []
    for name in filter(None, dict.fromkeys(("localhost", socket.gethostname(), "127.0.0.1", "::1", *extra))):
        try:
            names.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            # In a certificate a name is in ASCII (RFC 5280 section 4.2.1.6); one that cannot be is of no use there.
            try:
                names.append(x509.DNSName(name.encode("idna").decode("ascii")))
            except UnicodeError:
                _log.warn("no certificate can be made for the name {name}", name=name)
    return names


def _usable(certificate: Path, keyFile: Path, names: Sequence[x509.GeneralName], now: datetime) -> bool:
    """
    Whether an earlier run's certificate and key will do.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        key = serialization.load_pem_private_key(keyFile.read_bytes(), None)
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    lasts = now + timedelta(days=SELF_SIGNED_SPARE_DAYS) < found.not_valid_after_utc
    # That run may have ended between the one file and the other.
    return lasts and key.public_key() == found.public_key() and set(names) <= set(held)


def selfSigned(directory: Path, extraNames: Sequence[str], now: datetime | None = None) -> tuple[str, str]:
    """
    The paths of a certificate and its key in C{directory}, made there unless an earlier run's will do. Browsers will
    warn of it, once.

    @param extraNames: host names and addresses beside those of this machine.
    """
    now = now or datetime.now(UTC)
    certificate, keyFile = directory / "self-signed.pem", directory / "self-signed.key"
    names = _names(extraNames)
    if _usable(certificate, keyFile, names, now):
        return str(certificate), str(keyFile)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vncproxy self-signed")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    writePrivate(keyFile, pem)
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return str(certificate), str(keyFile)


def writePrivate(path: Path, data: bytes) -> None:
    """
    Write a file that only its owner may read, whole or not at all.
    """
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(data)
        out.flush()
        # Else a power cut may leave the new name with nothing behind it.
        os.fsync(out.fileno())
    new.replace(path)
