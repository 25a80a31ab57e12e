"""What is in any .tflite file, and who can run it.

Counted from the file alone: operators, parameters, multiplications with addition (MACs, of one inference). Whether a
node can run it is asked of the node's own engine, whether the gateway can of LiteRT.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import interpreter, schema_py_generated

from gateway.detectors import direct, feature_sets
from gateway.detectors.litert import PLAIN
from gateway.training.features.mel import BANDS

MODEL_FEATURES_MAX = 64
"""Inputs and outputs that an image's model has at most (nodes/c_tflm/infer/model.h)."""
_ROWS_MAX = 128
"""Of a spectrogram, where the model looks at one (nodes/c_tflm/infer/spectrogram.h)."""

schema: Any = schema_py_generated  # generated without types

_FEATURES = {feature_sets.size(number, channels) for number in feature_sets.NAMES for channels in range(1, 10)}
_NAMES = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_TYPES = {number: name.lower() for name, number in vars(schema.TensorType).items() if not name.startswith("_")}
_Interpreter: Any = interpreter.Interpreter  # has no types


class NotTflite(ValueError):  # noqa: N818 - says what the file is
    """Not a file whose operators can be listed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operator: what it gives, its MACs, and the bytes of its weights and biases."""

    operator: str
    shape: tuple[int, ...]
    macs: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A model as its file has it. `inputs` and `outputs` in words, such as "int8 [1, 18]"."""

    size: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def macs(self) -> int:
        """Of one inference."""
        return sum(step.macs for step in self.steps)

    @property
    def parameters(self) -> int:
        """Bytes of weights and biases."""
        return sum(step.parameters for step in self.steps)


@dataclass(frozen=True, slots=True)
class Runs:
    """Whether something can run it: `refused` says why not, "" where it can. `arena`: bytes of memory that the engine
    asks for, 0 where that refuses it.
    """

    refused: str = ""
    arena: int = 0


def anatomy(tflite: bytes) -> Anatomy:
    """Of a model with one graph. Raises NotTflite."""
    if tflite[4:8] != b"TFL3":
        raise NotTflite("not a .tflite file (it does not say TFL3)")
    try:
        model = schema.ModelT.InitFromPackedBuf(tflite, 0)
        (graph,) = model.subgraphs
        return Anatomy(
            len(tflite),
            tuple(_words(graph.tensors[i]) for i in graph.inputs),
            tuple(_words(graph.tensors[i]) for i in graph.outputs),
            tuple(_step(model, graph, operator) for operator in graph.operators),
        )
    except (struct.error, IndexError, TypeError, AttributeError, OverflowError, ValueError, MemoryError) as error:
        raise NotTflite(f"damaged, or of more than one graph: {error}") from error


def on_node(tflite: bytes) -> Runs:
    """What the node's engine says to the file, and what an image's model must be beside that. Raises LibraryMissing."""
    try:
        network = direct.Network(tflite)
    except direct.Refused as error:
        at = f" (operator {error.at})" if error.op else ""
        return Runs(f"the node's engine refuses it: {error}{at}")
    return Runs(_no_image(network, tflite), network.memory_size)


def _no_image(network: direct.Network, tflite: bytes) -> str:
    """Why a model that the engine runs cannot be in a model image; "" if it can."""
    first, last = network.input, network.output
    if any(end.dtype != np.int8 for end in (first, last)):
        return "its ends are float32, where a model image has int8"
    if _is_of_spectrograms(tflite):
        few = 2 <= last.size <= MODEL_FEATURES_MAX
        return "" if few else f"{last.size} classes, where an image has 2 to {MODEL_FEATURES_MAX}"
    if max(first.size, last.size) > MODEL_FEATURES_MAX:
        return f"{first.size} and {last.size} values at its ends, where an image has {MODEL_FEATURES_MAX} at most"
    if first.size not in _FEATURES:
        return f"no feature set gives {first.size} values"
    if first != last and not last.size >= 2:
        return "neither an autoencoder, whose ends are alike, nor a classifier, which has two outputs at least"
    return ""


def _is_of_spectrograms(tflite: bytes) -> bool:
    graph = schema.ModelT.InitFromPackedBuf(tflite, 0).subgraphs[0]
    match _shape(graph.tensors[graph.inputs[0]]):
        case (1, rows, bands, 1):
            return bool(1 <= rows <= _ROWS_MAX and BANDS[0] <= bands <= BANDS[1])
    return False


def on_host(tflite: bytes) -> Runs:
    """What LiteRT says to the file."""
    try:
        made = _Interpreter(model_content=tflite, num_threads=1, experimental_op_resolver_type=PLAIN)
        made.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return Runs(f"LiteRT refuses it: {error}")
    return Runs()


def _step(model: Any, graph: Any, operator: Any) -> Step:
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)  # the older field ends at 127
    output = graph.tensors[operator.outputs[0]]
    constants = [graph.tensors[i] for i in operator.inputs if i >= 0 and _bytes(model, graph.tensors[i])]
    return Step(
        _NAMES.get(number, str(number)),
        _shape(output),
        _macs(_NAMES.get(number, ""), _shape(output), [_shape(tensor) for tensor in constants]),
        sum(_bytes(model, tensor) for tensor in constants),
    )


def _macs(operator: str, output: tuple[int, ...], constants: Sequence[tuple[int, ...]]) -> int:
    """Of the three operators whose work is multiplying by weights; the others have none."""
    if not constants:
        return 0
    weights = constants[0]
    match operator:
        case "FULLY_CONNECTED":
            return math.prod(weights) * math.prod(output[:-1])
        case "CONV_2D":  # weights [outputs, height, width, inputs]
            return math.prod(output) * math.prod(weights[1:])
        case "DEPTHWISE_CONV_2D":  # weights [1, height, width, outputs]
            return math.prod(output) * math.prod(weights[1:3])
    return 0


def _bytes(model: Any, tensor: Any) -> int:
    data = model.buffers[tensor.buffer].data
    return 0 if data is None else len(data)


def _shape(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(int(n) for n in tensor.shape)


def _words(tensor: Any) -> str:
    return f"{_TYPES.get(tensor.type, tensor.type)} {list(_shape(tensor))}"
