"""Streams: windows as a node would cut them, never across a break, and labels only where a window is of one kind."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.detectors.feature_sets import INVARIANT, PRINCIPAL, SLOW, STATISTICS
from gateway.training import stream
from gateway.training.dataset import Channel, ContextChannel, Label, Recording, Run, Writer, load
from gateway.training.features import compute, sensor_fault

RATE = 100.0


def recording(folder: Path, values: np.ndarray, *, at_s: Any = None, speed: Any = None, **changes: Any) -> Recording:
    about: dict[str, Any] = {
        "file": "a.npz",
        "node": "n",
        "asset": "m",
        "kind": "samples",
        "session": "s",
        "channels": tuple(Channel(name=f"c{i}", per_unit=1.0) for i in range(values.shape[1])),
        "context": () if speed is None else (ContextChannel(name="speed"),),
        "rate_hz": RATE,
    } | changes
    with Writer(folder, name="set") as out:
        out.add(Run(**about), values, at_s=at_s, context=speed)
    return load(folder).recordings[0]


def noise(rows: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(-500, 500, (rows, channels)).astype(np.int16)


@given(st.integers(32, 80), st.integers(1, 90), st.sets(st.integers(1, 399), max_size=4))
def test_windows_are_those_a_node_would_cut(
    tmp_path_factory: pytest.TempPathFactory, length: int, hop: int, breaks: set[int]
) -> None:
    samples = noise(400)
    made = recording(tmp_path_factory.mktemp("set"), samples, breaks=tuple(sorted(breaks)))
    found = stream.of(made, STATISTICS, length, hop)
    edges = [0, *sorted(breaks), 400]
    parts = [list(range(a, b - length + 1, hop)) for a, b in pairwise(edges)]
    starts = [s for part in parts for s in part]
    assert len(found) == len(starts)
    assert found.x.tolist() == [compute(STATISTICS, samples[s : s + length]).tolist() for s in starts]
    assert found.at_s.tolist() == [(s + length - 1) / RATE for s in starts]
    firsts = {part[0] for part in parts[1:] if part} - {starts[0] if starts else -1}
    assert {starts[i] for i in found.breaks} == firsts


def test_a_window_across_a_change_has_no_label(tmp_path: Path) -> None:
    labels = (
        Label(start_s=0.0, end_s=2.0, label="normal", fault=False),
        Label(start_s=2.0, end_s=3.0, label="idle", fault=False),
        Label(start_s=3.0, end_s=5.0, label="crack", fault=True),
    )
    found = stream.of(recording(tmp_path, noise(700), labels=labels), STATISTICS, 100, 50)
    assert found.fault.tolist() == [0, 0, 0, 0, 0, -1, 1, 1, 1, -1, -1, -1, -1]
    assert found.label == ("normal",) * 3 + ("", "idle", "") + ("crack",) * 3 + ("",) * 4


def test_only_windows_wholly_within_the_commissioning_are_learnt_from(tmp_path: Path) -> None:
    made = recording(tmp_path, noise(400), commission_s=2.0)
    assert stream.of(made, STATISTICS, 100, 50).learn == 3
    assert stream.of(made, STATISTICS, 100, 50, commission_s=0.99).learn == 0
    assert stream.of(made, STATISTICS, 100, 50, commission_s=1.0).learn == 1
    found = stream.of(made, STATISTICS, 100, 100)
    assert [found.within(s) for s in (0.5, 1.0, 1.99, 2.0, 99.0)] == [0, 1, 1, 2, 4]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sensor_fault_is_what_a_node_would_call_one(tmp_path: Path, channels: int) -> None:
    samples = noise(600, channels)
    samples[100:200, 0] = 7
    samples[300:304, -1] = 32767
    samples[400:403, -1] = -32768
    for set_, faults in ((STATISTICS, [0, 4, 0, 5, 0, 0]), (SLOW, [0, 0, 0, 5, 0, 0])):
        found = stream.of(recording(tmp_path / str(set_), samples), set_, 100)
        assert found.sensor_fault.tolist() == [sensor_fault(set_, samples[s : s + 100]) for s in range(0, 600, 100)]
        assert found.sensor_fault.tolist() == faults


@pytest.mark.parametrize(("channels", "set_"), [(1, INVARIANT), (2, INVARIANT), (3, PRINCIPAL), (6, PRINCIPAL)])
def test_sensors_in_space_have_principal_energies_unless_told_otherwise(
    tmp_path: Path, channels: int, set_: int
) -> None:
    samples = noise(64, channels)
    found = stream.of(recording(tmp_path, samples), samples=64)
    assert (found.feature_set, found.x.tolist()) == (set_, [compute(set_, samples).tolist()])


def test_context_of_a_window_is_its_median(tmp_path: Path) -> None:
    speed = np.repeat([10.0, 20.0], [130, 70])[:, None]
    found = stream.of(recording(tmp_path, noise(200), speed=speed), STATISTICS, 100)
    assert found.context is not None
    assert (found.context.tolist(), found.context_names) == ([[10.0], [20.0]], ("speed",))
    half = np.repeat([1.0, 4.0], 100)[:, None]  # no state is between the two
    found = stream.of(recording(tmp_path / "half", noise(200), speed=half), STATISTICS, 200)
    assert found.context is not None and found.context.tolist() == [[1.0]]


def test_values_and_features_are_taken_as_they_are(tmp_path: Path) -> None:
    at_s = np.array([0.0, 1.0, 5.0, 6.0])
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    found = stream.of(
        recording(tmp_path / "v", values, at_s=at_s, kind="values", rate_hz=1.0, breaks=(2,), commission_s=5.0)
    )
    assert np.array_equal(found.x, values) and np.array_equal(found.at_s, at_s)
    assert (found.learn, found.breaks.tolist(), found.feature_set, found.fault.tolist()) == (2, [2], None, [-1] * 4)
    about: dict[str, Any] = {"kind": "features", "feature_set": STATISTICS, "samples": 64, "rate_hz": 1.0}
    made = recording(
        tmp_path / "f", np.arange(24, dtype=np.int32).reshape(4, 6), channels=(Channel(name="x"), Channel(name="y")),
        **about,
    )  # fmt: skip
    assert stream.of(made, STATISTICS, 64).x.shape == (4, 6)
    with pytest.raises(ValueError, match="its features are statistics, not invariant"):
        stream.of(made, INVARIANT)
    with pytest.raises(ValueError, match="of 64 samples, not 128"):
        stream.of(made, None, 128)


@pytest.mark.parametrize(
    ("rate_hz", "breaks", "samples"),
    [(200.0, (), 128), (65.0, (), 64), (50.0, (), 64), (12_000.0, (), 1024), (200.0, tuple(range(100, 2000, 100)), 64),
     (200.0, (10,), 128), (50.0, tuple(range(10, 2000, 10)), 32)],
)  # fmt: skip
def test_a_usual_window_is_about_a_second_and_fits(
    tmp_path: Path, rate_hz: float, breaks: tuple[int, ...], samples: int
) -> None:
    made = recording(tmp_path, noise(2000), rate_hz=rate_hz, breaks=breaks)
    assert stream.usual_samples(made.run, 2000) == samples


def test_a_run_shorter_than_a_window_is_empty(tmp_path: Path) -> None:
    found = stream.of(recording(tmp_path, noise(40), speed=np.zeros((40, 1))), INVARIANT, 64)
    assert (len(found), found.x.shape, found.learn, found.within(9.0), found.label) == (0, (0, 16), 0, 0, ())
