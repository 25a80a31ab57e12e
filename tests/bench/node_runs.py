"""Programs of nodes/c_tflm/ports/bench that measure, on a Cortex-M4 in QEMU whose clock counts instructions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.nodes.qemu.emulator import PROCESSORS, ROOT, make, run, why_not

FLAGS = "-Os -mcpu=cortex-m4 -mthumb -mfloat-abi=soft -ffunction-sections -fdata-sections -Wl,--gc-sections"
BUILT = f"Cortex-M4, arm-none-eabi-gcc {FLAGS}"
COUNTED = f"counted by QEMU -icount; {BUILT}"
COUNTING = ("-icount", "shift=6")
CALLS = ROOT / "nodes" / "c_tflm" / "tools" / "calls.toml"
OBJDUMP = "arm-none-eabi-objdump"
TIMEOUT_S = 120.0
SAMPLES, CHANNELS = 128, 6
"""One window: 640 ms of a 6-axis sensor at 200 Hz."""


@cache
def built(program: str) -> Path:
    """The ELF file of a program. AssertionError if it cannot be compiled or run here."""
    assert not (missing := why_not(PROCESSORS["cortex-m4"])), missing
    return make(f"cortex-m4/{program}.elf") / "cortex-m4" / f"{program}.elf"


class Told:
    """What a program told: numbers by name, in turn, and the files that it wrote."""

    def __init__(self, numbers: Mapping[str, Sequence[int]], files: Mapping[str, bytes]) -> None:
        self.numbers = numbers
        self.files = files

    def one(self, name: str) -> int:
        """The number that was told once. KeyError or ValueError if it was not."""
        (value,) = self.numbers[name]
        return value

    def mean(self, name: str) -> float:
        """The mean of what was told of one thing."""
        return float(np.mean(self.numbers[name]))


def measured(program: Path, files: Mapping[str, bytes], core: str = "cortex-m4") -> Told:
    """Run a program of that core; `files` are there when it starts."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in files.items():
            (folder / file).write_bytes(data)
        run(PROCESSORS[core], program, folder, timeout_s=TIMEOUT_S, counting=COUNTING)
        numbers: dict[str, list[int]] = defaultdict(list)
        for line in (folder / "figures.out").read_text().splitlines():
            key, _, value = line.partition(" ")
            numbers[key].append(int(value))
        written = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in files}
    return Told(numbers, written)


def window(seed: int = 1) -> np.ndarray:
    """int16 [SAMPLES, CHANNELS]: a machine that turns, gravity on one axis, and noise on all."""
    rng = np.random.default_rng(seed)
    t = np.arange(SAMPLES)[:, None] / 200.0
    turning = 900 * np.sin(2 * np.pi * (24.5 * t + np.arange(CHANNELS) / CHANNELS))
    level = np.array([0, 0, 16384, 40, -25, 12])
    return np.rint(level + turning + rng.normal(0, 120, (SAMPLES, CHANNELS))).astype("<i2")
