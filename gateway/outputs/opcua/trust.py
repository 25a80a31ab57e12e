"""Certificates: the server's own, and which clients' are trusted.

A `pki` folder holds `own/` (cert.der, key.pem), `trusted/` (clients' certificates, DER or PEM: moving a file here is
how a person trusts a client, without a restart) and `rejected/` (where an unknown client's certificate is put, newest
32, to be looked at and moved).
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = datetime.timedelta(days=3650)
_KEPT_REJECTED = 32
_SUFFIXES = (".der", ".crt", ".cer", ".pem")


class CertificateUnusable(Exception):  # noqa: N818 - the operator's fault, not an error in the program
    """The server's own certificate cannot be used; the message says why and what to do."""


def leaf(chain: bytes | None) -> bytes:
    """The first certificate of a DER chain (OPC UA Part 6, 6.2.6), b"" if there is none."""
    if not chain or len(chain) < 4 or chain[:2] != b"\x30\x82":
        return b""
    return chain[: 4 + int.from_bytes(chain[2:4], "big")]


class Pki:
    """The folder of certificates."""

    def __init__(self, folder: Path) -> None:
        self._own = folder / "own"
        self._trusted = folder / "trusted"
        self._rejected = folder / "rejected"

    @property
    def certificate_path(self) -> Path:
        """The server's certificate, DER."""
        return self._own / "cert.der"

    @property
    def key_path(self) -> Path:
        """The server's private key, PEM, readable by its owner only."""
        return self._own / "key.pem"

    def prepare(self, uri: str, names: tuple[str, ...]) -> None:
        """Make the folders, and a key and certificate for application `uri` on hosts `names` unless they are there.
        Raises CertificateUnusable if they are there and do not serve.
        """
        for folder in (self._own, self._trusted, self._rejected):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.certificate_path.exists():
            self._make(uri, names)
        certificate = x509.load_der_x509_certificate(self.certificate_path.read_bytes())
        remedy = f"remove {self._own} to have a new one made, and trust it again in the clients"
        if self.key_path.stat().st_mode & 0o077:
            raise CertificateUnusable(f"{self.key_path} can be read by others: chmod 600 {self.key_path}")
        if uri not in uris_of(certificate):
            raise CertificateUnusable(f"{self.certificate_path} is not for {uri}: {remedy}")
        if not _is_valid_now(certificate):
            raise CertificateUnusable(f"{self.certificate_path} has expired or is not valid yet: {remedy}")

    def trusts(self, der: bytes) -> bool:
        """Whether this client certificate lies in trusted/ and is valid today. One that lies elsewhere goes to
        rejected/.
        """
        if not der:
            return False
        if any(der == known for known in self._trusted_ders()):
            return _is_valid_now(x509.load_der_x509_certificate(der))
        self._keep_rejected(der)
        return False

    def _trusted_ders(self) -> list[bytes]:
        ders = []
        for path in self._trusted.iterdir():
            if path.suffix.lower() in _SUFFIXES:
                data = path.read_bytes()
                if data.startswith(b"-----BEGIN"):
                    data = _der_of_pem(data)
                ders.append(data)
        return ders

    def _keep_rejected(self, der: bytes) -> None:
        try:
            subject = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        except ValueError:
            return
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", str(subject[0].value))[:60] if subject else "unnamed"
        path = self._rejected / f"{name} {hashlib.sha1(der).hexdigest()}.der"  # the thumbprint that clients show
        path.write_bytes(der)
        oldest_first = sorted(self._rejected.glob("*.der"), key=lambda p: p.stat().st_mtime_ns)
        for old in oldest_first[:-_KEPT_REJECTED]:
            old.unlink()

    def _make(self, uri: str, names: tuple[str, ...]) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = _self_signed(key, uri, names)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.key_path.unlink(missing_ok=True)  # without its certificate it is the rest of an interrupted start
        with os.fdopen(os.open(self.key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            os.fsync(file.fileno())
        fresh = self.certificate_path.with_suffix(".new")
        fresh.write_bytes(certificate.public_bytes(Encoding.DER))
        fresh.replace(self.certificate_path)


def uris_of(certificate: x509.Certificate) -> list[str]:
    """The application URIs that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _der_of_pem(pem: bytes) -> bytes:
    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError:
        return b""


def _is_valid_now(certificate: x509.Certificate) -> bool:
    now = datetime.datetime.now(datetime.UTC)
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _host_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _self_signed(key: rsa.RSAPrivateKey, uri: str, names: tuple[str, ...]) -> x509.Certificate:
    """An application instance certificate (OPC UA Part 6, 6.2.2)."""
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "Stethos"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Stethos")]
    )
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [x509.UniformResourceIdentifier(uri), *(_host_name(name) for name in names)]
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True,
        key_agreement=False, key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
