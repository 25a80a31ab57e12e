"""The envelope and key vectors: frames in sequence, each with the verdict it must get.

Written without `gateway.wire`: keys over `cryptography`'s HKDF, envelopes as cbor2 values.
"""

from __future__ import annotations

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.wire.vectors_messages import SOUND, Fields, items_of, payload

Frame = dict[str, object]
Sequence = dict[str, object]

SECRETS = {
    bytes.fromhex("00000001"): bytes.fromhex("0102030405060708090a0b0c0d0e0f10"),
    bytes.fromhex("53744801"): bytes.fromhex("9f3c6a51d2e84b07a1c5f0e37b9d2846"),
}
KID, OTHER = SECRETS
STRANGER = bytes.fromhex("deadbeef")
STRANGER_SECRET = bytes(range(0xF0, 0x100))
PROTECTED = bytes.fromhex("a1010a")
AAD = cbor2.dumps(["Encrypt0", PROTECTED, b""])


def derive(secret: bytes, salt: bytes, sender: bytes, context: bytes | None, kind: str, length: int) -> bytes:
    """RFC 8613 §3.2.1."""
    info = cbor2.dumps([sender, context, 10, kind, length])
    return HKDF(SHA256(), length, salt, info).derive(secret)


def nonce(common_iv: bytes, sender: bytes, partial_iv: int) -> bytes:
    """RFC 8613 §5.2, with the nonce's 13 bytes."""
    mask = bytes([len(sender)]) + sender.rjust(7, b"\0") + partial_iv.to_bytes(5, "big")
    return bytes(a ^ b for a, b in zip(common_iv, mask, strict=True))


