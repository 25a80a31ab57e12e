"""gateway/energy: the table, the forecast, the header, and `stethos node battery`."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.battery import battery, beside
from gateway.energy import Battery, Board, EnergyUnknown, Radio, Schedule, Sensor, forecast, names
from gateway.energy.forecast import STATES, currents_na
from gateway.energy.header import header
from gateway.wire.messages import EnergyUc, Health

KINDS = {"boards": Board, "sensors": Sensor, "radios": Radio, "batteries": Battery}
CELL = Battery.load("cr123a")
EVERY = [
    (board, sensor, radio) for board in names("boards") for sensor in names("sensors") for radio in names("radios")
]


def parts(board: str = "stm32l475", sensor: str = "lis2dw12", radio: str = "lpuart") -> tuple[Board, Sensor, Radio]:
    return Board.load(board), Sensor.load(sensor), Radio.load(radio)


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder in KINDS for name in names(folder)])
def test_every_figure_has_a_source_and_says_whether_it_was_measured(folder, name):
    entry = KINDS[folder].load(name)
    assert entry.title
    for key, figure in entry.figures.items():
        assert len(figure.source) >= 10, key
        assert figure.measured is False, f"{key}: measured by whom? this house has no meter"


def test_an_unknown_name_is_refused_with_those_that_there_are():
    with pytest.raises(EnergyUnknown, match="lis2dw12"):
        Sensor.load("adxl355")
    with pytest.raises(EnergyUnknown):
        Board.load("../sensors/lis2dw12")


def test_one_day_by_hand():
    """Against the same sum, written down differently."""
    board, sensor, radio = parts("stm32l475", "mpu6050", "ble")
    found = forecast(board, sensor, radio, Schedule(640, 60, 3600, compute_ms=1, answer_ms=200), CELL)
    sensing_s = 1440 * 0.67
    radio_s = 24 * (1.0 + 90 * 200e-6 + 0.2)
    computing_s = 1440 * 0.002 + 24 * 0.002
    ua_s = (
        (60 + 3900 + 1.7) * sensing_s
        + (8000 + 5 + 1.7) * computing_s
        + (530 + 5 + 10000) * radio_s
        + (1.4 + 5 + 1.7) * (86400 - sensing_s - radio_s - computing_s)
    )
    assert found.total_uc_per_day == pytest.approx(ua_s)
    assert found.mean_na == pytest.approx(ua_s / 86400 * 1000)
    assert found.years == pytest.approx(1400 * 0.8 * 3600 * 1000 / ua_s / 365.25)


def test_the_sensor_decides_and_an_accelerometer_with_a_fifo_is_worth_years():
    for every_s, least_gain in ((10, 15), (60, 8)):
        years = {
            sensor: forecast(*parts(sensor=sensor), Schedule(640, every_s, 3600), CELL)
            for sensor in ("mpu6050", "lsm6dsl", "lis2dw12")
        }
        gyro, fifo = years["mpu6050"], years["lis2dw12"]
        assert (gyro.dominant.who, gyro.dominant.state) == ("mpu6050", "sensor")
        assert gyro.share > 0.8
        assert fifo.years > least_gain * gyro.years
        assert gyro.years < years["lsm6dsl"].years < fifo.years


@given(
    which=st.sampled_from(EVERY),
    window_ms=st.floats(0, 2000),
    every_s=st.floats(5, 86400),
    report_s=st.floats(60, 864000),
)
def test_the_day_has_as_many_seconds_as_it_has_and_the_parts_add_up(which, window_ms, every_s, report_s):
    found = forecast(*parts(*which), Schedule(window_ms, every_s, report_s), CELL)
    assert sum(found.ms_per_day.values()) == pytest.approx(86_400_000)
    assert all(ms >= 0 for ms in found.ms_per_day.values())
    assert sum(part.uc for part in found.parts) == pytest.approx(found.total_uc_per_day)
    more = forecast(*parts(*which), Schedule(window_ms + 100, every_s, report_s), CELL)
    assert more.total_uc_per_day > found.total_uc_per_day


def test_a_schedule_without_time_to_sleep_is_refused():
    with pytest.raises(ValueError, match="sleep"):
        forecast(*parts(), Schedule(5000, 5, 3600), CELL)


@pytest.mark.parametrize("which", EVERY)
def test_the_header_has_the_same_currents(which):
    text = header(*parts(*which))
    found = [int(value) for value in re.findall(r"= (\d+), /\*", text)]
    assert found == [sum(drawn.values()) for drawn in currents_na(*parts(*which)).values()]


def test_the_command_shows_its_arithmetic():
    done = CliRunner().invoke(battery, ["--sensor", "mpu6050", "--every-s", "10"])
    assert done.exit_code == 0, done.output
    found = forecast(*parts(sensor="mpu6050"), Schedule(640, 10, 3600), CELL)
    assert f"= {found.years:.2f} years" in done.output
    assert "what dominates: mpu6050 in state sensor" in done.output
    for line in re.findall(r"^\w+ +\S+ +([\d.]+) µA · +([\d.]+) s = +([\d.]+) mC", done.output, re.MULTILINE):
        ua, s, mc = map(float, line)
        assert mc == pytest.approx(ua * s / 1000, abs=0.6), line
    assert "not measured" not in done.output


def test_a_forecast_beyond_the_shelf_life_says_that_it_is():
    longer = forecast(*parts(), Schedule(640, 60, 3600), CELL)
    assert longer.years > CELL.shelf_years.value
    assert "10 years on the shelf" in longer.lines[-1]
    shorter = forecast(*parts(sensor="mpu6050"), Schedule(640, 60, 3600), CELL)
    assert not any("shelf" in line for line in shorter.lines)


def test_the_command_names_its_sources():
    done = CliRunner().invoke(battery, ["--sources"])
    shown = [line for line in done.output.splitlines() if line.endswith("(not measured)")]
    assert len(shown) == sum(len(entry.figures) for entry in (*parts(), CELL))


@pytest.mark.parametrize(
    "wrong", [["--sensor", "adxl355"], ["--every-s", "0"], ["--every-s", "0.5"], ["--window-ms", "-1"]]
)
def test_the_command_refuses_with_a_sentence(wrong):
    done = CliRunner().invoke(battery, wrong)
    assert done.exit_code in {1, 2}
    assert "Error" in done.output and "Traceback" not in done.output


def test_the_ledger_beside_the_forecast_is_that_of_a_day():
    found = forecast(*parts(), Schedule(640, 60, 3600), CELL)
    uc = EnergyUc(*(round(found.uc_per_day[state] / 2) for state in STATES))
    lines = beside(found, health(uptime_s=43200, energy_uc=uc))
    assert all(re.search(r"[+-]0\.[0-5]%$", line) for line in lines[1:]), lines
    assert lines[-1].startswith("all")
    assert "just started" in beside(found, health(uptime_s=0, energy_uc=uc))[-1]


def health(**values: object) -> Health:
    asked = {name: 0 for name in Health._fields if name not in Health._field_defaults}
    return Health(**{**asked, **values})
