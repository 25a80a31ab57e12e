"""AES-CCM (RFC 3610, NIST SP 800-38C), made of the AES of MicroPython's cryptolib."""

from cryptolib import aes
from micropython import const

from .keys import xor

_ECB = const(1)
_CBC = const(2)
_BLOCK = const(16)


def _padded(data):
    return data + bytes(-len(data) % _BLOCK)


def _tag(key, nonce, aad, text, tag_n):
    """The last block of a CBC that nobody sees: of lengths and nonce, additional data, text."""
    size = 15 - len(nonce)
    flags = (64 if aad else 0) | (tag_n - 2) // 2 << 3 | size - 1
    data = bytes((flags,)) + nonce + len(text).to_bytes(size, "big")
    if aad:
        data += _padded(len(aad).to_bytes(2, "big") + aad)
    return aes(key, _CBC, bytes(_BLOCK)).encrypt(data + _padded(text))[-_BLOCK:]


def _stream(key, nonce, n):
    """What the tag (the first block) and `n` bytes of text are hidden with: a counter, encrypted."""
    size = 15 - len(nonce)
    start = bytes((size - 1,)) + nonce
    counters = b"".join([start + i.to_bytes(size, "big") for i in range((n + _BLOCK - 1) // _BLOCK + 1)])
    return aes(key, _ECB).encrypt(counters)


def seal(key, nonce, aad, text, tag_n):
    """Ciphertext and tag. `aad` is shorter than 65280 bytes; `nonce` has 7 to 13."""
    stream = _stream(key, nonce, len(text))
    return xor(text, stream[_BLOCK:]) + xor(_tag(key, nonce, aad, text, tag_n), stream)[:tag_n]


def open_(key, nonce, aad, sealed, tag_n):
    """The text, or None if it does not authenticate or is shorter than a tag."""
    n = len(sealed) - tag_n
    if n < 0:
        return None
    stream = _stream(key, nonce, n)
    text = xor(sealed[:n], stream[_BLOCK:])
    wrong = 0  # all bytes are compared, so that the time says nothing
    for a, b in zip(sealed[n:], xor(_tag(key, nonce, aad, text, tag_n), stream)):
        wrong |= a ^ b
    return None if wrong else text
