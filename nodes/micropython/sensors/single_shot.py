"""What chips without a FIFO share: one measurement after another, each begun when it is due, none waited for."""

from . import Chip, NoAnswerError


class SingleShot(Chip):
    """A driver offers the methods without a body below, and `_longest_ms`: a measurement, by the data sheet.

    `read` takes a measurement that is over and begins one that is due. One that is a whole period late is lost: an
    overrun, since nobody looked at the right time.
    """

    _longest_ms = 1

    def _begin(self):
        """Starts a measurement."""
        raise NotImplementedError

    def _done(self):
        """Whether it is over."""
        raise NotImplementedError

    def _take(self, out):
        """Puts its frame into `out`."""
        raise NotImplementedError

    def start(self, rate_millihz):
        """At that rate, or at the highest that leaves time for the measurements."""
        self._period_ms = max(1_000_000 // rate_millihz, self._longest_ms + 1)
        self._due = self.clock.ticks_ms()
        self._began = None
        return self._started(1_000_000 // self._period_ms)

    def wait_ms(self, frames):
        """Until `read` has something to do for that many."""
        now = self.clock.ticks_ms()
        ahead = (frames - 1) * self._period_ms
        if self._began is None:
            return ahead + max(self.clock.ticks_diff(self._due, now), 0)
        rest = self._longest_ms - self.clock.ticks_diff(now, self._began)
        return ahead + max(rest, self._longest_ms // 4) + 1

    def read(self, buffer):
        """See sensors."""
        clock = self.clock
        frames = 0
        rest = buffer
        while len(rest) >= self.channels:
            if self._began is None:
                late = clock.ticks_diff(clock.ticks_ms(), self._due)
                if late < 0:
                    break
                if late >= self._period_ms:
                    self.overrun = True
                    self._due = clock.ticks_ms()
                self._begin()
                self._began = clock.ticks_ms()
                self._due = clock.ticks_add(self._due, self._period_ms)
            if not self._done():
                took_ms = clock.ticks_diff(clock.ticks_ms(), self._began)
                if took_ms > 2 * self._longest_ms + 1:
                    raise NoAnswerError("a measurement has not ended in %d ms" % took_ms)
                break
            self._began = None
            self._take(rest)
            frames += 1
            rest = memoryview(rest)[self.channels :]
        return frames
