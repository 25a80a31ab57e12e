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
