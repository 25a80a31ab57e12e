"""Every vector of nodes/wire/vectors, in C."""

from __future__ import annotations

import ctypes
import json
from ctypes import byref, c_size_t, c_uint32, c_uint64, create_string_buffer
from pathlib import Path

import pytest

from tests.nodes import core_types as core

FOLDER = Path(__file__).parents[2] / "nodes" / "wire" / "vectors"
UP = ("birth", "flag", "window", "health", "result")
DOWN = ("ack", "command")
TYPES = {"birth": 1, "flag": 2, "window": 3, "health": 4, "ack": 5, "command": 6, "result": 7}
NOT_UTF8 = "encoding: text that is not UTF-8"  # zcbor does not look at it, and no node reads text


def load(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())


def cases(*names: str) -> list:
    return [pytest.param(n, case, id=f"{n}: {case['name']}") for n in names for case in load(n)["cases"]]


def named(cases: list[dict]) -> list:
    return [pytest.param(case, id=case["name"]) for case in cases]


def raw(data: bytes) -> ctypes.Array:
    """Exactly these bytes, so that a sanitizer sees a read beyond them."""
    return (ctypes.c_uint8 * len(data)).from_buffer_copy(data)


def expected(case: dict) -> dict:
    message = {key: int(value) if key == "time_ms" else value for key, value in case["message"].items()}
    return {key: value for key, value in message.items() if not (key in ("detail", "argument") and value is None)}


def decode(library: ctypes.CDLL, name: str, payload: bytes) -> dict | None:
    struct = core.MESSAGES[name]()
    read = c_size_t()
    if not payload or payload[0] != TYPES[name]:
        return None
    body = raw(payload[1:])
    if library[f"cbor_decode_{name}"](body, c_size_t(len(body)), byref(struct), byref(read)) != 0:
        return None
    return core.from_struct(name, struct) if read.value == len(body) else None


@pytest.mark.parametrize(("name", "case"), [p for p in cases(*UP, *DOWN) if p.values[1]["name"] != NOT_UTF8])
def test_messages_decode(library, name, case):
    found = decode(library, name, bytes.fromhex(case["payload"]))
    assert found == (expected(case) if case["valid"] else None)


@pytest.mark.parametrize(("name", "case"), [p for p in cases(*UP, *DOWN) if p.values[1]["valid"]])
def test_messages_encode(library, name, case):
    struct = core.to_struct(name, expected(case))
    out = create_string_buffer(512)
    n = c_size_t()
    assert library[f"cbor_encode_{name}"](out, c_size_t(512), byref(struct), byref(n)) == 0
    assert bytes([TYPES[name]]) + out.raw[: n.value] == bytes.fromhex(case["payload"])


@pytest.mark.parametrize(("name", "case"), cases(*DOWN))
def test_node_reads_what_comes_down(library, name, case):
    library.message_read_down.restype = ctypes.c_bool
    payload = bytes.fromhex(case["payload"])
    message = core.DownMessage()
    assert library.message_read_down(raw(payload), c_size_t(len(payload)), byref(message)) == case["valid"]
    if case["valid"]:
        assert message.type == TYPES[name]
        assert core.from_struct(name, getattr(message.u, name)) == expected(case)


@pytest.mark.parametrize("case", named(load("ccm")["cases"]))
def test_ccm(library, case):
    library.ccm_open.restype = ctypes.c_bool
    key, nonce, aad, plain, sealed = (
        bytes.fromhex(case[n]) for n in ("key", "nonce", "aad", "plaintext", "sealed")
    )  # fmt: skip
    aes = core.Aes128()
    library.aes128_init(byref(aes), key, None, None)
    ccm = core.Ccm(ctypes.pointer(aes), nonce, len(nonce), case["tag_bytes"], aad, len(aad))
    out = (ctypes.c_uint8 * len(sealed))()
    library.ccm_seal(byref(ccm), raw(plain), c_size_t(len(plain)), out)
    assert bytes(out) == sealed
    opened = (ctypes.c_uint8 * len(plain))()
    assert library.ccm_open(byref(ccm), raw(sealed), c_size_t(len(sealed)), opened)
    assert bytes(opened) == plain
    for at in (0, len(sealed) - 1):
        forged = bytearray(sealed)
        forged[at] ^= 1
        assert not library.ccm_open(byref(ccm), raw(forged), c_size_t(len(forged)), opened)
        assert bytes(opened) == bytes(len(plain))


def derive(library, secret, salt, sender, id_context, n):
    out = create_string_buffer(n)
    as_bytes = core.Bytes.of
    library.keys_derive.argtypes = [core.Bytes] * 4 + [ctypes.c_void_p, ctypes.c_uint8]
    library.keys_derive(as_bytes(secret), as_bytes(salt), as_bytes(sender), as_bytes(id_context), out, n)
    return out.raw


