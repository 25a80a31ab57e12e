"""What `stethos model` says to whoever trusts what it made: warnings, refusals, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.evaluate import _lines
from gateway.cli.model_train import _doubts, _told
from gateway.detectors.bundle import ANY, load
from gateway.detectors.feature_sets import SLOW
from gateway.training import dataset
from gateway.training.evaluation import evaluate
from gateway.training.fleet_judge import taught
from gateway.training.judges import PlaceJudge
from gateway.training.stream import of
from tests.cli.test_model import good, refused
from tests.training.machines import machine
from tests.training.recordings import fans
from tests.training.test_view import days


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key, and a bundle that it has signed."""
    folder = tmp_path_factory.mktemp("works")
    labels = (dataset.Label(start_s=0, end_s=460, label="well", fault=False),)
    fans(folder / "fans", {"hub": 1.0}, labels=labels)
    good("keygen", folder / "key.pem")
    train = ("train", folder / "fans", "--features", "statistics", "--samples", 64)
    told = good(*train, "--out", folder / "fan", "--key", folder / "key.pem")
    assert "behind what it learned from: false alarms % 0.000, rows in alarm % 0.000" in told
    return folder


def test_a_bundle_under_another_name_is_not_good(place: Path, tmp_path: Path) -> None:
    public = load(place / "fan", ANY).signed_by
    assert public is not None
    good("verify", place / "fan", "--trusted", public.hex())
    shutil.copytree(place / "fan", tmp_path / "other")
    told = refused("verify", tmp_path / "other", "--trusted", public.hex())
    assert "bundle.json: is the bundle 'fan', not 'other'" in told


def test_a_signed_bundle_is_written_over_only_when_that_is_meant(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "fan", tmp_path / "fan")
    again = ("calibrate", place / "fan", place / "fans", "--out", tmp_path / "fan", "--unsigned")
    assert "a signed bundle is here already; --force writes over it" in refused(*again)
    assert load(tmp_path / "fan", ANY).signed_by
    good(*again, "--force")
    good(*again)  # what nobody answers for is nobody's
    assert load(tmp_path / "fan", ANY).signed_by is None


def test_an_export_for_a_node_that_was_not_calibrated_says_so(place: Path, tmp_path: Path) -> None:
    export = ("model", "export", str(place / "fan"), "--as", "c-header", "--out", str(tmp_path / "fan.h"))
    assert CliRunner().invoke(main, export).stderr == ""
    told = CliRunner().invoke(main, [*export, "--node", "rim"])
    assert told.exit_code == 0
    assert told.stderr == "warning: fan has no threshold for node 'rim': this is the one for any\n"


def test_metrics_are_of_the_chosen_sessions(tmp_path: Path) -> None:
    """The other day's faults are not what was asked for."""
    days(tmp_path / "days", {"a": 60.0, "b": 60.0})
    file = tmp_path / "days" / "dataset.json"
    manifest = json.loads(file.read_text())
    manifest["runs"][0]["labels"] = manifest["runs"][0]["labels"][:1]
    file.write_text(json.dumps(manifest))
    train = ("train", tmp_path / "days", "--samples", 64, "--unsigned")
    good(*train, "--session", "a", "--out", tmp_path / "a")
    good(*train, "--session", "b", "--out", tmp_path / "b")
    metrics = {name: load(tmp_path / name, ANY).manifest.provenance.metrics for name in "ab"}
    assert "missed_pct" not in metrics["a"] and "missed_pct" in metrics["b"]


def test_a_model_that_misses_much_or_loses_to_a_clock_is_doubted() -> None:
    assert _doubts({"missed_pct": 10.0, "auroc": 0.9, "clock_auroc": 0.8}) == _doubts({"alarmed_pct": 3.0}) == ""
    assert "misses 100 % of the faulty rows" in _doubts({"missed_pct": 100.0})
    assert "a clock ranks the rows better (0.800) than it does (0.700)" in _doubts({"auroc": 0.7, "clock_auroc": 0.8})
    assert _told({}) == "no row behind what it learned from"


