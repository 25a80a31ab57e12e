"""The module in C gives the bits of nodes/wire and of TensorFlow Lite Micro on every machine, and says when it does not
fit one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.micropython.native.built import NATIVE
from tests.micropython.native.conftest import LIB, MODULE, ROOT, Run, mpy
from tests.nodes.conftest import node_build  # noqa: F401

pytestmark = pytest.mark.timeout(400)  # firmwares are built
C = ROOT / "nodes" / "c_tflm"
ARCHITECTURES = {"x64": 2, "armv6m": 4, "armv7m": 5, "armv7emsp": 7, "rv32imc": 11}
"""Numbers of py/persistentcode.h."""
MOST_BYTES = {"x64": 46_500, "armv6m": 38_500, "armv7m": 36_000, "armv7emsp": 36_000, "rv32imc": 44_000}
TAKES = "this firmware takes version 6.3, x64 code"
WHY = "from stethos import native, feature_set, ccm; print(native.why, feature_set.size(1, 3), native.model)"


@pytest.mark.parametrize(
    ("script", "least"),
    [("envelope", 700), ("features", 380), ("learners", 310), ("models", 150), ("damaged", 40), ("python_left", 7)],
)
def test_every_vector_in_c(machine: Run, script: str, least: int) -> None:
    _, cases, _ = machine(script).split(" ", 2)
    assert int(cases) >= least


@pytest.mark.usefixtures("micropython")
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_file_says_what_it_is_for_and_stays_small(arch: str) -> None:
    data = (mpy(arch) / MODULE).read_bytes()
    assert data[:3] == bytes((ord("M"), 6, ARCHITECTURES[arch] << 2 | 3))
    assert len(data) <= MOST_BYTES[arch]


@pytest.mark.usefixtures("micropython")
def test_what_is_left_out_takes_no_room() -> None:
    whole, dense, neither = (
        (mpy("armv7m", **settings) / MODULE).stat().st_size
        for settings in ({}, {"OPERATORS": "dense"}, {"WITHOUT": "model learner"})
    )
    assert dense <= whole - 4000
    assert neither <= whole / 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "None 9 <module"),
        (
            {1: 5},
            "is for .mpy version 5.3, x64 code; this firmware takes version 6.3, x64 code: incompatible .mpy file",
        ),
        (
            {2: 5 << 2 | 3},
            "is for .mpy version 6.3, armv7m code; this firmware takes version 6.3, x64 code: incompatible",
        ),
        ({2: 2 << 2 | 2}, "is for .mpy version 6.2, x64 code; this firmware takes version 6.3, x64 code: incompatible"),
        ({0: 0}, "is no .mpy file"),
        (None, "there is no stethos_native"),
    ],
)
def test_what_does_not_fit_is_said_and_python_does_it(
    changed: dict[int, int] | None, said: str, micropython: Path, tmp_path: Path
) -> None:
    if changed is not None:
        data = bytearray((mpy("x64") / MODULE).read_bytes())
        for at, byte in changed.items():
            data[at] = byte
        (tmp_path / MODULE).write_bytes(data)
    done = subprocess.run([micropython, "-c", WHY], env={"MICROPYPATH": f"{tmp_path}:{LIB}"}, capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert said in done.stdout
    assert (" 9 None" in done.stdout) == bool(changed or changed is None)


def test_all_operators_of_the_engine_are_in_it() -> None:
    text = (NATIVE / "operators.c").read_text()
    every = text[text.index("#else") : text.index("#endif")]
    for source in (C / "infer" / "ops").glob("*.c"):
        assert f"OP({source.stem})" in every


CMAKE = """
cmake_minimum_required(VERSION 3.13)
project(firmware C)
add_library(usermod INTERFACE)
include({module}/micropython.cmake)
add_library(firmware STATIC)
target_link_libraries(firmware PRIVATE usermod)
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_cmake_takes_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(CMAKE.format(module=NATIVE))
    command = ["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "build"), "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"]
    subprocess.run(command, check=True, capture_output=True)
    compiled = json.loads((tmp_path / "build" / "compile_commands.json").read_text())
    assert all(f"-include {NATIVE / 'names.h'}" in entry["command"] for entry in compiled)
    plain, ours = "$(STETHOS_CORE) $(STETHOS_INFER)", "$(STETHOS_BINDING) $(STETHOS_OURS)"
    text = f"STETHOS_C := {C}\ninclude {NATIVE}/sources.mk\nlist: ; "
    text += f"@echo $(addprefix {C}/,{plain}) $(addprefix {NATIVE}/,{ours})"
    listed = subprocess.run(["make", "-sf-"], input=text, capture_output=True, text=True, check=True)
    assert {str(Path(entry["file"]).resolve()) for entry in compiled} == set(listed.stdout.split())
