"""Numbers that never repeat, through any reset and any torn write (nodes/wire/SPEC.md, "Numbers that never repeat").

Durable storage holds a ceiling above every number used so far, in a record that alternates between two slots. A number
is handed out only below the durable ceiling. What else must survive a reset lies in the same record.

The storage has `read(slot)`: its bytes, or None; and `write(slot, record)`: True once it is durable. A write that is
cut short may leave anything in its own slot and nothing in the other.
"""

import struct
from binascii import crc32

from micropython import const

_BLOCK = const(1024)
_VERSION = const(1)
_MOST = const(0xFFFFFFFF)
_LAYOUT = const("<7IHBBI")  # little-endian, and a CRC-32 of all of it behind
_FIELDS = (
    "write",  # counts the writes: the higher of two valid slots is the newer
    "partial_iv_ceiling",
    "seq_ceiling",
    "seq_unused",  # no seq from here on had been used when this was written
    "last_command",
    "heartbeat_ms",  # as commanded; 0: as built
    "wake_ms",  # as commanded; 0: as built
    "epoch",
    "last_result",
    "version",
    "down_unused",  # no partial IV below this is taken downward, under `epoch`
)


def _pack(record):
    data = struct.pack(_LAYOUT, *[record[name] for name in _FIELDS])
    return data + struct.pack("<I", crc32(data))


def _unpack(data):
    """A record, or None if it is none."""
    size = struct.calcsize(_LAYOUT)
    if data is None or len(data) != size + 4 or struct.unpack("<I", data[size:])[0] != crc32(data[:size]):
        return None
    record = dict(zip(_FIELDS, struct.unpack(_LAYOUT, data[:size])))
    return record if record["version"] == _VERSION else None


def _raised(number):
    return min(number + _BLOCK, _MOST)


def provision(storage):
    """Both slots are written anew, all numbers start at 0. Only ever together with a key never used before."""
    record = dict.fromkeys(_FIELDS, 0)
    record["version"] = _VERSION
    first = storage.write(0, _pack(record))
    record["write"] = 1
    return first and storage.write(1, _pack(record))


class NoRecordError(Exception):
    """No slot is valid: the node must not send, and needs a new key."""


class Ceiling:
    """After a reset. `record` is what is durable, by the names above; `next_partial_iv` and `next_seq` come next.

    `skipped`: numbers before the first seq since the reset that were perhaps never used.
    """

    def __init__(self, storage):
        """NoRecordError if no slot is valid."""
        self._storage = storage
        found = [_unpack(storage.read(slot)) for slot in (0, 1)]
        # A slot that is broken, or blank, may have been written whole, been used, and rotted or been erased since: it
        # was one block ahead at most.
        self._heal = None in found  # the next write goes to both
        if found == [None, None]:
            raise NoRecordError
        if self._heal:
            self._slot = found.index(None) ^ 1
        else:
            self._slot = 1 if 0 < (found[1]["write"] - found[0]["write"] & _MOST) < 1 << 31 else 0
        self.record = record = found[self._slot]
        if self._heal:
            for name in ("partial_iv_ceiling", "seq_ceiling"):
                record[name] = _raised(record[name])
        self.next_partial_iv, self.next_seq = record["partial_iv_ceiling"], record["seq_ceiling"]
        self.skipped = self.next_seq - record["seq_unused"]

    def _keep_once(self, changes):
        record = dict(self.record)
        record.update(changes)
        record["write"] = self.record["write"] + 1 & _MOST
        record["seq_unused"] = self.next_seq
        if not self._storage.write(self._slot ^ 1, _pack(record)):
            return False
        self.record = record
        self._slot ^= 1
        return True

    def keep(self, **changes):
        """Makes these fields of the record durable. False: the old ones stand."""
        if not self._keep_once(changes):
            return False
        if self._heal:  # never leave one slot more than a block below the other
            self._heal = not self._keep_once({})
        return True

    def _take(self, number, ceiling):
        """True if `number` may be used."""
        if self.exhausted():
            return False
        return number < ceiling or self.keep(
            partial_iv_ceiling=_raised(self.next_partial_iv), seq_ceiling=_raised(self.next_seq)
        )

    def take_partial_iv(self):
        """The next number, or None: it could not be made durable or there is none left; nothing may be sent."""
        number = self.next_partial_iv
        if not self._take(number, self.record["partial_iv_ceiling"]):
            return None
        self.next_partial_iv += 1
        return number

    def take_seq(self):
        """The next number, or None, as above."""
        number = self.next_seq
        if not self._take(number, self.record["seq_ceiling"]):
            return None
        self.next_seq += 1
        return number

    def exhausted(self):
        """True if a number has reached its end: the node must not send, and needs a new key."""
        return _MOST in (self.next_partial_iv, self.next_seq)

    def settle(self):
        """An orderly stop: lowers the ceilings to what was used, so that the next start skips nothing."""
        return self.keep(partial_iv_ceiling=self.next_partial_iv, seq_ceiling=self.next_seq)
