"""From windows to bundles: reproducible, self-testing, honest about its rate, blind to what it is to leave out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cbor2
import numpy as np
import pytest
from tflite_micro.python.tflite_micro import runtime

from gateway.detectors.bundle import Bundle
from gateway.detectors.manifest import DataSource, channels_of
from gateway.training import autoencoder, reference_int8, tflite_file
from gateway.training.commission import (
    Features,
    Normal,
    Purpose,
    constant_features,
    host_bundle,
    level_features,
    node_bundle,
)
from gateway.training.dense import Unsuitable


def drawn(seed: int, count: int) -> Features:
    random = np.random.default_rng(seed)
    load = random.normal(size=(count, 1))
    values = np.array([16_000, 3000, 20_000, -500, 2500, 15_000]) + load * np.array([0, 300, 2000, 0, 250, 1500])
    return np.rint(values + random.normal(size=(count, 6)) * np.array([20, 40, 300, 20, 40, 300])).astype(np.int64)


NORMAL = Normal(drawn(1, 400), drawn(2, 300), drawn(3, 300), (DataSource(description="drawn", sha256="0" * 64),))
PURPOSE = Purpose("drawn", channels_of("mg", "x", "y"), 64, 100_000, "tests", level_features(2))


@pytest.mark.parametrize("make", [node_bundle, host_bundle])
def test_the_same_windows_and_seed_give_the_same_files(make: type, tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", PURPOSE, NORMAL), make(tmp_path / "b", PURPOSE, NORMAL)
    names = sorted(f.name for f in first.folder.iterdir())
    assert names == sorted(["bundle.json", *first.manifest.files])
    assert all((first.folder / n).read_bytes() == (second.folder / n).read_bytes() for n in names)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return node_bundle(tmp_path_factory.mktemp("bundle"), PURPOSE, NORMAL)


def test_the_self_test_is_what_tflm_computes(bundle: Bundle) -> None:
    assert bundle.image is not None
    *_, scaling, _, tflite, (features, expected, outputs), _, _, _ = cbor2.loads(bundle.image)
    q = [
        max(-128, min(127, ((f - offset) * multiplier + (1 << (shift - 1))) >> shift))
        for f, (offset, multiplier, shift) in zip(features, scaling, strict=True)
    ]
    tflm = runtime.Interpreter.from_bytes(tflite)
    tflm.set_input(np.array([q], dtype=np.int8), 0)
    tflm.invoke()
    assert tflm.get_output(0)[0].tobytes() == outputs
    assert sum((a - int(b)) ** 2 for a, b in zip(q, tflm.get_output(0)[0], strict=True)) == expected


def test_input_and_output_share_scale_and_zero_point(bundle: Bundle) -> None:
    network = tflite_file.read(bundle.model)
    assert network.layers[-1].output == network.input


def test_features_left_out_do_not_change_the_error(bundle: Bundle) -> None:
    network, windows = tflite_file.read(bundle.model), drawn(4, 50)
    turned = windows.copy()
    turned[:, [0, 3]] += 8000
    before, after = (reference_int8.errors(network, bundle.manifest.scaling, w) for w in (windows, turned))
    assert np.array_equal(before, after)


@pytest.mark.parametrize("make", [node_bundle, host_bundle])
def test_the_quality_stated_is_that_of_the_untouched_windows(make: type, tmp_path: Path) -> None:
    strange = drawn(3, 300)
    strange[:60, 1] += 4000  # a fifth of the windows no longer follows the load
    quality = make(tmp_path, PURPOSE, replace(NORMAL, check=strange)).manifest.quality
    assert (quality.windows, quality.calibration_windows, quality.extrapolated) == (300, 300, True)
    assert 60 <= quality.false_alarms <= 64
    assert quality.achieved_ppm == round(1e6 * quality.false_alarms / 300)


@pytest.mark.parametrize("make", [node_bundle, host_bundle])
def test_windows_that_nothing_can_be_learned_from_are_refused_by_name(make: type, tmp_path: Path) -> None:
    stuck = NORMAL.fit.copy()
    stuck[:, 4] = 2500
    refused = {
        "23 windows to learn from, where 24 are the least: commission_s": replace(NORMAL, fit=NORMAL.fit[:23]),
        "feature 4 is 2500 in all 400 windows": replace(NORMAL, fit=stuck),
        "no windows to check the threshold on": replace(NORMAL, check=NORMAL.check[:0]),
    }
    for reason, normal in refused.items():
        with pytest.raises(Unsuitable, match=reason):
            make(tmp_path, PURPOSE, normal)
    assert not list(tmp_path.iterdir())
    left_out = replace(PURPOSE, left_out=PURPOSE.left_out | constant_features(stuck))
    assert make(tmp_path, left_out, replace(NORMAL, fit=stuck)).manifest.scaling[4][1] == 0


@pytest.mark.parametrize("name", ["small4", "small8", "wide"])
def test_a_node_may_have_another_architecture(name: str, tmp_path: Path) -> None:
    bundle = node_bundle(tmp_path, replace(PURPOSE, architecture=name), NORMAL)
    sizes = [6, *(len(layer.bias) for layer in tflite_file.read(bundle.model).layers)]
    assert tuple(sizes) == autoencoder.ARCHITECTURES[name](6)
