"""Writes small fully-connected .tflite files over the public schema, as `direct` and TFLite Micro are to read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ai_edge_litert.schema_py_generated as schema
import flatbuffers
import numpy as np

ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}


@dataclass
class Layer:
    """One layer: weights int8 [outputs, inputs], bias int32 [outputs] or None, one scale or one for each output."""

    weights: np.ndarray
    bias: np.ndarray | None
    weight_scales: list[float]
    output_scale: float
    output_zero_point: int
    activation: int = 0


@dataclass
class Network:
    """A chain of layers; the input has shape [1, n]."""

    input_scale: float
    input_zero_point: int
    layers: list[Layer]


def model_of(network: Network) -> Any:
    """The network as a ModelT, to be changed at will before it is packed."""
    model = schema.ModelT()
    model.version = 3
    code = schema.OperatorCodeT()
    code.deprecatedBuiltinCode = code.builtinCode = schema.BuiltinOperator.FULLY_CONNECTED
    model.operatorCodes = [code]
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [], []
    model.subgraphs = [graph]
    width = network.layers[0].weights.shape[1]
    scale = network.input_scale
    current = _tensor(model, [1, width], schema.TensorType.INT8, [scale], [network.input_zero_point])
    graph.inputs = [current]
    for layer in network.layers:
        count = layer.weights.shape[0]
        zeros = [0] * len(layer.weight_scales)
        weights = _tensor(model, [*layer.weights.shape], schema.TensorType.INT8, layer.weight_scales, zeros,
                          layer.weights.astype(np.int8).tobytes())  # fmt: skip
        bias = -1
        if layer.bias is not None:
            bias_scales = [float(np.float32(scale) * np.float32(s)) for s in layer.weight_scales]
            data = layer.bias.astype("<i4").tobytes()
            bias = _tensor(model, [count], schema.TensorType.INT32, bias_scales, zeros, data)
        scale = layer.output_scale
        output = _tensor(model, [1, count], schema.TensorType.INT8, [scale], [layer.output_zero_point])
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = layer.activation
        operator = schema.OperatorT()
        operator.opcodeIndex = 0
        operator.inputs, operator.outputs = [current, weights, bias], [output]
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.FullyConnectedOptions, options
        graph.operators.append(operator)
        current = output
    graph.outputs = [current]
    return model


def pack(model: Any) -> bytes:
    """A ModelT as the bytes of a .tflite file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tflite_of(network: Network) -> bytes:
    """The network as the bytes of a .tflite file."""
    return pack(model_of(network))


def _tensor(
    model: Any, shape: list[int], kind: int, scales: list[float], zero_points: list[int], data: bytes = b""
) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8) if data else None
    quantization = schema.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = scales, zero_points
    quantization.quantizedDimension = 0
    tensor = schema.TensorT()
    tensor.name = f"t{len(model.subgraphs[0].tensors)}"
    tensor.shape, tensor.type, tensor.quantization = shape, kind, quantization
    tensor.buffer = len(model.buffers) if data else 0
    if data:
        model.buffers.append(buffer)
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


OPTIONS = {
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "SOFTMAX": "SoftmaxOptions",
}
PADDINGS = {"same": 0, "valid": 1}
TYPES = {
    np.dtype("int8"): schema.TensorType.INT8,
    np.dtype("int32"): schema.TensorType.INT32,
    np.dtype("int64"): schema.TensorType.INT64,
    np.dtype("uint8"): schema.TensorType.UINT8,
    np.dtype("int16"): schema.TensorType.INT16,
    np.dtype("float32"): schema.TensorType.FLOAT32,
}


class Graph:
    """A network of any operators, put together one by one; tensors are numbers. `model` may be changed at will."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.operatorCodes, self.model.buffers = [], [schema.BufferT()]
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = [], []
        self.model.subgraphs = [graph]

    def activation(self, shape: list[int], scale: float = 1.0, zero_point: int = 0, kind: str = "int8") -> int:
        """A tensor that is computed, or put in from outside."""
        numbers = ([scale], [zero_point]) if kind != "float32" else ([], [])
        return _tensor(self.model, shape, TYPES[np.dtype(kind)], *numbers)

    def constant(self, values: np.ndarray, scales: list[float] | None = None, dimension: int = 0,
                 zero_point: int = 0) -> int:  # fmt: skip
        """A tensor whose values the file holds; one scale, or one for each slice of `dimension`."""
        numbers = scales or []
        data = values.astype(values.dtype.newbyteorder("<")).tobytes()
        kind = TYPES[values.dtype]
        index = _tensor(self.model, [*values.shape], kind, numbers, [zero_point] * len(numbers), data)
        self.tensor(index).quantization.quantizedDimension = dimension
        return index

    def tensor(self, index: int) -> Any:
        return self.model.subgraphs[0].tensors[index]

    def operator(self, at: int) -> Any:
        return self.model.subgraphs[0].operators[at]

    def add(self, name: str, inputs: list[int], output: int, **options: Any) -> int:
        """One operator, named as in the schema; `options` are fields of its options table. Gives `output`."""
        number = getattr(schema.BuiltinOperator, name)
        codes = self.model.operatorCodes
        known = [i for i, code in enumerate(codes) if code.builtinCode == number]
        if not known:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
            codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = known[0] if known else len(codes) - 1
        operator.inputs, operator.outputs = list(inputs), [output]
        if name in OPTIONS:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, OPTIONS[name])
            operator.builtinOptions = getattr(schema, OPTIONS[name] + "T")()
            vars(operator.builtinOptions).update(options)
        self.model.subgraphs[0].operators.append(operator)
        return output

    def tflite(self, inputs: list[int], outputs: list[int]) -> bytes:
        graph = self.model.subgraphs[0]
        graph.inputs, graph.outputs = inputs, outputs
        return pack(self.model)
