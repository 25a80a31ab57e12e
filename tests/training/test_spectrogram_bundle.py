"""A classifier of spectrograms as a Bundle for nodes: what it holds, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cbor2
import numpy as np
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.detectors import errors
from gateway.detectors.bundle import ANY, BundleBroken, load
from gateway.detectors.manifest import IMAGE, Manifest
from gateway.training import dataset, exporting, held_out, self_test, spectrogram_bundle
from gateway.training.dense import Unsuitable
from gateway.training.mobilenet_judge import by_int8
from gateway.training.spectrogram_bundle import Purpose
from tests.nodes.conftest import node_build  # noqa: F401
from tests.training.spectrogram_bundles import LOOK, Made, make

pytestmark = pytest.mark.usefixtures("node_build")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("made"))


def test_the_image_is_what_the_contract_says(made: Made) -> None:
    manifest = made.bundle.manifest
    image = cbor2.loads(made.bundle.image)
    form = made.seen.form
    assert image[:5] == [3, 1, 2, 288, 1]
    assert image[5] == [list(row) for row in made.trained.int8_scaling]
    assert image[6:8] == [manifest.node.threshold, made.trained.int8]
    assert image[9:] == [1, 2, 0, [64, form.corner, 12, 8, 0], 0]
    assert manifest.classes == ("low", "high", "none")
    self_test.check(load(made.bundle.folder, ANY))
    assert exporting.image(made.bundle) == made.bundle.image


def test_the_threshold_is_of_windows_that_nothing_was_fitted_to(made: Made) -> None:
    own = np.flatnonzero(made.seen.learn & (made.seen.label == 0))
    later = own[int(0.6 * len(own)) :]
    found = errors.confidence(by_int8(made.trained, made.seen.x[later]), 0)
    quality, limit = made.bundle.manifest.quality, made.bundle.manifest.node.threshold
    assert quality.calibration_windows + quality.windows == pytest.approx(len(later), abs=1)
    assert limit >= found[: quality.calibration_windows].max()
    assert quality.false_alarms == np.sum(found[-quality.windows :] > limit)
    assert not np.any(spectrogram_bundle.fitted(made.seen)[later[1:]])
    assert np.all(spectrogram_bundle.fitted(made.seen)[own[: int(0.6 * len(own)) - 1]])


def test_of_a_window_longer_than_a_nodes_memory_it_holds_the_end(made: Made) -> None:
    form = replace(made.seen.form, frame=512)
    assert spectrogram_bundle.held(replace(made.seen, form=form, rows=32)) == 1024
    assert spectrogram_bundle.held(replace(made.seen, rows=40)) == 1024
    assert spectrogram_bundle.held(made.seen) == 288


@pytest.mark.parametrize(
    ("purpose", "reason"),
    [(Purpose("x", "middle"), "no asset 'middle' was learned, but low, high"), (Purpose("x", "low"), "guess")],
)
def test_what_cannot_be_bundled_is_said(made: Made, tmp_path: Path, purpose: Purpose, reason: str) -> None:
    few = made.seen.learn & (np.arange(len(made.seen.learn)) < 20)
    seen = made.seen if purpose.known == "middle" else replace(made.seen, learn=few)
    with pytest.raises(Unsuitable, match=reason):
        spectrogram_bundle.make(tmp_path / "x", made.data, seen, LOOK, made.trained, purpose)
    assert not (tmp_path / "x").exists()


CHANGES = {
    "role": ({"role": "host", "node": None, "files": {"model.tflite": "0" * 64}}, "a node's classifier"),
    "kind": ({"kind": "autoencoder", "classes": [], "known": None}, "a node's classifier"),
    "channel": ({"channel": 2}, "channel 2 of 2"),
    "samples": ({"samples": 280}, "no whole half frames"),
    "more samples": ({"samples": 320}, "no whole half frames"),
    "bands": ({"bands": 13}, "12 rows of scaling for 13 bands"),
    "corner": ({"corner": 16 * 64 + 1}, "no spectrogram has"),
    "too many bands": ({"bands": 32}, "no spectrogram has"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_manifest_that_makes_no_sense_is_refused(made: Made, name: str) -> None:
    changes, reason = CHANGES[name]
    fields = made.bundle.manifest.model_dump(mode="json")
    for key, value in changes.items():
        (fields["spectrogram"] if key in fields["spectrogram"] else fields)[key] = value
    with pytest.raises(ValueError, match=reason):
        Manifest.model_validate_json(json.dumps(fields))


def test_another_self_test_than_the_node_computes_is_found(made: Made) -> None:
    fields = cbor2.loads(made.bundle.image)
    for at, value in ((0, 2), (1, fields[8][1] ^ 1), (2, fields[8][2] + 1), (3, bytes(3))):
        test = [*fields[8][:at], value, *fields[8][at + 1 :]]
        spoilt = replace(made.bundle, image=cbor2.dumps([*fields[:8], test, *fields[9:]]))
        with pytest.raises(BundleBroken, match="self-test"):
            self_test.check(spoilt)


def test_an_image_of_another_look_is_not_the_bundles(made: Made, tmp_path: Path) -> None:
    folder = make(tmp_path).bundle.folder
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["spectrogram"]["corner"] += 1
    (folder / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleBroken, match=f"{IMAGE}: is not of the kind"):
        load(folder, ANY)


def test_commands_take_it_or_say_why_not(made: Made, tmp_path: Path) -> None:
    def stethos(*arguments: object) -> str:
        return CliRunner().invoke(main, ["model", *map(str, arguments)]).output

    folder = made.bundle.folder
    said = stethos("inspect", folder)
    assert "looks at a spectrogram: 8 rows of 12 bands, frames of 64 samples, channel 0, 288 samples in all" in said
    assert "node: can run it" in said
    (tmp_path / "int8.tflite").write_bytes(made.bundle.model)
    assert "node: can run it; flash" in stethos("inspect", tmp_path / "int8.tflite")
    header = tmp_path / "looking.h"
    assert "an image of" in stethos("export", folder, "--as", "c-header", "--out", header)
    assert f"LOOKING_IMAGE_SIZE = {len(made.bundle.image)}" in header.read_text()
    assert "stethos model spectrogram" in stethos(
        "calibrate", folder, made.data.folder, "--out", tmp_path / "again", "--unsigned"
    )
    assert "looks at spectrograms" in stethos("evaluate", made.data.folder, "--bundle", folder)
    with pytest.raises(held_out.Unfit, match="looks at spectrograms"):
        held_out.for_bundle(dataset.load(made.data.folder), made.bundle.manifest)


def test_a_look_without_a_channel_is_at_the_first(made: Made, tmp_path: Path) -> None:
    look, any_asset = replace(LOOK, channel=""), Purpose("any", rate=0.05)
    again = spectrogram_bundle.make(tmp_path / "any", made.data, made.seen, look, made.trained, any_asset)
    assert again.manifest.spectrogram.channel == 0
    assert again.manifest.known is None
    other = replace(LOOK, channel="y")
    again = spectrogram_bundle.make(tmp_path / "y", made.data, made.seen, other, made.trained, Purpose("y", rate=0.05))
    assert again.manifest.spectrogram.channel == 1
