"""What of the classifiers of spectrograms needs no TensorFlow; the rest is in tests/tensorflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.detectors.scaling import quantise
from gateway.training import mobilenet
from gateway.training.quantise import in_steps, standardisation
from tests.training.hummers import write


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TensorFlow, wherever this runs."""
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setattr(mobilenet, "available", lambda: False)


@pytest.mark.usefixtures("without")
def test_without_tensorflow_it_says_how_to_get_it() -> None:
    windows, labels = np.zeros((40, 8, 8), np.int64), np.arange(40) % 2
    with pytest.raises(mobilenet.NoTensorFlow, match=r"pip install 'stethos\[tensorflow\]'"):
        mobilenet.train(windows, labels, ("a", "b"), 1)


@pytest.mark.usefixtures("without")
def test_without_tensorflow_the_command_says_so_and_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "data", commission_s=24.0)
    result = CliRunner().invoke(
        main, ["model", "spectrogram", str(tmp_path / "data"), "--out", str(tmp_path / "out")], catch_exceptions=False
    )
    assert result.exit_code == 1
    assert "stethos[tensorflow]" in result.output
    assert not (tmp_path / "out").exists()


def test_it_is_imported_without_tensorflow() -> None:
    names = "gateway.training.mobilenet, gateway.training.mobilenet_judge, gateway.cli.model_spectrogram"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {names}; sys.exit('tensorflow' in sys.modules)"], check=False
    )
    assert done.returncode == 0


def test_int8_inputs_are_the_float_ones_in_steps() -> None:
    random = np.random.default_rng(1)
    windows = np.rint(random.normal(20_000, [2000.0] * 6 + [50.0] * 6, (50, 10, 12))).astype(np.int64)
    scaling = standardisation(windows.reshape(-1, 12))
    step = 0.05
    inputs = quantise(in_steps(scaling, step) * 10, windows.reshape(50, -1), -3)
    assert np.abs(inputs + 3 - mobilenet.standardise(scaling, windows).reshape(50, -1) / step).max() <= 0.51


def test_strangers_are_moved_in_neighbouring_bands_and_stay_within_the_range() -> None:
    x = np.random.default_rng(0).normal(0, 0.5, (60, 16, 12)).astype(np.float32)
    strange = mobilenet.strangers(x, 1)
    assert strange.shape == x.shape
    assert strange.dtype == np.float32
    assert np.abs(strange).max() <= 8.0
    nearest = np.abs(strange[:, None] - x).max(axis=(2, 3)).min(axis=1)  # to what it may have been made of
    assert nearest.min() > 1.4
    assert np.array_equal(strange, mobilenet.strangers(x, 1))
    assert not np.array_equal(strange, mobilenet.strangers(x, 2))


@pytest.mark.parametrize(("width", "wanted", "expected"), [(1.0, 8, 8), (0.5, 12, 8), (0.25, 8, 4), (2.0, 12, 24)])
def test_a_width_multiplies_channels(width: float, wanted: int, expected: int) -> None:
    assert mobilenet.Architecture(width=width).channels(wanted) == expected
