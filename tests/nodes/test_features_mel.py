"""Feature set 4: the vectors, computed a second time by other means, hold in Python and in C; it is a spectrogram."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detectors import scaling
from gateway.training.features import fixed
from gateway.training.features.mel import FRAMES, LOWEST, Form, spectrogram
from tests.nodes import features_exact, features_mel_exact, mel_vectors
from tests.nodes.features_mel_exact import cosine, edges_exactly, rows_exactly
from tests.nodes.mel_node import Mel

pytestmark = pytest.mark.usefixtures("node_build")

OCTAVE = 4096
RATE_HZ = 16_000
SOUND = Form.of(RATE_HZ, 512, 32)
TEXT = mel_vectors.FILE.read_text()
CASES = {case["name"]: case for case in json.loads(TEXT)["cases"]}


def form_of(case):
    return Form(case["frame"], case["bands"], case["corner"])


def forms():
    def of(frame):
        bands, corners = st.integers(4, min(64, frame // 2 - 1)), st.integers(16, 16 * frame)
        return st.builds(Form, st.just(frame), bands, corners)

    return st.sampled_from(FRAMES).flatmap(of)


def windows(form, rows):
    """Noise about a level, of any loudness, cut off where 16 bits end."""

    def of(seed, octaves, level):
        noise = np.random.default_rng(seed).normal(level, 2**octaves, form.samples(rows))
        return np.clip(np.rint(noise), -32768, 32767).astype(np.int16)

    return st.builds(of, st.integers(0, 2**32), st.floats(-3, 18), st.integers(-32768, 32767))


def test_the_file_is_what_the_reference_writes():
    assert mel_vectors.text() == TEXT


@pytest.mark.parametrize("name", CASES)
def test_a_vector_holds_everywhere(name):
    case = CASES[name]
    form, samples = form_of(case), mel_vectors.samples_of(case)
    given = (form.frame, form.bands, form.corner)
    assert edges_exactly(*given) == form.edges() == Mel(*given).edges == case["edges"]
    assert rows_exactly(*given, samples.tolist()) == case["rows"]
    assert spectrogram(form, samples[None])[0].tolist() == case["rows"]
    assert Mel(*given).rows(samples) == case["rows"]


def test_the_vectors_cover_the_corners():
    assert {case["frame"] for case in CASES.values()} == set(FRAMES)
    assert {case["bands"] for case in CASES.values()} >= {4, 31, 64}
    rows = np.concatenate([np.ravel(case["rows"]) for case in CASES.values()])
    assert rows.min() == LOWEST
    assert rows.max() > 15 * OCTAVE


@settings(max_examples=40, deadline=None)
@given(forms().flatmap(lambda form: st.tuples(st.just(form), windows(form, 2))))
def test_any_window_gives_the_same_rows_in_c_and_python(given):
    form, samples = given
    expected = rows_exactly(form.frame, form.bands, form.corner, samples.tolist())
    assert spectrogram(form, samples[None])[0].tolist() == expected == Mel.of(form).rows(samples)


@settings(max_examples=300, deadline=None)
@given(forms())
def test_any_form_has_the_same_edges_in_c_and_python_and_something_in_each_band(form):
    edges = form.edges()
    assert edges == edges_exactly(form.frame, form.bands, form.corner) == Mel.of(form).edges
    assert all(below < above for below, above in pairwise(edges))
    bins = 16 * np.arange(1, form.frame // 2)
    assert all(np.any((low < bins) & (bins < high)) for low, high in zip(edges, edges[2:], strict=False))


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("period", [1, 2, 3, 16, 64])
def test_the_loudest_frames_do_not_overflow(frame, period):
    i = np.arange(frame) // period
    form = Form(frame, 4, 16 * frame)
    for low in (i % 2 == 1, i % 3 == 1, i == 1):
        samples = np.where(low, -32768, 32767).astype(np.int16)
        expected = rows_exactly(form.frame, form.bands, form.corner, samples.tolist())
        assert Mel.of(form).rows(samples) == expected == spectrogram(form, samples[None])[0].tolist()


@pytest.mark.parametrize(
    ("frame", "bands", "corner"),
    [(0, 32, 358), (32, 4, 16), (96, 8, 100), (1024, 32, 358), (512, 3, 358), (512, 65, 358), (64, 32, 100),
     (512, 32, 15), (512, 32, 16 * 512 + 1)],
)  # fmt: skip
def test_what_is_no_form_is_refused(frame, bands, corner):
    with pytest.raises(ValueError, match=r"samples|bands|corner"):
        Form(frame, bands, corner)
    with pytest.raises(ValueError, match="refused"):
        Mel(frame, bands, corner)


def test_a_channel_of_many_is_read_where_it_lies():
    samples = np.random.default_rng(1).normal(0, 500, (SOUND.samples(3), 6)).astype(np.int16)
    mel, half = Mel.of(SOUND), SOUND.frame // 2
    rows = [mel.add(samples[at : at + half].reshape(-1)[2:], 6) for at in range(0, len(samples), half)]
    assert rows[1:] == spectrogram(SOUND, np.ascontiguousarray(samples[:, 2])[None])[0].tolist()


def test_many_windows_at_once_are_as_one_by_one():
    samples = np.random.default_rng(0).normal(0, 900, (70, SOUND.samples(2))).astype(np.int16)
    at_once = spectrogram(SOUND, samples)
    assert np.array_equal(at_once, np.concatenate([spectrogram(SOUND, window[None]) for window in samples]))
    assert spectrogram(SOUND, samples[:0]).shape == (0, 2, 32)


@pytest.mark.parametrize("samples", [np.zeros((1, 511), np.int16), np.zeros((1, 512)), np.zeros(512, np.int16)])
def test_what_is_no_window_is_refused(samples):
    with pytest.raises(ValueError, match="not windows"):
        spectrogram(SOUND, samples)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FRAMES), st.integers(0, 2**32), st.floats(0, 14))
def test_the_numbers_are_those_of_floating_point(frame, seed, octaves):
    """But for what a triangle in 256ths is off."""
    form = Form.of(RATE_HZ, frame, 24)
    samples = np.rint(np.random.default_rng(seed).normal(0, 2**octaves, frame)).clip(-32768, 32767).astype(np.int16)
    found = spectrogram(form, samples[None])[0, 0] / OCTAVE
    assert np.abs(found - textbook(form, samples)).max() < 0.03


def textbook(form, samples):
    """One row in octaves, by the transform of a library; triangles as they are drawn."""
    x = samples - np.floor(16 * samples.mean() + 0.5) / 16
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(form.frame) / form.frame)
    power = np.abs(np.fft.rfft(x * hann) * 4 / form.frame) ** 2  # of a tone of amplitude 1: 1
    edges, bins = np.array(form.edges()) / 16, np.arange(form.frame // 2 + 1)
    bands = [np.interp(bins, edges[b : b + 3], [0, 1, 0]) for b in range(form.bands)]
    return 0.5 * np.log2([power @ band + 2.0**-8 for band in bands])


@pytest.mark.parametrize("hz", [150, 440, 1000, 3000, 7000])
@pytest.mark.parametrize("amplitude", [20, 1000, 30000])
def test_a_tone_is_in_its_band_and_as_loud_as_it_is(hz, amplitude):
    t = np.arange(SOUND.samples(4)) / RATE_HZ
    rows = spectrogram(SOUND, np.rint(amplitude * np.sin(2 * np.pi * hz * t)).astype(np.int16)[None])[0] / OCTAVE
    edges = np.array(SOUND.edges()) / 16 * RATE_HZ / SOUND.frame
    loudest = rows.argmax(axis=1)
    assert np.all((edges[loudest] < hz) & (hz < edges[loudest + 2]))
    assert np.abs(rows.max(axis=1) - np.log2(amplitude)).max() < 0.6
    assert np.median(rows) < np.log2(amplitude) - 5


def test_how_a_sensor_lies_is_not_in_it():
    samples = np.rint(np.random.default_rng(3).normal(0, 300, SOUND.frame)).astype(np.int16)
    level = spectrogram(SOUND, (samples + 16384).astype(np.int16)[None])
    assert np.array_equal(level, spectrogram(SOUND, samples[None]))


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_a_longer_transform_is_exact_and_right(size):
    values = np.random.default_rng(size).integers(-(2**30), 2**30, (size, 2))
    exact = [list(z) for z in features_mel_exact.transform([tuple(z) for z in values.tolist()])]
    re, im = fixed.fft(values[:, 0], values[:, 1])
    assert np.stack([re, im], axis=1).tolist() == exact
    truly = np.fft.fft(values @ [1, 1j]) / size
    assert np.abs(np.array(exact) @ [1, 1j] - truly).max() < 16
    assert size > 64 or exact == [list(z) for z in features_exact.transform([tuple(z) for z in values.tolist()])]


def test_the_circle_is_the_same_everywhere():
    angles = np.arange(257)
    assert fixed.cosine_of(angles).tolist() == [cosine(i) for i in angles.tolist()]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=4, max_size=4),
    st.lists(
        st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**23), 2**23), st.integers(1, 62)),
        min_size=4,
        max_size=4,
    ),
    st.integers(-128, 127),
)
def test_a_row_becomes_inputs_as_any_features_do(row, rows_scaling, zero_point):
    expected = scaling.quantise(rows_scaling, np.array([row], np.int64), zero_point)[0].tolist()
    assert Mel(64, 4, 16).quantise(row, rows_scaling, zero_point) == expected
