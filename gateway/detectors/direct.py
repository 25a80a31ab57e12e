"""The node's inference engine `direct` (nodes/c_tflm/infer), to the bit, from Python.

    network = Network(tflite)
    outputs = network.run(inputs)      # int8 [batch, inputs] -> int8 [batch, outputs]

What it computes is what TensorFlow Lite Micro computes; LiteRT on this computer rounds otherwise.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.errors import Known, ModelKind
from gateway.detectors.errors import of as error_of
from gateway.detectors.node_library import LibraryMissing, node_library
from gateway.detectors.scaling import Scaling, quantise

__all__ = ["End", "LibraryMissing", "Network", "Refused", "errors"]

# binding.h
_SIZE, _SCALE, _ZERO_POINT, _TYPE = range(4)
_OUTPUT, _MEMORY, _REFUSED_OP, _REFUSED_AT = 4, 8, 9, 10
_INT8 = 9
_ALIGNMENT = 8


class Refused(ValueError):  # noqa: N818 - says what the engine did
    """The engine does not run this file: `reason` in words, `op` the operator's name ("" if it is none), `at` its place
    among the operators, from 0.
    """

    def __init__(self, op: str, reason: str, at: int) -> None:
        super().__init__(f"{reason}: {op}" if op else reason)
        self.op = op
        self.reason = reason
        self.at = at


@dataclass(frozen=True, slots=True)
class End:
    """Input or output of a network: real = scale · (value − zero_point) where it is int8."""

    size: int
    scale: float
    zero_point: int
    dtype: np.dtype[Any]


class Network:
    """A .tflite file, opened. `memory_size` is what it asked for, in bytes; it has that much and no more.

    Raises Refused, or LibraryMissing where the node's code is not there.
    """

    def __init__(self, tflite: bytes, library: ctypes.CDLL | None = None) -> None:
        """`library`: another engine behind the same functions, as `declared` returns it."""
        self._lib = _library() if library is None else library
        self._tflite = ctypes.create_string_buffer(tflite, max(len(tflite), 1))  # it is read where it lies
        self._handle = _aligned(self._lib.binding_size())
        self._must(self._lib.binding_open(self._handle, self._tflite, len(tflite)))
        self.memory_size = self._number(_MEMORY)
        self._memory = _aligned(self.memory_size)
        self._must(self._lib.binding_attach(self._handle, self._memory, self.memory_size))
        self.input = self._end(0)
        self.output = self._end(_OUTPUT)

    def run(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Outputs [batch, outputs] of inputs [batch, inputs], both int8, or float32 at an end that is.

        ValueError for another shape, or for values that the input's type does not hold.
        """
        given = np.atleast_2d(np.asarray(inputs))
        x = np.ascontiguousarray(given, self.input.dtype)
        if x.ndim != 2 or x.shape[1] != self.input.size:
            raise ValueError(f"inputs are [batch, {self.input.size}], not {np.shape(inputs)}")
        if x.dtype == np.int8 and not np.array_equal(x, given):
            raise ValueError("inputs are whole numbers from -128 to 127")
        out = np.empty((x.shape[0], self.output.size), self.output.dtype)
        self._lib.binding_run(self._handle, _address(x), _address(out), x.shape[0])
        return out

    def _number(self, which: int) -> int:
        return int(self._lib.binding_number(self._handle, which))

    def _end(self, at: int) -> End:
        bits = np.array([self._number(at + _SCALE)], np.uint32)
        dtype = np.dtype(np.int8 if self._number(at + _TYPE) == _INT8 else np.float32)
        scale = float(bits.view(np.float32)[0])
        return End(self._number(at + _SIZE), scale, self._number(at + _ZERO_POINT), dtype)

    def _must(self, status: int) -> None:
        if status:
            op = self._number(_REFUSED_OP)
            name = "" if op < 0 else self._lib.network_op_name(op).decode()
            raise Refused(name, self._lib.network_status_text(status).decode(), self._number(_REFUSED_AT))


def errors(
    network: Network,
    scaling: Scaling,
    features: NDArray[np.int64],
    kind: ModelKind = "autoencoder",
    known: Known = None,
) -> NDArray[np.int64]:
    """The node's error (nodes/wire/SPEC.md, "Score") of each row of features [batch, features]; `known`, of a
    classifier, is the class that they are known to belong to.
    """
    q = quantise(scaling, features, network.input.zero_point)
    return error_of(kind, q, network.run(q).astype(np.int64), known)


@cache
def _library() -> ctypes.CDLL:
    return declared(node_library())


def declared(lib: ctypes.CDLL) -> ctypes.CDLL:
    """A library that has binding.h, with the types of its functions."""
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    lib.binding_open.argtypes = lib.binding_attach.argtypes = (pointer, pointer, size)
    lib.binding_number.argtypes = (pointer, ctypes.c_uint32)
    lib.binding_number.restype = ctypes.c_int64
    lib.binding_run.argtypes = (pointer, pointer, pointer, ctypes.c_uint32)
    lib.binding_run.restype = None
    lib.network_op_name.argtypes = (ctypes.c_int32,)
    lib.network_op_name.restype = lib.network_status_text.restype = ctypes.c_char_p
    return lib


def _aligned(size: int) -> ctypes.Array[ctypes.c_uint64]:
    return (ctypes.c_uint64 * max(-(-size // _ALIGNMENT), 1))()


def _address(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
