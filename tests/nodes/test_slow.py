"""Slow sensors: C does what SPEC says, and the three kinds of oddness are told apart on recorded rooms."""

import csv
import ctypes
import gzip
from collections import Counter
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detectors.learner import Learner, Reply, State
from gateway.training.features import slow as features_slow
from tests.nodes.library import DATA, node_library
from tests.nodes.slow_reference import ABOVE, BELOW, COLLECTIVE, CONTEXT, POINT, Channel, Slow

pytestmark = pytest.mark.usefixtures("node_build")

READINGS, SLOW_SET = 32, 3


class Limits(ctypes.Structure):
    _fields_ = (("low", ctypes.c_int16 * 9), ("high", ctypes.c_int16 * 9), ("set", ctypes.c_uint32))


class Verdict(ctypes.Structure):
    _fields_ = (("numbers", ctypes.c_uint32 * 2), ("similarity", ctypes.c_uint8), ("score", ctypes.c_uint8),
                ("leading", ctypes.c_uint8), ("anomalous", ctypes.c_bool), ("latched", ctypes.c_bool),
                ("moved", ctypes.c_bool), ("drifted", ctypes.c_bool))  # fmt: skip


class SlowC:
    """core/slow.h: the same as the reference's Slow."""

    def __init__(self, channels, limits=()):
        self._lib, self._memory, self._channels = node_library(), ctypes.create_string_buffer(1024), channels
        self._limits = Limits()
        for c, (low, high) in enumerate(limits):
            self._limits.low[c], self._limits.high[c] = low or 0, high or 0
            self._limits.set |= (low is not None) << 2 * c | (high is not None) << 2 * c + 1

    def judge(self, window, minute, latched=False, code=0):
        samples = np.ascontiguousarray(window, np.int16)
        score, verdict = ctypes.c_uint8(0), Verdict(score=code, latched=latched)
        why = self._lib.slow_judge(
            self._memory, ctypes.byref(self._limits), samples.ctypes.data_as(ctypes.c_void_p), len(samples),
            self._channels, minute, ctypes.byref(verdict) if latched else None, ctypes.byref(score),
        )  # fmt: skip
        assert not any(self._memory.raw[544:])
        return why, score.value


def reference(channels, limits=()):
    return Slow([Channel() for _ in range(channels)], [*limits, *[(None, None)] * channels][:channels])


@st.composite
def histories(draw):
    channels = draw(st.integers(1, 9))
    limit = st.none() | st.integers(-32768, 32767)
    seed, wild = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([5, 300, 40000]))
    random = np.random.default_rng(seed)
    windows, minute = [], 0
    for _ in range(draw(st.integers(1, 60))):
        n = int(random.integers(1, 40))
        window = np.clip(random.normal(random.integers(-200, 200), wild, (n, channels)), -32768, 32767)
        minute = (minute + int(random.integers(0, 400))) % 1440
        windows.append((window.astype(np.int16), minute if random.random() < 0.9 else -1, bool(random.random() < 0.1)))
    return channels, draw(st.lists(st.tuples(limit, limit), max_size=channels)), windows


@settings(max_examples=60, deadline=None)
@given(histories())
def test_c_and_the_reference_agree(history):
    channels, limits, windows = history
    in_c, in_python = SlowC(channels, limits), reference(channels, limits)
    for window, minute, latched in windows:
        expected = in_python.judge(window.tolist(), minute, latched, 140)
        assert in_c.judge(window, minute, latched, 140) == expected


def test_limits_hold_before_anything_is_learned_and_go_before_all_else():
    slow = SlowC(2, [(None, None), (1800, 2600)])
    calm = np.full((READINGS, 2), 2000, np.int16)
    calm[3] += 1
    assert slow.judge(calm, 600) == (0, 0)
    hot, cold = calm.copy(), calm.copy()
    hot[7, 1], cold[7, 1] = 2601, 1799
    assert slow.judge(hot, 600, latched=True, code=200) == (ABOVE, 144)  # a unit beyond: a factor of two
    assert slow.judge(cold, 600) == (BELOW, 144)
    hot[7, 1] = 2600
    assert slow.judge(hot, 600) == (0, 0)


def test_extremes_do_not_overflow():
    slow, model = SlowC(9), reference(9)
    for i in range(300):
        window = np.full((1024 if i < 9 else 32, 9), 32767 if i % 3 else -32768, np.int16)
        assert slow.judge(window, i * 97 % 1440) == model.judge(window.tolist(), i * 97 % 1440)


