"""Magnitude pruning: the smallest weights of each layer become 0, and the others learn to do without them.

Gradual, with the cubic schedule of Zhu and Gupta (To prune, or not to prune, 2017): the rest is fine-tuned after each
cut. What is gained are zeros, which compress; a .tflite file stays dense, and so does the time on a node.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gateway.training import tflite_file
from gateway.training.dense import Floats, Layer, Loss, Mask, Plan, Progress, Unsuitable, activations, fit, network_of
from gateway.training.tflite_file import Network

_CUTS = 4
_TUNING = Plan(steps=750, rate=0.003)


@dataclass(frozen=True)
class Pruned:
    """A network with zeros among its weights, and what they are worth: their share among all weights, the loss on
    windows that it was not trained on before and after, and the bytes of the .tflite file, deflated, before and after.
    """

    network: Network
    sparsity: float
    loss_before: float
    loss: float
    deflated_before: int
    deflated: int


@dataclass(frozen=True)
class Lesson:
    """What a network was trained for: inputs [n, features] and targets [n, outputs] of training windows and of held-out
    ones, and the Loss.
    """

    inputs: Floats
    targets: Floats
    held_out: Floats
    held_out_targets: Floats
    loss: Loss


def prune(network: Network, lesson: Lesson, share: float, seed: int, progress: Progress | None = None) -> Pruned:
    """A float network with at least this share of each layer's weights at 0, fine-tuned on the lesson. Progress goes on
    from 1 with each cut. Raises Unsuitable for a share that is not within 0 to 1, or that leaves a layer no weight.
    """
    if not 0.0 < share < 1.0:
        raise Unsuitable(f"a share of {share:g} of the weights cannot be pruned: it is between 0 and 1")
    bare = [i for i, layer in enumerate(network.layers) if _zeros(share, layer.weights.size) >= layer.weights.size]
    if bare:
        raise Unsuitable(f"a share of {share:g} leaves layer {bare[0]} no weights")
    random = np.random.default_rng(seed)
    pruned = network
    for cut in range(1, _CUTS + 1):
        masks = _masks(pruned, share * (1.0 - (1.0 - cut / _CUTS) ** 3))
        layers = [Layer(x.weights, x.bias, x.relu, kept) for x, kept in zip(pruned.layers, masks, strict=True)]
        fit(layers, lesson.inputs, lesson.targets, lesson.loss, random, _TUNING, progress)
        pruned = network_of(layers)
    weights = [layer.weights for layer in pruned.layers]
    return Pruned(
        pruned,
        sum(int((w == 0.0).sum()) for w in weights) / sum(w.size for w in weights),
        _loss(network, lesson),
        _loss(pruned, lesson),
        _deflated(network),
        _deflated(pruned),
    )


def _zeros(share: float, weights: int) -> int:
    return math.ceil(share * weights - 1e-9)


def _masks(network: Network, share: float) -> Sequence[Mask]:
    """Of each layer all but this share of the weights, the smallest ones; of equal ones the first go."""
    masks = []
    for layer in network.layers:
        order = np.argsort(np.abs(layer.weights), axis=None, kind="stable")
        kept = np.ones(layer.weights.size, np.bool_)
        kept[order[: _zeros(share, layer.weights.size)]] = False
        masks.append(kept.reshape(layer.weights.shape))
    return masks


def _loss(network: Network, lesson: Lesson) -> float:
    return lesson.loss(activations(network, lesson.held_out)[-1], lesson.held_out_targets)[0]


def _deflated(network: Network) -> int:
    return len(zlib.compress(tflite_file.write(network), 9))
