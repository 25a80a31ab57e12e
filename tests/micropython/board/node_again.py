"""Wakes of the glue, each from what sleep and files kept: plays a JSON file's windows and what the gateway answered to
each frame, and prints the frames that it sends, in hex, one wake a line that begins with "wake".
"""

import json
import sys
from binascii import hexlify, unhexlify

import judges
from node import Node
from settings import Settings
from stethos import (
    ceiling,
    native,  # noqa: F401 (first)
)

with open(sys.argv[1]) as file:
    PLAY = json.load(file)


class Board:
    firmware, retained_max = "0", 2048

    def __init__(self):
        self.time_ms, self.memory, self.files, self.slots, self.writes = 0, b"", {}, [b"", b""], {}

    def now_ms(self):
        return self.time_ms

    def retained(self):
        return self.memory

    def retain(self, data):
        assert len(data) <= self.retained_max
        self.memory = data

    def read(self, slot):
        return self.slots[slot]

    def write(self, slot, record):
        self.slots[slot] = record
        return True

    def load(self, name):
        return self.files.get(name)

    def save(self, name, data):
        self.files[name] = data
        self.writes[name] = self.writes.get(name, 0) + 1
        return True

    def restarts(self):
        return 1

    def reset_cause(self):
        return 0

    def battery_mv(self):
        return 3012

    def temperature_cdeg(self):
        return None

    def alerts(self, on):
        return None


class Clock:
    def sleep_ms(self, ms):
        pass


class Sensor:
    """One window, all at once; or what keeps it from coming."""

    overrun, saturated, clock, most_frames = False, 0, Clock(), 1024

    def __init__(self, board, window, channels):
        self._board, self._window, self.channels, self.units = board, window, channels, ("",) * channels

    def start(self, rate_millihz):
        if isinstance(self._window, int):
            from sensors import SensorError  # anew in each wake, as the node has it

            raise SensorError
        return rate_millihz

    def wait_ms(self, frames):
        return 0

    def read(self, out):
        for i in range(len(out)):
            out[i] = self._window[i]
        self._board.time_ms += 100
        return len(out) // self.channels

    def sleep(self):
        pass


class Radio:
    """`answers`: to each frame in turn."""

    link_dbm = -71

    def __init__(self, board, answers):
        self._board, self._answers, self._inbox, self.sent = board, answers, [], []

    def open(self):
        pass

    def send(self, envelope):
        self.sent.append(hexlify(envelope).decode())
        self._inbox += self._answers.pop(0) if self._answers else []

    def receive(self, wait_ms):
        if self._inbox:
            return unhexlify(self._inbox.pop(0))
        self._board.time_ms += wait_ms
        return None

    def close(self):
        return b""


board = Board()
ceiling.provision(board)
settings, answers = Settings(PLAY["node"]), PLAY["answers"]
for i, window in enumerate(PLAY["windows"]):
    if i in PLAY.get("resets", ()):
        board.memory = b""
    if i in PLAY.get("spoils", ()):
        slots = ["learner.0", "learner.1"]
        newer = max(slots, key=lambda name: int.from_bytes(board.files[name][8:12], "little"))
        board.files[newer] = board.files[newer][:-9] + b"\xa5" + board.files[newer][-8:]
    radio = Radio(board, answers)
    judge = judges.make(settings, PLAY["channels"], board)
    sensor = Sensor(board, window, PLAY["channels"])
    node = Node(settings, unhexlify(PLAY["kid"]), unhexlify(PLAY["secret"]), board, sensor, lambda _: radio, judge)  # noqa: B023
    sleep_ms = node.step()
    print("wake", " ".join(radio.sent))
    board.time_ms += sleep_ms
print(json.dumps(board.writes), max(len(data) for data in board.files.values()) if board.files else 0)
