"""The engine computes the same bits on every processor: those of the TFLite Micro wheel."""

from collections import Counter

import numpy as np
import pytest

from tests.nodes.qemu import exact
from tests.nodes.qemu.batch import Batch
from tests.nodes.qemu.emulator import SOURCES

NETWORKS = 360
OF_EACH_OPERATOR = 12
"""Networks, at least, on each processor."""


@pytest.fixture(scope="session")
def cases():
    return [*exact.random_cases(NETWORKS, seed=4), *exact.published_cases()]


def test_every_operator_of_the_engine_is_among_them(cases):
    found = Counter(name for case in cases for name in exact.operators(case.tflite))
    known = [path.stem.upper() for path in (SOURCES / "infer" / "ops").glob("*.c")]
    assert len(known) >= 14
    assert {name: found[name] for name in known if found[name] < OF_EACH_OPERATOR} == {}


def test_this_computer_computes_what_the_wheel_does(cases, node_build):
    found = exact.here(cases)
    assert found.where == ()
    assert found.outputs > 100 * NETWORKS


def test_every_processor_computes_what_the_wheel_does(cases, runner, record_property):
    found = exact.compare(runner.processor, runner.program, runner.folder, cases)
    record_property("outputs compared", found.outputs)
    assert found.where == ()
    assert found.mismatches == 0
    assert found.outputs > 100 * NETWORKS


def test_a_difference_is_found_and_named(cases):
    case = cases[0]
    spoilt = case.expected.copy().reshape(-1)
    spoilt[3] ^= 1
    assert exact.differences(case, spoilt) == exact.Compared(spoilt.size, 1, (case.name,))
    with pytest.raises(AssertionError, match="outputs for"):
        exact.differences(case, spoilt[1:])


def test_a_broken_file_is_refused_on_every_processor(cases, runner):
    batch = Batch()
    whole = cases[0].tflite
    for n in range(0, len(whole), 97):
        batch.model(whole[:n])
        batch.inputs(np.zeros(64, np.int8))  # must not be run
    answers = runner.ask(batch)
    assert all(opened.status != 0 and opened.memory == 0 for opened in answers[::2])
    assert all(outputs == b"" for outputs in answers[1::2])
