"""gateway/training/study*.py: what is compared is fair, whole, and the same when it is done again."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from gateway.detectors.learner import Learner
from gateway.training.dataset import Channel, Dataset, Label, Rows, Run, Writer, load
from gateway.training.evaluation import Figures
from gateway.training.held_out import Unfit
from gateway.training.judges import Seen, Subject
from gateway.training.study import Study, Wish, report, study
from gateway.training.study import conditions as study_conditions
from gateway.training.study import footprint as study_footprint
from gateway.training.study import plain as study_plain
from gateway.training.study.conditions import CHANGED, DRIFT, MOUNTING, RAMP, SAME, SIMULATED
from gateway.training.study.data import GAIN, Source, drifting, turned
from gateway.training.study.paths import BOTH, LEARNER, PATHS, STATIC, NodeJudge, in_parts
from gateway.training.study.ramp import RAMP_S
from tests.training.machines import AXES, labels, machine


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two nodes at two places, each learned for 120 s."""
    return machine(tmp_path_factory.mktemp("shaken"), nodes=("hub", "rim"), normal_s=430)


@pytest.fixture(scope="module")
def made(shaken: Dataset) -> Study:
    return study([Wish(shaken)])


def test_each_path_does_each_condition_on_the_same_rows(made: Study) -> None:
    [domain] = made.domains
    assert list(domain.conditions) == [SAME, MOUNTING, MOUNTING + SIMULATED, DRIFT + SIMULATED, RAMP + SIMULATED]
    assert set(domain.missing) == {CHANGED, DRIFT}
    for found in domain.conditions.values():
        assert tuple(found.paths) == PATHS
        rows = [[(t.run, len(t.score), t.at_s[0]) for t in of.tracks] for of in found.paths.values()]
        assert rows[0] == rows[1] == rows[2] == rows[3]
    same = domain.conditions[SAME].paths
    assert all(of.figures.auroc > 0.999 and of.figures.missed_pct < 10 for of in same.values())
    assert abs(same[STATIC].int8_cost) < 0.01 and same[LEARNER].int8_cost is None


def test_a_ramp_rises_to_the_recorded_fault_and_counts_from_its_first_row(made: Study, shaken: Dataset) -> None:
    [domain] = made.domains
    [visit] = domain.conditions[RAMP + SIMULATED].condition.visits
    ramp = visit.shown[0].windows
    first = int(np.argmax(ramp.fault == 1))
    plain = domain.conditions[SAME].condition.visits[0].shown[0].windows
    np.testing.assert_array_equal(ramp.x[:first], plain.x[:first])
    fault = np.log2(plain.x[plain.fault == 1][:, 1]).mean()  # the standard deviation of x
    full = ramp.at_s > ramp.at_s[first] + RAMP_S
    assert np.log2(ramp.x[full, 1]).mean() == pytest.approx(fault, abs=0.1)
    half = np.abs(ramp.at_s - ramp.at_s[first] - RAMP_S / 2) < 8
    assert np.log2(ramp.x[half, 1]).mean() == pytest.approx((fault + np.log2(plain.x[:first, 1]).mean()) / 2, abs=0.15)


def test_what_is_simulated_stays_within_sixteen_bits(shaken: Dataset) -> None:
    recording = shaken.recordings[0]
    rows = recording.read()
    found = turned(recording.run, rows).values
    np.testing.assert_allclose(found[:, 0], np.clip(rows.values[:, 2] * 4096 * GAIN, -32768, 32767), atol=1)
    loud = Rows(np.full((4, 3), 7.0, np.float32), rows.at_s[:4], None)
    drifted = drifting(rows.at_s[1], np.zeros(3))(recording.run, loud).values
    assert drifted[:, 0].tolist() == [28672, 28672, 32256, 32767]  # 7 g; by an eighth more; beyond 8 g


def test_parts_of_a_lesson_share_no_sample(shaken: Dataset) -> None:
    source = Source(shaken)
    lessons = [source.lesson(one) for one in study_conditions.lessons(source, None)]
    assert source.dense_hop * 4 == source.samples == 64
    [rows] = in_parts(source, lessons)
    start = np.arange(len(rows.part)) * source.dense_hop
    for before, after in ((0, 1), (1, 2)):
        assert start[rows.part == after].min() >= start[rows.part == before].max() + source.samples
    assert lessons[0].at_s[-1] <= 120.0


