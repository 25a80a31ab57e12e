"""The other engine, TensorFlow Lite Micro's interpreter, on a Cortex-M4: the same bits, in the memory that it says it
needs. Where TFLM_DIR names no build of it, there is only `direct`.
"""

import os

import pytest

from tests.nodes.qemu import exact
from tests.nodes.qemu.batch import Batch
from tests.nodes.qemu.conftest import Runner
from tests.nodes.qemu.emulator import PROCESSORS, make, why_not

M4 = PROCESSORS["cortex-m4"]
NETWORKS = 360
pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("TFLM_DIR"), reason="TFLM_DIR names no build of TensorFlow Lite Micro: `direct` is alone"
    ),
    pytest.mark.skipif(bool(why_not(M4)), reason=why_not(M4)),
]


@pytest.fixture(scope="module")
def tflm(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    program = make("cortex-m4/runner_tflm.elf") / "cortex-m4" / "runner_tflm.elf"
    return Runner(M4, program, tmp_path_factory.mktemp("tflm"))


def test_it_computes_what_the_wheel_and_direct_do(tflm, record_property):
    """In exactly the memory that it asked for: what lies behind that stays as it was (Batch.inputs)."""
    cases = [*exact.random_cases(NETWORKS, seed=4), *exact.published_cases()]
    found = exact.compare(M4, tflm.program, tflm.folder, cases)
    record_property("outputs compared", found.outputs)
    assert found.where == ()
    assert found.outputs > 100 * NETWORKS


def test_a_broken_file_is_refused(tflm):
    whole = next(exact.random_cases(1, seed=4)).tflite
    batch = Batch()
    for n in range(0, len(whole), 97):
        batch.model(whole[:n])
    assert all(opened.status != 0 for opened in tflm.ask(batch))
