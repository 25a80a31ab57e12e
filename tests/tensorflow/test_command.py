"""`stethos model spectrogram`, from a folder of recordings to two networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.detectors.direct import Network
from gateway.training import mobilenet
from tests.training.hummers import write

if not mobilenet.available():
    pytest.skip("TensorFlow is not installed here: make test-tensorflow", allow_module_level=True)

pytestmark = [pytest.mark.usefixtures("node_build"), pytest.mark.timeout(300)]


def test_a_folder_of_recordings_becomes_two_networks_and_their_figures(tmp_path: Path) -> None:
    write(tmp_path / "data", commission_s=24.0)
    arguments = [tmp_path / "data", "--out", tmp_path / "out", "--frame", 64, "--bands", 12, "--rows", 8]
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