def test_labels_choose_nothing(tmp_path: Path, made: Study) -> None:
    """Other labels behind what is learned from: every score, alarm and threshold is what it was."""
    told = labels((0.0, 200.0, True), (200.0, 390.0, False), (390.0, 500.0, True))
    [other] = study([Wish(machine(tmp_path, nodes=("hub", "rim"), normal_s=430, told=told))]).domains
    [domain] = made.domains
    assert other.static.bundle.manifest.node == domain.static.bundle.manifest.node
    assert other.static.bundle.model == domain.static.bundle.model
    for name in (SAME, MOUNTING, MOUNTING + SIMULATED, DRIFT + SIMULATED):
        for path in PATHS:
            pairs = zip(
                other.conditions[name].paths[path].tracks, domain.conditions[name].paths[path].tracks, strict=True
            )
            for a, b in pairs:
                np.testing.assert_array_equal(a.score, b.score)
                np.testing.assert_array_equal(a.alarm, b.alarm)
                assert (a.fault != b.fault).any()


def test_json_has_every_figure_and_comes_out_the_same_again(made: Study, shaken: Dataset) -> None:
    found = study_plain.plain(made)
    domain = found["domains"]["machine / hub"]
    for condition in domain["conditions"].values():
        for of in condition["paths"].values():
            assert {f.name for f in fields(Figures)} | {"int8_auroc_cost", "notes"} <= set(of)
    for footprint in domain["footprint"].values():
        assert {"flash_bytes", "ram_bytes", "peak_bytes", "storage_bytes", "macs", "steps"} <= set(footprint)
        assert set(footprint["cores"]) == {"cortex-m4", "cortex-m7", "cortex-m55", "rv32imc"}
        for core in footprint["cores"].values():
            assert (core["energy_uj"] is None) == (core["peak_mw"] is None) == bool(core["unknown"])
    assert domain["missing"][CHANGED] == "one session only"
    recorded = [domain["conditions"][name]["paths"][LEARNER] for name in (SAME, MOUNTING)]
    assert found["pooled_events"][LEARNER]["wanted"] == sum(f["wanted_false_events"] for f in recorded)
    assert json.dumps(study_plain.plain(study([Wish(shaken)]))) == json.dumps(found)


def test_the_report_needs_nothing_else(made: Study) -> None:
    page = report.html(made, "stethos model compare <machine>")
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?!#)[^\"'\s>]", page.replace("xlink:href", "href"))
    assert not re.findall(r"url\((?!#)", page) and "<script" not in page and "@import" not in page
    assert page.count("<svg") == page.count("</svg>") >= 7
    assert "stethos model compare &lt;machine&gt;" in page
    assert "changed session: one session only" in page and page.count('class="sim"') >= 6
    table = page.split("<h3>What it costs</h3>")[1].split("<details>")[0]
    assert "<th>µJ a window</th>" in table and "<th>peak mW</th>" in table
    assert "Power is not known: no data sheet" in page and "<td>not known</td>" in page
    assert not re.findall(r"sram bytes|npu cycles|<th>condition", page)

    assert page == report.html(made, "stethos model compare <machine>")


def test_silence_where_no_fault_is_shown_is_not_green(made: Study) -> None:
    of = made.domains[0].conditions[SAME].paths[LEARNER]
    quiet = replace(of, figures=replace(of.figures, false_alarm_pct=0.0, missed_pct=0.0))
    untold = replace(of, figures=replace(quiet.figures, missed_pct=None))
    assert "#dcfce7" in report._told(quiet) and "#dcfce7" not in report._told(untold)


def readings(folder: Path, *, commission_s: float = 6000.0, fault: bool = False) -> Dataset:
    """A room, a reading a minute."""
    random = np.random.default_rng(3)
    at = np.arange(0, 12000.0, 10.0)
    values = np.stack([20 + 2 * np.sin(at / 600), 40 - 5 * np.sin(at / 600)], axis=1) + random.normal(0, 0.1, (1200, 2))
    values[1000:1100] += 4 * fault
    told = (Label(start_s=0, end_s=10000, label="normal", fault=False),
            *((Label(start_s=10000, end_s=11000, label="hot", fault=True),) if fault else ()))  # fmt: skip
    channels = (Channel(name="temperature", unit="°C"), Channel(name="humidity", unit="%"))
    with Writer(folder, name="room") as out:
        for session in ("one", "two"):
            run = Run(
                file=f"{session}.npz", node="climate", asset="room", kind="values", channels=channels,
                rate_hz=0.1, session=session, commission_s=commission_s, labels=told,
            )  # fmt: skip
            out.add(run, values.astype(np.float32))
    return load(folder)


