"""An analogue microphone at an ADC, biased to somewhere in its range (electret amplifiers, analogue MEMS): sound level.

A level is made of readings as fast as they go. They are not spaced evenly enough for a spectrum; for a level that does
not matter, and neither does what is above half their rate: its power is counted all the same.
"""

from . import NoAnswerError
from .single_shot import SingleShot
from .sound_level import Meter


class Sensor(SingleShot):
    """`adc`: has read_u16. `readings`: for each level. `full_scale_cdb`: what a sine that fills the range is."""

    channels = 1
    units = ("100/dB",)
    _longest_ms = 20

    def __init__(self, adc, readings=256, full_scale_cdb=0, clock=None):
        super().__init__(clock)
        self._adc = adc
        self._full_scale_cdb = full_scale_cdb
        self._meter = Meter()
        self._bytes = bytearray(2 * readings)

    def check(self):
        """What it says moves, and not at an end only."""
        readings = [self._adc.read_u16() for _ in range(64)]
        if min(readings) == max(readings):
            raise NoAnswerError("the input stays at %d" % readings[0])

    def _begin(self):
        pass

    def _done(self):
        return True

    def _take(self, out):
        read, raw = self._adc.read_u16, self._bytes
        for i in range(0, len(raw), 2):
            value = read() ^ 0x8000  # with the middle of the range as 0
            raw[i], raw[i + 1] = value & 0xFF, value >> 8
        self._meter.add(raw, 2)
        level = self._meter.take(self._full_scale_cdb)
        if level is None:
            self.saturated += 1
        out[0] = 32767 if level is None else level

    def sleep(self):
        """An ADC that is not read sleeps."""
