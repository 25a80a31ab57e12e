"""The commands in docs/datasets.md and docs/bundles.md, as they are written there, one after the other."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gateway.cli import main
from tests.training import test_import_mimii, test_import_toyadmos
from tests.training.imported import write_wav
from tests.training.machines import machine
from tests.training.recordings import fans

DOCS = Path(__file__).parents[2] / "docs"


def commands(page: str) -> list[list[str]]:
    """Of the lines that are set as code."""
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("    stethos ")]


def good(*arguments: str) -> None:
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, (arguments, done.output)


def test_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    rows = [f"{i},{random.normal():.4f},{600 + i // 50},{int(i > 300)}" for i in range(400)]
    Path("pump.csv").write_text("\n".join(["at,g,speed,anomaly", *rows]))
    dates = [f"31.12.2024 23:{i:02d}" for i in range(60)]
    cells = ["" if i == 7 else f"{random.normal():.4f}".replace(".", ",") for i in range(60)]
    Path("oven.csv").write_text("\n".join(["Zeit;Ofen", *map(";".join, zip(dates, cells, strict=True))]))
    np.savez("fan.npz", random.normal(size=(60_000, 3)).astype(np.float32))
    write_wav(Path("belt.wav"), random.integers(-9000, 9000, (16_000, 1)))
    Path("heard.csv").write_text("start_s,end_s,label\n0,0.5,normal\n0.5,1,squeal\n")
    test_import_mimii.collection(tmp_path, "6_dB_fan/fan/id_00")
    test_import_toyadmos.collection(tmp_path)
    machine(tmp_path / "room", nodes=("a", "b"))
    told = [words for words in commands("datasets.md") if words[0] != "collect"]  # tests/system/test_collect.py
    for arguments in told:
        if "--bundle" in arguments:  # a model of the fan that the page has imported by then
            good("model", "train", "fan", "--out", "models/fan", "--unsigned")
        good(*arguments)
    assert len(told) >= 9 and Path("figures.json").stat().st_size


def test_bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fans(tmp_path / "fans", {"hub": 1.0, "rim": 1.2})
    fans(tmp_path / "later", {"hub": 1.0, "rim": 1.2}, seed=7)
    good("model", "keygen", "key.pem")
    told = commands("bundles.md")
    for arguments in told:
        good(*arguments)
    assert {"train", "calibrate", "evaluate", "inspect", "export"} == {arguments[1] for arguments in told}
    assert Path("fan-node-2.h").stat().st_size and Path("fan-node-2.tflite").stat().st_size
