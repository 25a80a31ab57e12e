"""What each path of a study costs a node: bytes, instructions, time, energy and steps; and on a small NPU, cycles.

Instructions come from gateway/energy/cores (counted in QEMU), currents from gateway/energy (data sheets, nothing of it
measured with a meter), cycles of an Ethos-U55 from Arm's compiler Vela, where that is installed.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.detectors.feature_sets import NAMES
from gateway.detectors.learner import BYTES, IMAGE_MAX
from gateway.energy import Battery, Board, Radio, Schedule, Sensor, forecast
from gateway.energy.core import Core
from gateway.energy.forecast import currents_na
from gateway.energy.table import names as in_table
from gateway.training.study import paths
from gateway.training.study.data import Source
from gateway.training.study.paths import BOTH, LEARNER, PLACE, STATIC, Static

SUPPLY_V = 3.0
"""That of the boards' titles."""
SENSOR, RADIO, BATTERY = "lis2dw12", "lpuart", "cr123a"
EVERY_S, REPORT_S = 60.0, 3600.0
_STATE_BYTES = 48  # struct network on a node (bench_network, "state"), whose memory comes on top
_WIDER = 12  # bytes that this computer's engine takes more for each layer: three pointers of 8 bytes instead of 4
_VELA_S = 60.0
_ACCELERATOR = "ethos-u55-128"

STEPS: Mapping[str, tuple[str, ...]] = {
    STATIC: (
        "record hours of normal operation (stethos collect)", "train (stethos model train)",
        "calibrate on recordings that training has not seen (stethos model calibrate)", "sign (stethos model sign)",
        "send it to the node, or build it in", "mount the node", "look at its false alarms of the first day",
    ),
    LEARNER: ("mount the node", "let it learn from 60 to 240 windows while the machine runs normally"),
    BOTH: (
        "record hours of normal operation (stethos collect)", "train (stethos model train)",
        "calibrate on recordings that training has not seen (stethos model calibrate)", "sign (stethos model sign)",
        "send it to the node, or build it in", "mount the node",
        "let it learn: it learns nothing from windows that the model calls anomalous",
        "look at its false alarms of the first day",
    ),
    PLACE: ("mount the node, with every window sent to the gateway", "let the gateway learn as many rows"),
}  # fmt: skip


@dataclass(frozen=True)
class OnCore:
    """On a processor: instructions of one window, features and verdict; the time, and for a core with a board in the
    table the energy of that and of a day with one window a minute and one report an hour. `unknown`: why there is none.
    """

    features_instructions: float
    verdict_instructions: float
    latency_ms: float
    flash_bytes: int
    formula_worst_pct: float
    energy_uj: float | None = None
    average_uw: float | None = None
    peak_mw: float | None = None
    battery_years: float | None = None
    unknown: str = ""


@dataclass(frozen=True)
class Footprint:
    """A path's. `storage_bytes` is what is kept of a model or of what was learned; `peak_bytes` RAM beyond the samples
    and the stack. The gateway's learner costs a node its features and a message for each window.
    """

    flash_bytes: int | None
    ram_bytes: int | None
    peak_bytes: int | None
    storage_bytes: int | None
    macs: int | None
    cores: Mapping[str, OnCore]
    steps: tuple[str, ...]
    ethos: Mapping[str, float] = field(default_factory=dict)
    ethos_note: str = ""


def of_paths(source: Source, static: Static | None) -> dict[str, Footprint]:
    """Of every path that there is."""
    found = {}
    for path in paths.makers(static):
        cores = {name: _on_core(path, source, static, Core.load(name)) for name in in_table("cores")}
        model = static if path in (STATIC, BOTH) else None
        learner = path in (LEARNER, BOTH)
        ram = (BYTES if learner else 0) + (_network_bytes(model) if model else 0)
        scratch = 4 * sum(_ends(model)) if model else 0
        ethos, note = vela(model.bundle.model) if model and path == STATIC else ({}, "")
        found[path] = Footprint(
            flash_bytes=cores["cortex-m4"].flash_bytes,
            ram_bytes=None if path == PLACE else ram,
            peak_bytes=None if path == PLACE else ram + scratch,
            storage_bytes=None if path == PLACE else (len(model.bundle.model) if model else 0) + learner * IMAGE_MAX,
            macs=paths.macs(model) if model else 0,
            cores=cores,
            steps=STEPS[path],
            ethos=ethos,
            ethos_note=note,
        )
    return found


