"""`stethos model spectrogram`, from a folder of recordings to two networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.detectors import errors
from gateway.detectors.bundle import ANY, Bundle, load
from gateway.detectors.direct import Network
from gateway.detectors.scaling import quantise
from gateway.training import dataset, mobilenet, self_test
from gateway.training.spectrograms import Look, of
from tests.nodes.test_direct_model import opened, scored
from tests.nodes.test_spectrogram_model import hear
from tests.training.hummers import write

if not mobilenet.available():
    pytest.skip("TensorFlow is not installed here: make test-tensorflow", allow_module_level=True)

pytestmark = [pytest.mark.usefixtures("node_build"), pytest.mark.timeout(300)]


def test_a_folder_of_recordings_becomes_two_networks_and_their_figures(tmp_path: Path) -> None:
    write(tmp_path / "data", commission_s=34.0)
    arguments = [
        tmp_path / "data", "--out", tmp_path / "out", "--frame", 64, "--bands", 12, "--rows", 8,
        "--bundle", tmp_path / "looking", "--known", "low", "--rate", 0.05, "--unsigned",
    ]  # fmt: skip
    result = CliRunner().invoke(
        main, ["model", "spectrogram", *map(str, arguments), "--corner-hz", "50", "--steps", "150"],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "MACs" in result.stdout
    about = json.loads((tmp_path / "out" / "spectrogram.json").read_text())
    assert about["form"]["bands"] == len(about["scaling"]) == len(about["int8_scaling"]) == 12
    assert about["classes"] == ["low", "high"]
    network = Network((tmp_path / "out" / "int8.tflite").read_bytes())
    assert (network.input.size, network.input.dtype, network.output.size) == (8 * 12, np.int8, 3)
    assert about["size"]["memory"] == network.memory_size
    assert (tmp_path / "out" / "float.tflite").read_bytes()[4:8] == b"TFL3"
    for figures in about["figures"]:
        assert figures["normal"] > 5 < figures["faulty"]
        assert figures["auroc_int8"] > 0.8 < figures["auroc_float"]
        assert abs(figures["auroc_int8"] - figures["auroc_float"]) < 0.05  # a fault is louder than anything learned
    of_a_bundle_the_node_computes_what_evaluation_foresees(tmp_path)


def of_a_bundle_the_node_computes_what_evaluation_foresees(folder: Path) -> None:
    bundle = load(folder / "looking", ANY)
    self_test.check(bundle)
    text, model, _kept = opened(bundle.image, 1 << 16)
    assert text == "ok"
    look = bundle.manifest.spectrogram
    seen = of(dataset.load(folder / "data"), Look(look.frame, look.bands, look.rows, "x", 50.0))
    samples = dataset.load(folder / "data").recordings[0].samples()
    found = []
    for i in range(int(np.sum(seen.label == 0))):
        hear(model, samples[i * look.samples : (i + 1) * look.samples], [look.rows + 1])
        found.append(scored(model, [0]).error)
    flat = seen.x[seen.label == 0].reshape(len(found), -1).astype(np.int64)
    inputs = quantise(list(bundle.manifest.scaling) * look.rows, flat, zero(bundle))
    outputs = Network(bundle.model).run(inputs).astype(np.int64)
    assert found == errors.confidence(outputs, 0).tolist()
    above = np.array(found) > bundle.manifest.node.threshold
    fault = seen.fault[seen.label == 0]
    assert above[fault == 1].mean() > 0.3 > above[fault == 0].mean()


def zero(bundle: Bundle) -> int:
    return Network(bundle.model).input.zero_point
