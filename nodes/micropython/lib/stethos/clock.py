"""How fast the node's clock runs against the gateway's, from the time in its Acks; corrects how long the node sleeps.

Sleep clocks of microcontrollers are off by up to a tenth; a node that wakes late looks lost.
"""

from micropython import const

_BASELINE_MS = const(600000)  # shortest stretch to measure over: a tenth of a second of delay is then 170 ppm
_LONGEST_MS = 1 << 40
_LIMIT_PPM = const(100000)  # a difference beyond it is not drift, and is not corrected
_MILLION = const(1000000)


def _divide(a, b):
    """Towards zero, as C does."""
    return a // b if a >= 0 else -(-a // b)


class Clock:
    """`fast_ppm`: how much faster the node's clock runs, as last measured.

    `local_ms` and `gateway_ms` are one moment on both clocks: the start of the present stretch, if it was `started`.
    """

    def __init__(self, local_ms=0, gateway_ms=0, fast_ppm=0, started=False):
        self.local_ms, self.gateway_ms = local_ms, gateway_ms
        self.fast_ppm = fast_ppm
        self.started = started

    def compare(self, local_ms, gateway_ms):
        """It is `gateway_ms` at the gateway when it is `local_ms` here."""
        local, gateway = local_ms - self.local_ms, gateway_ms - self.gateway_ms
        known = self.started and local >= 0 and gateway >= 0
        if known and local < _BASELINE_MS:
            return
        if known and local < _LONGEST_MS and gateway < _LONGEST_MS:
            ppm = _divide((local - gateway) * _MILLION, local)
            if abs(ppm) <= _LIMIT_PPM:
                self.fast_ppm = ppm
        self.local_ms, self.gateway_ms, self.started = local_ms, gateway_ms, True

    def gateway(self, local_ms):
        """How much time has passed at the gateway when `local_ms` have passed here."""
        rate = _MILLION - self.fast_ppm
        return local_ms // _MILLION * rate + local_ms % _MILLION * rate // _MILLION

    def local(self, ms):
        """How long to wait on the node's clock for `ms` to pass at the gateway."""
        return min(ms + _divide(ms * self.fast_ppm, _MILLION), 0xFFFFFFFF)
