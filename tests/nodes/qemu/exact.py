"""Networks whose outputs must be the same bits on every processor: those of the TFLite Micro wheel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import ai_edge_litert.schema_py_generated as schema
import numpy as np
from tflite_micro.python.tflite_micro import runtime

from tests.nodes.direct_engine import Direct
from tests.nodes.library import DATA
from tests.nodes.ops.cases import GRAPHS, OPERATORS
from tests.nodes.qemu.batch import Batch, Opened
from tests.nodes.qemu.emulator import Processor
from tests.nodes.test_direct import largest_multiplier, random_inputs, usual_network, wild_network
from tests.nodes.tflite_networks import tflite_of

ARENA = 1 << 20
PUBLISHED = ("ad01_int8", "hello_world_int8", "kws_ref_model", "micro_speech_quantized", "vww_96_int8")
PUBLISHED_INPUTS = 3
RANDOM_INPUTS = 6
SHIFTED_OUT = 2**30 * 0.999
KINDS = {**OPERATORS, "PADV2": OPERATORS["PAD"], **GRAPHS}
"""Those other than fully connected. One that has an operator's name has the operator: some makers draw one of two."""
OPERATOR_NAMES = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}


@dataclass(frozen=True)
class Case:
    """A .tflite, inputs [count, ...] and what the wheel makes of each of them."""

    name: str
    tflite: bytes
    inputs: np.ndarray
    expected: np.ndarray


@dataclass(frozen=True, slots=True)
class Compared:
    """Outputs that were compared, and how many of them differed; and the cases that had any."""

    outputs: int
    mismatches: int
    where: tuple[str, ...]


def random_cases(count: int, seed: int) -> Iterator[Case]:
    """Networks of random shape and quantisation: a third of them fully connected, one in three of these beyond all
    bounds; the others of each other operator in turn, and of many."""
    rng = np.random.default_rng(seed)
    kinds = cycle(KINDS)
    for i in range(count):
        if i % 3:
            yield _of_kind(rng, f"random {i}: ", next(kinds))
        else:
            yield _fully_connected(rng, f"random {i}: fully connected", wild=i % 9 == 0)


def operators(tflite: bytes) -> set[str]:
    """The schema's names of those that a file uses."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(tflite, 0))
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    return {OPERATOR_NAMES[codes[operator.opcodeIndex]] for operator in model.subgraphs[0].operators}


def _of_kind(rng: np.random.Generator, prefix: str, kind: str) -> Case:
    while True:
        case = KINDS[kind](rng)
        if kind not in OPERATOR_NAMES.values() or kind in operators(case.tflite):
            return _judged(prefix + kind, case.tflite, np.stack(case.inputs))


def _fully_connected(rng: np.random.Generator, name: str, *, wild: bool) -> Case:
    """What the interpreter itself refuses is left out, as is what it shifts by more bits than it has."""
    while True:
        network = wild_network(rng) if wild else usual_network(rng)
        if largest_multiplier(network) > SHIFTED_OUT:
            continue
        inputs = np.stack(random_inputs(rng, network.layers[0].weights.shape[1], RANDOM_INPUTS))[:, None]
        try:
            return _judged(name, tflite_of(network), inputs)
        except RuntimeError:
            continue


def published_cases() -> Iterator[Case]:
    """The published models that are here, on the first of their golden inputs."""
    for name in PUBLISHED:
        path = DATA / "tflite_models" / f"{name}.tflite"
        if path.exists():
            golden = np.load(path.with_name(f"{name}_golden.npz"))
            case = _judged(name, path.read_bytes(), golden["in0"][:PUBLISHED_INPUTS])
            assert np.array_equal(case.expected.reshape(-1), golden["out0_tflm"][:PUBLISHED_INPUTS].reshape(-1))
            yield case


def compare(processor: Processor, program: Path, folder: Path, cases: Iterable[Case]) -> Compared:
    """All cases in one start of the emulator. AssertionError if a network is refused there."""
    known = list(cases)
    batch = Batch()
    for case in known:
        batch.model(case.tflite)
        batch.inputs(case.inputs)
    answers = batch.ask(processor, program, folder)
    return total(_compare(case, *answers[2 * i : 2 * i + 2]) for i, case in enumerate(known))


def here(cases: Iterable[Case]) -> Compared:
    """The same by this computer's build of `direct` (tests/nodes/library.py)."""
    return total(_here(case) for case in cases)


def total(parts: Iterable[Compared]) -> Compared:
    """All of them as one."""
    known = list(parts)
    where = tuple(name for part in known for name in part.where)
    return Compared(sum(part.outputs for part in known), sum(part.mismatches for part in known), where)


def _compare(case: Case, opened: object, outputs: object) -> Compared:
    assert isinstance(opened, Opened)
    assert opened.status == 0, f"{case.name}: refused with {opened.status} at operator {opened.refused_op}"
    assert isinstance(outputs, bytes)
    return differences(case, np.frombuffer(outputs, case.expected.dtype))


def differences(case: Case, found: np.ndarray) -> Compared:
    """`found`: all outputs in turn."""
    expected = case.expected.reshape(-1)
    assert found.dtype == expected.dtype
    assert found.size == expected.size, f"{case.name}: {found.size} outputs for {expected.size}"
    bits = f"u{expected.itemsize}"
    wrong = int(np.count_nonzero(found.view(bits) != expected.view(bits)))
    return Compared(expected.size, wrong, (case.name,) if wrong else ())


def _here(case: Case) -> Compared:
    engine = Direct(case.tflite)
    return differences(case, np.concatenate([engine.run(x) for x in case.inputs]))


def _judged(name: str, tflite: bytes, inputs: np.ndarray) -> Case:
    interpreter = runtime.Interpreter.from_bytes(tflite, arena_size=ARENA)
    return Case(name, tflite, inputs, np.stack(list(_interpreted(interpreter, inputs))))


def _interpreted(interpreter: runtime.Interpreter, inputs: Sequence[np.ndarray] | np.ndarray) -> Iterator[np.ndarray]:
    for x in inputs:
        interpreter.set_input(x, 0)
        interpreter.invoke()
        yield np.array(interpreter.get_output(0))
