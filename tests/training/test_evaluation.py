"""Evaluation: no label, time or row number reaches a detector, figures are what they say, and any dataset will do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detectors import direct
from gateway.detectors.bundle import Bundle
from gateway.detectors.feature_sets import INVARIANT
from gateway.detectors.manifest import Bin, Calibration, DataSource, Entry
from gateway.training import calibrate, evaluation, stream
from gateway.training.dataset import Channel, ContextChannel, Dataset, Label, Run, Writer, load
from gateway.training.evaluation import NotEvaluable, Track, View, evaluate, figures, tracks
from gateway.training.judges import (
    Both,
    BundleJudge,
    CannotLearn,
    Judge,
    Judged,
    NodeLearnerJudge,
    PlaceJudge,
    Seen,
    Subject,
    standing,
)
from tests.training.machines import AXES, RATE, SAMPLES, autoencoder, machine, shaking

VIEW = View(INVARIANT, SAMPLES)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return machine(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module")
def bundle(drawn: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return autoencoder(drawn, tmp_path_factory.mktemp("bundle") / "drawn")


MAKERS: dict[str, Callable[[Bundle], Callable[[Subject], Judge]]] = {
    "bundle": lambda bundle: lambda subject: BundleJudge(bundle, subject),
    "gateway's learner": lambda bundle: PlaceJudge,
    "node's learner": lambda bundle: NodeLearnerJudge,
    "both": lambda bundle: lambda subject: Both([BundleJudge(bundle, subject), NodeLearnerJudge(subject)]),
}


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest, bundle: Bundle) -> Callable[[Subject], Judge]:
    return MAKERS[request.param](bundle)


def said(dataset: Dataset, make: Callable[[Subject], Judge]) -> list[tuple[list[float], list[bool]]]:
    found = list(tracks(dataset, make, VIEW))
    assert all(track.judged.any() for track in found)
    return [(track.score.tolist(), track.alarm.tolist()) for track in found]


def test_each_detector_finds_the_fault(drawn: Dataset, make: Callable[[Subject], Judge]) -> None:
    found = evaluate(drawn, make, "x", VIEW).pooled
    assert (found.rows, found.fault_rows, found.normal_rows, found.faults_found) == (150, 40, 110, 1)
    assert found.auroc is not None and found.auroc > 0.99
    assert found.recall is not None and found.recall > 0.9


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_labels_change_no_score_no_threshold_and_no_alarm(
    drawn: Dataset, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    random = np.random.default_rng(seed)
    cuts = [float(cut) for cut in np.sort(random.choice(270, 12, replace=False))]
    shuffled = [
        Label(start_s=a, end_s=b, label=f"l{i}", fault=bool(random.integers(2)))
        for i, (a, b) in enumerate(pairwise(cuts))
    ]
    other = machine(tmp_path_factory.mktemp("shuffled"), told=shuffled)
    for maker in MAKERS.values():
        assert said(other, maker(bundle)) == said(drawn, maker(bundle))


@pytest.mark.parametrize("begin_s", [1e6, -5e4])
def test_when_a_recording_was_made_changes_nothing(
    drawn: Dataset, make: Callable[[Subject], Judge], tmp_path: Path, begin_s: float
) -> None:
    assert said(machine(tmp_path, begin_s=begin_s), make) == said(drawn, make)


def rows(dataset: Dataset) -> Seen:
    return Seen(stream.of(dataset.recordings[0], INVARIANT, SAMPLES).x, None, ())


def part(seen: Seen, begin: int, end: int) -> Seen:
    return Seen(seen.x[begin:end], None, ())


def test_how_long_a_judge_has_been_at_it_changes_nothing(drawn: Dataset, make: Callable[[Subject], Judge]) -> None:
    subject = Subject.of(stream.of(drawn.recordings[0], INVARIANT, SAMPLES))
    seen = rows(drawn)
    old, new = make(subject), make(subject)
    old.commission(part(seen, 0, 60))
    old.judge(part(seen, 60, 270))
    for judge in (old, new):
        judge.commission(part(seen, 0, 120))
    found = [judge.judge(part(seen, 120, 270)) for judge in (old, new)]
    assert np.array_equal(found[0].score, found[1].score) and np.array_equal(found[0].alarm, found[1].alarm)


@settings(max_examples=10, deadline=None)
@given(cuts=st.sets(st.integers(121, 269), max_size=6))
def test_rows_to_come_change_nothing(drawn: Dataset, bundle: Bundle, cuts: set[int]) -> None:
    subject, seen = Subject.of(stream.of(drawn.recordings[0], INVARIANT, SAMPLES)), rows(drawn)
    for maker in MAKERS.values():
        whole, piecewise = maker(bundle)(subject), maker(bundle)(subject)
        for judge in (whole, piecewise):
            judge.commission(part(seen, 0, 120))
        edges = [120, *sorted(cuts), 270]
        pieces = [piecewise.judge(part(seen, a, b)) for a, b in pairwise(edges)]
        expected = whole.judge(part(seen, 120, 270))
        assert np.array_equal(np.concatenate([p.score for p in pieces]), expected.score)
        assert np.array_equal(np.concatenate([p.alarm for p in pieces]), expected.alarm)


def test_a_static_model_does_not_know_the_order_of_rows(drawn: Dataset, bundle: Bundle) -> None:
    judge = BundleJudge(bundle, Subject.of(stream.of(drawn.recordings[0], INVARIANT, SAMPLES)))
    seen, order = rows(drawn), np.random.default_rng(1).permutation(270)
    assert np.array_equal(judge.judge(seen).score[order], judge.judge(Seen(seen.x[order], None, ())).score)


def test_a_node_computes_the_scores_of_the_evaluation_to_the_bit(drawn: Dataset, bundle: Bundle) -> None:
    assert bundle.manifest.node is not None
    (track,) = tracks(drawn, lambda subject: BundleJudge(bundle, subject), VIEW)
    windows = stream.of(drawn.recordings[0], INVARIANT, SAMPLES).x[track.learned :].astype(np.int64)
    errors = direct.errors(direct.Network(bundle.model), bundle.manifest.scaling, windows)
    assert np.array_equal(np.rint(track.score * bundle.manifest.node.threshold), errors)
    assert ((track.score > 1) == (errors > bundle.manifest.node.threshold)).all()


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_an_alarm_stands_as_calibration_counts_events(drawn_rows: list[tuple[bool, bool]]) -> None:
    begins = np.array([b for b, _ in drawn_rows], bool)
    above = np.array([a or b for b, a in drawn_rows], bool)
    alarm, quiet = standing(begins, above)
    onsets = int(np.sum(alarm & ~np.concatenate([[False], alarm[:-1]]))) if len(alarm) else 0
    assert onsets == calibrate.count_events(begins, above)
    assert (quiet < 10) == (len(alarm) > 0 and bool(alarm[-1]))


class Told:
    """A judge that says what it was given."""

    wanted = 0.1

    def __init__(self, score: Any = None) -> None:
        self.score, self.shown, self.commissioned = score, [], []

    def commission(self, rows: Seen) -> None:
        self.commissioned.append(rows)

    def judge(self, rows: Seen) -> Judged:
        self.shown.append(rows)
        score = np.zeros(len(rows)) if self.score is None else np.asarray(self.score, float)
        return Judged(score, score > 1)


def values(folder: Path, *runs: Any, count: int = 10, **about: Any) -> Dataset:
    """Runs of `count` readings a second apart, of one channel, as the last keyword has it."""
    with Writer(folder, name="values") as out:
        for at, changes in enumerate(runs):
            fields = {"file": f"r{at}.npz", "node": "n", "asset": "a", "kind": "values", "rate_hz": 1.0, "session": "s",
                      "channels": (Channel(name="t"),), "commission_s": 2.0, **about, **changes}  # fmt: skip
            out.add(Run(**fields), np.arange(count, dtype=float)[:, None])
    return load(folder)


FAULT = (
    Label(start_s=0.0, end_s=6.0, label="normal", fault=False),
    Label(start_s=6.0, end_s=9.0, label="leak", fault=True),
)


def test_figures_by_hand(tmp_path: Path) -> None:
    dataset = values(tmp_path, {"labels": FAULT})
    found = evaluate(dataset, lambda _: Told([0, 2, 0, 0, 0.5, 3, 0, 9]), "told")
    f = found.pooled
    assert (f.rows, f.normal_rows, f.fault_rows, f.not_judged, f.events, f.false_events) == (8, 4, 3, 0, 3, 1)
    assert (f.recall, f.precision, f.false_alarm_pct, f.accuracy) == (1 / 3, 0.5, 25.0, 4 / 7)
    assert f.auroc == 8.5 / 12  # normal 0 2 0 0; faulty 0.5 3 0
    assert (f.faults, f.faults_found, f.delay_s, f.longest_delay_s) == (1, 1, 1.0, 1.0)
    assert (f.wanted_false_events, f.achieved_over_wanted) == (pytest.approx(0.4), pytest.approx(2.5))
    assert f.alarmed_pct_by_label == {"leak": pytest.approx(100 / 3), "normal": 25.0}
    assert f.clock_auroc == 1.0
    assert (found.dataset_sha256, found.runs[0].learned, found.runs[0].figures) == (dataset.sha256(), 2, f)


def test_a_judge_is_shown_rows_and_context_and_breaks_and_no_more(tmp_path: Path) -> None:
    judge = Told()
    evaluate(values(tmp_path, {"breaks": (1, 5)}, {"commission_s": 0.0}), lambda _: judge, "told")
    assert [rows.x.ravel().tolist() for rows in judge.commissioned] == [[0, 1]]
    assert [rows.x.ravel().tolist() for rows in judge.shown] == [list(range(2, 10)), list(range(10))]
    assert [rows.breaks for rows in (*judge.commissioned, *judge.shown)] == [(0, 1), (3,), (0,)]
    assert {field for field in dir(Seen) if not field.startswith("_")} == {"x", "context", "breaks"}
    assert {field for field in dir(Subject) if not field.startswith("_")} == {
        "node", "asset", "feature_set", "channels", "context_names", "of", "terms", "term_names",
    }  # fmt: skip


def test_a_node_that_looks_now_and_then_has_no_breaks(tmp_path: Path) -> None:
    judge = Told()
    dataset = machine(tmp_path, breaks=tuple(range(64, 64 * 270, 64)))
    evaluate(dataset, lambda _: judge, "told", VIEW)
    assert [rows.breaks for rows in (*judge.commissioned, *judge.shown)] == [(0,), ()]


def test_a_long_run_is_shown_in_pieces_and_each_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = values(tmp_path, {"breaks": (1, 5, 6)}, {"commission_s": 0.0})
    whole, judge, told = Told(), Told(), list[tuple[str, float]]()
    expected = evaluate(dataset, lambda _: whole, "told")
    monkeypatch.setattr(evaluation, "_AT_ONCE", 3)
    found = evaluate(dataset, lambda _: judge, "told", progress=lambda run, share: told.append((run, share)))
    assert found.pooled == expected.pooled
    assert [rows.x.ravel().tolist() for rows in judge.shown[:3]] == [[2, 3, 4], [5, 6, 7], [8, 9]]
    assert [rows.breaks for rows in judge.shown] == [(), (0, 1), (), (0,), (), (), ()]
    shares = [share for _, share in told]
    assert shares == sorted(shares) and (shares[0], shares[-1]) == (0, 1)
    assert told[-1][0] == "r1" and ("r0", 0.5) in told


def test_what_a_person_should_know_of_a_run_is_noted(tmp_path: Path) -> None:
    first = (Label(start_s=0.0, end_s=9.0, label="leak", fault=True),)
    found = evaluate(values(tmp_path / "a", {"labels": first}), lambda _: Told(), "told")
    assert found.runs[0].note == "r0: 2 of 2 rows that it learned from are labelled as a fault"
    samples = shaking(1, [1.0] * 60)
    samples[50 * RATE : 52 * RATE] = 0.5
    about = {"node": "n", "asset": "a", "kind": "samples", "channels": AXES, "rate_hz": 64.0, "commission_s": 40.0}
    with Writer(tmp_path / "b", name="x") as out:
        out.add(Run(file="a.npz", session="s", **about), samples)
        samples[:, 1] = 0.5
        out.add(Run(file="b.npz", session="t", **about), samples)
    one, two = evaluate(load(tmp_path / "b"), PlaceJudge, "x", VIEW).runs
    assert one.note == "a: 2 rows not judged: the sensor was stuck or saturated"
    assert "; in 40 more the sensor was stuck or saturated: y never changes" in two.note


def test_what_is_promised_where_nothing_is_labelled_is_of_all_rows(tmp_path: Path) -> None:
    found = evaluate(values(tmp_path, {}), lambda _: Told(), "told").pooled
    assert (found.wanted_false_events, found.wanted_events) == (0, pytest.approx(0.8))


def test_a_threshold_of_a_context_counts_where_the_context_is_known(drawn: Dataset, bundle: Bundle) -> None:
    entry = {"windows": 60, "extrapolated": False, "check_windows": 60, "check_above": 0, "check_events": 0,
             **dict.fromkeys(("p95", "p99", "event_1of1", "event_3of5"), 1)}  # fmt: skip
    table = [Entry(node="", asset="", context=(), threshold=900, **entry)]
    for low, high, threshold in ((None, 60.0, 30), (60.0, None, 600)):
        spans = (Bin(name="speed", low=low, high=high),)
        table.append(Entry(node="hub", asset="machine", context=spans, threshold=threshold, **entry))
    source = DataSource(description="drawn", sha256="0" * 64)
    calibration = Calibration(data=(source,), outputs="direct", by="event_1of1", events_ppb=10**6, table=tuple(table))
    by_speed = replace(bundle, manifest=bundle.manifest.model_copy(update={"calibration": calibration}))
    subject = replace(Subject.of(stream.of(drawn.recordings[0], INVARIANT, SAMPLES)), context_names=("load", "speed"))
    x, speeds = rows(drawn).x[:4], np.array([50.0, 80.0, 50.0, 60.0])
    seen = Seen(x, np.column_stack([np.full(4, 80.0), speeds]), (0,))
    errors = direct.errors(direct.Network(bundle.model), bundle.manifest.scaling, x.astype(np.int64))
    known, unknown = (BundleJudge(by_speed, subject, context_known=known).judge(seen).score for known in (True, False))
    assert known.tolist() == (errors / np.array([30, 600, 30, 600])).tolist()
    assert unknown.tolist() == (errors / 900).tolist()
    assert (
        BundleJudge(by_speed, subject, context_known=True).judge(Seen(x, None, (0,))).score.tolist() == unknown.tolist()
    )


def test_windows_of_a_broken_sensor_are_not_shown_and_counted(tmp_path: Path) -> None:
    samples = shaking(1, [1.0] * 20)
    samples[5 * RATE : 7 * RATE] = 0.5
    with Writer(tmp_path, name="x") as out:
        out.add(
            Run(file="a.npz", node="n", asset="a", kind="samples", channels=AXES, rate_hz=64.0, session="s"), samples
        )
    judge = Told()
    found = evaluate(load(tmp_path), lambda _: judge, "told", VIEW).pooled
    assert (len(judge.shown[0]), found.rows, found.not_judged) == (18, 18, 2)


def test_without_labels_there_are_alarms_only(tmp_path: Path) -> None:
    found = evaluate(values(tmp_path, {}), lambda _: Told([0, 2, 2, 0, 0, 0, 0, 3]), "told").pooled
    assert (found.events, found.alarmed_pct, found.normal_rows, found.fault_rows) == (2, 37.5, 0, 0)
    empty = (found.auroc, found.f1, found.false_alarm_pct, found.achieved_over_wanted, found.delay_s, found.clock_auroc)
    assert empty == (None,) * 6


def test_each_node_has_a_judge_of_its_own_and_figures_are_pooled(tmp_path: Path) -> None:
    made: list[str] = []

    def make(subject: Subject) -> Judge:
        made.append(subject.node)
        return Told()

    dataset = values(tmp_path, {"node": "n"}, {"node": "m", "labels": FAULT}, {"node": "n"})
    found = evaluate(dataset, make, "told")
    assert (made, [run.run for run in found.runs]) == (["n", "m"], ["r0", "r2", "r1"])
    assert (found.pooled.rows, found.pooled.fault_rows, found.macro_auroc) == (24, 3, 0.5)
    only = evaluate(dataset, make, "told", View(nodes=("m",)))
    assert [run.run for run in only.runs] == ["r1"]
    with pytest.raises(NotEvaluable, match="no node 'k': there are n, m"):
        evaluate(dataset, make, "told", View(nodes=("k",)))


class Refusing(Told):
    def commission(self, rows: Seen) -> None:
        if len(rows) < 3:
            raise CannotLearn(f"{len(rows)} rows are too few")


def test_a_run_that_cannot_be_learned_from_is_left_out_by_name(tmp_path: Path) -> None:
    dataset = values(tmp_path, {}, {"commission_s": 4.0, "session": "t"})
    found = evaluate(dataset, lambda _: Refusing(), "told")
    assert [run.note for run in found.runs] == ["r0: 2 rows are too few, of its first 2 s (commission_s)", ""]
    assert (found.pooled.rows, found.pooled.not_judged) == (6, 8)
    with pytest.raises(NotEvaluable, match="r0: 2 rows are too few"):
        evaluate(values(tmp_path / "b", {}), lambda _: Refusing(), "told")
    with pytest.raises(NotEvaluable, match="r0: no row behind what is learned from"):
        evaluate(values(tmp_path / "c", {"commission_s": 99.0}), lambda _: Told(), "told")


@pytest.mark.parametrize("judge", [PlaceJudge, NodeLearnerJudge])
def test_a_learner_that_was_never_commissioned_judges_nothing(tmp_path: Path, judge: Any) -> None:
    dataset = machine(tmp_path, commission_s=0.0)
    with pytest.raises(NotEvaluable, match="hub: nothing learned: its commission_s is 0"):
        evaluate(dataset, judge, "x", VIEW)
    found = evaluate(dataset, judge, "x", View(INVARIANT, SAMPLES, commission_s=120.0))
    assert (found.runs[0].learned, found.pooled.faults_found) == (120, 1)


def test_of_a_session_the_first_run_is_learned_from_and_the_others_go_on(tmp_path: Path) -> None:
    dataset = values(tmp_path, {}, {}, {"session": "t"}, commission_s=0.0)
    found = evaluate(dataset, lambda _: Told(), "told", View(commission_s=3.0))
    assert [run.learned for run in found.runs] == [3, 0, 3]


def test_runs_shorter_than_a_window_are_judged_by_nobody(
    tmp_path: Path, drawn: Dataset, make: Callable[[Subject], Judge]
) -> None:
    with Writer(tmp_path, name="x") as out:
        whole = drawn.recordings[0]
        out.add(whole.run.model_copy(update={"sha256": None}), whole.read().values)
        short = whole.run.model_copy(update={"sha256": None, "file": "short.npz", "labels": ()})
        out.add(short, whole.read().values[:50])
        out.add(short.model_copy(update={"file": "shorter.npz", "commission_s": 0.0}), whole.read().values[:50])
    found = evaluate(load(tmp_path), make, "x", VIEW)
    assert [(run.run, run.figures.rows) for run in found.runs] == [("hub", 150), ("short", 0), ("shorter", 0)]
    assert [run.note for run in found.runs] == ["", "short: no whole row in the 120 s to learn from", ""]
    assert found.runs[1].figures.alarmed_pct is None


def test_a_node_whose_runs_differ_is_refused(tmp_path: Path) -> None:
    with Writer(tmp_path, name="x") as out:
        for name, axes in (("a", AXES), ("b", AXES[:2])):
            run = Run(file=f"{name}.npz", node="n", asset="m", kind="samples", channels=axes, rate_hz=64.0, session="s")
            out.add(run, shaking(1, [1.0] * 5)[:, : len(axes)])
    with pytest.raises(NotEvaluable, match="run b: its channels or features"):
        evaluate(load(tmp_path), lambda _: Told(), "told", VIEW)


@pytest.mark.parametrize("judge", [PlaceJudge, NodeLearnerJudge])
def test_too_little_to_learn_from_is_said(tmp_path: Path, judge: Any) -> None:
    with pytest.raises(NotEvaluable, match=r"hub: 9 rows to learn from, where (16|24) are"):
        evaluate(machine(tmp_path, commission_s=3.0), judge, "x", VIEW)


def test_a_machine_that_stood_still_is_nothing_to_learn_from(tmp_path: Path) -> None:
    with Writer(tmp_path, name="x") as out:
        run = Run(file="a.npz", node="n", asset="a", kind="values", rate_hz=1.0, session="s", commission_s=50.0,
                  channels=(Channel(name="t"),))  # fmt: skip
        out.add(run, np.full((100, 1), 7.0))
    with pytest.raises(NotEvaluable, match="a: 50 rows without any change"):
        evaluate(load(tmp_path), PlaceJudge, "x")


def test_what_did_not_change_while_it_was_learned_is_named(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    readings = np.column_stack([random.normal(size=100), np.repeat([7.0, 8.0], 50), np.full(100, 7.0)])
    with Writer(tmp_path, name="x") as out:
        run = Run(file="a.npz", node="n", asset="a", kind="values", rate_hz=1.0, session="s", commission_s=50.0,
                  channels=tuple(Channel(name=n) for n in "abc"))  # fmt: skip
        out.add(run, readings)
    (one,) = evaluate(load(tmp_path), PlaceJudge, "x").runs
    assert (one.note, one.figures.rows) == ("a: b did not change in what is learned from", 50)


def test_the_gateways_learner_uses_a_context_that_varies_and_no_feature_that_does_not(tmp_path: Path) -> None:
    found = evaluate(machine(tmp_path / "a", context=True), PlaceJudge, "x", VIEW)
    assert found.pooled.auroc is not None and found.pooled.auroc > 0.99
    random = np.random.default_rng(1)
    readings = np.column_stack([random.normal(size=(300, 2)), np.full(300, 7.0)])
    with Writer(tmp_path / "b", name="x") as out:
        run = Run(file="a.npz", node="n", asset="a", kind="values", rate_hz=1.0, session="s", commission_s=200.0,
                  channels=tuple(Channel(name=n) for n in "abc"), context=(ContextChannel(name="speed"),))  # fmt: skip
        out.add(run, readings, context=np.full((300, 1), 50.0))
    assert evaluate(load(tmp_path / "b"), PlaceJudge, "x").pooled.rows == 100


def test_feature_windows_of_a_node_are_judged_as_its_samples_are(drawn: Dataset, tmp_path: Path) -> None:
    seen = stream.of(drawn.recordings[0], INVARIANT, SAMPLES)
    with Writer(tmp_path, name="x") as out:
        about = drawn.recordings[0].run.model_dump(exclude={"sha256", "labels", "channels", "breaks", "context"})
        run = Run(**{**about, "kind": "features", "feature_set": INVARIANT, "samples": SAMPLES, "rate_hz": 1.0},
                  channels=AXES, labels=drawn.recordings[0].run.labels)  # fmt: skip
        out.add(run, seen.x.astype(np.int32), at_s=seen.at_s)
    assert said(load(tmp_path), PlaceJudge) == said(drawn, PlaceJudge)


def test_a_result_is_json(drawn: Dataset) -> None:
    found = evaluate(drawn, PlaceJudge, "x", VIEW)
    plain = json.loads(json.dumps(found.plain(), allow_nan=False))
    assert plain["pooled"]["auroc"] == found.pooled.auroc and plain["runs"][0]["run"] == "hub"


def test_pooling_adds_up(tmp_path: Path) -> None:
    found = list(tracks(values(tmp_path, {"labels": FAULT}, {"labels": FAULT}), lambda _: Told([2, 0] * 4), View()))
    one, two = figures(found[:1]), figures(found)
    assert isinstance(found[0], Track)
    assert (two.rows, two.events, two.false_events) == (2 * one.rows, 2 * one.events, 2 * one.false_events)
    assert (two.f1, two.recall, two.false_alarm_pct) == (one.f1, one.recall, one.false_alarm_pct)