def _short(partial_iv: int) -> bytes:
    return partial_iv.to_bytes(max(1, (partial_iv.bit_length() + 7) // 8), "big")


def seal(kid: bytes, secret: bytes, partial_iv: int, plain: bytes, epoch: int | None = None) -> bytes:
    """The envelope of one payload; upward without an epoch."""
    context = None if epoch is None else epoch.to_bytes(2, "big")
    sender = kid if epoch is None else b""
    key = derive(secret, b"", sender, context, "Key", 16)
    common_iv = derive(secret, b"", b"", None, "IV", 13)
    sealed = AESCCM(key, tag_length=8).encrypt(nonce(common_iv, sender, partial_iv), plain, AAD)
    header: dict[int, bytes] = {4: kid, 6: _short(partial_iv)}
    if context is not None:
        header[10] = context
    return cbor2.dumps([PROTECTED, header, sealed])


def _frame(verdict: str, envelope: bytes, **more: object) -> Frame:
    return {"verdict": verdict, "envelope": envelope.hex()} | more


def sound(verdict: str, partial_iv: int, plain: bytes, kid: bytes = KID, epoch: int | None = None) -> Frame:
    """A frame that authenticates, with everything that an implementation can compare."""
    down = {} if epoch is None else {"epoch": epoch}
    envelope = seal(kid, SECRETS[kid], partial_iv, plain, epoch)
    return _frame(verdict, envelope, kid=kid.hex(), partial_iv=partial_iv, **down, payload=plain.hex())


def bare_flag(seq: int, age: int = 0) -> bytes:
    """The smallest thing that a node says."""
    return payload("flag", [seq, age, 140, 65, 2])


def command(number: int) -> bytes:
    """An `identify`."""
    return payload("command", [number, 1])


def _example(name: str, **changes: object) -> bytes:
    fields: Fields = SOUND[name]["ok"] | changes
    return payload(name, items_of(name, fields))


def _born(full_seq: int) -> bytes:
    return _example("birth", seq=full_seq & 0xFFFF, full_seq=full_seq)


def _malformed(good: bytes, kid: bytes, epoch: bytes | None = None) -> list[Frame]:
    """Frames that are no envelope, each from a good one. `good` has a one-byte partial IV and a short ciphertext."""
    start, cut = good[:12], 12 + 3
    piv, tail = good[12:cut], good[cut:]
    context = b"" if epoch is None else b"\x0a\x42" + epoch
    ciphertext = tail[len(context) + 1 :]
    head = len(ciphertext)
    variants = {
        "nothing": b"",
        "one byte": b"\x83",
        "a byte follows": good + b"\0",
        "tagged as COSE_Encrypt0": b"\xd0" + good,
        "array of four": b"\x84" + good[1:] + b"\0",
        "array of indefinite length": b"\x9f" + good[1:] + b"\xff",
        "another algorithm": good.replace(PROTECTED, bytes.fromhex("a1010b"), 1),
        "empty protected header": good.replace(b"\x43" + PROTECTED, b"\x40", 1),
        "kid of three bytes": good[:7] + b"\x43" + kid[:3] + good[12:],
        "kid as text": good[:7] + b"\x64" + good[8:],
        "header map out of order": good[:6] + piv + b"\x04\x44" + kid + tail,
        "partial IV missing": good[:5] + bytes([good[5] - 1]) + good[6:12] + tail,
        "partial IV empty": start + b"\x06\x40" + tail,
        "partial IV with a leading zero": start + b"\x06\x42\0" + piv[2:] + tail,
        "partial IV of five bytes": start + b"\x06\x45\1\0\0\0" + piv[2:] + tail,
        "header map with one more entry": good[:5] + bytes([good[5] + 1]) + start[6:] + piv + context + b"\x0b\x00"
        + tail[len(context) :],
        "ciphertext as text": start + piv + context + bytes([0x60 + head]) + ciphertext,
        "ciphertext length in two bytes": start + piv + context + bytes([0x58, head]) + ciphertext,
        "ciphertext shorter than its tag": start + piv + context + b"\x47" + ciphertext[:7],
        "513 bytes": start + piv + context + b"\x59" + (513 - cut - len(context) - 3).to_bytes(2, "big")
        + bytes(513 - cut - len(context) - 3),
    }  # fmt: skip
    return [_frame("malformed", data, why=why) for why, data in variants.items()]


def _flipped(envelope: bytes, at: int = -1) -> bytes:
    changed = bytearray(envelope)
    changed[at] ^= 1
    return bytes(changed)


def _up_refused() -> list[Sequence]:
    secret = SECRETS[KID]
    good = seal(KID, secret, 7, bare_flag(1))
    down = seal(KID, secret, 7, command(1), epoch=0)
    stripped = down.replace(b"\xa3\x04", b"\xa2\x04", 1).replace(b"\x0a\x42\0\0", b"", 1)
    reflected = AESCCM(derive(secret, b"", b"", b"\0\0", "Key", 16), 8)
    common_iv = derive(secret, b"", b"", None, "IV", 13)
    under_down_key = cbor2.dumps(
        [PROTECTED, {4: KID, 6: b"\x07"}, reflected.encrypt(nonce(common_iv, KID, 7), bare_flag(1), AAD)]
    )
    cut = [_frame("malformed", good[:n], why=f"the first {n} bytes") for n in range(len(good))]
    return [
        {"name": "truncated at every length", "frames": [*cut, sound("accepted", 7, bare_flag(1))]},
        {"name": "malformed", "frames": [*_malformed(good, KID), sound("accepted", 7, bare_flag(1))]},
        {"name": "unknown node", "frames": [_frame("unknown_node", seal(STRANGER, STRANGER_SECRET, 0, bare_flag(0)))]},
        {"name": "bad tag", "frames": [
            _frame("bad_tag", seal(KID, SECRETS[OTHER], 7, bare_flag(1)), why="sealed with another node's secret"),
            _frame("bad_tag", _flipped(good), why="last bit of the tag"),
            _frame("bad_tag", _flipped(good, -9), why="a bit of the text"),
            _frame("bad_tag", good.replace(b"\x06\x41\x07", b"\x06\x41\x08"), why="another partial IV"),
            _frame("bad_tag", good.replace(b"\x04\x44" + KID, b"\x04\x44" + OTHER), why="another node's id"),
            _frame("bad_tag", good[:15] + b"\x48" + bytes(8), why="a ciphertext that is only a tag"),
            sound("accepted", 7, bare_flag(1)),
            _frame("bad_tag", _flipped(good), why="a partial IV used before, but it does not authenticate"),
        ]},
        {"name": "wrong direction", "frames": [
            _frame("malformed", down, why="the gateway's own envelope: an epoch has no place upward"),
            _frame("bad_tag", stripped, why="the same without its epoch"),
            _frame("bad_tag", under_down_key, why="sealed with the key down"),
            sound("undecodable", 9, command(1)) | {"why": "a downward message under the key up"},
        ]},
        {"name": "undecodable", "frames": [
            sound("undecodable", 0, b"") | {"why": "no type byte"},
            sound("undecodable", 1, b"\x02") | {"why": "a type byte alone"},
            sound("undecodable", 2, bare_flag(1)[:-1]) | {"why": "one element is missing"},
            sound("undecodable", 3, b"\x08\x80") | {"why": "a type that has no contents yet"},
            sound("undecodable", 4, bare_flag(1) + b"\0") | {"why": "a byte follows"},
            sound("accepted", 5, bare_flag(1)),
        ]},
    ]  # fmt: skip


def up() -> list[Sequence]:
    """Frames that reach a fresh gateway."""
    far, top = 1000, 2**32 - 1
    big = payload("window", [1, 0, 0, 0, 1, [-(2**31)] * 64])
    return [
        {"name": "ok: every message", "frames": [
            sound("accepted", 0, _example("birth")),
            *(sound("accepted", i, _example(name, seq=0x1234 + i))
              for i, name in enumerate(("flag", "window", "health", "result"), 1)),
        ]},
        {"name": "ok: two nodes do not share a window", "frames": [
            sound("accepted", 5, bare_flag(1)), sound("accepted", 5, bare_flag(1), OTHER)]},
        {"name": "ok: every width of the partial IV", "frames": [
            sound("accepted", piv, bare_flag(i))
            for i, piv in enumerate((0, 1, 23, 24, 255, 256, 65535, 65536, 2**24 - 1, 2**24, top))]},
        {"name": "ok: largest message", "frames": [sound("accepted", top, big)]},
        {"name": "ok: text of 15 and 16 bytes, the two forms of a length", "frames": [
            sound("accepted", 1, payload("flag", [256, 24, 24, 24, 2, 1, [0]])),
            sound("accepted", 2, payload("flag", [257, 24, 24, 24, 2, 1, [24]]))]},
        {"name": "replayed", "frames": [
            sound("accepted", far, bare_flag(1)), sound("replayed", far, bare_flag(1)),
            sound("accepted", far - 64, bare_flag(2)), sound("replayed", far - 64, bare_flag(2)),
            sound("replayed", far - 65, bare_flag(3)),
            sound("accepted", far + 1, bare_flag(4)), sound("replayed", far - 64, bare_flag(5)),
            sound("accepted", far - 63, bare_flag(5)),
            sound("accepted", far + 500, bare_flag(6)), sound("replayed", far + 1, bare_flag(4)),
            sound("accepted", far + 436, bare_flag(7)), sound("replayed", far + 435, bare_flag(8))]},
        {"name": "resent", "frames": [
            sound("accepted", 10, bare_flag(100)), sound("resent", 11, bare_flag(100, age=40)),
            sound("replayed", 11, bare_flag(100, age=40)), sound("accepted", 12, bare_flag(99)),
            sound("resent", 13, bare_flag(99))]},
        {"name": "message number over the end of its 16 bits", "frames": [
            sound("accepted", 1, bare_flag(65534)), sound("accepted", 2, bare_flag(1)),
            sound("accepted", 3, bare_flag(65535)), sound("resent", 4, bare_flag(65534)),
            sound("accepted", 5, bare_flag(0)), sound("resent", 6, bare_flag(1))]},
        {"name": "message number 512 below the newest, and 513", "frames": [
            sound("accepted", 1, bare_flag(2000)), sound("accepted", 2, bare_flag(1488)),
            sound("unplaceable", 3, bare_flag(1487)), sound("resent", 4, bare_flag(1488)),
            sound("accepted", 5, bare_flag(2001)), sound("unplaceable", 6, bare_flag(1488))]},
        {"name": "half of all 16-bit numbers unheard, and the birth that tells where the node is", "frames": [
            sound("accepted", 1, _born(50_000)), sound("accepted", 2, bare_flag(50_001)),
            sound("unplaceable", 40_010, bare_flag(90_005 - 65_536)),
            sound("accepted", 40_011, _born(90_010)),
            sound("accepted", 40_012, bare_flag(90_005 - 65_536, age=9)),
            sound("resent", 40_013, bare_flag(90_005 - 65_536, age=12))]},
        {"name": "all 16-bit numbers unheard: a number that looks known is none", "frames": [
            sound("accepted", 1, _born(50_000)), sound("accepted", 2, bare_flag(50_001)),
            sound("unplaceable", 65_538, bare_flag(50_001)),
            sound("unplaceable", 65_539, bare_flag(50_002)),
            sound("accepted", 65_540, _born(115_540)),
            sound("accepted", 65_541, bare_flag(50_001, age=3))]},
        {"name": "32768 transmissions unheard, and 32769", "frames": [
            sound("accepted", 1, _born(1)), sound("accepted", 1 + 32_768, bare_flag(2)),
            sound("unplaceable", 1 + 32_768 + 32_769, bare_flag(3)),
            sound("unplaceable", 1 + 32_768 + 32_770, bare_flag(4))]},
        {"name": "cloned: a partial IV that another envelope had", "frames": [
            sound("accepted", 10, bare_flag(1)), sound("cloned", 10, bare_flag(2)),
            sound("replayed", 10, bare_flag(1)), sound("accepted", 11, bare_flag(2)),
            sound("accepted", 74, bare_flag(3)), sound("cloned", 10, bare_flag(2)),
            sound("accepted", 75, bare_flag(4)), sound("replayed", 10, bare_flag(2))]},
        {"name": "cloned: a number that another message had", "frames": [
            sound("accepted", 10, bare_flag(1)), sound("cloned", 11, payload("flag", [1, 0, 141, 65, 2])),
            sound("resent", 12, bare_flag(1, age=30)), sound("accepted", 13, bare_flag(2))]},
        {"name": "cloned: a birth whose number lies below", "frames": [
            sound("accepted", 10, _born(5000)), sound("cloned", 11, _born(4487)),
            sound("accepted", 12, _born(4488)), sound("accepted", 13, bare_flag(5001))]},
        {"name": "birth after a reset passed over 1023 numbers", "frames": [
            sound("accepted", 1, bare_flag(5)),
            sound("accepted", 1024, _example("birth", seq=1030, full_seq=1030, skipped=1024)),
            sound("accepted", 1025, bare_flag(1031)),
            sound("resent", 1026, _example("birth", seq=1030, full_seq=1030, skipped=1024, age=9))]},
        *_up_refused(),
    ]  # fmt: skip


def down() -> list[Sequence]:
    """Frames that reach a node that follows an epoch and has an empty window."""
    secret = SECRETS[KID]
    good = seal(KID, secret, 7, command(1), epoch=1)
    ack = _example("ack")
    return [
        {"name": "ok: every message", "node": KID.hex(), "epoch": 0, "frames": [
            sound("accepted", 0, ack, epoch=0), sound("accepted", 1, _example("command"), epoch=0)]},
        {"name": "ok: partial IV and epoch at their ends", "node": OTHER.hex(), "epoch": 65535, "frames": [
            sound("accepted", 2**32 - 1, ack, OTHER, 65535)]},
        {"name": "replayed", "node": KID.hex(), "epoch": 1, "frames": [
            sound("accepted", 100, ack, epoch=1), sound("replayed", 100, ack, epoch=1),
            sound("accepted", 36, ack, epoch=1), sound("replayed", 35, ack, epoch=1),
            sound("accepted", 164, ack, epoch=1), sound("replayed", 100, ack, epoch=1),
            sound("replayed", 99, ack, epoch=1), sound("accepted", 101, ack, epoch=1)]},
        {"name": "higher epoch, then a lower one", "node": KID.hex(), "epoch": 1, "frames": [
            sound("accepted", 9, ack, epoch=1), sound("accepted", 0, ack, epoch=3),
            sound("replayed", 0, ack, epoch=3), sound("accepted", 9, ack, epoch=3),
            sound("bad_tag", 10, ack, epoch=1) | {"why": "a lower epoch is refused, its key is not tried"},
            sound("bad_tag", 10, ack, epoch=2) | {"why": "so is any between"},
            sound("accepted", 10, ack, epoch=3)]},
        {"name": "higher epoch that does not authenticate changes nothing", "node": KID.hex(), "epoch": 1, "frames": [
            sound("accepted", 9, ack, epoch=1),
            _frame("bad_tag", _flipped(seal(KID, secret, 0, ack, 9)), why="a bit of the tag"),
            sound("replayed", 9, ack, epoch=1), sound("accepted", 10, ack, epoch=1)]},
        {"name": "unknown node", "node": OTHER.hex(), "epoch": 1, "frames": [
            _frame("unknown_node", good, why="another node's"), sound("accepted", 0, ack, OTHER, 1)]},
        {"name": "bad tag", "node": KID.hex(), "epoch": 1, "frames": [
            _frame("bad_tag", seal(KID, SECRETS[OTHER], 7, command(1), 1), why="sealed with another node's secret"),
            _frame("bad_tag", _flipped(good), why="last bit of the tag"),
            _frame("bad_tag", good.replace(b"\x0a\x42\0\1", b"\x0a\x42\0\2"), why="a higher epoch written over it"),
            sound("accepted", 7, command(1), epoch=1)]},
        {"name": "wrong direction", "node": KID.hex(), "epoch": 1, "frames": [
            _frame("malformed", seal(KID, secret, 7, bare_flag(1)), why="the node's own envelope: no epoch"),
            sound("undecodable", 8, bare_flag(1), epoch=1) | {"why": "an upward message under the key down"}]},
        {"name": "undecodable", "node": KID.hex(), "epoch": 1, "frames": [
            sound("undecodable", 0, b"", epoch=1) | {"why": "no type byte"},
            sound("undecodable", 1, ack[:-1], epoch=1) | {"why": "one element is missing"},
            sound("accepted", 2, ack, epoch=1)]},
        {"name": "malformed", "node": KID.hex(), "epoch": 1, "frames": [
            *_malformed(good, KID, b"\0\1"),
            _frame("malformed", good.replace(b"\x0a\x42\0\1", b"\x0a\x41\1"), why="epoch of one byte"),
            sound("accepted", 7, command(1), epoch=1)]},
        {"name": "truncated at every length", "node": KID.hex(), "epoch": 1, "frames": [
            *(_frame("malformed", good[:n], why=f"the first {n} bytes") for n in range(len(good))),
            sound("accepted", 7, command(1), epoch=1)]},
    ]  # fmt: skip


def keys() -> list[dict[str, object]]:
    """What every node derives from its id and secret."""
    made: list[dict[str, object]] = []
    for kid, secret in SECRETS.items():
        common_iv = derive(secret, b"", b"", None, "IV", 13)
        downward = {str(e): derive(secret, b"", b"", e.to_bytes(2, "big"), "Key", 16).hex() for e in (0, 1, 2, 65535)}
        made.append({
            "kid": kid.hex(), "secret": secret.hex(), "common_iv": common_iv.hex(),
            "key_up": derive(secret, b"", kid, None, "Key", 16).hex(), "iv_up": nonce(common_iv, kid, 0).hex(),
            "key_down": downward, "iv_down": nonce(common_iv, b"", 0).hex(),
        })  # fmt: skip
    return made
