"""A node: wake, look at the machine, report if there is something to say, listen, sleep.

As the node in C does it (nodes/c_tflm/core/node.c, node_look.c), with its names. What it is made of is handed in:
main.py puts it together.
"""

from array import array

from micropython import const

import reports
from kept import Kept, forget, unseal
from reports import ANOMALOUS, DEFERRED, DRIFTED, HINDERED, MOVED
from talk import Talk, key_mark

SLEEPING, SENSING, COMPUTING, RADIATING = range(4)
_CHARGES = "asleep_pc", "sensing_pc", "computing_pc", "radiating_pc"
_NOTICED_MOVED = const(1)
_HINDERED_AFTER = const(24)  # nodes/wire/SPEC.md, "Why"


class Node:
    """`settings`: settings.py's. `board`: board.py's. `radio(remembered)` makes one. `judge`: judges.py's."""

    def __init__(self, settings, kid, secret, board, sensor, radio, judge):
        self.settings, self.board, self.judge = settings, board, judge
        self._sensor, self.channels, self._units = sensor, sensor.channels, sensor.units
        self._name, self._mark = kid, key_mark(kid, secret)
        kept = unseal(board.retained(), self._mark, board.retained_max, judge.room)
        board.retain(b"")  # awake: nobody goes on from what was
        self.kept = kept or self._anew()
        judge.wake(self.kept.judge)
        self.talk = Talk(kid, secret, self.kept, board, settings, radio, self._command)
        self._alerts = board.alerts(bool(self.kept.alert_on))
        self.cdeg = None  # as the sensor has measured it
        self.learner_wanted = False
        self.then = None  # what is left to do when the gateway has the answer

    def _anew(self):
        kept, now_ms = Kept(self.board.retained_max, self.judge.room), self.board.now_ms()
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
            self.exchange()  # somebody waits for the node that was just switched on
            self.talk.hang_up()
        self._look()
        if kept.birth_due:
            self.say_birth()
        if self._after(self.wake_ms * 15 // 16) > kept.health_due_ms and not kept.deferring and reports.health(self):
            kept.health_due_ms = self._after(self.heartbeat_ms)
        self.exchange()
        self._send_learner()
        self.talk.hang_up()
        self._memorise()
        if self.then and not kept.ring.data:
            self.then()
        return self._fall_asleep()

    def stop(self):
        """An orderly end: the next start skips no numbers."""
        self.talk.ceiling.settle()

    # What it looks at

    def _look(self):
        samples = array("h", bytes(2 * self.settings.samples * self.channels))
        why, features = self._sense(samples)
        self._sensor = None
        forget("sensors", "stethos.features_")
        if why:
            self._fault(why, samples)
            return
        self._measure(samples)
        self._judge(samples, features)
        self._collect(samples)

    def _sense(self, samples):
        """(why there is nothing to judge, features)."""
        from stethos import feature_set

        from sensors import SensorError, window

        settings, channels = self.settings, self.channels
        self._enter(SENSING)
        try:
            why = window(self._sensor, settings.rate_millihz, samples)
        except SensorError as error:
            print("sensor:", error)
            why = error.why
        self._enter(COMPUTING)
        why = why or feature_set.sensor_fault(settings.feature_set, samples, settings.samples, channels)
        if why:
            return why, None
        return 0, feature_set.compute(settings.feature_set, samples, settings.samples, channels)

    def _measure(self, samples):
        """The temperature, where the sensor has it."""
        for channel, unit in enumerate(self._units):
            if unit.endswith("/degC"):
                self.cdeg = samples[channel] * 100 // int(unit[:-5])
                return

    def _fault(self, why, samples):
        """Nothing of such a window goes any further."""
        if self.settings.alert_on_fault:
            self._show(True, why, samples)
        if self._stands(why):
            reports.flag(self, 0, why)

    def _judge(self, samples, features):
        kept, judge = self.kept, self.judge
        kept.windows += 1
        found = judge.judge(features, samples, self._minute_of_day())
        kept.similarity = found.similarity
        kept.birth_due |= found.learned  # it says what the node has learned
        reports.notice(self, MOVED, found.moved)
        reports.notice(self, DRIFTED, found.drifted)
        kept.hindered = min(kept.hindered + 1, _HINDERED_AFTER) if found.hindered else 0
        reports.notice(self, HINDERED, kept.hindered == _HINDERED_AFTER)
        if judge.fault and not found.anomalous:  # limits go on without a model, or a learner
            self._fault(judge.fault, samples)
            reports.window(self, 0, features)
            return
        kept.last_score = found.score
        self._show(found.anomalous, found.why, samples)
        if not found.anomalous:
            self._stands(0)
            reports.window(self, found.score, features)
        elif self._stands(ANOMALOUS):
            kept.flags += 1
            reports.flag(self, found.score, found.why, features)

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

    def _show(self, anomalous, why, samples):
        """The alert output: nodes/c_tflm/core/alert.c."""
        kept, settings, was = self.kept, self.settings, self.kept.alert_on
        if anomalous:
            kept.alert_anomalous, kept.alert_normal = min(kept.alert_anomalous + 1, 255), 0
            if 0 < settings.alert_after <= kept.alert_anomalous and not kept.alert_acknowledged:
                kept.alert_on = 1
        else:
            kept.alert_normal, kept.alert_anomalous, kept.alert_acknowledged = min(kept.alert_normal + 1, 255), 0, 0
            if 0 < settings.clear_after <= kept.alert_normal:
                kept.alert_on = 0
        if self._alerts and kept.alert_on != was:
            self._alerts.show(self._name, kept.alert_on, why, samples, self._units)
        elif self._alerts and kept.alert_on and anomalous:
            self._alerts.remind(kept.alert_anomalous - settings.alert_after)

    def _collect(self, samples):
        """Raw samples."""
        kept = self.kept
        if kept.collect and not kept.deferring:
            kept.collect -= 1
            kept.window_number += 1
            reports.parts(self, reports.SAMPLED, bytes(samples), {
                "window_number": kept.window_number, "channels": self.channels,
                "rate_millihz": self.settings.rate_millihz,
            })  # fmt: skip

    # What it says and is told

    def say_birth(self):
        reports.birth(self)

    def exchange(self):
        """Below the radio's least voltage all waits: a radio that starts on a weak battery resets the node."""
        kept = self.kept
        if not kept.ring.data:
            return
        if self.settings.radio_min_mv:
            kept.battery_load_mv = self.board.battery_mv()
            kept.deferring = int(kept.battery_load_mv < self.settings.radio_min_mv)
            kept.deferred += kept.deferring
            reports.notice(self, DEFERRED, kept.deferring)
        if not kept.deferring:
            self._enter(RADIATING)
            self.talk.exchange(self.say_birth)
            self._enter(COMPUTING)

    def _send_learner(self):
        if self.learner_wanted and not self.kept.deferring:
            self.learner_wanted = False
            reports.parts(self, reports.LEARNER_STATE, self.judge.learner.image(), {})

    def _command(self, kind, argument):
        from commands import take  # rare, and its room is needed

        return take(self, kind, argument)

    def announce(self):
        """Asked for, or because the schedule has changed."""
        self.kept.health_due_ms = min(self.kept.health_due_ms, self._after(self.heartbeat_ms))
        self.say_birth()

    def identify(self):
        if self._alerts:
            self._alerts.blink()

    def acknowledge(self):
        kept, learner = self.kept, self.judge.learner
        kept.alert_acknowledged = int(kept.alert_anomalous > 0)
        if kept.alert_on:
            kept.alert_on = 0
            if self._alerts:
                self._alerts.show(self._name, 0, 0, None, None)
        if learner and not learner.fault and kept.noticed & _NOTICED_MOVED:
            learner.acknowledge()

    def restart(self):
        self.stop()
        self.board.restart()

    # Time and charge

    def _after(self, ms):
        return self.board.now_ms() + self.talk.clock.local(ms)

    def _minute_of_day(self):
        """UTC; -1 until the gateway has said what time it is."""
        clock, now_ms = self.talk.clock, self.board.now_ms()
        if not clock.started or now_ms < clock.local_ms:
            return -1
        return (clock.gateway_ms + clock.gateway(now_ms - clock.local_ms)) // 60000 % 1440

    def _enter(self, activity):
        """Books the time since the last call to the activity that it named. nA times ms are pC."""
        kept, now_ms = self.kept, self.board.now_ms()
        name = _CHARGES[kept.activity]
        charge = self.settings.current_na[kept.activity] * max(now_ms - kept.since_ms, 0)
        setattr(kept, name, min(getattr(kept, name) + charge, (1 << 64) - 1))
        kept.since_ms, kept.activity = now_ms, activity

    def spent_uc(self, activity):
        return min(getattr(self.kept, _CHARGES[activity]) // 1000000, 0xFFFFFFFF)

    def _memorise(self):
        """As often as flash can bear."""
        if self.judge.learner:
            self.kept.learner_due_ms = self.judge.learner.memorise(self.board.now_ms(), self.kept.learner_due_ms)

    def _fall_asleep(self):
        """Wakes keep to their grid, in the gateway's time; those that were slept or worked through are left out."""
        kept, now_ms, wake_ms = self.kept, self.board.now_ms(), self.talk.clock.local(self.wake_ms)
        kept.wake_due_ms += wake_ms
        if not now_ms <= kept.wake_due_ms <= now_ms + wake_ms:
            kept.wake_due_ms = now_ms
        self._enter(SLEEPING)
        self.talk.save()
        kept.judge = self.judge.sleep()
        if self._alerts:
            self._alerts.rest()
        self.board.retain(kept.seal(self._mark))
        return kept.wake_due_ms - now_ms
