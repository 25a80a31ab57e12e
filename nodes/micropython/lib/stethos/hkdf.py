"""HKDF over SHA-256 (RFC 5869), for keys that are no longer than one hash: 32 bytes."""

import hashlib

from micropython import const

_BLOCK = const(64)  # bytes that SHA-256 takes at a time


def hmac(key, text):
    """HMAC-SHA-256 (RFC 2104)."""
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    key += bytes(_BLOCK - len(key))
    inner = hashlib.sha256(bytes([b ^ 0x36 for b in key]) + text).digest()
    return hashlib.sha256(bytes([b ^ 0x5C for b in key]) + inner).digest()


def hkdf(salt, secret, info, n):
    """`n` bytes, at most 32."""
    return hmac(hmac(salt, secret), info + b"\x01")[:n]
