"""InvenSense MPU-6050 (product specification; register map and descriptions): acceleration, and turn rate if wanted.

Scales: 16384 per g at ±2 g, 131 per degree/s at ±250 degree/s, half of that for each wider range. The FIFO has 1,024
bytes. With three channels the gyroscopes are off; they take 3.6 mA.
"""

from . import SelfTestError
from .fifo import Fifo
from .registers import OverI2C

_SELF_TEST_X = 0x0D
_SMPLRT_DIV = 0x19
_CONFIG = 0x1A
_GYRO_CONFIG = 0x1B
_ACCEL_CONFIG = 0x1C
_FIFO_EN = 0x23
_INT_STATUS = 0x3A
_ACCEL_XOUT_H = 0x3B
_GYRO_XOUT_H = 0x43
_USER_CTRL = 0x6A
_PWR_MGMT_1 = 0x6B
_PWR_MGMT_2 = 0x6C
_FIFO_COUNTH = 0x72
_FIFO_R_W = 0x74
_WHO_AM_I = 0x75

_ASLEEP = 0x40
_CLOCK_PLL = 0x01
_GYROS_OFF = 0x07
_OVERFLOW = 0x10
_SETTLE_MS = 100
_FIFO_BYTES = 1024
_BANDWIDTHS_HZ = (184, 94, 44, 21, 10, 5)  # of the acceleration, at DLPF_CFG 1 to 6; each has 1 kHz
_WITHIN_PERCENT = 14  # of the factory trim, "Self-Test"


def accelerometer_trim(code):
    """What the self-test should move an axis by, at ±8 g: 4096 · 0.34 · (0.92 / 0.34)^((code − 1) / 30)."""
    return _power(91_268_055, 17_343_238, code)  # 1392.64 in 65536ths, and the 30th root in 2^24ths


def gyroscope_trim(code):
    """What the self-test should move an axis by, at ±250 degree/s: 25 · 131 · 1.046^(code − 1)."""
    return _power(3275 << 16, 17_548_968, code)


def _power(first, step, code):
    if code == 0:
        return 0
    for _ in range(code - 1):
        first = (first * step + (1 << 23)) >> 24
    return (first + 32768) >> 16


def trims(registers):
    """Codes of x, y, z of the accelerometer, then of the gyroscope, from the four registers SELF_TEST_X to _A."""
    low = registers[3]
    force = [registers[axis] >> 5 << 2 | low >> (4 - 2 * axis) & 3 for axis in range(3)]
    return force, [registers[axis] & 0x1F for axis in range(3)]


class Sensor(Fifo):
    """`channels`: 3, or 6 with the turn rate. `range_g`: 2, 4, 8 or 16; `range_dps`: 250, 500, 1000 or 2000."""

    _big_endian = True

    def __init__(self, i2c, address=0x68, channels=3, range_g=2, range_dps=250, clock=None):
        if channels not in (3, 6):
            raise ValueError("channels: 3 or 6")
        self._force = (2, 4, 8, 16).index(range_g)
        self._turn = (250, 500, 1000, 2000).index(range_dps)
        self.channels = channels
        self.units = ("%d/g" % (32768 // range_g),) * 3
        if channels == 6:
            self.units += ("%d/%d dps" % (131, 1 << self._turn) if self._turn else "131/dps",) * 3
        self.most_frames = _FIFO_BYTES // (2 * channels)
        self._frames_a_read = 240 // (2 * channels)
        super().__init__(OverI2C(i2c, address), clock, _WHO_AM_I, 0x68)
        self._two = memoryview(self._three)[:2]

    def self_test(self):
        """Compares what the electrostatic force does to each axis with what it did in the factory."""
        write = self._registers.write
        write(_PWR_MGMT_1, _CLOCK_PLL)
        write(_PWR_MGMT_2, 0)
        four = bytearray(4)
        self._registers.read_into(_SELF_TEST_X, four)
        force, turn = trims(four)
        self.clock.sleep_ms(_SETTLE_MS)
        try:
            # ±8 g and ±250 degree/s: the ranges that the trims are of. The y gyroscope is moved the other way.
            self._compare("acceleration", _ACCEL_CONFIG, 0x10, _ACCEL_XOUT_H, [accelerometer_trim(c) for c in force])
            wanted = [gyroscope_trim(c) for c in turn]
            wanted[1] = -wanted[1]
            self._compare("turn rate", _GYRO_CONFIG, 0, _GYRO_XOUT_H, wanted)
        finally:
            self.sleep()
        return True

    def _compare(self, what, control, setting, first, wanted):
        self._registers.write(control, setting)
        self.clock.sleep_ms(50)
        without = self._mean(first, 5, 5)
        self._registers.write(control, 0xE0 | setting)
        self.clock.sleep_ms(50)
        moved = [b - a for a, b in zip(without, self._mean(first, 5, 5))]
        self._registers.write(control, setting)
        for axis in range(3):
            off = abs(moved[axis] - wanted[axis]) * 100
            if wanted[axis] == 0 or off > abs(wanted[axis]) * _WITHIN_PERCENT:
                raise SelfTestError("%s %s moved by %d, not %d" % (what, "xyz"[axis], moved[axis], wanted[axis]))

    def start(self, rate_millihz):
        """4 Hz to 1 kHz: 1 kHz divided by a whole number. The filter leaves what half of the rate can carry."""
        divider = max(1, min(1_000_000 // rate_millihz, 256))
        rate_millihz = 1_000_000 // divider
        choice = 0
        while choice < len(_BANDWIDTHS_HZ) - 1 and 2000 * _BANDWIDTHS_HZ[choice] > rate_millihz:
            choice += 1
        write = self._registers.write
        # The better clock is that of a gyroscope; where they are off it is the oscillator, 5 per cent off at most.
        write(_PWR_MGMT_1, _CLOCK_PLL if self.channels == 6 else 0)
        write(_PWR_MGMT_2, 0 if self.channels == 6 else _GYROS_OFF)
        write(_CONFIG, choice + 1)
        write(_SMPLRT_DIV, divider - 1)
        write(_ACCEL_CONFIG, self._force << 3)
        write(_GYRO_CONFIG, self._turn << 3)
        self.clock.sleep_ms(_SETTLE_MS)
        self._empty()
        return self._started(rate_millihz)

    def _empty(self):
        write = self._registers.write
        write(_USER_CTRL, 0x04)  # it is emptied only while it is off
        self._registers.read(_INT_STATUS)  # forgets an overflow
        write(_FIFO_EN, 0x78 if self.channels == 6 else 0x08)
        write(_USER_CTRL, 0x40)

    def _level(self):
        status = self._registers.read(_INT_STATUS)
        self._registers.read_into(_FIFO_COUNTH, self._two)
        return (self._two[0] << 8 | self._two[1]) // (2 * self.channels), bool(status & _OVERFLOW)

    def _fetch(self, raw):
        self._registers.read_into(_FIFO_R_W, raw)

    def sleep(self):
        """All off."""
        write = self._registers.write
        write(_USER_CTRL, 0)
        write(_FIFO_EN, 0)
        write(_PWR_MGMT_1, _ASLEEP)
