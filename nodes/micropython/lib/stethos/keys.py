"""The keys of a node, derived from its id and its master secret (nodes/wire/SPEC.md, "Keys")."""

from micropython import const

from . import codec
from .hkdf import hkdf

_BYTES = const(0x40)
_TEXT = const(0x60)
_NIL = const(b"\xf6")
_AES_CCM_16_64_128 = const(10)
KEY, IV = 16, 13
"""Bytes of each."""


def derive(secret, salt, id_, id_context, n):
    """RFC 8613, 3.2.1: a key if `n` is KEY, a common IV if it is IV. `id_context` None: nil."""
    kind = b"IV" if n == IV else b"Key"
    context = _NIL if id_context is None else codec.head(_BYTES, len(id_context)) + id_context
    info = b"\x85" + codec.head(_BYTES, len(id_)) + id_ + context
    info += bytes((_AES_CCM_16_64_128,)) + codec.head(_TEXT, len(kind)) + kind + codec.head(0, n)
    return hkdf(salt, secret, info, n)


def xor(a, b):
    """Byte by byte, as long as the shorter."""
    return bytes([x ^ y for x, y in zip(a, b)])


def context_iv(common_iv, id_):
    """RFC 8613, 5.2: the common IV with the sender's id, of at most 7 bytes, in it."""
    return xor(common_iv, bytes((len(id_),)) + bytes(7 - len(id_)) + id_ + bytes(5))


class Keys:
    """`kid` 4 bytes, `secret` 16 bytes: `up` and `down(epoch)` are the keys, `iv_up` and `iv_down` the context IVs."""

    def __init__(self, kid, secret):
        self.kid = kid
        self._secret = secret
        common_iv = derive(secret, b"", b"", None, IV)
        self.up = derive(secret, b"", kid, None, KEY)
        self.iv_up = context_iv(common_iv, kid)
        self.iv_down = context_iv(common_iv, b"")

    def down(self, epoch):
        return derive(self._secret, b"", b"", epoch.to_bytes(2, "big"), KEY)
