"""`python -m tests.bench.page`: writes the figures of build/figures.json into docs/promises.md, between its markers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.bench.figures import NOT_FULL, Figure, read

PAGE = Path(__file__).parents[2] / "docs" / "promises.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"

FAULTS = ("kill9", "powerloss", "outage", "disk")
CPU = "ingest_cpu_us_per_report_"
ENGINE = ("instructions", "open_instructions", "flash_bytes", "ram_bytes")
SENSORS, LINKS, EVERY = ("mpu6050", "lis2dw12"), ("lpuart", "ble"), ("10s", "60s")
NODE = (
    "exact_mismatches",
    "exact_outputs_compared",
    *(f"{engine}_{what}" for engine in ("direct", "tflm") for what in ENGINE),
    "ad01_instructions_per_mac",
    "tflm_ad01_instructions_per_mac",
    "features_instructions",
    "features_invariant_instructions",
    "features_principal_instructions",
    "features_slow_instructions",
    *(f"features_mel_{frame}_instructions" for frame in (128, 256, 512)),
    "sensor_fault_instructions",
    "learn_instructions",
    "detect_instructions",
    "core_flash_bytes",
    "update_flash_bytes",
    "firmware_flash_bytes",
    "core_ram_bytes",
    "worst_stack_bytes",
    "awake_ms",
    "awake_report_ms",
    "awake_mean_ms",
    *(f"battery_years_{every}_{sensor}_{link}" for every in EVERY for sensor in SENSORS for link in LINKS),
)
"""What `make bench-node` finds out; `tflm_*` only where TensorFlow Lite Micro is at hand."""

MICROPYTHON = (
    *(f"mpy_native_speedup_{features}" for features in ("statistics", "invariant", "slow", "principal")),
    *(f"mpy_heap_peak_bytes_{features}" for features in ("statistics", "invariant", "slow", "principal")),
    *(f"mpy_module_bytes_{arch}" for arch in ("x64", "armv6m", "armv7m", "armv7emsp", "rv32imc", "xtensawin")),
    *(f"mpy_wake_ms_{p}" for p in ("import", "begin", "sample", "features", "report", "seal", "listen", "sleep")),
)
"""What `make bench-micropython` finds out."""

MODELS = (
    "skab_f1",
    "skab_false_alarm_pct",
    "skab_missed_pct",
    "skab_false_alarm_before_fault_pct",
    "skab_macro_auroc",
    "skab_f1_1_in_500",
    "skab_false_alarm_pct_1_in_500",
    "skab_missed_pct_1_in_500",
    "skab_false_alarm_before_fault_pct_1_in_500",
    "skab_macro_auroc_1_in_500",
    *(f"rosa_{sensors}_auroc_{mode}" for sensors in ("imu", "imu_effort") for mode in "nvd"),
    *(f"rosa_clock_auroc_{mode}" for mode in "nvd"),
    "fan_moved_false_alarm_pct",
    "fan_moved_mean_false_alarm_pct",
    "fan_moved_weight_recall_pct",
    "fan_false_alarm_pct",
    "fan_false_alarm_10s_pct",
    "fan_recall_pct",
    "fan_recall_10s_pct",
    "fan_recall_third_pct",
    "uci_fan_auroc_cfg2",
    "uci_fan_auroc_cfg3",
    "uci_fan_auroc_cfg2_all_speeds",
    "uci_fan_auroc_cfg3_all_speeds",
    "wsn_false_alarm_ratio_to_best_single",
    "wsn_false_alarm_ratio_own_threshold",
    "alarmed_normal_ratio_to_static",
    "alarmed_normal_ratio_to_refitted",
    "alarmed_normal_ratio_unacknowledged",
    "ramp_recall_pct",
    "events_achieved_over_wanted",
    "int8_auroc_cost",
    *(f"autoencoder_auroc_{size}" for size in ("node", "wide", "small8", "small6", "small4", "pruned")),
    *(f"uci_fan_classes_auroc_{how}" for how in ("known", "any", "reconstruction")),
    "train_s",
    "evaluate_windows_per_s",
    "room_false_alarm_pct",
    "room_recall_pct",
)
"""What `make bench-models` finds out."""

KEYS = (
    "ingest_reports_per_s_udp",
    "ingest_reports_per_s_mqtt",
    "ingest_gateway_us_per_report_udp",
    "ingest_gateway_us_per_report_mqtt",
    "alarm_latency_p50_ms",
    "alarm_latency_p99_ms",
    "cost_ratio_10_to_10000_nodes",
    "rss_mb_100_nodes",
    "rss_mb_1000_nodes",
    "soak_rss_growth_mb_per_h",
    "start_s_100_nodes",
    "start_s_1000_nodes",
    "recovery_s",
    *(f"{fault}_{count}" for fault in FAULTS for count in ("runs", "lost", "doubled")),
    *NODE,
    *MICROPYTHON,
    *MODELS,
)
"""What the page shows, in this order; behind it the CPU time of a report by stage."""


def table(figures: Mapping[str, Figure]) -> str:
    """A table of the figures that are there, and a footnote for each way in which some of them came about."""
    stages = sorted(key for key in figures if key.startswith(CPU))
    known = {key: figures[key] for key in (*KEYS, *stages) if key in figures}
    notes = {how: number for number, how in enumerate(dict.fromkeys(f.how for f in known.values()), 1)}
    rows = [f"| `{key}` | {_value(f)} | {f.unit} | [^{notes[f.how]}] |" for key, f in known.items()]
    told = [f"[^{number}]: {how}" for how, number in notes.items()]
    return "\n".join(["| figure | value | unit | how |", "|---|---:|---|---|", *rows, "", *told]) + "\n"


def filled(page: str, figures: Mapping[str, Figure]) -> str:
    """The page with these figures in the place of those that it had. ValueError if it has not both markers, once."""
    before, between = page.split(BEGIN)
    _, after = between.split(END)
    return f"{before}{BEGIN}{table(figures)}{END}{after}"


def _value(figure: Figure) -> str:
    return f"{figure.value:,.10g}" + (" (not the full run)" if figure.how.startswith(NOT_FULL) else "")


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), read()), encoding="utf-8")
