"""Writes nodes/wire/features/*.json from the Python reference: `python -m tests.nodes.feature_vectors`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from gateway.detectors import feature_sets
from gateway.training import features
from gateway.training.features import fixed

FOLDER = Path(__file__).parents[2] / "nodes" / "wire" / "features"
LOW, HIGH = -32768, 32767
TURNED = np.frombuffer(
    bytes.fromhex(
        "45a08892288136269850c215650d722f92792d7a2e3725c895a853beb49c05ce"
        "35316e50f4776d27eeea1440abd462bc7b0f43a22329fff8bcc96267791466c2"
    ),
    "<i2",
).astype(int)
"""Found by search: without the rule about the sign of an axis, set 2 of this and of the same turned round differ."""


def statistics_windows() -> dict[str, np.ndarray]:
    """Name -> samples [n, channels]; made without a library's random numbers, so that they never change."""
    square = np.where(np.arange(32) % 2, LOW, HIGH)
    return {
        "three axes with gravity on the last": noise(128, 3, 300) + np.array([0, -40, 16384]),
        "one channel": noise(32, 1, 1000),
        "nine channels": noise(32, 9, 5000),
        "one channel, the longest window": noise(1024, 1, 32768),
        "a length that is no power of two": noise(100, 2, 777) - 5,
        "constant": np.full((32, 2), 7),
        "constant at the lowest value": np.full((32, 1), LOW),
        "the longest window of extremes": np.tile(square, 32)[:, None],
        "one sample off": np.array([-1] + [0] * 31)[:, None],
        "mean just below a sixteenth": np.array([1, 0] * 15 + [0, 0])[:, None] - 1,
        "31 of 1024 at the limit": np.array([HIGH] * 31 + [0] * 993)[:, None],
        "32 of 1024 at the limit, half above and half below": np.array([HIGH, LOW] * 16 + [0] * 992)[:, None],
        "one of 32 at the limit, in the second channel": np.stack([np.arange(32), [HIGH, *range(31)]], axis=1),
        "one channel saturated, the next one stuck": np.stack([square, np.zeros(32)], axis=1),
    }


