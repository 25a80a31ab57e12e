"""Networks of one operator, and of many, of random shape and quantisation: what both engines are to agree on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.nodes.ops import layers
from tests.nodes.ops.layers import Rng, Tensor
from tests.nodes.tflite_networks import Graph


@dataclass
class Case:
    """A file and what to put in: arrays of the shape and type of the graph's input."""

    tflite: bytes
    inputs: list[np.ndarray]


def case(rng: Rng, graph: Graph, x: Tensor, y: Tensor, count: int = 4) -> Case:
    inputs = [np.full(x.shape, v, np.int8) for v in (-128, 127, x.zero_point)]
    inputs += [rng.integers(-128, 128, x.shape).astype(np.int8) for _ in range(count - 3)]
    return Case(graph.tflite([x.index], [y.index]), inputs)


def behind_an_image(layer: Callable[[Graph, Rng, Tensor], Tensor]) -> Callable[[Rng], Case]:
    def make(rng: Rng) -> Case:
        graph = layers.Extremes()
        x = layers.image(graph, rng)
        return case(rng, graph, x, layer(graph, rng, x), 5)

    return make


def any_shape(rng: Rng) -> list[int]:
    return [int(n) for n in rng.integers(1, 8, rng.integers(1, 5))]


def behind_any_shape(layer: Callable[[Graph, Rng, Tensor], Tensor]) -> Callable[[Rng], Case]:
    def make(rng: Rng) -> Case:
        graph = Graph()
        x = layers.any_tensor(graph, rng, any_shape(rng))
        return case(rng, graph, x, layer(graph, rng, x), 5)

    return make


def add_something(graph: Graph, rng: Rng, x: Tensor) -> Tensor:
    """x + x, x + something of its own, or x + a constant; with one axis repeated now and then."""
    kind = int(rng.integers(4))
    if kind == 0:
        return layers.add(graph, rng, x, x)
    if kind == 1:
        return layers.add(graph, rng, x, layers.quantize(graph, rng, x))
    shape = [1 if rng.random() < 0.3 else n for n in x.shape][int(rng.integers(len(x.shape))) :]
    scale = layers.power(rng, -9, 2)
    zero_point = int(rng.integers(-128, 128))
    values = rng.integers(-128, 128, shape).astype(np.int8)
    y = Tensor(graph.constant(values, [scale], zero_point=zero_point), shape, scale, zero_point)
    return layers.add(graph, rng, x, y) if kind == 2 else layers.add(graph, rng, y, x)


def floats(rng: Rng, shape: list[int], scale: float) -> np.ndarray:
    """Floats of all sizes that can be told apart in steps of `scale`; ties, and what is next to them."""
    kind = int(rng.integers(3))
    if kind == 0:
        return rng.normal(0, 100 * scale, shape).astype(np.float32)
    ties = ((rng.integers(-300, 300, shape) + 0.5) * scale).astype(np.float32)
    if kind == 1:
        return np.nextafter(ties, rng.choice([-np.inf, 0, np.inf], shape).astype(np.float32))
    small = (ties * 2.0 ** rng.integers(-160, 8, shape)).astype(np.float32)
    return np.where(rng.random(shape) < 0.2, np.float32(-0.0), small)


def quantize_floats(rng: Rng) -> Case:
    graph = Graph()
    shape = any_shape(rng)
    x = layers.tensor(graph, shape, 1.0, 0, "float32")
    scale = layers.power(rng, -40, 40)
    y = layers.tensor(graph, shape, scale, int(rng.integers(-128, 128)))
    graph.add("QUANTIZE", [x.index], y.index)
    return Case(graph.tflite([x.index], [y.index]), [floats(rng, shape, scale) for _ in range(6)])


def without_rng(layer: Callable[[Graph, Tensor], Tensor]) -> Callable[[Graph, Rng, Tensor], Tensor]:
    return lambda graph, rng, x: layer(graph, x)


