"""battery_years_*: the forecast of gateway/energy with the time awake that was measured here."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from gateway.energy import Battery, Board, Radio, Schedule, Sensor, forecast
from tests.bench.figures import Figure
from tests.bench.node_core import awake_ms, hours
from tests.bench.node_runs import built

SENSORS, RADIOS, EVERY_S = ("mpu6050", "lis2dw12"), ("lpuart", "ble"), (10, 60)
WINDOW_MS, REPORT_S = 640.0, 3600.0


def figures() -> Mapping[str, Figure]:
    """One for each sensor, radio and rate."""
    compute = awake_ms(hours(built("bench_node")))
    board, battery = Board.load("stm32l475"), Battery.load("cr123a")
    found = {}
    for every_s, sensor, radio in product(EVERY_S, SENSORS, RADIOS):
        schedule = Schedule(WINDOW_MS, every_s, REPORT_S, compute_ms=compute)
        said = forecast(board, Sensor.load(sensor), Radio.load(radio), schedule, battery)
        found |= {
            f"battery_years_{every_s}s_{sensor}_{radio}": Figure(
                round(said.years, 2),
                "years",
                f"{battery.title}, one window of {WINDOW_MS:g} ms each {every_s} s and one report an hour, awake for "
                f"{compute:g} ms (awake_ms); by data sheets, nothing measured, without self-discharge; what dominates: "
                f"{said.dominant.who} in state {said.dominant.state}, {said.share:.0%}",
            )
        }
    return found
