"""`stethos dataset` and `stethos model evaluate` as a person at the shell meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.training.dataset import load
from tests.training.machines import autoencoder, machine


def stethos(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_import_and_show(tmp_path: Path) -> None:
    (tmp_path / "pump.csv").write_text("at,g,on\n" + "".join(f"{i},{i % 5},{int(i > 30)}\n" for i in range(40)))
    into = tmp_path / "pump"
    done = stethos("dataset", "import", "csv", tmp_path / "pump.csv", "--into", into, "--time", "at", "--label", "on")
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, f"{into}: 1 runs")
    assert load(into).recordings[0].run.label_at(load(into).recordings[0].read().at_s)[-1] == "fault"
    shown = stethos("dataset", "show", into)
    assert shown.exit_code == 0
    row = next(line for line in shown.output.splitlines() if line.startswith("│ pump"))
    assert "fault (fault) 22.5 %, normal 77.5 %" in row and "█" in row
    again = stethos("dataset", "import", "csv", tmp_path / "pump.csv", "--into", into, "--time", "at")
    assert (again.exit_code, "this dataset has a run of that name" in again.output) == (1, True)


def test_a_fault_is_one_line_that_names_file_and_row(tmp_path: Path) -> None:
    (tmp_path / "pump.csv").write_text("x\n1\noops\n")
    done = stethos("dataset", "import", "csv", tmp_path / "pump.csv", "--into", tmp_path / "set", "--rate-hz", "1")
    assert done.exit_code == 1
    assert done.output == f"Error: {tmp_path / 'pump.csv'}: line 3: x is 'oops'\n"
    (tmp_path / "dataset.json").write_text('{"version": 1, "name": "x", "runs": [{}]}')
    for command in (("dataset", "show"), ("model", "evaluate")):
        done = stethos(*command, tmp_path)
        assert done.exit_code == 1 and "runs.0.node: Field required" in done.output


@pytest.mark.parametrize("which", ["bundle", "learner", "node-learner", "both"])
def test_evaluate_prints_and_writes_every_figure(tmp_path: Path, which: str) -> None:
    dataset = machine(tmp_path / "set")
    bundle = ["--bundle", autoencoder(dataset, tmp_path / "drawn").folder] if which in ("bundle", "both") else []
    flags = {"bundle": [], "both": ["--node-learner"]}.get(which, [f"--{which}"])
    done = stethos("model", "evaluate", tmp_path / "set", *bundle, *flags, "--json", tmp_path / "out.json")
    assert done.exit_code == 0, done.output
    assert "faults found: 1 of 1" in done.output and "a clock's AUROC" in done.output
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["dataset_sha256"] == dataset.sha256()
    assert found["pooled"]["fault_rows"] == 40 and found["pooled"]["auroc"] > 0.99


def test_figures_are_printed_even_where_they_cannot_be_written(tmp_path: Path) -> None:
    machine(tmp_path / "set")
    done = stethos("model", "evaluate", tmp_path / "set", "--json", tmp_path / "no" / "out.json")
    assert (done.exit_code, "AUROC" in done.output) == (1, True)
    assert done.output.endswith("out.json: cannot be written: No such file or directory\n")


def test_what_cannot_be_evaluated_is_said(tmp_path: Path) -> None:
    dataset = machine(tmp_path / "set", commission_s=0.0)
    done = stethos("model", "evaluate", tmp_path / "set")
    assert done.exit_code == 1 and done.output.startswith("Error: hub: ")
    done = stethos("model", "evaluate", tmp_path / "set", "--node", "nobody")
    assert done.exit_code == 1 and "no node 'nobody': there are hub" in done.output
    bundle = autoencoder(machine(tmp_path / "a"), tmp_path / "drawn").folder
    slow = machine(tmp_path / "slow")
    manifest = slow.folder / "dataset.json"
    manifest.write_text(manifest.read_text().replace('"rate_hz": 64.0', '"rate_hz": 32.0'))
    done = stethos("model", "evaluate", slow.folder, "--bundle", bundle)
    assert done.exit_code == 1 and "run hub: 32 Hz, where bundle drawn is for 64 Hz" in done.output
    done = stethos("model", "evaluate", slow.folder)
    assert done.exit_code == 1 and "hub.npz: at_s: 64 rows a second, where rate_hz is 32" in done.output
    done = stethos("model", "evaluate", dataset.folder, "--bundle", bundle, "--samples", "128")
    assert done.exit_code == 1 and "bundle drawn has its own" in done.output
