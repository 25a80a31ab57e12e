"""Published models: `direct` gives the bits that TFLite Micro gives, or says which operator it cannot run and why."""

import numpy as np
import pytest

from tests.nodes.direct_engine import Direct, Refused
from tests.nodes.library import DATA
from tests.nodes.ops.comparison import interpret, interpreter_of

pytestmark = pytest.mark.usefixtures("node_build")

TYPE = "a tensor of a type that is not supported there"
GRAPH = "not a graph from one input to one output in which each tensor is made before it is read"
EXACT = ("ad01_int8", "hello_world_int8", "kws_ref_model", "micro_speech_quantized", "vww_96_int8")
REFUSED = {
    "ad01_fp32": f"{TYPE}: FULLY_CONNECTED",
    "hello_world_float": f"{TYPE}: FULLY_CONNECTED",
    "silabs_micro_speech": f"{TYPE}: DEPTHWISE_CONV_2D",  # uint8, which the interpreter refuses, too
    "simple_add_model": GRAPH,  # two inputs
}


def published(name):
    path = DATA / "tflite_models" / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path.name} is not here: recorded data is expected in ../shared/data")
    return path


@pytest.mark.parametrize("name", EXACT)
def test_a_published_model_gives_its_golden_outputs(name, record_property):
    path = published(name)
    golden = np.load(path.with_name(f"{name}_golden.npz"))
    network, interpreter = Direct(path.read_bytes()), interpreter_of(path.read_bytes())
    compared = different = 0
    for x, y in zip(golden["in0"], golden["out0_tflm"], strict=True):
        ours = network.run(x)
        compared += ours.size
        different += np.count_nonzero(ours != y.reshape(-1))
        different += np.count_nonzero(ours != interpret(interpreter, x))
    record_property("outputs compared", compared)
    record_property("memory", network.memory_size)
    assert different == 0
    assert compared == golden["out0_tflm"].size


@pytest.mark.parametrize("name", REFUSED)
def test_a_published_model_of_another_kind_is_refused_by_operator_and_reason(name):
    with pytest.raises(Refused) as refusal:
        Direct(published(name).read_bytes())
    assert str(refusal.value) == REFUSED[name]
