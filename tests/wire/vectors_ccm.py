"""Vectors out of the standards: RFC 3610, NIST SP 800-38C and RFC 8613, written down, not computed."""

from __future__ import annotations

Case = dict[str, object]


def _count(first: int, last: int) -> bytes:
    return bytes(range(first, last + 1))


_KEY_3610 = _count(0xC0, 0xCF)

# number, nonce up to A0, bytes of AAD, last byte of the text, tag length, ciphertext and tag
_RFC3610: tuple[tuple[int, str, int, int, int, str], ...] = (
    (1, "00000003020100", 8, 0x1E, 8, "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0"),
    (2, "00000004030201", 8, 0x1F, 8, "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3ba091d56e10400916"),
    (3, "00000005040302", 8, 0x20, 8, "51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da8596574adaa76fbd9fb0c5"),
    (4, "00000006050403", 12, 0x1E, 8, "a28c6865939a9a79faaa5c4c2a9d4a91cdac8c96c861b9c9e61ef1"),
    (5, "00000007060504", 12, 0x1F, 8, "dcf1fb7b5d9e23fb9d4e131253658ad86ebdca3e51e83f077d9c2d93"),
    (6, "00000008070605", 12, 0x20, 8, "6fc1b011f006568b5171a42d953d469b2570a4bd87405a0443ac91cb94"),
    (7, "00000009080706", 8, 0x1E, 10, "0135d1b2c95f41d5d1d4fec185d166b8094e999dfed96c048c56602c97acbb7490"),
)

# number, bytes of nonce, of AAD, of text, tag length, ciphertext and tag
_SP800_38C: tuple[tuple[int, int, int, int, int, str], ...] = (
    (1, 7, 8, 4, 4, "7162015b4dac255d"),
    (2, 8, 16, 16, 6, "d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd"),
    (3, 12, 20, 24, 8, "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951"),
)

# RFC 8613, Appendix C.4, C.5, C.6: key, nonce, AAD, text, ciphertext and tag: AES-CCM-16-64-128 itself
_RFC8613: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("C.4", "f0910ed7295e6ad4b54fc793154302ff", "4622d4dd6d944168eefb549868",
     "8368456e63727970743040488501810a40411440", "01b3747631", "612f1092f1776f1c1668b3825e"),
    ("C.5", "321b26943253c7ffb6003b0b64d74041", "bf35ae297d2dace910c52e99ed",
     "8368456e63727970743040498501810a4100411440", "01b3747631", "4ed339a5a379b0b8bc731fffb0"),
    ("C.6", "af2a1300a5e95788b356336eeecd2b92", "2ca58fb85ff1b81c0b7181b84a",
     "8368456e63727970743040488501810a40411440", "01b3747631", "72cd7273fd331ac45cffbe55c3"),
)  # fmt: skip


def _case(name: str, key: bytes, nonce: bytes, aad: bytes, plain: bytes, tag_bytes: int, sealed: str) -> Case:
    return {
        "name": name, "aes_ccm_16_64_128": len(nonce) == 13 and tag_bytes == 8, "tag_bytes": tag_bytes,
        "key": key.hex(), "nonce": nonce.hex(), "aad": aad.hex(), "plaintext": plain.hex(), "sealed": sealed,
    }  # fmt: skip


def cases() -> list[Case]:
    """AES-CCM: parameters, key, nonce, AAD, plaintext, ciphertext with its tag at the end."""
    made = [
        _case(f"RFC 3610 packet {n}", _KEY_3610, bytes.fromhex(nonce + "a0a1a2a3a4a5"), _count(0, aad - 1),
              _count(aad, last), tag, sealed)
        for n, nonce, aad, last, tag, sealed in _RFC3610
    ]  # fmt: skip
    made += [
        _case(f"SP 800-38C example {n}", _count(0x40, 0x4F), _count(0x10, 0x0F + nonce), _count(0, aad - 1),
              _count(0x20, 0x1F + plain), tag, sealed)
        for n, nonce, aad, plain, tag, sealed in _SP800_38C
    ]  # fmt: skip
    made += [
        _case(f"RFC 8613 {name}", *(bytes.fromhex(x) for x in (key, nonce, aad, plain)), 8, sealed)
        for name, key, nonce, aad, plain, sealed in _RFC8613
    ]
    return made


_SECRET = "0102030405060708090a0b0c0d0e0f10"
_SALT = "9e7ca92223786340"

# name, salt, id context, sender id, key of that sender, common IV, nonce of that sender with partial IV 0
_KEYS: tuple[tuple[str, str, str | None, str, str, str, str], ...] = (
    ("C.1.1 sender", _SALT, None, "", "f0910ed7295e6ad4b54fc793154302ff", "4622d4dd6d944168eefb54987c",
     "4622d4dd6d944168eefb54987c"),
    ("C.1.1 recipient", _SALT, None, "01", "ffb14e093c94c9cac9471648b4f98710", "4622d4dd6d944168eefb54987c",
     "4722d4dd6d944169eefb54987c"),
    ("C.2.1 sender", "", None, "00", "321b26943253c7ffb6003b0b64d74041", "be35ae297d2dace910c52e99f9",
     "bf35ae297d2dace910c52e99f9"),
    ("C.2.1 recipient", "", None, "01", "e57b5635815177cd679ab4bcec9d7dda", "be35ae297d2dace910c52e99f9",
     "bf35ae297d2dace810c52e99f9"),
    ("C.3.1 sender", _SALT, "37cbf3210017a2d3", "", "af2a1300a5e95788b356336eeecd2b92",
     "2ca58fb85ff1b81c0b7181b85e", "2ca58fb85ff1b81c0b7181b85e"),
    ("C.3.1 recipient", _SALT, "37cbf3210017a2d3", "01", "e39a0c7c77b43f03b4b39ab9a268699f",
     "2ca58fb85ff1b81c0b7181b85e", "2da58fb85ff1b81d0b7181b85e"),
)  # fmt: skip


def rfc8613_keys() -> list[Case]:
    """The derivations of RFC 8613, Appendix C: some with a master salt, which this protocol leaves empty."""
    return [
        {
            "name": name, "secret": _SECRET, "salt": salt, "id_context": context, "sender": sender, "key": key,
            "common_iv": common_iv, "context_iv": context_iv,
        }
        for name, salt, context, sender, key, common_iv, context_iv in _KEYS
    ]  # fmt: skip
