"""The model of a room's node: regimes of temperature and humidity, for feature set 3.

    python -m gateway.training.room OUT                                 rooms of the C node's simulator
    python -m gateway.training.room OUT --recording FOLDER --node NAME  a dataset (gateway/training/dataset.py)

Night, day, heating up and airing are found by k-means, not named by a person, and become the classes of a classifier;
what is none of them is an anomaly. A Bundle for the node and one for the gateway (`gateway.training.commission`). What
is learned from simulated rooms lets a node begin; a real room is learned from its own recording.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from gateway.detectors.bundle import Bundle
from gateway.detectors.feature_sets import SLOW
from gateway.detectors.manifest import Channel, DataSource
from gateway.training import outcome
from gateway.training.commission import Features, Normal, Purpose, host_bundle, node_bundle, regimes
from gateway.training.dataset import Dataset, DatasetBroken, Recording, load
from gateway.training.dense import Progress, Unsuitable
from gateway.training.features import Samples
from gateway.training.simulator import NoSimulator, Simulation

CHANNELS = (Channel(name="temperature", unit="100/degC"), Channel(name="humidity", unit="100/percent"))
FIT_SEEDS, CALIBRATE_SEEDS, CHECK_SEEDS = range(1000, 1012), range(2000, 2008), range(3000, 3008)
"""Simulated rooms; none is in two parts."""
_PER_UNIT = 100
_DAY_S = 86_400
_OVERLAP = 4  # windows begin every so many parts of their length
_SHARES = 0.6, 0.8  # of a recording: up to here it is learned from, up to there calibrated on


@dataclass(frozen=True)
class Sampling:
    """How a node looks at its room: so many samples in a window, one every so many seconds."""

    samples: int = 32
    every_s: float = 60.0

    def windows(self, series: Samples) -> Features:
        """Features [n, 6] of a series [samples, 2]. ValueError if it is shorter than a window."""
        return outcome.windows(series, self.samples, max(1, self.samples // _OVERLAP), SLOW)


def day(spec: str, seed: int, sampling: Sampling) -> Samples:
    """A day [n, 2] of one simulated room, such as "sim:room?fault=door". Raises NoSimulator."""
    with Simulation(spec, seed) as room:
        times = np.arange(0, _DAY_S, sampling.every_s)
        return np.concatenate([room.window(int(1e6 * t), 1) for t in times])


def simulated(sampling: Sampling, parts: Sequence[Sequence[int]] = (FIT_SEEDS, CALIBRATE_SEEDS, CHECK_SEEDS)) -> Normal:
    """A day of each of many healthy rooms. Raises NoSimulator."""
    fit, calibrate, check = (
        np.concatenate([sampling.windows(day("sim:room", seed, sampling)) for seed in seeds]) for seeds in parts
    )
    digest = hashlib.sha256(b"".join(part.astype("<i8").tobytes() for part in (fit, calibrate, check))).hexdigest()
    source = DataSource(description="features of windows of days of sim:room", sha256=digest)
    return Normal(fit, calibrate, check, (source,))


def recorded(dataset: Dataset, node: str, sampling: Sampling) -> Normal:
    """The recordings of one node, each in three parts: learned from, then calibrated on, then checked.

    Raises Unsuitable: no such node, no temperature and humidity, sampled more seldom than wanted, too short.
    """
    parts: list[list[Features]] = [[], [], []]
    for recording in dataset.of_node(node):
        series = _series(recording)
        step = round(sampling.every_s * recording.run.rate_hz)
        if step < 1:
            raise Unsuitable(f"{recording.name} has fewer samples than one every {sampling.every_s:g} s")
        ends = [int(share * len(series)) for share in _SHARES]
        for start, end in pairwise(sorted({0, *recording.run.breaks, *ends, len(series)})):
            if len(piece := series[start:end:step]) >= sampling.samples:
                parts[sum(start >= at for at in ends)].append(sampling.windows(piece))
    if not all(parts):
        raise Unsuitable(
            f"{dataset.manifest.name} has too little of node {node!r}: no window in one of its three parts"
        )
    source = DataSource(description=f"{dataset.manifest.name}, node {node}", sha256=dataset.sha256())
    fit, calibrate, check = (np.concatenate(part) for part in parts)
    return Normal(fit, calibrate, check, (source,))


def _series(recording: Recording) -> Samples:
    """Temperature and humidity [n, 2] in the units of CHANNELS."""
    names = [channel.name for channel in recording.run.channels]
    wanted = [channel.name for channel in CHANNELS]
    if recording.run.kind == "features" or not set(wanted) <= set(names):
        has = f"{recording.name} has {recording.run.kind} of {', '.join(names)}"
        raise Unsuitable(f"{has}: {' and '.join(wanted)} are needed, as such")
    columns = [names.index(name) for name in wanted]
    if recording.run.kind == "samples":
        return recording.samples()[:, columns]
    values = _PER_UNIT * recording.read().values[:, columns].astype(np.float64)
    return np.rint(values).clip(-(2**15), 2**15 - 1).astype(np.int16)


def make(
    out: Path, normal: Normal, sampling: Sampling, clusters: int | None = None, progress: Progress | None = None
) -> tuple[Bundle, Bundle]:
    """Write `room-node` and `room-host` into `out`. Raises Unsuitable, also where the windows form no regimes."""
    rate_millihz = max(1, round(1000 / sampling.every_s))

    def purpose(role: str) -> Purpose:
        name = f"room-{role}"
        return Purpose(name, CHANNELS, sampling.samples, rate_millihz, "gateway.training.room", feature_set=SLOW)

    classes = regimes(normal, purpose("node"), clusters)
    return (
        node_bundle(out / "room-node", purpose("node"), normal, progress, classes),
        host_bundle(out / "room-host", purpose("host"), normal, progress, classes),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the module. Exit code 65 (EX_DATAERR) for data that nothing can be learned from, 69
    (EX_UNAVAILABLE) where there is no simulator.
    """
    parser = argparse.ArgumentParser(prog="gateway.training.room", description="Make the models of a room's node.")
    parser.add_argument("out", type=Path, help="folder to write the bundles into")
    parser.add_argument("--recording", type=Path, help="a dataset; default: simulated rooms")
    parser.add_argument("--node", default="climate", help="of the dataset")
    parser.add_argument("--samples", type=int, default=Sampling.samples, help="in a window")
    parser.add_argument("--every-s", type=float, default=Sampling.every_s, help="seconds from one to the next")
    parser.add_argument("--regimes", type=int, help="how many; default: as many as stand apart")
    options = parser.parse_args(arguments)
    sampling = Sampling(options.samples, options.every_s)
    try:
        of_recording = options.recording is not None
        normal = recorded(load(options.recording), options.node, sampling) if of_recording else simulated(sampling)
        for bundle in make(options.out, normal, sampling, options.regimes):
            q, classes = bundle.manifest.quality, len(bundle.manifest.classes)
            print(f"{bundle.folder}: {classes} regimes, {q.false_alarms} false alarms in {q.windows} windows")
    except (Unsuitable, DatasetBroken) as error:
        print(f"no bundles made: {error}", file=sys.stderr)
        return 65
    except NoSimulator as error:
        print(f"no bundles made: {error}", file=sys.stderr)
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())
