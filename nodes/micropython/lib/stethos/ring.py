"""The ring of messages that the gateway has not acknowledged, oldest first; bounded, and kept through sleep.

A message lies here without its age, which is encoded anew at every transmission. When there is no room the oldest are
given up and counted.
"""

import struct

from micropython import const

from . import age, codec

_HEAD = const("<QIHHBB")  # when it happened, seq, bytes of the rest, transmissions, type, head of the array
_SIZE = struct.calcsize(_HEAD)
_SENDS_AT = const(14)
_AROUND_DATA = const(32)  # bytes of a message, more than any has beside its data
_AT_MS = const(0)
_SEQ = const(1)
_N = const(2)
_SENDS = const(3)
_TYPE = const(4)
_ARRAY = const(5)


class Ring:
    """`data` (a bytearray) is all there is to keep, with the count `dropped`; it never has more than `size` bytes."""

    def __init__(self, size, data=b"", dropped=0):
        self.size = size
        self.data = bytearray(data)
        self.dropped = dropped

    def _entry(self, at):
        return struct.unpack_from(_HEAD, self.data, at)

    def _end(self, at):
        return at + _SIZE + self._entry(at)[_N]

    def _take_out(self, at):
        self.data = self.data[:at] + self.data[self._end(at) :]

    def add(self, kind, seq, at_ms, array):
        """`array` is the message's, with the low 16 bits of `seq` and an age of 0. It happened at `at_ms` of the
        node's clock. Returns how many older messages were given up for it.
        """
        rest = array[1 + len(codec.head(0, seq & 0xFFFF)) + 1 :]
        dropped = 0
        while len(self.data) + _SIZE + len(rest) > self.size:
            self._take_out(0)
            dropped += 1
        self.data += struct.pack(_HEAD, at_ms, seq, len(rest), 0, kind, array[0]) + rest
        self.dropped += dropped
        return dropped

    def has_room(self, n):
        """For a message with `n` bytes of data, and nothing is given up for it."""
        return len(self.data) + _SIZE + n + _AROUND_DATA <= self.size

    def __iter__(self):
        """The place of each entry, oldest first. Nothing may be added or acknowledged meanwhile."""
        at = 0
        while at < len(self.data):
            yield at
            at = self._end(at)

    def at_ms(self, at):
        return self._entry(at)[_AT_MS]

    def kind(self, at):
        return self._entry(at)[_TYPE]

    def seq(self, at):
        return self._entry(at)[_SEQ]

    def sends(self, at):
        return self._entry(at)[_SENDS]

    def message(self, at, now_ms):
        """The plaintext of an entry, with its age now."""
        entry = self._entry(at)
        old = age.encode(max(now_ms - entry[_AT_MS], 0))
        start = bytes((entry[_TYPE], entry[_ARRAY])) + codec.head(0, entry[_SEQ] & 0xFFFF) + codec.head(0, old)
        return start + self.data[at + _SIZE : self._end(at)]

    def sent(self, at):
        """Counts one more transmission of an entry."""
        struct.pack_into("<H", self.data, at + _SENDS_AT, min(self.sends(at) + 1, 0xFFFF))

    def acknowledge(self, base, bitmap):
        """Takes out `base`, and base + 1 + i for every bit i of `bitmap`. Returns how many that were."""
        count = at = 0
        while at < len(self.data):
            after = self.seq(at) - base & 0xFFFF
            if after == 0 or (after <= 32 and bitmap >> after - 1 & 1):
                self._take_out(at)
                count += 1
            else:
                at = self._end(at)
        return count
