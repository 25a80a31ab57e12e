"""What networks, the learner and features cost on each core that QEMU counts instructions of: measured on several
shapes, and fitted by the formula of gateway/energy/core.py.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from gateway.training import features
from nodes.c_tflm.tools import size
from tests.bench.node_network import autoencoder
from tests.bench.node_parts import JUDGED, LEARNT
from tests.bench.node_runs import Told, measured, window
from tests.nodes.qemu.emulator import ENVIRONMENT, PROCESSORS, ROOT, SOURCES, why_not

SHAPES: tuple[tuple[int, ...], ...] = (
    (18, 12, 8, 12, 18), (18, 36, 8, 36, 18), (9, 6, 4, 6, 9), (16, 11, 7, 11, 16), (29, 19, 13, 19, 29),
    (18, 4, 8, 18), (18, 8, 8, 18), (6, 4, 3, 4, 6), (24, 16, 11, 16, 24), (32, 21, 14, 21, 32),
)  # fmt: skip
"""Networks that a node is given: feature sets of 2 to 8 channels, and the architectures of gateway/training."""
INPUTS = 16
START = {
    "cortex-m4": None,
    "cortex-m7": "ports/bench/start_arm.c ports/bench/bench.c ports/bench/node_state.c ports/small/memory.c",
    "cortex-m55": "ports/bench/start_arm.c ports/bench/bench.c ports/bench/node_state.c ports/small/memory.c",
    "rv32imc": "ports/rv32/start.c ports/bench/bench.c",
}
"""Core -> what its programs start with, where make/qemu.mk has it without the counter."""
OF_TICKS = {"cortex-m55": 25 / 32}
"""What is told counts ticks of 25 MHz; the MPS3 board has 32."""


@cache
def built(core: str, program: str) -> Path:
    """The ELF file. AssertionError if it cannot be compiled or run here."""
    assert not (missing := why_not(PROCESSORS[core])), missing
    build = Path(os.environ.get("STETHOS_TARGET_BUILD") or ROOT / "build" / "node")
    build.mkdir(parents=True, exist_ok=True)
    made = build / core / f"{program}.elf"
    start = [] if START[core] is None else [f"START_{core}={START[core]}"]
    command = ["make", "-C", str(SOURCES), f"BUILD={build}", f"PYTHON={sys.executable}", *start, str(made)]
    with (build / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as tests/nodes/conftest.py does
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


def run(core: str, program: str, files: Mapping[str, bytes]) -> Told:
    """What the program told on that core; instructions are of its kind "run", "learn", "detect" and of feature sets."""
    return measured(built(core, program), files, core)


def instructions(core: str, told: Told, name: str) -> float:
    """The mean of what was told of one thing."""
    return told.mean(name) * OF_TICKS.get(core, 1.0)


def of_network(core: str, sizes: Sequence[int]) -> float:
    """Instructions of one inference, mean of some random inputs, opening apart."""
    inputs = np.random.default_rng(1).integers(-128, 128, (INPUTS, sizes[0]), dtype=np.int8)
    told = run(core, "bench_network", {"model.tflite": autoencoder(sizes), "inputs.bin": inputs.tobytes()})
    return instructions(core, told, "run")


def of_learner(core: str) -> dict[str, float]:
    """Instructions of learning and judging one window of 18 features."""
    values = np.stack([features.statistics(window(seed)) for seed in range(LEARNT + JUDGED)]).astype("<i4")
    told = run(core, "bench_learner", {"learn.bin": values[:LEARNT].tobytes(), "detect.bin": values[LEARNT:].tobytes()})
    return {name: instructions(core, told, name) for name in ("learn", "detect")}


def of_features(core: str) -> dict[str, float]:
    """Instructions of one window of 128 samples of 6 channels, by feature set."""
    told = run(core, "bench_features", {"window.bin": window().tobytes()})
    return {name: instructions(core, told, name) for name in _FEATURES}


def terms(sizes: Sequence[int]) -> list[float]:
    """What the formula multiplies: once, layers, rows (outputs of all layers), multiplications."""
    pairs = list(pairwise(sizes))
    return [1.0, float(len(pairs)), float(sum(sizes[1:])), float(sum(a * b for a, b in pairs))]


def fitted(counts: Mapping[tuple[int, ...], float]) -> tuple[list[float], float]:
    """The four coefficients by least squares of relative errors, and the worst relative error, per cent."""
    a = np.array([terms(sizes) for sizes in counts])
    b = np.array(list(counts.values()))
    found, *_ = np.linalg.lstsq(a / b[:, None], np.ones(len(b)), rcond=None)
    worst = 100 * np.max(np.abs(a @ found / b - 1))
    return found.tolist(), float(worst)


_SAME_WORK = (
    "QEMU counts instructions, no cycles: the Cortex-M4's 1.3 times 3.40, its CoreMark/MHz, over {score}, this core's "
    "as Arm gives it, as if the same work took both as many instructions"
)


@dataclass(frozen=True)
class About:
    """What is known of a core beside what is counted: its title, its board in gateway/energy/boards ("", and `no_board`
    says why), MHz, cycles an instruction and where those are from.
    """

    title: str
    board: str
    mhz: float
    cycles: float
    assumed: str
    no_board: str = ""


ABOUT = {
    "cortex-m4": About(
        "Cortex-M4 with DSP instructions, as in an STM32L475", "stm32l475", 80.0, 1.3,
        "QEMU counts instructions, no cycles: 1.3 is assumed, where Arm's manual of the core has one cycle for most "
        "instructions, two for a load, up to four for a branch that is taken",
    ),
    "cortex-m7": About(
        "Cortex-M7, as in an STM32F746", "stm32f746", 216.0, round(1.3 * 3.40 / 5.01, 2),
        _SAME_WORK.format(score="5.01"),
    ),
    "cortex-m55": About(
        "Cortex-M55 without its vector instructions, at 160 MHz as the efficient one of an Alif Ensemble", "", 160.0,
        round(1.3 * 3.40 / 4.40, 2), _SAME_WORK.format(score="4.40"),
        "no data sheet with the currents of a part that has this core was at hand",
    ),
    "rv32imc": About(
        "RISC-V rv32imc, as in an ESP32-C3", "esp32c3", 160.0, 1.3,
        "QEMU counts instructions, no cycles: 1.3 is assumed, as for a Cortex-M4; no figure of this core's was found",
    ),
}  # fmt: skip
_LEARNER = ("core/learner", "core/learner_learn", "core/learner_limit", "core/learner_image", "core/fixed")
_FEATURES = {
    "statistics": ("core/features_statistics",),
    "invariant": ("core/features_invariant", "core/features_directions", "core/fft", "core/fixed"),
    "slow": ("core/features_slow", "core/fixed"),
    "principal": ("core/features_principal", "core/features_directions", "core/fixed"),
}


@dataclass(frozen=True)
class Counted:
    """All that a core's table is made of."""

    counts: Mapping[tuple[int, ...], float]
    learner: Mapping[str, float]
    features: Mapping[str, float]
    flash: Mapping[str, int]


