"""core/ed25519_verify.c and sha512.c against RFC 8032's vectors, FIPS 180-4, and `cryptography`."""

from __future__ import annotations

import ctypes
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493

# RFC 8032, 7.1: public key, message, signature.
VECTORS = {
    "TEST 1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "TEST 2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "TEST 3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "TEST SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}

# Encodings of points whose order divides 8: under such a key anybody can sign anything.
SMALL_ORDER = {
    "identity": bytes([1]) + bytes(31),
    "order 2": (P - 1).to_bytes(32, "little"),
    "order 4": bytes(32),
    "order 4, other sign": bytes(31) + b"\x80",
    "order 8": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "order 8, other": bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
}


@pytest.fixture(scope="module")
def verify(library):
    function = library.ed25519_verify
    function.restype = ctypes.c_bool
    function.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
    yield lambda signature, key, message: function(signature, key, message, len(message))
    function.argtypes = None


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_rfc_8032(verify, name):
    key, message, signature = (bytes.fromhex(text) for text in VECTORS[name])
    assert verify(signature, key, message)
    for i in range(len(signature)):
        assert not verify(signature[:i] + bytes([signature[i] ^ 0x40]) + signature[i + 1 :], key, message)
    assert not verify(signature, key, message + b"\0")


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=400), flip=st.integers(0, 10**6))
def test_what_cryptography_signs_is_good_and_with_one_bit_changed_is_not(verify, seed, message, flip):
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key = private.public_key().public_bytes_raw()
    whole = private.sign(message) + key + message
    assert verify(whole[:64], key, message)
    bit = flip % (8 * len(whole))
    other = bytearray(whole)
    other[bit // 8] ^= 1 << bit % 8
    assert not verify(bytes(other[:64]), bytes(other[64:96]), bytes(other[96:]))


@given(n=st.integers(0, 700), byte=st.integers(0, 255))
def test_sha_512_at_every_length_of_its_padding(library, n, byte):
    state = ctypes.create_string_buffer(256)
    out = ctypes.create_string_buffer(64)
    library.sha512_init(state)
    library.sha512_update(state, bytes([byte]) * (n // 2), ctypes.c_size_t(n // 2))
    library.sha512_update(state, bytes([byte]) * (n - n // 2), ctypes.c_size_t(n - n // 2))
    library.sha512_final(state, out)
    assert out.raw == hashlib.sha512(bytes([byte]) * n).digest()


def test_s_above_the_order_is_refused_though_the_equation_holds(verify):
    key, message, signature = (bytes.fromhex(text) for text in VECTORS["TEST 3"])
    s = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify(signature[:32] + s.to_bytes(32, "little"), key, message)


@pytest.mark.parametrize("name", SMALL_ORDER)
def test_a_key_of_small_order_opens_to_nobody(verify, name):
    """With S = 0 and R the identity the equation holds for every eighth message, whoever wrote it."""
    identity = bytes([1]) + bytes(31)
    forged = identity + bytes(32)
    assert not any(verify(forged, SMALL_ORDER[name], message.to_bytes(2, "little")) for message in range(64))


@pytest.mark.parametrize("y", [P, P + 1, 2**255 - 1, 2], ids=["p", "p + 1", "erased flash", "not on the curve"])
def test_a_key_that_is_no_point_is_refused(verify, y):
    _key, message, signature = (bytes.fromhex(text) for text in VECTORS["TEST 1"])
    assert not verify(signature, y.to_bytes(32, "little"), message)
