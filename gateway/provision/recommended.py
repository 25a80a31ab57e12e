"""What a node is told where its node.json does not say: what docs/recommend.md recommends when a node is mounted.

The one place of these choices, for every kind of board. A board itself has none of them: provisioning writes them down.
"""

from __future__ import annotations

from gateway.detectors import feature_sets

WINDOWS, LEAST = 240, 24
"""That a node learns from: what is recommended, and the least that a learner takes (nodes/wire/SPEC.md, "Learner")."""

VIBRATION_MILLIHZ = 100_000
"""From here on a second of vibration has a spectrum that says more than its size does."""

_BYTES, _HEAD, _FEATURE = 4096, 108, 48
"""Of a learner's state, of that for itself, and for a feature beside its windows: nodes/c_tflm/core/learner.c."""


def feature_set(rate_millihz: int, channels: int, *, slow: bool = False, vibration: bool = True) -> int:
    """Of a sensor of temperature and the like (`slow`), of vibration, or of something else, such as sound."""
    if slow:
        return feature_sets.SLOW
    fast = vibration and rate_millihz >= VIBRATION_MILLIHZ
    return feature_sets.usual(channels) if fast else feature_sets.STATISTICS


def windows_that_fit(features: int) -> int:
    """How many windows of so many features a learner has room for, of those recommended; 0: not enough."""
    windows = min(WINDOWS, (_BYTES - _HEAD) // features - _FEATURE) // 8 * 8
    return windows if windows >= LEAST else 0


def learning(windows: int, features: int, *, model: bool, off: str) -> str:
    """What is told of a node that learns because nobody said otherwise. `off`: how one does."""
    few = "" if windows == WINDOWS else f", as many as fit of {features} features"
    beside = ", beside its model, from what that finds normal" if model else ""
    return f"learns what is normal where it is mounted, from {windows} windows{few}{beside} ({off}: it does not)"


def not_learning(why: str, instead: str) -> str:
    """What is told of a node that does not learn though nobody said so."""
    return f"does not learn what is normal where it is mounted: {why}; {instead}"


def unjudged(window_every: int) -> str:
    """Who judges a node on which nobody does."""
    if not window_every:
        return "nobody judges, and window_every is 0: it says nothing of its machine"
    which = "every window goes" if window_every == 1 else f"one of {window_every} windows goes"
    return f'{which} to the gateway, to be judged there: model = "learner" of its asset'
