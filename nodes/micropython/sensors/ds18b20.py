"""Maxim DS18B20 (data sheet 19-7487): temperature on a 1-Wire bus.

It needs a supply of its own: with parasite power the line cannot be asked whether a conversion is over. The two bytes
that the chip keeps for the user hold marks, which are never copied to its EEPROM: if they are gone, the chip has lost
its power, and what it says is the 85 degC that it wakes with.

While it converts nobody else may use the line: a chip that is not addressed any more says "done" like one that is.
"""

from . import ChecksumError, NoAnswerError, PowerLostError, WrongChipError
from .single_shot import SingleShot

_FAMILY = 0x28
_READ_ROM = 0x33
_SKIP_ROM = 0xCC
_CONVERT = 0x44
_READ_SCRATCHPAD = 0xBE
_WRITE_SCRATCHPAD = 0x4E
_READ_POWER_SUPPLY = 0xB4

_MARKS = b"\x5a\xa5"
_CONVERSIONS_MS = (94, 188, 375, 750)  # of 9, 10, 11, 12 bits, rounded up


def checksum(data):
    """CRC-8 of 1-Wire: x^8 + x^5 + x^4 + 1, reflected, from 0 on; 0 over data with its checksum behind it."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


def cdeg(low, high, bits):
    """0.01 degC, halves upwards, from the first two bytes; at less than 12 bits the last ones mean nothing."""
    code = (low | high << 8) >> (12 - bits) << (12 - bits)
    return ((code - 65_536 if code & 0x8000 else code) * 100 + 8) >> 4


class Sensor(SingleShot):
    """`bus`: an onewire.OneWire. `rom`: the 8 bytes of this one, where there are others on the bus."""

    channels = 1
    units = ("100/degC",)

    def __init__(self, bus, rom=None, clock=None):
        super().__init__(clock)
        self._bus = bus
        self._rom = rom
        self._nine = bytearray(9)
        self._bits = 12

    def _select(self):
        if not self._bus.reset():
            raise NoAnswerError("nobody is on the line")
        if self._rom is None:
            self._bus.writebyte(_SKIP_ROM)
        else:
            self._bus.select_rom(self._rom)

    def check(self):
        """Its number has the family of a DS18B20, and it has a supply."""
        if self._rom is None:
            if not self._bus.reset():
                raise NoAnswerError("nobody is on the line")
            self._bus.writebyte(_READ_ROM)
            rom = memoryview(self._nine)[:8]
            self._bus.readinto(rom)
        else:
            rom = self._rom
        if checksum(rom):
            raise ChecksumError("the number on the line: are there several?")
        if rom[0] != _FAMILY:
            raise WrongChipError("family: 0x%02x, not 0x28" % rom[0])
        self._scratchpad()
        self._select()
        self._bus.writebyte(_READ_POWER_SUPPLY)
        if not self._bus.readbit():
            raise NoAnswerError("it has no supply of its own")

    def _scratchpad(self):
        self._select()
        self._bus.writebyte(_READ_SCRATCHPAD)
        self._bus.readinto(self._nine)
        if min(self._nine) == 0xFF:
            raise NoAnswerError("nobody speaks")
        if checksum(self._nine) or max(self._nine) == 0:  # a line that is held low has a checksum that fits
            raise ChecksumError("of the scratchpad")

    def start(self, rate_millihz):
        """To 10 Hz, with as many bits as there is time for: 12 to 1.3 Hz, then 11, 10 and 9."""
        period_ms = 1_000_000 // rate_millihz
        self._bits = 12
        while self._bits > 9 and _CONVERSIONS_MS[self._bits - 9] >= period_ms:
            self._bits -= 1
        self._longest_ms = _CONVERSIONS_MS[self._bits - 9]
        self._select()
        self._bus.writebyte(_WRITE_SCRATCHPAD)
        self._bus.write(_MARKS)
        self._bus.writebyte((self._bits - 9) << 5 | 0x1F)
        return super().start(rate_millihz)

    def _begin(self):
        self._select()
        self._bus.writebyte(_CONVERT)

    def _done(self):
        return bool(self._bus.readbit())

    def _take(self, out):
        self._scratchpad()
        raw = self._nine
        if raw[2] != _MARKS[0] or raw[3] != _MARKS[1]:
            raise PowerLostError("its marks are gone")
        out[0] = cdeg(raw[0], raw[1], self._bits)

    def sleep(self):
        """It is asleep whenever it does not convert."""
