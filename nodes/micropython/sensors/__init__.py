"""Sensors: one chip a file, each with a class `Sensor` that is handed its bus.

    from array import array
    from machine import I2C, Pin
    from sensors import window
    from sensors.lis3dh import Sensor

    sensor = Sensor(I2C(0, scl=Pin(22), sda=Pin(21)))
    sensor.check()  # or NoAnswerError, WrongChipError
    samples = array("h", bytes(2 * 128 * sensor.channels))
    why = window(sensor, 200_000, samples)  # 128 frames at 200 Hz

What a `Sensor` has:

- `channels`: how many values a frame has, a frame being one sample of all channels. `units`: what each of them counts,
  such as "16384/g" or "100/degC". Values are signed 16-bit integers, as nodes/wire/SPEC.md wants them ("Feature sets").
- `check()`: it is there, and it is the chip that it should be.
- `self_test()`: True if the chip has one and has passed it, False if it has none; else SelfTestError. Leaves the chip
  asleep. That of an accelerometer wants rest: at a machine that runs, ask again before you believe a failure.
- `start(rate_millihz)`: samples from here on, at that rate or the next above it that the chip has; returns which. Never
  below it, unless that is the chip's highest. What the chip gives while it settles is dropped.
- `read(buffer)`: puts whole frames into it, oldest first, interleaved, from the FIFO where the chip has one, as many as
  are there and fit; returns how many. It does not wait. `buffer`: an array of "h", or a memoryview of one.
- `wait_ms(frames)`: in how many milliseconds so many frames should be there.
- `most_frames`: how many may gather between two reads. None are lost if it is read in time.
- `overrun`: since start, frames were lost. `saturated`: since start, so many values were at the end of what the chip
  can say; they are −32768 or 32767 then, whatever the chip writes there, so that the contract's rule finds them.
- `sleep()`: as little current as the chip can.

All but `start`, `self_test` and `check` are quick. Time comes from `clock`, the module `time` unless handed in: what
sleeps more deeply than `time.sleep_ms` has `sleep_ms`, `ticks_ms`, `ticks_us`, `ticks_add` and `ticks_diff` as well.

A new chip is a new file. tests/micropython/sensors holds every file here to this page.
"""

import time

OVERRUN = 6  # nodes/wire/SPEC.md, "Why"
NO_ANSWER = 7

_LATE = 8  # looks at a sensor that is late before it is given up


class SensorError(Exception):
    """A sensor that cannot be believed. `why`: the code for it in nodes/wire/SPEC.md, "Why"."""

    why = NO_ANSWER


class NoAnswerError(SensorError):
    """Nobody acknowledges, or the bus is stuck, or a measurement never ends."""


class WrongChipError(SensorError):
    """Somebody answers, and it is another chip."""


class SelfTestError(SensorError):
    """The chip's own test."""


class ChecksumError(SensorError):
    """What the chip said was damaged on its way."""


class PowerLostError(SensorError):
    """The chip has started anew since `start`, so it measures otherwise than it was told."""


class Chip:
    """What all sensors share."""

    channels = 1
    units = ("",)
    most_frames = 1
    rate_millihz = 0
    overrun = False
    saturated = 0

    def __init__(self, clock=None):
        self.clock = clock or time

    def self_test(self):
        """Most slow sensors have none."""
        return False

    def wait_ms(self, frames):
        """How long so many frames take at the rate that runs, rounded up."""
        return (frames * 1_000_000 + self.rate_millihz - 1) // self.rate_millihz

    def _started(self, rate_millihz):
        self.rate_millihz = rate_millihz
        self.overrun = False
        self.saturated = 0
        return rate_millihz


def window(sensor, rate_millihz, out):
    """Fills `out`, an array of "h" for whole frames, from a sleeping sensor to a sleeping sensor.

    0, or OVERRUN if frames were lost; then `out` has gaps and is worth nothing. Raises SensorError, whose `why` tells
    the rest. While samples gather, the sensor's clock sleeps.
    """
    wanted = len(out) // sensor.channels
    rest = memoryview(out)
    try:
        sensor.start(rate_millihz)
        late = 0
        while wanted and late < _LATE and not sensor.overrun:
            # A quarter of the room is for a processor that wakes late.
            sensor.clock.sleep_ms(sensor.wait_ms(min(wanted, max(sensor.most_frames * 3 // 4, 1))))
            frames = sensor.read(rest)
            rest = rest[frames * sensor.channels :]
            wanted -= frames
            late = 0 if frames else late + 1
    finally:
        sensor.sleep()
    if wanted and not sensor.overrun:
        raise NoAnswerError("no samples")
    return OVERRUN if sensor.overrun else 0
