"""Temperature and humidity: BME280 and SHT3x, from their data sheets."""

from .buses import Nack, Registers


def _crc8(data):
    """Remainder of the message by x^8 + x^5 + x^4 + 1, the first byte inverted: as a division of polynomials."""
    value = 0
    for byte in bytes([data[0] ^ 0xFF]) + bytes(data[1:]):
        value = value << 8 | byte
    value <<= 8
    for bit in range(8 * len(data) + 7, 7, -1):
        if value >> bit & 1:
            value ^= 0x131 << (bit - 8)
    return value


class BME280(Registers):
    """BST-BME280-DS002. `adc`: what its converter finds: temperature and pressure of 20 bits, humidity of 16.

    The trimming is the one of the example in the BMP280's data sheet; that of the humidity is of a chip of ours.
    """

    spi_modes = (0, 3)
    trim_words = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    trim_humidity = (75, 362, 0, 324, 50, 30)

    def __init__(self, clock):
        super().__init__(clock)
        self.who = 0x60
        self.adc = [519_888, 415_148, 30_000]
        self.hangs = False
        self.power_up()

    def power_up(self):
        self.registers = bytearray(256)
        self.registers[0xD0] = self.who
        for i, word in enumerate(self.trim_words):
            self.registers[0x88 + 2 * i] = word & 0xFF
            self.registers[0x89 + 2 * i] = word >> 8 & 0xFF
        h1, h2, h3, h4, h5, h6 = self.trim_humidity
        self.registers[0xA1] = h1
        second = (h2 & 0xFF, h2 >> 8 & 0xFF, h3, h4 >> 4 & 0xFF, (h4 & 15) | (h5 & 15) << 4, h5 >> 4 & 0xFF, h6 & 0xFF)
        for i, byte in enumerate(second):
            self.registers[0xE1 + i] = byte
        self.registers[0xF7:0xFF] = b"\x80\x00\x00\x80\x00\x00\x80\x00"
        self._humidity = 0
        self._ready_us = None
        self._awake_us = self.clock.now_us + 2000

    def touched(self):
        if self._ready_us is not None and self.clock.now_us >= self._ready_us and not self.hangs:
            self._ready_us = None
            mode = self.registers[0xF4]
            temperature = self.adc[0] & 0xFFFF0 if mode >> 5 else 0x80000
            pressure = self.adc[1] & 0xFFFF0 if mode >> 2 & 7 else 0x80000
            humidity = self.adc[2] if self._humidity else 0x8000
            for at, value in ((0xF7, pressure), (0xFA, temperature)):
                self.registers[at], self.registers[at + 1] = value >> 12, value >> 4 & 0xFF
                self.registers[at + 2] = value << 4 & 0xF0
            self.registers[0xFD], self.registers[0xFE] = humidity >> 8, humidity & 0xFF
            self.registers[0xF4] = mode & 0xFC

    def load(self, register):
        if register == 0xF3:
            return (8 if self._ready_us is not None else 0) | (1 if self.clock.now_us < self._awake_us else 0)
        return self.registers[register]

    def store(self, register, value):
        if self.clock.now_us < self._awake_us:
            return
        if register == 0xE0 and value == 0xB6:
            self.power_up()
        elif register in (0xF2, 0xF4, 0xF5):
            self.registers[register] = value
            if register == 0xF4:
                self._humidity = self.registers[0xF2] & 7  # takes effect with this write only
                if value & 3 in (1, 2):
                    self._ready_us = self.clock.now_us + self._takes_us(value)

    def _takes_us(self, value):
        """Appendix B, the longest."""
        one = (0, 1, 2, 4, 8, 16, 16, 16)
        t, p, h = one[value >> 5], one[value >> 2 & 7], one[self._humidity]
        return 1250 + 2300 * t + (2300 * p + 575 if p else 0) + (2300 * h + 575 if h else 0)

    def i2c_write(self, data):
        """Pairs of register and value: it does not count up when it is written."""
        self.touched()
        if len(data) == 1:
            self._pointer = data[0]
        for i in range(0, len(data) - 1, 2):
            self.store(data[i], data[i + 1])

    def spi_subaddress(self, byte):
        return byte | 0x80, True


class SHT3x:
    """SHT3x-DIS. `codes`: what it measures. `flip`: bits of the bytes that it sends that turn round on the way."""

    def __init__(self, clock):
        self.clock = clock
        self.codes = [26_214, 26_214]  # 25 degC, 40 %
        self.flip = {}
        self.busy_us = 15_500
        self.heater = True  # it can be switched on
        self.heats = True  # and it makes warm
        self.status = 0x8010
        self._answer = None
        self._ready_us = 0

    def i2c_write(self, data):
        if self.clock.now_us < self._ready_us:
            raise Nack
        self._answer = None
        command = data[0] << 8 | data[1]
        if command == 0x2400:
            self._ready_us = self.clock.now_us + self.busy_us
            heated = 1200 if self.status & 0x2000 and self.heats else 0  # 3.2 degC
            self._answer = [self.codes[0] + heated, self.codes[1]]
        elif command == 0xF32D:
            self._answer = [self.status]
        elif command == 0x306D:
            self.status |= 0x2000 if self.heater else 0
        elif command == 0x3066:
            self.status &= ~0x2000
        elif command == 0x30A2:
            self.status = 0x0010
            self._ready_us = self.clock.now_us + 1500
        else:
            raise Nack

    def i2c_read(self, count):
        if self.clock.now_us < self._ready_us or self._answer is None:
            raise Nack
        out = bytearray()
        for word in self._answer:
            both = bytes([word >> 8, word & 0xFF])
            out.extend(both + bytes([_crc8(both)]))
        for at, bits in self.flip.items():
            out[at] ^= bits
        self._answer = None
        out.extend(b"\xff" * count)
        return out[:count]
