"""A 1-Wire bus bit by bit, with DS18B20s (data sheet 19-7487) at it; the calls are those of onewire.OneWire."""


def _crc(data):
    """CRC-8 by bits as the shift register of the data sheet's figure does it."""
    register = 0
    for byte in data:
        for bit in range(8):
            feedback = (register ^ byte >> bit) & 1
            register >>= 1
            if feedback:
                register ^= 0b10001100
    return register


class DS18B20:
    """`code`: what it finds when it converts next, at 12 bits. `parasite`: it lives on the line."""

    def __init__(self, clock, serial=1, family=0x28, code=0x0191):
        self.clock = clock
        rom = bytes([family]) + bytes(serial >> 8 * i & 0xFF for i in range(6))
        self.rom = rom + bytes([_crc(rom)])
        self.code = code
        self.parasite = False
        self.gone = False
        self.flip = {}
        self.takes_us = None
        self.power_up()

    def power_up(self):
        self._set(0x0550)
        self.user = [0x4B, 0x46, 0x7F]
        self._ready_us = 0
        self._converting = False
        self.reset()

    def _set(self, code):
        self.temperature = [code & 0xFF, code >> 8 & 0xFF]

    def reset(self):
        """A reset pulse."""
        self._bits = 0
        self._count = 0
        self._state = "rom"
        self._out = []
        self._settle()

    def _settle(self):
        if self._converting and self.clock.now_us >= self._ready_us:
            self._converting = False
            lost = 3 - (self.user[2] >> 5 & 3)
            self._set(self.code & 0xFFFF >> lost << lost)

    def read(self):
        """What it does to the line in a read slot: 0 pulls it low."""
        self._settle()
        if self._state == "converting":
            return 1 if self.parasite or not self._converting else 0
        if self._state == "supply":
            return 0 if self.parasite else 1
        if self._state == "search":
            bit = self.rom[self._at >> 3] >> (self._at & 7) & 1
            self._turn += 1
            return bit if self._turn == 1 else 1 - bit
        return self._out.pop(0) if self._out else 1

    def write(self, bit):
        self._settle()
        if self._state == "search":
            self._turn = 0
            if bit != self.rom[self._at >> 3] >> (self._at & 7) & 1:
                self._state = "deaf"
            self._at += 1
            if self._at == 64 and self._state == "search":
                self._state = "function"
            return
        self._bits |= bit << self._count
        self._count += 1
        if self._count % 8 == 0:
            self._byte(self._bits)

    def _byte(self, bits):
        state = self._state
        if state == "match" and self._count == 64:
            self._state = "function" if bits == int.from_bytes(self.rom, "little") else "deaf"
        elif state == "scratchpad" and self._count == 24:
            self.user = [bits & 0xFF, bits >> 8 & 0xFF, (bits >> 16 & 0x60) | 0x1F]
            self._state = "deaf"
        elif state == "rom":
            self._state = {0x33: "rom out", 0xCC: "function", 0x55: "match", 0xF0: "search"}.get(bits, "deaf")
            self._at = self._turn = 0
            if bits == 0x33:
                self._send(self.rom)
        elif state == "function":
            self._state = {0x44: "converting", 0xBE: "pad out", 0x4E: "scratchpad", 0xB4: "supply"}.get(bits, "deaf")
            if bits == 0x44:
                self._converting = True
                whole = 750_000 >> (3 - (self.user[2] >> 5 & 3))
                self._ready_us = self.clock.now_us + (whole if self.takes_us is None else self.takes_us)
            elif bits == 0xBE:
                pad = bytes(self.temperature) + bytes(self.user) + b"\xff\x0c\x10"
                self._send(pad + bytes([_crc(pad)]))
        else:
            return
        self._bits = self._count = 0

    def _send(self, data):
        data = bytearray(data)
        for at, bits in self.flip.items():
            data[at] ^= bits
        self._out = [byte >> bit & 1 for byte in data for bit in range(8)]


class OneWire:
    """`low`: the line is held low; nobody is seen then, and all bits are 0."""

    def __init__(self, clock, chips):
        self._clock = clock
        self.chips = chips
        self.low = False

    def _there(self):
        return [chip for chip in self.chips if not chip.gone]

    def reset(self, required=False):
        self._clock.pass_us(960)
        for chip in self._there():
            chip.reset()
        found = bool(self._there()) and not self.low
        if required and not found:
            raise OSError("no devices")
        return found

    def readbit(self):
        self._clock.pass_us(65)
        levels = [chip.read() for chip in self._there()]
        return 0 if self.low else min(levels) if levels else 1

    def writebit(self, bit):
        self._clock.pass_us(65)
        for chip in self._there():
            chip.write(0 if self.low else bit)

    def readbyte(self):
        value = 0
        for bit in range(8):
            value |= self.readbit() << bit
        return value

    def readinto(self, buffer):
        for i in range(len(buffer)):
            buffer[i] = self.readbyte()

    def writebyte(self, value):
        for bit in range(8):
            self.writebit(value >> bit & 1)

    def write(self, data):
        for byte in data:
            self.writebyte(byte)

    def select_rom(self, rom):
        self.reset()
        self.writebyte(0x55)
        self.write(rom)

    def scan(self):
        """All numbers, by the search of the data sheet: at each bit the number and its complement are read."""
        found, branches = [], [[]]
        while branches:
            path = branches.pop()
            self.reset()
            self.writebyte(0xF0)
            for at in range(64):
                bit, complement = self.readbit(), self.readbit()
                if bit and complement:
                    break
                if at == len(path):
                    if not bit and not complement:
                        branches.append(path + [1])
                    path.append(bit)
                self.writebit(path[at])
            else:
                found.append(bytes(sum(path[8 * i + j] << j for j in range(8)) for i in range(8)))
        return found