@pytest.mark.parametrize("case", named(load("keys")["rfc8613"]))
def test_keys_are_those_of_oscore(library, case):
    secret, salt, sender = (bytes.fromhex(case[n]) for n in ("secret", "salt", "sender"))
    context = None if case["id_context"] is None else bytes.fromhex(case["id_context"])
    assert derive(library, secret, salt, sender, context, 16).hex() == case["key"]
    common_iv = derive(library, secret, salt, b"", context, 13)
    assert common_iv.hex() == case["common_iv"]
    out = create_string_buffer(13)
    library.keys_context_iv.argtypes = [ctypes.c_char_p, core.Bytes, ctypes.c_void_p]
    library.keys_context_iv(common_iv, core.Bytes.of(sender), out)
    assert out.raw.hex() == case["context_iv"]


def node_keys(library, node: dict) -> core.Keys:
    keys = core.Keys()
    library.keys_init(byref(keys), bytes.fromhex(node["kid"]), bytes.fromhex(node["secret"]))
    return keys


@pytest.mark.parametrize("node", [pytest.param(n, id=n["kid"]) for n in load("keys")["nodes"]])
def test_keys_of_a_node(library, node):
    keys = node_keys(library, node)
    assert bytes(keys.up).hex() == node["key_up"]
    assert bytes(keys.iv_up).hex() == node["iv_up"]
    assert bytes(keys.iv_down).hex() == node["iv_down"]
    for epoch, key in node["key_down"].items():
        out = create_string_buffer(16)
        library.keys_down(byref(keys), ctypes.c_uint16(int(epoch)), out)
        assert out.raw.hex() == key


def nodes_by_kid() -> dict:
    return {node["kid"]: node for node in load("envelope")["nodes"]}


@pytest.mark.parametrize("case", named(load("envelope")["up"]))
def test_envelopes_up_are_sealed_to_the_byte(library, case):
    library.envelope_seal_up.restype = c_size_t
    for frame in case["frames"]:
        if frame["verdict"] not in ("accepted", "resent", "replayed", "undecodable") or "payload" not in frame:
            continue
        keys = node_keys(library, nodes_by_kid()[frame["kid"]])
        payload = bytes.fromhex(frame["payload"])
        out = create_string_buffer(600)
        n = library.envelope_seal_up(
            byref(keys), byref(core.Cipher()), c_uint32(frame["partial_iv"]), raw(payload), c_size_t(len(payload)), out
        )
        assert out.raw[:n].hex() == frame["envelope"]


@pytest.mark.parametrize("case", named(load("envelope")["down"]))
def test_envelopes_down_are_opened_or_named(library, case):
    library.message_read_down.restype = ctypes.c_bool
    keys = node_keys(library, nodes_by_kid()[case["node"]])
    down = core.Downlink(epoch=case["epoch"])
    for frame in case["frames"]:
        before = bytes(down)
        data = bytes.fromhex(frame["envelope"])
        out = create_string_buffer(core.ENVELOPE_MAX)
        n = c_size_t()
        verdict = library.envelope_open_down(
            byref(keys), byref(core.Cipher()), byref(down), raw(data), c_size_t(len(data)), out, byref(n)
        )
        payload = out.raw[: n.value]
        if verdict == 0:
            assert payload.hex() == frame["payload"]
            message = core.DownMessage()
            verdict = 0 if library.message_read_down(raw(payload), n, byref(message)) else 5
        else:
            assert bytes(down) == before
        assert core.VERDICTS[verdict] == frame["verdict"], frame
        if verdict == 0:
            assert down.epoch == frame["epoch"]


@pytest.mark.parametrize("case", named(load("serial")["cases"]))
def test_serial_streams_byte_by_byte(library, case):
    decoder = core.FrameDecoder()
    library.frame_decoder_init(byref(decoder))
    frames, counted = [], {}
    for byte in bytes.fromhex(case["stream"]):
        event = library.frame_push(byref(decoder), ctypes.c_uint8(byte))
        if event == 1:
            frames.append(bytes(decoder.data[: decoder.n]).hex())
        elif event:
            name = ("cobs", "crc", "oversize")[event - 2]
            counted[name] = counted.get(name, 0) + 1
    assert (frames, counted) == (case["frames"], case["counted"])


@pytest.mark.parametrize("case", named([c for c in load("serial")["cases"] if c["name"].startswith(("ok", "longest"))]))
def test_serial_frames_encode(library, case):
    library.frame_encode.restype = c_size_t
    out = create_string_buffer(600)
    (data,) = case["frames"]
    n = library.frame_encode(raw(bytes.fromhex(data)), c_size_t(len(data) // 2), out)
    assert out.raw[:n].hex() == case["stream"]


def test_ages(library):
    library.age_encode.restype = ctypes.c_uint8
    library.age_decode_ms.restype = c_uint32
    vectors = load("age")
    assert [library.age_decode_ms(ctypes.c_uint8(code)) for code in range(256)] == vectors["decode_ms"]
    for case in vectors["encode"]:
        assert library.age_encode(c_uint64(case["ms"])) == case["code"], case


def test_scores(library):
    library.score_encode.restype = ctypes.c_uint8
    for case in load("score")["cases"]:
        assert library.score_encode(c_uint32(case["error"]), c_uint32(case["threshold"])) == case["code"], case
