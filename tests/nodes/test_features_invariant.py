"""Feature set 2 means what it says: turning the sensor does not change it, and its numbers are the textbook's."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detectors.feature_sets import INVARIANT, STATISTICS
from gateway.training import features
from tests.nodes import feature_vectors
from tests.nodes.library import DATA
from tests.nodes.test_features import in_c

pytestmark = pytest.mark.usefixtures("node_build")

OCTAVE = 4096
FAN = DATA / "ceiling_fan_msa301"

QUARTER_TURNS = [
    np.eye(3, dtype=int)[list(order)] * signs
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    for signs in np.array(np.meshgrid([1, -1], [1, -1], [1, -1])).reshape(3, 8).T
]  # and mirrors: all 48 ways to name and turn the axes


def vibration(seed, n=200, loudness=3000.0, axes=3):
    """Tones and noise that differ from axis to axis, each axis lying at a level of its own; well within 16 bits."""
    random = np.random.default_rng(seed)
    t = np.arange(n)[:, None]
    tones = sum(
        np.sin(2 * np.pi * f * t + random.uniform(0, 7, axes)) * random.uniform(0.1, 1, axes)
        for f in random.uniform(0.02, 0.45, 3)
    )
    noise = random.normal(0, 0.3, (n, axes)) * random.uniform(0.3, 1, axes)
    return loudness * (tones + noise) + random.uniform(-2000, 2000, axes)


def turned(seed):
    """A rotation by any angle about any axis."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


def whole(values):
    rounded = np.rint(values)
    assert np.abs(rounded).max() <= 32767
    return rounded.astype(np.int16)


def test_the_sign_of_an_axis_does_not_reach_the_last_bit():
    """In one loud window of two hundred the transform alone would round it otherwise."""
    turned = feature_vectors.TURNED[:, None].astype(np.int16)
    assert in_c(INVARIANT, turned) == in_c(INVARIANT, -turned)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(32, 200), loudness=st.sampled_from([0.5, 3.0, 100.0, 5000.0]))
