"""Model images: opened, checked, self-tested and scored as SPEC.md says."""

import ctypes
import hashlib

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nodes.direct_engine import Direct, Fenced, State
from tests.nodes.library import node_library
from tests.nodes.mel_node import CForm
from tests.nodes.tflite_networks import Layer, Network, tflite_of

pytestmark = pytest.mark.usefixtures("node_build")
MALFORMED = "not a model image"


class Cbor(ctypes.Structure):
    _fields_ = (("next", ctypes.c_void_p), ("end", ctypes.c_void_p), ("bad", ctypes.c_bool))


class Look(ctypes.Structure):
    _fields_ = (("mel", CForm), ("rows", ctypes.c_uint8), ("channel", ctypes.c_uint8))


class Model(ctypes.Structure):
    _fields_ = (
        ("feature_set", ctypes.c_uint8),
        ("channels", ctypes.c_uint8),
        ("samples", ctypes.c_uint16),
        ("generation", ctypes.c_uint8),
        ("features_n", ctypes.c_uint8),
        ("kind", ctypes.c_uint8),
        ("known", ctypes.c_uint8),
        ("id", ctypes.c_uint8 * 8),
        ("threshold", ctypes.c_uint32),
        ("memory_size", ctypes.c_size_t),
        ("refused", ctypes.c_int),
        ("network", State),
        ("scaling", Cbor),
        ("score", ctypes.c_void_p),
        ("hear", ctypes.c_void_p),
        ("heard", ctypes.c_uint16),
        ("look", Look),
        ("spectrogram", ctypes.c_void_p),
    )


class Score(ctypes.Structure):
    _fields_ = (
        ("error", ctypes.c_uint32),
        ("score", ctypes.c_uint8),
        ("why", ctypes.c_uint8),
        ("anomalous", ctypes.c_bool),
    )


def opened(image, memory_size=4096):
    """The status in words, and the Model with what it must not outlive."""
    lib = node_library()
    lib.model_status_text.restype = ctypes.c_char_p
    model, kept = Model(), Fenced(image)
    memory = (ctypes.c_uint64 * (memory_size // 8 + 1))()
    status = lib.model_open(
        ctypes.byref(model), kept.address, ctypes.c_size_t(len(image)), memory, ctypes.c_size_t(memory_size)
    )
    return lib.model_status_text(status).decode(), model, (kept, memory)


def scored(model, values):
    score = Score()
    array = np.array(values, np.int32)
    node_library().model_score(ctypes.byref(model), ctypes.c_void_p(array.ctypes.data), ctypes.byref(score))
    return score


def autoencoder(n=6, zero_point=-3):
    rng = np.random.default_rng(11)
    inner = Layer(rng.integers(-127, 128, (4, n)), rng.integers(-99, 99, 4), [0.01], 0.1, -128, 1)
    return Network(0.05, zero_point, [inner, Layer(rng.integers(-127, 128, (n, 4)), None, [0.01], 0.05, zero_point)])


def expected_inputs(scaling, values, zero_point=-3):
    """SPEC.md, "Score", in whole numbers of any size."""
    centred = [((f - o) * m + 2 ** (s - 1)) // 2**s for f, (o, m, s) in zip(values, scaling, strict=True)]
    return np.array([min(max(zero_point + c, -128), 127) for c in centred])


def expected_terms(scaling, values, tflite, zero_point=-3):
    q = expected_inputs(scaling, values, zero_point)
    return (q - Direct(tflite).run(q).astype(int)) ** 2


SCALING = [[100 * i, 3 * 2**20 + i, 24] for i in range(6)]
SELF_TEST = [50, -20, 300, 7, -400, 500]


def image_with(**changes):
    """A model image of version 2; with `image_version` 1, as releases up to 0.1 wrote it."""
    tflite = tflite_of(autoencoder())
    q = expected_inputs(SCALING, SELF_TEST)
    parts = {
        "image_version": 2, "feature_set": 1, "channels": 2, "samples": 128, "generation": 5, "scaling": SCALING,
        "threshold": 400, "tflite": tflite, "features": SELF_TEST,
        "error": int(expected_terms(SCALING, SELF_TEST, tflite).sum()), "outputs": Direct(tflite).run(q).tobytes(),
        "kind": 0, "rounding": 2, "arena": 0,
    } | changes  # fmt: skip
    *head, features, error, outputs, kind, rounding, arena = parts.values()
    if parts["image_version"] == 1:
        return cbor2.dumps([*head, [features, error]])
    return cbor2.dumps([*head, [features, error, outputs], kind, rounding, arena])


def test_an_image_is_opened_in_place():
    image = image_with()
    text, model, _kept = opened(image)
    assert text == "ok"
    assert (model.feature_set, model.channels, model.samples, model.generation) == (1, 2, 128, 5)
    assert bytes(model.id) == hashlib.sha256(image).digest()[:8]
    assert model.threshold == 400
    assert opened(image_with(image_version=1))[0] == "ok"
    assert model.memory_size == Direct(tflite_of(autoencoder())).memory_size


def test_it_says_how_much_memory_it_needs():
    _, model, _ = opened(image_with())
    assert opened(image_with(), model.memory_size)[0] == "ok"
    text, short, _ = opened(image_with(), model.memory_size - 1)
    assert text == "the memory given is too small or not aligned"
    assert short.memory_size == model.memory_size


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(-2000, 2000), min_size=6, max_size=6),
    st.lists(
        st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(1, 62)),
        min_size=6,
        max_size=6,
    )
    | st.just(SCALING),
    st.integers(0, 2**32 - 1) | st.integers(0, 5000),
)
def test_a_window_is_scored_as_the_contract_says(values, scaling, threshold):
    tflite = tflite_of(autoencoder())
    self_test = int(expected_terms(scaling, SELF_TEST, tflite).sum())
    outputs = Direct(tflite).run(expected_inputs(scaling, SELF_TEST)).tobytes()
    text, model, _kept = opened(image_with(scaling=scaling, threshold=threshold, error=self_test, outputs=outputs))
    assert text == "ok"
    terms = expected_terms(scaling, values, tflite)
    score = scored(model, values)
    assert score.error == terms.sum()
    assert score.anomalous == (terms.sum() > threshold)
    assert score.why == (64 + int(np.argmax(terms)) if score.anomalous else 0)


