"""Time as MicroPython's module `time` has it, and it passes only when somebody sleeps or a bus is busy."""

_PERIOD = 1 << 30


class Clock:
    """Begins shortly before the ticks wrap round, so that whoever subtracts them meets it."""

    def __init__(self, before_wrap_ms=700):
        self.now_us = (_PERIOD - before_wrap_ms) * 1000
        self.slept_ms = 0

    def sleep_ms(self, ms):
        self.now_us += ms * 1000
        self.slept_ms += ms

    def sleep_us(self, us):
        self.now_us += us

    def pass_us(self, us):
        """What a bus or a converter takes."""
        self.now_us += us

    def ticks_ms(self):
        return self.now_us // 1000 % _PERIOD

    def ticks_us(self):
        return self.now_us % _PERIOD

    def ticks_add(self, ticks, delta):
        return (ticks + delta) % _PERIOD

    def ticks_diff(self, end, start):
        return (end - start + _PERIOD // 2) % _PERIOD - _PERIOD // 2
