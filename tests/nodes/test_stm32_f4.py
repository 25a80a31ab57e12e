"""The F4's way to its sensor: I2C1 with DMA, and the supply, on a fake of those registers (fakes_f4/f4.c)."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from tests.nodes.library import FLAGS
from tests.nodes.stm32_bench import FAKES, NODE, SAMPLED, SENSORS, SILENT, currents
from tests.nodes.test_stm32_sensors import ALL, expected

SEEN = ("forbidden", "unclocked", "no_wake", "dma_bytes", "dma_bytes_asleep", "not_refused")
PORT = ("stm32f4/i2c_dma", "stm32f4/adc", "stm32f4/chip", "stm32f4/chip_current", "stm32/sensor", "stm32/lsm6dsl",
        "stm32/mpu6050", "stm32/lis2dw12")  # fmt: skip
each_sensor = pytest.mark.parametrize("kind", range(3), ids=SENSORS)


@cache
def f4_library() -> ctypes.CDLL:
    """The port's files on the fake, as one library."""
    folders = [FAKES, NODE / "ports" / "stm32", NODE / "ports" / "stm32f4", NODE / "core", NODE / "infer"]
    sources = [
        FAKES.parent / "fakes_f4" / "f4.c",
        FAKES / "sensors.c",
        *(NODE / "ports" / f"{name}.c" for name in PORT),
    ]
    with TemporaryDirectory() as folder:
        currents(Path(folder), "stm32f407")
        out = Path(folder) / "f4.so"
        command = [
            "cc",
            *FLAGS,
            *(f"-I{path}" for path in folders),
            "-isystem",
            folder,
            *map(str, sources),
            "-o",
            str(out),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        library = ctypes.CDLL(str(out))
    library.bench_new.restype = ctypes.c_void_p
    library.bench_supply_mv.restype = ctypes.c_uint16
    return library


class F4:
    def __init__(self) -> None:
        self._library = f4_library()
        self._bench = ctypes.c_void_p(self._library.bench_new())

    def call(self, name: str, *arguments: object) -> int:
        return getattr(self._library, f"bench_{name}")(self._bench, *arguments)

    def fault(self, what: str, value: int = 1) -> None:
        self.call("fault", what.encode(), value)

    def seen(self, what: str) -> int:
        return self.call("seen", SEEN.index(what))

    def window(self, kind: int, samples: int, channels: int) -> tuple[int, np.ndarray]:
        out = np.zeros((samples, channels), np.int16)
        return self.call("sensor_window", kind, out.ctypes.data_as(ctypes.c_void_p), samples, channels), out


@pytest.fixture
def bench() -> Iterator[F4]:
    bench = F4()
    yield bench
    assert bench.seen("forbidden") == bench.seen("unclocked") == bench.seen("not_refused") == 0
    bench.call("free")


@pytest.mark.parametrize(("sensor", "channels"), ALL)
def test_a_window_is_every_sample_and_comes_while_the_core_sleeps(bench: F4, sensor: str, channels: int) -> None:
    status, samples = bench.window(SENSORS.index(sensor), 256, channels)
    assert status == SAMPLED
    assert np.array_equal(samples, expected(256, channels))
    assert bench.seen("dma_bytes") >= 256 * channels * 2
    assert bench.seen("dma_bytes_asleep") == bench.seen("dma_bytes")
    assert bench.seen("no_wake") == 0


@each_sensor
def test_the_self_test_reads_one_register_and_several(bench: F4, kind: int) -> None:
    assert bench.call("sensor_check", kind) == 1
    bench.fault("weak")
    assert bench.call("sensor_check", kind) == 0


@pytest.mark.parametrize("trouble", ["absent", "stretched"])
@each_sensor
def test_what_does_not_answer_is_given_up_and_the_bus_goes_on(bench: F4, kind: int, trouble: str) -> None:
    bench.fault(trouble)
    assert bench.window(kind, 64, 3)[0] == SILENT
    bench.fault(trouble, 0)
    assert bench.window(kind, 64, 3)[0] == SAMPLED


def test_the_supply_is_measured_against_the_reference(bench: F4) -> None:
    for mv in (3300, 2900, 2100):
        bench.fault("supply", mv)
        assert bench.call("supply_mv") == pytest.approx(mv, abs=3)
