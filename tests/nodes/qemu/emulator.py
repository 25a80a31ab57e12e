"""Processors in QEMU, and the programs of nodes/c_tflm that run on them."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "nodes" / "c_tflm"
FAULT = 70
"""Exit status of a program that the processor stopped (ports/bench/start_arm.c)."""


@dataclass(frozen=True, slots=True)
class Processor:
    """`name` is that of make/qemu.mk; `machine` the rest of QEMU's command line."""

    name: str
    emulator: str
    machine: tuple[str, ...]
    compiler: str


QUIET = ("-display", "none", "-monitor", "none", "-serial", "null", "-semihosting-config", "enable=on,target=native")
ARM = ("qemu-system-arm", "arm-none-eabi-gcc")
PROCESSORS = {
    name: Processor(name, emulator, machine, compiler)
    for name, (emulator, compiler), machine in (
        ("cortex-m4", ARM, ("-M", "mps2-an386")),
        ("cortex-m7", ARM, ("-M", "mps2-an500")),
        ("cortex-m55", ARM, ("-M", "mps3-an547")),
        ("rv32imc", ("qemu-system-riscv32", "riscv64-unknown-elf-gcc"), ("-M", "virt", "-bios", "none")),
    )
}


# Not into other programs: a sanitizer's runtime that was loaded before the interpreter.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def why_not(processor: Processor) -> str:
    """What is missing here to compile and run for it; "" if nothing is."""
    absent = [tool for tool in (processor.compiler, processor.emulator) if shutil.which(tool) is None]
    return f"{', '.join(absent)} not installed (deploy/system-packages test)" if absent else ""


def make(*targets: str) -> Path:
    """Make these files of the build folder. AssertionError with what the compiler said."""
    build = Path(os.environ.get("STETHOS_TARGET_BUILD") or ROOT / "build" / "node")
    build.mkdir(parents=True, exist_ok=True)
    command = ["make", f"-j{os.cpu_count() or 1}", "-C", str(SOURCES), f"BUILD={build}", f"PYTHON={sys.executable}"]
    with (build / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as tests/nodes/conftest.py does
        done = subprocess.run([*command, *(str(build / target) for target in targets)],
                              env=ENVIRONMENT, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return build


def run(
    processor: Processor, program: Path, folder: Path, *, timeout_s: float = 60.0, counting: Sequence[str] = ()
) -> None:
    """Run a program until it ends; the files that it opens are those of `folder`.

    `counting` are QEMU's options for a clock that counts instructions. AssertionError if the program gives another
    status than 0, or does not end.
    """
    command = [processor.emulator, *processor.machine, *counting, *QUIET, "-kernel", str(program)]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
        env=ENVIRONMENT,
        check=False,
    )
    faulted = " (the processor faulted)" if done.returncode == FAULT else ""
    assert done.returncode == 0, f"{processor.name}: {program.name} ended with {done.returncode}{faulted} {done.stderr}"
