"""Writes nodes/wire/features/*.json from the Python reference: `python -m tests.nodes.feature_vectors`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from gateway.training import features

FOLDER = Path(__file__).parents[2] / "nodes" / "wire" / "features"


def windows() -> dict[str, np.ndarray]:
    """Name -> samples [n, channels]; made without a library's random numbers, so that they never change."""
    low, high = -32768, 32767
    square = np.where(np.arange(32) % 2, low, high)
    return {
        "three axes with gravity on the last": _noise(128, 3, 300) + np.array([0, -40, 16384]),
        "one channel": _noise(32, 1, 1000),
        "nine channels": _noise(32, 9, 5000),
        "one channel, the longest window": _noise(1024, 1, 32768),
        "a length that is no power of two": _noise(100, 2, 777) - 5,
        "constant": np.full((32, 2), 7),
        "constant at the lowest value": np.full((32, 1), low),
        "the longest window of extremes": np.tile(square, 32)[:, None],
        "one sample off": np.array([-1] + [0] * 31)[:, None],
        "mean just below a sixteenth": np.array([1, 0] * 15 + [0, 0])[:, None] - 1,
        "31 of 1024 at the limit": np.array([high] * 31 + [0] * 993)[:, None],
        "32 of 1024 at the limit, half above and half below": np.array([high, low] * 16 + [0] * 992)[:, None],
        "one of 32 at the limit, in the second channel": np.stack([np.arange(32), [high, *range(31)]], axis=1),
        "one channel saturated, the next one stuck": np.stack([square, np.zeros(32)], axis=1),
    }


def cases() -> list[dict[str, Any]]:
    found = []
    for name, values in windows().items():
        samples = values.astype(np.int16)
        assert np.array_equal(samples, values)
        found.append(
            {
                "name": name,
                "n": samples.shape[0],
                "channels": samples.shape[1],
                "samples": samples.astype("<i2").tobytes().hex(),
                "features": features.statistics(samples).tolist(),
                "sensor_fault": features.sensor_fault(samples),
            }
        )
    return found


def text() -> str:
    rows = ",\n".join(json.dumps(case) for case in cases())
    return f'{{"feature_set": {features.STATISTICS}, "cases": [\n{rows}\n]}}\n'


def _noise(n: int, channels: int, amplitude: int) -> np.ndarray:
    """Whole numbers in [-amplitude, amplitude), from a linear congruential generator (Knuth's MMIX)."""
    state, values = 1, []
    for _ in range(n * channels):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append((state >> 33) % (2 * amplitude) - amplitude)
    return np.array(values).reshape(n, channels)


if __name__ == "__main__":
    (FOLDER / "statistics.json").write_text(text())
