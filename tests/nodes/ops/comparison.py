"""`direct` beside TFLite Micro: the wheel is the judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.python.tflite_micro import runtime

from tests.nodes.direct_engine import Direct
from tests.nodes.ops.cases import Case

ARENA = 1 << 20


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
        ours, theirs = Direct(case.tflite), interpreter_of(case.tflite)
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
