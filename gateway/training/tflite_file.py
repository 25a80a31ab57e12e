"""Fully-connected networks as .tflite files, written and read over the flatbuffer schema that ai-edge-litert ships.

Only what the small models need: one input, a chain of FULLY_CONNECTED, one output; all int8 or all float32.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated
from flatbuffers import builder as flatbuffer_builder
from numpy.typing import NDArray

schema: Any = schema_py_generated  # generated without types

IDENTIFIER = b"TFL3"
_OP_VERSION = {"float32": 1, "int8": 4, "int8 per channel": 12}  # of FULLY_CONNECTED, as the TFLite runtime counts them


@dataclass(frozen=True, slots=True)
class Quantisation:
    """Affine int8: real = scale · (q − zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Dense:
    """One fully-connected layer.

    `weights` is [outputs, inputs], int8 (zero point 0) or float32; `bias` is [outputs], int32 in units of input scale ·
    weight scale, or float32. An int8 layer has one weight scale, or one per output, and its output's quantisation.
    """

    weights: NDArray[Any]
    bias: NDArray[Any]
    relu: bool
    weight_scales: tuple[float, ...] = ()
    output: Quantisation | None = None


@dataclass(frozen=True)
class Network:
    """A chain of layers; `input` is None for float32."""

    layers: tuple[Dense, ...]
    input: Quantisation | None = None


def write(network: Network) -> bytes:
    """The .tflite file of a network; the same network gives the same bytes. ValueError if the layers do not fit."""
    _check(network)
    quantised = network.input is not None
    value = schema.TensorType.INT8 if quantised else schema.TensorType.FLOAT32
    whole = schema.TensorType.INT32 if quantised else schema.TensorType.FLOAT32
    tensors = _Tensors()
    head = tensors.add("input", (1, network.layers[0].weights.shape[1]), value, _parameters(network.input))
    operators = []
    before, upstream = head, network.input
    for i, layer in enumerate(network.layers):
        scales = layer.weight_scales
        bias_scales = tuple(float(np.float32(upstream.scale) * np.float32(s)) for s in scales) if upstream else ()
        rows = _little(layer.weights, quantised, "i1")
        bias = _little(layer.bias, quantised, "<i4")
        inputs = [
            before,
            tensors.add(f"weights_{i}", rows.shape, value, _symmetric(scales), rows),
            tensors.add(f"bias_{i}", bias.shape, whole, _symmetric(bias_scales), bias),
        ]
        name = "output" if i == len(network.layers) - 1 else f"hidden_{i}"
        before = tensors.add(name, (1, rows.shape[0]), value, _parameters(layer.output))
        operators.append(_fully_connected(inputs, before, relu=layer.relu))
        upstream = layer.output
    graph = schema.SubGraphT(tensors=tensors.tensors, inputs=[head], outputs=[before], operators=operators, name="main")
    return _pack(graph, tensors.buffers, _op_version(network))


class _Tensors:
    """The tensors of a model and the buffers behind them."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [schema.BufferT()]  # by convention the first buffer is empty: "no data"

    def add(
        self, name: str, shape: Sequence[int], kind: int, quantisation: Any, data: NDArray[Any] | None = None
    ) -> int:
        """Append a tensor and return its index."""
        buffer = 0
        if data is not None:
            buffer = len(self.buffers)
            self.buffers.append(schema.BufferT(data=np.frombuffer(data.tobytes(), dtype=np.uint8)))
        tensor = schema.TensorT(shape=list(shape), type=kind, buffer=buffer, name=name, quantization=quantisation)
        self.tensors.append(tensor)
        return len(self.tensors) - 1


def read(data: bytes) -> Network:
    """The network in a .tflite file of the kind that `write` makes. ValueError on anything else."""
    if data[4:8] != IDENTIFIER:
        raise ValueError("not a .tflite file")
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        return _network(model)
    except (struct.error, IndexError, TypeError, AttributeError, OverflowError) as error:  # a torn flatbuffer
        raise ValueError(f"not a chain of fully-connected layers: {error}") from error


def _network(model: Any) -> Network:
    (graph,) = model.subgraphs
    tensors = graph.tensors

    def data(index: int, kind: str) -> NDArray[Any]:
        tensor = tensors[index]
        raw = bytes(model.buffers[tensor.buffer].data)
        return np.frombuffer(raw, dtype=kind).reshape(tuple(tensor.shape))

    (at,) = graph.inputs
    quantised = tensors[at].type == schema.TensorType.INT8
    layers = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        upstream, weights, bias = operator.inputs
        if code != schema.BuiltinOperator.FULLY_CONNECTED or upstream != at:
            raise ValueError("not a chain of fully-connected layers")
        (at,) = operator.outputs
        relu = operator.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.RELU
        scales = tuple(map(float, tensors[weights].quantization.scale)) if quantised else ()
        kinds = ("i1", "<i4") if quantised else ("<f4", "<f4")
        output = _quantisation(tensors[at]) if quantised else None
        layers.append(Dense(data(weights, kinds[0]), data(bias, kinds[1]), relu, scales, output))
    if list(graph.outputs) != [at]:
        raise ValueError("not a chain of fully-connected layers")
    return Network(tuple(layers), _quantisation(tensors[graph.inputs[0]]) if quantised else None)


def _quantisation(tensor: Any) -> Quantisation:
    (scale,), (zero_point,) = tensor.quantization.scale, tensor.quantization.zeroPoint
    return Quantisation(float(scale), int(zero_point))


def _check(network: Network) -> None:
    quantised = network.input is not None
    inputs = network.layers[0].weights.shape[1]
    for i, layer in enumerate(network.layers):
        outputs = layer.weights.shape[0]
        if layer.weights.shape != (outputs, inputs) or layer.bias.shape != (outputs,):
            raise ValueError(f"layer {i}: weights {layer.weights.shape} and bias {layer.bias.shape} do not fit")
        if quantised != (layer.output is not None) or len(layer.weight_scales) not in (
            (1, outputs) if quantised else (0,)
        ):
            raise ValueError(f"layer {i}: quantised and float mixed, or a wrong number of scales")
        inputs = outputs


def _little(values: NDArray[Any], quantised: bool, kind: str) -> NDArray[Any]:
    return np.ascontiguousarray(values, dtype=kind if quantised else "<f4")


def _parameters(q: Quantisation | None) -> Any:
    return schema.QuantizationParametersT(scale=[q.scale], zeroPoint=[q.zero_point]) if q else None


def _symmetric(scales: Sequence[float]) -> Any:
    return schema.QuantizationParametersT(scale=list(scales), zeroPoint=[0] * len(scales)) if scales else None


def _fully_connected(inputs: list[int], output: int, *, relu: bool) -> Any:
    activation = schema.ActivationFunctionType.RELU if relu else schema.ActivationFunctionType.NONE
    return schema.OperatorT(
        opcodeIndex=0,
        inputs=inputs,
        outputs=[output],
        builtinOptionsType=schema.BuiltinOptions.FullyConnectedOptions,
        builtinOptions=schema.FullyConnectedOptionsT(fusedActivationFunction=activation),
    )


def _op_version(network: Network) -> int:
    if network.input is None:
        return _OP_VERSION["float32"]
    per_channel = any(len(layer.weight_scales) > 1 for layer in network.layers)
    return _OP_VERSION["int8 per channel" if per_channel else "int8"]


def _pack(graph: Any, buffers: list[Any], op_version: int) -> bytes:
    code = schema.BuiltinOperator.FULLY_CONNECTED
    operator_code = schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code, version=op_version)
    model = schema.ModelT(
        version=3, operatorCodes=[operator_code], subgraphs=[graph], buffers=buffers, description="stethos"
    )
    builder: Any = flatbuffer_builder.Builder(4096)  # type: ignore[no-untyped-call]
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
