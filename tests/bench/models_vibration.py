"""Figures of vibration: a fan on another mount, and one at speeds that were not learned. A rotor: `models_rotor.py`.

No number is fitted to labels. The kind of features was chosen with these recordings at hand, and may flatter on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gateway.detectors import judged as judged_values
from gateway.detectors.feature_sets import PRINCIPAL
from gateway.detectors.place import Place, Settings, Verdicts
from gateway.detectors.place.context import Contexts
from gateway.detectors.place.normal import Floats, cut, fit
from gateway.detectors.place.prior import Prior
from gateway.detectors.place.threshold import limit
from gateway.training import stream
from gateway.training.dataset import Recording
from gateway.training.features import compute_all
from gateway.training.metrics import auroc
from tests.bench.figures import Figure
from tests.bench.shared_data import dataset


def windows(recording: Recording, samples: int, hop: int) -> NDArray[np.int16]:
    """Windows [n, samples, channels] that `stream.of` with these arguments has as rows."""
    run, values = recording.run, recording.samples()
    stretches = pairwise((0, *run.breaks, len(values)))
    firsts = [np.arange(begin, end - samples + 1, hop) for begin, end in stretches]
    return np.asarray(values[np.concatenate(firsts)[:, None] + np.arange(samples)])


NAMES = judged_values.names(PRINCIPAL, 3)


def octaves(features: NDArray[np.number]) -> Floats:
    """Principal features [n, 6] of one sensor as what a learner judges."""
    return judged_values.judged(PRINCIPAL, 3, features)


def share(value: float | None, how: str) -> Figure:
    """A figure of a share, in three digits."""
    assert value is not None
    return Figure(round(value, 3), "", how)


# --- the ceiling fan

FAN_SAMPLES = 100
"""Half a second at 200 Hz."""
MINUTE = 120
TURN, GAIN = (2, 0, 1), 0.9
"""Another mount: a quarter turn about two axes, and one that transmits less."""


@dataclass(frozen=True)
class Fan:
    """Principal energies of each recording, as it is and as on another mount."""

    plain: Mapping[str, Floats]
    turned: Mapping[str, Floats]


@cache
def fan_rows() -> Fan:
    """Raises FileNotFoundError without the recordings."""
    plain, turned = {}, {}
    for recording in dataset("fan").recordings:
        x = windows(recording, FAN_SAMPLES, FAN_SAMPLES)
        plain[recording.name] = octaves(compute_all(PRINCIPAL, x))
        turned[recording.name] = octaves(compute_all(PRINCIPAL, np.rint(x[:, :, TURN] * GAIN).astype(np.int16)))
    return Fan(plain, turned)


def fan_prior(fan: Fan) -> Prior:
    """Of the first two minutes at the first place."""
    chunks = [fan.plain["normal"][: 2 * MINUTE][piece] for piece in cut(2 * MINUTE)]
    return Prior.of(NAMES, chunks, limit=limit(fit, chunks))


def judged(prior: Prior, own: Floats, rows: Floats) -> Verdicts:
    """What a place with that prior that learned `own` says of the rows."""
    place = Place(NAMES, Settings(events=1 / 500, learn=len(own), average=1), prior)
    place.commission(own)
    return place.judge(rows)


def beginnings() -> range:
    """Where learning begins in the normal recording, behind what the prior knows, and four minutes before its end."""
    return range(2 * MINUTE, 2 * 340, 20)


def ramp(normal: Floats, weight: Floats) -> Floats:
    """Three minutes of rows after one that was learned: in two of them the weight comes, in the third it is there."""
    later = normal[MINUTE : 4 * MINUTE]
    grown = weight.mean(axis=0) - normal[:MINUTE].mean(axis=0)
    return np.asarray(later + grown * np.minimum(1, np.arange(len(later)) / (2 * MINUTE))[:, None])


def fan() -> Mapping[str, Figure]:
    """False alarms after a move, and what of a weight on a blade is found."""
    rows = fan_rows()
    prior = fan_prior(rows)
    normal, weight, moving = rows.turned["normal"], rows.turned["weight"], rows.plain["moving"]
    moved = judged(prior, moving[:MINUTE], moving[MINUTE:]).latched.mean()
    weight_moved = judged(prior, moving[:MINUTE], weight).latched.mean()
    later_moved = [
        judged(prior, moving[first : first + MINUTE], moving[first + MINUTE :]).latched.mean()
        for first in range(0, len(moving) - 2 * MINUTE, 20)
    ]
    names = "quiet", "all", "third", "ramp", "delay", "quiet_10", "all_10"
    found: dict[str, list[float]] = {name: [] for name in names}
    for first in beginnings():
        here = normal[first:]
        own, later = here[:MINUTE], here[MINUTE:]
        grown = (weight.mean(axis=0) - own.mean(axis=0)) / 3
        found["quiet"].append(judged(prior, own, later).latched.mean())
        found["all"].append(judged(prior, own, weight).latched.mean())
        found["third"].append(judged(prior, own, later + grown).latched.mean())
        grows = judged(prior, own, ramp(here, weight)).latched
        found["ramp"].append(grows[2 * MINUTE :].mean())
        found["delay"].append(float(np.argmax(grows)) / 2 if grows.any() else np.nan)
        found["quiet_10"].append(judged(prior, own[:20], later).latched.mean())
        found["all_10"].append(judged(prior, own[:20], weight).latched.mean())
    data = (
        f"ceiling fan, low speed, principal energies of windows of {FAN_SAMPLES} samples at 200 Hz, full covariances, "
        "1 wanted event in 500, prior from the first 2 minutes at the first place; "
    )
    mount = f"{data}mean of {len(beginnings())} beginnings on another mount (axes {TURN}, gain {GAIN}), "
    minute, seconds = f"{mount}60 s learned: ", f"{mount}10 s learned: "
    shifted = f"{data}recording `moving`, all through which the sensor is shifted, so what is learned is wide: "
    others = (
        f"mean of {len(later_moved)} beginnings in it, 10 s apart, 60 s learned of each: "
        f"{100 * np.mean(later_moved):.0f} % of the rows behind are in alarm"
    )
    weights = (
        f"its first 60 s learned, {100 * weight_moved:.0f} % of the rows with the weight are in alarm, which was "
        "recorded before the move: no fault was recorded behind it"
    )
    late = [delay for delay in found["delay"] if not np.isnan(delay)]
    delays = f"{np.median(late):.0f} s (median), {max(late):.0f} s (longest)" if late else "never"
    return {
        "fan_moved_false_alarm_pct": _per_cent(
            moved, f"{shifted}rows in alarm behind its first 60 s, which were learned; {others}; {weights}"
        ),
        "fan_moved_mean_false_alarm_pct": _per_cent(np.mean(later_moved), f"{shifted}{others}"),
        "fan_moved_weight_recall_pct": _per_cent(weight_moved, f"{shifted}{weights}"),
        "fan_recall_pct": _per_cent(np.mean(found["all"]), f"{minute}rows in alarm with the weight"),
        "fan_recall_third_pct": _per_cent(
            np.mean(found["third"]), f"{minute}normal rows in alarm when moved a third of the way to the weight's mean"
        ),
        "fan_false_alarm_pct": _per_cent(np.mean(found["quiet"]), f"{minute}normal rows in alarm"),
        "fan_false_alarm_10s_pct": _per_cent(np.mean(found["quiet_10"]), f"{seconds}normal rows in alarm"),
        "fan_recall_10s_pct": _per_cent(np.mean(found["all_10"]), f"{seconds}rows in alarm with the weight"),
        "ramp_recall_pct": _per_cent(
            np.mean(found["ramp"]), f"{minute}then the weight comes in 120 s (rows moved in octaves from normal to "
            f"weight), with tracking on: rows in alarm in the minute behind that; the alarm begins {delays} behind the "
            f"first row of the ramp, in {len(late)} of {len(beginnings())}"
        ),
    }  # fmt: skip


# --- the UCI fan

SPEEDS_PER_CENT = tuple(range(20, 101, 10))
UCI_SAMPLES = 64


@cache
def uci_rows(config: int) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Energies [n, 6], speeds [n, 1] and breaks of a configuration of the magnets, by speed."""
    parts = []
    for recording in dataset("uci_fan").recordings:
        if recording.name.startswith(f"config-{config}"):
            seen = stream.of(recording, PRINCIPAL, UCI_SAMPLES)
            assert seen.context is not None
            parts.append((octaves(seen.x), seen.context))
    rows, speeds = (np.concatenate([each[i] for each in parts]) for i in (0, 1))
    order = np.argsort(speeds[:, 0], kind="stable")
    return rows[order], speeds[order], np.flatnonzero(np.diff(speeds[order, 0])) + 1


