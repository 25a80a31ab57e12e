"""machine.Pin, I2C and SPI, and what a chip with registers does at either."""

ENODEV = 19
EIO = 5
ETIMEDOUT = 110


class Nack(Exception):
    """The chip does not acknowledge."""


class Pin:
    """An output that tells who listens when it changes."""

    def __init__(self, value=1):
        self._value = value
        self.listeners = []

    def value(self, new=None):
        if new is None:
            return self._value
        changed, self._value = bool(new) != bool(self._value), int(bool(new))
        if changed:
            for listener in self.listeners:
                listener(self._value)
        return None

    def __call__(self, new=None):
        return self.value(new)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


class I2C:
    """A controller. Chips have `i2c_write(data)` and `i2c_read(count)`, and raise Nack where they do not acknowledge.

    `stuck`: something holds the clock line low. `unplugged`: addresses that nobody answers to any more.
    """

    def __init__(self, clock, freq=400_000):
        self._clock = clock
        self._freq = freq
        self._chips = {}
        self.stuck = False
        self.unplugged = set()
        self.bytes = 0

    def attach(self, chip, address):
        self._chips[address] = chip

    def _address(self, address, count):
        self._clock.pass_us((count + 1) * 9_000_000 // self._freq + 1)
        self.bytes += count + 1
        if self.stuck:
            raise OSError(ETIMEDOUT)
        if address not in self._chips or address in self.unplugged:
            raise OSError(ENODEV)
        return self._chips[address]

    def scan(self):
        return sorted(a for a in self._chips if a not in self.unplugged)

    def writeto(self, address, data, stop=True):
        chip = self._address(address, len(data))
        try:
            chip.i2c_write(bytes(data))
        except Nack:
            raise OSError(EIO) from None
        return len(data)

    def readfrom_into(self, address, buffer, stop=True):
        chip = self._address(address, len(buffer))
        try:
            data = chip.i2c_read(len(buffer))
        except Nack:
            raise OSError(ENODEV) from None
        buffer[:] = data

    def readfrom(self, address, count, stop=True):
        buffer = bytearray(count)
        self.readfrom_into(address, buffer)
        return bytes(buffer)

    def writeto_mem(self, address, register, data):
        self.writeto(address, bytes([register]) + bytes(data))

    def readfrom_mem_into(self, address, register, buffer):
        self.writeto(address, bytes([register]), False)
        self.readfrom_into(address, buffer)

    def readfrom_mem(self, address, register, count):
        buffer = bytearray(count)
        self.readfrom_mem_into(address, register, buffer)
        return bytes(buffer)


class SPI:
    """A controller. Chips have `spi_modes`, `spi_select()` and `spi_byte(out) -> in`; in a wrong mode they are dumb.

    Nobody selected, or nobody there: the line is pulled up.
    """

    def __init__(self, clock, baudrate=1_000_000, polarity=0, phase=0):
        self._clock = clock
        self._baudrate = baudrate
        self._mode = (polarity << 1) | phase
        self._attached = []

    def attach(self, chip, cs):
        def changed(level):
            if level == 0:
                chip.spi_select()

        cs.listeners.append(changed)
        self._attached.append((chip, cs))

    def _byte(self, out):
        self._clock.pass_us(8_000_000 // self._baudrate + 1)
        selected = [chip for chip, cs in self._attached if cs.value() == 0]
        if len(selected) > 1:
            raise AssertionError("two chips drive one line")
        if not selected or self._mode not in selected[0].spi_modes:
            return 0xFF
        return selected[0].spi_byte(out)

    def write(self, data):
        for byte in data:
            self._byte(byte)

    def readinto(self, buffer, write=0):
        for i in range(len(buffer)):
            buffer[i] = self._byte(write)

    def read(self, count, write=0):
        buffer = bytearray(count)
        self.readinto(buffer, write)
        return bytes(buffer)

    def write_readinto(self, data, buffer):
        for i, byte in enumerate(data):
            buffer[i] = self._byte(byte)


class Registers:
    """A chip of numbered bytes. `load` and `store` have side effects; `after` is the next number in a transfer."""

    spi_modes = ()
    read_bit = 0x80

    def __init__(self, clock):
        self.clock = clock
        self.registers = bytearray(256)
        self._pointer = 0
        self._counting = True
        self._command = None

    # what a chip overrides

    def load(self, register):
        return self.registers[register]

    def store(self, register, value):
        self.registers[register] = value

    def after(self, register):
        return (register + 1) & 0xFF

    def i2c_subaddress(self, byte):
        """The register, and whether it counts up."""
        return byte, True

    def spi_subaddress(self, byte):
        return byte & 0x7F, True

    def touched(self):
        """Before each transfer: what has happened meanwhile."""

    # the buses

    def _next(self):
        if self._counting:
            self._pointer = self.after(self._pointer)

    def i2c_write(self, data):
        self.touched()
        if data:
            self._pointer, self._counting = self.i2c_subaddress(data[0])
            for byte in data[1:]:
                self.store(self._pointer, byte)
                self._next()

    def i2c_read(self, count):
        self.touched()
        out = bytearray(count)
        for i in range(count):
            out[i] = self.load(self._pointer)
            self._next()
        return out

    def spi_select(self):
        self._command = None
        self.touched()

    def spi_byte(self, out):
        if self._command is None:
            self._command = out
            self._pointer, self._counting = self.spi_subaddress(out)
            return 0xFF
        if self._command & self.read_bit:
            answer = self.load(self._pointer)
        else:
            self.store(self._pointer, out)
            answer = 0xFF
        self._next()
        return answer
