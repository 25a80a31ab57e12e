"""Figures of classifiers of spectrograms beside autoencoders, after Grzymkowski, Cejrowski and Stefański, who compare
reconstruction and classification of machine sounds: what one verdict costs a node, by core, and what it finds.

Costs are of networks with random weights, which cost what trained ones do. `spectrogram_auroc` trains with TensorFlow
and is left out where that is not: `build/tensorflow/bin/python -m tests.bench.models spectrogram_auroc`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from gateway.energy import Board
from gateway.energy.core import Core
from gateway.training import mobilenet
from gateway.training.anatomy import anatomy
from gateway.training.features.mel import Form
from gateway.training.study.footprint import SUPPLY_V, vela
from nodes.c_tflm.tools import size
from tests.bench import cores, spectrogram_auroc
from tests.bench.figures import Figure
from tests.bench.node_network import AD01_MACS, autoencoder
from tests.bench.node_runs import BUILT
from tests.bench.progress import say
from tests.nodes.spectrogram_images import Looking, sounds

CORES = ("cortex-m4", "cortex-m7", "cortex-m55")
LOOKS = {
    "sound": Looking(Form.of(16_000, 512, 32), rows=32, channel=0, channels=1, samples=1024),
    "vibration": Looking(Form.of(200, 64, 16), rows=16, channel=0, channels=3, samples=17 * 32),
}
"""32 rows of 32 bands of a second of sound, and 16 of 16 of 2.7 s of vibration at 200 Hz."""
AUTOENCODERS = {
    "autoencoder": (18, 12, 8, 12, 18),
    "autoencoder_sound": (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640),
}
"""That of a node's features, and the published one of machine sounds: MLPerf Tiny's AD01, the baseline of DCASE task 2,
which looks at five frames of 128 bands at once where the classifier looks at 32.
"""
WINDOWS = 3
AGAIN = "make bench-models GROUPS=spectrogram"


@dataclass(frozen=True)
class Cost:
    """Instructions of one verdict: the front end, and the network with its score; bytes of flash for code and for what
    is kept of the model, and of RAM, stack apart.
    """

    front: float
    network: float
    code: int
    stored: int
    ram: int
    stack: int = 0


def costs() -> Mapping[str, Figure]:
    """By network and core. AssertionError where nothing can be compiled for a core, or run."""
    found: dict[str, Figure] = {}
    for name, looking in LOOKS.items():
        what = f"a MobileNetV2-like classifier of {looking.rows} rows of {looking.form.bands} bands ({name})"
        found |= _of(f"spectrogram_{name}", what, looking.tflite, {core: _looking(core, name) for core in CORES})
    for name, sizes in AUTOENCODERS.items():
        tflite = autoencoder(sizes)
        what = f"an int8 autoencoder {'-'.join(map(str, sizes))}, features apart"
        found |= _of(name, what, tflite, {core: _dense(core, name, tflite) for core in CORES})
    assert found["autoencoder_sound_macs"].value == AD01_MACS
    return found


@cache
def _looking(core: str, name: str) -> Cost:
    looking = LOOKS[name]
    windows, image = sounds(WINDOWS, looking), looking.image()
    told = cores.run(core, "bench_spectrogram", {"model.image": image, "samples.bin": windows.tobytes()})
    assert told.numbers["error"] == looking.errors(windows[:, :, looking.channel]), "other errors than foreseen"
    ram = told.one("state") + told.one("memory")
    code = size.flash(size.node(cores.built(core, "bench_spectrogram")))
    return Cost(cores.instructions(core, told, "hear"), cores.instructions(core, told, "score"), code, len(image), ram,
                told.one("stack"))  # fmt: skip


@cache
def _dense(core: str, name: str, tflite: bytes) -> Cost:
    inputs = np.random.default_rng(1).integers(-128, 128, (WINDOWS, AUTOENCODERS[name][0]), dtype=np.int8)
    told = cores.run(core, "bench_network", {"model.tflite": tflite, "inputs.bin": inputs.tobytes()})
    code = size.flash(size.node(cores.built(core, "bench_network")))
    ram = told.one("state") + told.one("memory")
    return Cost(0.0, cores.instructions(core, told, "run"), code, len(tflite), ram)


def _of(name: str, what: str, tflite: bytes, by_core: Mapping[str, Cost]) -> Mapping[str, Figure]:
    first, inside = by_core[CORES[0]], anatomy(tflite)
    found = {
        f"{name}_macs": Figure(inside.macs, "MACs", f"one inference of {what}, counted from its file"),
        f"{name}_parameter_bytes": Figure(inside.parameters, "bytes", f"weights and biases of {what}"),
        f"{name}_stored_bytes": Figure(first.stored, "bytes", f"what a node keeps of {what}, random weights; {AGAIN}"),
        f"{name}_code_bytes": Figure(first.code, "bytes", f"the code that runs {what}; {BUILT}"),
        f"{name}_ram_bytes": Figure(first.ram, "bytes", f"of {what} on a Cortex-M4, samples and stack apart"),
    }
    if first.stack:
        how = f"deepest in a run, opening and self-test included, of {what}; {BUILT}"
        found[f"{name}_stack_bytes"] = Figure(first.stack, "bytes", how)
    for core, cost in by_core.items():
        found |= _on_core(name, what, Core.load(core), cost)
    return found | _on_npu(name, what, tflite)


def _on_core(name: str, what: str, core: Core, cost: Cost) -> Mapping[str, Figure]:
    short = core.name.removeprefix("cortex-")
    whole = cost.front + cost.network
    how = f"{what}; {core.title}; counted by QEMU -icount, GCC -Os"
    ms = f"{how}; {core.assumed}"
    found = {
        f"{name}_network_instructions_{short}": Figure(round(cost.network), "instructions", f"one inference of {how}"),
        f"{name}_ms_{short}": Figure(round(core.ms(whole), 2), "ms", f"one verdict, its front end included, of {ms}"),
    }
    if cost.front:
        front = Figure(round(cost.front), "instructions", f"all rows of one window, as inputs of {how}")
        found[f"{name}_front_instructions_{short}"] = front
    if core.board:
        board = Board.load(core.board)
        energy_uj = SUPPLY_V * board.computing_na.value * 1e-9 * core.ms(whole) * 1e3
        source = f"{board.computing_na.source}; at {SUPPLY_V:g} V; sampling apart; not measured with a meter"
        found[f"{name}_uj_{short}"] = Figure(round(energy_uj, 1), "uJ", f"one verdict of {ms}; {source}")
    return found


def _on_npu(name: str, what: str, tflite: bytes) -> Mapping[str, Figure]:
    cycles, note = vela(tflite)
    if not cycles:
        say(note)
        return {}
    how = f"one inference of {what}, without its front end, at {cycles['mhz']:g} MHz; {note}"
    ms = 1e-3 * cycles["cycles"] / cycles["mhz"]
    return {
        f"{name}_cycles_u55": Figure(round(cycles["cycles"]), "cycles", how),
        f"{name}_ms_u55": Figure(round(ms, 3), "ms", how),
        f"{name}_sram_bytes_u55": Figure(round(cycles["sram_bytes"]), "bytes", how),
        f"{name}_flash_bytes_u55": Figure(round(cycles["flash_bytes"]), "bytes", how),
    }


def aurocs() -> Mapping[str, Figure]:
    """Classifier and autoencoder on the same windows, by set; nothing without TensorFlow."""
    if not mobilenet.available():
        say("spectrogram_auroc left out: no TensorFlow here; build/tensorflow/bin/python -m tests.bench.models has it")
        return {}
    return spectrogram_auroc.figures()


GROUPS = {"spectrogram": costs, "spectrogram_auroc": aurocs}
