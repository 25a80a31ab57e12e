"""A Bundle names its feature set: learnt on one mounting in the invariant set, it holds on another."""

import numpy as np
import pytest

from gateway.detectors import bundle as bundles
from gateway.detectors.feature_sets import INVARIANT, STATISTICS
from gateway.detectors.manifest import DataSource, channels_of
from gateway.training.commission import Normal, Purpose, level_features, node_bundle
from gateway.training.outcome import Interval, outcome, windows

LENGTH = 64
MOUNTED_ANEW = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]])


def machine(seed, seconds, knock=0.0):
    """Samples [n, 3]: a tone of the shaft along one direction, noise on all, perhaps a knock of high frequency."""
    random = np.random.default_rng(seed)
    t = np.arange(seconds * 200)[:, None]
    shaft = np.sin(2 * np.pi * 0.06 * t) * [900, 300, 100]
    knocks = knock * np.sin(2 * np.pi * 0.4 * t) * [0, 100, 500]
    return np.rint(shaft + knocks + random.normal(0, 60, (len(t), 3)) + [0, 300, 4000]).astype(np.int16)


def learnt(folder, feature_set):
    parts = [windows(machine(seed, 100), LENGTH, LENGTH // 2, feature_set) for seed in (1, 2, 3)]
    normal = Normal(*parts, (DataSource(description="a tone", sha256="0" * 64),))
    left_out = level_features(3, feature_set)
    purpose = Purpose("tone", channels_of("mg", *"xyz"), LENGTH, 200_000, "tests", left_out, feature_set=feature_set)
    return node_bundle(folder, purpose, normal)


def share(bundle, samples, fault):
    found = outcome(bundle, samples, [Interval(0, len(samples), fault)], LENGTH)
    wrong, of = (found.missed, found.faulty) if fault else (found.false_alarms, found.normal)
    assert of == len(samples) // LENGTH
    return wrong / of


@pytest.fixture(scope="module")
def invariant(tmp_path_factory):
    return learnt(tmp_path_factory.mktemp("invariant"), INVARIANT)


def test_the_manifest_names_the_set(invariant):
    manifest = bundles.load(invariant.folder, bundles.ANY).manifest
    assert (manifest.feature_set, manifest.features, len(manifest.scaling)) == (INVARIANT, 16, 16)


def test_no_feature_of_the_invariant_set_is_a_level():
    assert level_features(3, INVARIANT) == frozenset()
    assert level_features(3, STATISTICS) == frozenset({0, 3, 6})


def test_it_holds_when_the_sensor_is_mounted_anew_and_still_hears_the_knock(invariant, tmp_path):
    anew = (machine(9, 60) @ MOUNTED_ANEW).astype(np.int16)
    knocking = (machine(10, 60, knock=1.0) @ MOUNTED_ANEW).astype(np.int16)
    assert share(invariant, anew, "") <= 0.02
    assert share(invariant, knocking, "a knock") == 0
    assert share(learnt(tmp_path / "statistics", STATISTICS), anew, "") > 0.5
