"""What is normal of one node given what others say at the same time: the conditional law of their joint Gaussian.

The others are the context of a place. What all of them feel, weather or load, is expected then and no fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gateway.detectors.place.normal import BETWEEN, Floats, Normal, fit, resolution


@dataclass(frozen=True)
class Given:
    """`base`: the node [p] while the others [c] are at `centre`; `slopes` [c, p] of one upon the others."""

    base: Normal
    centre: Floats
    slopes: Floats
    spread: Floats
    """Inverse of the covariance of the others' chunk means, B + W/n [c, c]."""

    @classmethod
    def of(cls, joint: Normal, own: int) -> Given:
        """Of what is normal of a row [p + c] whose first `own` features are the node's."""
        total = joint.within + BETWEEN * joint.between
        slopes = np.linalg.solve(total[own:, own:], total[own:, :own])
        left = np.concatenate([np.eye(own), -slopes])
        base = Normal(
            joint.mean[:own], left.T @ joint.within @ left, left.T @ joint.between @ left, joint.rows, joint.chunks
        )
        means = (joint.between + joint.within * joint.chunks / joint.rows)[own:, own:]
        spread = np.asarray(np.linalg.pinv(means, rcond=1e-6, hermitian=True), float)
        return cls(base, joint.mean[own:], np.asarray(slopes, float), spread)

    def at(self, context: Floats | None = None) -> Normal:
        """With the others at `context` [c]. The farther they are from where they were learned, the wider.

        By h/(chunks - 1) as in regression, h their squared distance: what the slopes are not known to.
        """
        if context is None:
            return self.base
        gap = context - self.centre
        wider = 1 + float(gap @ self.spread @ gap) / max(self.base.chunks - 1, 1)
        return self.base.moved(self.base.mean + gap @ self.slopes, wider)

    def plain(self) -> dict[str, object]:
        """All of it, for `place_state`."""
        return {"base": self.base.plain(), "centre": self.centre, "slopes": self.slopes, "spread": self.spread}


def given(chunks: Sequence[Floats], contexts: Sequence[Floats] | None = None) -> Given:
    """A Fit whose contexts are what the others say. Raises ValueError where there are none, Stuck and TooFew."""
    if contexts is None:
        raise ValueError("what is given is missing")
    rows, own = [np.concatenate(pair, axis=1) for pair in zip(chunks, contexts, strict=True)], chunks[0].shape[1]
    resolution(np.concatenate(chunks))
    return Given.of(fit(rows), own)


def restored(base: dict[str, object], **rest: Floats) -> Given:
    """From `Given.plain`."""
    return Given(Normal(**base), **rest)  # type: ignore[arg-type]  # as `plain` has it
