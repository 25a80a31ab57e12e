"""A digital microphone at an I2S (ICS-43434, INMP441, SPH0645 and others): sound level.

The first two are 26 dB below a sine of full scale at 94 dB, so such a sine is 120 dB: `full_scale_cdb`. Of their 24
bits the upper 16 are used, whose rounding is below their own noise, 87 dB below full scale.
"""

from . import Chip, NoAnswerError
from .sound_level import Meter

_SETTLE_MS = 300  # INMP441: 2^18 cycles of its clock, which is 64 times the rate; 256 ms at 16 kHz
_BLOCKED_MS = 2


class Sensor(Chip):
    """`open_i2s(rate, bits, ibuf)`: makes the machine.I2S, mono; the last three are its own names.

    It is made at start and given back at sleep, because the microphone sleeps when its clock stops.
    """

    channels = 1
    units = ("100/dB",)

    def __init__(self, open_i2s, rate_hz=16_000, bits=16, ibuf_ms=500, full_scale_cdb=12_000, clock=None):
        super().__init__(clock)
        if bits not in (16, 32):
            raise ValueError("bits: 16 or 32")
        self._open = open_i2s
        self._i2s = None
        self._rate_hz = rate_hz
        self._sample = bits // 8
        self._ibuf_ms = ibuf_ms
        self._full_scale_cdb = full_scale_cdb
        self._bytes = bytearray(512)
        self._view = memoryview(self._bytes)
        self._meter = Meter()

    def check(self):
        """Its data line moves: 16 bits of a microphone are never all the same."""
        self._switch_on()
        try:
            self._read(len(self._bytes) // self._sample)
            raw = self._bytes
            if all(raw[i] == raw[i - self._sample] for i in range(self._sample, len(raw))):
                raise NoAnswerError("its data line stays at 0x%02x%02x" % (raw[-1], raw[-2]))
        finally:
            self.sleep()

    def start(self, rate_millihz):
        """So many levels a second, of all the sound in between."""
        self._block = self._rate_hz * 1000 // rate_millihz
        if self._block * 1000 > self._rate_hz * self._ibuf_ms:
            raise ValueError("ibuf_ms does not hold one level")
        self.most_frames = self._rate_hz * self._ibuf_ms // (1000 * self._block)
        self._switch_on()
        self._synchronise()
        return self._started(self._rate_hz * 1000 // self._block)

    def _switch_on(self):
        self.sleep()
        try:
            ibuf = self._rate_hz * self._ibuf_ms // 1000 * self._sample
            self._i2s = self._open(rate=self._rate_hz, bits=8 * self._sample, ibuf=ibuf)
        except OSError as error:
            raise NoAnswerError("I2S: %r" % error) from None
        self._drop(_SETTLE_MS)

    def _drop(self, ms):
        samples = self._rate_hz * ms // 1000
        most = len(self._bytes) // self._sample
        while samples > 0:
            samples -= self._read(min(samples, most))

    def _read(self, samples):
        """That many into `_bytes`; waits for them."""
        want = samples * self._sample
        if self._i2s.readinto(self._view[:want]) != want:
            raise NoAnswerError("I2S gives nothing")
        return samples

    def _synchronise(self):
        """All that there was has been read as of now."""
        self._since = self.clock.ticks_ms()
        self._taken = 0

    def _there(self):
        """Samples that should have gathered since then."""
        return self.clock.ticks_diff(self.clock.ticks_ms(), self._since) * self._rate_hz // 1000 - self._taken

    def read(self, buffer):
        """See sensors. The I2S does not tell when it has lost something: whoever comes later than it can hold has."""
        frames = 0
        if self._there() > self._rate_hz * self._ibuf_ms // 1000:
            self.overrun = True
            self._drop(self._ibuf_ms)
            self._synchronise()
            return 0
        while frames < len(buffer) and self._there() >= self._block:
            level = self._level()
            if level is None:
                self.saturated += 1
            buffer[frames] = 32767 if level is None else level
            frames += 1
        return frames

    def _level(self):
        left = self._block
        most = len(self._bytes) // self._sample
        while left:
            before = self.clock.ticks_ms()
            count = self._read(min(left, most))
            if self.clock.ticks_diff(self.clock.ticks_ms(), before) >= _BLOCKED_MS:
                self._synchronise()  # its clock is the slower one, and all there was has been read
            else:
                self._taken += count
            self._meter.add(self._view[: count * self._sample], self._sample)
            left -= count
        return self._meter.take(self._full_scale_cdb)

    def sleep(self):
        """Without a clock the microphone sleeps."""
        if self._i2s is not None:
            self._i2s.deinit()
            self._i2s = None
