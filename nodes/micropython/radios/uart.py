"""A wire to the gateway: frames as nodes/wire/SPEC.md has them under "Links"."""

import time

from stethos.frame import Decoder, encode

from . import RadioError

_POLL_MS = 2


class Radio:
    """`uart`: a machine.UART, or what has its `any`, `read` and `write`."""

    link_dbm = None

    def __init__(self, uart, clock=None):
        self._uart = uart
        self._clock = clock or time
        self._decoder = Decoder()
        self._waiting = []

    @property
    def dropped(self):
        """What came and was no envelope, by name."""
        return self._decoder.dropped

    def open(self):
        self._uart.write(b"\0")  # whatever noise there was ends here

    def send(self, envelope):
        line = encode(envelope)
        if self._uart.write(line) != len(line):
            raise RadioError("the line takes no more")

    def receive(self, wait_ms):
        start = self._clock.ticks_ms()
        while not self._waiting:
            if self._uart.any():
                self._waiting = self._decoder.push(self._uart.read() or b"")
            elif self._clock.ticks_diff(self._clock.ticks_ms(), start) >= wait_ms:
                return None
            else:
                self._clock.sleep_ms(_POLL_MS)
        return self._waiting.pop(0)

    def close(self):
        return b""
