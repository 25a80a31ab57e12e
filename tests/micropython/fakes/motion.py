"""Accelerometers with a FIFO: MPU-6050, LIS3DH, ADXL345, from their data sheets and register maps.

`signal(seconds)` is what they feel since they were made: three accelerations in g, then three turn rates in degree/s.
`weak`: what share of its force the self-test has. `slow_ppm`: how much too slow their own clock is.
"""

from .buses import Registers


def still(seconds):
    return 0.0, 0.0, 1.0, 0.0, 0.0, 0.0


def codes(values, per_unit, bits):
    """Rounded, and held to what so many bits can say."""
    end = 1 << (bits - 1)
    return [max(-end, min(end - 1, int(v * per_unit + (0.5 if v >= 0 else -0.5)))) for v in values]


class Motion(Registers):
    def __init__(self, clock, signal=still):
        super().__init__(clock)
        self.signal = signal
        self.weak = 1.0
        self.slow_ppm = 0
        self.made_us = clock.now_us
        self.frames = 0  # since sampling began
        self._began_us = clock.now_us
        self.reset()

    def period_us(self):
        """None: it does not sample."""
        raise NotImplementedError

    def sampled(self, values, number):
        """A frame is there."""
        raise NotImplementedError

    def touched(self):
        period = self.period_us()
        if period is None:
            self._begin()
            return
        period = period * (1_000_000 + self.slow_ppm) / 1_000_000
        due = int((self.clock.now_us - self._began_us) / period)
        if due - self.frames > 5000:  # nobody has looked for so long: only the last ones can matter
            self.frames = due - 5000
        while self.frames < due:
            self.frames += 1
            at_us = self._began_us + self.frames * period
            self.sampled(self.signal((at_us - self.made_us) / 1e6), self.frames)

    def _begin(self):
        self._began_us = self.clock.now_us
        self.frames = 0

    def store(self, register, value):
        before = self.period_us()
        self.write(register, value)
        if self.period_us() != before:
            self._begin()

    def write(self, register, value):
        self.registers[register] = value

    def reset(self):
        raise NotImplementedError


class MPU6050(Motion):
    """RM-MPU-6000A rev. 4.2."""

    # Self-test codes of x, y, z of the accelerometer and of the gyroscope.
    trims = ((9, 16, 31), (7, 20, 31))

    def reset(self):
        self.registers = bytearray(256)
        self.registers[0x6B] = 0x40
        self.registers[0x75] = 0x68
        force, turn = self.trims
        for axis in range(3):
            self.registers[0x0D + axis] = (force[axis] >> 2) << 5 | turn[axis]
            self.registers[0x10] |= (force[axis] & 3) << (4 - 2 * axis)
        self.fifo = bytearray()

    def period_us(self):
        if self.registers[0x6B] & 0x40:
            return None
        slow = 1 <= self.registers[0x1A] & 7 <= 6
        return (1000 if slow else 125) * (1 + self.registers[0x19])

    def _trim(self, axis):
        code = self.trims[0][axis]
        return 4096 * 0.34 * (0.92 / 0.34) ** ((code - 1) / 30) / 4096 if code else 0

    def _turn_trim(self, axis):
        code = self.trims[1][axis]
        return (-1 if axis == 1 else 1) * 25 * 131 * 1.046 ** (code - 1) / 131 if code else 0

    def sampled(self, values, number):
        force, turn = list(values[:3]), list(values[3:])
        for axis in range(3):
            if self.registers[0x1C] & 0x80 >> axis:
                force[axis] += self.weak * self._trim(axis)
            if self.registers[0x1B] & 0x80 >> axis:
                turn[axis] += self.weak * self._turn_trim(axis)
        words = codes(force, 16384 >> (self.registers[0x1C] >> 3 & 3), 16) + [0]
        if self.registers[0x6C] & 7 == 7:
            words += [0, 0, 0]
        else:
            words += codes(turn, 131 / (1 << (self.registers[0x1B] >> 3 & 3)), 16)
        for i, word in enumerate(words):
            self.registers[0x3B + 2 * i] = word >> 8 & 0xFF
            self.registers[0x3C + 2 * i] = word & 0xFF
        self.registers[0x3A] |= 0x01
        if self.registers[0x6A] & 0x40:
            self._gather()

    def _gather(self):
        # FIFO_EN: temperature, x, y, z of the gyroscope, accelerometer; in the order of the registers.
        enabled = self.registers[0x23]
        parts = [(0x3B, 6, 0x08), (0x41, 2, 0x80), (0x43, 2, 0x40), (0x45, 2, 0x20), (0x47, 2, 0x10)]
        for first, count, bit in parts:
            if enabled & bit:
                self.fifo.extend(self.registers[first : first + count])
        if len(self.fifo) > 1024:
            self.fifo = self.fifo[len(self.fifo) - 1024 :]  # in the middle of a frame
            self.registers[0x3A] |= 0x10

    def load(self, register):
        if register == 0x74:
            if not self.fifo:
                return self.registers[0x74]
            self.registers[0x74] = self.fifo[0]
            self.fifo = self.fifo[1:]
            return self.registers[0x74]
        if register == 0x72:
            self._count = len(self.fifo)  # both bytes as of this moment
            return self._count >> 8
        if register == 0x73:
            return self._count & 0xFF
        value = self.registers[register]
        if register == 0x3A:
            self.registers[0x3A] = 0
        return value

    def after(self, register):
        return register if register == 0x74 else (register + 1) & 0x7F

    def write(self, register, value):
        if register == 0x6B and value & 0x80:
            self.reset()
        elif register == 0x6A:
            if value & 0x04 and not value & 0x40:
                self.fifo = bytearray()
            self.registers[0x6A] = value & ~0x07
        elif register != 0x75:
            self.registers[register] = value


