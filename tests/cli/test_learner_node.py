"""What nodes have learned, in files: merged, refused by name, and what `stethos node send` does not send."""

from __future__ import annotations

import random
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gateway.cli import main, node_send
from gateway.detectors.learner import Learner
from gateway.wire.image import Store, manifest_for


def taught(file: Path, channels: int = 1, seed: int = 1) -> Path:
    """A file of what a node has learned from even noise."""
    noise, learner = random.Random(seed), Learner(1, channels, windows=24)
    while not learner.save():
        learner.learn([round(noise.gauss(1000, 20)) for _ in range(3 * channels)])
    file.write_bytes(learner.save())
    return file


def stethos(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_files_are_merged_and_what_does_not_fit_is_named(tmp_path: Path) -> None:
    one, two = taught(tmp_path / "one"), taught(tmp_path / "two", seed=2)
    out = tmp_path / "out"
    assert "48 windows of 2 nodes" in stethos("learner", "merge-nodes", out, one, two)
    assert Learner.of(out.read_bytes()).diagnose().learned == 48
    other = taught(tmp_path / "other", channels=2)
    said = stethos("learner", "merge-nodes", tmp_path / "none", one, other, code=1)
    assert "other: does not fit" in said and "misfit" in said
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", [b"", b"\xff", b"\x80", b"\x8b\x01\x18\x63\x01\x01", bytes(40)])
def test_what_is_no_lesson_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(content)
    said = stethos("learner", "merge-nodes", tmp_path / "out", broken, code=1)
    assert "broken: not what a learner of this release has learned" in said


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"firmware", "begins with no manifest"),
        (manifest_for("board", Store.MODEL, b"x", 1).pack() + b"x", "an image for the store model"),
        (manifest_for("board", Store.FIRMWARE, b"x", 1).pack() + b"x", "not signed"),
    ],
)
def test_a_firmware_goes_signed_or_not_at_all(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "firmware"
    file.write_bytes(content)
    with pytest.raises(click.ClickException, match=why):
        node_send.signed_firmware(file)


def test_one_thing_is_sent_at_a_time() -> None:
    assert "one of --model, --learner, --firmware" in stethos("node", "send", "a", code=2)
