"""Every vector of nodes/wire/vectors, in C."""

from __future__ import annotations

import ctypes
import json
from ctypes import byref, c_size_t, c_uint8, c_uint32, c_uint64, create_string_buffer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire import messages
from tests.nodes import core_types as core
from tests.wire.test_messages import down_messages, up_messages
from tests.wire.vectors import as_json

FOLDER = Path(__file__).parents[2] / "nodes" / "wire" / "vectors"
MESSAGE_MAX = 408
NOT_UTF8 = "encoding: text that is not UTF-8"  # zcbor does not look at it, and no node reads text
UP = tuple(core.UP)
DOWN = ("ack", "command", "offer", "chunk")


def load(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())


def cases(*names: str) -> list:
    return [pytest.param(n, case, id=f"{n}: {case['name']}") for n in names for case in load(n)["cases"]]


def named(cases: list[dict]) -> list:
    return [pytest.param(case, id=case["name"]) for case in cases]


def raw(data: bytes) -> ctypes.Array:
    """Exactly these bytes, so that a sanitizer sees a read beyond them."""
    return (ctypes.c_uint8 * len(data)).from_buffer_copy(data)


def kind_of(name: str) -> int:
    return load(name)["type"]


def write(library: ctypes.CDLL, name: str, message: dict) -> bytes:
    """What the node writes of a message; b"" if it refuses to."""
    library.codec_up.restype = ctypes.c_void_p
    library.codec_write.restype = c_size_t
    library.codec_write.argtypes = [ctypes.c_void_p] * 3
    struct = core.to_struct(name, message)
    out = create_string_buffer(MESSAGE_MAX)
    n = library.codec_write(library.codec_up(c_uint8(kind_of(name))), byref(struct), out)
    return bytes([kind_of(name)]) + out.raw[:n] if n else b""


def read(library: ctypes.CDLL, payload: bytes) -> tuple[int, core.DownMessage] | None:
    library.message_read_down.restype = ctypes.c_bool
    message = core.DownMessage()
    message.bytes = raw(payload)  # spans point into it
    return message if library.message_read_down(message.bytes, c_size_t(len(payload)), byref(message)) else None


def read_by_peer(peer: ctypes.CDLL, name: str, payload: bytes) -> bytes | None:
    """What zcbor's codec writes of what it has read; None where it does not read all of it."""
    struct = create_string_buffer(4096)
    taken, n = c_size_t(), c_size_t()
    out = create_string_buffer(MESSAGE_MAX)
    body = raw(payload[1:])
    failed = peer[f"cbor_decode_{name}"](body, c_size_t(len(body)), struct, byref(taken))
    if payload[0] != kind_of(name) or failed or taken.value != len(body):
        return None
    assert peer[f"cbor_encode_{name}"](out, c_size_t(MESSAGE_MAX), struct, byref(n)) == 0
    return payload[:1] + out.raw[: n.value]


@pytest.mark.parametrize(("name", "case"), [p for p in cases(*UP) if p.values[1]["valid"]])
def test_node_writes_what_goes_up(library, name, case):
    assert write(library, name, case["message"]).hex() == case["payload"]


@pytest.mark.parametrize(("name", "case"), cases(*DOWN))
def test_node_reads_what_comes_down(library, name, case):
    payload = bytes.fromhex(case["payload"])
    message = read(library, payload)
    assert (message is not None) == case["valid"]
    if message is not None:
        assert message.type == kind_of(name)
        found = core.from_struct(name, getattr(message.u, name))
        assert found == case["message"] | ({"time_ms": int(case["message"]["time_ms"])} if name == "ack" else {})
        assert [size for size in range(len(payload)) if read(library, payload[:size])] == []


@pytest.mark.parametrize("kind", [0, *(kind_of(name) for name in UP), 12, 255])
def test_nothing_else_is_read_from_above(library, kind):
    for rest in (b"", b"\x80", b"\x82\x01\x01", b"\x86\x01\x00\x00\x00\x00\xf4"):
        assert read(library, bytes([kind]) + rest) is None


