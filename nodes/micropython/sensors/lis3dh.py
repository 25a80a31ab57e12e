"""ST LIS3DH (data sheet, AN3308): an accelerometer of a few µA, in its high-resolution mode, 12 bits left in 16.

Sensitivity: 1, 2, 4 and 12 mg a digit at ±2, 4, 8 and 16 g, so 16000 to 1333 per g. The FIFO has 32 frames. Its
temperature is a difference to nothing in particular, so it is no channel.
"""

from .fifo import Fifo, within
from .registers import over

_WHO_AM_I = 0x0F
_CTRL_REG1 = 0x20
_CTRL_REG4 = 0x23
_CTRL_REG5 = 0x24
_OUT_X_L = 0x28
_FIFO_CTRL_REG = 0x2E
_FIFO_SRC_REG = 0x2F

_AXES = 0x07
_BLOCK_UPDATE = 0x80
_HIGH_RESOLUTION = 0x08
_FIFO_ON = 0x40
_STREAM = 0x80
_OVERRUN = 0x40
_EMPTY = 0x20
_RATES = ((10_000, 2), (25_000, 3), (50_000, 4), (100_000, 5), (200_000, 6), (400_000, 7), (1_344_000, 9))
_SETTLE_FRAMES = 7  # after it has been switched on, in high resolution


class Sensor(Fifo):
    """`range_g`: 2, 4, 8 or 16. `bus`: an I2C, or an SPI of mode 3 with `cs`."""

    channels = 3
    most_frames = 31  # when all 32 are full, the chip does not say whether one was lost
    _top = 0x7FF0
    _frames_a_read = 16

    def __init__(self, bus, address=0x18, cs=None, range_g=2, clock=None):
        self._range = (2, 4, 8, 16).index(range_g)
        self.units = ("16000/g", "8000/g", "4000/g", "1333/g")[self._range : self._range + 1] * 3
        super().__init__(over(bus, address, cs, 0x80, 0x40), clock, _WHO_AM_I, 0x33)

    def self_test(self):
        """±2 g, 50 Hz, normal mode: each axis moves by 17 to 360 digits of 10 bits."""
        write = self._registers.write
        write(_CTRL_REG4, _BLOCK_UPDATE)
        write(_CTRL_REG5, 0)
        write(_CTRL_REG1, 0x40 | _AXES)
        try:
            self.clock.sleep_ms(90)
            without = self._mean(_OUT_X_L, 5, 20)
            write(_CTRL_REG4, _BLOCK_UPDATE | 0x02)
            self.clock.sleep_ms(90)
            moved = [abs(b - a) >> 6 for a, b in zip(without, self._mean(_OUT_X_L, 5, 20))]
        finally:
            write(_CTRL_REG4, _BLOCK_UPDATE)
            self.sleep()
        within(moved, (("x", 17, 360), ("y", 17, 360), ("z", 17, 360)))
        return True

    def start(self, rate_millihz):
        """10 Hz to 1,344 Hz."""
        for millihz, code in _RATES:  # noqa: B007
            if millihz >= rate_millihz:
                break
        write = self._registers.write
        write(_CTRL_REG4, _BLOCK_UPDATE | self._range << 4 | _HIGH_RESOLUTION)
        write(_CTRL_REG5, _FIFO_ON)
        write(_CTRL_REG1, code << 4 | _AXES)
        self._started(millihz)
        self.clock.sleep_ms(self.wait_ms(_SETTLE_FRAMES) + 1)
        self._empty()
        return millihz

    def _empty(self):
        self._registers.write(_FIFO_CTRL_REG, 0)
        self._registers.write(_FIFO_CTRL_REG, _STREAM)

    def _level(self):
        status = self._registers.read(_FIFO_SRC_REG)
        return 0 if status & _EMPTY else status & 0x1F, bool(status & _OVERRUN)

    def _fetch(self, raw):
        self._registers.read_into(_OUT_X_L, raw)  # after the last of six registers it goes on with the first

    def sleep(self):
        """Power-down."""
        self._registers.write(_FIFO_CTRL_REG, 0)
        self._registers.write(_CTRL_REG1, 0)
