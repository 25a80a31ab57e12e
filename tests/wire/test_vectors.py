"""`gateway.wire` against every vector, and the committed vectors against what makes them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

import gateway.wire
from gateway.wire import age, score
from gateway.wire.envelope import AAD, BadTag, Cipher, Malformed, parse
from gateway.wire.keys import NodeKeys, context_iv, derive
from gateway.wire.messages import Birth, Undecodable, decode_down, decode_up, encode
from gateway.wire.window import ReplayWindow, SequenceWindow
from gateway.wire.witness import Witness
from tests.wire import make_vectors
from tests.wire.vectors import FOLDER, MESSAGES, as_json, load

ENVELOPES = load("envelope")
CASES = [(doc["direction"], case) for doc in map(load, MESSAGES) for case in doc["cases"]]
IDS = [f"{name}: {case['name']}" for name in MESSAGES for case in load(name)["cases"]]


def test_the_committed_vectors_are_what_the_script_makes():
    made = {name: make_vectors.text(document) for name, document in make_vectors.documents().items()}
    assert made == {path.name: path.read_text(encoding="ascii") for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("name", MESSAGES)
def test_no_two_cases_of_a_message_share_a_name_or_a_payload_with_another_verdict(name):
    cases = load(name)["cases"]
    assert len({case["name"] for case in cases}) == len(cases)
    assert not {c["payload"] for c in cases if c["valid"]} & {c["payload"] for c in cases if not c["valid"]}


@pytest.mark.parametrize(("direction", "case"), CASES, ids=IDS)
def test_message(direction, case):
    decode = decode_up if direction == "up" else decode_down
    payload = bytes.fromhex(case["payload"])
    if not case["valid"]:
        with pytest.raises(Undecodable):
            decode(payload)
        return
    message = decode(payload)
    assert as_json(message) == case["message"]
    assert encode(message) == payload
    for size in range(len(payload)):
        with pytest.raises(Undecodable):
            decode(payload[:size])


def test_undecodable_names_type_field_and_reason():
    case = next(c for c in load("flag")["cases"] if c["name"] == "malformed: generation is above 23")
    with pytest.raises(Undecodable, match=r"^FLAG generation: 24 is not within 0\.\.23$"):
        decode_up(bytes.fromhex(case["payload"]))


@pytest.mark.parametrize("node", load("keys")["nodes"], ids=lambda node: node["kid"])
def test_keys_of_a_node(node):
    keys = NodeKeys(bytes.fromhex(node["kid"]), bytes.fromhex(node["secret"]))
    assert (keys.key_up.hex(), keys.iv_up.hex(), keys.iv_down.hex()) == (
        node["key_up"],
        node["iv_up"],
        node["iv_down"],
    )
    assert {epoch: keys.key_down(int(epoch)).hex() for epoch in node["key_down"]} == node["key_down"]


@pytest.mark.parametrize("case", load("keys")["rfc8613"], ids=lambda case: case["name"])
def test_derivation_of_rfc8613(case):
    secret, salt, sender = (bytes.fromhex(case[name]) for name in ("secret", "salt", "sender"))
    context = None if case["id_context"] is None else bytes.fromhex(case["id_context"])
    common_iv = derive(secret, salt, b"", context, "IV", 13)
    assert derive(secret, salt, sender, context, "Key", 16).hex() == case["key"]
    assert common_iv.hex() == case["common_iv"]
    assert context_iv(common_iv, sender).hex() == case["context_iv"]


@pytest.mark.parametrize("case", load("ccm")["cases"], ids=lambda case: case["name"])
def test_ccm_vectors_hold_for_the_cipher_that_the_gateway_uses(case):
    key, nonce, aad, plaintext = (bytes.fromhex(case[name]) for name in ("key", "nonce", "aad", "plaintext"))
    assert AESCCM(key, case["tag_bytes"]).encrypt(nonce, plaintext, aad).hex() == case["sealed"]


def test_aad():
    assert AAD.hex() == ENVELOPES["aad"]


def keys_of(kid: str) -> NodeKeys:
    node = next(n for n in ENVELOPES["nodes"] if n["kid"] == kid)
    return NodeKeys(bytes.fromhex(node["kid"]), bytes.fromhex(node["secret"]))


def cipher_of(frame) -> Cipher:
    keys = keys_of(frame["kid"])
    return Cipher.down(keys, frame["epoch"]) if "epoch" in frame else Cipher.up(keys)


SOUND = [f for s in ENVELOPES["up"] + ENVELOPES["down"] for f in s["frames"] if "payload" in f]


@pytest.mark.parametrize("frame", SOUND, ids=lambda frame: frame["envelope"][:60])
def test_seal_and_open(frame):
    cipher, envelope, payload = cipher_of(frame), bytes.fromhex(frame["envelope"]), bytes.fromhex(frame["payload"])
    sealed = parse(envelope, down="epoch" in frame)
    assert (sealed.kid.hex(), sealed.partial_iv, sealed.epoch) == (
        frame["kid"],
        frame["partial_iv"],
        frame.get("epoch"),
    )
    assert cipher.open(sealed) == payload
    assert cipher.seal(frame["partial_iv"], payload) == envelope


class Receiver:
    """A gateway (`down` false) or a node, made of the parts under test."""

    def __init__(self, kids: list[str], down: bool, epoch: int = 0) -> None:
        self.down, self.epoch = down, epoch
        self.keys = {keys.kid: keys for keys in map(keys_of, kids)}
        self.replay: dict[bytes, ReplayWindow] = {}
        self.numbers: dict[bytes, SequenceWindow] = {}
        self.witness: dict[bytes, Witness] = {}

    def judge(self, data: bytes) -> str:
        try:
            sealed = parse(data, down=self.down)
        except Malformed:
            return "malformed"
        if sealed.kid not in self.keys:
            return "unknown_node"
        keys, epoch = self.keys[sealed.kid], sealed.epoch
        if epoch is not None and epoch < self.epoch:
            return "bad_tag"
        cipher = Cipher.up(keys) if epoch is None else Cipher.down(keys, epoch)
        try:
            payload = cipher.open(sealed)
        except BadTag:
            return "bad_tag"
        if epoch is not None and epoch > self.epoch:
            self.epoch = epoch
            self.replay.clear()
        window = self.replay.get(sealed.kid, ReplayWindow())
        witness = self.witness.setdefault(sealed.kid, Witness())
        if window.replayed(sealed.partial_iv):
            known = not (self.down or window.too_old(sealed.partial_iv))
            other = known and witness.other_envelope(sealed.partial_iv, sealed.ciphertext)
            return "cloned" if other else "replayed"
        if window.leaps(sealed.partial_iv) and sealed.kid in self.numbers:
            self.numbers[sealed.kid] = self.numbers[sealed.kid].drift()
        self.replay[sealed.kid] = window.accept(sealed.partial_iv)
        witness.saw_envelope(sealed.partial_iv, sealed.ciphertext)
        try:
            message = decode_down(payload) if self.down else decode_up(payload)
        except Undecodable:
            return "undecodable"
        return "accepted" if self.down else self.judge_number(sealed.kid, message, payload)

    def judge_number(self, kid: bytes, message, payload: bytes) -> str:
        window, witness = self.numbers.get(kid, SequenceWindow()), self.witness[kid]
        if isinstance(message, Birth):
            if window.too_old(message.full_seq):
                return "cloned"
            window = window.anchor(message.full_seq)
        full = message.full_seq if isinstance(message, Birth) else window.extend(message.seq)
        if window.adrift or window.too_old(full):
            return "unplaceable"
        if window.known(full):
            return "cloned" if witness.other_message(full, payload) else "resent"
        self.numbers[kid] = window.accept(full)
        witness.saw_message(full, payload)
        return "accepted"


@pytest.mark.parametrize("sequence", ENVELOPES["up"], ids=lambda sequence: sequence["name"])
def test_frames_that_reach_a_gateway(sequence):
    gateway_side = Receiver([node["kid"] for node in ENVELOPES["nodes"]], down=False)
    for frame in sequence["frames"]:
        assert gateway_side.judge(bytes.fromhex(frame["envelope"])) == frame["verdict"], frame


@pytest.mark.parametrize("sequence", ENVELOPES["down"], ids=lambda sequence: sequence["name"])
def test_frames_that_reach_a_node(sequence):
    node_side = Receiver([sequence["node"]], down=True, epoch=sequence["epoch"])
    for frame in sequence["frames"]:
        assert node_side.judge(bytes.fromhex(frame["envelope"])) == frame["verdict"], frame


def test_every_verdict_of_the_specification_has_a_vector():
    specification = (FOLDER.parent / "SPEC.md").read_text(encoding="utf-8")
    verdicts = {f["verdict"] for s in ENVELOPES["up"] for f in s["frames"]} - {"accepted"}
    assert len(verdicts) == 8
    assert all(f"| `{verdict}` |" in specification for verdict in verdicts)


def test_age():
    vectors = load("age")
    assert [age.decode(code) for code in range(256)] == vectors["decode_ms"]
    assert [age.encode(case["ms"]) for case in vectors["encode"]] == [case["code"] for case in vectors["encode"]]


def test_score():
    vectors = load("score")
    assert [score.log(point["x"]) for point in vectors["log"]] == [point["l"] for point in vectors["log"]]
    for case in vectors["cases"]:
        error, threshold = case["error"], case["threshold"]
        assert score.encode(error, threshold) == case["code"], case
        assert score.anomalous(error, threshold) == case["anomalous"], case
    assert [score.percent(code) for code in range(256)] == vectors["percent"]


def test_the_wire_package_stays_pure():
    allowed = {"__future__", "array", "collections", "dataclasses", "enum", "typing", "zlib", "cbor2", "cryptography"}
    allowed |= {"functools", "gateway", "hashlib", "re", "struct"}
    for path in Path(gateway.wire.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            assert {name.split(".")[0] for name in names} <= allowed, path
            assert all(name.startswith("gateway.wire") for name in names if name.startswith("gateway")), path


@pytest.mark.parametrize("script", ["make_vectors", "vectors_messages", "vectors_envelopes", "vectors_ccm"])
def test_what_makes_the_vectors_uses_nothing_of_the_gateway(script):
    tree = ast.parse((Path(__file__).parent / f"{script}.py").read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not {name for name in imported if name.split(".")[0] == "gateway"}