def test_the_score_code_is_that_of_error_and_threshold():
    text, model, _kept = opened(image_with(threshold=1))
    assert text == "ok"
    score = scored(model, SELF_TEST)
    expected = 128 + int(np.floor(16 * np.log2(score.error)))
    assert score.error > 1
    assert score.score == min(expected, 255)


CHANGES = {
    "another version": ({"image_version": 3}, MALFORMED),
    "another kind": ({"kind": 2}, "a kind of model"),
    "rounded once": ({"rounding": 1}, "a kind of model"),
    "an output too few": ({"outputs": bytes(5)}, "differ in their number"),
    "outputs as a list": ({"outputs": [0] * 6}, MALFORMED),
    "an arena of 33 bits": ({"arena": 2**32}, MALFORMED),
    "no channels": ({"channels": 0}, MALFORMED),
    "ten channels": ({"channels": 10}, MALFORMED),
    "too short a window": ({"samples": 31}, MALFORMED),
    "too long a window": ({"samples": 1025}, MALFORMED),
    "generation 24": ({"generation": 24}, MALFORMED),
    "no scaling": ({"scaling": []}, MALFORMED),
    "a shift of zero": ({"scaling": [[0, 1, 0]] * 6}, MALFORMED),
    "a shift of 63": ({"scaling": [[0, 1, 63]] * 6}, MALFORMED),
    "an offset beyond 32 bits": ({"scaling": [[2**31, 1, 8]] * 6}, MALFORMED),
    "65 features": ({"scaling": [[0, 1, 8]] * 65}, MALFORMED),
    "text for bytes": ({"tflite": "TFL3"}, MALFORMED),
    "a float": ({"threshold": 1.5}, MALFORMED),
    "a negative threshold": ({"threshold": -1}, MALFORMED),
    "a threshold of 33 bits": ({"threshold": 2**32}, MALFORMED),
    "another feature set": ({"feature_set": 99}, "a feature set that this firmware does not compute"),
    "another number of channels": ({"channels": 3}, "differ in their number"),
    "a scaling too few": ({"scaling": SCALING[:5]}, "differ in their number"),
    "a short self-test": ({"features": SELF_TEST[:5]}, "differ in their number"),
    "a wider network": ({"tflite": tflite_of(autoencoder(9))}, "differ in their number"),
    "no network": ({"tflite": b""}, "the network is refused"),
    "scales that differ": (
        {"tflite": tflite_of(Network(0.04, -3, autoencoder().layers))}, "differ in scale or zero point"
    ),
    "zero points that differ": (
        {"tflite": tflite_of(Network(0.05, 3, autoencoder().layers))}, "differ in scale or zero point"
    ),
    "another self-test error": ({"error": 1}, "the self-test gave another error"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_an_image_that_does_not_fit_is_refused(name):
    changes, reason = CHANGES[name]
    assert reason in opened(image_with(**changes))[0]


def test_an_image_is_taken_whole_or_not_at_all():
    image = image_with()
    for length in range(len(image)):
        assert opened(image[:length])[0] == MALFORMED
    assert opened(image + b"\0")[0] == MALFORMED


def test_only_preferred_serialisation_is_read():
    image = image_with()
    assert image[1] == 2  # image_version
    assert opened(image[:1] + b"\x18\x02" + image[2:])[0] == MALFORMED
    assert opened(b"\x9f" + image[1:] + b"\xff")[0] == MALFORMED


def test_a_weight_that_flipped_in_flash_is_found_by_the_self_test():
    network = autoencoder()
    weights = network.layers[0].weights.astype(np.int8).tobytes()
    image = bytearray(image_with())
    image[bytes(image).index(weights)] ^= 0x40
    assert "self-test" in opened(bytes(image))[0]


def test_the_self_test_compares_every_output():
    """The error alone would not find outputs that are wrong by as much the other way."""
    outputs = bytearray(Direct(tflite_of(autoencoder())).run(expected_inputs(SCALING, SELF_TEST)).tobytes())
    for i in range(len(outputs)):
        other = bytes(outputs[:i]) + bytes([outputs[i] ^ 1]) + bytes(outputs[i + 1 :])
        assert "self-test" in opened(image_with(outputs=other))[0]
