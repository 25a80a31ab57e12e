"""Which runs are looked at, and what happens where there is little to learn from: what was before, or a fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.detectors.feature_sets import INVARIANT
from gateway.detectors.place import Settings
from gateway.training import metrics
from gateway.training.dataset import Dataset, Label, Run, Writer, load
from gateway.training.evaluation import evaluate, measured, streams, tracks
from gateway.training.fleet_judge import FleetJudge, taught, tracks_given_others
from gateway.training.judges import EVENTS, NodeLearnerJudge, PlaceJudge
from gateway.training.view import NotEvaluable, View, gathered
from tests.training.machines import AXES, RATE, SAMPLES, labels, shaking

VIEW = View(INVARIANT, SAMPLES, hop=SAMPLES)
SETTINGS = Settings(events=EVENTS, average=1)


def days(folder: Path, seconds: dict[str, float], loud: float = 2.5) -> Dataset:
    """Of each session a minute and a half, the last twenty seconds of them louder; learned from for so long."""
    with Writer(folder, name="days") as out:
        for at, (session, learn_s) in enumerate(seconds.items()):
            run = Run(
                file=f"{session}.npz", node="hub", asset="m", kind="samples", channels=AXES, rate_hz=float(RATE),
                session=session, commission_s=learn_s, labels=labels((0, 70, False), (70, 90, True)),
            )  # fmt: skip
            out.add(run, shaking(at, [1.0] * 70 + [loud] * 20))
    return load(folder)


@pytest.mark.parametrize("judge", [PlaceJudge, NodeLearnerJudge])
def test_a_place_with_too_little_goes_on_with_what_was_learned_before(tmp_path: Path, judge: Any) -> None:
    one, two, three = evaluate(days(tmp_path, {"a": 50.0, "b": 6.0, "c": 0.5}), judge, "x", VIEW).runs
    assert one.note == ""
    assert two.note.startswith("b: 6 rows to learn from, where ") and two.note.endswith("what it learned before")
    assert three.note == "c: no whole row in the 0.5 s to learn from; it goes on with what it learned before"
    assert max(each.figures.not_judged for each in (one, two, three)) <= 1  # a node may want one more
    assert two.figures.faults_found == three.figures.faults_found == 1


def test_windows_overlap_where_there_would_be_too_few(tmp_path: Path) -> None:
    few = View(INVARIANT, SAMPLES)
    ((seen, _),) = streams(days(tmp_path / "few", {"a": 9.0}).recordings, few)
    assert (seen.row_s, seen.learn) == (0.25, 33)
    ((seen, _),) = streams(days(tmp_path / "enough", {"a": 30.0}).recordings, few)
    assert (seen.row_s, seen.learn) == (1.0, 30)
    assert evaluate(load(tmp_path / "few"), PlaceJudge, "x", few).pooled.faults_found == 1


def test_sessions_are_chosen_by_name_and_form(tmp_path: Path) -> None:
    dataset = days(tmp_path, {"n1": 40.0, "n2": 40.0, "d1": 40.0})
    names = [[r.name for r in view.recordings(dataset)] for view in (
        View(sessions=("n*",)), View(without=("n1",)), View(sessions=("n*",), without=("*2",)),
    )]  # fmt: skip
    assert names == [["n1", "n2"], ["n2", "d1"], ["n1"]]
    with pytest.raises(NotEvaluable, match=r"no session 'k\*': there are n1, n2, d1"):
        evaluate(dataset, PlaceJudge, "x", View(without=("k*",)))


def test_reasons_are_gathered() -> None:
    many = [(f"r{i}", "8 rows") for i in range(96)] + [("a", "x"), ("b", "y"), ("c", "z"), ("d", "z")]
    assert gathered(many) == "r0 and 95 more: 8 rows; c and 1 more: z; a: x; and 1 more"


def test_the_clock_is_beaten_on_the_rows_that_were_judged(tmp_path: Path) -> None:
    samples = shaking(1, [1.0] * 90)
    samples[30 * RATE : 60 * RATE] = 0.5  # stuck: nobody judges them
    with Writer(tmp_path, name="x") as out:
        run = Run(
            file="a.npz", node="n", asset="a", kind="samples", channels=AXES, rate_hz=float(RATE), session="s",
            commission_s=20.0, labels=(*labels((0, 60, False), (60, 75, True)), Label(start_s=75.0, end_s=90.0,
            label="normal", fault=False)),
        )  # fmt: skip
        out.add(run, samples)
    (track,) = tracks(load(tmp_path), PlaceJudge, VIEW)
    found = measured(load(tmp_path), "x", [track]).pooled
    kept = track.judged
    assert found.clock_auroc == metrics.clock_auroc([track.fault[kept]], [track.at_s[kept]])
    assert found.clock_auroc != metrics.clock_auroc([track.fault], [track.at_s])
    assert found.hours == pytest.approx(70 / 3600)  # as long as it took, whatever was judged of it


def test_a_fleet_of_the_other_sessions_judges_from_the_first_row(tmp_path: Path) -> None:
    dataset = days(tmp_path, {"a": 40.0, "b": 40.0, "c": 40.0, "d": 40.0, "e": 0.5}, loud=12.0)
    view = View(INVARIANT, SAMPLES, SAMPLES, sessions=("e",))
    (track,) = tracks_given_others(dataset, SETTINGS, view)
    assert track.learned == 0 and track.judged.all()
    assert metrics.auroc(track.fault, track.score) == 1.0
    (short,) = tracks_given_others(dataset, SETTINGS, View(INVARIANT, SAMPLES, SAMPLES, ("hub",), 10.0, ("a",)))
    assert short.learned == 10 and short.judged.all()  # the others learned as long as their runs say
    with pytest.raises(NotEvaluable, match="session e: no other session of such a node"):
        list(
            tracks_given_others(
                dataset, SETTINGS, View(INVARIANT, SAMPLES, SAMPLES, sessions=("e",), without=("[a-d]",))
            )
        )


def test_labels_change_nothing_of_a_fleet(tmp_path: Path) -> None:
    dataset = days(tmp_path, dict.fromkeys("abcde", 40.0))
    before = [track.score.tolist() for track in tracks_given_others(dataset, SETTINGS, VIEW)]
    file = tmp_path / "dataset.json"
    file.write_text(file.read_text().replace('"fault": true', '"fault": "?"').replace('"fault": false', '"fault": true')
                    .replace('"?"', "false"))  # fmt: skip
    assert [track.score.tolist() for track in tracks_given_others(load(tmp_path), SETTINGS, VIEW)] == before


def test_a_fleet_of_other_features_is_refused(tmp_path: Path) -> None:
    dataset = days(tmp_path, {"a": 40.0})
    ((seen, _),) = streams(dataset.recordings, VIEW)
    fleet = taught(seen)
    assert fleet is not None and fleet.limits.count == 1 and np.isfinite(fleet.means.mean).all()
    found = evaluate(dataset, lambda subject: FleetJudge(subject, fleet, SETTINGS), "x", VIEW)
    assert found.pooled.faults_found == 1
    with pytest.raises(NotEvaluable, match=r"node hub: .* a fleet of"):
        evaluate(dataset, lambda subject: FleetJudge(subject, fleet), "x", View(1, SAMPLES))
