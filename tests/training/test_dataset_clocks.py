"""Row number and elapsed time are never inputs: whatever a column is called, and whoever wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.training.dataset import Channel, ContextChannel, DatasetBroken, Run, Writer, load
from gateway.training.importing import ImportRefused
from tests.training.imported import imported
from tests.training.test_import_csv import csv

ROWS = np.arange(400)
NOISE = np.random.default_rng(5).normal(size=400)
CLOCKS = {
    "row number": ROWS,
    "counts down": -2.0 * ROWS,
    "jitters": ROWS / 7 + 0.1 * np.random.default_rng(6).random(400),
    "whole seconds at ten rows": ROWS // 10,
    "squared": ROWS.astype(float) ** 2,
    "begins anew behind each pause": ROWS % 100,
}
MEASURED = {
    "a walk": np.cumsum(NOISE),
    "a walk upwards": ROWS + 3 * NOISE,
    "a speed in nine steps": ROWS // 45,
    "a room that warms up by steps of its sensor": np.floor(0.1 * ROWS**0.8) / 10,
    "nothing": np.zeros(400),
}


def run(**changes: Any) -> Run:
    about = {"file": "a.npz", "node": "n", "asset": "m", "kind": "values", "channels": (Channel(name="x"),)}
    return Run(**(about | {"rate_hz": 1.0, "session": "s", "breaks": (100, 200, 300)} | changes))


def write(folder: Path, values: np.ndarray, known: np.ndarray | None = None, **changes: Any) -> None:
    with Writer(folder, name="set") as out:
        out.add(run(**changes), values[:, None], context=None if known is None else known[:, None])


@pytest.mark.parametrize("clock", CLOCKS.values(), ids=CLOCKS)
def test_a_clock_is_neither_channel_nor_context(tmp_path: Path, clock: np.ndarray) -> None:
    with pytest.raises(DatasetBroken, match="values: 'x' only rises, or only falls"):
        write(tmp_path / "channel", clock)
    with pytest.raises(DatasetBroken, match="context: 'n' only rises, or only falls"):
        write(tmp_path / "context", NOISE, clock, context=(ContextChannel(name="n"),))
    write(tmp_path / "samples", NOISE, kind="samples", channels=(Channel(name="x", per_unit=1000.0),))
    file = tmp_path / "samples" / "dataset.json"  # nor in a folder that others have written
    file.write_text(file.read_text().replace('"sha256"', '"sensor"'))
    np.savez(tmp_path / "samples" / "a.npz", values=clock[:, None].astype(np.float32))
    with pytest.raises(DatasetBroken, match="'x' only rises"):
        load(tmp_path / "samples").recordings[0].read()


@pytest.mark.parametrize("column", MEASURED.values(), ids=MEASURED)
def test_what_was_measured_or_set_is_none(tmp_path: Path, column: np.ndarray) -> None:
    write(tmp_path, column, column, context=(ContextChannel(name="speed"),))
    assert len(load(tmp_path).recordings[0].read()) == 400


def test_the_hour_rises_within_a_day_and_ends_at_24(tmp_path: Path) -> None:
    hour = (ContextChannel(name="hour"),)
    write(tmp_path / "day", NOISE, ROWS / 100, context=hour)
    with pytest.raises(DatasetBroken, match="context: 'hour' is not within 0 to 24"):
        write(tmp_path / "rows", NOISE, ROWS, context=hour)


@pytest.mark.parametrize("name", ["Timestamp", "elapsed_s", "row", "label"])
def test_nothing_is_called_as_a_clock_or_a_label(name: str) -> None:
    with pytest.raises(ValueError, match="is no channel"):
        Channel(name=name)
    with pytest.raises(ValueError, match="is no context"):
        ContextChannel(name=name)


def test_a_counter_is_read_as_its_steps(tmp_path: Path) -> None:
    write(tmp_path, np.cumsum(np.abs(NOISE)) + 5, channels=(Channel(name="x", counter=True),))
    steps = load(tmp_path).recordings[0].read().values[:, 0]
    wanted = np.abs(NOISE)
    wanted[[0, 100, 200, 300]] = wanted[[1, 99, 199, 299]]  # behind a break there is no step
    assert np.allclose(steps, wanted, atol=1e-4)
    with pytest.raises(ValueError, match="a counter is of kind 'values'"):
        run(kind="samples", channels=(Channel(name="x", per_unit=1.0, counter=True),))


def test_a_meter_of_a_csv_is_imported_as_one(tmp_path: Path) -> None:
    used = np.random.default_rng(7).integers(1, 9, 50)
    rows = [f"{1e9 + total},{i % 3}" for i, total in enumerate(np.cumsum(used))]
    source = csv(tmp_path, "\n".join(["wh,x", *rows]))
    with pytest.raises(DatasetBroken, match="'wh' only rises"):
        imported("csv", source, rate_hz=1.0)
    read = imported("csv", source, rate_hz=1.0, counters=("wh",)).recordings[0].read()
    assert read.values[1:, 0].tolist() == used[1:].tolist()  # 10^9 is beyond what a float32 counts by ones
    with pytest.raises(ImportRefused, match="no column 'kwh'"):
        imported("csv", source, rate_hz=1.0, counters=("kwh",))
    with pytest.raises(ImportRefused, match="'timestamp' is no channel: --time timestamp says what it is"):
        imported("csv", csv(tmp_path, "timestamp,x\n1,2\n3,4\n"), rate_hz=1.0)
