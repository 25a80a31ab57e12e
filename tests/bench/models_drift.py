"""How slow a drift must be to be followed: simulated machines that look once a minute and get louder and louder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.feature_sets import NAMES
from gateway.training.features import compute_all
from gateway.training.judges import Judge, NodeLearnerJudge, PlaceJudge, Seen, Subject
from gateway.training.simulator import Simulation
from tests.bench import recommend
from tests.bench.figures import Figure
from tests.bench.progress import say

EVERY_S = 60
LEARN = 240
JUDGES: Mapping[str, Callable[[Subject], Judge]] = {"learner": NodeLearnerJudge, "gateway": PlaceJudge}


@dataclass(frozen=True)
class Machine:
    """What is simulated: its specification, the individual, and a window's samples."""

    spec: str
    seed: int
    samples: int


MACHINES = {"motor": Machine("sim:motor", 11, 128), "pump": Machine("sim:pump", 21, 256)}


def windows(machine: Machine, number: int) -> NDArray[np.int16]:
    """So many [number, samples, channels], one each EVERY_S."""
    with Simulation(machine.spec, machine.seed) as plant:
        return np.stack([plant.window(10**6 * EVERY_S * at, machine.samples) for at in range(number)])


def drifted(quiet: NDArray[np.int16], rise_pct: float, length: int) -> NDArray[np.int16]:
    """The first LEARN as they are, then `length` more with a gain that rises evenly to so much more."""
    kept = quiet[: LEARN + length]
    share = np.clip((np.arange(len(kept)) - LEARN) / length, 0.0, 1.0)[:, None, None]
    return np.clip(np.rint(kept * (1 + rise_pct / 100 * share)), -(2**15), 2**15 - 1).astype(np.int16)


def alarmed_pct(judge: Judge, rows: NDArray[np.float64]) -> float:
    """Of the rows behind the LEARN that it learns, those at which an alarm stands that nobody acknowledges."""
    judge.commission(Seen(rows[:LEARN], None, ()))
    return 100 * float(judge.judge(Seen(rows[LEARN:], None, ())).alarm.mean())


def drift() -> Mapping[str, Figure]:
    """Each machine, rise, length and set of features."""
    found = {}
    for name, machine in MACHINES.items():
        quiet = windows(machine, LEARN + max(recommend.DRIFT_WINDOWS))
        channels = tuple(map(str, range(quiet.shape[2])))
        for length in recommend.DRIFT_WINDOWS:
            for rise in recommend.DRIFT_PCT:
                louder = drifted(quiet, rise, length)
                for feature_set in recommend.DRIFT_SETS:
                    rows = compute_all(feature_set, louder).astype(float)
                    how = (
                        f"simulated {name}, a window a minute, {LEARN} learned, then a gain that rises by {rise:g} %"
                        f" in {length} windows; {NAMES[feature_set]} features, 1 wanted event in 500: rows at which an"
                        " alarm stands that nobody acknowledges"
                    )
                    for who, make in JUDGES.items():
                        value = alarmed_pct(make(Subject("node", name, feature_set, channels, ())), rows)
                        key = f"study_drift_{name}_{length}_{rise:g}_pct_{NAMES[feature_set]}_{who}"
                        found[key] = Figure(round(value, 1), "%", how)
            say(f"{name}: {length} windows")
    recommend.write("drift", recommend.drift(found))
    return found


GROUPS = {"study-drift": drift}
