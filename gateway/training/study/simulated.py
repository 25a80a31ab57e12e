"""The set that a two-path study has by itself: a motor, a pump and a room of the C node's simulator, so that there is
something to see on a computer without recordings. Amplitudes there are plausible, not measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.training.dataset import Channel, Dataset, Label, Run, Writer, load
from gateway.training.simulator import Simulation

LICENCE, SOURCE = "Apache-2.0", "the C node's simulator (nodes/c_tflm/ports/host/sim.h)"
_PIECE_S = 10
_DAY_S = 86_400
_ROOM_S = 120
"""Seconds between two readings of a room."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run: what is simulated of which individual, how long, and how much of it is learned from."""

    name: str
    session: str
    spec: str
    seed: int
    seconds: int
    commission_s: int
    label: str = ""


def make(folder: Path) -> list[Dataset]:
    """The three sets below `folder`. Raises NoSimulator."""
    return [motor(folder / "motor"), pump(folder / "pump"), room(folder / "room")]


def motor(folder: Path) -> Dataset:
    """Vibration of an axle: another speed is another session, and the node is moved once."""
    pieces = (
        _Piece("normal", "placed", "sim:motor", 11, 460, 120),
        _Piece("imbalance", "placed", "sim:motor?fault=imbalance", 11, 90, 0, "imbalance"),
        _Piece("slower", "restarted", "sim:motor?speed=1380", 11, 200, 80),
        _Piece("slower-loose", "restarted", "sim:motor?speed=1380&fault=looseness", 11, 60, 0, "looseness"),
        _Piece("moved", "moved", "sim:motor?fault=moved", 11, 200, 80),
    )
    axes = [*(Channel(name=f"a{a}", unit="g", per_unit=16384.0) for a in "xyz"),
            *(Channel(name=f"g{a}", unit="deg/s", per_unit=131.072) for a in "xyz")]  # fmt: skip
    return _vibration(folder, "motor", axes, pieces)


def pump(folder: Path) -> Dataset:
    """Vibration of a pump that cavitates, and of another that is blocked."""
    pieces = (
        _Piece("normal", "first", "sim:pump", 21, 460, 120),
        _Piece("cavitation", "first", "sim:pump?fault=cavitation", 21, 60, 0, "cavitation"),
        _Piece("second", "second", "sim:pump", 22, 160, 80),
        _Piece("second-blocked", "second", "sim:pump?fault=blockage", 22, 60, 0, "blockage"),
    )
    return _vibration(folder, "pump", [Channel(name=f"a{a}", unit="g", per_unit=16384.0) for a in "xyz"], pieces)


def room(folder: Path) -> Dataset:
    """Temperature and humidity of two rooms; in the first the heating fails."""
    pieces = (
        _Piece("two-days", "autumn", "sim:room", 31, 2 * _DAY_S, _DAY_S),
        _Piece("cold", "autumn", "sim:room?fault=heating&ramp=7200", 31, _DAY_S // 2, 0, "heating"),
        _Piece("other-days", "winter", "sim:room?hour=6", 32, 2 * _DAY_S, _DAY_S),
    )
    channels = (Channel(name="temperature", unit="°C"), Channel(name="humidity", unit="%"))
    with Writer(folder, name="room", licence=LICENCE, source=SOURCE) as out:
        for piece in pieces:
            with Simulation(piece.spec, piece.seed) as plant:
                times = range(0, piece.seconds, _ROOM_S)
                values = np.concatenate([plant.window(10**6 * t, 1) for t in times]) / 100
            out.add(_run(piece, "room", channels, "values", 1 / _ROOM_S), values.astype(np.float32))
    return load(folder)


def _vibration(folder: Path, name: str, channels: Sequence[Channel], pieces: Sequence[_Piece]) -> Dataset:
    with Writer(folder, name=name, licence=LICENCE, source=SOURCE) as out:
        for piece in pieces:
            with Simulation(piece.spec, piece.seed) as plant:
                rate_hz = plant.rate_millihz / 1000
                values = _samples(plant, piece.seconds, rate_hz)
            out.add(_run(piece, name, channels, "samples", rate_hz), values)
    return load(folder)


def _samples(plant: Simulation, seconds: int, rate_hz: float) -> NDArray[np.int16]:
    """Without a gap: what a window holds depends on its time alone."""
    each = round(_PIECE_S * rate_hz)
    return np.concatenate([plant.window(10**6 * at, each) for at in range(0, seconds, _PIECE_S)])


def _run(piece: _Piece, asset: str, channels: Sequence[Channel], kind: str, rate_hz: float) -> Run:
    label = Label(start_s=0.0, end_s=float(piece.seconds), label=piece.label or "normal", fault=bool(piece.label))
    return Run.model_validate(
        {
            "file": f"{piece.name}.npz", "node": asset, "asset": asset, "sensor": "simulated", "kind": kind,
            "channels": tuple(c.model_dump() for c in channels), "rate_hz": rate_hz, "session": piece.session,
            "commission_s": float(piece.commission_s), "labels": (label.model_dump(),),
        }
    )  # fmt: skip
