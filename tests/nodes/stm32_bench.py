"""The L4 port on the fake of its registers (tests/nodes/fakes), as one library; a Bench is a board with its power."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable
from ctypes import c_int16, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p, create_string_buffer
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gateway.energy import Board, Radio, Sensor
from gateway.energy.header import header
from tests.nodes.library import FLAGS, ROOT

FAKES = ROOT / "tests" / "nodes" / "fakes"
NODE = ROOT / "nodes" / "c_tflm"
COMMON = (
    "board", "board_commit", "board_store", "board_update", "cobs_uart", "config_page", "console", "module",
    "persist_flash", "record_log", "run", "sensor", "lsm6dsl", "mpu6050", "lis2dw12", "source_sensor", "rtc",
)  # fmt: skip
CHIP = (
    "chip", "chip_current", "flash", "uart", "adc", "time", "clock", "power", "power_text", "backup", "watchdog",
    "i2c_dma",
)  # fmt: skip

COUNTS = ("seen", "peek", "stops", "heard", "line_lost", "acknowledged", "windows", "current_na")

# enum fake_count
SEEN = (
    "stop2", "stop1", "stop_ignored", "stop_debug", "sleep", "shutdown", "no_wake", "dma_bytes", "dma_bytes_asleep",
    "unclocked", "protected", "too_fast", "erases", "programs", "program_errors", "ecc_errors", "watchdog", "unhandled",
    "uart_lost", "uart_broken", "forbidden", "stale", "standby",
)  # fmt: skip
# enum stop_refused
REASONS = (
    "entered", "low_power_run", "exti_pending", "wake_flag", "interrupt", "rtc_busy", "no_wake", "debug", "flash_busy",
    "dma", "transmitting", "measuring", "is_reset", "clock_kept", "sleepdeep_lost", "ignored",
)  # fmt: skip
FLASH_BYTES = 1 << 20
POWER_CUT, OPTIONS_LOADED, SHUT_DOWN, WATCHDOG, RESTARTED = -1, -2, -3, -4, -5
SENSORS = ("lsm6dsl", "mpu6050", "lis2dw12")
PLAIN = "--learn", "0", "--features", "statistics"
SAMPLED, OVERRUN, SILENT = 0, 1, 2
SENSE, RADIO, COMPUTE = 0, 1, 2
USART1, LPUART1 = 0, 1
TABLE = ("lsm6dsl", "mpu6050", "mpu6050-accelerometer", "lis2dw12")


def currents(folder: Path, board: str) -> None:
    """The headers of the table, as make writes them (make/stm32.mk)."""
    for sensor in TABLE:
        for radio in ("lpuart", "ble"):
            text = header(Board.load(board), Sensor.load(sensor), Radio.load(radio))
            (folder / f"energy_{board}_{sensor}_{radio}.h").write_text(text)


@cache
def bench_library(build: Path) -> ctypes.CDLL:
    """Compiled against the node's library in `build`."""
    ports = [NODE / "ports" / "stm32" / f"{name}.c" for name in COMMON]
    ports += [NODE / "ports" / "stm32l4" / f"{name}.c" for name in CHIP]
    include = [FAKES, NODE / "ports" / "stm32", NODE / "ports" / "stm32l4", NODE / "core", NODE / "infer"]
    with TemporaryDirectory() as folder:
        currents(Path(folder), "stm32l475")
        library = Path(folder) / "bench.so"
        command = ["cc", *FLAGS, *(f"-I{path}" for path in include), "-isystem", folder, "-o", str(library)]
        command += [*map(str, sorted(FAKES.glob("*.c"))), *map(str, ports)]
        command += [f"-L{build}", "-lstethos-node", f"-Wl,-rpath,{build}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        loaded = ctypes.CDLL(str(library))
    loaded.bench_new.restype = c_void_p
    for name in ("now_us", "now_ms"):
        getattr(loaded, f"bench_{name}").restype = c_uint64
    for name in (*COUNTS, "module_refused", "module_silent"):
        getattr(loaded, f"bench_{name}").restype = c_uint32
    loaded.bench_ceiling_open.restype = c_int64
    loaded.bench_supply_mv.restype = c_uint16
    loaded.bench_reset_cause.restype = c_uint8
    loaded.bench_flash.restype = ctypes.POINTER(c_uint8)
    return loaded


class Bench:
    """One board. A call into the port may end in a loss of power or a reset: a negative number, as bench.c has it."""

    def __init__(self, build: Path) -> None:
        self._library = bench_library(build)
        self._bench = c_void_p(self._library.bench_new())
        self._kept: list[object] = []

    def close(self) -> None:
        self._library.bench_free(self._bench)

    def call(self, name: str, *arguments: object) -> int:
        return getattr(self._library, f"bench_{name}")(self._bench, *arguments)

    def fault(self, what: str, value: int = 1) -> None:
        self._library.bench_fault(self._bench, what.encode(), c_uint32(value))

    def start(self) -> Bench:
        """A board's first start sets the level of its brown-out reset, and is a restart."""
        if (result := self.call("start")) == OPTIONS_LOADED:
            result = self.reset(1 << 25).call("start")
        assert result == 1
        return self

    def boot(self) -> int:
        """What firmware.c does up to the first wake."""
        if (result := self.call("boot")) == OPTIONS_LOADED:
            result = self.reset(1 << 25).call("boot")
        return result

    def reset(self, flags: int = 0) -> Bench:
        self.call("reset", c_uint32(flags))
        return self

    @property
    def now_us(self) -> int:
        return self.call("now_us")

    @property
    def now_ms(self) -> int:
        """On the node's clock."""
        return self.call("now_ms")

    def seen(self, what: str) -> int:
        return self.call("seen", SEEN.index(what))

    def stops(self, reason: str) -> int:
        return self.call("stops", REASONS.index(reason))

    def stop2(self, ms: int) -> str:
        """The answer's name; it has been counted once."""
        count = c_uint32()
        reason = self.call("stop2", ms, ctypes.byref(count))
        assert count.value == 1
        return REASONS[reason]

    def poke(self, address: int, value: int) -> None:
        self.call("poke", c_uint32(address), c_uint32(value))

    def peek(self, address: int) -> int:
        return self.call("peek", c_uint32(address))

    def window(self, sensor: str, samples: int, channels: int, rate_hz: int = 200) -> tuple[int, np.ndarray]:
        out = np.zeros((samples, channels), np.int16)
        pointer = out.ctypes.data_as(ctypes.POINTER(c_int16))
        kind = SENSORS.index(sensor)
        return self.call("sensor_window", kind, rate_hz * 1000, pointer, samples, channels), out

    def store_read(self, store: int, slot: int, at: int, n: int) -> bytes | None:
        out = create_string_buffer(n)
        return out.raw if self.call("store_read", store, slot, at, out, n) else None

    def load(self, hex_file: Path) -> None:
        """What a flash tool does with an Intel HEX file."""
        upper = 0
        for line in hex_file.read_text().split():
            record = bytes.fromhex(line[1:])
            assert sum(record) & 0xFF == 0
            n, at, kind, data = record[0], int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
            assert n == len(data)
            if kind == 4:
                upper = int.from_bytes(data, "big") << 16
            elif kind == 0:
                self.write(upper + at - 0x0800_0000, data)

    def write(self, at: int, data: bytes) -> None:
        """Into flash, as from a programmer."""
        flash = ctypes.cast(self._library.bench_flash(self._bench), c_void_p).value
        assert flash is not None
        ctypes.memmove(flash + at, data, len(data))

    def flash(self) -> bytes:
        """All of it."""
        return ctypes.string_at(self._library.bench_flash(self._bench), FLASH_BYTES)

    def heard(self) -> bytes:
        """What has left on the line since the last call."""
        out = create_string_buffer(65536)
        n = self.call("heard", out)
        return out.raw[:n]

    def say(self, data: bytes, after_us: int) -> None:
        self.call("say", data, len(data), c_uint64(after_us))

    def on_byte(self, take: Callable[[int], None]) -> None:
        """Called in the midst of the node's wake, when a byte has left."""
        function = ctypes.CFUNCTYPE(None, c_uint8)(take)
        self._kept.append(function)
        self.call("on_byte", function)

    def on_frame(self, answer: Callable[[], None]) -> None:
        """Called when a frame has left: its end is a zero."""
        self.on_byte(lambda byte: answer() if byte == 0 else None)


def provision(out: Path, key_file: Path, *options: str) -> None:
    """The HEX file of a node's configuration and model; statistics and no learner unless told."""
    program = NODE / "ports" / "stm32" / "provision.py"
    command = [sys.executable, str(program), "--board", "stm32l4", "--key-file", str(key_file), *PLAIN, *options]
    subprocess.run([*command, str(out)], check=True, timeout=30)
