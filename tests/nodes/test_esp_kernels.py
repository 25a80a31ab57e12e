"""A kernel that is wrong for rows that are no multiple of eight does not get past a model's self-test.

Espressif's kernels for the S3 have that rule, and are called without a check; 18-12-8-12-18 breaks it.
"""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

from tests.nodes.library import node_library
from tests.nodes.model_images import image

pytestmark = pytest.mark.usefixtures("node_build")
ROOT = Path(__file__).parents[2]
NODE = ROOT / "nodes" / "c_tflm"
MEMORY = 16384
ODD, EVEN = (18, 12, 8, 12, 18), (24, 16, 8, 16, 24)


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> ctypes.CDLL:
    """The node's library with the kernel in the place of its own."""
    build = tmp_path_factory.mktemp("kernels")
    ops = sorted((NODE / "infer" / "ops").glob("*.c"))
    (build / "ops.c").write_text(
        '#include "op.h"\n'
        + "".join(f"extern const struct op_kind op_{op.stem};\n" for op in ops)
        + f"const struct op_kind *const ops[] = {{{', '.join(f'&op_{op.stem}' for op in ops)}}};\n"
        + "const uint8_t ops_n = sizeof ops / sizeof ops[0];\n"
    )
    kernel = Path(__file__).parent / "esp_kernels" / "dot_by_eight.c"
    infer = [source for source in (NODE / "infer").glob("*.c") if not source.name.startswith("dot_")]
    sources = [*(NODE / "core").glob("*.c"), *infer, *ops, kernel, build / "ops.c"]
    out = build / "broken.so"
    command = ["cc", "-std=c11", "-O1", "-fPIC", "-shared", f"-I{NODE}/core", f"-I{NODE}/infer", "-o", str(out)]
    subprocess.run([*command, *map(str, sources)], check=True)
    return ctypes.CDLL(str(out))


def status(library: ctypes.CDLL, data: bytes) -> str:
    model = ctypes.create_string_buffer(1024)
    memory = (ctypes.c_uint64 * (MEMORY // 8))()
    kept = ctypes.create_string_buffer(data, len(data))
    code = library.model_open(model, kept, ctypes.c_size_t(len(data)), memory, ctypes.c_size_t(MEMORY))
    library.model_status_text.restype = ctypes.c_char_p
    return library.model_status_text(code).decode()


@pytest.mark.parametrize("widths", [ODD, EVEN])
def test_the_right_kernel_passes(widths):
    assert status(node_library(), image(widths)) == "ok"


def test_rows_of_other_lengths_are_caught_by_the_self_test(broken):
    text = status(broken, image(ODD))
    assert text.startswith("the self-test gave another"), text


def test_a_network_that_keeps_the_rule_runs_on_it(broken):
    assert status(broken, image(EVEN)) == "ok"
