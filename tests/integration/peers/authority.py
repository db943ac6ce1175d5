"""
A certificate authority of the test's own, and a home directory whose browser trusts it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.integration.peers.bench import Bench

_NAME: Final = "Authority of the tests"


class Authority:
    """
    An authority that signs certificates of servers.

    @ivar certificate: its own, PEM.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
        public = self._key.public_key()
        signed = (
            self._begin(self._name, public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = _write(bench.path("authority.pem"), signed.public_bytes(serialization.Encoding.PEM))

    def issue(self, *hosts: str, client: bool = False) -> tuple[Path, Path]:
        """
        The paths of a certificate for these host names and of its key; a name may begin with C{*.}.

        @param client: it is for the use of a client, and not of a server.
        """
        use = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Server of the tests")])
        ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = (
            self._begin(subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(ours, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return (
            _write(self._bench.path("server.pem"), signed.public_bytes(serialization.Encoding.PEM)),
            _write(self._bench.path("server.key"), pem),
        )

    def _begin(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=2))
        )

    async def trustedHome(self) -> Path:
        """
        A home directory in which Chromium takes the certificates of this authority for good.
        """
        home = self._bench.path("home")
        # Where Chromium on Linux looks for authorities beside its own.
        store = home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        words = ["-d", f"sql:{store}", "-A", "-t", "C,,", "-n", _NAME, "-i", str(self.certificate)]
        program = await self._bench.run("certutil", "certutil", *words)
        if await program.ends():
            raise AssertionError(f"certutil failed:\n{program.output()}")
        return home


def _write(path: Path, pem: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(pem)
    return path
