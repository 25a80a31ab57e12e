"""tests/bench/models_alarms.py: the learner and the static threshold are judged on the same terms."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.training.stream import Stream
from tests.bench import models_alarms
from tests.bench.models_alarms import SEEN, Ours, Refitted, Static, watch

LEARN, ROWS, STEP = 240, 1500, 500


@pytest.fixture(scope="module")
def stepped() -> Stream:
    """Two channels that stand elsewhere from row STEP on."""
    x = np.random.default_rng(4).normal(0, 1, (ROWS, 2)) + 15.0 * (np.arange(ROWS) >= STEP)[:, None]
    return Stream(
        name="stepped", node="n", asset="a", session="s", feature_set=None, channels=("a", "b"), context_names=(),
        row_s=1.0, x=x, at_s=np.arange(ROWS, dtype=float), context=None, breaks=np.zeros(0, np.intp), learn=LEARN,
        fault=np.zeros(ROWS, np.int8), label=("normal",) * ROWS, sensor_fault=np.zeros(ROWS, np.int8),
    )  # fmt: skip


@pytest.mark.parametrize("make", [Ours, Refitted])
def test_who_is_acknowledged_learns_anew_and_is_quiet(make: type[Ours] | type[Refitted], stepped: Stream) -> None:
    found = watch(make(stepped, LEARN), stepped, LEARN)
    assert (found.acknowledged, found.blind) == (1, LEARN) and found.rows == ROWS - 2 * LEARN
    assert SEEN <= found.alarmed <= SEEN + 30
    alone = watch(make(stepped, LEARN), stepped, LEARN, None)
    assert alone.acknowledged == alone.blind == 0 and alone.alarmed >= ROWS - STEP - 5


def test_what_is_static_alarms_again_however_often_it_is_acknowledged(stepped: Stream) -> None:
    found = watch(Static(stepped, LEARN), stepped, LEARN)
    assert found.blind == 0 and found.acknowledged >= (ROWS - STEP) // (SEEN + 5)


def test_excesses_that_are_all_alike_have_a_threshold() -> None:
    scores = np.concatenate([np.zeros(995), np.ones(5)])
    assert models_alarms.baselines.peaks_over_threshold(scores, 1 / 500) == 1.0
