"""Recorded machines for the demo: which files play on which nodes, what is learnt from, and what the rest really was.

A folder is recognised by what lies in it; each kind of recording is a function here that makes a list of `Part`s. Every
part is commissioned from its own leading healthy stretch, before anything that is played; labels serve to judge the
replay and are never used to choose a threshold.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.bundle import IMAGE, Bundle, DataSource
from gateway.training.commission import Normal, Purpose, host_bundle, level_features, node_bundle
from gateway.training.evaluate import Interval, windows
from gateway.training.features import Samples


class NoRecording(ValueError):  # noqa: N818 - it is the operator's choice of folder
    """A folder that holds no recording known here."""


@dataclass(frozen=True)
class ReplayNode:
    """One node of a replay: what it plays, and the Bundles made from its commissioning part.

    It looks at the machine every `wake_ms`. `labels` are in samples of the file, `note` says what to expect.
    """

    name: str
    asset: str
    samples_file: Path
    image_file: Path
    node: Bundle
    host: Bundle
    wake_ms: int
    rate_millihz: int
    labels: tuple[Interval, ...]
    note: str


@dataclass(frozen=True)
class Replay:
    """Everything that the demo needs to play recordings on nodes."""

    nodes: tuple[ReplayNode, ...]


def prepare(folder: Path, out: Path) -> Replay:
    """Convert the recordings in `folder` (or in the folders in it) and commission a node for each, into `out`,
    where each Bundle lies in a folder of its own name.

    Raises NoRecording if nothing is recognised, OSError if a file cannot be read or written.
    """
    parts = [part for place in (folder, *sorted(folder.glob("*/"))) for kind in _KINDS for part in kind(place)]
    if not parts:
        raise NoRecording(
            f"{folder}: no ceiling fan (fan_*_0_weight.npz) and no rotor rig (H_merged_data*.csv.gz) here"
        )
    return Replay(tuple(_replay_node(part, out) for part in parts))


def write_samples(file: Path, samples: Samples, rate_millihz: int, unit: str) -> None:
    """Write the C node's sample file: a line of ASCII, then the samples [n, channels] as little-endian int16."""
    header = f"stethos-samples 1 channels={samples.shape[1]} rate_millihz={rate_millihz} unit={unit}\n"
    file.write_bytes(header.encode("ascii") + samples.astype("<i2").tobytes())


@dataclass(frozen=True)
class _Part:
    """A node's recording: stretches to be commissioned from, each continuous, and what is played."""

    name: str
    asset: str
    description: str
    unit: str
    rate_millihz: int
    window: int
    level_matters: bool
    fit: Sequence[Samples]
    calibrate: Sequence[Samples]
    check: Sequence[Samples]
    played: Samples
    labels: tuple[Interval, ...]
    note: str


_WAKE_MS = 1000


