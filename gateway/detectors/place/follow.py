"""How what is normal is followed: a Kalman filter for a mean that walks as fast as it walked from chunk to chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.detectors.place.normal import Floats, Normal

NOISE = 3.0
"""r: how many times W a row is taken to be uncertain, for rows are not independent of each other."""


@dataclass
class Follower:
    """`offset` [p] of the mean from the one learned; `gain` [p, p]."""

    offset: Floats
    gain: Floats

    @classmethod
    def of(cls, normal: Normal, follow: float) -> Follower:
        """At first without an offset. q = c λ 6/rows, P = (q + √(q² + 4 q r))/2, K = P/(P + r) for each of B v = λ W v.

        The steady state of a random walk in noise: Durbin and Koopman, "Time Series Analysis by State Space Methods"
        (2012), 2.11.
        """
        lower = np.linalg.cholesky(normal.within)
        inverse = np.linalg.inv(lower)
        walk, turned = np.linalg.eigh(inverse @ normal.between @ inverse.T)
        q = follow * np.maximum(walk, 0) * 6 / normal.rows
        p = (q + np.sqrt(q * q + 4 * q * NOISE)) / 2
        gain = lower @ (turned * (p / (p + NOISE))) @ turned.T @ inverse
        return cls(np.zeros(len(normal.mean)), gain)

    def error(self, normal: Normal) -> float:
        """How far it has come, as the error of a row [p] at the followed mean."""
        return float(normal.error(self.offset))

    def step(self, away: Floats, normal: Normal, threshold: float) -> None:
        """A row was so far [p] from the followed mean, which goes no further than to what was an anomaly at first.

        So what ends beyond twice the distance of an anomaly is one, however slowly it came.
        """
        moved = self.offset + self.gain @ away
        if float(normal.error(moved)) <= threshold:
            self.offset = moved
