"""The learner: what is normal at this place (nodes/wire/SPEC.md, "Learner"). It is in C (native/README.md).

Its state has up to 4 KB, more than sleep keeps. So it lies in a file, in two slots that take turns; and what a window
moves that it did not learn from (counts, the means that follow) goes through sleep, 108 bytes and 8 a feature.

The file is written when a window was learned from, 240 times and a few more; after a command; and once a day while it
watches. Flash bears that: a write is two or three sectors of 4 KB, of which a file system with 1 MB wears 256 by turns,
each 100 000 times.
"""

import struct
from binascii import crc32

from micropython import const
from stethos import native

REFUSED = 2  # wire.cddl, `result`
_RELEARN = const(5)  # nodes/wire/SPEC.md, "Commands"
_FREEZE = const(6)
_THAW = const(7)
_ROLL_BACK = const(8)
_SENSITIVITY = const(9)
_HEAD = const(
    "<3sBBBHI"
)  # a mark, feature set, channels, average, nothing, number of the write; a CRC-32 is at the end
_MARK = const(b"SL1")
_HEAD_SIZE = const(12)
_CRC = const(4)
_NUMBER = const(4)
_DAY_MS = const(86400000)


def _number(data, form):
    """Of the write, if this is a slot of such a learner that is whole; else None."""
    if data is None or len(data) < _HEAD_SIZE + _CRC or data[: len(form)] != form:
        return None
    if struct.unpack("<I", data[-_CRC:])[0] != crc32(memoryview(data)[:-_CRC]):
        return None
    return struct.unpack(_HEAD, data[:_HEAD_SIZE])[-1]


class Learner:
    """`setup`: node.json's `learn`. `fault`: it cannot be had, and why has been printed."""

    room = 0
    fault = False

    def __init__(self, setup, feature_set, channels, board):
        self._board, self._it, self._number, self._changed = board, None, 0, False
        average = setup.get("average", 1)
        self._form = struct.pack(_HEAD, _MARK, feature_set, channels, average, 0, 0)[:-_NUMBER]
        if native.learner is None:
            print("learn: it needs the native module:", native.why or "this one has no learner")
            self.fault = True
            return
        self._setup = feature_set, channels, setup["windows"], average, setup.get("events_ppb", 0)
        self._read()
        self.room = _NUMBER + len(self._it.moving())

    def _read(self):
        """From the newer of the two slots, or else from the beginning."""
        state, newest = bytearray(native.learner.BYTES), None
        for slot in (0, 1):
            data = self._board.load("learner.%d" % slot)
            number = _number(data, self._form)
            if number is not None and (newest is None or 0 < (number - self._number & 0xFFFFFFFF) < 1 << 31):
                newest, self._number = data, number
        if newest:
            kept = memoryview(newest)[_HEAD_SIZE:-_CRC]
            state[: len(kept)] = kept
            try:
                self._it = native.learner.Learner(state)
                return
            except ValueError:
                print("learner: not as this module has it; it begins anew")
        self._it = native.learner.Learner(state, *self._setup)

    def wake(self, kept):
        """What `sleep` gave, if it goes with the file."""
        if self._it and kept[:_NUMBER] == struct.pack("<I", self._number):
            try:
                self._it.move(kept[_NUMBER:])
            except ValueError:
                print("learner: goes on from its file")

    def sleep(self):
        return struct.pack("<I", self._number) + self._it.moving() if self._it else b""

    def memorise(self, now_ms, due_ms):
        """Into the file, if that is due; when it is due again."""
        if not self._it or not (self._changed or now_ms >= due_ms):
            return due_ms
        number = self._number + 1 & 0xFFFFFFFF
        data = self._form + struct.pack("<I", number) + self._it.lasting()
        if self._board.save("learner.%d" % (number & 1), data + struct.pack("<I", crc32(data))):
            self._number = number
        self._changed = False  # tried once: it comes again tomorrow
        return now_ms + _DAY_MS

    def _learns(self):
        return self._it.diagnose().state == native.learner.LEARNING

    def detect(self, features):
        """A verdict (core/learner.h), or None while it learns."""
        return None if self._it is None or self._learns() else self._it.detect(features)

    def learn(self, features):
        """True if that is enough now."""
        if self._it is None:
            return False
        reply = self._it.learn(features)
        # What it refuses moves counts alone, unless it begins anew.
        self._changed = self._changed or reply != native.learner.ANOMALOUS or self._it.diagnose().learned == 0
        return reply == native.learner.DONE

    def image(self):
        """A learner-image of wire.cddl; empty while it learns."""
        return self._it.save() if self._it else b""

    def id(self):
        """What it has learned, by the first bytes of its hash; None: nothing yet."""
        from hashlib import sha256

        image = self.image()
        return sha256(image).digest()[:8] if image else None

    def health(self, similarity):
        """Fields of a Health."""
        if self._it is None:
            return {}
        now = self._it.diagnose()
        return {"state": now.state, "learned": now.learned, "similarity": similarity,
                "drift": min(now.drift_q8, 255), "events_ppb": now.events_ppb}  # fmt: skip

    def acknowledge(self):
        """Somebody has seen that it was moved: it learns anew where it lies now."""
        self._it.acknowledge()
        self._changed = True

    def tell(self, kind, argument):
        """A command. REFUSED, or None."""
        try:
            if kind == _RELEARN:
                self._it.relearn(argument)
            elif kind == _ROLL_BACK:
                self._it.rollback()
            elif kind == _SENSITIVITY:
                self._it.sensitivity(argument)
            else:
                self._it.freeze(kind == _FREEZE)
        except ValueError:
            return REFUSED
        self._changed = True
        return None
