"""Float network → int8 network, calibrated on a representative set, and the integer scaling that feeds it.

Post-training quantisation as TensorFlow Lite specifies it for FULLY_CONNECTED: weights symmetric, one scale per tensor
(every engine takes that), activations affine from the range seen, bias int32. The output has the scale and zero point
of the input, so that the node's error is a plain sum of squared differences (nodes/wire/SPEC.md, "Score").
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gateway.training.autoencoder import activations
from gateway.training.tflite_file import Dense, Network, Quantisation

_HEADROOM = 2.0  # an input saturates at twice the largest standardised value among the representative windows
_MULTIPLIER_BITS = 24  # (f − offset) has at most 33 bits: the product stays far inside int64
_LEAST_STD = 16.0  # one unit of the samples, in features' sixteenths: what varies less is not resolved by the sensor


def standardisation(features: NDArray[np.int64], left_out: frozenset[int] = frozenset()) -> list[tuple[int, int, int]]:
    """Scaling rows that bring each feature of normal windows [n, features] to mean 0 and standard deviation 1; the
    features in `left_out` become 0 whatever they are.
    """
    mean, std = features.mean(axis=0), np.maximum(features.std(axis=0), _LEAST_STD)
    factor = 1.0 / std
    factor[list(left_out)] = 0.0
    return [_row(round(m), f) for m, f in zip(mean.tolist(), factor.tolist(), strict=True)]


def in_steps(scaling: list[tuple[int, int, int]], step: float) -> list[tuple[int, int, int]]:
    """The same scaling in steps of an int8 input's scale."""
    return [_row(offset, multiplier * 2.0**-shift / step) for offset, multiplier, shift in scaling]


def _row(offset: int, factor: float) -> tuple[int, int, int]:
    if factor == 0.0:
        return offset, 0, 1
    shift = _MULTIPLIER_BITS - math.frexp(factor)[1]
    multiplier = round(math.ldexp(factor, shift))
    if not 1 <= shift <= 62:
        raise ValueError(f"a feature's scale of {factor} per sixteenth is out of range")
    return offset, multiplier, shift


def quantise(network: Network, representative: NDArray[np.float64]) -> Network:
    """The int8 form of a float network; `representative` is [n, features] of standardised normal windows."""
    values = activations(network, representative)
    step = float(np.float32(_HEADROOM * max(float(np.abs(representative).max()), 1.0) / 127.0))
    ends = Quantisation(step, 0)
    # twice the representative windows: room for what an anomaly drives a layer to
    stretched = activations(network, np.clip(_HEADROOM * representative, -128 * step, 127 * step))
    layers: list[Dense] = []
    upstream = ends
    for i, layer in enumerate(network.layers):
        last = i == len(network.layers) - 1
        output = ends if last else _activation_range(np.concatenate([values[i + 1], stretched[i + 1]]), layer.relu)
        layers.append(_layer(layer, upstream, output))
        upstream = output
    return Network(tuple(layers), ends)


def _activation_range(values: NDArray[np.float64], relu: bool) -> Quantisation:
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = float(np.float32(max((high - low) / 255.0, 1e-6)))
    return Quantisation(scale, -128 if relu else int(np.clip(round(-128 - low / scale), -128, 127)))


def _layer(layer: Dense, upstream: Quantisation, output: Quantisation) -> Dense:
    scale = float(np.float32(max(float(np.abs(layer.weights).max()), 1e-6) / 127.0))
    product = float(np.float32(upstream.scale) * np.float32(scale))
    weights = np.clip(np.rint(layer.weights.astype(np.float64) / scale), -127, 127).astype(np.int8)
    bias = np.clip(np.rint(layer.bias.astype(np.float64) / product), -(2**31), 2**31 - 1).astype(np.int32)
    return Dense(weights, bias, layer.relu, (scale,), output)
