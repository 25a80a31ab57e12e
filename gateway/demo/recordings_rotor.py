"""A rotor rig: a CSV per run, rows at about 65 Hz, in sessions: H healthy, then N, V and D, each with its own fault."""

from __future__ import annotations

import csv
import gzip
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.demo.recordings_part import Part, labels, whole
from gateway.detectors.manifest import Channel
from gateway.training.features import Samples

_ROTOR_FAULTS = {"N": "a lateral force on the shaft", "V": "vibration from outside", "D": "more damping"}
_ROTOR_RATE_MILLIHZ = 65_000
_ROTOR_GAP_MS = 200  # a longer pause between two rows ends a stretch
_ROTOR_FIT, _ROTOR_CALIBRATE, _ROTOR_CHECK = 8, 11, 12  # healthy runs, in the order in which they were made: up to here


@dataclass(frozen=True)
class _Sensor:
    """What one node on the rig measures: columns, 16-bit steps per unit of each, and what such a step is called."""

    columns: tuple[str, ...]
    per_unit: tuple[float, ...]
    units: tuple[str, ...]
    level_matters: bool


_G = 9.80665
_ROTOR_SENSORS = {
    "rotor-imu": _Sensor(
        ("ax", "ay", "az", "gx_dps", "gy_dps", "gz_dps"),
        (4096 / _G,) * 3 + (16.0,) * 3,
        ("4096/g",) * 3 + ("16/dps",) * 3,
        False,
    ),
    "rotor-drive": _Sensor(("effort",), (256.0,), ("256/percent",), True),
}


def parts(folder: Path) -> list[Part]:
    """The nodes on the rig."""
    runs = {mode: _rotor_runs(folder, mode) for mode in "HNVD"}
    if len(runs["H"]) <= _ROTOR_CHECK:
        return []
    return [_rotor_part(name, sensor, runs) for name, sensor in _ROTOR_SENSORS.items()]


def _rotor_part(name: str, sensor: _Sensor, runs: dict[str, list[list[dict[str, str]]]]) -> Part:
    healthy = [[_rotor_samples(sensor, s) for s in _continuous(run)] for run in runs["H"][:_ROTOR_CHECK]]
    window = 64
    first, second, third = (
        [s for run in healthy[a:b] for s in run if len(s) >= window]
        for a, b in pairwise((0, _ROTOR_FIT, _ROTOR_CALIBRATE, _ROTOR_CHECK))
    )
    rest = [
        (mode, row) for mode, some in runs.items() for run in some[_ROTOR_CHECK if mode == "H" else 0 :] for row in run
    ]
    return Part(
        name=name,
        asset="rotor-rig",
        description=f"rotor rig, {', '.join(sensor.columns)}, about 65 Hz: first {_ROTOR_CHECK} healthy runs",
        channels=tuple(Channel(name=c, unit=u) for c, u in zip(sensor.columns, sensor.units, strict=True)),
        rate_millihz=_ROTOR_RATE_MILLIHZ,
        window=window,
        level_matters=sensor.level_matters,
        fit=first,
        calibrate=second,
        check=third,
        played=_rotor_samples(sensor, [row for _, row in rest]),
        labels=labels([(1, _ROTOR_FAULTS[mode] if float(row["anomaly"]) else "") for mode, row in rest]),
        note="learnt in the healthy session: in the other sessions the rig was set up anew, and many of their healthy "
        "windows are flagged",
    )


def _rotor_runs(folder: Path, mode: str) -> list[list[dict[str, str]]]:
    runs = []
    for file in sorted(folder.glob(f"{mode}_merged_data*.csv.gz"), key=lambda f: int(re.sub(r"\D", "", f.name))):
        with gzip.open(file, "rt", newline="") as lines:
            runs.append(list(csv.DictReader(lines)))
    return runs


def _continuous(run: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    """A run cut where the recording paused."""
    times = [float(row["t_ms"]) for row in run]
    cuts = [i + 1 for i, (a, b) in enumerate(pairwise(times)) if b - a > _ROTOR_GAP_MS]
    return [run[a:b] for a, b in pairwise((0, *cuts, len(run)))]


def _rotor_samples(sensor: _Sensor, rows: list[dict[str, str]]) -> Samples:
    """Rows as samples; the jitter of their spacing (p99 about 4 ms) is left as it is."""
    values: NDArray[Any] = np.array([[row[c] for c in sensor.columns] for row in rows], dtype=np.float64)
    return whole(values * np.array(sensor.per_unit))
