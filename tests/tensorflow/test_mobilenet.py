"""Classifiers of spectrograms: from samples through the node's C code to a score, and what they find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gateway.training import anatomy, mobilenet

if not mobilenet.available():
    pytest.skip("TensorFlow is not installed here: make test-tensorflow", allow_module_level=True)

from tflite_micro.python.tflite_micro import runtime

from gateway.detectors import errors
from gateway.detectors.direct import Network
from gateway.detectors.scaling import quantise
from gateway.training.features.mel import spectrogram
from gateway.training.mobilenet_judge import by_float, by_int8, size
from tests.nodes.mel_node import Mel
from tests.nodes.qemu.batch import Batch
from tests.nodes.qemu.emulator import PROCESSORS, make, why_not
from tests.tensorflow import machines

pytestmark = [pytest.mark.usefixtures("node_build"), pytest.mark.timeout(300)]

EACH, JUDGED = 60, 40


@dataclass(frozen=True)
class Case:
    """What was learned, and spectrograms that were not: normal ones of each class, and of each with a fault."""

    trained: mobilenet.Trained
    normal: list[np.ndarray]
    faulty: list[np.ndarray]


@pytest.fixture(scope="module", params=["sound", "vibration"])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "sound":
        make_windows, names, fault = machines.sounds, machines.MACHINES, {"squeal": 1.0}
    else:
        make_windows, names, fault = machines.vibration, machines.SPEEDS, {"fault": "looseness"}
    windows = np.concatenate([make_windows(c, EACH, 1) for c in range(len(names))])
    labels = np.repeat(np.arange(len(names)), EACH)
    trained = mobilenet.train(windows, labels, names, seed=1, plan=mobilenet.Plan(steps=220))
    normal = [make_windows(c, JUDGED, 2) for c in range(len(names))]
    return Case(trained, normal, [make_windows(c, JUDGED, 3, **fault) for c in range(len(names))])


def aurocs(case: Case, outputs_of) -> list[float]:
    """Of negative confidence in the class that is known, normal against faulty windows of that class."""
    truth = np.repeat([0, 1], JUDGED)
    pairs = [np.concatenate(pair) for pair in zip(case.normal, case.faulty, strict=True)]
    return [roc_auc_score(truth, -errors.margin(outputs_of(case.trained, x), known)) for known, x in enumerate(pairs)]


def test_int8_is_the_same_in_both_engines_and_of_the_float_networks_mind(case: Case) -> None:
    windows = np.concatenate(case.normal + case.faulty)
    network = Network(case.trained.int8)
    scaling = case.trained.int8_scaling * windows.shape[1]  # of a band the same in every row
    flat = windows.reshape(len(windows), -1).astype(np.int64)
    x = quantise(scaling, flat, network.input.zero_point).astype(np.int8)
    tflm = runtime.Interpreter.from_bytes(case.trained.int8)
    expected = []
    for one in x:
        tflm.set_input(one.reshape(1, *windows.shape[1:], 1), 0)
        tflm.invoke()
        expected.append(tflm.get_output(0)[0].copy())
    assert np.array_equal(by_int8(case.trained, windows), expected)
    assert len(np.unique(expected)) > 50
    logits = (np.array(expected, float) - network.output.zero_point) * network.output.scale
    assert np.abs(logits - by_float(case.trained, windows)).mean() < 8 * network.output.scale


def test_each_normal_class_is_recognised(case: Case) -> None:
    for known, windows in enumerate(case.normal):
        assert np.mean(by_int8(case.trained, windows).argmax(axis=1) == known) > 0.9
        assert np.mean(by_float(case.trained, windows).argmax(axis=1) == known) > 0.9


def test_a_fault_that_nobody_has_seen_is_told_by_lack_of_confidence(
    case: Case, record_property: pytest.RecordProperty
) -> None:
    small, large = aurocs(case, by_int8), aurocs(case, by_float)
    record_property("auroc of int8", small)
    record_property("auroc of float", large)
    print(small, large)
    assert min(small) > 0.75
    assert np.mean(small) > 0.85
    assert np.abs(np.subtract(small, large)).max() < 0.1


def test_it_is_small_enough_for_a_node(case: Case, record_property: pytest.RecordProperty) -> None:
    takes = size(case.trained)
    record_property("size", takes)
    print(takes, len(case.trained.tflite), case.normal[0].shape[1:])
    assert takes.macs < 400_000
    assert takes.flash < 40_000
    assert takes.memory < 20_000
    assert {step.operator for step in anatomy.anatomy(case.trained.int8).steps} == {
        "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED",
    }  # fmt: skip


def test_samples_give_the_same_score_in_c_and_python_and_on_a_cortex_m4(
    case: Case, tmp_path_factory: pytest.TempPathFactory
) -> None:
    form = machines.SOUND if case.normal[0].shape[2] == machines.SOUND.bands else machines.SHAKEN
    rows = case.normal[0].shape[1]
    network = Network(case.trained.int8)
    noise = np.random.default_rng(1).normal(0, 400, (3, form.samples(rows))).astype(np.int16)
    expected = by_int8(case.trained, spectrogram(form, noise))
    mel = [Mel.of(form) for _ in noise]
    in_c = [[m.quantise(row, case.trained.int8_scaling, network.input.zero_point) for row in m.rows(x)]
            for m, x in zip(mel, noise, strict=True)]  # fmt: skip
    assert np.array_equal(network.run(np.reshape(in_c, (len(noise), -1))), expected)
    if missing := why_not(PROCESSORS["cortex-m4"]):
        pytest.skip(missing)
    program = make("cortex-m4/runner.elf") / "cortex-m4" / "runner.elf"
    batch = Batch()
    batch.model(case.trained.int8)
    for x, values in zip(noise, in_c, strict=True):
        batch.spectrogram(form.frame, form.bands, form.corner, x)
        batch.inputs(np.array(values, np.int8))
    opened, *answers = batch.ask(PROCESSORS["cortex-m4"], program, tmp_path_factory.mktemp("m4"))
    assert opened.status == 0
    for i, x in enumerate(noise):
        assert answers[2 * i] == spectrogram(form, x[None]).ravel().tolist()
        assert np.array_equal(np.frombuffer(answers[2 * i + 1], np.int8), expected[i])


def test_the_same_seed_makes_the_same_network() -> None:
    windows = np.random.default_rng(0).normal(0, 4000, (40, 8, 8)).astype(np.int64)
    plan = mobilenet.Plan(steps=4)
    architecture = mobilenet.Architecture(blocks=(mobilenet.Block(2, 8, 2),), width=0.5)
    labels = np.arange(40) % 2
    made = [mobilenet.train(windows, labels, ("a", "b"), 3, architecture, plan).int8 for _ in range(2)]
    networks = [Network(tflite) for tflite in made]
    x = np.random.default_rng(1).integers(-128, 128, (20, 64)).astype(np.int8)
    assert np.array_equal(networks[0].run(x), networks[1].run(x))
    assert networks[0].output.size == 3