def test_a_slow_sensor_is_windows_to_a_node_and_readings_to_the_gateway(tmp_path: Path) -> None:
    [domain] = study([Wish(readings(tmp_path, fault=True))]).domains
    [visit] = domain.conditions[CHANGED].condition.visits
    shown = visit.shown[0]
    assert shown.windows.x.shape[1] == 6 and shown.readings.x.shape == (1200, 2)
    np.testing.assert_array_equal(shown.readings.at_s[shown.at], shown.windows.at_s)
    rows = {path: of.figures.rows + of.figures.not_judged for path, of in domain.conditions[CHANGED].paths.items()}
    assert len(set(rows.values())) == 1
    assert MOUNTING + SIMULATED in domain.conditions and RAMP + SIMULATED in domain.conditions


def test_what_cannot_be_is_named(tmp_path: Path) -> None:
    [domain] = study([Wish(readings(tmp_path / "quiet"))]).domains
    assert domain.missing[RAMP + SIMULATED] == "no fault is recorded"
    short = study([Wish(readings(tmp_path / "short", commission_s=700.0))]).domains[0]
    assert short.static is None and "no static model" in short.refused
    assert set(short.conditions[SAME].paths if SAME in short.conditions else short.conditions[CHANGED].paths) == {
        LEARNER, "learner at the gateway",
    }  # fmt: skip
    nothing = study([Wish(readings(tmp_path / "nothing", commission_s=0.0))])
    assert nothing.domains == () and "commission_s" in nothing.not_studied["room"]
    with pytest.raises(Unfit, match="no node 'attic', but climate"):
        Source(load(tmp_path / "quiet"), "attic")


def test_both_is_what_a_node_does(made: Study) -> None:
    """core/judge.c: either alarms, the higher score counts, and the model keeps strange windows from the learner."""
    [domain] = made.domains
    subject = Subject("hub", "machine", 1, tuple(axis.name for axis in AXES), ())
    rows = domain.conditions[SAME].condition.visits[0].shown[0].windows
    judge = NodeJudge(domain.static.bundle, subject)
    judge.commission(Seen(rows.x[:120], None, ()))
    alone = domain.conditions[SAME].paths
    found = judge.judge(Seen(rows.x[120:], None, ()))
    either = alone[STATIC].tracks[0].alarm | alone[LEARNER].tracks[0].alarm
    np.testing.assert_array_equal(found.alarm, either)
    np.testing.assert_array_equal(found.score, np.fmax(alone[STATIC].tracks[0].score, alone[LEARNER].tracks[0].score))
    strange = NodeJudge(domain.static.bundle, subject)
    strange.commission(Seen(rows.x[rows.fault == 1][:30], None, ()))
    learner = strange._learner
    assert isinstance(learner, Learner) and learner.diagnose().learned == 0


def test_the_cost_of_both_is_that_of_its_parts(made: Study) -> None:
    of = made.domains[0].footprint
    assert of[BOTH].ram_bytes == of[STATIC].ram_bytes + of[LEARNER].ram_bytes
    m4 = {path: found.cores["cortex-m4"] for path, found in of.items()}
    assert m4[BOTH].verdict_instructions == m4[STATIC].verdict_instructions + m4[LEARNER].verdict_instructions
    assert m4[BOTH].energy_uj > m4[LEARNER].energy_uj and len(of[BOTH].steps) > len(of[LEARNER].steps)


def test_without_vela_that_is_said(made: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_footprint.shutil, "which", lambda *_, **__: None)
    found, why = study_footprint.vela(made.domains[0].static.bundle.model)
    assert found == {} and "stethos[study]" in why


def test_vela_counts_the_multiplications(made: Study) -> None:
    pytest.importorskip("ethosu")
    found, why = study_footprint.vela(made.domains[0].static.bundle.model)
    assert found["cycles"] > found["npu_cycles"] > 0 and "ethos-u55-128" in why and "energy not known" in why
    assert found["ms"] == pytest.approx(found["cycles"] / found["mhz"] / 1000)
