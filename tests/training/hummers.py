"""A dataset of two machines that hum, a low and a high one, and later on with a tone that was not there before."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gateway.training.dataset import Channel, Label, Run, Writer

RATE_HZ = 400.0
NORMAL_S, FAULT_S = 48.0, 24.0
HUM_HZ = {"low": 30.0, "high": 55.0}


def write(folder: Path, *, commission_s: float, breaks: tuple[int, ...] = ()) -> None:
    """One run for each machine: NORMAL_S of it normal, then FAULT_S with the tone."""
    random = np.random.default_rng(1)
    with Writer(folder, name="hummers") as writer:
        for asset, hz in HUM_HZ.items():
            t = np.arange(round((NORMAL_S + FAULT_S) * RATE_HZ)) / RATE_HZ
            x = 900 * np.sin(2 * np.pi * hz * t) + random.normal(0, 150, t.size)
            x += np.where(t < NORMAL_S, 0.0, 700.0) * np.sin(2 * np.pi * 137.0 * t)
            labels = (
                Label(start_s=0.0, end_s=NORMAL_S, label="normal", fault=False),
                Label(start_s=NORMAL_S, end_s=NORMAL_S + FAULT_S, label="whistle", fault=True),
            )
            run = Run(
                file=f"{asset}.npz", node=asset, asset=asset, kind="samples", rate_hz=RATE_HZ, session="s",
                channels=(Channel(name="x", unit="g", per_unit=1000.0), Channel(name="y", unit="g", per_unit=1000.0)),
                commission_s=commission_s, labels=labels, breaks=breaks,
            )  # fmt: skip
            writer.add(run, np.stack([np.rint(x), random.integers(-50, 50, t.size)], axis=1).astype(np.int16))