def invariant_windows() -> dict[str, np.ndarray]:
    """Beside noise, what makes logarithms, roots and transforms go to their ends."""
    i = np.arange(1024)[:, None]
    saw = i * np.array([5, 9, 2]) % 97 - 48
    signs = np.where(i // np.array([1, 2, 4]) % 2, LOW, HIGH)
    return {
        "three axes with gravity on the last": noise(128, 3, 300) + np.array([0, -40, 16384]),
        "one channel": noise(32, 1, 1000),
        "two channels, two blocks": noise(100, 2, 777) - 5,
        "four channels, the last alone": noise(64, 4, 20000),
        "nine channels": noise(64, 9, 5000),
        "the longest window": saw * 11,
        "one block, nothing in the imaginary part": saw[:95],
        "two blocks": saw[:96],
        "the last window with the short transform": saw[:63],
        "one axis as good as silent": noise(200, 3, 2000) * np.array([16, 1, 0]) + noise(200, 3, 1),
        "all axes the same": np.repeat(noise(64, 1, 9000), 3, axis=1),
        "a thousandth of one axis on the next": noise(128, 1, 30000) // np.array([1, 1000, 30000]),
        "constant": np.full((32, 3), [7, 0, LOW]),
        "one sample off": np.array([-1] + [0] * 31)[:, None],
        "one sample of the least at the end": (i[:64] == 63) * np.array([0, 0, 1]),
        "extremes in turn": signs[:128],
        "extremes in step": np.where(i[:256] % 2, LOW, HIGH) * np.ones((1, 3), int),
        "one jump over the whole range": np.where(i[:512] < 256, LOW, HIGH) * np.ones((1, 3), int),
        "a sum of halves below zero": np.array([-1, 0] * 16)[:, None] // np.array([1, 2]),
        "the last bit depends on the sign of the axis": TURNED[:, None],
        "and is the same when it is turned round": -TURNED[:, None],
    }


def principal_windows() -> dict[str, np.ndarray]:
    """What makes the energies in the directions go to their ends, and those of change not be those of the samples."""
    i = np.arange(1024)[:, None]
    there = invariant_windows()
    same = (
        "three axes with gravity on the last", "one channel", "two channels, two blocks",
        "four channels, the last alone", "nine channels", "one axis as good as silent", "all axes the same",
        "a thousandth of one axis on the next", "constant", "one sample off", "one sample of the least at the end",
        "extremes in turn", "extremes in step", "one jump over the whole range",
    )  # fmt: skip
    return {name: there[name] for name in same} | {
        "the longest window": i * np.array([5, 9, 2]) % 97 - 48,
        "the longest window of extremes in step": np.where(i % 2, LOW, HIGH) * np.ones((1, 3), int),
        "the slowest rise over the whole range": (64 * i - 32736) * np.array([1, -1]),
        "two channels of a step's size": noise(33, 2, 2),
        "loud along one direction, of a step's size along the others": noise(64, 1, 30000) + noise(64, 3, 2),
        "the loudest of which no bit is lost": np.where(i[:64] % 2, -255, 255),
        "the next, of which one bit is": np.where(i[:64] % 2, -256, 256),
    }


def slow_windows() -> dict[str, np.ndarray]:
    """Ramps, steps and spikes; ranks that meet, and lengths that four does not divide."""
    i = np.arange(1024)[:, None]
    return {
        "a room in hundredths of a degree": 2150 + i[:64] // 9 + noise(64, 1, 4),
        "two channels, falling and rising": np.hstack([-3 * i[:100], 40 * i[:100]]) + noise(100, 2, 25),
        "nine channels": noise(33, 9, 500),
        "the steepest rise": np.where(i < 512, LOW, HIGH),
        "the steepest fall, of a length that four does not divide": np.where(i[:99] < 50, HIGH, LOW),
        "constant": np.full((32, 1), LOW),
        "a room in which nothing changes": np.full((64, 2), 2112),
        "one spike": np.where(i[:48] == 20, HIGH, 1900),
        "half of it elsewhere": np.where(i[:64] % 2, -7, 12),
        "a rise of less than a sixteenth": (i[:1024] == 1023) * 1,
        "a fall of less than a sixteenth": (i[:1024] == 0) * 1,
    }


def fixed_cases() -> dict[str, Any]:
    log2 = [0, 1, 2, 3, 7, 4095, 4096, 4097, 10**9, 2**31 - 1, 2**32, 2**52 + 1, 10**18, 2**63 - 1, 2**63, 2**64 - 1]
    exp2 = [-1, 0, 1, 4095, 4096, 6144, 40960, 126976, 126977, 131071, 131072, 200003, 258048, 262143, 262144]
    transforms = []
    for size, part in ((32, 2**30), (64, 2**30), (64, 12345)):
        before = noise(size, 2, part)
        re, im = fixed.fft(before[:, 0], before[:, 1])
        transforms.append({"before": before.tolist(), "after": np.stack([re, im], axis=1).tolist()})
    return {
        "log2": [[x, int(fixed.log2(np.array(x, np.uint64)))] for x in log2],
        "exp2": [[y, fixed.exp2(y)] for y in exp2],
        "fft": transforms,
    }


WINDOWS = {
    feature_sets.STATISTICS: statistics_windows,
    feature_sets.INVARIANT: invariant_windows,
    feature_sets.SLOW: slow_windows,
    feature_sets.PRINCIPAL: principal_windows,
}


def cases(feature_set: int) -> list[dict[str, Any]]:
    found = []
    for name, values in WINDOWS[feature_set]().items():
        samples = values.astype(np.int16)
        assert np.array_equal(samples, values), name
        case = {
            "name": name,
            "n": samples.shape[0],
            "channels": samples.shape[1],
            "samples": samples.astype("<i2").tobytes().hex(),
            "features": features.compute(feature_set, samples).tolist(),
        }
        if feature_set in (feature_sets.STATISTICS, feature_sets.SLOW):
            case["sensor_fault"] = features.sensor_fault(feature_set, samples)
        found.append(case)
    return found


def samples_of(case: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(case["samples"]), "<i2").reshape(case["n"], case["channels"])


def file(feature_set: int) -> Path:
    return FOLDER / f"{feature_sets.NAMES[feature_set]}.json"


def text(feature_set: int) -> str:
    rows = ",\n".join(json.dumps(case) for case in cases(feature_set))
    return f'{{"feature_set": {feature_set}, "cases": [\n{rows}\n]}}\n'


def fixed_text() -> str:
    return "{" + ",\n".join(f'"{name}": {json.dumps(rows)}' for name, rows in fixed_cases().items()) + "}\n"


def noise(n: int, channels: int, amplitude: int) -> np.ndarray:
    """Whole numbers in [-amplitude, amplitude), from a linear congruential generator (Knuth's MMIX)."""
    state, values = 1, []
    for _ in range(n * channels):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append((state >> 33) % (2 * amplitude) - amplitude)
    return np.array(values).reshape(n, channels)


if __name__ == "__main__":
    for number in WINDOWS:
        file(number).write_text(text(number))
    (FOLDER / "fixed.json").write_text(fixed_text())
