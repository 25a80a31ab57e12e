"""The keys of one Node: RFC 8613 §3.2 and §5.2 over its id and master secret (nodes/wire/SPEC.md, "Keys")."""

from __future__ import annotations

import cbor2
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KID_BYTES = 4
SECRET_BYTES = 16
KEY_BYTES = 16
NONCE_BYTES = 13

_AES_CCM_16_64_128 = 10  # IANA COSE Algorithms
_SENDER_FIELD_BYTES = NONCE_BYTES - 6
_PARTIAL_IV_FIELD_BYTES = 5


def derive(secret: bytes, salt: bytes, sender: bytes, id_context: bytes | None, kind: str, length: int) -> bytes:
    """HKDF-SHA-256 with the `info` of RFC 8613 §3.2.1; `kind` is "Key" or "IV"."""
    info = cbor2.dumps([sender, id_context, _AES_CCM_16_64_128, kind, length])
    return HKDF(SHA256(), length, salt, info).derive(secret)


def context_iv(common_iv: bytes, sender: bytes) -> bytes:
    """The nonce of RFC 8613 §5.2 for partial IV 0; that of any other is this XOR the partial IV."""
    field = bytes([len(sender)]) + sender.rjust(_SENDER_FIELD_BYTES, b"\0") + bytes(_PARTIAL_IV_FIELD_BYTES)
    return bytes(a ^ b for a, b in zip(common_iv, field, strict=True))


class NodeKeys:
    """What a Node's id (4 bytes) and master secret (16 bytes) give. ValueError for any other length."""

    __slots__ = ("_secret", "iv_down", "iv_up", "key_up", "kid")

    def __init__(self, kid: bytes, secret: bytes) -> None:
        if len(kid) != KID_BYTES:
            raise ValueError(f"a node's id has {KID_BYTES} bytes, not {len(kid)}")
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a master secret has {SECRET_BYTES} bytes, not {len(secret)}")
        common_iv = derive(secret, b"", b"", None, "IV", NONCE_BYTES)
        self._secret = secret
        self.kid = kid
        self.key_up = derive(secret, b"", kid, None, "Key", KEY_BYTES)
        self.iv_up = context_iv(common_iv, kid)
        self.iv_down = context_iv(common_iv, b"")

    def __repr__(self) -> str:
        return f"NodeKeys(kid={self.kid.hex()})"

    def key_down(self, epoch: int) -> bytes:
        """The downward key of one epoch, 0 to 65535; OverflowError outside."""
        return derive(self._secret, b"", b"", epoch.to_bytes(2, "big"), "Key", KEY_BYTES)
