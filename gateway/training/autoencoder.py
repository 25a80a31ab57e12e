"""A dense autoencoder in numpy: trained in seconds on one core, the same weights for the same seed.

Adam (Kingma and Ba, ICLR 2015) on the mean squared reconstruction error, cosine decay of the learning rate. Hidden
layers are ReLU except the bottleneck, which is linear like the output: a ReLU there can die and take a direction of the
data with it. The inputs are corrupted with a little noise in training (denoising autoencoder, Vincent et al., ICML
2008), which keeps a wide network from learning a few windows by heart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gateway.training.tflite_file import Dense, Network

Floats = NDArray[np.float64]
Progress = Callable[[int, int, float], None]
"""Called after each epoch with its number from 1, the number of epochs, and the mean squared error of the epoch."""

_BATCH = 64
_STEPS = 3000
_RATE = 0.01
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8
_NOISE = 0.1  # in standard deviations of each feature


def node_sizes(features: int) -> tuple[int, ...]:
    """Layers n – 2n/3 – 4n/9 – 2n/3 – n: for 18 features 18-12-8-12-18."""
    outer, inner = max(1, round(2 * features / 3)), max(1, round(4 * features / 9))
    return (features, outer, inner, outer, features)


def host_sizes(features: int) -> tuple[int, ...]:
    """Layers n – 4n – 2n/9 – 4n – n: half the node's bottleneck, and room for a surface that bends."""
    return (features, 4 * features, max(1, round(2 * features / 9)), 4 * features, features)


def train(windows: Floats, sizes: Sequence[int], seed: int, progress: Progress | None = None) -> Network:
    """Fit a float32 network to standardised windows [n, features]. ValueError if there are too few or not finite."""
    if windows.ndim != 2 or windows.shape[1] != sizes[0] or len(windows) < 2 or not np.isfinite(windows).all():
        raise ValueError(f"cannot train {sizes[0]} features on windows of shape {windows.shape}")
    random = np.random.default_rng(seed)
    layers = [_Layer(random, a, b) for a, b in pairwise(sizes)]
    relu = _activations(len(layers))
    batches = -(-len(windows) // _BATCH)
    epochs = -(-_STEPS // batches)
    step = 0
    for epoch in range(1, epochs + 1):
        order = random.permutation(len(windows))
        loss = 0.0
        for start in range(0, len(windows), _BATCH):
            batch = windows[order[start : start + _BATCH]]
            step += 1
            rate = _RATE * 0.5 * (1.0 + np.cos(np.pi * step / (epochs * batches)))
            noisy = batch + random.normal(0.0, _NOISE, batch.shape)
            loss += _descend(layers, relu, noisy, batch, rate, step) * len(batch)
        if progress is not None:
            progress(epoch, epochs, loss / len(windows))
    return Network(
        tuple(
            Dense(layer.weights.astype(np.float32), layer.bias.astype(np.float32), r)
            for layer, r in zip(layers, relu, strict=True)
        )
    )


def activations(network: Network, windows: Floats) -> list[Floats]:
    """The input and every layer's output for standardised windows, in float64."""
    values = [windows]
    for layer in network.layers:
        z = values[-1] @ layer.weights.astype(np.float64).T + layer.bias.astype(np.float64)
        values.append(np.maximum(z, 0.0) if layer.relu else z)
    return values


class _Layer:
    """Weights [outputs, inputs] and bias [outputs] with Adam's two moments of each."""

    def __init__(self, random: np.random.Generator, inputs: int, outputs: int) -> None:
        self.weights: Floats = random.normal(0.0, np.sqrt(2.0 / (inputs + outputs)), (outputs, inputs))
        self.bias: Floats = np.zeros(outputs)
        self._moments = [(np.zeros_like(p), np.zeros_like(p)) for p in (self.weights, self.bias)]

    def update(self, gradients: tuple[Floats, Floats], rate: float, step: int) -> None:
        first, second = _BETAS
        for parameter, gradient, (m, v) in zip((self.weights, self.bias), gradients, self._moments, strict=True):
            m += (1.0 - first) * (gradient - m)
            v += (1.0 - second) * (gradient * gradient - v)
            corrected = np.sqrt(v / (1.0 - second**step)) + _EPSILON
            parameter -= rate / (1.0 - first**step) * m / corrected


def _activations(layers: int) -> tuple[bool, ...]:
    linear = {layers // 2 - 1, layers - 1}
    return tuple(i not in linear for i in range(layers))


def _descend(
    layers: list[_Layer], relu: Sequence[bool], inputs: Floats, targets: Floats, rate: float, step: int
) -> float:
    """One step of Adam on one batch; returns the batch's loss before it."""
    values = [inputs]
    for layer, active in zip(layers, relu, strict=True):
        z = values[-1] @ layer.weights.T + layer.bias
        values.append(np.maximum(z, 0.0) if active else z)
    residual = values[-1] - targets
    gradient = residual * (2.0 / residual.size)
    for i in reversed(range(len(layers))):
        if relu[i]:
            gradient = gradient * (values[i + 1] > 0.0)
        parts = (gradient.T @ values[i], gradient.sum(axis=0))
        gradient = gradient @ layers[i].weights
        layers[i].update(parts, rate, step)
    return float(np.mean(residual**2))
