"""The dataset layout: what is written is read again, the bytes are always the same, and each fault is named."""

from __future__ import annotations

import json
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gateway.detectors.feature_sets import SLOW
from gateway.training.dataset import (
    Channel,
    ContextChannel,
    DatasetBroken,
    Label,
    Run,
    Writer,
    as_samples,
    fitting_per_unit,
    load,
)

AXES = (Channel(name="x", unit="g", per_unit=1024.0), Channel(name="y", unit="g", per_unit=1024.0))


def a_run(**changes: Any) -> Run:
    about = {"file": "a.npz", "node": "n", "asset": "m", "kind": "samples", "channels": AXES, "rate_hz": 100.0}
    return Run(**(about | {"session": "s"} | changes))


def manifest(folder: Path, **changes: Any) -> Path:
    """A dataset of one run with these keys of its run changed; None takes a key away."""
    with Writer(folder, name="set") as out:
        out.add(a_run(), np.zeros((300, 2)))
    file = folder / "dataset.json"
    text = json.loads(file.read_text())
    for key, value in changes.items():
        text["runs"][0][key] = value
        if value is None:
            del text["runs"][0][key]
    file.write_text(json.dumps(text))
    return folder


@st.composite
def recordings(draw: st.DrawFn) -> tuple[Run, dict[str, Any]]:
    kind = draw(st.sampled_from(["samples", "values", "features"]))
    rows, channels, context = draw(st.integers(1, 20)), draw(st.integers(1, 3)), draw(st.integers(0, 2))
    dtype = {"samples": np.int16, "values": np.float32, "features": np.int32}[kind]
    breaks = draw(st.sets(st.integers(1, rows - 1), max_size=4)) if rows > 1 else set[int]()
    edges = sorted(draw(st.sets(st.integers(-50, 50), max_size=6)))
    labels = [
        Label(start_s=float(a), end_s=float(b), label=draw(st.text(min_size=1, max_size=5)), fault=draw(st.booleans()))
        for a, b in pairwise(edges)
    ]
    run = a_run(
        kind=kind,
        channels=tuple(Channel(name=f"c{i}", per_unit=1.0) for i in range(channels)),
        context=tuple(ContextChannel(name=f"k{i}") for i in range(context)),
        feature_set=1 if kind == "features" else None,
        breaks=tuple(sorted(breaks)),
        labels=tuple(labels),
        commission_s=draw(st.floats(0, 1e6)),
    )
    finite = {"allow_nan": False, "allow_infinity": False}
    elements = st.floats(width=32, **finite) if kind == "values" else None
    arrays = {
        "values": draw(hnp.arrays(dtype, (rows, run.columns), elements=elements)),
        "at_s": draw(st.none() | hnp.arrays(np.float64, rows, elements=st.floats(-1e9, 1e9)).map(np.sort)),
        "context": draw(hnp.arrays(np.float32, (rows, context), elements=st.floats(width=32, **finite)))
        if context
        else None,
    }
    return run, arrays


@given(recordings())
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, drawn: Any) -> None:
    run, arrays = drawn
    folder = tmp_path_factory.mktemp("set")
    with Writer(folder, name="set", licence="MIT", source="drawn") as out:
        written = out.add(run, **arrays)
    found = load(folder)
    (recording,) = found.recordings
    rows = recording.read()
    assert recording.run == written == run.model_copy(update={"sha256": written.sha256})
    assert (found.name, found.manifest.licence, found.manifest.source) == ("set", "MIT", "drawn")
    assert recording.rows() == len(rows)
    assert rows.values.dtype == arrays["values"].dtype and np.array_equal(rows.values, arrays["values"])
    expected_s = np.arange(len(rows)) / 100.0 if arrays["at_s"] is None else arrays["at_s"]
    assert np.array_equal(rows.at_s, expected_s)
    assert (rows.context is None) == (arrays["context"] is None)
    assert rows.context is None or np.array_equal(rows.context, arrays["context"])


@given(recordings(), st.lists(st.floats(-60, 60), max_size=20))
def test_a_label_covers_from_its_start_to_before_its_end(drawn: Any, times: list[float]) -> None:
    run, _ = drawn
    at_s = np.array([*times, *(label.end_s for label in run.labels)])
    covering = [[label for label in run.labels if label.start_s <= t < label.end_s] for t in at_s]
    assert run.fault_at(at_s).tolist() == [int(c[0].fault) if c else -1 for c in covering]
    assert run.label_at(at_s) == tuple(c[0].label if c else "" for c in covering)


