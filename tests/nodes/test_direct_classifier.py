"""Model images of classifiers: scored as SPEC.md says, in C, in Python and by TensorFlow Lite Micro's network."""

from __future__ import annotations

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.python.tflite_micro import runtime

from gateway.detectors import direct, errors
from gateway.training import reference_int8, tflite_file
from tests.nodes.direct_engine import Direct
from tests.nodes.test_direct_model import MALFORMED, SCALING, SELF_TEST, expected_inputs, opened, scored
from tests.nodes.tflite_networks import Graph, Layer, Network, tflite_of

pytestmark = pytest.mark.usefixtures("node_build")
CLASSES = 5


def classifier(classes: int = CLASSES, features: int = 6, seed: int = 12) -> bytes:
    """Outputs in other steps, and about another zero point, than the inputs."""
    rng = np.random.default_rng(seed)
    inner = Layer(rng.integers(-127, 128, (4, features)), rng.integers(-99, 99, 4), [0.01], 0.1, -128, 1)
    logits = Layer(rng.integers(-127, 128, (classes, 4)), rng.integers(-500, 500, classes), [0.01], 0.2, 9)
    return tflite_of(Network(0.05, -3, [inner, logits]))


def expected_error(outputs: list[int], known: int | None) -> int:
    """SPEC.md, "Score", word by word."""
    if known is None:
        *classes, none = outputs
        return 255 - (max(classes) - none)
    return 255 - (outputs[known] - max(q for i, q in enumerate(outputs) if i != known))


def self_test(tflite: bytes, known: int | None) -> dict[str, object]:
    """What the network gives for SELF_TEST, and the error of that."""
    outputs = Direct(tflite).run(expected_inputs(SCALING, SELF_TEST))
    there = known if known is not None and known < len(outputs) else None
    error = expected_error(outputs.tolist(), there) if len(outputs) > 1 else 0
    return {"error": error, "outputs": outputs.tobytes()}


NO_SELF_TEST = {"error": 0, "outputs": bytes(CLASSES)}


def image_with(known: int | None = None, **changes: object) -> bytes:
    tflite = changes.get("tflite", classifier())
    found = NO_SELF_TEST if changes.keys() >= NO_SELF_TEST.keys() else self_test(tflite, known)
    parts = {
        "image_version": 2, "feature_set": 1, "channels": 2, "samples": 128, "generation": 5, "scaling": SCALING,
        "threshold": 200, "tflite": tflite, "features": SELF_TEST, **found, "kind": 1, "rounding": 2, "arena": 0,
    } | changes  # fmt: skip
    *head, features, error, outputs, kind, rounding, arena = parts.values()
    tail = [] if known is None else [known]
    return cbor2.dumps([*head, [features, error, outputs], kind, rounding, arena, *tail])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(-2000, 2000), min_size=6, max_size=6),
    st.integers(0, CLASSES - 1) | st.none(),
    st.integers(0, 510),
    st.integers(0, 40),
)
def test_a_window_is_scored_as_the_contract_says(values, known, threshold, seed):
    tflite = classifier(seed=seed)
    text, model, _kept = opened(image_with(known, threshold=threshold, tflite=tflite))
    assert text == "ok"
    q = expected_inputs(SCALING, values)
    micro = runtime.Interpreter.from_bytes(tflite)
    micro.set_input(q[None].astype(np.int8), 0)
    micro.invoke()
    expected = expected_error(micro.get_output(0)[0].tolist(), known)

    score = scored(model, values)
    assert score.error == expected
    assert score.anomalous == (expected > threshold)
    assert score.why == (1 if score.anomalous else 0)
    rows = np.array([values])
    assert direct.errors(direct.Network(tflite), SCALING, rows, "classifier", known).tolist() == [expected]
    reference = tflite_file.read(tflite)
    assert reference_int8.errors(reference, SCALING, rows, "classifier", known).tolist() == [expected]


