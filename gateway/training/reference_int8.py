"""The node's int8 arithmetic in numpy, to the last bit: scaling, fully-connected layers, error.

Layers round twice, as TensorFlow Lite Micro does: a saturating rounding doubling high multiplication, then a rounding
division by a power of two (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, section 2.2; the fixed-point functions are those of gemmlowp). LiteRT
rounds once and differs from this by a few steps.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.errors import Known, ModelKind
from gateway.detectors.errors import of as error_of
from gateway.detectors.scaling import Scaling, quantise
from gateway.training.tflite_file import Dense, Network

Ints = NDArray[np.int64]


def infer(network: Network, q: Ints) -> Ints:
    """Outputs [batch, outputs] of an int8 network for int8 inputs [batch, inputs], both held in int64."""
    scale, zero_point = _quantisation(network)
    for layer in network.layers:
        if layer.output is None:
            raise ValueError("a float layer in an int8 network")
        accumulator = (q - zero_point) @ layer.weights.astype(np.int64).T + layer.bias.astype(np.int64)
        q = np.stack([_rescale(accumulator[:, j], m) for j, m in enumerate(_multipliers(layer, scale))], axis=1)
        scale, zero_point = layer.output.scale, layer.output.zero_point
        q = np.clip(q + zero_point, zero_point if layer.relu else -128, 127)
    return q


def errors(
    network: Network, scaling: Scaling, features: Ints, kind: ModelKind = "autoencoder", known: Known = None
) -> Ints:
    """The node's error (SPEC.md, "Score") of each row of features [batch, features], as `direct.errors` gives it."""
    _, zero_point = _quantisation(network)
    q = quantise(scaling, features, zero_point)
    return error_of(kind, q, infer(network, q), known)


def _quantisation(network: Network) -> tuple[float, int]:
    if network.input is None:
        raise ValueError("not an int8 network")
    return network.input.scale, network.input.zero_point


def _multipliers(layer: Dense, input_scale: float) -> list[tuple[int, int]]:
    assert layer.output is not None
    outputs = layer.weights.shape[0]
    if len(layer.weight_scales) == 1:  # the product of the two scales is taken in float32 there, in double below
        product = float(np.float32(input_scale) * np.float32(layer.weight_scales[0]))
        return [_fixed_point(product / layer.output.scale)] * outputs
    return [_fixed_point(input_scale * s / layer.output.scale) for s in layer.weight_scales]


def _fixed_point(real: float) -> tuple[int, int]:
    """(m, e) with real ≈ m · 2^(e − 31), m in 2^30..2^31−1."""
    fraction, exponent = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        return 2**30, exponent + 1
    return (multiplier, exponent) if exponent >= -31 else (0, 0)


def _rescale(x: Ints, by: tuple[int, int]) -> Ints:
    multiplier, exponent = by
    product = (x << max(exponent, 0)) * multiplier
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.sign(nudged) * (np.abs(nudged) >> 31)  # division by 2^31 towards zero
    right = max(-exponent, 0)
    mask = (1 << right) - 1
    rounded: Ints = (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
    return rounded
