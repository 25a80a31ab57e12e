"""Figures of a rotor rig across sessions: a prior from the fleet against faults on other days.

No number is fitted to labels. The kind of features, that a fleet passes on variances only, and how errors of features
are put together were chosen with these recordings at hand, and may flatter on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np
from numpy.typing import NDArray

from gateway.detectors import judged
from gateway.detectors.feature_sets import PRINCIPAL, STATISTICS
from gateway.detectors.place.normal import CHUNKS, Floats, Normal, cut
from gateway.detectors.place.prior import Prior, unlikely
from gateway.training import stream
from gateway.training.metrics import auroc, clock_auroc
from tests.bench.figures import Figure
from tests.bench.models_vibration import share, windows
from tests.bench.shared_data import dataset

ROSA_SAMPLES, ROSA_HOP = 64, 16
"""A second at 65 Hz, which is three to seven turns of the shaft, four times a second."""
ROSA_WINDOW = ROSA_SAMPLES, ROSA_HOP
AXES = 6
"""Three of the accelerometer, three of the gyroscope."""
STEP = 16
"""A step of a sample in feature set 1."""
FULL_SCALE_DPS = 2000.0
"""Of the rig's gyroscope: beyond it wraps or stands still (at 333 rpm)."""
FIRST_S = 1.0
"""Of a run of another session that is taken to be healthy, as its dataset says for runs N and V."""


@dataclass(frozen=True)
class Rotor:
    """A run: its energies [n, 12], mean effort [n, 1], set and true speed [n, 2], and what is known of each row."""

    energies: Floats
    effort: Floats
    speeds: Floats
    running: NDArray[np.bool_]
    saturated: NDArray[np.bool_]
    at_s: Floats
    fault: NDArray[np.int8]


@cache
def rotors() -> Mapping[str, Rotor]:
    """The runs by name: H healthy, N with a lateral force, V vibrated from outside, D damped."""
    nodes = {(r.run.session, r.run.node): r for r in dataset("rosa").recordings}
    found = {}
    for session in sorted({session for session, _ in nodes}):
        imu, effort = nodes[session, "imu"], nodes[session, "effort"]
        seen, pull = stream.of(imu, PRINCIPAL, *ROSA_WINDOW), stream.of(effort, STATISTICS, *ROSA_WINDOW)
        per_unit = np.array([channel.per_unit or 1.0 for channel in imu.run.channels])
        beyond = np.abs(windows(imu, *ROSA_WINDOW)[:, :, 3:]) >= FULL_SCALE_DPS * per_unit[3:]
        assert seen.context is not None
        speeds = seen.context[:, [seen.context_names.index(name) for name in ("rpm_set", "rpm")]]
        found[session] = Rotor(
            judged.judged(PRINCIPAL, AXES, seen.x),
            pull.x[:, :1] / STEP,
            speeds,
            (speeds[:, 0] > 0) & (speeds[:, 1] > speeds[:, 0] / 2),
            (32 * beyond.sum(axis=1) >= ROSA_SAMPLES).any(axis=1),
            seen.at_s - seen.at_s[0] + ROSA_SAMPLES / imu.run.rate_hz,
            seen.fault,
        )
    return found


def part(normal: Normal, keep: NDArray[np.bool_]) -> Normal:
    """What is normal of some features: the others are not there."""
    both = np.ix_(keep, keep)
    return Normal(normal.mean[keep], normal.within[both], normal.between[both], normal.rows, normal.chunks)


def rotor_prior(without: str, energies: bool) -> Prior:
    """Of all healthy runs, and of the first second of all runs N and V, without that of one run."""
    names = judged.names(PRINCIPAL, AXES) if energies else ("effort",)
    parts = []
    for name, run in rotors().items():
        if name == without or name[0] == "D":
            continue
        use = run.running & ~run.saturated & ((name[0] == "H") | (run.at_s <= FIRST_S + 0.02))
        if not use.any():
            continue
        rows = (run.energies if energies else run.effort)[use]
        pieces = cut(len(rows)) if len(rows) >= 2 * CHUNKS else [slice(None)]
        chunks = [rows[piece] for piece in pieces]
        if energies:
            parts.append(Prior.of(names, chunks))
        else:
            contexts = [run.speeds[use][piece] for piece in pieces]
            parts.append(Prior.of(names, chunks, contexts, ("rpm_set", "rpm")))
    return reduce(Prior.merge, parts)


@cache
def rotor_scores(name: str) -> tuple[Floats, Floats]:
    """Of a run nobody has learned from: how unlikely its vibration is, and its effort at that speed [n each].

    A machine can be harder to turn than is normal; where it is easier, nothing is wrong with it.
    """
    run = rotors()[name]
    normal = rotor_prior(name, energies=True).expected().at()
    gyroscope = np.arange(run.energies.shape[1]) >= run.energies.shape[1] // 2
    blind = unlikely(part(normal, ~gyroscope), run.energies[:, ~gyroscope])
    vibration = np.where(run.saturated, blind, unlikely(normal, run.energies))
    known = rotor_prior(name, energies=False).expected()
    at = [known.at(speeds) for speeds in run.speeds]
    effort = np.array([
        unlikely(there, np.maximum(row, there.mean)[None])[0] for there, row in zip(at, run.effort, strict=True)
    ])  # fmt: skip
    return vibration, effort


def rosa() -> Mapping[str, Figure]:
    """AUROC across sessions by kind of fault, with the clock's beside it."""
    data = (
        "RoSA, windows of 64 samples at 65 Hz every 16, of one label each; every run scored by a prior from the 14 "
        "healthy runs and the first second of the other runs N and V; nothing of the run itself learned, its first "
        "second not scored for N and V; "
    )
    imu = "principal energies of gyroscope and accelerometer (of the latter alone where the former is at full scale)"
    found = {}
    for kind in "NVD":
        names = [name for name in rotors() if name[0] == kind]
        runs = [rotors()[name] for name in names]
        later = [run.at_s > (FIRST_S + 0.02 if kind != "D" else 0) for run in runs]
        fault = np.concatenate([run.fault[use] for run, use in zip(runs, later, strict=True)])
        both = [rotor_scores(name) for name in names]
        vibration, effort = (
            np.concatenate([score[i][use] for score, use in zip(both, later, strict=True)]) for i in (0, 1)
        )
        features = runs[0].energies.shape[1]
        together = (features * vibration + effort) / (features + 1)
        clock = clock_auroc(*([of[use] for of, use in zip(each, later, strict=True)] for each in (
            [run.fault for run in runs], [run.at_s for run in runs],
        )))  # fmt: skip
        clock_how = (
            "RoSA, the same rows, scored by the time since the run began, rising or falling, whichever is better"
        )
        driven = "the motor's effort above what set and true speed explain"
        hows = {
            "imu": (vibration, f"{data}{imu}, mean surprise"),
            "imu_effort": (together, f"{data}{imu} and {driven}, mean surprise"),
            "effort": (effort, f"{data}{driven}"),
        }
        for name, (score, how) in hows.items():
            found[f"rosa_{name}_auroc_{kind.lower()}"] = share(auroc(fault, score), how)
        found[f"rosa_clock_auroc_{kind.lower()}"] = share(clock, clock_how)
    return found


GROUPS = {"rosa": rosa}
