"""The two engines behind network.h give the same bits, and refuse damaged files. Where TensorFlow Lite Micro is not at
hand (TFLM_DIR names its headers and libtensorflow-microlite.a), there is only one.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import ai_edge_litert.schema_py_generated as schema
import numpy as np
import pytest

from gateway.detectors import direct
from tests.nodes.library import DATA, ROOT
from tests.nodes.ops.cases import GRAPHS
from tests.nodes.test_direct import random_inputs, usual_network
from tests.nodes.tflite_networks import model_of, pack, tflite_of
from tests.nodes.tflm_least import asked_for, least

TFLM_DIR = os.environ.get("TFLM_DIR", "")
pytestmark = [
    pytest.mark.usefixtures("node_build"),
    pytest.mark.skipif(not TFLM_DIR, reason="TFLM_DIR names no build of TensorFlow Lite Micro: `direct` is alone"),
]
MODELS = ("ad01_int8", "hello_world_int8", "kws_ref_model", "micro_speech_quantized", "vww_96_int8")


@pytest.fixture(scope="module")
def tflm(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    build = tmp_path_factory.mktemp("tflm")
    make = ["make", "-s", "-C", str(ROOT / "nodes" / "c_tflm"), "tflm"]
    settings = [f"BUILD={build}", f"PYTHON={sys.executable}", f"TFLM_DIR={Path(TFLM_DIR).resolve()}", "WERROR=-Werror"]
    subprocess.run([*make, *settings], check=True)
    return direct.declared(ctypes.CDLL(str(build / "libstethos-tflm.so")))


def assert_same(tflite: bytes, tflm: ctypes.CDLL, inputs: np.ndarray) -> int:
    ours, theirs = direct.Network(tflite), direct.Network(tflite, tflm)
    assert (ours.input, ours.output) == (theirs.input, theirs.output)
    found = theirs.run(inputs)
    assert np.array_equal(ours.run(inputs), found)
    return found.size


def published(name: str) -> bytes:
    path = DATA / "tflite_models" / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path.name} is not here: recorded data is expected in ../shared/data")
    return path.read_bytes()


@pytest.mark.parametrize("name", MODELS)
def test_a_published_model_gives_the_same_on_both(name: str, tflm: ctypes.CDLL) -> None:
    tflite = published(name)
    size = direct.Network(tflite).input.size
    inputs = np.random.default_rng(1).integers(-128, 128, (3, size)).astype(np.int8)
    assert assert_same(tflite, tflm, inputs) > 0


def test_random_networks_give_the_same_on_both(tflm: ctypes.CDLL) -> None:
    rng = np.random.default_rng(7)
    compared = 0
    for _ in range(100):
        network = usual_network(rng)
        inputs = np.stack(random_inputs(rng, network.layers[0].weights.shape[1], 4))
        compared += assert_same(tflite_of(network), tflm, inputs)
    assert compared > 10_000


SPARE = 256
"""Bytes that the engine may ask for beyond the least that the interpreter takes."""


@pytest.mark.parametrize("name", MODELS)
def test_what_it_asks_for_is_enough_and_hardly_more(name: str, tflm: ctypes.CDLL) -> None:
    tflite = published(name)
    assert 0 <= asked_for(tflm, tflite) - least(tflm, tflite) <= SPARE


def test_what_it_asks_for_is_enough_and_hardly_more_for_any_network(tflm: ctypes.CDLL) -> None:
    rng = np.random.default_rng(12)
    for make in GRAPHS.values():
        for _ in range(6):
            tflite = make(rng).tflite
            assert 0 <= asked_for(tflm, tflite) - least(tflm, tflite) <= SPARE


def test_a_plan_of_memory_made_elsewhere_is_refused(tflm: ctypes.CDLL) -> None:
    """The interpreter would put values wherever the file says, before its memory or behind it."""
    model = model_of(usual_network(np.random.default_rng(3)))
    tensors = len(model.subgraphs[0].tensors)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.array([1, 0, tensors, *[-16] * tensors], "<i4").view(np.uint8)
    entry.name, entry.buffer = b"OfflineMemoryAllocation", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [entry]
    with pytest.raises(direct.Refused, match="storage format"):
        direct.Network(pack(model), tflm)


def test_floats_within_are_refused_as_direct_does(tflm: ctypes.CDLL) -> None:
    for name in ("ad01_fp32", "hello_world_float", "silabs_micro_speech", "simple_add_model"):
        for engine in (None, tflm):
            with pytest.raises(direct.Refused):
                direct.Network(published(name), engine)


def test_a_damaged_file_is_refused(tflm: ctypes.CDLL) -> None:
    tflite = tflite_of(usual_network(np.random.default_rng(3)))
    for length in range(0, len(tflite) - 16, 7):
        with pytest.raises(direct.Refused):
            direct.Network(tflite[:length], tflm)
