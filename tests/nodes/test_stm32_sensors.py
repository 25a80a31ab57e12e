"""The drivers of the sensors on the L4's bus: FIFO by DMA while the core sleeps, self-test, and what goes wrong."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import numpy as np
import pytest

from tests.nodes.stm32_bench import OVERRUN, SAMPLED, SENSORS, SILENT, Bench

CHANNELS = {"lsm6dsl": (3, 6), "mpu6050": (3, 6), "lis2dw12": (3,)}
ALL = [(sensor, channels) for sensor in SENSORS for channels in CHANNELS[sensor]]
each_sensor = pytest.mark.parametrize("sensor", SENSORS)


@pytest.fixture
def bench(node_build) -> Iterator[Bench]:
    bench = Bench(node_build)
    yield bench.start()
    bench.close()


def expected(samples: int, channels: int) -> np.ndarray:
    """What the fakes sample from the moment at which they begin to collect (fakes/sensors.c)."""
    frame, channel = np.mgrid[0:samples, 0:channels]
    return ((frame * 37 + channel * 5003) % 30011 - 15000).astype(np.int16)


@pytest.mark.parametrize(("sensor", "channels"), ALL)
@pytest.mark.parametrize("samples", [32, 128, 1024])
def test_a_window_is_every_sample_from_the_first_on_in_the_contracts_order(
    bench: Bench, sensor: str, channels: int, samples: int
) -> None:
    began = bench.now_us
    assert (result := bench.window(sensor, samples, channels))[0] == SAMPLED
    assert np.array_equal(result[1], expected(samples, channels))
    rates = {"lsm6dsl": 208, "mpu6050": 200, "lis2dw12": 200}
    assert bench.now_us - began == pytest.approx(samples / rates[sensor] * 1e6, abs=900_000)


@each_sensor
def test_the_core_sleeps_while_samples_gather_and_while_they_are_moved(bench: Bench, sensor: str) -> None:
    assert bench.window(sensor, 128, 3)[0] == SAMPLED
    assert bench.seen("dma_bytes") > 128 * 6
    assert bench.seen("dma_bytes_asleep") == bench.seen("dma_bytes")
    assert bench.stops("entered") >= 2  # settling, and waiting
    assert bench.stops("entered") == bench.seen("stop2")
    assert sum(bench.stops(reason) for reason in ("low_power_run", "dma", "exti_pending", "interrupt")) == 0
    for what in ("unclocked", "protected", "too_fast", "unhandled", "no_wake", "stop1"):
        assert bench.seen(what) == 0


@each_sensor
def test_a_sensor_whose_clock_is_late_is_waited_for(bench: Bench, sensor: str) -> None:
    bench.fault("slow", 50_000)
    status, samples = bench.window(sensor, 256, 3)
    assert status == SAMPLED
    assert np.array_equal(samples, expected(256, 3))


@each_sensor
def test_what_clips_is_what_the_contract_calls_saturated(bench: Bench, sensor: str) -> None:
    """Also where 14 bits lie left in 16, and the highest code is none of the contract's."""
    bench.fault("clips")
    status, samples = bench.window(sensor, 64, 3)
    assert status == SAMPLED
    assert (samples[::8] == 32767).all()
    assert (np.delete(samples, np.s_[::8], axis=0) < 32767).all()


@each_sensor
def test_a_sensor_that_falls_silent_is_given_up(bench: Bench, sensor: str) -> None:
    bench.fault("silent")
    assert bench.window(sensor, 64, 3)[0] == SILENT
    bench.fault("silent", 0)
    assert bench.window(sensor, 64, 3)[0] == SAMPLED


@each_sensor
def test_nobody_on_the_bus_is_no_answer_and_not_for_ever(bench: Bench, sensor: str) -> None:
    bench.fault("absent")
    assert bench.window(sensor, 64, 3)[0] == SILENT
    assert bench.call("sensor_check", SENSORS.index(sensor)) == 0
    bench.fault("absent", 0)
    assert bench.window(sensor, 64, 3)[0] == SAMPLED


@each_sensor
def test_a_byte_that_the_sensor_refuses_ends_the_transfer_and_the_bus_goes_on(bench: Bench, sensor: str) -> None:
    bench.fault("refuse", 1)  # the register's number is taken, and nothing after it
    assert bench.window(sensor, 64, 3)[0] == SILENT
    bench.fault("refuse", 0)
    assert bench.window(sensor, 64, 3)[0] == SAMPLED


@each_sensor
def test_a_clock_line_that_is_held_low_is_no_answer_and_the_bus_recovers(bench: Bench, sensor: str) -> None:
    bench.fault("stretched")
    assert bench.window(sensor, 64, 3)[0] == SILENT
    bench.fault("stretched", 0)
    assert bench.window(sensor, 64, 3)[0] == SAMPLED


@each_sensor
def test_the_self_test_tells_a_sensor_that_moves_from_one_that_does_not(bench: Bench, sensor: str) -> None:
    kind = SENSORS.index(sensor)
    assert bench.call("sensor_check", kind) == 1
    bench.fault("weak")
    assert bench.call("sensor_check", kind) == 0
    bench.fault("weak", 0)
    assert bench.window(sensor, 32, 3)[0] == SAMPLED  # and leaves nothing behind


@each_sensor
def test_a_fifo_that_nobody_reads_runs_over_and_says_so(bench: Bench, sensor: str) -> None:
    kind = SENSORS.index(sensor)
    assert bench.call("sensor_overrun", kind, ctypes.c_uint64(100_000)) == 0
    assert bench.call("sensor_overrun", kind, ctypes.c_uint64(8_000_000)) == 1


def test_a_window_with_samples_missing_is_an_overrun(bench: Bench) -> None:
    bench.fault("late by", 200)  # ms, each time that the core wakes to read
    assert bench.window("lis2dw12", 64, 3)[0] == OVERRUN


@each_sensor
def test_temperature(bench: Bench, sensor: str) -> None:
    cdeg = ctypes.c_int16()
    assert bench.call("sensor_temperature", SENSORS.index(sensor), ctypes.byref(cdeg)) == 1
    assert cdeg.value == {"lsm6dsl": 2300, "mpu6050": 3653, "lis2dw12": 2500}[sensor]
