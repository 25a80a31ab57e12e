"""What a node says: messages into the ring, under numbers that never repeat. exchange.py takes them to the gateway.

As the node in C does it (nodes/c_tflm/core/node_report.c), with its names.
"""

from hashlib import sha256

from stethos.ceiling import Ceiling
from stethos.clock import Clock

from kept import forget

BIRTH = 1  # stethos/message.py


def key_mark(kid, secret):
    """What a key puts its seal with: it tells keys apart, and tells nothing of them."""
    return sha256(b"mark" + kid + secret).digest()[:4]


class Talk:
    """`radio(remembered)` makes one. `on_command(kind, argument)` gives what commands.py's `take` does."""

    def __init__(self, kid, secret, kept, board, settings, radio, on_command):
        """NoRecordError if the node must not send."""
        self.kept, self.board, self.listen_ms = kept, board, settings.listen_ms
        self.ceiling = Ceiling(board)
        self.on_command = on_command
        self._kid, self._secret, self._radio, self._exchange = kid, secret, radio, None
        if kept.wakes:  # it has slept
            self.ceiling.next_partial_iv, self.ceiling.next_seq = kept.next_partial_iv, kept.next_seq
            self.ceiling.skipped = kept.skipped
        else:
            self._start_anew()
        self.clock = Clock(kept.local_ms, kept.gateway_ms, kept.fast_ppm, bool(kept.clock_started))

    def _start_anew(self):
        from stethos.replay import replay_from

        record, kept = self.ceiling.record, self.kept
        seen = replay_from(record["down_unused"])
        kept.epoch, kept.down_newest, kept.down_below = record["epoch"], seen.newest, seen.below

    def save(self):
        """Into `kept`, before sleep."""
        kept, ceiling, clock = self.kept, self.ceiling, self.clock
        kept.next_partial_iv, kept.next_seq, kept.skipped = ceiling.next_partial_iv, ceiling.next_seq, ceiling.skipped
        kept.local_ms, kept.gateway_ms = clock.local_ms, clock.gateway_ms
        kept.fast_ppm, kept.clock_started = clock.fast_ppm, int(clock.started)

    def has_birth(self):
        ring = self.kept.ring
        return any(ring.kind(at) == BIRTH for at in ring)

    def say(self, kind, message):
        """A message into the ring, under a number of its own; False if there is none for it."""
        from stethos.message import write_up

        kept, seq = self.kept, self.ceiling.take_seq()
        if seq is None:
            kept.unnumbered += 1
            return False
        message.update(seq=seq & 0xFFFF, age=0)
        if kind == BIRTH:
            message.update(full_seq=seq, skipped=self.ceiling.skipped, epoch=kept.epoch)
            self.ceiling.skipped = 0
            kept.birth_due = 0
        if kept.ring.add(kind, seq, self.board.now_ms(), write_up(kind, message)):
            # What was given up may have been the Birth that tells which numbers were.
            kept.birth_due |= not self.has_birth()
        return True

    def exchange(self, birth):
        """Send what is new, and from time to time what is not acknowledged; listen. `birth()` says one."""
        if self._exchange is None:
            from exchange import Exchange

            self._exchange = Exchange(self, self._kid, self._secret, self._radio(self.kept.radio))
        self._exchange.run(birth)
        dbm = self._exchange.link_dbm
        if dbm is not None:
            self.kept.link_dbm = max(min(dbm, -1), -128)

    def hang_up(self):
        """The radio takes no current any more, and nothing that sends takes room."""
        if self._exchange:
            self._exchange.close()
            self._exchange = None
            forget("exchange", "radios", "stethos.envelope", "stethos.replay", "stethos.keys", "stethos.hkdf")