def test_the_same_recording_has_the_same_hash_at_any_time_and_place(tmp_path: Path) -> None:
    def written(folder: Path) -> str:
        with Writer(folder, name="set") as out:
            out.add(a_run(), np.arange(600).reshape(300, 2) % 7, at_s=np.arange(300) / 100)
        return load(folder).sha256()

    first = written(tmp_path / "a")
    assert written(tmp_path / "b") == first
    with zipfile.ZipFile(tmp_path / "a" / "a.npz") as archive:  # no clock and no system in it
        members = archive.infolist()
    assert {(m.date_time[0], m.create_system, m.compress_type) for m in members} == {(1980, 0, zipfile.ZIP_STORED)}
    with Writer(tmp_path / "c", name="set") as out:
        out.add(a_run(), np.arange(600).reshape(300, 2) % 7 + 1, at_s=np.arange(300) / 100)
    assert load(tmp_path / "c").sha256() != first


BROKEN = [
    ({"node": None}, r"runs\.0\.node: Field required"),
    ({"rate_hz": 0}, r"runs\.0\.rate_hz"),
    ({"rate_hz": "fast"}, r"runs\.0\.rate_hz"),
    ({"colour": "red"}, r"runs\.0\.colour: Extra"),
    ({"kind": "sound"}, r"runs\.0\.kind"),
    ({"channels": []}, r"runs\.0\.channels"),
    ({"channels": [{"name": "x"}]}, r"runs\.0: .*channels.*per_unit"),
    ({"channels": [{"name": "x", "per_unit": 1}, {"name": "x", "per_unit": 1}]}, r"runs\.0\.channels: .*'x' is there"),
    ({"context": [{"name": "elapsed_s"}]}, r"runs\.0\.context\.0\.name: .*elapsed time"),
    ({"context": [{"name": "Anomaly"}]}, r"runs\.0\.context\.0\.name: .*labels"),
    ({"context": [{"name": "hour_of_day"}]}, r"runs\.0: .*'hour_of_day' is for slow sensors only"),
    ({"labels": [{"start_s": 2, "end_s": 1, "label": "x", "fault": True}]}, r"runs\.0\.labels\.0: .*not after"),
    (
        {"labels": [{"start_s": a, "end_s": a + 2, "label": "x", "fault": True} for a in (0, 1)]},
        r"runs\.0\.labels: .*label 1",
    ),
    ({"labels": [{"start_s": 0, "end_s": 1, "label": "x", "fault": 1}]}, r"runs\.0\.labels\.0\.fault"),
    ({"breaks": [5, 5]}, r"runs\.0\.breaks: .*rise"),
    ({"file": "../a.npz"}, r"runs\.0\.file"),
    ({"kind": "features"}, r"runs\.0: .*feature_set"),
    ({"feature_set": 2}, r"runs\.0: .*feature_set"),
    ({"commission_s": -1}, r"runs\.0\.commission_s"),
    ({"sha256": "0"}, r"runs\.0\.sha256"),
    ({"file": "b.npz"}, r"b\.npz: missing"),
]


@pytest.mark.parametrize(("changes", "reason"), BROKEN, ids=lambda v: v if isinstance(v, str) else "")
def test_a_fault_of_the_manifest_is_named_by_its_key(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(DatasetBroken, match=reason):
        load(manifest(tmp_path, **changes))


@pytest.mark.parametrize(
    "about", [{"kind": "values"}, {"rate_hz": 0.5}, {"kind": "features", "feature_set": SLOW, "samples": 64}]
)
def test_slow_sensors_may_know_the_hour(about: dict[str, Any]) -> None:
    assert a_run(context=(ContextChannel(name="hour_of_day"),), **about).context


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "not JSON"), ("[]", "version"), ('{"version": 2}', "version: 2"), ('{"version": 1, "name": "x"}', "runs")],
)
def test_what_is_no_manifest_is_said(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DatasetBroken, match=reason):
        load(tmp_path)


def test_a_folder_without_a_manifest_is_none(tmp_path: Path) -> None:
    with pytest.raises(DatasetBroken, match=r"dataset\.json: missing"):
        load(tmp_path)


SOUND = {"values": np.zeros((300, 2), np.float32)}
WRONG_ARRAYS = [
    ({"values": np.zeros((300, 3), np.float32)}, r"values: shape \[300, 3\]"),
    ({"values": np.zeros((0, 2), np.float32)}, r"values: shape \[0, 2\]"),
    ({"values": np.zeros((300, 2))}, "values: float64"),
    ({"values": np.full((300, 2), np.nan, np.float32)}, "values: row 0 is not a number"),
    ({"other": np.zeros(1)}, r"holds \['other'\]"),
    ({**SOUND, "at_s": np.zeros(299)}, "at_s: float64"),
    ({**SOUND, "at_s": np.arange(300.0)}, "at_s: 1 rows a second, where rate_hz is 100"),
    ({**SOUND, "at_s": np.zeros(300)}, "at_s: all rows are at one time"),
    ({**SOUND, "at_s": -np.arange(300.0)}, "at_s: row 1 is before"),
    ({**SOUND, "at_s": np.array([np.inf] * 300)}, "at_s: row 0"),
    ({**SOUND, "context": np.zeros((300, 1), np.float32)}, "context: 0 in the manifest"),
    ({"values": np.array([["a", "b"]] * 300)}, "values: "),
]


