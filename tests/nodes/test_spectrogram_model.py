"""Models that look at a spectrogram: opened, checked and scored as SPEC.md says, in whatever pieces samples come."""

from __future__ import annotations

import ctypes
from itertools import pairwise

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.training import self_test
from tests.nodes.direct_engine import Direct
from tests.nodes.library import node_library
from tests.nodes.spectrogram_images import SEED, SHIFT, Looking, sounds
from tests.nodes.test_direct_model import MALFORMED, autoencoder, image_with, opened, scored
from tests.nodes.tflite_networks import tflite_of

pytestmark = pytest.mark.usefixtures("node_build")
MEMORY = 16384
HOP = 32
LOOKING = Looking()


def hear(model, window: np.ndarray, pieces: list[int]) -> None:
    """Interleaved samples, in pieces of so many half frames."""
    at = 0
    for i, hops in enumerate(pieces):
        part = np.ascontiguousarray(window[at : at + hops * HOP])
        node_library().model_hear(
            ctypes.byref(model), ctypes.c_void_p(part.ctypes.data), ctypes.c_uint16(len(part)), ctypes.c_bool(i == 0)
        )
        at += hops * HOP
    assert at == len(window)


def test_what_an_image_says_is_there_and_what_it_takes_is_known_before() -> None:
    image = LOOKING.image()
    text, model, _kept = opened(image, MEMORY)
    assert text == "ok"
    assert (model.feature_set, model.channels, model.samples, model.heard) == (1, 2, 288, 288)
    said = model.look.mel.frame, model.look.mel.corner, model.look.mel.bands, model.look.rows, model.look.channel
    assert said == (64, 100, 12, 8, 1)
    needed = model.memory_size
    assert needed > Direct(LOOKING.tflite).memory_size + 8 * 12
    assert opened(image, needed)[0] == "ok"
    text, model, _kept = opened(image, needed - 8)
    assert text == "the memory given is too small or not aligned"
    assert model.memory_size == needed


@pytest.mark.parametrize("known", [None, 0, 2])
def test_a_window_scores_as_the_reference_does(known: int | None) -> None:
    looking = Looking(known=known)
    text, model, _kept = opened(looking.image(), MEMORY)
    assert text == "ok"
    windows = sounds(24, looking)
    found = []
    for window in windows:
        hear(model, window, [9])
        score = scored(model, [0])
        assert score.anomalous == (score.error > looking.threshold)
        assert score.why == int(score.anomalous)
        found.append(score.error)
    assert found == looking.errors(windows[:, :, looking.channel])
    assert len(set(found)) > 5


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(1, 8)), st.integers(0, 99))
def test_pieces_make_no_difference_and_nothing_is_left_of_the_window_before(cuts: set[int], seed: int) -> None:
    pieces = [end - begin for begin, end in pairwise([0, *sorted(cuts), 9])]
    text, model, _kept = opened(LOOKING.image(), MEMORY)
    assert text == "ok"
    before, window = sounds(13, LOOKING, seed)[[11, 5]]
    hear(model, before, [9])
    hear(model, window, pieces)
    assert scored(model, [0]).error == LOOKING.errors(window[None, :, LOOKING.channel])[0]


def test_noise_is_that_of_the_contract() -> None:
    x, found = 77, []
    for _ in range(600):
        x = (1664525 * x + 1013904223) % 2**32
        found.append((x - 2**32 * (x >= 2**31)) // 2 ** (16 + 3))
    assert self_test.noise(77, 3, 600).tolist() == found


def changed_test(**changes: object) -> list[object]:
    seed, shift, error, outputs = cbor2.loads(LOOKING.image())[8]
    return [*({"seed": seed, "shift": shift, "error": error, "outputs": outputs} | changes).values()]


CHANGES = {
    "no such frame": ({"look": [96, 100, 12, 8, 1]}, "a form of spectrogram"),
    "no such corner": ({"look": [64, 15, 12, 8, 1]}, "a form of spectrogram"),
    "more bands than a frame has": ({"look": [64, 100, 32, 8, 1]}, "a form of spectrogram"),
    "a channel that there is none of": ({"look": [64, 100, 12, 8, 2]}, "a form of spectrogram"),
    "another number of rows": ({"look": [64, 100, 12, 9, 1]}, "differ in their number"),
    "bands that are not scaled": ({"look": [64, 100, 13, 8, 1]}, "differ in their number"),
    "no half frames": ({"samples": 280}, "a form of spectrogram"),
    "more samples than are heard": ({"samples": 320}, "a form of spectrogram"),
    "no row": ({"look": [64, 100, 12, 0, 1]}, MALFORMED),
    "too many rows": ({"look": [64, 100, 12, 129, 1]}, MALFORMED),
    "a frame beyond all": ({"look": [1024, 100, 12, 8, 1]}, MALFORMED),
    "an autoencoder": ({"kind": 0}, "a kind of model"),
    "a kind of none": ({"kind": 2}, "a kind of model"),
    "a class beyond the last": ({"known": 3}, "classes"),
    "a set to report that is none": ({"feature_set": 4}, "a feature set"),
    "another error": ({"self_test": changed_test(error=1)}, "self-test"),
    "other noise": ({"self_test": changed_test(seed=SEED + 1)}, "self-test"),
    "louder noise": ({"self_test": changed_test(shift=SHIFT - 1)}, "self-test"),
    "an output too few": ({"self_test": changed_test(outputs=b"ab")}, "differ in their number"),
    "a network of features": ({"tflite": tflite_of(autoencoder())}, "differ in their number"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_an_image_that_does_not_fit_is_refused_by_name(name: str) -> None:
    changes, reason = CHANGES[name]
    assert reason in opened(LOOKING.image(**changes), MEMORY)[0]


def test_an_image_of_features_is_none_of_a_spectrogram() -> None:
    assert opened(image_with(image_version=3), MEMORY)[0] == MALFORMED


def test_it_is_taken_whole_or_not_at_all() -> None:
    image = LOOKING.image()
    for length in [*range(0, len(image), 211), *range(len(image) - 40, len(image))]:
        assert opened(image[:length], MEMORY)[0] == MALFORMED
    assert opened(image + b"\0", MEMORY)[0] == MALFORMED
