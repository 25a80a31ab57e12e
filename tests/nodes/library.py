"""The node's C code as shared libraries."""

from __future__ import annotations

import ctypes
import os
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
HOST = ROOT / "nodes" / "c_tflm" / "ports" / "host"
DATA = ROOT.parent / "shared" / "data"  # recorded data; a test that needs it skips where it is absent
FLAGS = (
    "-std=c11",
    "-O2",
    "-fPIC",
    "-shared",
    "-Wl,-Bsymbolic",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-Werror",
)


@cache
def node_library() -> ctypes.CDLL:
    """core/ and infer/, as the fixture `node_build` has built them; a test that calls this uses that fixture."""
    build = os.environ.get("STETHOS_NODE_BUILD") or ROOT / "build" / "node"
    return ctypes.CDLL(str(Path(build) / "libstethos-node.so"))


@cache
def source_library() -> ctypes.CDLL:
    """The host port's sources of samples, which are part of its program and of no library."""
    files = sorted([*HOST.glob("sim*.c"), *HOST.glob("source*.c")])
    with TemporaryDirectory() as folder:
        library = Path(folder) / "sources.so"
        subprocess.run(["cc", *FLAGS, "-o", str(library), *map(str, files), "-lm"], check=True)
        return ctypes.CDLL(str(library))
