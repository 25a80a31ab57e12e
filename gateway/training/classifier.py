"""A dense classifier of normal conditions: machines, speeds, regimes. What belongs to none is judged with little
confidence, which is the score (nodes/wire/SPEC.md, "Score").

Softmax and cross entropy; the network gives the logits, not the softmax, whose int8 form holds all that is surer than
255 in 256 for the same. Every class weighs the same, however many windows it has. Targets are smoothed (Szegedy et al.,
CVPR 2016), without which logits grow as long as training goes on, and int8 has the less left for each.

By itself such a network is the surer of a class the farther a window lies beyond it (Hein, Andriushchenko, Bitterwolf,
CVPR 2019): what is most unlike anything known would pass for normal. And between two conditions that lie side by side
it is sure of neither, though both are normal. So it has one more output, the last, for what is none of them, and learns
it from strangers: windows moved away from where they were, by chance. None of them comes from a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.training.dense import (
    INPUT_HEADROOM,
    Floats,
    Plan,
    Progress,
    Unsuitable,
    check_windows,
    drawn,
    fit,
    network_of,
)
from gateway.training.tflite_file import Network

Labels = NDArray[np.int64]

NONE = "none"
"""What the last output is called, of what is none of the classes."""
LEAST_OF_A_CLASS = 16
"""Windows of a class below which it is not learned."""
MOST_CLASSES = 63
"""One less than the outputs that a node's image may have (nodes/wire/wire.cddl)."""
_SMOOTHING = 0.05
_NEAREST = 1.5  # how far a stranger is moved at least, in spreads within a class
_FEWEST = 0.1  # share of its features that is moved, at least and on average


def node_sizes(features: int, classes: int) -> tuple[int, ...]:
    """Layers n – 2n – 4n/3 – classes and none, the hidden ones 24 and 16 wide at least: fewer neurons do not close the
    classes off on all sides.
    """
    return (features, max(24, 2 * features), max(16, round(4 * features / 3)), classes + 1)


def host_sizes(features: int, classes: int) -> tuple[int, ...]:
    """Layers n – 4n – 4n – classes and none."""
    return (features, max(48, 4 * features), max(48, 4 * features), classes + 1)


ARCHITECTURES: Mapping[str, Callable[[int, int], tuple[int, ...]]] = {"node": node_sizes, "host": host_sizes}
"""Sizes of the layers by role, for numbers of features and classes."""


def train(
    windows: Floats,
    labels: Labels,
    names: Sequence[str],
    sizes: Sequence[int],
    seed: int,
    progress: Progress | None = None,
) -> Network:
    """Fit a float32 network whose outputs are the logits of `names` and of none of them to standardised windows
    [n, features]. `labels` [n] are numbers of `names`. Raises Unsuitable: fewer than two classes, one with too few
    windows, windows not finite.
    """
    check_windows(windows, sizes[0])
    check_classes(labels, names)
    if len(labels) != len(windows) or sizes[-1] != len(names) + 1:
        raise Unsuitable(
            f"{len(windows)} windows with {len(labels)} labels, {sizes[-1]} outputs for {len(names)} classes and none"
        )
    random = np.random.default_rng(seed)
    layers = drawn(random, sizes, [True] * (len(sizes) - 2) + [False])
    fit(layers, *examples(windows, labels, len(names), seed), cross_entropy, random, Plan(), progress)
    return network_of(layers)


def examples(windows: Floats, labels: Labels, classes: int, seed: int) -> tuple[Floats, Floats]:
    """What is trained on, windows and as many strangers: inputs [2n, features] and targets [2n, classes + 1]."""
    strange = strangers(windows, labels, seed)
    wanted = [targets(labels, classes), _smoothed(np.full(len(strange), classes), classes)]
    return np.concatenate([windows, strange]), np.concatenate(wanted)


def strangers(windows: Floats, labels: Labels, seed: int) -> Floats:
    """As many windows [n, features] as there are, each moved in some of its features, in a direction and as far as
    chance wills: from what the spread within classes does not explain to beyond the ends of an int8 input. What never
    varies is not moved.
    """
    random = np.random.default_rng((seed, len(windows)))
    varies = np.ptp(windows, axis=0) > 0.0
    farthest = INPUT_HEADROOM * float(np.abs(windows).max())
    start = windows[random.integers(0, len(windows), len(windows))]
    moved = random.random(windows.shape) < random.uniform(_FEWEST, 1.0, (len(windows), 1))
    direction = random.normal(size=windows.shape) * (moved & varies)
    length = np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
    nearest = _NEAREST * max(_spread(windows[:, varies], labels), 1e-3)
    distance = np.exp(random.uniform(np.log(nearest), np.log(farthest * np.sqrt(varies.sum())), (len(windows), 1)))
    found: Floats = np.clip(start + direction / length * distance, -farthest, farthest)
    return found


def _spread(windows: Floats, labels: Labels) -> float:
    """The standard deviation within classes, over all features."""
    about = [windows[labels == label] - windows[labels == label].mean(axis=0) for label in np.unique(labels)]
    return float(np.sqrt(np.mean(np.concatenate(about) ** 2)))


def check_classes(labels: Labels, names: Sequence[str]) -> None:
    """Raises Unsuitable unless there are 2 to 64 classes of different names, each with enough windows."""
    if not 2 <= len(names) <= MOST_CLASSES or len({NONE, *names}) != len(names) + 1:
        raise Unsuitable(
            f"a classifier has 2 to {MOST_CLASSES} classes of different names, none of them {NONE!r}; these are "
            f"{', '.join(names)}"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
        raise Unsuitable(f"labels go from 0 to {len(names) - 1}, not from {labels.min()} to {labels.max()}")
    for name, count in zip(names, np.bincount(labels, minlength=len(names)), strict=True):
        if count < LEAST_OF_A_CLASS:
            raise Unsuitable(f"class {name!r} has {count} windows: at least {LEAST_OF_A_CLASS} are needed")


def targets(labels: Labels, classes: int) -> Floats:
    """Smoothed shares [n, classes + 1], each row weighted such that every class weighs the same, and 1 on average."""
    weights = len(labels) / (classes * np.maximum(np.bincount(labels, minlength=classes), 1))
    weighted: Floats = _smoothed(labels, classes) * weights[labels, None]
    return weighted


def _smoothed(labels: Labels, classes: int) -> Floats:
    shares = np.full((len(labels), classes + 1), _SMOOTHING / (classes + 1))
    shares[np.arange(len(labels)), labels] += 1.0 - _SMOOTHING
    return shares


def cross_entropy(outputs: Floats, wanted: Floats) -> tuple[float, Floats]:
    """The Loss of logits against weighted shares."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -float(np.sum(wanted * logs)) / len(outputs)
    return loss, (np.exp(logs) * wanted.sum(axis=1, keepdims=True) - wanted) / len(outputs)
