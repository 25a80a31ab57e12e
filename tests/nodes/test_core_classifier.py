"""The program stethos-node with a classifier that was trained and bundled here: its verdicts are those foreseen."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from gateway.detectors import direct
from gateway.detectors.manifest import IMAGE, DataSource, channels_of
from gateway.training.commission import Classes, Normal, Purpose, level_features, node_bundle
from gateway.training.features import statistics
from gateway.wire import score
from gateway.wire.messages import Flag, Window
from tests.nodes.test_core_program import Peer, play, recording

SPEEDS = (2000, 9000)  # amplitudes
PLAYED = [2000, 9000, 2000, 20000, 20000, 20000, 9000, 2000]


def windows(seed: int, path, count: int = 40):
    """Features [n, 9] of windows of both speeds, and the speed of each."""
    random = np.random.default_rng(seed)
    labels = np.tile([0, 1], count)
    amplitudes = [round(SPEEDS[label] * random.uniform(0.9, 1.1)) for label in labels]
    samples = np.frombuffer(recording(path, amplitudes).read_bytes().split(b"\n", 1)[1], "<i2").reshape(-1, 128, 3)
    return np.array([statistics(window) for window in samples], np.int64), labels


@pytest.fixture(params=[None, 0], ids=["any class", "known class"])
def bundle(request, tmp_path, node_build):
    (fit, a), (calibrate, b), (check, c) = (windows(seed, tmp_path / "fit") for seed in (1, 2, 3))
    normal = Normal(fit, calibrate, check, (DataSource(description="sawtooth", sha256="0" * 64),))
    purpose = Purpose("speeds", channels_of("16384/g", *"xyz"), 128, 100_000, "tests", level_features(3))
    return node_bundle(tmp_path / "speeds", purpose, normal, None, Classes(("slow", "fast"), a, b, c, request.param))


def test_the_node_says_what_the_bundle_foresees(start, udp, tmp_path, bundle):
    manifest, peer = bundle.manifest, Peer()
    image = bundle.folder / IMAGE
    counters = play(start, udp, peer, tmp_path, PLAYED, "--model", str(image), "--flag-repeat", "1")
    assert peer.received[0].model == hashlib.sha256(image.read_bytes()).digest()[:8]
    samples = np.frombuffer((tmp_path / "played.samples").read_bytes().split(b"\n", 1)[1], "<i2").reshape(-1, 128, 3)
    features = np.array([statistics(window) for window in samples], np.int64)
    engine = direct.Network(bundle.model)
    errors = direct.errors(engine, manifest.scaling, features, manifest.kind, manifest.known)
    anomalous = errors > manifest.node.threshold
    assert counters["windows"] == len(PLAYED)
    assert counters["anomalous"] == anomalous.sum()
    strange = np.array([amplitude not in SPEEDS[: 1 if manifest.known == 0 else 2] for amplitude in PLAYED])
    assert np.array_equal(anomalous, strange)
    told = [m for m in peer.received if isinstance(m, Flag | Window)]
    foreseen = {score.encode(int(error), manifest.node.threshold) for error in errors}
    assert told
    assert all(m.score in foreseen for m in told)
    assert {m.why for m in told if isinstance(m, Flag) and m.score > score.AT_THRESHOLD} == {1}
