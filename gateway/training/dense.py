"""Small dense networks in numpy: trained in seconds on one core, the same weights for the same seed.

Adam (Kingma and Ba, ICLR 2015) with a cosine decay of the learning rate. The inputs are corrupted with a little noise
in training (Vincent et al., ICML 2008), which keeps a wide network from learning a few windows by heart. What is
learned, reconstruction or classes, is a Loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.training.tflite_file import Dense, Network

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Progress = Callable[[int, int, float], None]
"""Called after each epoch with its number from 1, the number of epochs, and the mean loss of the epoch."""
Loss = Callable[[Floats, Floats], tuple[float, Floats]]
"""The mean loss of a batch from its outputs and targets, both [batch, outputs], and its gradient by the outputs."""

INPUT_HEADROOM = 2.0
"""Of a network that is to be int8, an input saturates at this many times the largest of its standardised windows."""

_BATCH = 64
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class Unsuitable(ValueError):  # noqa: N818 - says what the windows are
    """Windows that nothing can be learned from; the text names what is wrong with which of them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast: at least `steps` batches in whole epochs, the learning `rate` at the start, and the
    `noise` on inputs, in standard deviations of each feature.
    """

    steps: int = 3000
    rate: float = 0.01
    noise: float = 0.1


class Layer:
    """Weights [outputs, inputs] and bias [outputs] with Adam's two moments of each. Weights outside `kept`, a mask of
    their shape, stay 0.
    """

    def __init__(self, weights: NDArray[Any], bias: NDArray[Any], relu: bool, kept: Mask | None = None) -> None:
        self.weights: Floats = weights.astype(np.float64)
        self.bias: Floats = bias.astype(np.float64)
        self.relu = relu
        self._kept = kept
        if kept is not None:
            self.weights *= kept
        self._moments = [(np.zeros_like(p), np.zeros_like(p)) for p in (self.weights, self.bias)]

    def forward(self, values: Floats) -> Floats:
        """Outputs [batch, outputs] of inputs [batch, inputs]."""
        z: Floats = values @ self.weights.T + self.bias
        return np.maximum(z, 0.0) if self.relu else z

    def update(self, gradients: tuple[Floats, Floats], rate: float, step: int) -> None:
        """Step number `step`, from 1, of Adam, by the gradients of weights and bias."""
        first, second = _BETAS
        for parameter, gradient, (m, v) in zip((self.weights, self.bias), gradients, self._moments, strict=True):
            m += (1.0 - first) * (gradient - m)
            v += (1.0 - second) * (gradient * gradient - v)
            corrected = np.sqrt(v / (1.0 - second**step)) + _EPSILON
            parameter -= rate / (1.0 - first**step) * m / corrected
        if self._kept is not None:
            self.weights *= self._kept


def drawn(random: np.random.Generator, sizes: Sequence[int], relu: Sequence[bool]) -> list[Layer]:
    """Layers of random weights (Glorot and Bengio, AISTATS 2010) between these sizes."""
    return [
        Layer(random.normal(0.0, np.sqrt(2.0 / (a + b)), (b, a)), np.zeros(b), active)
        for (a, b), active in zip(pairwise(sizes), relu, strict=True)
    ]


def fit(
    layers: Sequence[Layer],
    inputs: Floats,
    targets: Floats,
    loss: Loss,
    random: np.random.Generator,
    plan: Plan,
    progress: Progress | None = None,
) -> None:
    """Trains the layers in place on inputs [n, inputs] and targets [n, outputs]."""
    batches = -(-len(inputs) // _BATCH)
    epochs = -(-plan.steps // batches)
    step = 0
    for epoch in range(1, epochs + 1):
        order = random.permutation(len(inputs))
        total = 0.0
        for start in range(0, len(inputs), _BATCH):
            rows = order[start : start + _BATCH]
            step += 1
            rate = plan.rate * 0.5 * (1.0 + np.cos(np.pi * step / (epochs * batches)))
            noisy = inputs[rows] + random.normal(0.0, plan.noise, (len(rows), inputs.shape[1]))
            total += _descend(layers, noisy, targets[rows], loss, rate, step) * len(rows)
        if progress is not None:
            progress(epoch, epochs, total / len(inputs))


def network_of(layers: Sequence[Layer]) -> Network:
    """The float32 network of the layers as they are now."""
    return Network(tuple(Dense(x.weights.astype(np.float32), x.bias.astype(np.float32), x.relu) for x in layers))


def activations(network: Network, windows: Floats) -> list[Floats]:
    """The input and every layer's output of a float network for standardised windows [n, features], in float64."""
    values = [windows]
    for layer in network.layers:
        values.append(Layer(layer.weights, layer.bias, layer.relu).forward(values[-1]))
    return values


def check_windows(windows: NDArray[Any], features: int, least: int = 2) -> None:
    """Raises Unsuitable unless these are at least `least` windows of so many features, all of them finite."""
    if windows.ndim != 2 or windows.shape[1] != features:
        raise Unsuitable(f"cannot train {features} features on windows of shape {windows.shape}")
    if len(windows) < least:
        raise Unsuitable(f"cannot train {features} features on {len(windows)} windows: at least {least} are needed")
    bad = np.flatnonzero(~np.isfinite(windows).all(axis=1))
    if bad.size:
        raise Unsuitable(f"cannot train {features} features on window {bad[0]}, which is not all numbers")


def _descend(layers: Sequence[Layer], inputs: Floats, targets: Floats, loss: Loss, rate: float, step: int) -> float:
    """One step of Adam on one batch; returns the batch's loss before it."""
    values = [inputs]
    for layer in layers:
        values.append(layer.forward(values[-1]))
    found, gradient = loss(values[-1], targets)
    for i in reversed(range(len(layers))):
        if layers[i].relu:
            gradient = gradient * (values[i + 1] > 0.0)
        parts = (gradient.T @ values[i], gradient.sum(axis=0))
        gradient = gradient @ layers[i].weights
        layers[i].update(parts, rate, step)
    return found
