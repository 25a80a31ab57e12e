"""A whole wake of the glue, with a sensor and a line that answer at once: prints the microseconds of each phase.

Arguments: feature set, samples of each of three axes. What is not here is what only a board has: sampling, the radio.
"""

import gc
import sys
import time

START = time.ticks_us()
gc.threshold(4096)

from stethos import native  # noqa: E402, F401 (first)

SET, SAMPLES = int(sys.argv[1]), int(sys.argv[2])
__import__("stethos.features_" + ("statistics", "invariant", "slow")[SET - 1])
from judges import Nobody  # noqa: E402
from node import Node  # noqa: E402
from settings import Settings  # noqa: E402
from stethos import ceiling  # noqa: E402

PHASES = {}
last = START


def phase(name):
    global last
    now = time.ticks_us()
    PHASES[name] = PHASES.get(name, 0) + time.ticks_diff(now, last)
    last = now


class Clock:
    """Nobody waits for samples here."""

    def sleep_ms(self, ms):
        pass


class Sensor:
    channels, most_frames, overrun, saturated, clock = 3, 32, False, 0, Clock()

    def start(self, rate_millihz):
        self._next = 0
        return rate_millihz

    def wait_ms(self, frames):
        return 0

    def read(self, out):
        frames = min(len(out) // 3, 32)
        for i in range(3 * frames):
            out[i] = (self._next + i) * 7919 % 2003 - 1001
        self._next += 3 * frames
        return frames

    def sleep(self):
        phase("sample")


class Board:
    firmware, retained_max = "bench", 2048
    slots, memory = [b"", b""], b""

    def now_ms(self):
        return time.ticks_ms()

    def retained(self):
        return self.memory

    def retain(self, data):
        self.memory = data

    def read(self, slot):
        return self.slots[slot]

    def write(self, slot, record):
        self.slots[slot] = record
        return True

    def restarts(self):
        return 1

    def reset_cause(self):
        return 0

    def battery_mv(self):
        return 3000

    def temperature_cdeg(self):
        return None


class Radio:
    link_dbm = None
    sent = 0

    def open(self):
        phase("report")

    def send(self, envelope):
        phase("seal")
        self.sent += 1

    def receive(self, wait_ms):
        return None

    def close(self):
        phase("listen")
        return b""


phase("import")
values = {"hardware": "bench", "sensor": None, "radio": None, "feature_set": SET, "samples": SAMPLES, "window_every": 1}
board, radio = Board(), Radio()
ceiling.provision(board)
for _ in range(2):  # the first says a Birth, the second is as all others
    sent = radio.sent
    PHASES = {"import": PHASES["import"]}
    last = time.ticks_us()
    node = Node(Settings(values), b"\1\2\3\4", bytes(range(16)), board, Sensor(), lambda remembered: radio, Nobody())
    phase("begin")
    compute, wait = node._judge, node._fall_asleep

    def judged(samples, compute=compute):
        compute(samples)
        phase("features")

    node._judge = judged
    node.step()
    phase("sleep")
assert radio.sent > sent
print(PHASES)
