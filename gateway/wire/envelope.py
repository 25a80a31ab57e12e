"""The COSE_Encrypt0 around every message (nodes/wire/SPEC.md, "Envelope"; RFC 9052 §5, RFC 9053 §4.2).

The form is so narrow that its few heads are compared byte by byte: a general CBOR decoder would accept more, and
would have to be asked afterwards whether what it read was in preferred serialisation.
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from gateway.wire.cbor import BYTES, head
from gateway.wire.keys import KID_BYTES, NONCE_BYTES, NodeKeys

MAX_BYTES = 512
MAX_PARTIAL_IV = 0xFFFF_FFFF
TAG_BYTES = 8
AAD = b"\x83\x68Encrypt0\x43\xa1\x01\x0a\x40"

_START = b"\x83\x43\xa1\x01\x0a"  # array of 3, then the protected header {1: 10}
_HEAD_UP = _START + b"\xa2\x04\x44"  # header map: kid, partial IV
_HEAD_DOWN = _START + b"\xa3\x04\x44"  # header map: kid, partial IV, epoch
_HEAD_BYTES = len(_HEAD_UP)
_PARTIAL_IV_AT = _HEAD_BYTES + KID_BYTES
_MIN_BYTES = _PARTIAL_IV_AT + 3 + 1 + TAG_BYTES  # partial IV of one byte, no text
_BYTES_0 = 0x40  # head of a byte string up to 23 bytes: this plus the length
_MAX_SHORT = 23
_BYTES_1, _BYTES_2 = 0x58, 0x59  # heads of longer ones: the length follows in one byte, in two
_KEY_PARTIAL_IV = 0x06
_EPOCH_HEAD = b"\x0a\x42"
_HEADS = [head(BYTES, size) for size in range(MAX_BYTES + 1)]  # of byte strings, by their length
_new = tuple.__new__  # a NamedTuple made of what it holds, without the call of Python that its own name is


class Malformed(ValueError):  # noqa: N818 - the verdict's name in SPEC.md
    """Not an envelope of the form that SPEC.md gives."""


class BadTag(Exception):  # noqa: N818 - the verdict's name in SPEC.md
    """The envelope does not authenticate under the key that it names."""


class Sealed(NamedTuple):
    """An envelope taken apart, not yet authenticated. `epoch` is None upward. The ciphertext ends with the tag."""

    kid: bytes
    partial_iv: int
    epoch: int | None
    ciphertext: bytes


def parse(data: bytes, *, down: bool = False) -> Sealed:
    """Take an envelope apart: one from a node, or (`down`) one from a gateway. Malformed for anything else."""
    if not _MIN_BYTES <= len(data) <= MAX_BYTES:
        raise Malformed(f"{len(data)} bytes, not {_MIN_BYTES} to {MAX_BYTES}")
    if not data.startswith(_HEAD_DOWN if down else _HEAD_UP):
        raise Malformed("not the fixed first bytes")
    size = data[_PARTIAL_IV_AT + 1] - _BYTES_0
    at = _PARTIAL_IV_AT + 2
    if data[_PARTIAL_IV_AT] != _KEY_PARTIAL_IV or not 1 <= size <= 4 or (data[at] == 0 and size > 1):
        raise Malformed("no partial IV of 1 to 4 bytes without leading zeros")
    partial_iv = int.from_bytes(data[at : at + size], "big")
    at += size
    epoch = None
    if down:
        if data[at : at + 2] != _EPOCH_HEAD:
            raise Malformed("no epoch of 2 bytes")
        epoch = int.from_bytes(data[at + 2 : at + 4], "big")
        at += 4
    kid = data[_HEAD_BYTES:_PARTIAL_IV_AT]
    return _new(Sealed, (kid, partial_iv, epoch, data[_ciphertext_at(data, at) :]))


def _ciphertext_at(data: bytes, at: int) -> int:
    """Where the bytes begin whose head is at `at` and whose last is the envelope's."""
    head = data[at]
    if head <= _BYTES_0 + _MAX_SHORT:
        start, size, least = at + 1, head - _BYTES_0, TAG_BYTES
    elif head == _BYTES_1:
        start, size, least = at + 2, data[at + 1], _MAX_SHORT + 1
    elif head == _BYTES_2:
        start, size, least = at + 3, int.from_bytes(data[at + 1 : at + 3], "big"), 0x100
    else:
        raise Malformed("the ciphertext is not a byte string of a definite length")
    if size < least or start + size != len(data):
        raise Malformed("the ciphertext is shorter than its tag, does not end the envelope, or its head is too long")
    return start


class Cipher:
    """One direction of one Node under one key: opens and seals. The caller sees to it that no partial IV repeats."""

    __slots__ = ("_aead", "_behind", "_epoch", "_head", "_iv", "_kid")

    def __init__(self, kid: bytes, key: bytes, context_iv: bytes, epoch: int | None) -> None:
        self._aead = AESCCM(key, tag_length=TAG_BYTES)
        self._iv = int.from_bytes(context_iv, "big")
        self._kid = kid
        self._epoch = epoch
        self._head = (_HEAD_UP if epoch is None else _HEAD_DOWN) + kid + bytes([_KEY_PARTIAL_IV])
        self._behind = b"" if epoch is None else _EPOCH_HEAD + epoch.to_bytes(2, "big")

    @classmethod
    def up(cls, keys: NodeKeys) -> Cipher:
        """From the Node to the gateway."""
        return cls(keys.kid, keys.key_up, keys.iv_up, None)

    @classmethod
    def down(cls, keys: NodeKeys, epoch: int) -> Cipher:
        """From the gateway to the Node in one epoch, 0 to 65535; OverflowError outside."""
        return cls(keys.kid, keys.key_down(epoch), keys.iv_down, epoch)

    def open(self, sealed: Sealed) -> bytes:
        """The payload. BadTag if it does not authenticate, or is of another Node, direction or epoch."""
        kid, partial_iv, epoch, ciphertext = sealed
        if kid != self._kid or epoch != self._epoch:
            raise BadTag
        try:
            return self._aead.decrypt((self._iv ^ partial_iv).to_bytes(NONCE_BYTES, "big"), ciphertext, AAD)
        except InvalidTag:
            raise BadTag from None

    def seal(self, partial_iv: int, payload: bytes) -> bytes:
        """The envelope of one transmission. ValueError beyond 32 bits of partial IV or 512 bytes of envelope."""
        if not 0 <= partial_iv <= MAX_PARTIAL_IV:
            raise ValueError(f"partial IV {partial_iv} is not within 32 bits")
        ciphertext = self._aead.encrypt((self._iv ^ partial_iv).to_bytes(NONCE_BYTES, "big"), payload, AAD)
        if len(ciphertext) > MAX_BYTES:
            raise ValueError(f"{len(ciphertext)} bytes of ciphertext, {MAX_BYTES} at most")
        size = (partial_iv.bit_length() + 7) // 8 or 1
        number, behind = partial_iv.to_bytes(size, "big"), self._behind
        data = b"".join((self._head, _HEADS[size], number, behind, _HEADS[len(ciphertext)], ciphertext))
        if len(data) > MAX_BYTES:
            raise ValueError(f"{len(data)} bytes of envelope, {MAX_BYTES} at most")
        return data
