"""The vectors of nodes/wire hold on every processor."""

import json

import numpy as np
import pytest

from tests.nodes import feature_vectors
from tests.nodes.qemu.batch import Batch

FEATURES = feature_vectors.FOLDER
LEARNER = FEATURES.with_name("learner") / "learner.json"


@pytest.mark.parametrize("name", ["statistics", "invariant", "slow", "principal"])
def test_features_are_those_of_the_vectors(name, runner):
    vectors = json.loads((FEATURES / f"{name}.json").read_text())
    cases = vectors["cases"]
    batch = Batch()
    for case in cases:
        samples = np.frombuffer(bytes.fromhex(case["samples"]), "<i2").reshape(case["n"], case["channels"])
        batch.window(vectors["feature_set"], samples)
    for case, (fault, features) in zip(cases, runner.ask(batch), strict=True):
        assert features.tolist() == case["features"], case["name"]
        assert fault == case.get("sensor_fault", fault), case["name"]
    assert len(cases) > 5


def test_spectrograms_are_those_of_the_vectors(runner):
    cases = json.loads((FEATURES / "mel.json").read_text())["cases"]
    batch = Batch()
    for case in cases:
        samples = np.frombuffer(bytes.fromhex(case["samples"]), "<i2")
        batch.spectrogram(case["frame"], case["bands"], case["corner"], samples)
    batch.spectrogram(96, 8, 100, np.zeros(192, np.int16))
    *rows, refused = runner.ask(batch)
    assert rows == [np.ravel(case["rows"]).tolist() for case in cases]
    assert refused == []


def test_whole_number_mathematics_is_that_of_the_vectors(runner):
    vectors = json.loads((FEATURES / "fixed.json").read_text())
    batch = Batch()
    batch.logarithms([x for x, _ in vectors["log2"]])
    batch.powers([y for y, _ in vectors["exp2"]])
    for case in vectors["fft"]:
        batch.transform(case["before"])
    logarithms, powers, *transforms = runner.ask(batch)
    assert logarithms == [expected for _, expected in vectors["log2"]]
    assert powers == [expected for _, expected in vectors["exp2"]]
    assert transforms == [case["after"] for case in vectors["fft"]]


def test_learners_live_as_those_of_the_vectors(runner):
    cases = json.loads(LEARNER.read_text())["cases"]
    batch = Batch()
    for case in cases:
        batch.learner(*(case[key] for key in ("feature_set", "channels", "windows", "average", "events_ppb")))
        batch.learn(case["learn"])
        batch.save()
        batch.judge(case["detect"])
        batch.save()
    answers = runner.ask(batch)
    for i, case in enumerate(cases):
        begun, replies, image, verdicts, image_after = answers[5 * i : 5 * i + 5]
        assert begun == 0
        assert replies == case["replies"], case["name"]
        assert image.hex() == case["image"], case["name"]
        assert verdicts == case["verdicts"], case["name"]
        assert image_after.hex() == case["image_after"], case["name"]
    assert cases
