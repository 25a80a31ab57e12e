"""Analog Devices ADXL345 (data sheet, rev. E): an accelerometer, full resolution, left-justified.

So 4 mg is one of 10 bits at ±2 g and one of 13 bits at ±16 g: 16384 to 2048 per g. The FIFO has 32 frames, and one more
waits in the output registers.
"""

from .fifo import Fifo, within
from .registers import over

_DEVID = 0x00
_BW_RATE = 0x2C
_POWER_CTL = 0x2D
_INT_SOURCE = 0x30
_DATA_FORMAT = 0x31
_DATAX0 = 0x32
_FIFO_CTL = 0x38
_FIFO_STATUS = 0x39

_MEASURE = 0x08
_SELF_TEST = 0x80
_FULL_LEFT = 0x0C
_16_G = 0x03
_STREAM = 0x80
_OVERRUN = 0x01
_100_HZ = 0x0A
_LEFT = 3  # 13 bits in 16
_HIGHEST = (15, 3_200_000)
_LOWEST = 6  # 6.25 Hz
_SUPPLIES = {2000: (64, 80), 2500: (100, 100), 3300: (177, 147), 3600: (211, 169)}  # Table 14, percent: x and y, z


class Sensor(Fifo):
    """`range_g`: 2, 4, 8 or 16. `bus`: an I2C, or an SPI of mode 3 with `cs`. `supply_mv`: for the self-test."""

    channels = 3
    most_frames = 32

    def __init__(self, bus, address=0x53, cs=None, range_g=2, supply_mv=3300, clock=None):
        self._range = (2, 4, 8, 16).index(range_g)
        self._scale = _SUPPLIES[supply_mv]
        self.units = ("%d/g" % (32768 // range_g),) * 3
        self._top = 32768 - (64 >> self._range)
        super().__init__(over(bus, address, cs, 0, 0x40), clock, _DEVID, 0xE5)

    def self_test(self):
        """±16 g, 100 Hz: the means of 0.1 s without and with the force; limits of Tables 14 and 15, in 4 mg."""
        write = self._registers.write
        write(_POWER_CTL, 0)
        write(_FIFO_CTL, 0)
        write(_BW_RATE, _100_HZ)
        write(_DATA_FORMAT, _FULL_LEFT | _16_G)
        write(_POWER_CTL, _MEASURE)
        try:
            self.clock.sleep_ms(50)
            without = self._mean(_DATAX0, 10, 10)
            write(_DATA_FORMAT, _SELF_TEST | _FULL_LEFT | _16_G)
            self.clock.sleep_ms(50)  # four frames and one
            moved = [(b - a) >> _LEFT for a, b in zip(without, self._mean(_DATAX0, 10, 10))]
        finally:
            write(_DATA_FORMAT, _FULL_LEFT | _16_G)
            self.sleep()
        flat, upright = self._scale
        within(
            moved,
            (
                ("x", 50 * flat // 100, 540 * flat // 100),
                ("y", -540 * flat // 100, -50 * flat // 100),
                ("z", 75 * upright // 100, 875 * upright // 100),
            ),
        )
        return True

    def start(self, rate_millihz):
        """6.25 Hz to 3,200 Hz, each twice the one before."""
        code, millihz = _HIGHEST
        while code > _LOWEST and millihz // 2 >= rate_millihz:
            code -= 1
            millihz //= 2
        write = self._registers.write
        write(_POWER_CTL, 0)
        write(_BW_RATE, code)
        write(_DATA_FORMAT, _FULL_LEFT | self._range)
        write(_POWER_CTL, _MEASURE)
        self._started(millihz)
        self.clock.sleep_ms(self.wait_ms(1) + 2)  # 1.1 ms and one frame, "Power Sequencing"
        self._empty()
        return millihz

    def _empty(self):
        self._registers.write(_FIFO_CTL, 0)
        self._registers.read_into(_DATAX0, self._three)  # the one that waits outside, with the overrun
        self._registers.write(_FIFO_CTL, _STREAM)

    def _level(self):
        lost = self._registers.read(_INT_SOURCE) & _OVERRUN
        return self._registers.read(_FIFO_STATUS) & 0x3F, bool(lost)

    def _fetch(self, raw):
        self._registers.read_into(_DATAX0, raw)  # one frame: the registers beyond are others

    def sleep(self):
        """Standby."""
        self._registers.write(_FIFO_CTL, 0)
        self._registers.write(_POWER_CTL, 0)
