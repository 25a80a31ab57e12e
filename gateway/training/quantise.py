"""Float network → int8 network, calibrated on a representative set, and the integer scaling that feeds it.

Post-training quantisation as TensorFlow Lite specifies it for FULLY_CONNECTED: weights symmetric, one scale per tensor
or one per row, activations affine from the range seen, bias int32. An autoencoder's output has the scale and zero point
of the input, so that the node's error is a plain sum of squared differences (nodes/wire/SPEC.md, "Score"); a
classifier's has the range of its logits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.errors import ModelKind
from gateway.training import reference_int8
from gateway.training.dense import INPUT_HEADROOM, Floats, activations
from gateway.training.tflite_file import Dense, Network, Quantisation

_MULTIPLIER_BITS = 24  # (f − offset) has at most 33 bits: the product stays far inside int64
_LEAST_STD = 16.0  # one unit of the samples, in features' sixteenths: what varies less is not resolved by the sensor
_WORTH = 0.95  # of a layer: a scale for each row must leave less than this share of the output's error


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


@dataclass(frozen=True)
class Quantised:
    """An int8 network; which of its layers have a scale for each row; and how far its outputs are from the float
    network's on windows that it was not calibrated on (root mean square, in the float network's units), as it is and
    with one scale for all rows of every layer.
    """

    network: Network
    per_row: tuple[bool, ...]
    output_error: float
    output_error_per_tensor: float


def best(
    network: Network,
    representative: Floats,
    held_out: Floats,
    kind: ModelKind = "autoencoder",
    strange: Floats | None = None,
) -> Quantised:
    """`quantise`, with a scale for each row in those layers, from the first on, where that leaves less of the output's
    error. Elsewhere it would cost a node 8 bytes a row, and the file more, for nothing.
    """
    chosen = [False] * len(network.layers)
    found = quantise(network, representative, kind, strange, chosen)
    least = plain = output_error(network, found, held_out)
    for i in range(len(chosen)):
        tried = [*chosen[:i], True, *chosen[i + 1 :]]
        candidate = quantise(network, representative, kind, strange, tried)
        error = output_error(network, candidate, held_out)
        if error < _WORTH * least:
            chosen, found, least = tried, candidate, error
    return Quantised(found, tuple(chosen), least, plain)


def output_error(network: Network, quantised: Network, windows: Floats) -> float:
    """Root mean square difference of the outputs of an int8 network and of the float network it comes from, over
    standardised windows [n, features].
    """
    ends, last = quantised.input, quantised.layers[-1].output
    assert ends is not None and last is not None
    q = np.clip(np.rint(windows / ends.scale) + ends.zero_point, -128, 127).astype(np.int64)
    outputs = last.scale * (reference_int8.infer(quantised, q) - last.zero_point)
    return float(np.sqrt(np.mean((outputs - activations(network, windows)[-1]) ** 2)))


def quantise(
    network: Network,
    representative: Floats,
    kind: ModelKind = "autoencoder",
    strange: Floats | None = None,
    per_row: Sequence[bool] | None = None,
) -> Network:
    """The int8 form of a float network; `representative` is [n, features] of standardised normal windows. `strange` is
    like what an anomaly may be, which a hidden layer is to have room for: the normal windows twice as far out, unless
    the network has learned other ones. `per_row` says for each layer whether each row of its weights has a scale of its
    own (none has).
    """
    values = activations(network, representative)
    step = float(np.float32(INPUT_HEADROOM * max(float(np.abs(representative).max()), 1.0) / 127.0))
    ends = Quantisation(step, 0)
    farther = INPUT_HEADROOM * representative if strange is None else strange
    driven = activations(network, np.clip(farther, -128 * step, 127 * step))
    layers: list[Dense] = []
    upstream = ends
    for i, layer in enumerate(network.layers):
        if i == len(network.layers) - 1 and kind == "autoencoder":
            output = ends
        else:
            output = _activation_range(np.concatenate([values[i + 1], driven[i + 1]]), layer.relu)
        layers.append(_layer(layer, upstream, output, per_row=per_row is not None and per_row[i]))
        upstream = output
    return Network(tuple(layers), ends)


def _activation_range(values: NDArray[np.float64], relu: bool) -> Quantisation:
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = float(np.float32(max((high - low) / 255.0, 1e-6)))
    return Quantisation(scale, -128 if relu else int(np.clip(round(-128 - low / scale), -128, 127)))


def _layer(layer: Dense, upstream: Quantisation, output: Quantisation, *, per_row: bool) -> Dense:
    largest = np.abs(layer.weights).max(axis=1) if per_row else np.abs(layer.weights).max(keepdims=True)[0]
    scales = (np.maximum(largest.astype(np.float64), 1e-6) / 127.0).astype(np.float32)
    products = (np.float32(upstream.scale) * scales).astype(np.float64)
    weights = np.clip(np.rint(layer.weights / scales.astype(np.float64)[:, None]), -127, 127).astype(np.int8)
    bias = np.clip(np.rint(layer.bias.astype(np.float64) / products), -(2**31), 2**31 - 1).astype(np.int32)
    return Dense(weights, bias, layer.relu, tuple(map(float, scales)), output)