class LIS3DH(Motion):
    """DocID17530, AN3308."""

    spi_modes = (3,)
    rates_hz = (0, 1, 10, 25, 50, 100, 200, 400, 1600, 1344)
    mg_a_digit = (1, 2, 4, 12)  # of 12 bits
    force_mg = (300, 420, 800)

    def reset(self):
        self.registers = bytearray(256)
        self.registers[0x0F] = 0x33
        self.registers[0x20] = 0x07
        self.fifo = []
        self.overrun = False
        self._begin()

    def period_us(self):
        rate = self.rates_hz[self.registers[0x20] >> 4]
        return 1e6 / rate if rate else None

    def _bits(self):
        low_power, high = self.registers[0x20] & 0x08, self.registers[0x23] & 0x08
        return 8 if low_power else 12 if high else 10

    def sampled(self, values, number):
        bits = self._bits()
        force = list(values[:3])
        if self.registers[0x23] & 0x06 == 0x02:
            for axis in range(3):
                force[axis] += self.weak * self.force_mg[axis] / 1000
        per_g = 1000 / self.mg_a_digit[self.registers[0x23] >> 4 & 3] / (1 << (12 - bits))
        words = [word << (16 - bits) for word in codes(force, per_g, bits)]
        if bits == 12 and number <= 7:
            words = [0x1110, 0x2220, 0x3330]  # has not settled
        if not self._streaming():
            self.fifo = [words]
            return
        if len(self.fifo) == 32:
            self.fifo.pop(0)
        self.fifo.append(words)
        if len(self.fifo) == 32:
            self.overrun = True

    def _streaming(self):
        return self.registers[0x24] & 0x40 and self.registers[0x2E] >> 6 == 2

    def load(self, register):
        if register == 0x2F:
            count = len(self.fifo) if self._streaming() else 0
            return (0x40 if self.overrun else 0) | (0x20 if not count else 0) | min(count, 31)
        if 0x28 <= register <= 0x2D:
            if not self.fifo:
                return 0
            index = register - 0x28
            byte = self.fifo[0][index // 2] >> (8 * (index & 1)) & 0xFF
            if register == 0x2D and self._streaming():
                self.fifo.pop(0)
                self.overrun = False
            return byte
        return self.registers[register]

    def after(self, register):
        return 0x28 if register == 0x2D and self._streaming() else (register + 1) & 0x7F

    def i2c_subaddress(self, byte):
        return byte & 0x7F, bool(byte & 0x80)

    def spi_subaddress(self, byte):
        return byte & 0x3F, bool(byte & 0x40)

    def write(self, register, value):
        if register not in (0x0F, 0x2F):
            self.registers[register] = value
        if register == 0x2E and value >> 6 == 0:
            self.fifo = []
            self.overrun = False


class ADXL345(Motion):
    """Data sheet, rev. E."""

    spi_modes = (3,)
    force_lsb = (200, -200, 350)  # of 4 mg, at 2.5 V

    def reset(self):
        self.registers = bytearray(256)
        self.registers[0x00] = 0xE5
        self.registers[0x2C] = 0x0A
        self.fifo = []
        self.output = [0, 0, 0]
        self.fresh = False
        self.overrun = False
        self._begin()

    def period_us(self):
        return 1e6 / (3200 / (1 << (15 - (self.registers[0x2C] & 15)))) if self.registers[0x2D] & 8 else None

    def sampled(self, values, number):
        setting = self.registers[0x31]
        wide = setting & 3
        force = list(values[:3])
        if setting & 0x80:
            for axis in range(3):
                force[axis] += self.weak * self.force_lsb[axis] / 256
        if setting & 0x08:
            bits, per_g = 10 + wide, 256
        else:
            bits, per_g = 10, 256 >> wide
        words = codes(force, per_g, bits)
        if setting & 0x04:
            words = [word << (16 - bits) for word in words]
        depth = 32 if self.registers[0x38] >> 6 == 2 else 0
        if depth == 0:
            self.overrun = self.overrun or self.fresh
            self.output, self.fresh = words, True
        elif not self.fresh:
            self.output, self.fresh = words, True
        elif len(self.fifo) < depth:
            self.fifo.append(words)
        else:
            self.fifo.pop(0)
            self.fifo.append(words)
            self.overrun = True

    def _shift(self):
        """The output registers have been read, so the next frame comes to stand there."""
        self.overrun = False
        self.fresh = bool(self.fifo)
        if self.fifo:
            self.output = self.fifo.pop(0)

    def load(self, register):
        if 0x32 <= register <= 0x37:
            index = register - 0x32
            byte = self.output[index // 2] >> (8 * (index & 1)) & 0xFF
            if register == 0x37:
                self._shift()
            return byte
        if register == 0x30:
            return (0x80 if self.fresh else 0) | (1 if self.overrun else 0)
        if register == 0x39:
            return len(self.fifo) + self.fresh
        return self.registers[register]

    def spi_subaddress(self, byte):
        return byte & 0x3F, bool(byte & 0x40)

    def write(self, register, value):
        if register not in (0x00, 0x30, 0x39):
            self.registers[register] = value
        if register == 0x38 and value >> 6 == 0:
            self.fifo = []
