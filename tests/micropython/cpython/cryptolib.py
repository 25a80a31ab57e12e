"""MicroPython's cryptolib for CPython, as far as nodes/micropython uses it: AES in the modes ECB and CBC."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class aes:  # the name that MicroPython gives it
    def __init__(self, key: bytes, mode: int, iv: bytes = b"") -> None:
        self._cipher = Cipher(algorithms.AES(key), {1: modes.ECB, 2: modes.CBC}[mode](*([iv] if iv else [])))

    def encrypt(self, data: bytes) -> bytes:
        assert len(data) % 16 == 0
        encryptor = self._cipher.encryptor()
        return encryptor.update(data) + encryptor.finalize()
