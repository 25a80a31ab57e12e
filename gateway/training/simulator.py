"""Samples from the C node's simulator (nodes/c_tflm/ports/host/sim.h), so that a first model can be trained on what a
simulated node will see.

The simulator is part of the node's host program; here the same sources are compiled to a shared library and called
through ctypes.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from gateway.training.features import Samples

SOURCES = Path(__file__).parents[2] / "nodes" / "c_tflm" / "ports" / "host"
LIBRARY = Path(__file__).parents[2] / "build" / "node" / "libstethos-sim.so"

_FLAGS = ("-std=c11", "-D_DEFAULT_SOURCE", "-D_XOPEN_SOURCE=700", "-O2", "-ffp-contract=off", "-fPIC", "-shared")


class NoSimulator(RuntimeError):  # noqa: N818 - it is the world's fault, not an error in the program
    """The simulator cannot be had here; the message says why."""


def build(sources: Path = SOURCES, library: Path = LIBRARY) -> Path:
    """Compile the simulator unless `library` is newer than its sources. Raises NoSimulator."""
    files = sorted([*sources.glob("sim*.c"), *sources.glob("source*.c")])
    if not files:
        raise NoSimulator(f"{sources}: the simulator's sources are not here; they come with the source tree only")
    newest = max(f.stat().st_mtime_ns for f in (*files, *sources.glob("s*.h")))
    if library.is_file() and library.stat().st_mtime_ns > newest:
        return library
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise NoSimulator("the simulator needs a C compiler: there is no 'cc' on the path, and CC names none")
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as place:  # others may be loading the old one
        fresh = Path(place) / library.name
        command = [compiler, *_FLAGS, "-o", str(fresh), *map(str, files), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoSimulator(f"the simulator does not compile:\n{done.stderr}")
        fresh.replace(library)
    return library


class Simulation:
    """One simulated machine: a source specification (source.h) and a seed, which names the individual.

    A context manager; a window is a pure function of both and its time.
    """

    def __init__(self, spec: str, seed: int, library: Path | None = None) -> None:
        """Raises NoSimulator, or ValueError if the specification is not understood."""
        self._library = ctypes.CDLL(str(library or build()))
        self._library.source_open.restype = ctypes.c_void_p
        error = ctypes.create_string_buffer(512)
        self._source = ctypes.c_void_p(
            self._library.source_open(spec.encode(), ctypes.c_uint64(seed), error, ctypes.c_size_t(len(error)))
        )
        if not self._source:
            raise ValueError(error.value.decode())
        rate, channels = ctypes.c_uint32(), ctypes.c_uint8()
        self._library.source_rate(self._source, ctypes.byref(rate), ctypes.byref(channels))
        self.rate_millihz = rate.value
        self.channels = channels.value

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._library.source_close(self._source)

    def window(self, time_us: int, samples: int) -> Samples:
        """Samples [n, channels] from a time on. EOFError if the source does not reach that far."""
        out = np.zeros((samples, self.channels), dtype=np.int16)
        pointer = out.ctypes.data_as(ctypes.POINTER(ctypes.c_int16))
        result = self._library.source_read(
            self._source, ctypes.c_uint64(time_us), pointer, ctypes.c_uint16(samples), ctypes.c_uint8(self.channels)
        )
        if result:
            raise EOFError(f"no window at {time_us} us (source_read gave {result})")
        return out
