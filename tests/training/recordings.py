"""Made-up recordings of fans in the dataset layout: what is trained, calibrated and played in the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.training.dataset import Channel, ContextChannel, Dataset, Run, Writer, load

RATE_HZ, PER_UNIT = 200.0, 16384.0
SPEEDS = 10.0, 20.0
"""Turns a second; each lasts 96 seconds."""


def fan(seed: int, seconds: int, size: float = 1.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Acceleration [n, 3] in g, and the speed [n, 1]."""
    t = np.arange(seconds * int(RATE_HZ)) / RATE_HZ
    speed = np.where(t // 96 % 2 == 0, *SPEEDS)
    turn = 2 * np.pi * np.cumsum(speed) / RATE_HZ
    shaking = (
        0.05 * size * speed[:, None] / SPEEDS[0] * np.stack([np.sin(turn), np.cos(turn), np.sin(2 * turn)], axis=1)
    )
    noise = np.random.default_rng(seed).normal(0, 0.01, (len(t), 3))
    return (shaking + noise + [0, 0, 1]).astype(np.float32), speed[:, None].astype(np.float32)


def fans(
    folder: Path, sizes: dict[str, float], *, seed: int = 1, seconds: int = 460, learn_s: float = 400,
    loose_s: float | None = None, **changed: Any,
) -> Dataset:  # fmt: skip
    """One run of each fan, with its speed as context; from `loose_s` on it shakes six times as much. `changed`: of each
    Run.
    """
    with Writer(folder, name=folder.name, licence="CC0-1.0") as writer:
        for i, (node, size) in enumerate(sizes.items()):
            samples, speed = fan(seed + i, seconds, size)
            if loose_s is not None:
                begin = round(loose_s * RATE_HZ)
                samples[begin:] = fan(seed + i, seconds, 6 * size)[0][begin:]
            run = Run(
                file=f"{node}.npz", node=node, asset="fan", kind="samples",
                channels=tuple(Channel(name=axis, unit="g", per_unit=PER_UNIT) for axis in "xyz"), rate_hz=RATE_HZ,
                session="s", commission_s=learn_s, context=(ContextChannel(name="speed", unit="1/s"),),
            )  # fmt: skip
            writer.add(run.model_copy(update=changed), samples, context=speed)
    return load(folder)
