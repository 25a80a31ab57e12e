"""The learner and the fusion on recordings of ../shared/data: they reach what they are meant to, without a label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gateway.detectors.place import Settings
from tests.bench import models_alarms
from tests.bench import models_process as bench
from tests.bench.shared_data import DATA

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA}: the recordings are not here")


def test_a_pump_bed():
    """SKAB's protocol on the files here: F1 .79 at 20 % false alarms and an AUROC of .86 are to be reached."""
    found = bench.pump_learner(Settings())
    assert found.rows.f1 >= 0.79 and found.rows.false_alarm_pct <= 15 and found.auroc >= 0.86
    assert found.before.false_alarm_pct <= 5


def test_shuffled_labels_change_nothing():
    rng = np.random.default_rng(1)
    run = next(iter(bench.pump_runs()))
    other = replace(run, fault=rng.permutation(run.fault), at_s=run.at_s + 1e6)
    one, two = (bench.pump_verdicts(each, Settings()) for each in (run, other))
    assert np.array_equal(one.score, two.score) and np.array_equal(one.latched, two.latched) and one.latched.any()


@pytest.mark.parametrize(("name", "beside"), [("mote-1", "mote-2"), ("mote-4", "mote-3")])
def test_motes_together_are_never_worse_than_the_best_of_their_sensors(name, beside):
    """Of the fused rows some are the neighbour's: so 1 row in 200 may be false beyond the best of a mote's sensors."""
    run = bench.mote(name)
    alone = min(bench.alone(run, columns).at_recall for columns in (slice(0, 1), slice(1, 2), slice(0, 2)))
    fused = bench.together(run, bench.mote(beside)).at_recall
    assert fused <= alone + (len(run) - run.learn) / 200 and (1.5 * fused < alone or alone == 0)


def test_rooms_alarm_rarely():
    """Days of an office: events at most three times those wanted, and a fifth of a static threshold's rows, which is
    acknowledged and learned again as often as it asks for it.
    """
    runs = list(models_alarms.normal_runs(["occupancy"]))
    ours, static = (
        sum((models_alarms.watch(make(run, learn), run, learn) for run, learn in runs), start=models_alarms.Watched())
        for make in (models_alarms.Ours, models_alarms.Static)
    )
    assert ours.rows > 15_000 and ours.events <= 3 * ours.rows * models_alarms.EVENTS
    assert static.acknowledged > 1 and ours.share * 5 < static.share
