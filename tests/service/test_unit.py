"""The unit file by itself: well-formed, and a sandbox."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "stethos.service"
MOST_EXPOSURE = 2.0

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def test_its_exposure_is_low() -> None:
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={int(MOST_EXPOSURE * 10)}", UNIT],
        capture_output=True, text=True,
    )  # fmt: skip
    found = re.search(r"exposure level for stethos.service: ([\d.]+)", said.stdout)
    assert found and float(found[1]) <= MOST_EXPOSURE, said.stdout
    assert said.returncode == 0


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text, changed = re.subn(r"(?m)^(Exec\w+)=\S+", r"\1=/bin/sh", UNIT.read_text())  # verify wants it to exist
    assert changed == 2
    unit.write_text(text)
    said = subprocess.run(["systemd-analyze", "verify", "--man=false", unit], capture_output=True, text=True)
    assert said.returncode == 0 and UNIT.name not in said.stderr, said.stderr


def test_a_bad_configuration_is_not_tried_again() -> None:
    """os.EX_CONFIG is what `stethos run` exits with then (gateway/cli/options.py)."""
    assert "\nRestartPreventExitStatus=78\n" in UNIT.read_text()