# --- recorded rooms


def rows(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def office():
    """Hundredths of a degree and of a per cent, one a minute for eight days, and the minute of the day."""
    found = [row for part in ("datatest", "datatraining") for row in rows(f"occupancy_temp_humidity/{part}.csv.gz")]
    values = [[round(100 * float(row["Temperature"])), round(100 * float(row["Humidity"]))] for row in found]
    times = [datetime.fromisoformat(row["date"]) for row in found]
    return np.array(values, np.int16), times


@pytest.fixture(scope="module")
def motes():
    """Readings [n, 2] of two motes that saw no event, one each 5 s for six hours, in hundredths."""
    found = rows("wsn_temp_humidity/singlehop.csv.gz")
    return [
        np.array([[round(100 * float(r["temperature"])), round(100 * float(r["humidity"]))]
                  for r in found if r["mote_id"] == mote], np.int16)
        for mote in ("2", "3")
    ]  # fmt: skip


def run(samples, minutes, learn=120):
    """Why of each window of 32 readings, with a learner over feature set 3 beside it, as a node runs it."""
    slow, learner, whys = SlowC(2), Learner(SLOW_SET, 2, windows=learn, events_ppb=2_000_000), []
    for i in range(0, len(samples) - READINGS + 1, READINGS):
        window = samples[i : i + READINGS]
        values = features_slow.slow(window[None].astype(np.int64))[0].tolist()
        if learner.diagnose().state == State.LEARNING:
            assert learner.learn(values) != Reply.NOT_NOW
            latched, code = False, 0
        else:
            verdict = learner.detect(values)
            latched, code = verdict.latched, verdict.score
        whys.append(slow.judge(window, minutes[i + READINGS - 1], latched, code)[0])
    return np.array(whys)


def test_a_room_left_alone_is_quiet(office, motes):
    """One window in 340 of an office with a weekend in it, and none in 290 of two motes, but for half an hour in which
    the humidity at one of them falls from 57 to 41 %.
    """
    samples, times = office
    whys = run(samples, [t.hour * 60 + t.minute for t in times])
    assert np.count_nonzero(whys) <= 0.01 * len(whys) and len(whys) > 330
    for mote, falling in zip(motes, (slice(0), slice(97, 112)), strict=True):
        whys = run(mote, [-1] * len(mote), learn=64)
        assert not np.any(np.delete(whys, falling))


def test_a_spike_is_a_point_anomaly(office):
    samples, times = office
    minutes = [t.hour * 60 + t.minute for t in times]
    for at in range(2000, 10000, 517):
        odd = samples[: at + 64].copy()
        odd[at, 0] += 200
        assert run(odd, minutes)[at // READINGS] == POINT


def test_a_value_of_the_night_at_noon_is_a_contextual_anomaly(office):
    """On a working day and on a Sunday, after three and five days; what is usual at night is odd at noon."""
    samples, times = office
    minutes = [t.hour * 60 + t.minute for t in times]
    for day in (6, 8):
        night = [i for i, t in enumerate(times) if t.day == day and t.hour < 7]
        noon = [i for i, t in enumerate(times) if t.day == day and 12 <= t.hour < 15]
        odd = samples[: noon[-1] + 1].copy()
        odd[noon] = samples[night[: len(noon)]]
        whys = run(odd, minutes)
        inside = [w for w in range(len(whys)) if noon[0] <= w * READINGS and (w + 1) * READINGS <= noon[-1] + 1]
        assert Counter(whys[inside].tolist())[CONTEXT] >= len(inside) - 1
        assert not np.any(whys[: noon[0] // READINGS] == CONTEXT)


def test_a_ramp_that_does_not_end_is_a_collective_anomaly(motes):
    """.7 degrees a minute: no reading stands out from its neighbours, and there is no clock to hold it against."""
    for mote in motes:
        ramp = mote[: 120 * READINGS].copy()
        first = 80 * READINGS
        ramp[first:, 0] = ramp[first, 0] + 6 * np.arange(len(ramp) - first)
        whys = run(ramp, [-1] * len(ramp), learn=64)
        assert not np.any(whys[:80])
        assert set(whys[80:].tolist()) == {0, COLLECTIVE} and np.argmax(whys[80:] != 0) <= 4
