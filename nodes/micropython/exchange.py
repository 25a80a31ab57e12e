"""The ring to the gateway, answers and mail back.

As the node in C does it (nodes/c_tflm/core/node_exchange.c, node_mail.c), with its names.
"""

from micropython import const
from stethos import envelope
from stethos import message as wire
from stethos.keys import Keys
from stethos.replay import Replay

from radios import RadioError

_DONE = const(0)  # wire.cddl, `result`
_REFUSED = const(2)
_EXCHANGES_MAX = const(8)  # times in one wake that the node sends and listens
_RESEND_GAP_MAX = const(16)  # wakes between resends to a gateway that does not answer
_COUNTED = ("malformed", "bad_tag")


class Exchange:
    """`talk`: talk.py's, whose ring is sent."""

    def __init__(self, talk, kid, secret, radio):
        self._talk, self._kept, self._radio, self._board = talk, talk.kept, radio, talk.board
        self._keys = Keys(kid, secret)
        kept = talk.kept
        self._down = envelope.Downlink(kept.epoch, Replay(kept.down_newest, kept.down_below))
        self._open = self._heard = self._birth_asked = self._unplaced = False

    @property
    def link_dbm(self):
        return self._radio.link_dbm

    def close(self):
        if self._open:
            self._open = False
            self._kept.radio = self._radio.close()

    def run(self, birth):
        """One exchange: it goes on while there is something new to say."""
        kept = self._kept
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

    def _has_unsent(self):
        ring = self._kept.ring
        return any(not ring.sends(at) for at in ring)

    def _transmit(self, again, first):
        """Births before all else: they carry the whole number. False if nothing went out."""
        ring, sent = self._kept.ring, False
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
        partial_iv = self._talk.ceiling.take_partial_iv()
        if partial_iv is None:
            return False
        ring, now_ms = self._kept.ring, self._board.now_ms()
        plaintext = ring.message(at, self._aged(ring, at, now_ms))
        self._radio.send(envelope.seal_up(self._keys, partial_iv, plaintext))
        self._kept.resends += ring.sends(at) > 0
        ring.sent(at)
        return True

    def _aged(self, ring, at, now_ms):
        """Now, on a clock that has run as the gateway's since it happened."""
        then_ms = ring.at_ms(at)
        return then_ms + self._talk.clock.gateway(max(now_ms - then_ms, 0))

    def _listen(self, birth):
        """Until the time is up, all is acknowledged and no mail waits; True if there is something new to send."""
        left_ms = self._talk.listen_ms
        end_ms = self._board.now_ms() + left_ms
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
            self._kept.refused += verdict in _COUNTED or text is not None
            return True
        if not self._follow():
            return True
        kind, message = found
        if kind != wire.ACK:
            self._take_mail(kind, message)
            return True
        self._take_ack(message, birth)
        return message["mail"] > 0 or len(self._kept.ring.data) > 0

    def _follow(self):
        """An epoch is kept before anything under it is acted on."""
        down, kept, ceiling = self._down, self._kept, self._talk.ceiling
        kept.epoch, kept.down_newest, kept.down_below = down.epoch, down.replay.newest, down.replay.below
        ceiling.record["down_unused"] = min(down.replay.newest + 1, 0xFFFFFFFF)
        return down.epoch == ceiling.record["epoch"] or ceiling.keep(epoch=down.epoch)

    def _take_ack(self, ack, birth):
        kept, clock, now_ms = self._kept, self._talk.clock, self._board.now_ms()
        if ack["base"] is None:
            self._unplaced = True
        else:
            kept.ring.acknowledge(ack["base"], ack["bitmap"])
        self._heard = True
        clock.compare(now_ms, ack["time_ms"])
        if ack["next_s"]:
            kept.health_due_ms = min(kept.health_due_ms, now_ms + clock.local(ack["next_s"] * 1000))
        if ack["birth_wanted"] and not self._birth_asked and not self._talk.has_birth():
            self._birth_asked = True
            birth()

    def _take_mail(self, kind, mail):
        """A command is durable before it is done, and done once."""
        if kind != wire.COMMAND:  # nothing is stored here: a file is what mpremote brings
            self._result(mail["id"] if kind == wire.OFFER else mail["transfer"], _REFUSED)
            return
        ceiling = self._talk.ceiling
        record = ceiling.record
        if mail["id"] <= record["last_command"]:
            self._result(mail["id"], record["last_result"] if mail["id"] == record["last_command"] else _DONE)
            return
        code, changes, act = self._talk.on_command(mail["kind"], mail["argument"] or 0)
        if ceiling.keep(last_command=mail["id"], last_result=code, **changes):
            if act:
                code = act() or code  # the learner alone can still refuse
            self._result(mail["id"], code)

    def _result(self, id_, code):
        self._talk.say(wire.RESULT, {"id": id_, "code": code})

    def _plan_resend(self):
        """To a gateway that does not answer, old news goes out ever more rarely; fresh news at once."""
        kept, gap = self._kept, 1
        kept.silence = 0 if self._heard else min(kept.silence + 1, _RESEND_GAP_MAX)
        while gap < _RESEND_GAP_MAX and gap < (1 << kept.silence) // 2:
            gap *= 2
        kept.resend_at_wake = kept.wakes + gap
