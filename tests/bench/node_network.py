"""Figures of the engine: instructions, flash and RAM of the 18-12-8-12-18 autoencoder, and of the published AD01."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from gateway.training import tflite_file
from nodes.c_tflm.tools import size
from tests.bench.figures import Figure
from tests.bench.node_runs import BUILT, COUNTED, built, measured
from tests.nodes.library import DATA

SIZES = (18, 12, 8, 12, 18)
INPUTS = 32
AD01_INPUTS = 2
AD01_MACS = 640 * 128 + 3 * 128 * 128 + 128 * 8 + 8 * 128 + 3 * 128 * 128 + 128 * 640
NETWORK = f"an int8 autoencoder {'-'.join(map(str, SIZES))} as gateway/training writes it (one scale per tensor)"
ENGINES = {"direct": "bench_network"} | ({"tflm": "bench_network_tflm"} if os.environ.get("TFLM_DIR") else {})
"""Name of the engine in the figures -> the program that is linked with it."""
ASKED = {"tflm": "; what infer/tflm.cc works out beforehand, at most 256 above the least that would do"}


def figures() -> Mapping[str, Figure]:
    """Those of each engine that can be built here."""
    found: dict[str, Figure] = {}
    for engine, program in ENGINES.items():
        found |= _small(engine, built(program)) | _ad01(engine, built(program))
    return found


def autoencoder(sizes: Sequence[int] = SIZES, seed: int = 18) -> bytes:
    """The .tflite of a small network: random weights, scales such that the outputs use their range."""
    rng = np.random.default_rng(seed)
    ends = tflite_file.Quantisation(0.04, 0)
    layers: list[tflite_file.Dense] = []
    for inputs, outputs in pairwise(sizes):
        last = len(layers) == len(sizes) - 2
        output = ends if last else tflite_file.Quantisation(0.03, -128)
        weights = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
        bias = rng.integers(-2000, 2001, outputs).astype(np.int32)
        layers.append(tflite_file.Dense(weights, bias, not last, (0.004,), output))
    return tflite_file.write(tflite_file.Network(tuple(layers), ends))


def _small(engine: str, program: Path) -> Mapping[str, Figure]:
    inputs = np.random.default_rng(1).integers(-128, 128, (INPUTS, SIZES[0]), dtype=np.int8)
    told = measured(program, {"model.tflite": autoencoder(), "inputs.bin": inputs.tobytes()})
    parts = size.node(program)
    what = "the interface, checks of the file, what the loops need of libgcc and the C library included"
    if verifier := size.flash(part for part in parts if "Verif" in part.name):
        what += f", {verifier:,} of it the schema's own check of files"
    return {
        f"{engine}_instructions": Figure(
            round(told.mean("run")), "instructions",
            f"one inference of {NETWORK}, mean of {INPUTS} random inputs, opening apart; {COUNTED}",
        ),
        f"{engine}_open_instructions": Figure(
            told.one("open") + told.one("attach"), "instructions",
            f"checking the file of {NETWORK} and working out its multipliers, once at boot; {COUNTED}",
        ),
        f"{engine}_flash_bytes": Figure(
            size.flash(parts), "bytes",
            f"a program that opens and runs fully-connected models, less the bench's own: {what}; {BUILT}",
        ),
        f"{engine}_ram_bytes": Figure(
            told.one("state") + told.one("memory") + size.ram(parts), "bytes",
            f"for {NETWORK}, beyond the file itself, stack apart{ASKED.get(engine, '')}; {BUILT}",
        ),
    }  # fmt: skip


def _ad01(engine: str, program: Path) -> Mapping[str, Figure]:
    path = DATA / "tflite_models" / "ad01_int8.tflite"
    if not path.exists():
        return {}
    inputs = np.load(path.with_name(f"{path.stem}_golden.npz"))["in0"][-AD01_INPUTS:]
    told = measured(program, {"model.tflite": path.read_bytes(), "inputs.bin": inputs.tobytes()})
    value = round(told.mean("run") / AD01_MACS, 3)
    how = (
        f"MLPerf Tiny's anomaly detector ({AD01_MACS:,} multiplications), mean of {AD01_INPUTS} inputs, in "
        f"{told.one('memory'):,} bytes of RAM{ASKED.get(engine, '')}; {COUNTED}"
    )
    if engine == "direct":
        return {"ad01_instructions_per_mac": Figure(value, "instructions", how)}
    return {"tflm_ad01_instructions_per_mac": Figure(value, "instructions", how)}
