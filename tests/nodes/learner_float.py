"""The learner's method in floating point, as statistics and not as code: what nodes/wire/SPEC.md, "Learner", rounds.

Chunk random effects with a diagonal: a learning period in eight chunks gives each feature a mean, W (variance inside
chunks) and B (variance of the chunks' means); the threshold is a Gumbel law over what each chunk gave at its worst,
judged by the other seven.
"""

from __future__ import annotations

import numpy as np

CHUNKS, FOLLOW = 8, 0.01
EULER = 0.5772156649


def logs(features: np.ndarray, scales: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Features [n, p] as they are judged [n, q]: in octaves, without the levels."""
    y = features.astype(float)
    y[:, scales] = np.log2(y[:, scales] + 16)
    y[:, ~scales] /= 4096
    return y[:, ~levels]


def averaged(y: np.ndarray, windows: int) -> np.ndarray:
    """An exponential mean that reaches back as far as `windows` windows."""
    out, keep = y.copy(), 1 - 2 / (windows + 1)
    for i in range(1, len(out)):
        out[i] = keep * out[i - 1] + (1 - keep) * y[i]
    return out


def third_of_five(d: np.ndarray) -> np.ndarray:
    """At each window the third largest of the last five: above it an alarm begins."""
    padded = np.concatenate([np.zeros(4), d])
    return np.sort(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)[:, 2]


class FloatLearner:
    """Learns y [windows, q], in which no machine starts; then `detect` gives d, and follows."""

    def __init__(self, y: np.ndarray, events: float) -> None:
        chunks = y[: len(y) // CHUNKS * CHUNKS].reshape(CHUNKS, -1, y.shape[1])
        self.n = chunks.shape[1]
        worst = []
        for k in range(CHUNKS):
            mean, within, between = _fit(np.delete(chunks, k, axis=0))
            d = ((chunks[k] - mean) ** 2 / _wide(within, between)).mean(axis=1)
            worst.append(np.log(third_of_five(d).max()))
        self.s = max(0.15, np.std(worst, ddof=1) * np.sqrt(6) / np.pi)
        self.loc = np.mean(worst) - EULER * self.s
        self.threshold = np.exp(self.loc - self.s * np.sqrt(1.125) * np.log(-np.log(1 - events * self.n)))
        self.base, self.within, self.between = _fit(chunks)
        self.variance = _wide(self.within, self.between)
        q = FOLLOW * self.between / self.within * 6 / len(y)
        p = (q + np.sqrt(q * q + 12 * q)) / 2
        self.gain = p / (p + 3)
        self.mean = self.base.copy()
        self.history: list[bool] = []
        self.latched = False
        self.quiet = 0

    def detect(self, y: np.ndarray) -> float:
        d = float(((y - self.mean) ** 2 / self.variance).mean())
        anomalous = d > self.threshold
        self.history = [*self.history[-4:], anomalous]
        self.quiet = 0 if anomalous else self.quiet + 1
        if sum(self.history) >= 3:
            self.latched = True
        elif self.quiet >= 10:
            self.latched = False
        if not anomalous and not self.latched:
            moved = self.mean + self.gain * (y - self.mean)
            allowed = np.abs(moved - self.base) <= 4 * np.sqrt(self.variance)
            self.mean = np.where(allowed, moved, self.mean)
        return d


def _fit(chunks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    means = chunks.mean(axis=1)
    return means.mean(axis=0), chunks.var(axis=1, ddof=1).mean(axis=0), means.var(axis=0, ddof=1)


def _wide(within: np.ndarray, between: np.ndarray) -> np.ndarray:
    return np.maximum(within + 4 * between, (64 / 4096) ** 2)
