"""A whole wake of the glue, with a sensor and a line that answer at once: prints the microseconds of each phase.

Arguments: feature set, samples of each of three axes, the file for what sleep keeps (the first wake makes it; -: none),
and how many windows to learn from if it learns. What is not here is what only a board has: sampling, the radio.
"""

import gc
import sys
import time

START = time.ticks_us()
gc.threshold(4096)

from stethos import native  # noqa: E402, F401 (first)

SET, SAMPLES, KEPT = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
LEARN = int(sys.argv[4]) if len(sys.argv) > 4 else 0
import judges  # noqa: E402
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
    channels, most_frames, overrun, saturated, clock, units = 3, 32, False, 0, Clock(), ("16384/g",) * 3

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

    def __init__(self):
        self.files = {}
        try:
            with open(KEPT, "rb") as file:
                while name := file.readline():
                    self.files[name[:-1].decode()] = file.read(int(file.readline()))
        except OSError:
            ceiling.provision(self)

    def now_ms(self):
        return time.time_ns() // 1000000

    def retained(self):
        return self.load("memory") or b""

    def retain(self, data):
        self.save("memory", bytes(data))

    def load(self, name):
        return self.files.get(name)

    def save(self, name, data):
        self.files[name] = data
        return True

    def read(self, slot):
        return self.load("ceiling.%d" % slot)

    def write(self, slot, record):
        return self.save("ceiling.%d" % slot, record)

    def restarts(self):
        return 1

    def reset_cause(self):
        return 0

    def battery_mv(self):
        return 3000

    def temperature_cdeg(self):
        return None

    def alerts(self, on):
        return None

    def fall_asleep(self):
        if KEPT != "-":
            with open(KEPT, "wb") as file:
                for name, data in self.files.items():
                    file.write(b"%s\n%d\n" % (name.encode(), len(data)))
                    file.write(data)


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
values = {"hardware": "bench", "sensor": None, "radio": None, "feature_set": SET, "samples": SAMPLES, "window_every": 1,
          "learn": {"windows": LEARN} if LEARN else None}  # fmt: skip
board, radio, settings = Board(), Radio(), Settings(values)
phase("files")
judge = judges.make(settings, Sensor.channels, board)
node = Node(settings, b"\1\2\3\4", bytes(range(16)), board, Sensor(), lambda remembered: radio, judge)
phase("begin")


def judged(samples, features, judge=node._judge):
    phase("features")
    judge(samples, features)
    phase("judge")


node._judge = judged
node.step()
phase("sleep")
assert radio.sent
board.fall_asleep()
PHASES.pop("files")
print(PHASES)
