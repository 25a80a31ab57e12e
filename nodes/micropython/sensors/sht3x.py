"""Sensirion SHT30, SHT31, SHT35 (data sheet SHT3x-DIS): temperature and humidity.

Single shots of high repeatability, without clock stretching: until a measurement is over, the chip does not acknowledge
a read. It has no name to ask for; the checksum and the reserved bits of its status tell it from others.
"""

from . import ChecksumError, NoAnswerError, SelfTestError, WrongChipError
from .single_shot import SingleShot

_MEASURE = b"\x24\x00"
_RESET = b"\x30\xa2"
_STATUS = b"\xf3\x2d"
_HEATER_ON = b"\x30\x6d"
_HEATER_OFF = b"\x30\x66"
_RESERVED = 0x500C  # bits that read 0, table 17
_HEATER = 0x2000
_HEATED_MS = 1000
_LEAST_RISE_CDEG = 20  # five times the repeatability, table 2


def checksum(data):
    """CRC-8: polynomial 0x31, from 0xFF on, not reflected (section 4.12)."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


def cdeg(code):
    """−45 + 175 S / 65535, in 0.01 degC (section 4.13)."""
    return (17_500 * code + 32_767) // 65_535 - 4500


def centipercent(code):
    """100 S / 65535, in 0.01 %."""
    return (10_000 * code + 32_767) // 65_535


class Sensor(SingleShot):
    """Two channels."""

    channels = 2
    units = ("100/degC", "100/percent")
    _longest_ms = 16  # 15.5 ms, table 4

    def __init__(self, i2c, address=0x44, clock=None):
        super().__init__(clock)
        self._i2c = i2c
        self._address = address
        self._six = bytearray(6)
        self._three = memoryview(self._six)[:3]

    def _command(self, command):
        try:
            self._i2c.writeto(self._address, command)
        except OSError:
            self.clock.sleep_ms(self._longest_ms)  # it may be at a measurement that nobody has waited for
            try:
                self._i2c.writeto(self._address, command)
            except OSError as error:
                raise NoAnswerError("no answer at 0x%02x: %r" % (self._address, error)) from None

    def _word(self, at):
        """One of two bytes that a checksum follows."""
        raw = self._six
        if checksum(raw[at : at + 2]) != raw[at + 2]:
            raise ChecksumError("0x%02x%02x does not have 0x%02x" % (raw[at], raw[at + 1], raw[at + 2]))
        return raw[at] << 8 | raw[at + 1]

    def _status(self):
        self._command(_STATUS)
        try:
            self._i2c.readfrom_into(self._address, self._three)
        except OSError as error:
            raise NoAnswerError("no status from 0x%02x: %r" % (self._address, error)) from None
        return self._word(0)

    def check(self):
        """Its status has a checksum that fits, and zeros where they have to be."""
        try:
            status = self._status()
        except ChecksumError as error:
            raise WrongChipError("status: %s" % error) from None
        if status & _RESERVED:
            raise WrongChipError("status: 0x%04x" % status)

    def self_test(self):
        """Its heater has to show in the status and in the temperature (section 4.10)."""
        before = self._once()
        self._command(_HEATER_ON)
        try:
            if not self._status() & _HEATER:
                raise SelfTestError("the heater does not go on")
            self.clock.sleep_ms(_HEATED_MS)
            rise = self._once() - before
        finally:
            self._command(_HEATER_OFF)
        if rise < _LEAST_RISE_CDEG:
            raise SelfTestError("heated, it rose by %d.%02d degC" % (rise // 100, rise % 100))
        return True

    def _once(self):
        self._begin()
        self.clock.sleep_ms(self._longest_ms)
        if not self._done():
            raise NoAnswerError("a measurement has not ended in %d ms" % self._longest_ms)
        return cdeg(self._word(0))

    def start(self, rate_millihz):
        """To 58 Hz; above 10 Hz it warms itself."""
        self._command(_RESET)
        self.clock.sleep_ms(2)  # 1.5 ms, table 4
        return super().start(rate_millihz)

    def _begin(self):
        self._command(_MEASURE)

    def _done(self):
        try:
            self._i2c.readfrom_into(self._address, self._six)
        except OSError:
            return False  # `read` knows how long is too long
        return True

    def _take(self, out):
        # The chip holds humidity to 0 and 100 %, where it can be; a temperature at an end of the codes cannot be.
        temperature, humidity = self._word(0), self._word(3)
        out[0] = cdeg(temperature)
        out[1] = centipercent(humidity)
        if temperature in (0, 0xFFFF):
            self.saturated += 1
            out[0] = 32767 if temperature else -32768

    def sleep(self):
        """It is asleep whenever it does not measure."""
