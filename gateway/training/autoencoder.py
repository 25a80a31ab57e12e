"""A dense autoencoder: what it has learned is what it can reconstruct.

Mean squared reconstruction error. Hidden layers are ReLU except the bottleneck, which is linear like the output: a
ReLU there can die and take a direction of the data with it. Of two hidden layers the first is the bottleneck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gateway.training.dense import Floats, Plan, Progress, check_windows, drawn, fit, network_of
from gateway.training.tflite_file import Network


def node_sizes(features: int) -> tuple[int, ...]:
    """Layers n – 2n/3 – 4n/9 – 2n/3 – n: for 18 features 18-12-8-12-18."""
    outer, inner = _share(features, 2 / 3), _share(features, 4 / 9)
    return (features, outer, inner, outer, features)


def host_sizes(features: int) -> tuple[int, ...]:
    """Layers n – 4n – 2n/9 – 4n – n: half the node's bottleneck, and room for a surface that bends."""
    return (features, 4 * features, _share(features, 2 / 9), 4 * features, features)


def _wide_sizes(features: int) -> tuple[int, ...]:
    """The node's bottleneck, and twice as many neurons as features around it: for 18 features 18-36-8-36-18."""
    return (features, 2 * features, _share(features, 4 / 9), 2 * features, features)


def _two_layers(neurons: int) -> Callable[[int], tuple[int, ...]]:
    """Layers n – h – 8 – n, the bottleneck h never above the node's: as wide as the input, it learns to copy."""
    return lambda features: (features, min(neurons, _share(features, 4 / 9)), 8, features)


ARCHITECTURES: Mapping[str, Callable[[int], tuple[int, ...]]] = {
    "node": node_sizes,
    "small4": _two_layers(4),
    "small6": _two_layers(6),
    "small8": _two_layers(8),
    "wide": _wide_sizes,
    "host": host_sizes,
}
"""Sizes of the layers by name, for a number of features. `small`: two hidden layers of 4 to 8 neurons, for the
smallest batteries; `host` is a gateway's."""


def train(windows: Floats, sizes: Sequence[int], seed: int, progress: Progress | None = None) -> Network:
    """Fit a float32 network to standardised windows [n, features]. Raises Unsuitable: too few, or not all finite."""
    check_windows(windows, sizes[0])
    random = np.random.default_rng(seed)
    layers = drawn(random, sizes, _activations(len(sizes) - 1))
    fit(layers, windows, windows, squared_error, random, Plan(), progress)
    return network_of(layers)


def squared_error(outputs: Floats, targets: Floats) -> tuple[float, Floats]:
    """The Loss of a reconstruction."""
    residual = outputs - targets
    return float(np.mean(residual**2)), residual * (2.0 / residual.size)


def _share(features: int, share: float) -> int:
    return max(1, round(share * features))


def _activations(layers: int) -> tuple[bool, ...]:
    linear = {layers // 2 - 1, layers - 1}
    return tuple(i not in linear for i in range(layers))
