"""What `stethos model export --as micropython` writes and says is what a board does, to the bit."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from gateway.cli import main
from gateway.detectors import direct
from gateway.detectors.bundle import ANY, load
from gateway.training import held_out, stream
from tests.micropython.native.conftest import LIB, mpy
from tests.training.recordings import fans

WINDOWS = 30


def stethos(*arguments: object) -> str:
    done = CliRunner().invoke(main, ["model", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_lines_that_are_told_run_on_the_unix_port(micropython: Path, node_build: Path, tmp_path: Path) -> None:
    data = fans(tmp_path / "fans", {"hub": 1.0})
    stethos("train", data.folder, "--samples", 64, "--out", tmp_path / "fan", "--unsigned")
    told = stethos("export", tmp_path / "fan", "--as", "micropython", "--out", tmp_path / "fan.cbor")
    bundle = load(tmp_path / "fan", ANY)
    manifest = bundle.manifest
    features = stream.of(data.recordings[0], manifest.feature_set, manifest.samples).x[:WINDOWS].astype(np.int64)
    loading = re.findall('^    (?!")(.*)$', told, re.MULTILINE)
    assert loading[-1].endswith("model.score(features)")
    script = "\n".join(
        [*loading[:-1], f"for features in {features.tolist()}:", f"    {loading[-1]}", "    print((error, anomalous))"]
    )
    done = subprocess.run(
        [micropython, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"MICROPYPATH": os.pathsep.join(map(str, [mpy("x64"), LIB]))},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    errors = direct.errors(direct.Network(bundle.model), manifest.scaling, features)
    assert manifest.node is not None
    expected = [(int(e), bool(e > manifest.node.threshold)) for e in errors]
    assert [ast.literal_eval(line) for line in done.stdout.splitlines()] == expected
    assert held_out.channels(data.manifest.runs[0]) == manifest.channels