OPERATORS: dict[str, Callable[[Rng], Case]] = {
    "CONV_2D": behind_an_image(layers.conv),
    "DEPTHWISE_CONV_2D": behind_an_image(layers.depthwise),
    "AVERAGE_POOL_2D": behind_an_image(layers.average),
    "MAX_POOL_2D": behind_an_image(layers.largest),
    "MEAN": behind_an_image(layers.mean),
    "ADD": behind_any_shape(add_something),
    "PAD": behind_any_shape(layers.pad),
    "RESHAPE": behind_any_shape(without_rng(layers.flat)),
    "SOFTMAX": behind_any_shape(layers.softmax),
    "LOGISTIC": behind_any_shape(without_rng(layers.logistic)),
    "QUANTIZE": behind_any_shape(layers.quantize),
    "QUANTIZE of floats": quantize_floats,
    "DEQUANTIZE": behind_any_shape(without_rng(layers.dequantize)),
}


def classifier(rng: Rng) -> Case:
    """What image and keyword models look like: convolutions, a pool, one dense layer, SOFTMAX."""
    graph = Graph()
    x = y = layers.image(graph, rng, side=16, channels=3, batches=1)
    y = layers.conv(graph, rng, y)
    for _ in range(int(rng.integers(1, 4))):
        y = layers.conv(graph, rng, layers.depthwise(graph, rng, y))
    y = (layers.average, layers.largest, layers.mean)[int(rng.integers(3))](graph, rng, y)
    return case(rng, graph, x, layers.softmax(graph, rng, layers.dense(graph, rng, layers.flat(graph, y))))


def residual(rng: Rng) -> Case:
    """Blocks whose input is added to their output, which so lives longer than its neighbours."""
    graph = Graph()
    x = layers.image(graph, rng, batches=1)
    y = layers.conv(graph, rng, x)
    for _ in range(int(rng.integers(1, 4))):
        inner = layers.same_size(graph, rng, layers.same_size(graph, rng, y))
        y = layers.add(graph, rng, *((inner, y) if rng.random() < 0.5 else (y, inner)))
    y = layers.flat(graph, layers.mean(graph, rng, y))
    return case(rng, graph, x, layers.logistic(graph, layers.dense(graph, rng, y)))


def from_float_to_float(rng: Rng) -> Case:
    """Floats at both ends, int8 within."""
    graph = Graph()
    shape = [1, *(int(n) for n in rng.integers(1, 9, 3))]
    x = layers.tensor(graph, shape, 1.0, 0, "float32")
    scale = layers.power(rng, -9, 2)
    y = layers.tensor(graph, shape, scale, int(rng.integers(-128, 128)))
    graph.add("QUANTIZE", [x.index], y.index)
    y = layers.dequantize(graph, layers.dense(graph, rng, layers.conv(graph, rng, y)))
    inputs = [rng.normal(0, 60 * scale, shape).astype(np.float32) for _ in range(4)]
    return Case(graph.tflite([x.index], [y.index]), inputs)


ANY_RANK = (layers.pad, layers.softmax, layers.quantize, without_rng(layers.logistic), add_something)
IMAGES = (layers.conv, layers.depthwise, layers.average, layers.largest, layers.same_size)


def anything(rng: Rng) -> Case:
    """Up to nine operators in any order, now and then an ADD of something that was computed long before."""
    graph = Graph()
    x = layers.image(graph, rng, side=8, channels=5, batches=1)
    made = [x]
    for _ in range(int(rng.integers(2, 10))):
        y = made[-1]
        older = made[int(rng.integers(len(made)))]
        if rng.random() < 0.25 and older.shape == y.shape:
            made.append(layers.add(graph, rng, y, older))
            continue
        kinds = ANY_RANK + IMAGES if len(y.shape) == 4 else ANY_RANK
        layer = kinds[int(rng.integers(len(kinds)))]
        if layer is layers.pad and y.size > 2000:
            continue
        made.append(layer(graph, rng, y))
    return case(rng, graph, x, layers.dense(graph, rng, layers.flat(graph, made[-1])))


GRAPHS: dict[str, Callable[[Rng], Case]] = {
    "classifier": classifier,
    "residual": residual,
    "from float to float": from_float_to_float,
    "anything": anything,
}
