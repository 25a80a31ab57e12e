"""An asyncua client with its parts laid open, for clients that do not keep to the rules."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.outputs.opcua.plants import PASSWORD, USER, Running


@dataclass(frozen=True)
class Identity:
    """A client's certificate and key, in files."""

    certificate: Path
    key: Path
    uri: str


def make_identity(folder: Path, name: str) -> Identity:
    """A self-signed application certificate for "urn:test:<name>"."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:test:{name}")]), False)
        .sign(key, hashes.SHA256())
    )
    identity = Identity(folder / f"{name}.der", folder / f"{name}.pem", f"urn:test:{name}")
    identity.certificate.write_bytes(certificate.public_bytes(Encoding.DER))
    identity.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return identity


async def make_client(
    server: Running, identity: Identity | None, user: str | None = USER, password: str = PASSWORD
) -> Client:
    """A client that has not connected yet; without an identity it has no security."""
    client = Client(server.endpoint, timeout=10)
    if user is not None:
        client.set_user(user)
        client.set_password(password)
    if identity is not None:
        client.application_uri = identity.uri
        await client.set_security(
            SecurityPolicyBasic256Sha256,
            certificate=str(identity.certificate),
            private_key=str(identity.key),
            mode=ua.MessageSecurityMode.SignAndEncrypt,
        )
    return client


def variable(client: Client, identifier: str) -> ua.NodeId:
    """A node of the plant's namespace, which is the third."""
    return ua.NodeId(identifier, 2)
