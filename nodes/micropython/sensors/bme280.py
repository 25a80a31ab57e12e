"""Bosch BME280 (data sheet BST-BME280-DS002): temperature, humidity, and pressure if wanted.

Each is measured once a frame, without filter, then the chip sleeps ("weather monitoring", 3.5.1). Compensated in whole
numbers by 4.2.3.
"""

from . import PowerLostError, WrongChipError
from .registers import over
from .single_shot import SingleShot

_CALIBRATION_1 = 0x88
_ID = 0xD0
_RESET = 0xE0
_CALIBRATION_2 = 0xE1
_CTRL_HUM = 0xF2
_STATUS = 0xF3
_CTRL_MEAS = 0xF4
_PRESSURE = 0xF7

_WHO = 0x60
_ONCE = 1  # oversampling
_FORCED = 1
_MEASURING = 0x08
_COPYING = 0x01
_HIGHEST = 0xFFFF0  # of 20 bits, 16 are in use without oversampling
_NO_HUMIDITY = 0x8000  # what stands there before it is switched on; also a value that can be


class Compensation:
    """The trimming of one chip, from the 26 registers at 0x88 and the 7 at 0xE1."""

    def __init__(self, first, second):
        def signed(value, bits):
            return value - (1 << bits) if value >> (bits - 1) else value

        words = [first[i] | first[i + 1] << 8 for i in range(0, 24, 2)]
        self.t = (words[0], signed(words[1], 16), signed(words[2], 16))
        self.p = (words[3],) + tuple(signed(word, 16) for word in words[4:])
        self.h = (
            first[25],
            signed(second[0] | second[1] << 8, 16),
            second[2],
            signed(second[3] << 4 | second[4] & 0x0F, 12),
            signed(second[5] << 4 | second[4] >> 4, 12),
            signed(second[6], 8),
        )

    def fine(self, raw):
        """Temperature in 1/5120 degC, from its 20 bits."""
        t1, t2, t3 = self.t
        coarse = (((raw >> 3) - 2 * t1) * t2) >> 11
        by = (raw >> 4) - t1
        return coarse + (((by * by >> 12) * t3) >> 14)

    def cdeg(self, fine):
        """0.01 degC."""
        return (5 * fine + 128) >> 8

    def pressure_q8(self, raw, fine):
        """Pascal in 256ths, from its 20 bits."""
        p1, p2, p3, p4, p5, p6, p7, p8, p9 = self.p
        by = fine - 128_000
        offset = by * by * p6 + (by * p5 << 17) + (p4 << 35)
        gain = (((1 << 47) + (by * by * p3 >> 8) + (by * p2 << 12)) * p1) >> 33
        if gain == 0:
            return 0
        first = ((1_048_576 - raw << 31) - offset) * 3125 // gain
        return ((first + (p9 * (first >> 13) * (first >> 13) >> 25) + (p8 * first >> 19)) >> 8) + (p7 << 4)

    def humidity_q10(self, raw, fine):
        """Per cent in 1024ths, from its 16 bits; 0 to 100."""
        h1, h2, h3, h4, h5, h6 = self.h
        by = fine - 76_800
        slope = ((by * h6 >> 10) * ((by * h3 >> 11) + 32_768) >> 10) + 2_097_152
        value = ((raw << 14) - (h4 << 20) - h5 * by + 16_384 >> 15) * (slope * h2 + 8192 >> 14)
        value -= ((value >> 15) * (value >> 15) >> 7) * h1 >> 4
        return min(max(value, 0), 419_430_400) >> 12


class Sensor(SingleShot):
    """`channels`: 2, temperature and humidity, or 3 with the pressure. `bus`: an I2C, or an SPI with `cs`."""

    _longest_ms = 10  # 1.25 + 2.3 + 2.3 + 0.575 + 2.3 + 0.575, appendix B

    def __init__(self, bus, address=0x76, cs=None, channels=2, clock=None):
        super().__init__(clock)
        if channels not in (2, 3):
            raise ValueError("channels: 2 or 3")
        self.channels = channels
        self.units = ("100/degC", "100/percent", "10/hPa")[:channels]
        self._registers = over(bus, address, cs)
        self._raw = bytearray(8)
        self._two = memoryview(self._raw)[:2]

    def check(self):
        """Its id, and trimming that can be."""
        who = self._registers.read(_ID)
        if who != _WHO:
            raise WrongChipError("id: 0x%02x, not 0x60%s" % (who, "; a BMP280 has no humidity" if who == 0x58 else ""))
        self._trimming()

    def _trimming(self):
        first, second = bytearray(26), bytearray(7)
        self._registers.read_into(_CALIBRATION_1, first)
        self._registers.read_into(_CALIBRATION_2, second)
        self._compensation = Compensation(first, second)
        if self._compensation.t[0] in (0, 0xFFFF) or self._compensation.p[0] in (0, 0xFFFF):
            raise WrongChipError("it has no trimming")

    def start(self, rate_millihz):
        """To 90 Hz."""
        self._registers.write(_RESET, 0xB6)
        self.clock.sleep_ms(3)  # 2 ms, table 1
        while self._registers.read(_STATUS) & _COPYING:
            self.clock.sleep_ms(1)
        self._trimming()
        self._registers.write(_CTRL_HUM, _ONCE)
        return super().start(rate_millihz)

    def _begin(self):
        self._registers.write(_CTRL_MEAS, _ONCE << 5 | (_ONCE << 2 if self.channels == 3 else 0) | _FORCED)

    def _done(self):
        self._registers.read_into(_STATUS, self._two)
        return not (self._two[0] & _MEASURING or self._two[1] & 3)  # it goes to sleep by itself

    def _take(self, out):
        raw = self._raw
        self._registers.read_into(_PRESSURE, raw)
        humidity = raw[6] << 8 | raw[7]
        if humidity == _NO_HUMIDITY and self._registers.read(_CTRL_HUM) != _ONCE:
            raise PowerLostError("humidity is off")
        temperature = raw[3] << 12 | raw[4] << 4 | raw[5] >> 4
        fine = self._compensation.fine(temperature)
        out[0] = self._held(temperature, _HIGHEST, self._compensation.cdeg(fine))
        q10 = self._compensation.humidity_q10(humidity, fine)
        out[1] = self._held(humidity, 0xFFFF, (100 * q10 + 512) >> 10)
        if self.channels == 3:
            pressure = raw[0] << 12 | raw[1] << 4 | raw[2] >> 4
            q8 = self._compensation.pressure_q8(pressure, fine)
            # its codes go down as the pressure goes up
            out[2] = self._held(_HIGHEST - pressure, _HIGHEST, (q8 + 1280) // 2560)

    def _held(self, code, highest, value):
        """The value, or an end of 16 bits where the converter is at an end of its own."""
        if 0 < code < highest:
            return max(-32767, min(value, 32766))
        self.saturated += 1
        return 32767 if code else -32768

    def sleep(self):
        """Asleep, 0.1 µA."""
        self._registers.write(_CTRL_MEAS, 0)
