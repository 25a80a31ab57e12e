"""machine.ADC and machine.I2S with a microphone at them."""


class ADC:
    """`signal(seconds)`: volts. 12 bits over `volts`, which read_u16 spreads over 16."""

    def __init__(self, clock, signal, volts=3.3, takes_us=40):
        self._clock = clock
        self._signal = signal
        self._volts = volts
        self._takes_us = takes_us

    def read_u16(self):
        self._clock.pass_us(self._takes_us)
        code = int(self._signal(self._clock.now_us / 1e6) / self._volts * 4096)
        code = max(0, min(4095, code))
        return code << 4 | code >> 8


class I2S:
    """A receiver, mono, whose ring of `ibuf` bytes drops what comes when it is full.

    `signal(n)`: sample n since the microphone has woken, of 24 bits; `wake_ms`: until then it sends zeros.
    """

    def __init__(self, clock, signal, rate=16_000, bits=16, ibuf=16_000, wake_ms=256, slow_ppm=0):
        self._clock = clock
        self._signal = signal
        self._hz = rate * (1 - slow_ppm / 1e6)
        self._wake = rate * wake_ms // 1000
        self._bytes = bits // 8
        self._room = ibuf // self._bytes
        self._began_us = clock.now_us
        self._read = 0  # number of the sample that is read next
        self._held = []  # stretches (first, behind the last) that lie in the ring
        self._gathered = 0
        self.dropped = 0
        self.closed = False

    def _gather(self):
        now = int((self._clock.now_us - self._began_us) * self._hz / 1e6)
        held = sum(end - first for first, end in self._held)
        keep = min(now - self._gathered, self._room - held)
        if keep > 0:
            self._held.append((self._gathered, self._gathered + keep))
        self.dropped += now - self._gathered - keep
        self._gathered = now

    def readinto(self, buffer):
        if self.closed:
            raise OSError(5)
        want = len(buffer) // self._bytes
        done = 0
        while done < want:
            self._gather()
            if not self._held:
                missing = want - done
                self._clock.pass_us(int(missing * 1e6 / self._hz) + 1)
                continue
            first, end = self._held.pop(0)
            take = min(end - first, want - done)
            if first + take < end:
                self._held.insert(0, (first + take, end))
            for number in range(first, first + take):
                value = int(self._signal(number - self._wake)) if number >= self._wake else 0
                value = max(-(1 << 23), min((1 << 23) - 1, value)) & 0xFFFFFF
                at = done * self._bytes
                word = value << 8 if self._bytes == 4 else value >> 8
                for i in range(self._bytes):
                    buffer[at + i] = word >> 8 * i & 0xFF
                done += 1
        return len(buffer)

    def deinit(self):
        self.closed = True
