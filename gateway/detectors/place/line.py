"""How places differ with their context: a straight line through the means of a fleet's places."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gateway.detectors.place.moments import Moments
from gateway.detectors.place.normal import BETWEEN, Floats, Normal

LEANS = 64
"""Steps of a place's worth of uncertainty in which the line's own is counted."""
MOST = 1024
"""Such steps whose widths are kept."""


@dataclass(frozen=True)
class Line:
    """Through contexts [c] and features [p]: `middle` [c] and `mean` [p] of the places, `slopes` [c, p].

    `apart` [p, p], a diagonal, is how far places lie from it; `inverse` [c, c] is of the contexts' summed products.
    """

    middle: Floats
    mean: Floats
    slopes: Floats
    apart: Floats
    inverse: Floats

    @classmethod
    def through(cls, means: Moments, contexts: int, jitter: Floats) -> Line:
        """Least squares, in those directions of the contexts in which places differ by more than `jitter` [c, c].

        That is how contexts vary within a place: where places differ no more, the slope would be of noise.
        """
        c = contexts
        products = means.products
        inverse = _inverse(products[:c, :c], jitter, max(means.count - 1, 1))
        slopes = inverse @ products[:c, c:]
        degrees = max(means.count - 1 - c, 1)
        apart = np.diag(products[c:, c:] - products[c:, :c] @ slopes) / degrees
        return cls(means.mean[:c], means.mean[c:], slopes, np.diag(np.maximum(apart, 0)), inverse)

    def at(self, context: Floats) -> Floats:
        """The mean [p] in a context [c]."""
        return np.asarray(self.mean + (context - self.middle) @ self.slopes)

    def away(self, joint: Floats) -> Floats:
        """How far rows [n, c + p] are from it [n, p]."""
        c = len(self.middle)
        return np.asarray(joint[:, c:] - self.mean - (joint[:, :c] - self.middle) @ self.slopes)

    def beside(self, covariance: Floats) -> Floats:
        """Of a covariance [c + p, c + p] with the contexts, the variances that the line leaves: a diagonal [p, p]."""
        turned = np.concatenate([-self.slopes, np.eye(len(self.mean))]).T
        return np.diag(np.einsum("ij,jk,ik->i", turned, covariance, turned))

    def lean(self, gap: Floats) -> float:
        """By how much of `apart` the line is uncertain, so far [c] from where it is held."""
        return float(gap @ self.inverse @ gap)


def _inverse(products: Floats, jitter: Floats, degrees: int) -> Floats:
    """Of summed products [c, c] of so many degrees of freedom, where they are more than `jitter` explains."""
    if not len(products) or not products.any():
        return np.zeros_like(products)
    least = 1e-9 * np.diag(np.diag(products)) / degrees + 1e-300 * np.eye(len(products))
    unit = np.linalg.inv(np.linalg.cholesky(jitter + least))
    sizes, directions = np.linalg.eigh(unit @ products @ unit.T)
    kept = sizes > degrees
    turned = directions[:, kept].T @ unit
    return np.asarray(turned.T @ (turned / sizes[kept, None]))


@dataclass(frozen=True)
class Lined:
    """A Known: `base` in the context `middle` [c], and the line from there."""

    base: Normal
    middle: Floats
    slopes: Floats
    apart: Floats
    inverse: Floats
    _found: dict[int, Normal] = field(default_factory=dict, compare=False, repr=False)

    def at(self, context: Floats | None = None) -> Normal:
        """What is normal in that context [c]; without one, in the middle."""
        if context is None:
            return self.base
        gap = np.asarray(context, dtype=float) - self.middle
        step = round(float(gap @ self.inverse @ gap) * LEANS)
        if step not in self._found:
            if len(self._found) >= MOST:
                self._found.clear()
            wider = self.base.between + self.apart * (step / LEANS / BETWEEN)
            self._found[step] = replace(self.base, between=wider)
        return self._found[step].moved(self.base.mean + gap @ self.slopes)

    def plain(self) -> dict[str, object]:
        """All of it, for `place_state`; `restored` takes it back."""
        return {
            "base": self.base.plain(), "middle": self.middle, "slopes": self.slopes, "apart": self.apart,
            "inverse": self.inverse,
        }  # fmt: skip


def restored(base: dict[str, Any], **line: Any) -> Lined:
    """From `Lined.plain`."""
    return Lined(Normal(**base), **line)
