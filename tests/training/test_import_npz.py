"""NPZ into a dataset: an array of rows, or of recordings with a break after each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.training.importing import ImportRefused
from tests.training.imported import imported


def npz(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "fan.npz", **arrays)  # type: ignore[arg-type]
    return folder / "fan.npz"


def test_recordings_are_joined_with_breaks(tmp_path: Path) -> None:
    recorded = np.random.default_rng(1).normal(size=(3, 50, 2)).astype(np.float32)
    (recording,) = imported("npz", npz(tmp_path, acc=recorded, fs_hz=50.0), units=("g",), whole="loose").recordings
    assert (recording.run.rate_hz, recording.run.breaks, recording.run.kind) == (50.0, (50, 100), "samples")
    assert np.array_equal(recording.read().values, recorded.reshape(-1, 2))
    assert set(recording.run.fault_at(recording.read().at_s)) == {1}


def test_sixteen_bits_are_kept_as_they_are(tmp_path: Path) -> None:
    samples = np.array([[1, 2, 3], [4, 5, 6]] * 20, np.int16)
    (recording,) = imported("npz", npz(tmp_path, a=samples), rate_hz=20.0, channels=("3", "1")).recordings
    assert recording.samples().tolist() == samples[:, [2, 0]].tolist()


def test_times_are_kept(tmp_path: Path) -> None:
    at_s = np.array([1.0, 2.0, 5.0])
    source = npz(tmp_path, values=np.zeros((3, 1), np.float32), at_s=at_s)
    (recording,) = imported("npz", source, rate_hz=1.0, whole="normal").recordings
    assert recording.read().at_s.tolist() == at_s.tolist()
    assert recording.run.fault_at(at_s).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("arrays", "wanted", "reason"),
    [
        (
            {"a": np.zeros((9, 2)), "b": np.zeros((9, 2))},
            {"rate_hz": 1.0},
            "which array is meant. There are a, b; --array",
        ),
        ({"a": np.zeros(9), "b": np.zeros(9)}, {"rate_hz": 1.0}, "which array is meant. There are a, b; --array"),
        ({"a": np.zeros((90, 2))}, {"rate_hz": 100.0}, "channel 1, 2 never changes"),
        ({"a": np.zeros((90, 10))}, {"rate_hz": 100.0}, "10 channels of samples, where a node has 9"),
        ({"a": np.zeros((9, 2))}, {"rate_hz": 1.0, "array": "c"}, "no array 'c'"),
        ({"a": np.zeros((9, 2))}, {}, "neither a rate is given"),
        ({"a": np.zeros((9, 2))}, {"rate_hz": 1.0, "channels": ("3",)}, "no channel '3'"),
        ({"a": np.array([[1.0], [np.inf]])}, {"rate_hz": 1.0}, "row 1 is not a number"),
        ({"a": np.zeros((9, 2)), "fs": np.array("9 Hz")}, {}, "fs is no rate"),
        ({"a": np.zeros((9, 2)), "fs": 0.0}, {}, "fs is no rate"),
        ({"a": np.zeros((2, 1)), "at_s": np.array([2.0, 1.0])}, {"rate_hz": 1.0}, "at_s: row 1 is before"),
        ({"a": np.zeros((3, 1)), "at_s": np.zeros(2)}, {"rate_hz": 1.0}, "there are 3 rows"),
        ({"a": np.zeros((2, 900))}, {"rate_hz": 1.0}, "900 channels of 2 rows: rows come first"),
        ({"a": np.array([{}], object)}, {"rate_hz": 1.0}, "plain arrays"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, arrays: dict[str, object], wanted: dict[str, object], reason: str
) -> None:
    with pytest.raises(ImportRefused, match=reason):
        imported("npz", npz(tmp_path, **arrays), **wanted)


def test_a_single_array_will_do(tmp_path: Path) -> None:
    np.save(tmp_path / "fan.npy", np.arange(18.0).reshape(9, 2))
    (recording,) = imported("npz", tmp_path / "fan.npy", rate_hz=1.0).recordings
    assert recording.read().values.ravel().tolist() == list(range(18))


def test_one_row_of_numbers_is_a_channel_where_nothing_has_two(tmp_path: Path) -> None:
    source = npz(tmp_path, v=np.arange(40.0) % 7, at_s=np.arange(40.0), fs=1.0)
    assert imported("npz", source).recordings[0].read().values.ravel().tolist() == [i % 7 for i in range(40)]
    source = npz(tmp_path, v=np.arange(40.0), w=np.arange(80.0).reshape(40, 2) % 7, fs=1.0)
    assert imported("npz", source, into=tmp_path / "b").recordings[0].run.columns == 2


@pytest.mark.parametrize("data", [b"", b"PK", b"RIFF....WAVE", b"\x93NUMPY" + bytes(100)])
def test_no_archive_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "fan.npz").write_bytes(data)
    with pytest.raises(ImportRefused, match=r"fan\.npz: not an \.npz"):
        imported("npz", tmp_path / "fan.npz", rate_hz=1.0)
