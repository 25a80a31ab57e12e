"""MIMII's layout: machines by number, normal and abnormal clips of eight channels, at a noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.training import clips
from gateway.training.importing import ImportRefused
from tests.training.imported import imported, write_wav

LENGTH = 160


def collection(folder: Path, *machines: str, normal: int = 4, abnormal: int = 2) -> Path:
    for machine in machines:
        for kind, count in (("normal", normal), ("abnormal", abnormal)):
            for number in range(count):
                samples = np.full((LENGTH, 8), number + 100 * (kind == "abnormal")) + np.arange(8) * 1000
                write_wav(folder / machine / kind / f"{number:08d}.wav", samples)
    return folder


def test_each_number_of_a_machine_is_a_node_and_the_noise_its_session(tmp_path: Path) -> None:
    source = collection(tmp_path / "data", "-6_dB_fan/fan/id_00", "-6_dB_fan/fan/id_02", "6dB_pump/id_04")
    found = imported("mimii", source)
    assert [(r.run.node, r.run.session, r.name) for r in found.recordings] == [
        ("fan-id_00", "-6dB", "-6dB-fan-id_00-000"),
        ("fan-id_02", "-6dB", "-6dB-fan-id_02-000"),
        ("pump-id_04", "6dB", "6dB-pump-id_04-000"),
    ]


def test_clips_are_joined_normal_first_with_breaks_and_labels(tmp_path: Path) -> None:
    source = collection(tmp_path / "data", "6_dB_fan/fan/id_00") / "6_dB_fan" / "fan" / "id_00"
    (recording,) = imported("mimii", source).recordings
    run, samples = recording.run, recording.samples()
    assert samples.shape == (6 * LENGTH, 8)
    assert samples[::LENGTH, 0].tolist() == [0, 1, 2, 3, 100, 101]
    assert samples[0].tolist() == [1000 * c for c in range(8)]
    assert run.breaks == tuple(range(LENGTH, 6 * LENGTH, LENGTH))
    assert run.label_at(recording.read().at_s)[::LENGTH] == ("normal",) * 4 + ("abnormal",) * 2
    assert run.fault_at(recording.read().at_s)[::LENGTH].tolist() == [0, 0, 0, 0, 1, 1]
    assert run.commission_s == 2 * LENGTH / 16_000  # half of the normal clips


def test_long_collections_are_several_runs_that_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "AT_ONCE", 2)
    found = imported("mimii", collection(tmp_path / "data", "fan/id_00"), channels=("1",), clips=3)
    assert [len(r.samples()) // LENGTH for r in found.recordings] == [2, 2, 1]
    assert [r.run.commission_s for r in found.recordings] == [LENGTH / 16_000, 0.0, 0.0]
    assert [r.run.fault_at(r.read().at_s)[::LENGTH].tolist() for r in found.recordings] == [[0, 0], [0, 1], [1]]


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=r"no id_\*/normal"):
        imported("mimii", tmp_path)
    source = collection(tmp_path / "data", "fan/id_00")
    write_wav(source / "fan/id_00/normal/00000009.wav", np.zeros((LENGTH, 2)))
    with pytest.raises(ImportRefused, match="clips of several kinds"):
        imported("mimii", source)
