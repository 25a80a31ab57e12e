"""Operators of random shape, options and quantisation, each put behind a tensor of a growing Graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.nodes.tflite_networks import ACTIVATIONS, PADDINGS, Graph

Rng = np.random.Generator
SOFTMAX_SCALE = 1 / 256  # with a zero point of -128: what the interpreter demands of SOFTMAX's output


@dataclass
class Tensor:
    """An activation of a Graph."""

    index: int
    shape: list[int]
    scale: float
    zero_point: int

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))


def power(rng: Rng, low: float, high: float) -> float:
    """A scale from 2^low to 2^high, as single precision has it."""
    return float(np.float32(2 ** rng.uniform(low, high)))


def tensor(graph: Graph, shape: list[int], scale: float, zero_point: int, kind: str = "int8") -> Tensor:
    scale = float(np.float32(scale))
    return Tensor(graph.activation(shape, scale, zero_point, kind), shape, scale, zero_point)


def any_tensor(graph: Graph, rng: Rng, shape: list[int]) -> Tensor:
    return tensor(graph, shape, power(rng, -9, 2), int(rng.integers(-128, 128)))


def image(graph: Graph, rng: Rng, side: int = 12, channels: int = 9, batches: int = 2) -> Tensor:
    shape = [int(rng.integers(1, n + 1)) for n in (batches, side, side, channels)]
    return any_tensor(graph, rng, shape)


def reached(size: int, taps: int, stride: int, dilation: int, padding: str) -> int:
    """Places of a window of `taps` along an axis of `size`."""
    reach = (taps - 1) * dilation + 1 if padding == "valid" else 1
    return (size - reach) // stride + 1


def window(rng: Rng, x: Tensor, dilated: bool) -> tuple[list[int], list[int], dict[str, int]]:
    """Taps and places by height and width, and the options that say so."""
    padding = str(rng.choice(["same", "valid"]))
    taps, places, options = [], [], {"padding": PADDINGS[padding]}
    for axis, name in ((1, "H"), (2, "W")):
        size = x.shape[axis]
        dilation = int(rng.integers(1, 4)) if dilated and rng.random() < 0.4 else 1
        most = (size - 1) // dilation + 1 if padding == "valid" else 6
        taps.append(int(rng.integers(1, min(most, 6) + 1)))
        options[f"stride{name}"] = int(rng.integers(1, 5))
        if dilated:
            options[f"dilation{name}Factor"] = dilation
        places.append(reached(size, taps[-1], options[f"stride{name}"], dilation, padding))
    return taps, places, options


def activation(rng: Rng) -> int:
    return int(rng.choice(list(ACTIVATIONS.values())))


class Extremes(Graph):
    """A graph whose outputs have, now and then, a scale at which sums are lost, clamped throughout, or wrap."""


def output_scale(graph: Graph, rng: Rng, scale: float) -> float:
    """One near `scale`, within what all operators take: many small steps in a long network would leave that."""
    if isinstance(graph, Extremes) and rng.random() < 0.1:
        return float(np.clip(scale * 2 ** rng.uniform(-31, 31), 2.0**-26, 2.0**30))
    return float(np.clip(scale, 2.0**-16, 2.0**16))


def weighted(graph: Graph, rng: Rng, name: str, x: Tensor, weights: np.ndarray, shape: list[int], dimension: int,
             options: dict[str, Any]) -> Tensor:  # fmt: skip
    """CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED with the weights given and a random rest."""
    channels = weights.shape[dimension]
    scales = [power(rng, -12, -4) for _ in range(channels if rng.random() < 0.7 else 1)]
    products = weights.size / channels
    spread = x.scale * float(np.mean(scales)) * 100 * np.sqrt(products) * 2 ** rng.uniform(-3, 2)
    inputs = [x.index, graph.constant(weights.astype(np.int8), scales, dimension)]
    if rng.random() < 0.8:
        large = 2**31 if rng.random() < 0.05 else int(4000 * np.sqrt(products))
        bias = rng.integers(-large, large, channels).astype(np.int32)
        inputs.append(graph.constant(bias, [float(np.float32(x.scale) * np.float32(s)) for s in scales]))
    out = tensor(graph, shape, output_scale(graph, rng, spread), int(rng.integers(-128, 128)))
    graph.add(name, inputs, out.index, fusedActivationFunction=activation(rng), **options)
    return out


def conv(graph: Graph, rng: Rng, x: Tensor, channels: int = 11) -> Tensor:
    taps, places, options = window(rng, x, dilated=True)
    n = int(rng.integers(1, channels + 1))
    weights = rng.integers(-128, 128, [n, *taps, x.shape[3]])
    return weighted(graph, rng, "CONV_2D", x, weights, [x.shape[0], *places, n], 0, options)


def depthwise(graph: Graph, rng: Rng, x: Tensor, multiplier: int = 3) -> Tensor:
    taps, places, options = window(rng, x, dilated=True)
    options["depthMultiplier"] = int(rng.integers(1, multiplier + 1)) if rng.random() < 0.4 else 1
    n = x.shape[3] * options["depthMultiplier"]
    weights = rng.integers(-128, 128, [1, *taps, n])
    return weighted(graph, rng, "DEPTHWISE_CONV_2D", x, weights, [x.shape[0], *places, n], 3, options)


def dense(graph: Graph, rng: Rng, x: Tensor, outputs: int = 12) -> Tensor:
    n = int(rng.integers(1, outputs + 1))
    return weighted(graph, rng, "FULLY_CONNECTED", x, rng.integers(-127, 128, [n, x.size]), [1, n], 0, {})


def pool(graph: Graph, rng: Rng, x: Tensor, name: str) -> Tensor:
    taps, places, options = window(rng, x, dilated=False)
    out = tensor(graph, [x.shape[0], *places, x.shape[3]], x.scale, x.zero_point)
    options |= {"filterHeight": taps[0], "filterWidth": taps[1], "fusedActivationFunction": activation(rng)}
    graph.add(name, [x.index], out.index, **options)
    return out


def average(graph: Graph, rng: Rng, x: Tensor) -> Tensor:
    return pool(graph, rng, x, "AVERAGE_POOL_2D")


def largest(graph: Graph, rng: Rng, x: Tensor) -> Tensor:
    return pool(graph, rng, x, "MAX_POOL_2D")


def mean(graph: Graph, rng: Rng, x: Tensor) -> Tensor:
    keep = bool(rng.integers(2))
    axes = [[1, 2], [2, 1], [-3, -2], [1, -2]][int(rng.integers(4))]
    shape = [x.shape[0], 1, 1, x.shape[3]] if keep else [x.shape[0], x.shape[3]]
    out = tensor(graph, shape, output_scale(graph, rng, x.scale * power(rng, -3, 2)), int(rng.integers(-128, 128)))
    graph.add("MEAN", [x.index, graph.constant(np.array(axes, np.int32))], out.index, keepDims=keep)
    return out


def add(graph: Graph, rng: Rng, x: Tensor, y: Tensor) -> Tensor:
    rank = max(len(x.shape), len(y.shape))
    a, b = ([1] * (rank - len(t.shape)) + t.shape for t in (x, y))
    scale = output_scale(Graph(), rng, (x.scale + y.scale) * power(rng, -3, 2))
    out = tensor(graph, [max(p) for p in zip(a, b, strict=True)], scale, int(rng.integers(-128, 128)))
    graph.add("ADD", [x.index, y.index], out.index, fusedActivationFunction=activation(rng))
    return out


def pad(graph: Graph, rng: Rng, x: Tensor, most: int = 3) -> Tensor:
    paddings = rng.integers(0, most + 1, [len(x.shape), 2]).astype(np.int32)
    shape = [n + int(p.sum()) for n, p in zip(x.shape, paddings, strict=True)]
    out = tensor(graph, shape, x.scale, x.zero_point)
    inputs = [x.index, graph.constant(paddings)]
    name = str(rng.choice(["PAD", "PADV2"]))
    if name == "PADV2":
        value = rng.integers(-128, 128, [1] if rng.random() < 0.5 else []).astype(np.int8)
        inputs.append(graph.constant(value, [x.scale], zero_point=x.zero_point))
    graph.add(name, inputs, out.index)
    return out


def reshape(graph: Graph, x: Tensor, shape: list[int]) -> Tensor:
    out = tensor(graph, shape, x.scale, x.zero_point)
    graph.add("RESHAPE", [x.index, graph.constant(np.array(shape, np.int32))], out.index)
    return out


def flat(graph: Graph, x: Tensor) -> Tensor:
    return reshape(graph, x, [1, x.size])


def softmax(graph: Graph, rng: Rng, x: Tensor) -> Tensor:
    out = tensor(graph, x.shape, SOFTMAX_SCALE, -128)
    beta = 1.0 if rng.random() < 0.5 else power(rng, -3, 3)
    graph.add("SOFTMAX", [x.index], out.index, beta=beta)
    return out


def logistic(graph: Graph, x: Tensor) -> Tensor:
    out = tensor(graph, x.shape, SOFTMAX_SCALE, -128)
    graph.add("LOGISTIC", [x.index], out.index)
    return out


def quantize(graph: Graph, rng: Rng, x: Tensor) -> Tensor:
    scale = output_scale(graph, rng, x.scale * power(rng, -3, 3))
    out = tensor(graph, x.shape, scale, int(rng.integers(-128, 128)))
    graph.add("QUANTIZE", [x.index], out.index)
    return out


def dequantize(graph: Graph, x: Tensor) -> Tensor:
    out = tensor(graph, x.shape, 1.0, 0, "float32")
    graph.add("DEQUANTIZE", [x.index], out.index)
    return out


def same_size(graph: Graph, rng: Rng, x: Tensor) -> Tensor:
    """A convolution that leaves the shape as it is."""
    taps = [int(n) for n in rng.integers(1, 4, 2)]
    options = {"padding": PADDINGS["same"], "strideH": 1, "strideW": 1}
    if rng.random() < 0.5:
        weights = rng.integers(-128, 128, [1, *taps, x.shape[3]])
        return weighted(graph, rng, "DEPTHWISE_CONV_2D", x, weights, x.shape, 3, options | {"depthMultiplier": 1})
    weights = rng.integers(-128, 128, [x.shape[3], *taps, x.shape[3]])
    return weighted(graph, rng, "CONV_2D", x, weights, x.shape, 0, options)
