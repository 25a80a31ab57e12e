"""Metrics against their definitions, on drawn labels; what the labels cannot give is None."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.training import metrics

ROWS = st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.booleans(), st.integers(-5, 5)), min_size=1, max_size=40)


def columns(rows: list[tuple[int, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    fault, alarm, score = zip(*rows, strict=True)
    return np.array(fault, np.int8), np.array(alarm), np.array(score, float)


@given(ROWS)
def test_auroc_is_how_often_a_fault_scores_above_a_normal_row(rows) -> None:
    fault, _, score = columns(rows)
    pairs = [(f > n) + (f == n) / 2 for f in score[fault == 1] for n in score[fault == 0]]
    found = metrics.auroc(fault, score)
    assert found == pytest.approx(np.mean(pairs)) if pairs else found is None
    assert (metrics.auprc(fault, score) is None) == (not pairs)


@given(ROWS)
def test_confusion_counts_labelled_rows_only(rows) -> None:
    fault, alarm, _ = columns(rows)
    found = metrics.confusion(fault, alarm)
    assert found.normal + found.faulty == np.sum(fault >= 0)
    doubled = found + found
    assert doubled.f1 == found.f1 and doubled.recall == found.recall
    if found.precision and found.recall:
        assert found.f1 == pytest.approx(2 * found.precision * found.recall / (found.precision + found.recall))
    if found.faulty:
        assert found.recall == pytest.approx(1 - (found.missed_pct or 0) / 100)


def test_figures_by_hand() -> None:
    fault = np.array([0, 0, 0, 0, 1, 1, -1, -1], np.int8)
    alarm = np.array([1, 0, 0, 0, 1, 0, 1, 0], bool)
    found = metrics.confusion(fault, alarm)
    assert (found.true_positive, found.false_positive, found.true_negative, found.false_negative) == (1, 1, 3, 1)
    assert (found.accuracy, found.precision, found.recall, found.f1) == (4 / 6, 0.5, 0.5, 0.5)
    assert (found.false_alarm_pct, found.missed_pct) == (25.0, 50.0)


def test_without_faults_there_are_false_alarms_only() -> None:
    found = metrics.confusion(np.zeros(4, np.int8), np.array([1, 0, 0, 0], bool))
    assert (found.false_alarm_pct, found.accuracy) == (25.0, 0.75)
    assert (found.precision, found.recall, found.f1, found.missed_pct) == (None,) * 4


def test_an_event_is_an_alarm_that_begins_in_a_normal_row_however_long_it_lasts() -> None:
    fault = np.array([0, 0, 0, 0, 1, 1, 0, 0, -1, -1], np.int8)
    assert metrics.false_events(fault, np.array([1, 1, 0, 1, 1, 0, 0, 0, 0, 0], bool)) == 2
    assert metrics.false_events(fault, np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0], bool)) == 0
    assert metrics.false_events(fault, np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1], bool)) == 0
    assert metrics.achieved_over_wanted(3, 1000, 1 / 500) == 1.5
    assert metrics.achieved_over_wanted(3, 0, 1 / 500) is None


def test_a_delay_is_from_the_first_faulty_row_to_the_first_alarm_in_its_stretch() -> None:
    fault = np.array([0, 1, 1, 1, 0, 1, 1, -1, 1, 1], np.int8)
    alarm = np.array([0, 0, 0, 1, 1, 1, 0, 1, 0, 0], bool)
    assert metrics.delays_s(fault, alarm, np.arange(10) * 2.0) == [4.0, 0.0, None]


def test_the_clock_takes_the_better_direction_within_each_run() -> None:
    early, late = np.array([1, 1, 0, 0], np.int8), np.array([0, 0, 1, 1], np.int8)
    at_s = np.arange(4.0)
    assert metrics.clock_auroc([late], [at_s]) == metrics.clock_auroc([early], [at_s + 99]) == 1.0
    assert metrics.clock_auroc([late, early], [at_s, at_s + 1e6]) == 0.5
    assert metrics.clock_auroc([np.zeros(4, np.int8)], [at_s]) is None
