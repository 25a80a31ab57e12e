"""`python -m tests.bench.micropython [GROUP ...]`: the figures of the node in MicroPython, into build/figures.json.

The unix port (x64) in place of a board: what it says of time is for comparing, not for a battery.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from tests.bench import groups
from tests.bench.figures import Figure
from tests.bench.progress import say
from tests.micropython.native import built

ROOT = Path(__file__).parents[2]
NODE = ROOT / "nodes" / "micropython"
BOARD = ROOT / "tests" / "micropython" / "board"
WAKE = BOARD / "whole_wake.py"
ARCHITECTURES = "x64", "armv6m", "armv7m", "armv7emsp", "rv32imc", "xtensawin"
SETS = {1: "statistics", 2: "invariant", 3: "slow"}
SAMPLES = 512
TIMES = 31
HEAP_KB = 64
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
    for source in [*NODE.glob("*.py"), *(NODE / "sensors").glob("*.py"), *(NODE / "lib").rglob("*.py")]:
        to = folder / source.relative_to(NODE / "lib" if NODE / "lib" in source.parents else NODE).with_suffix(".mpy")
        to.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([program("mpy-cross"), "-o", to, source], check=True)
    for source, to in ((NODE / "radios" / "__init__.py", "radios/__init__.mpy"), (WAKE, f"{WAKE.stem}.mpy")):
        (folder / to).parent.mkdir(exist_ok=True)
        subprocess.run([program("mpy-cross"), "-o", folder / to, source], check=True)
    return folder


def modules() -> Mapping[str, Figure]:
    """Bytes of the native module, by processor."""
    found = {}
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
    found = {}
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


def heap() -> Mapping[str, Figure]:
    """The least heap in which a whole wake comes to its end."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        files = compiled(Path(folder))
        for number, name in SETS.items():
            low, high = 8 * 1024, 256 * 1024
            while high - low > STEP:
                middle = (low + high) // 2
                done = run("-X", f"heapsize={middle}", "-m", WAKE.stem, number, 128, paths=[files])
                low, high = (low, middle) if done is not None else (middle, high)
            how = (
                f"the least heap in which a whole wake runs, {name} features of 3 x 128 samples, from .mpy files, to "
                f"{STEP} B; a board of {HEAP_KB} KB has that much of its own; {PORT}, whose words have 8 bytes"
            )
            found |= {f"mpy_heap_peak_bytes_{name}": Figure(high, "B", how)}
    return found


def wake() -> Mapping[str, Figure]:
    """Milliseconds of each phase of a wake."""
    with tempfile.TemporaryDirectory() as folder:
        files = compiled(Path(folder))
        said = [run("-m", WAKE.stem, 1, 128, paths=[files]) for _ in range(TIMES)]
    phases = [ast.literal_eval(line) for line in said if line is not None]
    assert len(phases) == TIMES
    how = (
        "of a wake with statistics of 3 x 128 samples in plain Python from .mpy files, a sensor and a line that answer "
        f"at once, median of {TIMES}; {PORT}"
    )
    return {
        f"mpy_wake_ms_{name}": Figure(round(median(spent[name] for spent in phases) / 1000, 3), "ms", how)
        for name in phases[0]
    }


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
