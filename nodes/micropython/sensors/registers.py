"""Chips with registers, over I2C or SPI: the same three calls, and errors by name."""

from . import NoAnswerError


def over(bus, address, cs=None, i2c_increment=0, spi_increment=0):
    """Registers behind `bus`: an SPI if there is a chip select, else an I2C.

    The increments are what some chips want added to a register's number for it to count up in a transfer.
    """
    return OverI2C(bus, address, i2c_increment) if cs is None else OverSPI(bus, cs, spi_increment)


class OverI2C:
    """By address."""

    def __init__(self, i2c, address, increment=0):
        self._i2c = i2c
        self._address = address
        self._increment = increment
        self._one = bytearray(1)

    def read_into(self, first, buffer):
        """As many registers as `buffer` is long, from `first` on."""
        try:
            self._i2c.readfrom_mem_into(self._address, first | self._increment if len(buffer) > 1 else first, buffer)
        except OSError as error:
            raise NoAnswerError("no answer at 0x%02x: %r" % (self._address, error)) from None

    def read(self, register):
        """One of them."""
        self.read_into(register, self._one)
        return self._one[0]

    def write(self, register, value):
        """One of them."""
        self._one[0] = value
        try:
            self._i2c.writeto_mem(self._address, register, self._one)
        except OSError as error:
            raise NoAnswerError("no answer at 0x%02x: %r" % (self._address, error)) from None


class OverSPI:
    """By chip select, active low, which is handed in as an output. Bit 7 of what goes first says that this is a read.

    SPI does not acknowledge: a chip that is not there reads as all ones or zeros, and `check` of its driver says so.
    """

    def __init__(self, spi, cs, increment=0):
        self._spi = spi
        self._cs = cs
        self._increment = increment
        self._one = bytearray(1)
        self._two = bytearray(2)
        cs(1)

    def read_into(self, first, buffer):
        """As many registers as `buffer` is long, from `first` on."""
        self._one[0] = 0x80 | (first | self._increment if len(buffer) > 1 else first)
        self._cs(0)
        try:
            self._spi.write(self._one)
            self._spi.readinto(buffer)
        finally:
            self._cs(1)

    def read(self, register):
        """One of them."""
        self.read_into(register, self._one)
        return self._one[0]

    def write(self, register, value):
        """One of them."""
        self._two[0] = register & 0x7F
        self._two[1] = value
        self._cs(0)
        try:
            self._spi.write(self._two)
        finally:
            self._cs(1)