@pytest.mark.parametrize(("name", "case"), [p for p in cases(*UP, *DOWN) if p.values[1]["name"] != NOT_UTF8])
def test_the_codec_of_the_contract_agrees(peer, name, case):
    payload = bytes.fromhex(case["payload"])
    assert read_by_peer(peer, name, payload or b"\0") == (payload if case["valid"] else None)


@settings(deadline=None)
@given(up_messages)
def test_what_the_node_writes_the_contracts_codec_reads(library, peer, message):
    name = {"sampled": "sampled", "learnerstate": "learner_state"}.get(kind := type(message).__name__.lower(), kind)
    written = write(library, name, as_json(message))
    assert written == messages.encode(message)
    assert read_by_peer(peer, name, written) == written


@settings(deadline=None)
@given(down_messages.filter(lambda message: getattr(message, "id", 1) != 0))
def test_what_the_contracts_codec_writes_the_node_reads(library, peer, message):
    name = type(message).__name__.lower()
    written = read_by_peer(peer, name, messages.encode(message))
    assert written is not None
    found = read(library, written)
    assert found is not None
    again = core.from_struct(name, getattr(found.u, name))
    assert again == {k: int(v) if k == "time_ms" else v for k, v in as_json(message).items()}


@settings(deadline=None)
@given(st.sampled_from(DOWN), st.binary(max_size=40) | down_messages.map(lambda m: messages.encode(m)[1:]), st.data())
def test_node_and_gateway_refuse_alike(library, name, body, data):
    body = bytearray(body)
    if body:
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    payload = bytes([kind_of(name)]) + bytes(body)
    try:
        accepted = getattr(messages.decode_down(payload), "id", 1) != 0  # which the CDDL leaves to the text
    except messages.Undecodable:
        accepted = False
    assert (read(library, payload) is not None) == accepted


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("birth", {"hardware": ""}), ("birth", {"hardware": "h" * 25}), ("birth", {"channels": 10}),
        ("birth", {"channels": 0}), ("birth", {"wire_version": 0}), ("birth", {"model": "00" * 7}),
        ("birth", {"seq": 65536}), ("flag", {"generation": 24}), ("flag", {"score": 256}), ("health", {"link_dbm": 1}),
        ("health", {"link_dbm": -129}), ("health", {"temperature_cdeg": 32768}), ("sampled", {"parts": 0}),
        ("sampled", {"data": ""}), ("sampled", {"data": "00" * 385}), ("learner_state", {"part": 256}),
        ("window", {"features": {"feature_set": 1, "values": []}}),
        ("window", {"features": {"feature_set": 1, "values": [0] * 65}}),
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_not_written(library, name, change):
    message = load(name)["cases"][0]["message"]
    assert write(library, name, message)
    assert write(library, name, message | change) == b""


def test_the_longest_message_is_as_long_as_is_said(library):
    lengths = {name: len(case["payload"]) // 2 - 1 for name in UP for case in load(name)["cases"] if case["valid"]}
    longest = max(len(c["payload"]) // 2 - 1 for name in UP for c in load(name)["cases"] if c["valid"])
    assert longest == MESSAGE_MAX, lengths


@pytest.mark.parametrize("case", named(load("ccm")["cases"]))
def test_ccm(library, case):
    library.ccm_open.restype = ctypes.c_bool
    key, nonce, aad, plain, sealed = (
        bytes.fromhex(case[n]) for n in ("key", "nonce", "aad", "plaintext", "sealed")
    )  # fmt: skip
    aes = core.Aes128(key, None, None)
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
    source = core.KeysSource(*(core.Bytes.of(value) for value in (secret, salt, sender, id_context)))
    library.keys_derive(byref(source), out, ctypes.c_uint8(n))
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
            verdict = 0 if read(library, payload) else 5
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
