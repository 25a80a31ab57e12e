"""`stethos model compare` as a person at the shell meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import compare as command
from gateway.cli import main
from gateway.training.study import simulated
from tests.training.machines import machine


def stethos(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["model", "compare", *(str(argument) for argument in arguments)])


def test_without_a_dataset_a_room_is_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "make", lambda folder: [simulated.room(folder / "room")])
    done = stethos("--out", tmp_path / "out", "--seed", "3")
    assert done.exit_code == 0, done.output
    assert "no dataset given" in done.stderr and "room: same session" in done.stderr
    assert done.stdout == f"{tmp_path}/out/report.html, {tmp_path}/out/figures.json\n"
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert figures["seed"] == 3 and set(figures["domains"]) == {"room"}
    assert figures["domains"]["room"]["missing"]["slow drift"] == "no session named drift…"
    assert f"stethos model compare --out {tmp_path}/out --seed 3<" in (tmp_path / "out" / "report.html").read_text()


def test_what_is_simulated_is_a_dataset_with_faults(tmp_path: Path) -> None:
    motor = simulated.motor(tmp_path / "motor")
    assert [r.run.session for r in motor.recordings] == ["placed", "placed", "restarted", "restarted", "moved"]
    assert sum(label.fault for r in motor.recordings for label in r.run.labels) == 2
    assert motor.recordings[0].rows() == 460 * 200


def test_a_folder_a_node_and_how_long_to_train(tmp_path: Path) -> None:
    machine(tmp_path / "m", nodes=("hub", "rim"), normal_s=200)
    out = tmp_path / "out"
    done = stethos(f"{tmp_path / 'm'}:rim", "--train-s", "machine", "150", "--features", "invariant", "--out", out)
    assert done.exit_code == 0, done.output
    domain = json.loads((out / "figures.json").read_text())["domains"]["machine / rim"]
    assert (domain["windows_learned"], domain["feature_set"]) == (150, "invariant")
    report = (out / "report.html").read_text()
    words = f"--out {out} --train-s machine 150 --features invariant --seed 1"
    assert f"stethos model compare {tmp_path / 'm'}:rim {words}<" in report


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{m}:attic",), "no node 'attic', but hub"),
        (("{m}", "--train-s", "fan", "3"), "--train-s: no dataset 'fan'"),
        (("{m}/nothing",), "dataset.json"),
    ],
)
def test_a_fault_is_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    machine(tmp_path / "m", normal_s=130)
    done = stethos(*(a.replace("{m}", str(tmp_path / "m")) for a in arguments), "--out", tmp_path / "out")
    assert done.exit_code == 1 and words in done.output.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda _: None)
    done = stethos("--out", tmp_path / "out")
    assert done.exit_code == 1 and "pip install 'stethos[study]'" in done.output
