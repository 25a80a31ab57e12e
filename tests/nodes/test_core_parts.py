"""The small parts of the core against the same by other hands."""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import zlib
from binascii import crc_hqx
from ctypes import byref, c_size_t, c_uint8, c_uint32, c_uint64, create_string_buffer

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.wire import age
from gateway.wire.window import ReplayWindow
from tests.nodes import core_types as core

BLOCK = st.binary(min_size=16, max_size=16)


@given(st.binary(max_size=300))
@example(bytes(55))
@example(bytes(56))
@example(bytes(63))
@example(bytes(64))
def test_sha256(library, data):
    out = create_string_buffer(32)
    library.sha256(data, c_size_t(len(data)), out)
    assert out.raw == hashlib.sha256(data).digest()


@given(st.binary(max_size=100), st.lists(st.binary(max_size=70), max_size=3))
def test_hmac(library, key, parts):
    array = (core.Bytes * max(1, len(parts)))(*(core.Bytes.of(part) for part in parts))
    out = create_string_buffer(32)
    library.hmac_sha256.argtypes = [core.Bytes, ctypes.c_void_p, c_size_t, ctypes.c_void_p]
    library.hmac_sha256(core.Bytes.of(key), array, len(parts), out)
    assert out.raw == hmac.digest(key, b"".join(parts), "sha256")


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80), st.integers(1, 255 * 32))
@settings(max_examples=30)
def test_hkdf(library, salt, secret, info, n):
    out = create_string_buffer(n)
    library.hkdf_sha256.argtypes = [core.Bytes] * 3 + [ctypes.c_void_p, c_size_t]
    library.hkdf_sha256(core.Bytes.of(salt), core.Bytes.of(secret), core.Bytes.of(info), out, n)
    assert out.raw == HKDF(SHA256(), n, salt, info).derive(secret)


@given(BLOCK, BLOCK)
@example(bytes(16), bytes(16))
@example(b"\xff" * 16, b"\xff" * 16)
def test_aes128(library, key, block):
    aes = core.Aes128(key, None, None)
    out = create_string_buffer(16)
    library.aes128_encrypt(byref(aes), block, out)
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    assert out.raw == encryptor.update(block) + encryptor.finalize()


def test_aes128_substitutes_every_byte(library):
    """Each value of a byte goes through the S-box: as the first byte of a block whose round key is zero."""
    encryptor = Cipher(algorithms.AES(bytes(16)), modes.ECB()).encryptor()
    aes = core.Aes128(bytes(16), None, None)
    for value in range(256):
        block = bytes([value]) * 16
        out = create_string_buffer(16)
        library.aes128_encrypt(byref(aes), block, out)
        assert out.raw == encryptor.update(block)


def test_aes128_of_the_board_is_used(library):
    calls = []
    kind = dict(core.Port._fields_)["aes"]

    def hardware(_context, key, block, out):
        calls.append((bytes(key[:16]), bytes(block[:16])))
        ctypes.memset(out, 7, 16)

    hook = kind(hardware)
    aes = core.Aes128(b"k" * 16, ctypes.cast(hook, ctypes.c_void_p), None)
    out = create_string_buffer(16)
    library.aes128_encrypt(byref(aes), b"b" * 16, out)
    assert (calls, out.raw) == ([(b"k" * 16, b"b" * 16)], b"\7" * 16)


@given(st.binary(max_size=600))
def test_checksums(library, data):
    library.crc16.restype = ctypes.c_uint16
    library.crc32.restype = c_uint32
    assert library.crc16(data, c_size_t(len(data))) == crc_hqx(data, 0xFFFF)
    assert library.crc32(data, c_size_t(len(data))) == zlib.crc32(data)


@given(st.lists(st.integers(0, 200), max_size=60), st.sampled_from([0, 2**32 - 300]))
def test_replay_window(library, numbers, start):
    library.replay_accept.restype = ctypes.c_bool
    replay = core.Replay()
    window = ReplayWindow()
    for number in numbers:
        expected = not window.replayed(start + number)
        assert library.replay_accept(byref(replay), c_uint32(start + number)) == expected
        if expected:
            window = window.accept(start + number)


@given(st.integers(0, 2**40))
def test_age(library, ms):
    library.age_encode.restype = c_uint8
    assert library.age_encode(c_uint64(ms)) == age.encode(ms)


@given(st.binary(max_size=512))
@example(bytes(512))
@example(b"\1" * 512)
def test_frames_come_back(library, envelope):
    library.frame_encode.restype = c_size_t
    out = create_string_buffer(600)
    n = library.frame_encode(envelope, c_size_t(len(envelope)), out)
    decoder = core.FrameDecoder()
    library.frame_decoder_init(byref(decoder))
    assert b"\0" not in out.raw[: n - 1]
    events = [library.frame_push(byref(decoder), c_uint8(byte)) for byte in out.raw[:n]]
    assert events == [0] * (n - 1) + [1]
    assert bytes(decoder.data[: decoder.n]) == envelope


class Clock:
    def __init__(self, library):
        library.clock_local_ms.restype = c_uint32
        self.library, self.clock = library, core.Clock()

    def compare(self, local_ms, gateway_ms):
        self.library.clock_compare(byref(self.clock), c_uint64(local_ms), c_uint64(gateway_ms))

    def sleep(self, ms):
        return self.library.clock_local_ms(byref(self.clock), c_uint32(ms))


@pytest.mark.parametrize("ppm", [-90000, -300, 0, 20, 50000])
def test_drift_is_measured_and_corrected(library, ppm):
    clock = Clock(library)
    clock.compare(0, 1_790_000_000_000)
    clock.compare(1000 * (1_000_000 + ppm), 1_790_000_000_000 + 10**9)
    assert clock.sleep(1_000_000) == pytest.approx(1_000_000 + ppm, abs=2 + abs(ppm) // 10)


@pytest.mark.parametrize(
    "second",
    [(1000, 10_000_000), (600_000, 1), (10**9, 10**12), (10**15, 10**15 + 5)],
    ids=["too soon", "gateway set back", "not drift", "too long ago"],
)
def test_what_is_not_drift_is_not_corrected(library, second):
    clock = Clock(library)
    clock.compare(0, 5)
    clock.compare(*second)
    assert clock.sleep(1_000_000) == 1_000_000
