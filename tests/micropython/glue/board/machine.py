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


class _Running:
    """One that a fake may set forward, since nobody waits."""

    def __init__(self):
        self._ahead_us = 0

    @property
    def now_us(self):
        return time.time_ns() // 1000 + self._ahead_us

    def pass_us(self, us):
        self._ahead_us += us


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
    _let_go()
    if hasattr(time, "keep"):
        time.keep(ms)  # quick/time.py
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
    """Of an ESP32: what is not held lets go in deep sleep; while it is held, what it is told waits."""

    IN, OUT = 0, 1

    def __init__(self, number, mode=IN, value=None):
        self.number = number
        if value is not None:
            self.value(value)

    def value(self, on=None):
        if on is not None:
            pins[self.number] = on = int(on)
            if self.number not in held:
                _level(self.number, on)
        return pins.get(self.number, 0)

    def init(self, hold):
        if hold:
            held.add(self.number)
        else:
            held.discard(self.number)
            _level(self.number, pins[self.number])


def _level(number, level):
    if levels.get(number, 0) != level:
        print("pin", number, level)
    levels[number] = level


def _let_go():
    import esp32

    for number in list(levels):
        if number not in held or not esp32.holds:
            _level(number, 0)
    with open("pins.json", "w") as file:
        json.dump({"levels": levels, "held": list(held)}, file)


def _pins():
    try:
        with open("pins.json") as file:
            kept = json.load(file)
    except OSError:
        return {}, set()
    return {int(number): level for number, level in kept["levels"].items()}, set(kept["held"])


levels, held = _pins()
pins = {}  # as they are told to be


class PWM:
    """A tone."""

    def __init__(self, pin, freq, duty_u16):
        print("tone", pin.number, freq)

    def deinit(self):
        pass


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


class Printer:
    """A line with nobody but a reader on it: a file."""

    def __init__(self, id):
        self._name = "uart.%d" % id

    def write(self, data):
        with open(self._name, "ab") as file:
            file.write(data)
        return len(data)

    def flush(self):
        pass


def UART(id, baudrate, tx=None, rx=None):  # noqa: N802
    """The line that world.json names is number 1."""
    return Line(_world()["tty"]) if id == 1 else Printer(id)


class I2S:
    """A digital microphone, with a tone."""

    RX, MONO = 1, 2

    def __new__(cls, id, sck, ws, sd, mode, format, rate, bits, ibuf):
        import math

        from fakes.sound import I2S

        full = (1 << 23) * 10 ** (_world()["sound_cdb"] / 2000)
        return I2S(_Running(), lambda n: full * math.sin(2 * math.pi * 1000 * n / rate), rate, bits, ibuf)


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
