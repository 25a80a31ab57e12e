"""A node: wake, look at the machine, report if there is something to say, listen, sleep.

As the node in C does it (nodes/c_tflm/core/node.c, node_look.c), with its names. What it is made of is handed in:
main.py puts it together.
"""

from array import array

from stethos import feature_set
from stethos import message as wire
from stethos.keys import Keys

from kept import Kept, unseal
from sensors import SensorError, window
from talk import DONE, REFUSED, UNKNOWN_KIND, Talk, key_mark

ANOMALOUS, MOVED, DEFERRED = 1, 9, 11  # nodes/wire/SPEC.md, "Why"
SLEEPING, SENSING, COMPUTING, RADIATING = range(4)
_CHARGES = "asleep_pc", "sensing_pc", "computing_pc", "radiating_pc"
_COLLECT_MAX = 1000
_WAKE_MIN_MS, _WAKE_MAX_MS = 100, 86400000
_IDENTIFY, _BIRTH, _SET_HEARTBEAT, _SET_WAKE, _COLLECT, _ACKNOWLEDGE, _STORAGE, _RESTART = 1, 2, 3, 4, 10, 11, 13, 14


class Node:
    """`settings`: settings.py's. `board`: board.py's. `radio(remembered)` makes one. `judge`: judges.py."""

    def __init__(self, settings, kid, secret, board, sensor, radio, judge):
        self.settings, self.board, self.sensor, self.judge = settings, board, sensor, judge
        keys = Keys(kid, secret)
        self._mark = key_mark(keys)
        kept = unseal(board.retained(), self._mark, board.retained_max)
        board.retain(b"")  # awake: nobody goes on from what was
        self.kept = kept or self._anew()
        self.talk = Talk(keys, self.kept, board, radio(self.kept.radio), board, settings, self._command)
        self._then = None

    def _anew(self):
        kept, now_ms = Kept(self.board.retained_max), self.board.now_ms()
        kept.booted_ms = kept.wake_due_ms = kept.health_due_ms = kept.since_ms = now_ms
        kept.birth_due, kept.activity = 1, COMPUTING
        return kept

    @property
    def wake_ms(self):
        return self.talk.ceiling.record["wake_ms"] or self.settings.wake_ms

    @property
    def heartbeat_ms(self):
        return self.talk.ceiling.record["heartbeat_ms"] or self.settings.heartbeat_ms

    def step(self):
        """One wake. How many milliseconds to sleep now."""
        kept = self.kept
        self._enter(COMPUTING)
        kept.wakes += 1
        if kept.birth_due:
            self.say_birth()
        if kept.wakes == 1:
            self._exchange()  # somebody waits for the node that was just switched on
        self._look()
        if kept.birth_due:
            self.say_birth()
        if self._after(self.wake_ms * 15 // 16) > kept.health_due_ms and not kept.deferring:
            self._say_health()
        self._exchange()
        self.talk.hang_up()
        if self._then and not kept.ring.data:
            self._then()
        return self._fall_asleep()

    def stop(self):
        """An orderly end: the next start skips no numbers."""
        self.talk.ceiling.settle()

    # What it looks at

    def _look(self):
        settings = self.settings
        samples = array("h", bytes(2 * settings.samples * self.sensor.channels))
        self._enter(SENSING)
        try:
            why = window(self.sensor, settings.rate_millihz, samples)
        except SensorError as error:
            print("sensor:", error)
            why = error.why
        self._enter(COMPUTING)
        why = why or feature_set.sensor_fault(samples, settings.samples, self.sensor.channels)
        if why:
            self._fault(why)
            return
        self._judge(samples)
        self._collect(samples)

    def _fault(self, why):
        self._show(self.settings.alert_on_fault, fault=True)
        if self._stands(why):
            self.say_flag(0, why)

    def _judge(self, samples):
        kept, settings = self.kept, self.settings
        features = feature_set.compute(settings.feature_set, samples, settings.samples, self.sensor.channels)
        kept.windows += 1
        if self.judge.fault:
            self._fault(self.judge.fault)
            self._say_window(0, features)
            return
        found = self.judge.judge(features, samples, kept)
        kept.last_score = found.score
        self._show(found.anomalous)
        if found.anomalous:
            if self._stands(ANOMALOUS):
                kept.flags += 1
                self.say_flag(found.score, found.why, features)
            return
        self._stands(0)
        self._say_window(found.score, features)

    def _stands(self, why):
        """True at the onset of what stands, and at every `flag_repeat`th wake after it."""
        kept = self.kept
        if kept.standing != why:
            if not why:
                kept.health_due_ms = 0  # the all-clear is news: what was said before stands until it comes
            kept.standing, kept.standing_for = why, 0
        wakes = kept.standing_for
        kept.standing_for += 1
        return wakes == 0 if kept.deferring else wakes % self.settings.flag_repeat == 0

    def _show(self, anomalous, fault=False):
        """The alert output: nodes/c_tflm/core/alert.c."""
        kept, settings, was = self.kept, self.settings, self.kept.alert_on
        if fault and not anomalous:
            return
        if anomalous:
            kept.alert_anomalous, kept.alert_normal = min(kept.alert_anomalous + 1, 255), 0
            if 0 < settings.alert_after <= kept.alert_anomalous and not kept.alert_acknowledged:
                kept.alert_on = 1
        else:
            kept.alert_normal, kept.alert_anomalous, kept.alert_acknowledged = min(kept.alert_normal + 1, 255), 0, 0
            if 0 < settings.clear_after <= kept.alert_normal:
                kept.alert_on = 0
        if kept.alert_on != was:
            self.board.alert(bool(kept.alert_on))

    # What it says

    def say_birth(self):
        settings, record = self.settings, self.talk.ceiling.record
        self.talk.say(wire.BIRTH, {
            "wire_version": wire.WIRE_VERSION, "reset_cause": self.board.reset_cause(), "hardware": settings.hardware,
            "firmware": self.board.firmware, "feature_set": settings.feature_set, "channels": self.sensor.channels,
            "generation": self.judge.generation, "model": self.judge.model, "wake_ms": self.wake_ms,
            "heartbeat_ms": self.heartbeat_ms, "listen_ms": settings.listen_ms, "last_command": record["last_command"],
            "samples": settings.samples, "rate_millihz": settings.rate_millihz, "firmware_counter": 0, "slot": 0,
            "learner": None,
        })  # fmt: skip

    def say_flag(self, score, why, features=None):
        flag = self._valued(score, features) if features else {"score": score, "generation": self.judge.generation}
        flag["why"] = why
        self.talk.say(wire.FLAG, flag)

    def _valued(self, score, features):
        return {"score": score, "generation": self.judge.generation, "feature_set": self.settings.feature_set,
                "values": features}  # fmt: skip

    def _say_window(self, score, features):
        """Every so manieth that is normal."""
        every = self.settings.window_every
        if every and self.kept.windows % every == 0 and not self.kept.deferring:
            self.talk.say(wire.WINDOW, self._valued(score, features))

    def _say_health(self):
        kept, board = self.kept, self.board
        link_dbm = self.talk.link_dbm
        told = self.talk.say(wire.HEALTH, {
            "score": kept.last_score, "why": 0 if kept.standing == ANOMALOUS else kept.standing,
            "battery_mv": board.battery_mv(), "temperature_cdeg": board.temperature_cdeg(),
            "link_dbm": None if link_dbm is None else max(min(link_dbm, 0), -128),
            "uptime_s": (board.now_ms() - kept.booted_ms) // 1000, "wakes": kept.wakes, "flags": kept.flags,
            "resends": kept.resends, "ring_drops": kept.ring.dropped + kept.unnumbered, "refused": kept.refused,
            "sleep": self._uc(SLEEPING), "sensor": self._uc(SENSING), "compute": self._uc(COMPUTING),
            "radio": self._uc(RADIATING), "battery_load_mv": kept.battery_load_mv or None, "deferred": kept.deferred,
            "stop_refused": 0, "restarts": board.restarts(),
        })  # fmt: skip
        if told:
            kept.health_due_ms = self._after(self.heartbeat_ms)

    def _notice(self, why, so):
        """Told once, when it has become so."""
        bit = 1 << why - MOVED
        new = so and not self.kept.noticed & bit
        self.kept.noticed = self.kept.noticed | bit if so else self.kept.noticed & ~bit
        if new:
            self.say_flag(self.kept.last_score, why)

    def _exchange(self):
        """Below the radio's least voltage all waits: a radio that starts on a weak battery resets the node."""
        kept = self.kept
        if not kept.ring.data:
            return
        if self.settings.radio_min_mv:
            kept.battery_load_mv = self.board.battery_mv()
            kept.deferring = int(kept.battery_load_mv < self.settings.radio_min_mv)
            kept.deferred += kept.deferring
            self._notice(DEFERRED, kept.deferring)
        if not kept.deferring:
            self._enter(RADIATING)
            self.talk.exchange(self.say_birth)
            self._enter(COMPUTING)

    def _collect(self, samples):
        """Raw samples in parts, as many at a time as the ring takes; who does not answer ends it for this wake."""
        kept, data = self.kept, bytes(samples)
        if not kept.collect or kept.deferring:
            return
        kept.collect -= 1
        kept.window_number += 1
        parts = (len(data) + wire.DATA_MAX - 1) // wire.DATA_MAX
        for part in range(parts):
            if not kept.ring.has_room(wire.DATA_MAX):
                self._exchange()
            if not kept.ring.has_room(wire.DATA_MAX):
                return
            self.talk.say(wire.SAMPLED, {
                "window_number": kept.window_number, "part": part, "parts": parts, "channels": self.sensor.channels,
                "rate_millihz": self.settings.rate_millihz,
                "data": data[part * wire.DATA_MAX : (part + 1) * wire.DATA_MAX],
            })  # fmt: skip
        self._exchange()

    # What it is told

    def _command(self, kind, argument):
        """(code of the result, what changes in the record, what to do once that is durable)."""
        if kind == _IDENTIFY:
            return DONE, {}, self.board.identify
        if kind == _BIRTH:
            return DONE, {}, self.say_birth
        if kind == _SET_HEARTBEAT and 0 < argument <= 0xFFFFFFFF // 1000:
            return DONE, {"heartbeat_ms": argument * 1000}, self._announce
        if kind == _SET_WAKE and _WAKE_MIN_MS <= argument <= _WAKE_MAX_MS:
            return DONE, {"wake_ms": argument}, self._announce
        if kind == _COLLECT and argument <= _COLLECT_MAX:
            return DONE, {}, lambda: setattr(self.kept, "collect", argument)
        if kind == _ACKNOWLEDGE:
            return DONE, {}, self._acknowledge
        if kind == _RESTART:
            return DONE, {}, lambda: setattr(self, "_then", self._restart)
        known = kind in (_SET_HEARTBEAT, _SET_WAKE, _COLLECT, _STORAGE) or 5 <= kind <= 9 or kind == 12
        return (REFUSED if known else UNKNOWN_KIND), {}, lambda: None

    def _announce(self):
        self.kept.health_due_ms = min(self.kept.health_due_ms, self._after(self.heartbeat_ms))
        self.say_birth()

    def _acknowledge(self):
        kept = self.kept
        kept.alert_acknowledged = int(kept.alert_anomalous > 0)
        if kept.alert_on:
            kept.alert_on = 0
            self.board.alert(False)

    def _restart(self):
        self.stop()
        self.board.restart()

    # Time and charge

    def _after(self, ms):
        return self.board.now_ms() + self.talk.clock.local(ms)

    def _enter(self, activity):
        """Books the time since the last call to the activity that it named. nA times ms are pC."""
        kept, now_ms = self.kept, self.board.now_ms()
        name = _CHARGES[kept.activity]
        charge = self.settings.current_na[kept.activity] * max(now_ms - kept.since_ms, 0)
        setattr(kept, name, min(getattr(kept, name) + charge, (1 << 64) - 1))
        kept.since_ms, kept.activity = now_ms, activity

    def _uc(self, activity):
        return min(getattr(self.kept, _CHARGES[activity]) // 1000000, 0xFFFFFFFF)

    def _fall_asleep(self):
        """Wakes keep to their grid, in the gateway's time; those that were slept or worked through are left out."""
        kept, now_ms, wake_ms = self.kept, self.board.now_ms(), self.talk.clock.local(self.wake_ms)
        kept.wake_due_ms += wake_ms
        if not now_ms <= kept.wake_due_ms <= now_ms + wake_ms:
            kept.wake_due_ms = now_ms
        self._enter(SLEEPING)
        self.talk.save()
        self.board.retain(kept.seal(self._mark))
        return kept.wake_due_ms - now_ms
