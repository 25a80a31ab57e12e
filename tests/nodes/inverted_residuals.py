"""MobileNetV2-like networks with random weights, written without TensorFlow. What they cost on a node is what trained
ones of the same architecture cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from gateway.training.mobilenet import NODE, Architecture
from tests.nodes.tflite_networks import PADDINGS, Graph

RELU6 = 3
_SCALE = 6.0 / 255  # of what a ReLU6 gives
_INPUT = (0.06, -3)
_LINEAR = (0.05, 4)
_LOGITS = (0.1, 11)
_LAST = 0.05  # the scale of the last weights


class _Maker:
    def __init__(self, seed: int) -> None:
        self.graph = Graph()
        self.random = np.random.default_rng(seed)

    def _filtered(self, name: str, x: int, weights: np.ndarray, dimension: int, stride: int, ends: Any) -> int:
        """Weights [outputs, height, width, inputs], or in depth [1, height, width, channels]."""
        tensor = self.graph.tensor(x)
        scale = float(tensor.quantization.scale[0])
        _, height, width, _ = tensor.shape
        n = weights.shape[dimension]
        taps = int(np.prod(weights.shape)) // n
        scales = (self.random.uniform(0.8, 1.2, n) / 74 / np.sqrt(taps)).tolist()
        of_sums = [float(np.float32(scale) * np.float32(s)) for s in scales]
        bias = self.graph.constant(self.random.integers(-800, 800, n).astype(np.int32), of_sums)
        (out_scale, zero_point), activation = ends
        shape = [1, -(-int(height) // stride), -(-int(width) // stride), n]
        options = {"depthMultiplier": 1} if name == "DEPTHWISE_CONV_2D" else {}
        return self.graph.add(
            name, [x, self.graph.constant(weights, scales, dimension), bias],
            self.graph.activation(shape, out_scale, zero_point), padding=PADDINGS["same"], strideW=stride,
            strideH=stride, dilationWFactor=1, dilationHFactor=1, fusedActivationFunction=activation, **options,
        )  # fmt: skip

    def weights(self, *shape: int) -> np.ndarray:
        return self.random.integers(-127, 128, shape, dtype=np.int8)

    def conv(self, x: int, channels: int, kernel: int, stride: int, *, linear: bool = False) -> int:
        inputs = int(self.graph.tensor(x).shape[3])
        ends = (_LINEAR, 0) if linear else ((_SCALE, -128), RELU6)
        return self._filtered("CONV_2D", x, self.weights(channels, kernel, kernel, inputs), 0, stride, ends)

    def depthwise(self, x: int, stride: int) -> int:
        channels = int(self.graph.tensor(x).shape[3])
        return self._filtered(
            "DEPTHWISE_CONV_2D", x, self.weights(1, 3, 3, channels), 3, stride, ((_SCALE, -128), RELU6)
        )

    def residual(self, x: int, channels: int, expansion: int, stride: int) -> int:
        before = int(self.graph.tensor(x).shape[3])
        inner = x if expansion == 1 else self.conv(x, expansion * before, 1, 1)
        inner = self.conv(self.depthwise(inner, stride), channels, 1, 1, linear=True)
        if stride != 1 or before != channels:
            return inner
        return self.graph.add("ADD", [x, inner], self.graph.activation([*self.graph.tensor(x).shape], *_LINEAR))

    def logits(self, x: int, outputs: int) -> int:
        channels = int(self.graph.tensor(x).shape[3])
        axes = self.graph.constant(np.array([1, 2], np.int32))
        pooled = self.graph.add("MEAN", [x, axes], self.graph.activation([1, channels], _SCALE, -128), keepDims=False)
        weights = self.graph.constant(self.weights(outputs, channels), [_LAST])
        bias = self.graph.constant(
            self.random.integers(-100, 100, outputs).astype(np.int32), [float(np.float32(_SCALE) * np.float32(_LAST))]
        )
        return self.graph.add("FULLY_CONNECTED", [pooled, weights, bias], self.graph.activation([1, outputs], *_LOGITS))


def mobilenet(rows: int, bands: int, outputs: int, architecture: Architecture = NODE, seed: int = 1) -> bytes:
    """The int8 network of `gateway.training.mobilenet.build`, from [1, rows, bands, 1] to `outputs` logits."""
    made, a = _Maker(seed), architecture
    head = made.graph.activation([1, rows, bands, 1], *_INPUT)
    x = made.conv(head, a.channels(a.stem), 3, 2)
    for block in a.blocks:
        x = made.residual(x, a.channels(block.channels), block.expansion, block.stride)
    x = made.conv(x, a.channels(a.head), 1, 1)
    return made.graph.tflite([head], [made.logits(x, outputs)])
