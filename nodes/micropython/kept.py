"""What survives sleep: a few numbers, the news that nobody has acknowledged, and what the radio remembers.

Sealed with a checksum when the node goes to sleep. While it is awake nothing is there: after a reset in between it must
not go on from numbers that were used.
"""

import struct
from binascii import crc32

from stethos.ring import Ring

_FIELDS = (
    # The talk: stethos/ceiling.py, stethos/envelope.py, stethos/clock.py
    ("next_partial_iv", "I"), ("next_seq", "I"), ("skipped", "I"),
    ("down_newest", "q"), ("down_below", "Q"), ("epoch", "H"),
    ("local_ms", "Q"), ("gateway_ms", "Q"), ("fast_ppm", "i"), ("clock_started", "B"),
    ("ring_dropped", "I"), ("resend_at_wake", "I"), ("silence", "B"),
    # The schedule
    ("booted_ms", "Q"), ("wake_due_ms", "Q"), ("health_due_ms", "Q"), ("birth_due", "B"),
    # The machine
    ("standing", "B"), ("standing_for", "I"), ("last_score", "B"), ("noticed", "B"), ("deferring", "B"),
    ("battery_load_mv", "H"), ("collect", "H"), ("window_number", "I"),
    ("alert_anomalous", "B"), ("alert_normal", "B"), ("alert_on", "B"), ("alert_acknowledged", "B"),
    # Counted, for Health
    ("wakes", "I"), ("windows", "I"), ("flags", "I"), ("resends", "I"), ("unnumbered", "I"), ("refused", "I"),
    ("deferred", "I"),
    # pC by activity, and since when which
    ("asleep_pc", "Q"), ("sensing_pc", "Q"), ("computing_pc", "Q"), ("radiating_pc", "Q"), ("since_ms", "Q"),
    ("activity", "B"),
)  # fmt: skip
_LAYOUT = "<" + "".join([code for _, code in _FIELDS]) + "BHH"
_HEAD = struct.calcsize(_LAYOUT)
_CRC = 4
REMEMBERED_MAX = 32  # radios/__init__.py
JUDGE_MAX = 64


class Kept:
    """Attributes by the names above; `ring`; `radio`, `judge`: bytes that only the radio and the judge understand."""

    def __init__(self, room):
        """All 0. `room`: bytes of the memory that keeps it."""
        for name, _ in _FIELDS:
            setattr(self, name, 0)
        self.down_newest = -1
        self.radio = self.judge = b""
        self.ring = Ring(room - _HEAD - REMEMBERED_MAX - JUDGE_MAX - _CRC)

    def seal(self, key):
        """The bytes that sleep keeps. `key`: of this node; under another what is in them is worth nothing."""
        assert len(self.radio) <= REMEMBERED_MAX and len(self.judge) <= JUDGE_MAX
        self.ring_dropped = self.ring.dropped
        values = [getattr(self, name) for name, _ in _FIELDS]
        sizes = len(self.radio), len(self.judge), len(self.ring.data)
        data = struct.pack(_LAYOUT, *(values + list(sizes))) + self.radio + self.judge + self.ring.data
        return data + struct.pack("<I", crc32(key, crc32(data)))


def unseal(data, key, room):
    """What a node left there when it went to sleep, or None."""
    if len(data) < _HEAD + _CRC or struct.unpack("<I", data[-_CRC:])[0] != crc32(key, crc32(data[:-_CRC])):
        return None
    *values, radio, judge, ring = struct.unpack(_LAYOUT, data[:_HEAD])
    if len(data) != _HEAD + radio + judge + ring + _CRC:
        return None
    kept = Kept(room)
    for (name, _), value in zip(_FIELDS, values):
        setattr(kept, name, value)
    kept.radio = bytes(data[_HEAD : _HEAD + radio])
    kept.judge = bytes(data[_HEAD + radio : _HEAD + radio + judge])
    kept.ring = Ring(kept.ring.size, data[_HEAD + radio + judge : -_CRC], kept.ring_dropped)
    return kept