def _network_bytes(static: Static) -> int:
    return _STATE_BYTES + paths.memory_size(static) - _WIDER * (len(paths.sizes(static)) - 1)


def _ends(static: Static) -> tuple[int, int]:
    sizes = paths.sizes(static)
    return sizes[0], sizes[-1]


def _on_core(path: str, source: Source, static: Static | None, core: Core) -> OnCore:
    feature_set = NAMES[source.feature_set]
    features = core.of_features(feature_set, source.samples, len(source.run.channels))
    verdict, flash = 0.0, core.flash[f"features_{feature_set}"]
    if path in (STATIC, BOTH) and static is not None:
        verdict += core.of_network(paths.sizes(static))
        flash += core.flash["engine"] + len(static.bundle.model)
    if path in (LEARNER, BOTH):
        verdict += core.learner["detect"]
        flash += core.flash["learner"]
    ms = core.ms(features + verdict)
    plain = OnCore(
        features, verdict, ms, flash, core.worst_pct if path in (STATIC, BOTH) else 0.0, unknown=core.no_board
    )
    return _powered(plain, source, core, every_window=path == PLACE) if core.board else plain


def _powered(found: OnCore, source: Source, core: Core, *, every_window: bool) -> OnCore:
    board, sensor, radio = Board.load(core.board), Sensor.load(SENSOR), Radio.load(RADIO)
    window_ms = 0.0 if source.slow else 1000 * source.samples / source.run.rate_hz
    schedule = Schedule(window_ms, EVERY_S, EVERY_S if every_window else REPORT_S, found.latency_ms)
    said = forecast(board, sensor, radio, schedule, Battery.load(BATTERY))
    peak_na = max(sum(parts.values()) for parts in currents_na(board, sensor, radio).values())
    return OnCore(
        found.features_instructions, found.verdict_instructions, found.latency_ms, found.flash_bytes,
        found.formula_worst_pct,
        energy_uj=SUPPLY_V * board.computing_na.value * 1e-9 * found.latency_ms * 1e-3 * 1e6,
        average_uw=SUPPLY_V * said.mean_na * 1e-3,
        peak_mw=SUPPLY_V * peak_na * 1e-6,
        battery_years=said.years,
    )  # fmt: skip


def vela(model: bytes) -> tuple[dict[str, float], str]:
    """Cycles, milliseconds, SRAM and flash of one inference on an Ethos-U55 with 128 multipliers, by Arm's compiler for
    it, which knows no energy; nothing, and why, where that is not installed or does not take the file.
    """
    program = shutil.which("vela", path=str(Path(sys.executable).parent)) or shutil.which("vela")
    if program is None:
        return {}, "Ethos-U55 left out: no vela here (pip install 'stethos[study]')"
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        command = [program, "--accelerator-config", _ACCELERATOR, "--output-dir", name, str(folder / "model.tflite")]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_VELA_S)
        except subprocess.TimeoutExpired:
            return {}, f"Ethos-U55 left out: vela took more than {_VELA_S:g} s"
        found = list(folder.glob("*_summary_*.csv"))
        if done.returncode or not found:
            return {}, f"Ethos-U55 left out: vela ended with {done.returncode}"
        [row] = csv.DictReader(found[0].read_text(encoding="utf-8").splitlines())
    cycles, hz = float(row["cycles_total"]), float(row["core_clock"])
    return (
        {
            "cycles": cycles,
            "npu_cycles": float(row["cycles_npu"]),
            "sram_bytes": 1024 * float(row["sram_memory_used"]),
            "flash_bytes": 1024 * float(row["off_chip_flash_memory_used"]),
            "mhz": hz / 1e6,
            "ms": 1000 * cycles / hz,
        },
        f"{_ACCELERATOR}, by vela's own estimate; energy not known: vela gives none, and no data sheet was at hand",
    )
