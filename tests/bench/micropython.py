"""`python -m tests.bench.micropython [GROUP ...]`: the figures of the node in MicroPython, into build/figures.json.

The unix port (x64) in place of a board: what it says of time is for comparing, not for a battery.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench import groups
from tests.bench.figures import Figure
from tests.bench.progress import say
from tests.micropython import conftest, test_heap
from tests.micropython.native import built
from tests.micropython.native import test_heap_of_boards as boards
from tests.micropython.native.emulated import BOARDS

ROOT = Path(__file__).parents[2]
NODE = ROOT / "nodes" / "micropython"
BOARD = ROOT / "tests" / "micropython" / "board"
WAKE = BOARD / "whole_wake.py"
ARCHITECTURES = "x64", "armv6m", "armv7m", "armv7emsp", "rv32imc", "xtensawin"
SETS = {1: "statistics", 2: "invariant", 3: "slow", 5: "principal"}
SAMPLES = 512
TIMES = 31
STEP = 512
PORT = "MicroPython 1.25, unix port x64"


class NotHere(Exception):
    """What is missing for a figure."""


def program(name: str) -> Path:
    """Of build/micropython. Raises NotHere."""
    if not (built.BUILT / name).exists():
        raise NotHere("MicroPython is not built here: `make micropython` says why, or builds it")
    return built.BUILT / name


def native(arch: str) -> Path | None:
    """The native module for a processor, None where it cannot be built."""
    program("source")
    return None if built.why_not(arch) else built.mpy(arch) / built.MODULE


def run(*arguments: object, paths: Sequence[Path]) -> str | None:
    """What MicroPython prints, None if it does not come to its end."""
    done = subprocess.run(
        [program("micropython"), *map(str, arguments)], capture_output=True, text=True, check=False,
        env={"MICROPYPATH": os.pathsep.join(map(str, paths))},
    )  # fmt: skip
    return done.stdout if done.returncode == 0 else None


def compiled(folder: Path) -> Path:
    """The node's files as a board has them: as .mpy."""
    program("mpy-cross")
    return conftest.compile_to(folder)


def modules() -> Mapping[str, Figure]:
    """Bytes of the native module, by processor."""
    found: dict[str, Figure] = {}
    for arch in ARCHITECTURES:
        file = native(arch)
        if file is None:
            say(f"no compiler for {arch}: left out")
            continue
        how = "the native module (features, model with all operators, learner, envelope) as a .mpy file"
        found |= {f"mpy_module_bytes_{arch}": Figure(file.stat().st_size, "B", how)}
    return found


def speedup() -> Mapping[str, Figure]:
    """The features of one window in C over the same in Python."""
    file = native("x64")
    if file is None:
        raise NotHere("no native module for x64")
    found: dict[str, Figure] = {}
    for number, name in SETS.items():
        spent = {}
        for kind, paths in (("python", [NODE / "lib"]), ("c", [file.parent, NODE / "lib"])):
            said = run(BOARD / "features_us.py", number, SAMPLES, TIMES, paths=paths)
            assert said, f"{kind}, set {number}"
            spent[kind] = float(said)
        how = (
            f"time of the {name} features of one window of 3 x {SAMPLES} samples in plain Python "
            f"({spent['python']:.0f} us) over that in C ({spent['c']:.1f} us), medians of {TIMES}; {PORT}"
        )
        found |= {f"mpy_native_speedup_{name}": Figure(round(spent["python"] / spent["c"], 1), "", how)}
    return found


