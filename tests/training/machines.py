"""A drawn machine in the dataset layout: a tone and noise on three axes, and a fault that is louder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gateway.detectors.bundle import Bundle
from gateway.detectors.feature_sets import INVARIANT
from gateway.detectors.manifest import DataSource, channels_of
from gateway.training import stream
from gateway.training.commission import Normal, Purpose, node_bundle
from gateway.training.dataset import Channel, ContextChannel, Dataset, Label, Run, Writer, load

RATE = 64
SAMPLES = 64
AXES = tuple(Channel(name=name, unit="g", per_unit=4096.0) for name in "xyz")


def shaking(seed: int, loud: Sequence[float]) -> np.ndarray:
    """float32 [64 * seconds, 3] in g; `loud`: how much the machine shakes in each second."""
    random = np.random.default_rng(seed)
    size = np.repeat(np.asarray(loud), RATE)[:, None]
    t = np.arange(len(size)) / RATE
    tone = np.stack([np.sin(40 * t), np.cos(40 * t), np.sin(80 * t)], axis=1)
    return (size * (0.02 * tone + random.normal(scale=0.01, size=(len(t), 3))) + [0, 0, 1]).astype(np.float32)


def labels(*parts: tuple[float, float, bool]) -> tuple[Label, ...]:
    return tuple(Label(start_s=a, end_s=b, label="rub" if f else "normal", fault=f) for a, b, f in parts)


def machine(
    folder: Path,
    *,
    nodes: Sequence[str] = ("hub",),
    normal_s: int = 200,
    fault_s: int = 40,
    context: bool = False,
    begin_s: float = 0.0,
    told: Sequence[Label] | None = None,
    **about: Any,
) -> Dataset:
    """Of each node a run of `normal_s` seconds, 120 of them to learn from, then faulty ones, then 30 normal ones."""
    with Writer(folder, name="machine") as out:
        for at, node in enumerate(nodes):
            loud = [1.0] * normal_s + [2.5] * fault_s + [1.0] * 30
            values = shaking(at, loud)
            spans = labels(
                (0.0, normal_s, False), (normal_s, normal_s + fault_s, True), (normal_s + fault_s, len(loud), False)
            )
            run = Run(
                **{
                    "file": f"{node}.npz",
                    "node": node,
                    "asset": "machine",
                    "kind": "samples",
                    "channels": AXES,
                    "rate_hz": float(RATE),
                    "session": "s",
                    "commission_s": 120.0,
                    "context": (ContextChannel(name="speed"),) if context else (),
                    "labels": tuple(told) if told is not None else tuple(later(label, begin_s) for label in spans),
                    **about,
                }
            )  # fmt: skip
            at_s = begin_s + np.arange(len(values)) / RATE
            speed = np.where(np.arange(len(values)) // (10 * RATE) % 2, 50.0, 80.0)[:, None] if context else None
            out.add(run, values, at_s=at_s, context=speed)
    return load(folder)


def later(label: Label, by_s: float) -> Label:
    return label.model_copy(update={"start_s": label.start_s + by_s, "end_s": label.end_s + by_s})


def autoencoder(dataset: Dataset, folder: Path) -> Bundle:
    """A node's Bundle, from what may be learned from of the first run."""
    x = stream.of(dataset.recordings[0], INVARIANT, SAMPLES).x.astype(np.int64)
    sources = (DataSource(description=dataset.name, sha256=dataset.sha256()),)
    channels = channels_of("4096/g", "x", "y", "z")
    purpose = Purpose(folder.name, channels, SAMPLES, RATE * 1000, "tests", rate=0.01, feature_set=INVARIANT)
    return node_bundle(folder, purpose, Normal(x[:60], x[60:90], x[90:120], sources))
