"""How long a battery lasts: charge = current · time, summed over a day, with the arithmetic shown.

The four states are those of the node's ledger (nodes/c_tflm/core/energy.h); in each, board, sensor and radio draw what
the table says. The current of a state is the sum of its three parts, and goes into the node's firmware as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.energy.table import Battery, Board, Radio, Sensor

STATES = ("sleep", "sensor", "compute", "radio")
DAY_MS = 86_400_000
DAYS_A_YEAR = 365.25
UC_PER_MAH = 3_600_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """One window of `window_ms` each `every_s`, and one report each `report_s`.

    The rest is of the table unless it is given, as it is by who has measured it: `compute_ms` a window, `answer_ms`
    from a report's last byte to the end of its Ack.
    """

    window_ms: float
    every_s: float
    report_s: float
    compute_ms: float | None = None
    answer_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What one part draws in one state: `uc` a day = `na` · `ms` a day / 10^6."""

    state: str
    who: str
    na: int
    ms: float

    @property
    def uc(self) -> float:
        """Micro-coulombs a day."""
        return self.na * self.ms / 1e6


@dataclass(frozen=True, slots=True)
class Forecast:
    """`uc_per_day` by state, `years` that the charge lasts, what dominates and its share (0..1), and the arithmetic as
    lines of text.

    The years may be more than the battery's shelf life; then the last line says so.
    """

    uc_per_day: Mapping[str, float]
    ms_per_day: Mapping[str, float]
    years: float
    dominant: Part
    share: float
    parts: tuple[Part, ...]
    lines: tuple[str, ...]

    @property
    def total_uc_per_day(self) -> float:
        """Micro-coulombs a day."""
        return sum(self.uc_per_day.values())

    @property
    def mean_na(self) -> float:
        """The mean current."""
        return self.total_uc_per_day * 1e6 / DAY_MS


def currents_na(board: Board, sensor: Sensor, radio: Radio) -> dict[str, dict[str, int]]:
    """State -> who -> nA; the sums by state are the `current_na` of a node's port."""
    idle = {sensor.name: sensor.idle_na.value, radio.name: radio.idle_na.value}
    return {
        "sleep": {board.name: board.sleep_na.value, **idle},
        "sensor": {board.name: board.sensing_na.value, **idle, sensor.name: sensor.active_na.value},
        "compute": {board.name: board.computing_na.value, **idle},
        "radio": {board.name: board.radiating_na.value, **idle, radio.name: radio.active_na.value},
    }


def times_ms(board: Board, sensor: Sensor, radio: Radio, schedule: Schedule) -> dict[str, float]:
    """State -> milliseconds of a day. ValueError if the node would have no time left to sleep."""
    windows, reports = DAY_MS / 1000 / schedule.every_s, DAY_MS / 1000 / schedule.report_s
    compute = board.compute_ms.value if schedule.compute_ms is None else schedule.compute_ms
    answer = radio.answer_ms.value if schedule.answer_ms is None else schedule.answer_ms
    on_air = radio.start_ms.value + radio.report_bytes.value * radio.byte_us.value / 1000 + answer
    awake = {
        "sensor": windows * (sensor.settle_ms.value + schedule.window_ms),
        "compute": windows * (board.wake_ms.value + compute) + reports * board.seal_ms.value,
        "radio": reports * on_air,
    }
    asleep = DAY_MS - sum(awake.values())
    if asleep < 0:
        raise ValueError("no time is left to sleep: the windows are too long, or too many")
    return {"sleep": asleep, **awake}


def forecast(board: Board, sensor: Sensor, radio: Radio, schedule: Schedule, battery: Battery) -> Forecast:
    """Pure. ValueError as in times_ms."""
    ms = times_ms(board, sensor, radio, schedule)
    parts = tuple(
        Part(state, who, na, ms[state])
        for state, drawn in currents_na(board, sensor, radio).items()
        for who, na in drawn.items()
    )
    uc = {state: sum(part.uc for part in parts if part.state == state) for state in STATES}
    total = sum(uc.values())
    dominant = max(parts, key=lambda part: part.uc)
    usable = battery.capacity_mah.value * UC_PER_MAH * battery.usable_percent.value / 100
    years = usable / total / DAYS_A_YEAR
    lines = (
        *_times(board, sensor, radio, schedule, ms),
        *(_line(part, total) for part in sorted(parts, key=lambda part: -part.uc) if part.uc > 0),
        f"a day: {total / 1e6:.4g} C, on average {total * 1e6 / DAY_MS / 1000:.4g} µA",
        f"{battery.title}: {battery.capacity_mah.value} mAh · 3.6 C/mAh · {battery.usable_percent.value} % = "
        f"{usable / 1e6:.0f} C",
        f"{usable / 1e6:.0f} C / {total / 1e6:.4g} C a day / {DAYS_A_YEAR} days = {years:.2f} years",
        f"what dominates: {dominant.who} in state {dominant.state}, {dominant.uc / total:.0%}",
    )
    if years > battery.shelf_years.value:
        lines += (f"the battery itself lasts {battery.shelf_years.value} years on the shelf: that comes first",)
    return Forecast(uc, ms, years, dominant, dominant.uc / total, parts, lines)


def _times(board: Board, sensor: Sensor, radio: Radio, schedule: Schedule, ms: Mapping[str, float]) -> list[str]:
    windows, reports = DAY_MS / 1000 / schedule.every_s, DAY_MS / 1000 / schedule.report_s
    compute = board.compute_ms.value if schedule.compute_ms is None else schedule.compute_ms
    answer = radio.answer_ms.value if schedule.answer_ms is None else schedule.answer_ms
    return [
        f"sensor {windows:.6g} windows · ({sensor.settle_ms.value} ms to settle + {schedule.window_ms:g} ms) = "
        f"{ms['sensor'] / 1000:.6g} s",
        f"compute {windows:.6g} · ({board.wake_ms.value} ms to wake + {compute:.3g} ms) + {reports:.6g} reports · "
        f"{board.seal_ms.value} ms = {ms['compute'] / 1000:.4g} s",
        f"radio {reports:.6g} · ({radio.start_ms.value} ms to start + {radio.report_bytes.value} bytes · "
        f"{radio.byte_us.value} µs + {answer:g} ms to the Ack) = {ms['radio'] / 1000:.4g} s",
        f"sleep the rest of the day = {ms['sleep'] / 1000:.6g} s",
    ]


def _line(part: Part, total: float) -> str:
    return (
        f"{part.state:7} {part.who:22} {part.na / 1000:10.2f} µA · {part.ms / 1000:10.2f} s = "
        f"{part.uc / 1000:11.2f} mC  {part.uc / total:6.1%}"
    )
