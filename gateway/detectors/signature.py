"""Who has signed a Bundle, and whom a gateway believes.

`bundle.sig` is one line, "ed25519 <public key> <signature>" in lower-case hexadecimal. Signed (Ed25519, RFC 8032) are
the very bytes of bundle.json behind DOMAIN; bundle.json holds the SHA-256 of every other file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FILE = "bundle.sig"
DOMAIN = b"stethos bundle\0"
"""The gateway's key signs other things as well: none of them can be taken for a Bundle."""

_FORM = re.compile(rb"ed25519 ([0-9a-f]{64}) ([0-9a-f]{128})\n")


@dataclass(frozen=True, slots=True)
class Trust:
    """Raw Ed25519 public keys (32 bytes) whose Bundles are taken; `allow_unsigned` takes those of nobody and of others
    as well. A signature that does not verify is never taken.
    """

    keys: frozenset[bytes] = frozenset()
    allow_unsigned: bool = False


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The raw public key that goes with a private one."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(public_key: bytes) -> str:
    """What a person compares: the first 8 bytes of the key's SHA-256, as in a gateway's id."""
    return sha256(public_key).hexdigest()[:16]


def sign(key: Ed25519PrivateKey, manifest: bytes) -> bytes:
    """The contents of bundle.sig for these contents of bundle.json."""
    return f"ed25519 {public_bytes(key).hex()} {key.sign(DOMAIN + manifest).hex()}\n".encode()


def signer(signature: bytes, manifest: bytes) -> bytes:
    """Whose signature of this bundle.json it is: a raw public key. ValueError, with the reason, if it is none."""
    form = _FORM.fullmatch(signature)
    if form is None:
        raise ValueError("damaged: not a line 'ed25519 KEY SIGNATURE'")
    key, signed = (bytes.fromhex(part.decode()) for part in form.groups())
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signed, DOMAIN + manifest)
    except (InvalidSignature, ValueError) as error:
        raise ValueError("damaged or forged: not this key's signature of this bundle.json") from error
    return key


def untrusted(trust: Trust, signed_by: bytes | None) -> str:
    """Why a Bundle is not taken; "" if it is. `signed_by`: None if it is not signed."""
    if trust.allow_unsigned or signed_by in trust.keys:
        return ""
    if signed_by is None:
        return "missing: the bundle is not signed (`stethos model sign`; or set rescoring.allow_unsigned)"
    return (
        f"signed by a key that is not trusted here, {signed_by.hex()} (id {key_id(signed_by)}); "
        "if you know whose it is, add it to rescoring.trusted_keys"
    )
