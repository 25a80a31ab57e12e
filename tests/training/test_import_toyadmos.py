"""ToyADMOS's layout: cases, a file for each channel, and the damage in the file's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.training.importing import ImportRefused
from tests.training.imported import imported, write_wav

LENGTH = 480
CLIPS = [("NormalSound_IND", "normal", "IND", 1), ("NormalSound_IND", "normal", "IND", 2),
         ("NormalSound_CNT", "normal", "CNT", 1), ("AnomalousSound_IND", "ab01", "IND", 1),
         ("AnomalousSound_IND", "ab02", "IND", 1)]  # fmt: skip


def collection(folder: Path, case: str = "case1", channels: int = 4) -> Path:
    for at, (place, what, how, number) in enumerate(CLIPS):
        for channel in range(1, channels + 1):
            name = f"1{case[-1]}00{channel:02d}{number:04d}_ToyCar_{case}_{what}_{how}_ch{channel}_{number:04d}.wav"
            write_wav(folder / "ToyCar" / case / place / name, np.full((LENGTH, 1), 10 * at + channel), 48_000)
    noise = folder / "ToyCar" / "EnvironmentalNoise_CNT" / "1000110001_ToyCar_caseAll_normal_CNT_ch1_0001.wav"
    write_wav(noise, np.full((LENGTH, 1), 999), 48_000)
    return folder


def test_a_case_is_a_node_and_the_files_of_a_clip_its_channels(tmp_path: Path) -> None:
    found = imported("toyadmos", collection(collection(tmp_path / "data"), "case2"))
    assert [r.name for r in found.recordings] == ["ToyCar-case1-000", "ToyCar-case2-000"]
    recording = found.recordings[0]
    run, samples = recording.run, recording.samples()
    assert (run.node, run.session, run.rate_hz) == ("ToyCar-case1", "case1", 48_000.0)
    assert [c.name for c in run.channels] == ["1", "2", "3", "4"]
    assert samples.shape == (5 * LENGTH, 4)
    assert {tuple(row) for row in samples[::LENGTH].tolist()} == {
        tuple(10 * a + c for c in (1, 2, 3, 4)) for a in range(5)
    }
    assert run.label_at(recording.read().at_s)[::LENGTH] == ("normal",) * 3 + ("ab01", "ab02")
    assert run.fault_at(recording.read().at_s)[::LENGTH].tolist() == [0, 0, 0, 1, 1]


def test_a_missing_channel_and_a_strange_name_are_named(tmp_path: Path) -> None:
    source = collection(tmp_path / "data")
    folder = source / "ToyCar" / "case1" / "AnomalousSound_IND"
    odd = next(folder.glob("*_ab02_*_ch3_*"))
    odd.rename(folder / "strange.wav")
    with pytest.raises(ImportRefused, match=r"strange\.wav: its name"):
        imported("toyadmos", source)
    (folder / "strange.wav").unlink()
    with pytest.raises(ImportRefused, match=r"has channels \[1, 2, 4\], others \[1, 2, 3, 4\]"):
        imported("toyadmos", source)
    with pytest.raises(ImportRefused, match="no case with"):
        imported("toyadmos", tmp_path / "set")
