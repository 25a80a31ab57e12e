"""The same tests in MicroPython's unix port: drivers, fakes and tests as they are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DRIVERS = Path(__file__).parents[3] / "nodes" / "micropython"
PORTABLE = ("test_accelerometers", "test_room_sensors", "test_sensor_contract", "test_sound_level")


@pytest.mark.parametrize("module", PORTABLE)
def test_the_same_in_micropython(micropython: Path, module: str) -> None:
    path = ":".join(str(folder) for folder in (DRIVERS, HERE.parent, HERE))
    done = subprocess.run(
        [str(micropython), str(HERE / "run_portable.py"), module],
        env={**os.environ, "MICROPYPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed") == (HERE / f"{module}.py").read_text().count("\ndef test_")


def test_every_test_runs_in_micropython_too() -> None:
    here = {file.stem for file in HERE.glob("test_*.py")}
    assert here - {Path(__file__).stem} == set(PORTABLE)
