"""What survives sleep: a few numbers, the news that nobody has acknowledged, and what radio and judge remember.

Sealed with a checksum when the node goes to sleep. While it is awake nothing is there: after a reset in between it must
not go on from numbers that were used.
"""

import gc
import struct
import sys
from binascii import crc32

from stethos.ring import Ring

_FIELDS = (
    # The talk: stethos/ceiling.py, stethos/envelope.py, stethos/clock.py
    "next_partial_iv:I next_seq:I skipped:I down_newest:q down_below:Q epoch:H "
    "local_ms:Q gateway_ms:Q fast_ppm:i clock_started:B ring_dropped:I resend_at_wake:I silence:B "
    # The schedule
    "booted_ms:Q wake_due_ms:Q health_due_ms:Q birth_due:B learner_due_ms:Q "
    # The machine
    "standing:B standing_for:I last_score:B similarity:B noticed:B hindered:B deferring:B "
    "battery_load_mv:H link_dbm:b collect:H window_number:I "
    "alert_anomalous:B alert_normal:B alert_on:B alert_acknowledged:B "
    # Counted, for Health
    "wakes:I windows:I flags:I resends:I unnumbered:I refused:I deferred:I "
    # pC by activity, and since when which
    "asleep_pc:Q sensing_pc:Q computing_pc:Q radiating_pc:Q since_ms:Q activity:B"
)
_CRC = 4
REMEMBERED_MAX = 32  # radios/__init__.py


def forget(*beginnings):
    """Modules whose names begin so have done their part of a wake: their room is for what comes next."""
    for name in [name for name in sys.modules if any(name.startswith(beginning) for beginning in beginnings)]:
        package, _, last = name.rpartition(".")
        if package in sys.modules and hasattr(sys.modules[package], last):
            delattr(sys.modules[package], last)
        del sys.modules[name]
    gc.collect()


def _layout():
    """Of all numbers, and the bytes of radio, judge and ring."""
    return "<" + "".join([field[-1] for field in _FIELDS.split()]) + "BHH"


class Kept:
    """Attributes by the names above; `ring`; `radio`, `judge`: bytes that only the radio and the judge understand."""

    def __init__(self, room, judge_room=0):
        """All 0. `room`: bytes of the memory that keeps it; `judge_room`: of those, how many are the judge's."""
        for field in _FIELDS.split():
            setattr(self, field[:-2], 0)
        self.down_newest = -1
        self.radio = self.judge = b""
        self.judge_room = judge_room
        self.ring = Ring(room - struct.calcsize(_layout()) - REMEMBERED_MAX - judge_room - _CRC)

    def seal(self, key):
        """The bytes that sleep keeps. `key`: of this node; under another what is in them is worth nothing."""
        assert len(self.radio) <= REMEMBERED_MAX and len(self.judge) <= self.judge_room
        self.ring_dropped = self.ring.dropped
        values = [getattr(self, field[:-2]) for field in _FIELDS.split()]
        values += [len(self.radio), len(self.judge), len(self.ring.data)]
        data = struct.pack(_layout(), *values) + self.radio + self.judge + self.ring.data
        return data + struct.pack("<I", crc32(key, crc32(data)))


def unseal(data, key, room, judge_room=0):
    """What a node left there when it went to sleep, or None."""
    head = struct.calcsize(_layout())
    if len(data) < head + _CRC or struct.unpack("<I", data[-_CRC:])[0] != crc32(key, crc32(data[:-_CRC])):
        return None
    *values, radio, judge, ring = struct.unpack(_layout(), data[:head])
    kept = Kept(room, judge_room)
    if len(data) != head + radio + judge + ring + _CRC or judge > judge_room or ring > kept.ring.size:
        return None  # of other settings
    for field, value in zip(_FIELDS.split(), values):
        setattr(kept, field[:-2], value)
    kept.radio = bytes(data[head : head + radio])
    kept.judge = bytes(data[head + radio : head + radio + judge])
    kept.ring = Ring(kept.ring.size, data[head + radio + judge : -_CRC], kept.ring_dropped)
    return kept
