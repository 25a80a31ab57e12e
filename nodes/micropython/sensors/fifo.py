"""What chips with a FIFO share: it is emptied into the caller's buffer, and loses nothing in silence."""

from . import Chip, SelfTestError, WrongChipError


class Fifo(Chip):
    """A driver offers `_registers` and the methods without a body below, and sets what stands first."""

    _big_endian = False
    _top = 32767  # the highest value that the chip writes, left-justified in 16 bits
    _frames_a_read = 1

    def __init__(self, registers, clock, who_register, who):
        super().__init__(clock)
        self._registers = registers
        self._who_register = who_register
        self._who = who
        self._three = bytearray(6)
        self._bytes = bytearray(2 * self.channels * self._frames_a_read)
        self._view = memoryview(self._bytes)

    def _level(self):
        """How many frames are there, and whether some have been lost."""
        raise NotImplementedError

    def _fetch(self, raw):
        """So many bytes of whole frames."""
        raise NotImplementedError

    def _empty(self):
        """The FIFO, emptied, takes from here on."""
        raise NotImplementedError

    def check(self):
        """Whether it says the right name."""
        who = self._registers.read(self._who_register)
        if who != self._who:
            raise WrongChipError("who am I: 0x%02x, not 0x%02x" % (who, self._who))

    def read(self, buffer):
        """Frames into `buffer`: see sensors."""
        frames, lost = self._level()
        if lost:
            self.overrun = True
            self._empty()
            return 0
        frames = min(frames, len(buffer) // self.channels)
        done = 0
        while done < frames:
            count = min(frames - done, self._frames_a_read)
            raw = self._view[: 2 * self.channels * count]
            self._fetch(raw)
            self._unpack(raw, buffer, done * self.channels)
            done += count
        if frames and self._level()[1]:  # it ran over before it was emptied: frames are missing, or cut in two
            self.overrun = True
            self._empty()
            return 0
        return frames

    def _unpack(self, raw, out, at):
        high, low = (0, 1) if self._big_endian else (1, 0)
        top = self._top
        for i in range(0, len(raw), 2):
            value = raw[i + high] << 8 | raw[i + low]
            if value > 32767:
                value -= 65536
            if value >= top:
                value = 32767
                self.saturated += 1
            elif value == -32768:
                self.saturated += 1
            out[at] = value
            at += 1

    def _mean(self, first, readings, period_ms):
        """Of so many readings of three axes, for self-tests."""
        sums = [0, 0, 0]
        high, low = (0, 1) if self._big_endian else (1, 0)
        for _ in range(readings):
            self.clock.sleep_ms(period_ms)
            self._registers.read_into(first, self._three)
            for axis in range(3):
                value = self._three[2 * axis + high] << 8 | self._three[2 * axis + low]
                sums[axis] += value - 65536 if value > 32767 else value
        return [(2 * total + readings) // (2 * readings) for total in sums]


def within(moved, limits):
    """Whether each axis has moved by what its limits allow: (axis, least, most)."""
    for (axis, least, most), by in zip(limits, moved):
        if not least <= by <= most:
            raise SelfTestError("%s moved by %d, not by %d to %d" % (axis, by, least, most))
