"""`machine` as a board has it, from one start to the next: world.json is what the chip feels and how the board was
started, the files beside it what sleep and flash keep.
"""

import json
import os
import sys
import time

from fakes import buses
from fakes.line import Line
from fakes.motion import LIS3DH
from fakes.room import SHT3x

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(1, 6)
_MEMORY = "rtc.memory"
_MEMORY_MAX = 2048


class _Now:
    """The clock of the fakes, which here is that of the world."""

    @property
    def now_us(self):
        return time.time_ns() // 1000

    def pass_us(self, us):
        pass

    def ticks_us(self):
        return time.ticks_us()


def _world():
    with open("world.json") as file:
        return json.load(file)


def _remembered():
    try:
        with open(_MEMORY, "rb") as file:
            return file.read()
    except OSError:
        return None


def reset_cause():
    return _world().get("reset_cause") or (PWRON_RESET if _remembered() is None else DEEPSLEEP_RESET)


class RTC:
    def memory(self, data=None):
        if data is None:
            return _remembered() or b""
        if len(data) > _MEMORY_MAX:
            raise ValueError("buffer too long")
        with open(_MEMORY, "wb") as file:
            file.write(data)
        return None


def deepsleep(ms):
    if _remembered() is None:
        RTC().memory(b"")
    print("deepsleep", ms)
    sys.exit(0)


def reset():
    try:
        os.remove(_MEMORY)
    except OSError:
        pass
    print("reset")
    sys.exit(0)


class Pin:
    IN, OUT = 0, 1

    def __init__(self, number, mode=IN):
        self.number = number

    def value(self, on=None):
        if on is not None:
            print("pin", self.number, int(on))
        return 0


class ADC:
    def __init__(self, pin):
        self._pin = pin

    def read_uv(self):
        return _world()["battery_mv"] * 500


class WDT:
    def __init__(self, timeout):
        assert timeout > 0

    def feed(self):
        pass


class UART(Line):
    """The line that world.json names."""

    def __init__(self, id, baudrate):
        super().__init__(_world()["tty"])


class I2C(buses.I2C):
    """With the chips that world.json names on it."""

    def __init__(self, id, scl, sda, freq=400_000):
        clock, world = _Now(), _world()
        super().__init__(clock, freq)
        if world.get("celsius") is not None:
            self.attach(Room(clock, world["celsius"], world["percent"]), 0x44)
        if "g" in world:
            self.attach(LIS3DH(clock, _shaking(world["g"])), 0x18)


class Room(SHT3x):
    """Air that is never quite the same."""

    def __init__(self, clock, celsius, percent):
        super().__init__(clock)
        self._codes = int((celsius + 45) / 175 * 65535), int(percent / 100 * 65535)
        self._measured = 0

    def i2c_write(self, data):
        self._measured += 1
        self.codes = [code + 7 * self._measured % 31 for code in self._codes]
        super().i2c_write(data)


def _shaking(g):
    """A machine that turns: what it shakes with, beside gravity."""
    import math

    def signal(seconds):
        x = g * math.sin(188.5 * seconds)
        return x, g * math.cos(188.5 * seconds), 1.0 + x / 3, 0.0, 0.0, 0.0

    return signal
