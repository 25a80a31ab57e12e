"""`direct` beside TFLite Micro: the wheel is the judge."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.python.tflite_micro import runtime

from tests.nodes.direct_engine import Direct
from tests.nodes.ops.cases import Case

ARENA = 1 << 20
KINDS = {0: np.float32, 9: np.int8}


class Network(Direct):
    """One that has floats at its ends where the model has them."""

    def run(self, inputs: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(inputs, KINDS[self._state.input.type])
        assert x.size == self._state.input.size
        out = np.empty(self._state.output.size, KINDS[self._state.output.type])
        self._lib.network_run(ctypes.byref(self._state), ctypes.c_void_p(x.ctypes.data),
                              ctypes.c_void_p(out.ctypes.data))  # fmt: skip
        assert bytes(self._guard)[self.memory_size :] == b"\xa5" * 16, "wrote behind its memory"
        return out


def interpret(interpreter: runtime.Interpreter, x: np.ndarray) -> np.ndarray:
    interpreter.set_input(x, 0)
    interpreter.invoke()
    return interpreter.get_output(0).reshape(-1)


def interpreter_of(tflite: bytes) -> runtime.Interpreter:
    return runtime.Interpreter.from_bytes(tflite, arena_size=ARENA)


@dataclass
class Tally:
    """Outputs compared, and how many of them differ in any bit."""

    compared: int = 0
    different: int = 0

    def compare(self, case: Case) -> None:
        ours, theirs = Network(case.tflite), interpreter_of(case.tflite)
        for x in case.inputs:
            a, b = ours.run(x), interpret(theirs, x)
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            self.compared += a.size
            bits = f"u{a.itemsize}"
            self.different += int(np.count_nonzero(a.view(bits) != b.view(bits)))


def compare_many(make: Callable[[np.random.Generator], Case], examples: int) -> Tally:
    """As many networks as hypothesis likes to draw, up to `examples`; fails at the first that differs."""
    tally = Tally()

    @settings(max_examples=examples, deadline=None, database=None)
    @given(st.integers(0, 2**32))
    def agree(seed: int) -> None:
        tally.compare(make(np.random.default_rng(seed)))
        assert tally.different == 0

    agree()
    return tally
