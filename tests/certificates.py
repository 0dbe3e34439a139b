"""Certificates for tests: an authority, and who it signs for; nothing of it outlives the test."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True)
class Holder:
    """Whoever has a certificate: its two files in PEM."""

    certificate_file: Path
    key_file: Path


@dataclass
class Authority:
    """Signs certificates; `ca_file` is its own."""

    folder: Path
    name: str
    ca_file: Path
    _key: ec.EllipticCurvePrivateKey

    def issue(
        self,
        name: str,
        *,
        days: int = 365,
        hosts: Sequence[str] = ("127.0.0.1",),
        good_for: Sequence[x509.ObjectIdentifier] = BOTH,
        use_rsa: bool = False,
        passphrase: bytes | None = None,
        into: Path | None = None,
    ) -> Holder:
        """A holder whose certificate ends in so many days from now, before today if negative.

        into : the folder of its files, where they are not to lie beside the authority's
        """
        key: PrivateKey = (
            rsa.generate_private_key(65537, 2048) if use_rsa else ec.generate_private_key(_CURVE)
        )
        certificate = (
            _begun(name, days=days)
            .issuer_name(_named(self.name))
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName([_host(each) for each in hosts]), False)
            .add_extension(x509.ExtendedKeyUsage(good_for), False)
            .sign(self._key, hashes.SHA256())
        )
        stem = (into or self.folder) / name.replace(" ", "_")
        return _written(stem, certificate, key, passphrase)


def authority(folder: Path, name: str = "Hospital CA", *, days: int = 3650) -> Authority:
    """An authority of its own."""
    key = ec.generate_private_key(_CURVE)
    certificate = (
        _begun(name, days=days)
        .issuer_name(_named(name))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    written = _written(folder / name.replace(" ", "_"), certificate, key, None)
    return Authority(folder, name, written.certificate_file, key)


_CURVE = ec.SECP256R1()


def _begun(name: str, *, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=4000))
        .not_valid_after(now + timedelta(days=days, hours=1))
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _written(
    stem: Path, certificate: x509.Certificate, key: PrivateKey, passphrase: bytes | None
) -> Holder:
    stem.parent.mkdir(parents=True, exist_ok=True)
    holder = Holder(stem.with_suffix(".pem"), stem.with_suffix(".key"))
    sealed = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase is not None
        else serialization.NoEncryption()
    )
    holder.certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    holder.key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    )
    return holder
