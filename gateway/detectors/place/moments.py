"""Sums over places that merge in any order: what a fleet knows without a row of any of its places."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from gateway.detectors.place.normal import Floats


@dataclass(frozen=True)
class Moments:
    """Of so many vectors: their mean [k], and their summed products about it [k, k]."""

    count: int
    mean: Floats
    products: Floats

    @classmethod
    def of(cls, vector: Floats) -> Moments:
        """Of one."""
        return cls(1, vector, np.zeros((len(vector), len(vector))))

    @classmethod
    def none(cls, k: int) -> Moments:
        """Of none."""
        return cls(0, np.zeros(k), np.zeros((k, k)))

    def merge(self, other: Moments) -> Moments:
        """Both together: commutative, and associative to rounding (Chan, Golub and LeVeque 1983)."""
        count = self.count + other.count
        if not count:
            return self
        gap = other.mean - self.mean
        return Moments(
            count, (self.count * self.mean + other.count * other.mean) / count,
            self.products + other.products + np.outer(gap, gap) * (self.count * other.count / count),
        )  # fmt: skip

    def variances(self) -> Floats:
        """Between the vectors [k]; infinite for fewer than two."""
        if self.count < 2:
            return np.full(len(self.mean), np.inf)
        return np.asarray(np.diag(self.products) / (self.count - 1))

    def plain(self) -> dict[str, object]:
        """Its fields, for `place_state`."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True)
class Squares:
    """Summed products [k, k] with so many degrees of freedom, from so many places."""

    products: Floats
    degrees: int
    places: int

    def merge(self, other: Squares) -> Squares:
        """Both together."""
        return Squares(self.products + other.products, self.degrees + other.degrees, self.places + other.places)

    def covariance(self) -> Floats:
        """What they are of [k, k]; zero where nothing is known."""
        return self.products / max(self.degrees, 1)

    def plain(self) -> dict[str, object]:
        """Its fields, for `place_state`."""
        return {each.name: getattr(self, each.name) for each in fields(self)}
