"""Slow readings as the 16-bit samples of a slow sensor, which a node's model can be trained on and evaluated with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gateway.detectors.manifest import Channel as Sampled
from gateway.training.dataset import Dataset, Recording, fitting_per_unit
from gateway.training.dataset.manifest import Run
from gateway.training.view import OVERLAP

SAMPLES = 32
"""Readings of a window: the fewest that a window has."""
HOP = SAMPLES // OVERLAP
_CHANNELS = 9  # of a node


def sampled(dataset: Dataset, scaled: Sequence[Sampled] = ()) -> Dataset:
    """The dataset with its readings as samples; nothing is written. `scaled`: as a Bundle has its channels; without:
    in steps that fit each channel in all runs. Runs of more channels than a node has stay as they are.
    """
    told = [_per_unit(channel.unit) for channel in scaled]
    runs = []
    for recording in dataset.recordings:
        run = recording.run
        if run.kind == "values" and len(run.channels) <= _CHANNELS:
            fitting = told if len(told) == len(run.channels) else _fitting(dataset, run)
            run = sampled_run(run, fitting)
        runs.append(run)
    return replace(dataset, manifest=dataset.manifest.model_copy(update={"runs": tuple(runs)}))


def sampled_run(run: Run, per_unit: Sequence[float]) -> Run:
    """A run of readings as one of samples, in so many steps a unit of each channel."""
    channels = (c.model_copy(update={"per_unit": p}) for c, p in zip(run.channels, per_unit, strict=True))
    return run.model_copy(update={"kind": "samples", "channels": tuple(channels)})


def _fitting(dataset: Dataset, run: Run) -> list[float]:
    """Steps a unit of each channel, the same for all runs of the same channels."""
    alike = [r for r in dataset.recordings if r.run.kind == "values" and r.run.channels == run.channels]
    parts = [r.read().values for r in alike]
    if all(part.dtype == np.int16 for part in parts):
        return [1.0] * len(run.channels)
    return [fitting_per_unit(column) for column in np.concatenate(parts).T]


def _per_unit(unit: str) -> float:
    """As `held_out.channels` writes it: "16/°C"."""
    steps, slash, _ = unit.partition("/")
    return float(steps) if slash else 1.0


def is_slow(recordings: Sequence[Recording]) -> bool:
    """Whether all of these are readings."""
    return all(r.run.kind == "values" for r in recordings)