@given(
    st.integers(2, 64).flatmap(
        lambda n: st.tuples(
            st.lists(st.integers(-128, 127) | st.sampled_from([-128, 127]), min_size=n, max_size=n),
            st.none() | st.integers(0, n - 1),
        )
    )
)
def test_any_outputs_and_any_known_class(case):
    outputs, known = case
    found = errors.confidence(np.array([outputs]), known)
    assert found.tolist() == [expected_error(outputs, known)]
    assert 0 <= found[0] <= 510
    assert found[0] > errors.highest_threshold("classifier") or found[0] < 510


def test_each_window_may_have_a_known_class_of_its_own():
    outputs = np.array([[3, 9, -4], [3, 9, -4], [-128, -128, 127]])
    assert errors.confidence(outputs, np.array([0, 1, 0])).tolist() == [261, 249, 510]
    assert errors.confidence(outputs).tolist() == [242, 242, 510]


@pytest.mark.parametrize("classes", [2, 64])
def test_as_few_and_as_many_classes_as_there_may_be(classes):
    for known in (None, 0, classes - 1):
        text, model, _kept = opened(image_with(known, tflite=classifier(classes)))
        assert text == "ok"
        assert scored(model, SELF_TEST).error == self_test(classifier(classes), known)["error"]


def test_equal_outputs_leave_the_greatest_doubt():
    """All weights 0: every class is as likely as any other."""
    even = tflite_of(Network(0.05, -3, [Layer(np.zeros((3, 6)), None, [0.01], 0.2, 9)]))
    for known in (None, 2):
        text, model, _kept = opened(image_with(known, tflite=even))
        assert text == "ok"
        assert scored(model, SELF_TEST).error == 255


def float_ends() -> bytes:
    graph = Graph()
    head = graph.activation([1, 6], 0.05, -3)
    weights = graph.constant(np.ones((CLASSES, 6), np.int8), [0.01])
    logits = graph.add("FULLY_CONNECTED", [head, weights, -1], graph.activation([1, CLASSES], 0.2, 9))
    return graph.tflite([head], [graph.add("DEQUANTIZE", [logits], graph.activation([1, CLASSES], kind="float32"))])


CHANGES = {
    "an unknown kind": ({"kind": 2}, "a kind of model"),
    "a class beyond the last": ({"known": CLASSES}, "classes"),
    "a class beyond all": ({"known": 64}, MALFORMED),
    "an autoencoder with a class": ({"known": 0, "kind": 0}, MALFORMED),
    "one class": ({"tflite": classifier(1)}, "classes"),
    "65 classes": ({"tflite": classifier(65)}, "classes"),
    "a network of other features": ({"tflite": classifier(features=7), **NO_SELF_TEST}, "differ in their number"),
    "a short self-test": ({"features": SELF_TEST[:5]}, "differ in their number"),
    "an output too few": ({"outputs": bytes(CLASSES - 1)}, "differ in their number"),
    "an output too many": ({"outputs": bytes(CLASSES + 1)}, "differ in their number"),
    "float outputs": ({"tflite": float_ends(), **NO_SELF_TEST}, "are not int8"),
    "another self-test error": ({"error": 511}, "self-test"),
    "an autoencoder's network of the wrong kind": ({"kind": 0}, "differ in their number"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_an_image_that_does_not_fit_is_refused(name):
    changes, reason = CHANGES[name]
    assert reason in opened(image_with(**changes))[0]


def test_an_image_is_taken_whole_or_not_at_all():
    image = image_with(3)
    assert opened(image)[0] == "ok"
    for length in range(len(image)):
        assert opened(image[:length])[0] == MALFORMED
    assert opened(image + b"\0")[0] == MALFORMED


def test_the_self_test_compares_every_output():
    """The error alone looks at two of them."""
    outputs = Direct(classifier()).run(expected_inputs(SCALING, SELF_TEST)).tobytes()
    for i in range(len(outputs)):
        other = bytes(outputs[:i]) + bytes([outputs[i] ^ 1]) + bytes(outputs[i + 1 :])
        assert "self-test" in opened(image_with(1, outputs=other))[0]