def unseen_speed(speed: float) -> dict[int, float]:
    """AUROC of configurations 2 and 3 at a speed at which the normal one was never learned."""
    rows, speeds, _ = uci_rows(1)
    seen = speeds[:, 0] != speed
    breaks = np.flatnonzero(np.diff(speeds[seen, 0])) + 1
    scores = {}
    for config in (1, 2, 3):
        place = Place(NAMES, Settings(average=5, follow=0.0), Contexts())
        place.commission(rows[seen], breaks.tolist(), speeds[seen])
        judged_rows, at, _ = uci_rows(config)
        here = at[:, 0] == speed
        scores[config] = place.judge(judged_rows[here], [0], at[here]).error[4:]
    found = {}
    for config in (2, 3):
        fault = np.repeat(np.array([0, 1], np.int8), [len(scores[1]), len(scores[config])])
        found[config] = auroc(fault, np.concatenate([scores[1], scores[config]])) or 0.0
    return found


def uci_fan() -> Mapping[str, Figure]:
    """AUROC at speeds that were not learned, between ones that were."""
    by_speed = {speed: unseen_speed(speed) for speed in SPEEDS_PER_CENT}
    found = {}
    for config in (2, 3):
        each = [by_speed[speed][config] for speed in SPEEDS_PER_CENT]
        how = (
            "UCI fan, windows of 64 samples at 50 Hz, principal energies averaged over 5 rows; the normal "
            "configuration learned at all other speeds, its mean interpolated by kriging, the uncertainty of that "
            "added to B; mean of the AUROC at 30, 40, ... 90 %: "
            f"{', '.join(f'{value:.2f}' for value in each[1:-1])}; beyond the learned speeds, at 20 and 100 %: "
            f"{each[0]:.2f} and {each[-1]:.2f}"
        )
        found[f"uci_fan_auroc_cfg{config}"] = share(
            float(np.mean(each[1:-1])), f"{how}; of all nine {np.mean(each):.3f}"
        )
        found[f"uci_fan_auroc_cfg{config}_all_speeds"] = share(
            float(np.mean(each)), f"{how}; mean of all nine, of which those two are not between learned speeds"
        )
    return found


def _per_cent(share: float | np.floating, how: str) -> Figure:
    return Figure(round(100 * float(share), 2), "%", how)


GROUPS = {"fan": fan, "uci-fan": uci_fan}
