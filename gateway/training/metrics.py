"""How well alarms and scores agree with labels. No threshold is chosen here, and nothing is adjusted.

`fault` is 1, 0 or -1 (unlabelled: it counts nowhere); `score` rises with strangeness; `alarm` is what a detector would
have raised at that row, without looking ahead. A figure that the labels at hand cannot give is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

Labels = NDArray[np.int8]
Alarms = NDArray[np.bool_]
Numbers = NDArray[np.float64]


def auroc(fault: Labels, score: Numbers) -> float | None:
    """Area under the receiver operating characteristic. None unless both kinds are there."""
    known = fault >= 0
    if len(np.unique(fault[known])) < 2:
        return None
    return float(roc_auc_score(fault[known], score[known]))


def auprc(fault: Labels, score: Numbers) -> float | None:
    """Area under precision and recall, as average precision. None unless both kinds are there."""
    known = fault >= 0
    if len(np.unique(fault[known])) < 2:
        return None
    return float(average_precision_score(fault[known], score[known]))


def clock_auroc(fault: Sequence[Labels], at_s: Sequence[Numbers]) -> float | None:
    """What the time since the start of each run alone would reach, rising or falling, whichever is the better: runs
    whose labels a clock predicts say little about a detector.
    """
    passed = [at - at[0] if len(at) else at for at in at_s]
    found = auroc(np.concatenate(list(fault)), np.concatenate(passed))
    return None if found is None else max(found, 1.0 - found)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows by what they were and whether there was an alarm. Sums of several runs are pooled ("micro") figures."""

    true_positive: int = 0
    false_positive: int = 0
    true_negative: int = 0
    false_negative: int = 0

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.true_negative + other.true_negative,
            self.false_negative + other.false_negative,
        )

    @property
    def normal(self) -> int:
        """Rows that were normal."""
        return self.false_positive + self.true_negative

    @property
    def faulty(self) -> int:
        """Rows that were faulty."""
        return self.true_positive + self.false_negative

    @property
    def accuracy(self) -> float | None:
        """Share of rows judged rightly. None without any."""
        return _share(self.true_positive + self.true_negative, self.normal + self.faulty)

    @property
    def precision(self) -> float | None:
        """Share of alarmed rows that were faulty. None without any, or without faults."""
        return _share(self.true_positive, self.true_positive + self.false_positive) if self.faulty else None

    @property
    def recall(self) -> float | None:
        """Share of faulty rows that were alarmed. None without any."""
        return _share(self.true_positive, self.faulty)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall. None without faults."""
        both = 2 * self.true_positive + self.false_positive + self.false_negative
        return _share(2 * self.true_positive, both) if self.faulty else None

    @property
    def false_alarm_pct(self) -> float | None:
        """Normal rows alarmed, per cent ("FAR"). None without normal rows."""
        return _per_cent(self.false_positive, self.normal)

    @property
    def missed_pct(self) -> float | None:
        """Faulty rows not alarmed, per cent ("MAR"). None without faults."""
        return _per_cent(self.false_negative, self.faulty)


def confusion(fault: Labels, alarm: Alarms) -> Confusion:
    """Counts every labelled row."""
    return Confusion(
        int(np.sum((fault == 1) & alarm)),
        int(np.sum((fault == 0) & alarm)),
        int(np.sum((fault == 0) & ~alarm)),
        int(np.sum((fault == 1) & ~alarm)),
    )


def onsets(alarm: Alarms) -> NDArray[np.intp]:
    """Rows at which an alarm begins."""
    before = np.concatenate([[False], alarm[:-1]])
    return np.flatnonzero(alarm & ~before)


def false_events(fault: Labels, alarm: Alarms) -> int:
    """Alarms that begin in a normal row: what a person would be called for, however long each lasts."""
    return int(np.sum(fault[onsets(alarm)] == 0))


def achieved_over_wanted(events: int, normal_rows: int, wanted_per_row: float) -> float | None:
    """False-alarm events by how many were promised for so many normal rows. None where none were."""
    promised = normal_rows * wanted_per_row
    return events / promised if promised > 0 else None


def delays_s(fault: Labels, alarm: Alarms, at_s: Numbers) -> list[float | None]:
    """For each stretch of faulty rows: seconds from its first row to the first alarm in it, None where it was missed,
    0 where an alarm stood already.
    """
    faulty = fault == 1
    edges = np.flatnonzero(np.diff(np.concatenate([[0], faulty.astype(np.int8), [0]])))
    found: list[float | None] = []
    for begin, end in pairwise(edges):
        if faulty[begin]:
            rows = np.flatnonzero(alarm[begin:end])
            found.append(float(at_s[begin + rows[0]] - at_s[begin]) if len(rows) else None)
    return found


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _per_cent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