def counted(core: str) -> Counted:
    """Measure a core. AssertionError where it cannot be compiled or run."""
    flash = {"engine": size.flash(size.node(built(core, "bench_network")))}
    flash["learner"] = _flash(core, "bench_learner", _LEARNER)
    flash |= {f"features_{name}": _flash(core, "bench_features", modules) for name, modules in _FEATURES.items()}
    return Counted({s: of_network(core, s) for s in SHAPES}, of_learner(core), of_features(core), flash)


def toml(core: str, found: Counted) -> str:
    """The text of gateway/energy/cores/<core>.toml."""
    about = ABOUT[core]
    (once, layer, row, mac), worst = fitted(found.counts)
    shapes = ", ".join("-".join(map(str, sizes)) for sizes in found.counts)
    network = {"once": once, "layer": layer, "row": row, "mac": mac, "worst_pct": worst}
    lines = [
        f'title = "{about.title}"',
        f'board = "{about.board}"',
        f'no_board = "{about.no_board}"',
        f"mhz = {about.mhz}",
        f"cycles_per_instruction = {about.cycles}",
        f'assumed = "{about.assumed}"',
        'measured = """make bench-models GROUPS=cores: counted by QEMU -icount, GCC -Os; networks of these shapes, '
        f"{INPUTS} random inputs each:",
        f'{shapes}; the learner with 18 features; features of windows of 128 x 6"""',
    ]
    tables = (("network", network), ("learner", found.learner), ("features", found.features), ("flash", found.flash))
    for name, table in tables:
        lines += ["", f"[{name}]", *(f"{key} = {_number(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _flash(core: str, program: str, modules: Sequence[str]) -> int:
    return size.flash(piece for piece in size.node(built(core, program)) if piece.module in modules)
