"""CSV into a dataset: columns, times, labels, breaks; what is wrong is named by file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.training.importing import ImportRefused
from tests.training.imported import imported

PUMP = "at;x;y;speed;state\n0;1;2;100;0\n1;3;4;100;0\n2;5;6;200;1\n3;7;8;200;\n60;9;10;200;1\n"


def csv(folder: Path, text: str, name: str = "pump.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_columns_are_channels_time_context_and_labels(tmp_path: Path) -> None:
    found = imported(
        "csv", csv(tmp_path, PUMP), time="at", context=("speed",), label="state", units=("g",), commission_s=2.0
    )
    (recording,) = found.recordings
    run, rows = recording.run, recording.read()
    assert (run.node, run.asset, run.session, run.kind, run.rate_hz) == ("pump",) * 3 + ("values", 1.0)
    assert [(c.name, c.unit) for c in run.channels] == [("x", "g"), ("y", "g")]
    assert rows.values.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    assert rows.at_s.tolist() == [0, 1, 2, 3, 60]
    assert rows.context is not None and rows.context.ravel().tolist() == [100, 100, 200, 200, 200]
    assert (run.breaks, run.commission_s) == ((4,), 2.0)
    assert run.fault_at(rows.at_s).tolist() == [0, 0, 1, -1, 1]
    assert run.label_at(rows.at_s) == ("normal", "normal", "fault", "", "fault")


def test_what_is_fast_is_samples_in_steps_that_leave_headroom(tmp_path: Path) -> None:
    rows = "\n".join(f"{i * 5},{0.001 * (i % 7)}" for i in range(400))
    (recording,) = imported("csv", csv(tmp_path, f"ms,x\n{rows}"), time="ms", time_unit="ms").recordings
    assert (recording.run.kind, recording.run.rate_hz, recording.run.commission_s) == ("samples", 200.0, 0.5)
    assert 32767 / 16 < np.abs(recording.samples()).max() <= 32767 / 8


def test_a_channel_has_one_scale_in_all_runs_of_a_node(tmp_path: Path) -> None:
    quiet, loud = (csv(tmp_path, "x\n" + "\n".join(f"{g * (i % 3)}" for i in range(64)), f"{g}.csv") for g in (1, 9))
    found = imported("csv", quiet, loud, node="n", session="s", rate_hz=64.0)
    scales = [recording.run.channels[0].per_unit for recording in found.recordings]
    assert scales[0] == scales[1]
    assert [recording.run.commission_s for recording in found.recordings] == [0.25, 0.0]  # the second goes on


def test_times_may_be_dates_and_the_file_compressed(tmp_path: Path) -> None:
    file = tmp_path / "room.csv.gz"
    with gzip.open(file, "wt") as out:
        out.write("date,t\n2015-02-04 17:51:00,20\n2015-02-04T17:52:00+00:00,21\n2015-02-04 19:53:00+02:00,22\n")
    (recording,) = imported("csv", file, time="date", time_unit="iso", whole="normal").recordings
    assert np.diff(recording.read().at_s).tolist() == [60, 60]
    assert recording.run.fault_at(recording.read().at_s).tolist() == [0, 0, 0]


def test_as_a_spreadsheet_in_german_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "oven.csv"
    lines = ("Zeit;Wärme;", "31.12.2024 23:59:50;20,5;", "31.12.2024 23:59:55;;", "01.01.2025 00:00:00;21,5;")
    file.write_bytes("\r\n".join(lines).encode("latin-1"))
    labels = csv(tmp_path, "start_s;end_s;label\n2024-12-31 23:59;2025-01-01;cold\n", "labels.csv")
    found = imported(
        "csv", file, time="Zeit", time_unit="%d.%m.%Y %H:%M:%S", decimal=",", encoding="latin-1", skip_incomplete=True,
        labels=labels,
    )  # fmt: skip
    rows = found.recordings[0].read()
    assert (rows.values.ravel().tolist(), np.diff(rows.at_s).tolist()) == ([20.5, 21.5], [10.0])
    assert found.recordings[0].run.label_at(rows.at_s) == ("cold", "")


def test_a_clock_runs_on_over_midnight(tmp_path: Path) -> None:
    source = csv(tmp_path, "t,x\n23:59:59.5,1\n00:00:00.5,2\n0:00:01.5,1\n")
    (recording,) = imported("csv", source, time="t", time_unit="clock").recordings
    assert recording.read().at_s.tolist() == [86399.5, 86400.5, 86401.5]


@pytest.mark.parametrize(("rate_hz", "breaks"), [(1.0, ()), (100.0, (2,))])
def test_rows_left_out_leave_their_time_and_samples_a_break(
    tmp_path: Path, rate_hz: float, breaks: tuple[int, ...]
) -> None:
    source = csv(tmp_path, "x\n1\n2\nNaN\n5\n4\n")
    (recording,) = imported("csv", source, rate_hz=rate_hz, skip_incomplete=True).recordings
    assert (recording.read().at_s * rate_hz).tolist() == [0, 1, 3, 4]
    assert recording.run.breaks == breaks


def test_a_file_of_labels(tmp_path: Path) -> None:
    labels = csv(
        tmp_path,
        "start_s,end_s,label,fault,file\n2,3,leak,,pump\n0,2,warming up,0,\n3,4,leak,1,other.csv\n",
        "labels.csv",
    )
    source = csv(tmp_path, "x\n1\n2\n3\n4\n")
    (recording,) = imported("csv", source, rate_hz=1.0, labels=labels).recordings
    assert recording.run.label_at(recording.read().at_s) == ("warming up", "warming up", "leak", "")
    assert recording.run.fault_at(recording.read().at_s).tolist() == [0, 0, 1, -1]


@pytest.mark.parametrize(
    ("text", "wanted", "reason"),
    [
        ("a,b\n1,2\n3,x\n", {"rate_hz": 1.0}, r"pump\.csv: line 3: b is 'x'"),
        ("a,b\n1,2\n\n3,\n", {"rate_hz": 1.0}, r"line 4: b is ''"),
        ("a,b\n1,2\n3,nan\n", {"rate_hz": 1.0}, "line 3: b is not a number"),
        ("a,b\n1,2\n3\n", {"rate_hz": 1.0}, "line 3: 1 cells under 2"),
        ("a,b\n1,2\n", {}, "neither a rate nor a column of time"),
        ("a,b\n1,2\n", {"rate_hz": 1.0, "channels": ("c",)}, "line 1: no column 'c'; there are a, b"),
        ("t,b\n1,2\n2,2\n1,2\n", {"time": "t"}, "line 4: t goes back"),
        ("t,b\n1,2\n1,2\n1,2\n", {"time": "t"}, "its times give no rate"),
        ("t,b\nlater,2\n", {"time": "t", "time_unit": "iso"}, "line 2: t is 'later'"),
        ("a,b\n", {"rate_hz": 1.0}, "holds no row"),
        ("", {"rate_hz": 1.0}, "holds no row"),
        ("a,b\n1,2\n", {"rate_hz": 1.0, "units": ("g", "g", "g")}, "3 units for 2 channels"),
        ("a;b\n1,5;2\n", {"rate_hz": 1.0}, r"line 2: a is '1,5'; --decimal , reads"),
        ("a;b\n1.000,5;2\n", {"rate_hz": 1.0, "decimal": ","}, r"line 2: a is '1\.000,5'"),
        ("1.5,2\n1,2\n", {"rate_hz": 1.0}, "line 1: numbers, where the names"),
        ("a,elapsed_s\n1,2\n", {"rate_hz": 1.0}, "line 1: 'elapsed_s' is no channel"),
        ("n,a\n" + "".join(f"{i},{i % 3}\n" for i in range(9)), {"rate_hz": 1.0}, "'n' rises by 1 in every row"),
        ("a,b\n1,\n,2\n", {"rate_hz": 1.0, "skip_incomplete": True}, "no row has a number in each of a, b"),
        ("a,b\n1,2\n", {"rate_hz": 1.0, "encoding": "x"}, "no encoding is called 'x'"),
        ("a,b\n1,2\n", {"rate_hz": 1.0, "encoding": "utf-16"}, "not a CSV in utf-16"),
        ("a,label\n1,2\n", {"rate_hz": 1.0, "context": ("label",)}, "context.*'label'|'label' is no context"),
    ],
)
def test_what_is_wrong_is_named_by_line(tmp_path: Path, text: str, wanted: dict[str, object], reason: str) -> None:
    with pytest.raises(ImportRefused, match=reason):
        imported("csv", csv(tmp_path, text), **wanted)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("start_s,end_s\n0,1\n", "line 1: no column label"),
        ("start_s,end_s,label\n0,x,leak\n", "line 2: "),
        ("start_s,end_s,label\n0,1,leak\n2,1,leak\n", "line 3: .*not after"),
        ("start_s,end_s,label,fault\n0,1,leak,yes\n", "line 2: fault is 'yes'"),
        (
            "start_s,end_s,label\n1700000000,1700000009,leak\n",
            "are at 1700000000 to 1700000009 s, and pump.csv is from 0",
        ),
        ("start_s,end_s,label\n0,3,leak\n2,4,leak\n", "labels: .*label 1 begins at 2.0 s, before label 0"),
    ],
)
def test_what_is_wrong_with_labels_is_named_by_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ImportRefused, match=reason):
        imported("csv", csv(tmp_path, "x\n1\n2\n"), rate_hz=1.0, labels=csv(tmp_path, text, "labels.csv"))


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_by_name_or_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("csv") / "a.csv"
    file.write_bytes(data)
    try:
        imported("csv", file, rate_hz=1.0)
    except ImportRefused as error:
        assert str(error).startswith(str(file))


def test_the_time_of_day_is_a_context_of_rooms(tmp_path: Path) -> None:
    rows = "\n".join(f"{20 + h % 5},0{h // 24 + 1}.03.2024 {h % 24:02d}:30" for h in range(48))
    room = csv(tmp_path, "t,when\n" + rows, "room.csv")
    (recording,) = imported("csv", room, time="when", time_unit="%d.%m.%Y %H:%M", hour=True).recordings
    rows_read = recording.read()
    assert [c.name for c in recording.run.context] == ["hour"] and rows_read.context is not None
    assert rows_read.context.ravel().tolist() == [h % 24 + 0.5 for h in range(48)]
    stopwatch = csv(tmp_path, "at,t\n" + "".join(f"{i * 60},{i % 3}\n" for i in range(40)), "b.csv")
    with pytest.raises(ImportRefused, match=r"b\.csv: --hour: no column of dates"):
        imported("csv", stopwatch, into=tmp_path / "b", time="at", hour=True)
    fast = csv(tmp_path, "at,t\n" + "".join(f"1.7e9,{i % 3}\n" for i in range(40)), "c.csv")
    with pytest.raises(ImportRefused, match="'hour' is for slow sensors only"):
        imported("csv", fast, into=tmp_path / "b", time="at", hour=True, rate_hz=100.0, kind="samples")


@pytest.mark.parametrize(("hz", "learn_s"), [(0.1, 2500.0), (1e-3, 7 * 86_400.0), (100.0, 2.5)])
def test_of_slow_readings_a_week_is_learned_where_there_are_four(tmp_path: Path, hz: float, learn_s: float) -> None:
    file = csv(tmp_path, "x\n" + "".join(f"{i % 7}\n" for i in range(1000 if hz > 1e-3 else 4000)))
    assert imported("csv", file, rate_hz=hz).recordings[0].run.commission_s == learn_s


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for day in (1, 2):
        (tmp_path / f"day{day}").mkdir()
        csv(tmp_path / f"day{day}", "x\n" + "".join(f"{i % (5 + day)}\n" for i in range(40)))
    files = [tmp_path / f"day{day}" / "pump.csv" for day in (1, 2)]
    found = imported("csv", *files, into=tmp_path / "set", rate_hz=1.0)
    assert [(r.name, r.run.node, r.run.session) for r in found.recordings] == [
        ("pump", "pump", "pump"), ("day2-pump", "pump", "day2-pump")
    ]  # fmt: skip
    with pytest.raises(ImportRefused, match=r"day1/pump\.csv: run pump is the same recording"):
        imported("csv", files[0], files[0], into=tmp_path / "again", rate_hz=1.0)
    assert [file.name for file in (tmp_path / "again").iterdir()] == ["pump.npz"]


def test_what_helps_is_said(tmp_path: Path) -> None:
    for text, wanted, reason in (
        ("x\n1\n2\n", {}, "neither a rate nor a column of time is given: --rate-hz, or --time"),
        ("t,x\n01.02.2024,1\n", {"time": "t"}, "line 2: t is '01.02.2024'; --time-unit says how times are written"),
        (
            "t,x\n1,1\n3,2\n2.5,3\n",
            {"time": "t"},
            "line 4: t goes back by 0.5 s: cut the file there, or give --rate-hz",
        ),
    ):
        with pytest.raises(ImportRefused, match=reason):
            imported("csv", csv(tmp_path, text), into=tmp_path / "set", **wanted)