def test_evaluate_says_how_long_false_alarms_stand_and_promises_nothing_without_labels(tmp_path: Path) -> None:
    told = _lines(evaluate(machine(tmp_path / "a"), PlaceJudge, "x").pooled)
    assert any("were promised; an alarm stands in " in line and line.endswith("% of the normal rows") for line in told)
    plain = _lines(evaluate(machine(tmp_path / "b", told=()), PlaceJudge, "x").pooled)
    assert not any("false" in line for line in plain)


def test_evaluate_takes_sessions_and_fleets(tmp_path: Path) -> None:
    made = days(tmp_path / "days", dict.fromkeys("abcd", 40.0))
    fleet = taught(of(made.recordings[0], samples=64))
    assert fleet is not None
    (tmp_path / "fleet").write_bytes(fleet.dump())
    evaluate = ("evaluate", tmp_path / "days", "--samples", 64, "--follow", 0)
    told = good(*evaluate, "--fleet", tmp_path / "fleet", "--session", "b")
    assert "gateway's learner with a fleet of 1 places" in told and "faults found: 1 of 1" in told
    told = good(*evaluate, "--fleet-from-others", "--without", "c")
    assert "with a fleet of the other sessions" in told and " of 3" in told
    (tmp_path / "fleet").write_bytes(b"no fleet")
    assert "/fleet: not CBOR" in refused(*evaluate, "--fleet", tmp_path / "fleet")
    assert CliRunner().invoke(main, ["model", *map(str, evaluate), "--fused", "--fleet-from-others"]).exit_code == 2


def test_a_model_of_slow_readings_is_trained_calibrated_and_evaluated(tmp_path: Path) -> None:
    """A room whose temperature swings slowly, and then jumps about."""
    random = np.random.default_rng(3)
    rows = np.arange(1700)
    room = np.stack([20 + np.sin(rows / 9) + random.normal(0, 0.05, 1700), random.normal(40, 1, 1700)], axis=1)
    room[1400:, 0] += random.normal(0, 5, 300)
    run = dataset.Run(
        file="room.npz", node="air", asset="room", kind="values", rate_hz=1 / 60, session="s", commission_s=1300 * 60.0,
        channels=(dataset.Channel(name="t", unit="°C"), dataset.Channel(name="rh", unit="%")),
        labels=(dataset.Label(start_s=0, end_s=1400 * 60.0, label="well", fault=False),
                dataset.Label(start_s=1400 * 60.0, end_s=1700 * 60.0, label="broken", fault=True)),
    )  # fmt: skip
    with dataset.Writer(tmp_path / "room", name="room") as out:
        out.add(run, room)
    good("train", tmp_path / "room", "--out", tmp_path / "air", "--unsigned")
    manifest = load(tmp_path / "air", ANY).manifest
    assert (manifest.feature_set, manifest.samples, manifest.channels[0].unit) == (SLOW, 32, "64/°C")
    assert manifest.provenance.metrics["auroc"] > 0.95
    good("calibrate", tmp_path / "air", tmp_path / "room", "--out", tmp_path / "air-2", "--unsigned")
    told = good("evaluate", tmp_path / "room", "--bundle", tmp_path / "air-2")
    assert "faults found: 1 of 1" in told


def test_litert_says_nothing_where_nothing_is_wrong(place: Path) -> None:
    code = "import sys; from pathlib import Path; from gateway.detectors import detector, bundle; " \
           "detector(bundle.load(Path(sys.argv[1]), bundle.ANY))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code, str(place / "fan")], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_examples_of_an_import_stand_each_on_its_line() -> None:
    told = CliRunner().invoke(main, ["dataset", "import", "--help"]).output
    assert "\\b" not in told
    assert "  stethos dataset import wav fan.wav --into fan --labels what-i-heard.csv\n" in told
