"""Spectrograms of a dataset: which windows, which class, what may be learned from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gateway.training import dataset
from gateway.training.dense import Unsuitable
from gateway.training.features.mel import spectrogram
from gateway.training.spectrograms import Look, Spectrograms, of
from tests.training.hummers import FAULT_S, NORMAL_S, RATE_HZ, write

LOOK = Look(frame=64, bands=12, rows=8, corner_hz=50.0)
LENGTH = 9 * 32  # samples
EACH = int((NORMAL_S + FAULT_S) * RATE_HZ) // LENGTH


def seen(folder: Path, look: Look = LOOK, breaks: tuple[int, ...] = (), commission_s: float = 10.0) -> Spectrograms:
    write(folder, commission_s=commission_s, breaks=breaks)
    return of(dataset.load(folder), look)


def test_windows_follow_each_other_and_belong_to_their_asset(tmp_path: Path) -> None:
    found = seen(tmp_path)
    assert found.names == ("low", "high")
    assert found.x.shape == (2 * EACH, 8, 12)
    assert found.label.tolist() == [0] * EACH + [1] * EACH
    samples = dataset.load(tmp_path).recordings[1].samples()[LENGTH : 2 * LENGTH, 0]
    assert np.array_equal(found.x[EACH + 1], spectrogram(found.form, samples[None])[0])


def test_only_the_commissioning_may_be_learned_from(tmp_path: Path) -> None:
    found = seen(tmp_path)
    whole = int(10.0 * RATE_HZ) // LENGTH
    for asset in (0, 1):
        assert found.learn[found.label == asset].tolist() == [True] * whole + [False] * (EACH - whole)


def test_labels_are_of_windows_that_they_cover_whole(tmp_path: Path) -> None:
    found = seen(tmp_path)
    before = int(NORMAL_S * RATE_HZ) // LENGTH
    mixed = 0 if NORMAL_S * RATE_HZ % LENGTH == 0 else 1
    assert found.fault[:EACH].tolist() == [0] * before + [-1] * mixed + [1] * (EACH - before - mixed)


def test_no_window_reaches_across_a_break(tmp_path: Path) -> None:
    found = seen(tmp_path, breaks=(100, 100 + LENGTH))
    samples = dataset.load(tmp_path).recordings[0].samples()[100 : 100 + LENGTH, 0]
    assert np.array_equal(found.x[0], spectrogram(found.form, samples[None])[0])


def test_another_channel_is_another_spectrogram(tmp_path: Path) -> None:
    found = seen(tmp_path, Look(64, 12, 8, "y", 50.0))
    samples = dataset.load(tmp_path).recordings[0].samples()[:LENGTH, 1]
    assert np.array_equal(found.x[0], spectrogram(found.form, np.ascontiguousarray(samples)[None])[0])


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (Look(64, 12, 8, "z"), "no channel 'z' among x, y"),
        (Look(64, 60, 8), "60 bands"),
        (Look(512, 32, 128), "33024 samples"),
    ],
)
def test_what_cannot_be_looked_at_is_said(look: Look, said: str, tmp_path: Path) -> None:
    with pytest.raises(Unsuitable, match=said):
        seen(tmp_path, look)


def test_several_rates_are_refused(tmp_path: Path) -> None:
    write(tmp_path, commission_s=10.0)
    manifest = json.loads((tmp_path / "dataset.json").read_text())
    manifest["runs"][0]["rate_hz"] = 200.0
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(Unsuitable, match="one rate"):
        of(dataset.load(tmp_path), LOOK)
