"""A model trained here and rolled into a Bundle: the C node says the very scores that were foreseen, bit for bit."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gateway.demo.recordings import write_samples
from gateway.detectors import direct
from gateway.detectors.bundle import Bundle
from gateway.training import bundle_writer, dataset, exporting, held_out, self_test, stream
from gateway.training.calibrate import calibrated
from gateway.training.commission import Purpose, level_features, node_bundle
from gateway.wire import score
from gateway.wire.messages import Flag, Window
from tests.nodes.test_core_program import Peer, finish, link_of, serve_udp
from tests.nodes.test_direct_model import opened, scored
from tests.training.recordings import PER_UNIT, RATE_HZ, fans

SAMPLES = 64
PLAYED = 150
LOOSE = 6.0
"""How much more a fan shakes that is to be flagged."""


@pytest.fixture(scope="module", params=[1, 2, 5], ids=["statistics", "invariant", "principal"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, node_build: Path) -> Bundle:
    """Trained on one day, calibrated on another, one threshold for each of two nodes."""
    folder = tmp_path_factory.mktemp("bundle")
    lessons = held_out.for_training(fans(folder / "first", {"hub": 1.0, "rim": 1.2}), request.param, SAMPLES)
    left_out = level_features(3, request.param)
    purpose = Purpose("fan", held_out.channels(lessons.run), SAMPLES, 200_000, "tests", left_out,
                      feature_set=request.param)  # fmt: skip
    before = node_bundle(folder / "fan", purpose, lessons.normal)
    rows = held_out.for_bundle(fans(folder / "second", {"hub": 1.0, "rim": 1.2}, seed=7), before.manifest)
    manifest = calibrated(before, rows)
    return bundle_writer.write(folder / "fan", manifest, before.model, bundle_writer.self_test_of(before))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dataset.Dataset:
    """A third day: well, and loose."""
    return fans(tmp_path_factory.mktemp("played") / "third", {"hub": 1.0, "loose": LOOSE}, seed=20, seconds=48)


def foreseen(bundle: Bundle, played: dataset.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Features and errors [2 PLAYED] as evaluation has them."""
    manifest = bundle.manifest
    streams = [stream.of(r, manifest.feature_set, SAMPLES) for r in played.recordings]
    features = np.concatenate([s.x for s in streams]).astype(np.int64)
    network = direct.Network(bundle.model)
    return features, direct.errors(network, manifest.scaling, features, manifest.kind, manifest.known)


@pytest.mark.parametrize("node", ["", "hub", "rim"])
def test_the_node_says_what_was_foreseen(start, udp, tmp_path, bundle, played, node) -> None:
    image = exporting.image(bundle, node, "fan" if node else "")
    (tmp_path / "image.cbor").write_bytes(image)
    samples = np.concatenate([r.samples() for r in played.recordings])
    assert len(samples) == 2 * PLAYED * SAMPLES
    write_samples(tmp_path / "played.samples", samples, round(1000 * RATE_HZ), f"{PER_UNIT:g}/g")
    peer = Peer()
    process: subprocess.Popen[str] = start(
        link_of(udp), "--wake-ms", "320", "--speed", "1000", "--model", str(tmp_path / "image.cbor"),
        "--window-every", "1", "--flag-repeat", "1", source=f"file:{tmp_path / 'played.samples'}?contiguous=1",
    )  # fmt: skip
    serve_udp(udp, peer, process)
    counters = finish(process)
    features, errors = foreseen(bundle, played)
    threshold = bundle.manifest.threshold_for(node, "fan" if node else "")
    said = sorted((m for m in peer.received if isinstance(m, Flag | Window)), key=lambda m: m.seq)
    assert [m.features.values for m in said] == [tuple(row) for row in features.tolist()]
    assert [m.score for m in said] == [score.encode(error, threshold) for error in errors.tolist()]
    assert [isinstance(m, Flag) for m in said] == (errors > threshold).tolist()
    assert counters["anomalous"] == np.sum(errors > threshold)
    assert np.mean(errors[:PLAYED] > threshold) < 0.05 and np.all(errors[PLAYED:] > threshold)


def test_the_errors_behind_the_scores_are_the_nodes_own(bundle, played) -> None:
    status, model, kept = opened(exporting.image(bundle))
    assert status == "ok"
    features, errors = foreseen(bundle, played)
    assert [scored(model, row).error for row in features] == errors.tolist()
    del kept


def test_each_node_has_its_own_threshold_and_the_same_model(bundle) -> None:
    images = {node: exporting.image(bundle, node, "fan") for node in ("hub", "rim")}
    thresholds = {}
    for node, image in images.items():
        status, model, _ = opened(image)
        assert status == "ok"
        thresholds[node] = model.threshold
    assert thresholds == {node: bundle.manifest.threshold_for(node, "fan") for node in images}
    assert thresholds["hub"] != thresholds["rim"]
    assert max(thresholds.values()) <= bundle.manifest.node.threshold
    self_test.check(bundle)


def test_a_header_compiles_and_holds_the_image(bundle, tmp_path) -> None:
    image = exporting.image(bundle)
    (tmp_path / "fan.h").write_text(exporting.c_header(bundle, image), encoding="ascii")
    (tmp_path / "fan.c").write_text(
        '#include "fan.h"\nconst uint8_t *image(void) { return FAN_IMAGE; }\n'
        "uint32_t image_size(void) { return FAN_IMAGE_SIZE; }\nconst uint8_t *id(void) { return FAN_ID; }\n"
    )
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fPIC", "-shared", "-o"]
    subprocess.run([*command, str(tmp_path / "fan.so"), str(tmp_path / "fan.c")], check=True)
    library = ctypes.CDLL(str(tmp_path / "fan.so"))
    library.image.restype = library.id.restype = ctypes.c_void_p
    assert ctypes.string_at(library.image(), library.image_size()) == image
    _, model, _ = opened(image)
    assert ctypes.string_at(library.id(), 8) == bytes(model.id)
