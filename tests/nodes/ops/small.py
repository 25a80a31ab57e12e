"""One small file for each operator, always the same: what refusals, damage and fuzzing start from.

Tensor 0 is the graph's input, the last one its output, constants stand between them in the operator's order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.nodes.tflite_networks import ACTIVATIONS, PADDINGS, Graph

STRIDES = {"strideH": 1, "strideW": 2}


def filtered(name: str, weights: list[int], dimension: int, **options: int) -> Graph:
    """5 × 6 pixels of 2 channels to 5 × 3 of as many as the weights have along `dimension`."""
    graph = Graph()
    rng = np.random.default_rng(8)
    channels = weights[dimension]
    x = graph.activation([1, 5, 6, 2], 0.05, 3)
    w = graph.constant(rng.integers(-127, 128, weights).astype(np.int8), [0.01 * n for n in range(1, channels + 1)],
                       dimension)  # fmt: skip
    b = graph.constant(rng.integers(-99, 99, channels).astype(np.int32), [0.0005] * channels)
    y = graph.activation([1, 5, 3, channels], 0.1, -7)
    graph.add(name, [x, w, b], y, padding=PADDINGS["same"], fusedActivationFunction=ACTIVATIONS["relu6"],
              **STRIDES, **options)  # fmt: skip
    return graph


def conv() -> Graph:
    return filtered("CONV_2D", [3, 2, 3, 2], 0, dilationHFactor=2)


def depthwise() -> Graph:
    return filtered("DEPTHWISE_CONV_2D", [1, 2, 3, 4], 3, depthMultiplier=2)


def pool(name: str) -> Graph:
    graph = Graph()
    x, y = graph.activation([1, 5, 6, 2], 0.05, 3), graph.activation([1, 4, 2, 2], 0.05, 3)
    options = {"padding": PADDINGS["valid"], "filterHeight": 2, "filterWidth": 3}
    graph.add(name, [x], y, fusedActivationFunction=ACTIVATIONS["relu"], **options, **STRIDES)
    return graph


def mean() -> Graph:
    graph = Graph()
    x, axes = graph.activation([2, 3, 4, 2], 0.05, 3), graph.constant(np.array([1, 2], np.int32))
    graph.add("MEAN", [x, axes], graph.activation([2, 1, 1, 2], 0.04, -5), keepDims=True)
    return graph


def add() -> Graph:
    graph = Graph()
    x = graph.activation([2, 3, 4], 0.05, 3)
    y = graph.constant(np.arange(12, dtype=np.int8).reshape(3, 4), [0.07], zero_point=-2)
    graph.add("ADD", [x, y], graph.activation([2, 3, 4], 0.06, 0), fusedActivationFunction=ACTIVATIONS["relu"])
    return graph


def pad() -> Graph:
    graph = Graph()
    x = graph.activation([2, 3], 0.05, 3)
    graph.add("PAD", [x, graph.constant(np.array([[1, 0], [2, 1]], np.int32))], graph.activation([3, 6], 0.05, 3))
    return graph


def padv2() -> Graph:
    graph = Graph()
    x, paddings = graph.activation([2, 3], 0.05, 3), graph.constant(np.array([[1, 0], [2, 1]], np.int32))
    value = graph.constant(np.array([77], np.int8), [0.05], zero_point=3)
    graph.add("PADV2", [x, paddings, value], graph.activation([3, 6], 0.05, 3))
    return graph


def reshape() -> Graph:
    graph = Graph()
    x = graph.activation([2, 3, 4], 0.05, 3)
    graph.add("RESHAPE", [x, graph.constant(np.array([1, 24], np.int32))], graph.activation([1, 24], 0.05, 3))
    return graph


def softmax() -> Graph:
    graph = Graph()
    graph.add("SOFTMAX", [graph.activation([2, 5], 0.05, 3)], graph.activation([2, 5], 1 / 256, -128), beta=1.0)
    return graph


def logistic() -> Graph:
    graph = Graph()
    graph.add("LOGISTIC", [graph.activation([2, 5], 0.05, 3)], graph.activation([2, 5], 1 / 256, -128))
    return graph


def quantize() -> Graph:
    graph = Graph()
    graph.add("QUANTIZE", [graph.activation([2, 5], 0.05, 3)], graph.activation([2, 5], 0.02, -9))
    return graph


def quantize_floats() -> Graph:
    graph = Graph()
    graph.add("QUANTIZE", [graph.activation([2, 5], kind="float32")], graph.activation([2, 5], 0.02, -9))
    return graph


def dequantize() -> Graph:
    graph = Graph()
    graph.add("DEQUANTIZE", [graph.activation([2, 5], 0.05, 3)], graph.activation([2, 5], kind="float32"))
    return graph


SMALL: dict[str, Callable[[], Graph]] = {
    "CONV_2D": conv,
    "DEPTHWISE_CONV_2D": depthwise,
    "AVERAGE_POOL_2D": lambda: pool("AVERAGE_POOL_2D"),
    "MAX_POOL_2D": lambda: pool("MAX_POOL_2D"),
    "MEAN": mean,
    "ADD": add,
    "PAD": pad,
    "PADV2": padv2,
    "RESHAPE": reshape,
    "SOFTMAX": softmax,
    "LOGISTIC": logistic,
    "QUANTIZE": quantize,
    "QUANTIZE of floats": quantize_floats,
    "DEQUANTIZE": dequantize,
}


def tflite_of(graph: Graph) -> bytes:
    return graph.tflite([0], [len(graph.model.subgraphs[0].tensors) - 1])


def header() -> str:
    """All of them as tests/nodes/fuzz/ops_seeds.h: `python -m tests.nodes.ops.small > tests/nodes/fuzz/ops_seeds.h`."""
    lines = ["/* One .tflite for each operator. Written by tests/nodes/ops/small.py. */", "/* clang-format off */"]
    names = []
    for name, graph in SMALL.items():
        names.append(f"seed_{name.lower().replace(' ', '_')}")
        lines.append(f"static const uint8_t {names[-1]}[] = {{")
        data = list(tflite_of(graph()))
        lines += ["    " + ",".join(map(str, data[i : i + 32])) + "," for i in range(0, len(data), 32)]
        lines.append("};")
    lines.append("static const struct { const uint8_t *data; size_t size; } seeds[] = {")
    lines += [f"    {{{name}, sizeof {name}}}," for name in names]
    return "\n".join([*lines, "};", "/* clang-format on */"])


if __name__ == "__main__":
    print(header())