def least(fits: Callable[[int], bool], high: int = 256 * 1024) -> int:
    """The least heap that is enough, to STEP."""
    low = 8 * 1024
    while high - low > STEP:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def heap() -> Mapping[str, Figure]:
    """The least heap in which whole wakes come to their end."""
    found: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as name:
        files, native_x64, firmware = compiled(Path(name) / "mpy"), native("x64"), built.firmware()
        in_flash = "files and native module in the firmware"
        kinds: dict[str, tuple[str, Path, list[Path | str], int]] = {
            "": ("from .mpy files", program("micropython"), [files], 0),
            "_in_firmware": (in_flash, firmware, [".frozen", files], 0),
            "_learner_in_firmware": (f"{in_flash}, and a learner", firmware, [".frozen", files], 64),
        }
        if native_x64:
            said = "from .mpy files, with the native one, whose own code is not in that heap here"
            kinds["_native"] = said, program("micropython"), [native_x64.parent, files], 0
        for kind, (said, runs, paths, learn) in kinds.items():
            for number, set_ in SETS.items():
                peak = least(partial(wakes_fit, runs, paths, Path(name) / "kept", (number, learn)))
                how = (
                    f"the least heap in which two whole wakes run, {set_} features of 3 x 128 samples, {said}, to "
                    f"{STEP} B; {PORT}, whose words have 8 bytes"
                )
                found |= {f"mpy_heap_peak_bytes_{set_}{kind}": Figure(peak, "B", how)}
        found |= heap_of_a_board(files)
    return found


def wakes_fit(runs: Path, paths: list[Path | str], kept: Path, arguments: tuple[int, ...], heap: int) -> bool:
    """Whether whole wakes run in a heap of so many bytes."""
    return test_heap.fits(runs, heap / 1024, paths, kept, *arguments)


def heap_of_a_board(files: Path) -> Mapping[str, Figure]:
    """The same where words have 4 bytes."""
    if built.why_not("armv7m") or shutil.which(BOARDS["armv7m"].emulator) is None:
        say("no compiler or emulator for armv7m: left out")
        return {}
    firmware = built.board_firmware(BOARDS["armv7m"])
    sent = {f"lib/{path.relative_to(files)}": path.read_bytes() for path in files.rglob("*.mpy")}

    def wake_fits(set_: int, heap: int) -> bool:
        return boards.wakes("armv7m", firmware, sent, set_, heap / 1024)

    how = (
        f"the least heap in which a whole wake, the first, runs, {{}} features of 3 x 128 samples, from .mpy files, to "
        f"{STEP} B; MicroPython 1.25, qemu port armv7m, whose words have 4 bytes"
    )
    return {
        f"mpy_heap_peak_bytes_{name}_armv7m": Figure(
            least(partial(wake_fits, number), 96 * 1024), "B", how.format(name)
        )
        for number, name in SETS.items()
    }


def wake() -> Mapping[str, Figure]:
    """Milliseconds of each phase of a wake; and of what a learner adds to."""
    with tempfile.TemporaryDirectory() as name:
        files, native_x64 = compiled(Path(name) / "mpy"), native("x64")
        how = (
            "of a wake with statistics of 3 x 128 samples in plain Python from .mpy files, a sensor and a line that "
            f"answer at once, median of {TIMES}; {PORT}"
        )
        found = {f"mpy_wake_ms_{phase}": Figure(ms, "ms", how) for phase, ms in phases([files], Path(name), 1).items()}
        if native_x64:
            how = f"as without _learner, with the native module and a learner of 64 windows; {PORT}"
            spent = phases([native_x64.parent, files], Path(name), 1, 64)
            found |= {f"mpy_wake_ms_{phase}_learner": Figure(spent[phase], "ms", how) for phase in ("begin", "sleep")}
        return found


def phases(paths: Sequence[Path], folder: Path, set_: int, learn: int = 0) -> Mapping[str, float]:
    """Medians, in ms."""
    kept = folder / f"kept.{learn}"
    said = [run("-m", WAKE.stem, set_, 128, kept, learn, paths=paths) for _ in range(TIMES + 1)][
        1:
    ]  # without the start
    spent = [ast.literal_eval(line) for line in said if line is not None]
    assert len(spent) == TIMES
    return {phase: round(median(one[phase] for one in spent) / 1000, 3) for phase in spent[0]}


GROUPS: Mapping[str, Callable[[], Mapping[str, Figure]]] = {
    "modules": modules,
    "speedup": speedup,
    "heap": heap,
    "wake": wake,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Returns 1 if a group came to nothing; the others are run all the same."""
    return groups.run("tests.bench.micropython", __doc__, GROUPS, arguments, (AssertionError, NotHere, OSError))


if __name__ == "__main__":
    sys.exit(main())
