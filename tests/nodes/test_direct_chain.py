"""`direct` as a firmware for small models has it: FULLY_CONNECTED alone, and the plan that takes chains only."""

import ctypes
import subprocess
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detectors import direct
from tests.nodes.library import FLAGS, ROOT
from tests.nodes.test_direct import random_inputs, usual_network
from tests.nodes.tflite_networks import Layer, Network, model_of, pack, tflite_of

pytestmark = pytest.mark.usefixtures("node_build")
NODE = ROOT / "nodes" / "c_tflm"
PARTS = ("direct", "direct_graph", "chain/direct_chain", "flatbuffer", "quantization", "dot_portable",
         "ops/fully_connected", "network_text", "binding")  # fmt: skip


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("chain") / "chain.so"
    files = [*(NODE / "infer" / f"{part}.c" for part in PARTS), NODE / "ports" / "bench" / "ops_fully_connected.c"]
    subprocess.run(["cc", *FLAGS, f"-I{NODE / 'infer'}", "-o", str(library), *map(str, files)], check=True)
    return direct.declared(ctypes.CDLL(str(library)))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_a_chain_is_the_same_with_either_plan(chain: ctypes.CDLL, seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = usual_network(rng)
    tflite, inputs = tflite_of(network), np.stack(random_inputs(rng, network.layers[0].weights.shape[1], 6))
    any_graph, chains_only = direct.Network(tflite), direct.Network(tflite, chain)
    assert np.array_equal(chains_only.run(inputs), any_graph.run(inputs))
    assert chains_only.memory_size == any_graph.memory_size


def layers(sizes):
    rng = np.random.default_rng(1)
    return [Layer(rng.integers(-127, 128, (b, a)), None, [0.02], 0.3, 5) for a, b in pairwise(sizes)]


def test_what_is_no_chain_is_refused(chain: ctypes.CDLL) -> None:
    """A layer whose output nobody reads: a graph for one plan, no chain for the other."""
    model = model_of(Network(0.3, 5, layers((6, 6, 6, 6))))
    graph = model.subgraphs[0]
    graph.operators[2].inputs = [graph.operators[0].outputs[0], *graph.operators[2].inputs[1:]]
    inputs = np.arange(6).reshape(1, 6)
    two = model_of(Network(0.3, 5, [layers((6, 6, 6, 6))[0], layers((6, 6, 6, 6))[2]]))
    assert np.array_equal(direct.Network(pack(model)).run(inputs), direct.Network(pack(two)).run(inputs))
    with pytest.raises(direct.Refused, match="not a graph") as refusal:
        direct.Network(pack(model), chain)
    assert (refusal.value.op, refusal.value.at) == ("FULLY_CONNECTED", 2)