def _replay_node(part: _Part, out: Path) -> ReplayNode:
    out.mkdir(parents=True, exist_ok=True)
    samples_file = out / f"{part.name}.samples"
    write_samples(samples_file, part.played, part.rate_millihz, part.unit)
    channels = part.played.shape[1]
    digest = hashlib.sha256(b"".join(s.tobytes() for s in (*part.fit, *part.calibrate, *part.check))).hexdigest()
    normal = Normal(
        fit=_windows(part.fit, part.window, part.window // 4),
        calibrate=_windows(part.calibrate, part.window, part.window),
        check=_windows(part.check, part.window, part.window),
        sources=(DataSource(description=part.description, sha256=digest),),
    )
    left_out = frozenset[int]() if part.level_matters else level_features(channels)

    def purpose(role: str) -> Purpose:
        return Purpose(f"{part.name}-{role}", channels, part.window, "gateway.demo.recordings", left_out)

    node = node_bundle(out / f"{part.name}-node", purpose("node"), normal)
    host = host_bundle(out / f"{part.name}-host", purpose("host"), normal)
    return ReplayNode(
        part.name,
        part.asset,
        samples_file,
        node.folder / IMAGE,
        node,
        host,
        _WAKE_MS,
        part.rate_millihz,
        part.labels,
        part.note,
    )


def _windows(stretches: Sequence[Samples], length: int, hop: int) -> NDArray[np.int64]:
    return np.concatenate([windows(s, length, hop) for s in stretches])


def _whole(values: NDArray[np.float64]) -> Samples:
    """To 16-bit samples, saturating as a sensor does."""
    return np.clip(np.rint(values), -32768, 32767).astype(np.int16)


# Ceiling fan: recordings of 200 samples [recording, 200, 3] in g at 200 Hz, made one after the other.

_FAN_UNIT_PER_G = 16384
_FAN_RATE_HZ = 200
_FAN_SECONDS = (36, 50, 60)  # the first minute: until here the model is fitted, calibrated, checked


def _ceiling_fan(folder: Path) -> list[_Part]:
    normal, weight, moved = (_fan(folder / f"fan_0_low_{n}.npz") for n in ("0_weight", "1_weight", "0_weight-moving"))
    if normal is None or weight is None:
        return []
    learnt = _FAN_SECONDS[-1] * _FAN_RATE_HZ
    played = [(normal[learnt:], ""), (weight, "a coin on one blade")]
    note = "the sensor was touched when the weight went on, so its tilt changes too: the model does not see tilt"
    parts = [_fan_part("ceiling-fan", normal, played, note)]
    if moved is not None:
        note = (
            "the same healthy fan while the sensor is moved about, with the model of the first placement: "
            "false alarms are expected until a node learns its place"
        )
        parts.append(_fan_part("moved-fan", normal, [(moved, "")], note))
    return parts


def _fan_part(asset: str, normal: Samples, played: Sequence[tuple[Samples, str]], note: str) -> _Part:
    fit, calibrate, check = (second * _FAN_RATE_HZ for second in _FAN_SECONDS)
    return _Part(
        name=f"{asset}-hub",
        asset=asset,
        description=f"ceiling fan, accelerometer, 200 Hz, low speed: first {_FAN_SECONDS[-1]} s of the normal run",
        unit=f"{_FAN_UNIT_PER_G}/g",
        rate_millihz=_FAN_RATE_HZ * 1000,
        window=128,
        level_matters=False,
        fit=[normal[:fit]],
        calibrate=[normal[fit:calibrate]],
        check=[normal[calibrate:check]],
        played=np.concatenate([samples for samples, _ in played]),
        labels=_labels([(len(samples), fault) for samples, fault in played]),
        note=note,
    )


def _fan(file: Path) -> Samples | None:
    if not file.is_file():
        return None
    with np.load(file) as archive:
        return _whole(archive["acc_g"].reshape(-1, 3) * _FAN_UNIT_PER_G)


# Rotor rig: one CSV per run, rows at about 65 Hz, in sessions: H healthy, then N, V and D, each with its own fault.

_ROTOR_FAULTS = {"N": "a lateral force on the shaft", "V": "vibration from outside", "D": "more damping"}
_ROTOR_RATE_MILLIHZ = 65_000
_ROTOR_GAP_MS = 200  # a longer pause between two rows ends a stretch
_ROTOR_FIT, _ROTOR_CALIBRATE, _ROTOR_CHECK = 8, 11, 12  # healthy runs, in the order in which they were made: up to here


@dataclass(frozen=True)
class _Sensor:
    """What one node on the rig measures: columns, and 16-bit units per unit of the column."""

    columns: tuple[str, ...]
    per_unit: tuple[float, ...]
    unit: str
    level_matters: bool


_G = 9.80665
_ROTOR_SENSORS = {
    "rotor-imu": _Sensor(
        ("ax", "ay", "az", "gx_dps", "gy_dps", "gz_dps"), (4096 / _G,) * 3 + (16.0,) * 3, "4096/g,16/dps", False
    ),
    "rotor-drive": _Sensor(("effort",), (256.0,), "256/percent", True),
}


def _rotor_rig(folder: Path) -> list[_Part]:
    runs = {mode: _rotor_runs(folder, mode) for mode in "HNVD"}
    if len(runs["H"]) <= _ROTOR_CHECK:
        return []
    return [_rotor_part(name, sensor, runs) for name, sensor in _ROTOR_SENSORS.items()]


def _rotor_part(name: str, sensor: _Sensor, runs: dict[str, list[list[dict[str, str]]]]) -> _Part:
    healthy = [[_rotor_samples(sensor, s) for s in _continuous(run)] for run in runs["H"][:_ROTOR_CHECK]]
    window = 64
    first, second, third = (
        [s for run in healthy[a:b] for s in run if len(s) >= window]
        for a, b in pairwise((0, _ROTOR_FIT, _ROTOR_CALIBRATE, _ROTOR_CHECK))
    )
    rest = [
        (mode, row) for mode, some in runs.items() for run in some[_ROTOR_CHECK if mode == "H" else 0 :] for row in run
    ]
    return _Part(
        name=name,
        asset="rotor-rig",
        description=f"rotor rig, {', '.join(sensor.columns)}, about 65 Hz: first {_ROTOR_CHECK} healthy runs",
        unit=sensor.unit,
        rate_millihz=_ROTOR_RATE_MILLIHZ,
        window=window,
        level_matters=sensor.level_matters,
        fit=first,
        calibrate=second,
        check=third,
        played=_rotor_samples(sensor, [row for _, row in rest]),
        labels=_labels([(1, _ROTOR_FAULTS[mode] if float(row["anomaly"]) else "") for mode, row in rest]),
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
    return _whole(values * np.array(sensor.per_unit))


def _labels(runs: Sequence[tuple[int, str]]) -> tuple[Interval, ...]:
    """Lengths with their fault ("" for none), joined where neighbours agree."""
    intervals: list[Interval] = []
    at = 0
    for length, fault in runs:
        if intervals and intervals[-1].fault == fault:
            intervals[-1] = Interval(intervals[-1].start, at + length, fault)
        else:
            intervals.append(Interval(at, at + length, fault))
        at += length
    return tuple(intervals)


_KINDS: tuple[Callable[[Path], list[_Part]], ...] = (_ceiling_fan, _rotor_rig)