def test_quarter_turns_and_mirrors_change_no_bit(seed, n, loudness):
    samples = whole(vibration(seed, n, loudness))
    expected = features.compute(INVARIANT, samples).tolist()
    mounted = np.stack([samples @ turn.astype(np.int16) for turn in QUARTER_TURNS])
    assert np.all(features.compute_all(INVARIANT, mounted) == expected)
    assert in_c(INVARIANT, mounted[seed % 48]) == expected


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(32, 200).map(lambda n: n | 1), st.integers(-9000, 9000))
def test_tilt_changes_no_bit_where_no_mean_lies_half_way(seed, n, level):
    """Of an odd number of samples, no mean lies half way between two sixteenths."""
    samples = whole(vibration(seed, n))
    lying = (samples + np.array([level, -level, level // 2])).astype(np.int16)
    assert np.array_equal(features.compute(INVARIANT, lying), features.compute(INVARIANT, samples))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([64, 128, 200, 1024]))
def test_any_rotation_changes_it_by_no_more_than_a_hundredth_of_an_octave(seed, n):
    """What is left is the rounding of the samples."""
    values = vibration(seed, n)
    straight = features.compute(INVARIANT, whole(values)).astype(int)
    oblique = features.compute(INVARIANT, whole(values @ turned(seed + 1))).astype(int)
    assert np.abs(oblique - straight).max() <= OCTAVE // 100
    assert (
        np.abs(
            features.compute(STATISTICS, whole(values @ turned(seed + 1))) - features.compute(STATISTICS, whole(values))
        ).max()
        > OCTAVE
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([40, 64, 100, 128, 1024]), st.integers(1, 3))
def test_the_numbers_are_those_of_floating_point(seed, n, axes):
    samples = whole(vibration(seed, n, axes=axes))
    found = features.compute(INVARIANT, samples) / OCTAVE
    assert np.abs(found - textbook(16.0 * samples)).max() < 2e-2


def textbook(x):
    """Set 2 of one group of axes, in octaves, by the linear algebra and the transform of a library."""
    n = len(x)
    x = x - np.rint(x.mean(axis=0))
    r2 = (x**2).sum(axis=1)
    size = 64 if n >= 64 else 32
    edges = [1, 2, 3, 4, 6, 9, 14, 21, 33] if size == 64 else [1, 2, 3, 4, 5, 7, 9, 12, 17]
    triangle = size - np.abs(2 * np.arange(size) - size + 1)
    blocks = [x[at : at + size] * triangle[:, None] for at in range(0, n - size + 1, size // 2)]
    power = sum((np.abs(np.fft.rfft(block, axis=0)) ** 2).sum(axis=1) for block in blocks)
    share = np.array([power[a:b].sum() for a, b in pairwise(edges)]) / power[1:].sum()
    return np.array(
        [
            *np.log2(np.linalg.eigvalsh(x.T @ x / n)[::-1]) / 2,
            np.log2(r2.max() / r2.mean()) / 2,
            np.log2((r2**2).mean() / r2.mean() ** 2),
            np.log2((np.diff(x, axis=0) ** 2).sum() / r2.sum()) / 2,
            *np.log2(share + 2**-20),
            -(share * np.log2(share)).sum(),
            np.log2(r2.mean()) / 2,
        ]
    )


def test_a_direction_a_two_thousandth_as_strong_as_the_first_is_still_seen():
    random = np.random.default_rng(0)
    samples = whole((random.normal(0, 1, (1024, 3)) * [6000, 60, 3]) @ turned(3))
    strengths = 2 ** (features.compute(INVARIANT, samples)[:3] / OCTAVE) / 16
    assert strengths == pytest.approx([6000, 60, 3], rel=0.06)


def recording(name):
    """Windows [seconds, 128, 3] of the fan, in 1/4096 g."""
    file = FAN / f"fan_0_low_{name}.npz"
    if not file.is_file():
        pytest.skip(f"needs the recordings of {FAN.name}")
    with np.load(file) as archive:
        return archive["acc_g"][:, :128].astype(float) * 4096


def strangeness(number, learnt, windows):
    """Mean squared distance from what was learnt, in standard deviations of each feature."""
    base, found = (features.compute_all(number, whole(w)).astype(float) for w in (learnt, windows))
    return (((found - base.mean(axis=0)) / (base.std(axis=0) + 1)) ** 2).mean(axis=1)


def told_apart(normal, faulty):
    """Area under the curve: how often a faulty window is stranger than a normal one."""
    return (normal[:, None] < faulty).mean() + (normal[:, None] == faulty).mean() / 2


@pytest.mark.parametrize("seed", range(5))
def test_a_weight_on_the_fan_is_told_from_a_sensor_mounted_anew(seed):
    """Learnt in one mounting, normal in another, the weight in the first: the tilt of the second is no fault."""
    normal, weight = recording("0_weight"), recording("1_weight")
    learnt, later = normal[:120], normal[200:] @ turned(seed)
    scores = {n: told_apart(strangeness(n, learnt, later), strangeness(n, learnt, weight)) for n in (1, INVARIANT)}
    assert scores[INVARIANT] >= 0.999
    assert scores[STATISTICS] <= 0.6


def test_a_weight_on_the_fan_is_told_from_a_sensor_of_other_gain():
    normal, weight = recording("0_weight"), recording("1_weight")
    learnt, later = normal[:120], 0.8 * normal[200:]
    assert told_apart(strangeness(INVARIANT, learnt, later), strangeness(INVARIANT, learnt, weight)) >= 0.98


def test_a_recording_gives_the_same_in_c_and_python():
    windows = whole(recording("1_weight")[:200])
    assert [in_c(INVARIANT, window) for window in windows] == features.compute_all(INVARIANT, windows).tolist()
