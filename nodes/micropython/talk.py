"""What a node says and hears: messages into the ring, the ring to the gateway, answers and mail back.

As the node in C does it (nodes/c_tflm/core/node_report.c, node_exchange.c, node_mail.c), with its names.
"""

from binascii import crc32

from stethos import envelope
from stethos import message as wire
from stethos.ceiling import Ceiling
from stethos.clock import Clock
from stethos.replay import Replay, replay_from

from radios import RadioError

DONE, UNKNOWN_KIND, REFUSED = 0, 1, 2  # wire.cddl, `result`
_EXCHANGES_MAX = 8  # times in one wake that the node sends and listens
_RESEND_GAP_MAX = 16  # wakes between resends to a gateway that does not answer
_COUNTED = ("malformed", "bad_tag")


def key_mark(keys):
    """What a key puts its seal with: it tells keys apart, and tells nothing of them."""
    return crc32(keys.iv_up).to_bytes(4, "big")


class Talk:
    """`on_command(kind, argument)` gives the code of its result, and is called once it is durable."""

    def __init__(self, keys, kept, storage, radio, board, settings, on_command):
        """NoRecordError if the node must not send."""
        self.kept = kept
        self.ceiling = Ceiling(storage)
        self.on_command = on_command
        self._keys, self._radio, self._board, self._settings = keys, radio, board, settings
        if kept.wakes:  # it has slept
            self.ceiling.next_partial_iv, self.ceiling.next_seq = kept.next_partial_iv, kept.next_seq
            self.ceiling.skipped = kept.skipped
            self._down = envelope.Downlink(kept.epoch, Replay(kept.down_newest, kept.down_below))
        else:
            record = self.ceiling.record
            self._down = envelope.Downlink(record["epoch"], replay_from(record["down_unused"]))
        self.clock = Clock(kept.local_ms, kept.gateway_ms, kept.fast_ppm, bool(kept.clock_started))
        self._open = self._heard = self._birth_asked = self._unplaced = False

    def save(self):
        """Into `kept`, before sleep."""
        kept, ceiling, down, clock = self.kept, self.ceiling, self._down, self.clock
        kept.next_partial_iv, kept.next_seq, kept.skipped = ceiling.next_partial_iv, ceiling.next_seq, ceiling.skipped
        kept.epoch, kept.down_newest, kept.down_below = down.epoch, down.replay.newest, down.replay.below
        kept.local_ms, kept.gateway_ms = clock.local_ms, clock.gateway_ms
        kept.fast_ppm, kept.clock_started = clock.fast_ppm, int(clock.started)

    @property
    def epoch(self):
        return self._down.epoch

    @property
    def link_dbm(self):
        return self._radio.link_dbm

    def has_birth(self):
        ring = self.kept.ring
        return any(ring.kind(at) == wire.BIRTH for at in ring)

    def say(self, kind, message):
        """A message into the ring, under a number of its own; False if there is none for it."""
        seq = self.ceiling.take_seq()
        if seq is None:
            self.kept.unnumbered += 1
            return False
        message.update(seq=seq & 0xFFFF, age=0)
        if kind == wire.BIRTH:
            message.update(full_seq=seq, skipped=self.ceiling.skipped, epoch=self.epoch)
            self.ceiling.skipped = 0
            self.kept.birth_due = 0
        if self.kept.ring.add(kind, seq, self._board.now_ms(), wire.write_up(kind, message)):
            # What was given up may have been the Birth that tells which numbers were.
            self.kept.birth_due |= not self.has_birth()
        return True

    def exchange(self, birth):
        """Send what is new, and from time to time what is not acknowledged; listen. `birth()` says one."""
        kept = self.kept
        again, sent, placed_anew = kept.wakes >= kept.resend_at_wake, False, False
        self._heard = self._birth_asked = self._unplaced = False
        try:
            for i in range(_EXCHANGES_MAX):
                if not self._transmit(again, i == 0):
                    break
                sent = True
                more = self._listen(birth)
                again = self._unplaced and not placed_anew  # behind a Birth it can be placed; once in a wake
                placed_anew = placed_anew or again
                if not (more or again):
                    break
        except RadioError as error:
            print("radio:", error)
            sent = True  # it has cost as much
        if sent:
            self._plan_resend()

    def hang_up(self):
        """The radio takes no current any more."""
        if self._open:
            self._open = False
            self.kept.radio = self._radio.close()

    def _has_unsent(self):
        ring = self.kept.ring
        return any(not ring.sends(at) for at in ring)

    def _transmit(self, again, first):
        """Births before all else: they carry the whole number. False if nothing went out."""
        ring, sent = self.kept.ring, False
        birth_again = again or (first and self._has_unsent())
        for births in (True, False):
            for at in list(ring):
                if (ring.kind(at) == wire.BIRTH) == births and (
                    not ring.sends(at) or (birth_again if births else again)
                ):
                    sent = self._transmit_one(at) or sent
        return sent

    def _transmit_one(self, at):
        if not self._open:
            self._open = True  # also if it fails half way: then it has to be closed
            self._radio.open()
        partial_iv = self.ceiling.take_partial_iv()
        if partial_iv is None:
            return False
        ring, now_ms = self.kept.ring, self._board.now_ms()
        plaintext = ring.message(at, self._aged(ring, at, now_ms))
        self._radio.send(envelope.seal_up(self._keys, partial_iv, plaintext))
        self.kept.resends += ring.sends(at) > 0
        ring.sent(at)
        return True

    def _aged(self, ring, at, now_ms):
        """Now, on a clock that has run as the gateway's since it happened."""
        then_ms = ring.at_ms(at)
        return then_ms + self.clock.gateway(max(now_ms - then_ms, 0))

    def _listen(self, birth):
        """Until the time is up, all is acknowledged and no mail waits; True if there is something new to send."""
        end_ms = self._board.now_ms() + self._settings.listen_ms
        left_ms = self._settings.listen_ms
        while left_ms > 0:
            frame = self._radio.receive(left_ms)
            if frame is None or not self._take(frame, birth) or self._has_unsent():
                break
            left_ms = end_ms - self._board.now_ms()
        return self._has_unsent()

    def _take(self, frame, birth):
        """False: there is nothing more to wait for."""
        verdict, text = envelope.open_down(self._keys, self._down, frame)
        found = wire.read_down(text) if text is not None else None
        if found is None:
            self.kept.refused += verdict in _COUNTED or text is not None
            return True
        if not self._follow():
            return True
        kind, message = found
        if kind != wire.ACK:
            self._take_mail(kind, message)
            return True
        self._take_ack(message, birth)
        return message["mail"] > 0 or len(self.kept.ring.data) > 0

    def _follow(self):
        """An epoch is kept before anything under it is acted on."""
        down, record = self._down, self.ceiling.record
        record["down_unused"] = min(down.replay.newest + 1, 0xFFFFFFFF)
        return down.epoch == record["epoch"] or self.ceiling.keep(epoch=down.epoch)

    def _take_ack(self, ack, birth):
        kept, now_ms = self.kept, self._board.now_ms()
        if ack["base"] is None:
            self._unplaced = True
        else:
            kept.ring.acknowledge(ack["base"], ack["bitmap"])
        self._heard = True
        self.clock.compare(now_ms, ack["time_ms"])
        if ack["next_s"]:
            kept.health_due_ms = min(kept.health_due_ms, now_ms + self.clock.local(ack["next_s"] * 1000))
        if ack["birth_wanted"] and not self._birth_asked and not self.has_birth():
            self._birth_asked = True
            birth()

    def _take_mail(self, kind, mail):
        """A command is durable before it is done, and done once."""
        if kind != wire.COMMAND:  # nothing is stored here: a file is what mpremote brings
            self._result(mail["id"] if kind == wire.OFFER else mail["transfer"], REFUSED)
            return
        record = self.ceiling.record
        if mail["id"] <= record["last_command"]:
            self._result(mail["id"], record["last_result"] if mail["id"] == record["last_command"] else DONE)
            return
        code, changes, act = self.on_command(mail["kind"], mail.get("argument", 0))
        if self.ceiling.keep(last_command=mail["id"], last_result=code, **changes):
            act()
            self._result(mail["id"], code)

    def _result(self, id_, code):
        self.say(wire.RESULT, {"id": id_, "code": code})

    def _plan_resend(self):
        """To a gateway that does not answer, old news goes out ever more rarely; fresh news at once."""
        kept, gap = self.kept, 1
        kept.silence = 0 if self._heard else min(kept.silence + 1, _RESEND_GAP_MAX)
        while gap < _RESEND_GAP_MAX and gap < (1 << kept.silence) // 2:
            gap *= 2
        kept.resend_at_wake = kept.wakes + gap
