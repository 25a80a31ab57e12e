"""Feature set 5, energies in the principal directions of a vibration and how fast it changes there: the Python
reference of `nodes/wire/SPEC.md`.

Of each sensor, which three channels are, the energies of its samples less their mean, and how much larger those of the
differences of neighbouring samples are. Two numbers an axis, which no mounting changes. Differences weigh high
frequencies by their square, so that together they are a spectrum in two bands with directions; and relative to the
energies they move for another reason than these, as a learner needs them that judges each feature alone. Levels are not
in it. A rate gyroscope on a shaft and gravity that leaks into an accelerometer fill the first one or two directions,
and leave the others to what matters.
"""

from __future__ import annotations

import numpy as np

from gateway.training.features.directions import centred, directions, groups
from gateway.training.features.fixed import Integers


def principal(windows: Integers) -> Integers:
    """`windows` has shape (windows, n, channels), n in 32..1024; the result (windows, 2 * channels) is in octaves/4096,
    energies of a sixteenth of the sample unit.
    """
    return np.concatenate([_group(samples) for samples in groups(windows)], axis=1)


def _group(samples: Integers) -> Integers:
    """Features (windows, 2 * axes) of up to three axes that belong together."""
    energies = _energies(centred(samples))
    return np.concatenate([energies, _energies(16 * np.diff(samples, axis=1)) - energies], axis=1)


def _energies(x: Integers) -> Integers:
    """Beside what was there, that of rounding to a whole step: a twelfth of its square."""
    return directions(x, 16 * 16 * x.shape[1] // 12)
