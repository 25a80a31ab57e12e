"""What the node takes of a board's memory, on its own processor's sizes: told, and held to a bound."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NODE = Path(__file__).parents[2] / "nodes" / "c_tflm"
PROGRAM = """
#include "node.h"
const struct { char node[sizeof(struct node)], kept[sizeof(struct node_kept)], ring[sizeof(struct ring)],
    learner[sizeof(struct learner)], update[sizeof(struct update)]; } sizes = {{1}, {1}, {1}, {1}, {1}};
const unsigned size_of[] = {sizeof sizes.node, sizeof sizes.kept, sizeof sizes.ring, sizeof sizes.learner,
    sizeof sizes.update, sizeof(struct ring_entry)};
"""
NAMES = ("node", "kept", "ring", "learner", "update", "ring_entry")
ARM = ("arm-none-eabi-gcc", "-std=c11", "-Os", "-mcpu=cortex-m4", "-mthumb")
FLAG_OF_18_FEATURES = 2 + 2 + 1 + 1 + 1 + 18 * 5  # score, why, generation, set, and the largest values


def sizes(folder: Path, *defines: str) -> dict[str, int]:
    if shutil.which(ARM[0]) is None:
        pytest.skip("needs arm-none-eabi-gcc")
    source, out, raw = folder / "sizes.c", folder / "sizes.o", folder / "sizes.bin"
    source.write_text(PROGRAM)
    include = [f"-I{NODE / name}" for name in ("core", "infer")]
    subprocess.run([*ARM, *defines, *include, "-fdata-sections", "-c", "-o", str(out), str(source)], check=True)
    extract = ["arm-none-eabi-objcopy", "-O", "binary", "-j", ".rodata.size_of", str(out), str(raw)]
    subprocess.run(extract, check=True)
    data = raw.read_bytes()
    return {name: int.from_bytes(data[4 * i : 4 * i + 4], "little") for i, name in enumerate(NAMES)}


def test_memory_of_a_node_with_a_ring_of_eight_messages(tmp_path, capsys):
    found = sizes(tmp_path, "-DRING_BYTES=1000")
    whole = found["node"] + found["kept"]
    with capsys.disabled():
        print(f"\n  bytes on a Cortex-M4, without samples: {found}, node and what is kept {whole}")
    assert 1000 // (found["ring_entry"] + FLAG_OF_18_FEATURES) >= 8
    assert found["learner"] == 4096
    assert whole <= 2048
    assert whole + found["learner"] <= 6144


def test_a_smaller_learner(tmp_path):
    found = sizes(tmp_path, "-DRING_BYTES=1000", "-DLEARNER_BYTES=3072")
    assert found["node"] + found["kept"] + found["learner"] <= 6144
