"""WAV into a dataset: each width of PCM, in the old and the extensible header, against the numbers written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.training.importing import ImportRefused
from tests.training.imported import imported, write_wav


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("extensible", [False, True])
def test_samples_of_each_width_are_full_scale(tmp_path: Path, width: int, extensible: bool) -> None:
    top = 2 ** (8 * width - 1)
    samples = np.array([[-top, top - 1], [0, top // 2], [-top // 4, 0]] * 20, np.int64)
    file = write_wav(tmp_path / "a.wav", samples, 8000, width, extensible=extensible)
    (recording,) = imported("wav", file).recordings
    expected = np.clip(np.rint(samples / top * 32768), -32768, 32767)
    assert np.abs(recording.samples() - expected).max() <= (0 if width < 3 else 1)
    assert recording.read().values.dtype == (np.int16 if width < 3 else np.float32)
    assert (recording.run.rate_hz, recording.run.kind) == (8000.0, "samples")
    assert [(c.name, c.unit) for c in recording.run.channels] == [("1", "full scale"), ("2", "full scale")]


@pytest.mark.parametrize("bits", [32, 64])
def test_floats_are_full_scale(tmp_path: Path, bits: int) -> None:
    told = np.sin(np.arange(64)).reshape(32, 2).astype(f"<f{bits // 8}")
    file = write_wav(tmp_path / "a.wav", told.view("<i4"), 8000, 4)
    data = bytearray(file.read_bytes())
    data[20] = 3  # the format: IEEE floats
    data[22:24], data[32:36] = bytes([2, 0]), bytes([bits // 4, 0, bits, 0])  # channels, bytes a frame, bits
    file.write_bytes(data)
    assert np.array_equal(imported("wav", file).recordings[0].read().values, told.astype(np.float32))


def test_channels_are_picked_by_number(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).permutation(120).reshape(40, 3)
    (recording,) = imported("wav", write_wav(tmp_path / "a.wav", samples), channels=("2",), whole="hum").recordings
    assert recording.samples().ravel().tolist() == samples[:, 1].tolist()
    assert recording.run.labels[0].fault
    with pytest.raises(ImportRefused, match="no channel '4': it has 3"):
        imported("wav", tmp_path / "a.wav", into=tmp_path / "b", channels=("4",))


def test_what_is_cut_short_or_no_pcm_is_refused(tmp_path: Path) -> None:
    whole = write_wav(tmp_path / "a.wav", np.zeros((100, 1))).read_bytes()
    floating = bytearray(whole)
    floating[20] = 3
    for data, reason in [
        (whole[:100], "cut short"),
        (whole[:30], "no PCM"),
        (bytes(floating), "no PCM"),
        (b"", "no PCM"),
    ]:
        (tmp_path / "a.wav").write_bytes(data)
        with pytest.raises(ImportRefused, match=rf"a\.wav: {reason}"):
            imported("wav", tmp_path / "a.wav")


@given(st.data())
def test_any_damage_is_refused_by_name_or_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file = tmp_path_factory.mktemp("wav") / "a.wav"
    samples = np.arange(20).reshape(10, 2)
    raw = bytearray(write_wav(file, samples, extensible=data.draw(st.booleans())).read_bytes())
    for at in data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=4)):
        raw[min(at, len(raw) - 1)] = data.draw(st.integers(0, 255))
    file.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        imported("wav", file)
    except ImportRefused as error:
        assert str(error).startswith(str(file))
