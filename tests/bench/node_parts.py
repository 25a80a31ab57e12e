"""Figures of what a node does with one window: features, learning, judging."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gateway.training import features
from tests.bench.figures import Figure
from tests.bench.node_runs import CHANNELS, COUNTED, SAMPLES, built, measured, window

SETS = {"statistics": "features"} | {name: f"features_{name}" for name in ("invariant", "slow", "principal")}
"""What the program calls a set -> how its figure begins."""
LEARNT, JUDGED = 400, 64
"""Windows to learn from, more than fit; and to judge then."""
LAST_PART = 0.02
"""Of the windows judged at most so many may be found anomalous: they are of the same machine as those learned."""


def figures() -> Mapping[str, Figure]:
    """Of each feature set that this firmware computes, of a spectrogram, and of the learner."""
    return {**_features(), **_spectrogram(), **_learner()}


def _features() -> Mapping[str, Figure]:
    told = measured(built("bench_features"), {"window.bin": window().tobytes()})
    size = f"{SAMPLES} x {CHANNELS}"
    found = {
        f"{figure}_instructions": Figure(
            told.one(name), "instructions", f"the {name} set of one window of {size}; {COUNTED}"
        )
        for name, figure in SETS.items()
        if name in told.numbers
    }
    return found | {
        "sensor_fault_instructions": Figure(
            told.one("sensor_fault"),
            "instructions",
            f"looking one window of {size} through for a stuck or saturated sensor; {COUNTED}",
        )
    }


def _spectrogram() -> Mapping[str, Figure]:
    t = np.arange(512) / 16_000.0
    noise = np.random.default_rng(1).normal(0, 300, t.size)
    told = measured(
        built("bench_mel"), {"sound.bin": np.rint(900 * np.sin(2 * np.pi * 440 * t) + noise).astype("<i2").tobytes()}
    )
    quantised = told.one("quantize")
    return {
        f"features_mel_{frame}_instructions": Figure(
            told.one(f"mel_{frame}") + quantised,
            "instructions",
            f"one row of a spectrogram (set 4): a frame of {frame} samples, 32 bands, of which {quantised:,} for the "
            f"int8 inputs of the network; {COUNTED}",
        )
        for frame in (128, 256, 512)
    }


def _learner() -> Mapping[str, Figure]:
    values = np.stack([features.statistics(window(seed)) for seed in range(LEARNT + JUDGED)]).astype("<i4")
    files = {"learn.bin": values[:LEARNT].tobytes(), "detect.bin": values[LEARNT:].tobytes()}
    told = measured(built("bench_learner"), files)
    learn, anomalous = told.numbers["learn"], told.mean("anomalous")
    assert anomalous <= LAST_PART, f"{anomalous:.0%} of windows like those learned are anomalous: not what is measured"
    return {
        "learn_instructions": Figure(
            round(told.mean("learn")),
            "instructions",
            f"mean of the {len(learn)} windows of {values.shape[1]} features that fill its memory; the costliest, the "
            f"last, which works out what is normal, takes {max(learn):,}; {COUNTED}",
        ),
        "detect_instructions": Figure(
            round(told.mean("detect")),
            "instructions",
            f"judging one window of {values.shape[1]} features, mean of {JUDGED} normal ones; {COUNTED}",
        ),
    }