@pytest.mark.parametrize(("arrays", "reason"), WRONG_ARRAYS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_fault_of_a_file_is_named_by_array_and_row(tmp_path: Path, arrays: dict[str, Any], reason: str) -> None:
    folder = manifest(tmp_path, sha256=None)
    np.savez(folder / "a.npz", **arrays)
    (recording,) = load(folder).recordings
    with pytest.raises(DatasetBroken, match=rf"a\.npz: {reason}"):
        recording.read()


ROWS = np.arange(300)
COARSE = {
    "a clock that is 3 % wrong": ROWS / 103,
    "packets of ten": ROWS // 10 / 10,
    "a pause after each second": ROWS / 100 + 10 * (ROWS // 100),
    "hundredths become sixtieths": np.floor(ROWS / 100 * 60) / 60,
}


@pytest.mark.parametrize("at_s", COARSE.values(), ids=COARSE)
def test_a_clock_may_be_coarse(tmp_path: Path, at_s: np.ndarray) -> None:
    with Writer(tmp_path, name="set") as out:
        out.add(a_run(), np.zeros((300, 2)), at_s=at_s)
    assert np.array_equal(load(tmp_path).recordings[0].read().at_s, at_s)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    folder = manifest(tmp_path, sha256=None)
    np.savez(folder / "a.npz", values=np.array([[{}, {}]] * 300, object))
    with pytest.raises(DatasetBroken, match=r"not an \.npz of plain arrays"):
        load(folder).recordings[0].read()


@given(st.data())
def test_a_damaged_file_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = manifest(tmp_path_factory.mktemp("set"), **({} if data.draw(st.booleans()) else {"sha256": None}))
    file = folder / "a.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    for read in (load(folder).recordings[0].read, load(folder).recordings[0].rows):
        with pytest.raises(DatasetBroken):
            read()


def test_a_changed_file_is_not_the_one_in_the_manifest(tmp_path: Path) -> None:
    folder = manifest(tmp_path)
    np.savez(folder / "a.npz", values=np.ones((300, 2), np.float32))
    with pytest.raises(DatasetBroken, match="SHA-256"):
        load(folder).recordings[0].read()


def test_without_its_end_there_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Writer(tmp_path, name="set") as out:
        out.add(a_run(), np.zeros((300, 2)))
        raise KeyboardInterrupt
    with pytest.raises(DatasetBroken, match="missing"):
        load(tmp_path)


def test_a_dataset_is_added_to_only_when_that_is_meant(tmp_path: Path) -> None:
    manifest(tmp_path)
    with pytest.raises(DatasetBroken, match="a dataset is here already"):
        Writer(tmp_path, name="other")
    with Writer(tmp_path, name="other", add=True) as out:
        out.add(a_run(file="b.npz"), np.zeros((300, 2)))
        with pytest.raises(DatasetBroken, match="has a run of that name"):
            out.add(a_run(file="a.npz"), np.zeros((300, 2)))
    assert [r.name for r in load(tmp_path).recordings] == ["a", "b"]
    assert load(tmp_path).name == "set"


def test_a_writer_refuses_what_could_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetBroken, match="values: shape"):
        Writer(tmp_path, name="set").add(a_run(), np.zeros((300, 3)))
    with pytest.raises(DatasetBroken, match="breaks: row 300 of 300"):
        Writer(tmp_path, name="set").add(a_run(breaks=(300,)), np.zeros((300, 2)))
    with pytest.raises(DatasetBroken, match="runs"):
        Writer(tmp_path, name="set").close()


def test_samples_are_steps_of_sixteen_bits_and_saturate() -> None:
    values = np.array([[1.0, -1.0], [100.0, -100.0], [0.0006, 0.0004]], np.float32)
    assert as_samples(a_run(), values).tolist() == [[1024, -1024], [32767, -32768], [1, 0]]
    with pytest.raises(ValueError, match="not samples"):
        as_samples(a_run(kind="values"), values)


@given(st.floats(1e-6, 1e6))
def test_a_fitting_scale_leaves_headroom(largest: float) -> None:
    scale = fitting_per_unit(np.array([0.0, -largest]))
    assert 32767 / 16 < scale * largest <= 32767 / 8
