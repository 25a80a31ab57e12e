"""Who judges a window: one verdict of model, learner and limits, as the node in C has it (nodes/c_tflm/core/judge.c).

Without any of them a node sends its features now and then (`window_every`), and the gateway judges.
"""

from micropython import const
from stethos import native
from stethos.score import THRESHOLD

ANOMALOUS, MODEL_FAULT, FEATURE = 1, 8, 64  # nodes/wire/SPEC.md, "Why"
_SLOW = const(3)  # "Feature sets"


class Judgement:
    """`score`, `why`, `anomalous`: of whoever found most. The rest is what the learner says; `learned`: enough now;
    `hindered`: it would have learned, but for what somebody else finds anomalous.
    """

    score = why = similarity = 0
    anomalous = moved = drifted = learned = hindered = False

    def add(self, anomalous, score, why):
        if anomalous:
            score = max(score, THRESHOLD + 1)  # an anomaly that stands outlasts a window that is not so bad
            if not self.anomalous or score > self.score:
                self.why = why
        self.score = max(self.score, score)
        self.anomalous = self.anomalous or anomalous


class Limits:
    """Fixed limits alone, where there is no native module: (low, high) of each channel, in the sensor's units."""

    def __init__(self, channels, limits):
        self._channels, self._limits = channels, limits

    def judge(self, samples, n, minute, latched):
        from stethos import limits

        return limits.judge(self._limits, samples, n, self._channels)

    def save(self):
        return b""

    def load(self, saved):
        pass


class Judge:
    """Each part may be None. `slow`: a native.slow.Slow, or Limits."""

    def __init__(self, channels, model=None, learner=None, slow=None):
        self.channels, self.model, self.learner, self.slow = channels, model, learner, slow
        self.room = (learner.room if learner else 0) + (len(slow.save()) if slow else 0)  # bytes that sleep must keep
        self.fault = MODEL_FAULT if (model and model.fault) or (learner and learner.fault) else 0

    def wake(self, kept):
        """`kept`: what `sleep` gave; empty after a reset."""
        at = self.learner.room if self.learner else 0
        if self.learner:
            self.learner.wake(kept[:at])
        if self.slow and kept[at:]:
            self.slow.load(kept[at:])

    def sleep(self):
        kept = self.learner.sleep() if self.learner else b""
        return kept + (self.slow.save() if self.slow else b"")

    def judge(self, features, samples, minute):
        """`minute`: of the day, UTC; -1: unknown."""
        out, learner = Judgement(), self.learner
        found = learner.detect(features) if learner else None
        if found:
            out.similarity, out.moved, out.drifted = found.similarity, found.moved, found.drifted
        if self.model and not self.model.fault:
            score = self.model.score(features)
            out.add(score.anomalous, score.score, score.why or ANOMALOUS)
        if self.slow:
            latched = found.score if found and found.latched else -1
            why, score = self.slow.judge(samples, len(samples) // self.channels, minute, latched)
            out.add(why != 0, score, why)
        elif found:
            out.add(found.latched, found.score, FEATURE + found.leading)
        if learner and not found and not learner.fault:
            out.hindered = out.anomalous
            out.learned = not out.anomalous and learner.learn(features)
        return out


def make(settings, channels, board):
    """By node.json: `model`, `learn`, `limits`."""
    model = learner = slow = None
    if settings.model:
        from models import Model

        model = Model(settings.model, settings.feature_set, settings.samples, channels)
    if settings.learn:
        from learning import Learner

        learner = Learner(settings.learn, settings.feature_set, channels, board)
    if settings.feature_set == _SLOW and native.slow:
        slow = native.slow.Slow(channels, settings.limits)
    elif settings.limits:
        slow = Limits(channels, settings.limits)
    return Judge(channels, model, learner, slow)
